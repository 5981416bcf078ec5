//! `striate eval`: a model's score on a data set.

use super::data_args::{DataArgs, list};
use super::{Machine, PrecisionArgs, fast_in_bf16, must_fit_to_predict, print_json, print_line, print_table};
use crate::figures::{percent, thousands};
use crate::progress::{Bar, remark};
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use striate_data::{DataSet, Split};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{Evaluation, Model, PrecisionWish, Trained, choose_precision};

/// Score a model on a data set
#[derive(clap::Args)]
#[command(after_help = "\
Without --part, the test images are scored if the data has some; else the validation images of the data that the model \
was trained on, or of a data set with a validation folder; else all images.

Examples:
  striate eval runs/train/lenet5/weights/best.safetensors digits
  striate eval best.safetensors photos/ --part all --json

With --json: {\"accuracy\", \"top5\", \"loss\", \"images\", \"part\", \"seconds\", \"recall\": {class: share}, \"confusion\", …}")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// The data set: as for `striate train`; its classes must be among the model's
    data: String,
    /// Which images
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Train,
    Val,
    Test,
    All,
}

impl Args {
    /// Scores the model.
    pub fn run(self) -> Result<ExitCode> {
        let start = Instant::now();
        let (cpu, model) = (self.machine.cpu()?, Model::read(&self.model)?);
        must_fit_to_predict(&model.graph, self.batch as usize, Precision::F32)?;
        // The same seed and share as in training hold the same images out.
        let trained = model.card.trained.as_ref();
        let (seed, share) = trained.map_or((0, None), |t| (t.seed, t.val_share));
        let data = self.data_args.open(&self.data, seed, self.data_args.val_share.or(share))?;
        let data = self.fold_held_out(data, trained)?;
        let same = trained.is_some_and(|t| t.fingerprint == data.fingerprint);
        let data = data.with_classes(&model.card.classes)?;
        let part = self.part.unwrap_or_else(|| default_part(&data, same));
        let (split, part) = images(&data, part)?;
        if same && part == "all" {
            remark("warning: among these images are those that the model was trained on");
        }
        let precision = self.decide(&cpu, &model, &data)?;
        let evaluation = self.score(&cpu, &model, &split, part, precision)?;
        self.report(&evaluation, &model, part, start.elapsed().as_secs_f64())
    }

    /// What to compute in; with `auto` on a machine that is fast in bf16, by the scores of the validation images in both.
    fn decide(&self, cpu: &Arc<Cpu>, model: &Model, data: &DataSet) -> Result<Precision> {
        let fast = fast_in_bf16(cpu);
        let mut decision = self.precision.wish().first(fast, false);
        if self.precision.wish() == PrecisionWish::Auto && fast && !data.val.is_empty() {
            let score = |precision| self.score(cpu, model, &data.val, "val", precision).map(|e| e.score);
            decision = choose_precision(fast, Some([score(Precision::F32)?, score(Precision::Bf16)?]));
        }
        self.precision.tell(&decision);
        Ok(decision.precision)
    }

    fn score(
        &self,
        cpu: &Arc<Cpu>,
        model: &Model,
        split: &Arc<Split>,
        part: &str,
        precision: Precision,
    ) -> Result<Evaluation> {
        let bar = Bar::new();
        bar.begin(&format!("scoring {part} images"), split.len() as u64);
        let mut evaluator = model.evaluator(cpu.clone(), self.batch as usize, precision)?;
        let (p, loading) = (&model.card.preprocessing, self.data_args.loading());
        let evaluation = evaluator.score(&model.parameters, split, p, &loading, |done| {
            bar.at(done as u64, String::new);
            true
        })?;
        bar.end();
        Ok(evaluation)
    }

    /// The data set with that fold for validation which the model was not trained on, if it was trained on this data in folds
    /// and nothing else is asked for.
    fn fold_held_out(&self, data: DataSet, trained: Option<&Trained>) -> Result<DataSet> {
        let Some(t) = trained.filter(|_| self.data_args.fold.is_none()) else { return Ok(data) };
        match (t.fold, t.folds) {
            (Some(fold), Some(folds)) if t.fingerprint == data.fingerprint => {
                let (limits, workers) = (self.data_args.limits(), self.data_args.workers());
                let sets = data.folds(folds, t.seed, limits, workers, &Bar::new())?;
                let set = (1..).zip(sets).find(|(number, _)| *number == fold).map(|(_, set)| set);
                set.with_context(|| format!("{}: fold {fold} of {folds} cannot be", self.model.display()))
            }
            // Folds of the data's own; which is held out is part of its fingerprint.
            (Some(fold), None) if t.data == data.name => {
                self.data_args.open_fold(&self.data, t.seed, t.val_share, Some(fold))
            }
            _ => Ok(data),
        }
    }

    fn report(&self, e: &Evaluation, model: &Model, part: &str, seconds: f64) -> Result<ExitCode> {
        if !e.failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are not counted:", e.failed.len()));
            list(&e.failed);
        }
        let (s, classes) = (e.score, &model.card.classes);
        if self.json {
            let recall: serde_json::Map<_, _> =
                classes.iter().enumerate().map(|(i, c)| (c.clone(), json!(e.confusion.recall(i)))).collect();
            let confusion: Vec<_> = (0..classes.len()).map(|i| e.confusion.row(i)).collect();
            print_json(&json!({
                "accuracy": s.accuracy, "top5": s.top5, "loss": s.loss, "images": s.images, "part": part,
                "seconds": seconds, "run": null, "model": self.model.to_string_lossy(), "recall": recall, "confusion": confusion,
                "unreadable": e.failed.len(),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let n = thousands(s.images as u64);
        print_line(&format!(
            "{} of {n} {part} images right, top-5 {}, loss {:.4}",
            percent(s.accuracy),
            percent(s.top5),
            s.loss
        ))?;
        let row = |(i, class): (usize, &String)| {
            let counts = e.confusion.row(i);
            let all: u64 = counts.iter().sum();
            let wrong =
                counts.iter().enumerate().filter(|&(j, &n)| j != i && n > 0).max_by_key(|&(j, &n)| (n, usize::MAX - j));
            let taken_for = wrong.map(|(j, n)| format!("{} ({n})", classes[j])).unwrap_or_default();
            vec![class.clone(), thousands(all), e.confusion.recall(i).map(percent).unwrap_or_default(), taken_for]
        };
        let rows: Vec<_> = classes.iter().enumerate().map(row).filter(|r| r[1] != "0").collect();
        print_table(&["class", "images", "right", "most often taken for"], &rows)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What one would want to know: images that the model has not seen.
fn default_part(data: &DataSet, same: bool) -> Part {
    match (&data.test, same || !data.val_drawn) {
        (Some(_), _) => Part::Test,
        (None, true) => Part::Val,
        (None, false) => Part::All,
    }
}

/// The images of a part, and its name.
fn images(data: &DataSet, part: Part) -> Result<(Arc<Split>, &'static str)> {
    let (split, name) = match (part, &data.test) {
        (Part::Train, _) => (data.train.clone(), "train"),
        (Part::Val, _) => (data.val.clone(), "val"),
        (Part::Test, Some(test)) => (test.clone(), "test"),
        (Part::Test, None) => anyhow::bail!("{} has no test part; choose --part val or all", data.name),
        (Part::All, _) => (Arc::new(data.all()), "all"),
    };
    if split.is_empty() {
        anyhow::bail!("{} has no {name} images", data.name);
    }
    Ok((split, name))
}
