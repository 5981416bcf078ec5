//! `striate eval`: a model's score on a data set.

use super::data_args::{DataArgs, list};
use super::results;
use super::{
    Machine, PrecisionArgs, fast_in_bf16, must_fit_to_predict, print_json, print_line, print_table, write_text,
};
use crate::figures::{percent, thousands};
use crate::progress::{Bar, remark};
use crate::report::{Scored, Subject, command_line, page};
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
use striate_train::{
    BINS, ClassScore, Model, PrecisionWish, Score, Trained, choose_precision, wilson, write_predictions,
};

/// Score a model on a data set
#[derive(clap::Args)]
#[command(after_help = "\
Without --part, the test images are scored if the data has some; else the validation images of the data that the model \
was trained on, or of a data set with a validation folder; else all images.

Examples:
  striate eval runs/train/lenet5/weights/best.safetensors digits
  striate eval best.safetensors photos/ --part all --json
  striate eval best.safetensors photos/ --report report.html --predictions predictions.csv

The interval is Wilson's, 95 %. The calibration error is the expected one over 15 bins of the predicted class's probability.
With --json: {\"accuracy\", \"interval\": [from, to], \"top5\", \"loss\", \"images\", \"part\", \"seconds\", \"macro_f1\", \"ece\", \
\"brier\", \"recall\", \"precision\", \"f1\": {class: share}, \"confusion\", …}")]
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
    /// Write a page with confusions, classes, mistakes with their pictures and calibration: whole in itself, HTML
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a table of what the model made of each image, CSV
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
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
        let part = results::Part { data: &data, spec: &self.data, split, name: spelt(part) };
        let precision = self.decide(&cpu, &model, &data)?;
        let mut evaluator = model.evaluator(cpu, self.batch as usize, precision)?;
        let (scored, score, failed) = part.score(&mut evaluator, &model, &self.data_args.loading())?;
        let seconds = start.elapsed().as_secs_f64();
        self.write(&scored, &model, &data)?;
        if !failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are not counted:", failed.len()));
            list(&failed);
        }
        self.tell(score, &scored, &model, seconds)
    }

    /// What to compute in; with `auto` on a machine that is fast in bf16, by the scores of the validation images in both.
    fn decide(&self, cpu: &Arc<Cpu>, model: &Model, data: &DataSet) -> Result<Precision> {
        let fast = fast_in_bf16(cpu);
        let mut decision = self.precision.wish().first(fast, false);
        if self.precision.wish() == PrecisionWish::Auto && fast && !data.val.is_empty() {
            let part = results::Part { data, spec: &self.data, split: data.val.clone(), name: spelt("val") };
            let score = |precision| {
                let mut evaluator = model.evaluator(cpu.clone(), self.batch as usize, precision)?;
                part.score(&mut evaluator, model, &self.data_args.loading()).map(|(_, score, _)| score)
            };
            decision = choose_precision(fast, Some([score(Precision::F32)?, score(Precision::Bf16)?]));
        }
        self.precision.tell(&decision);
        Ok(decision.precision)
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

    /// Writes the files that are asked for.
    fn write(&self, scored: &Scored, model: &Model, data: &DataSet) -> Result<()> {
        if let Some(file) = &self.predictions {
            write_predictions(file, &scored.predictions, &model.card.classes, |i| scored.files.name(i))?;
        }
        let Some(file) = &self.report else { return Ok(()) };
        let (limits, command) = (self.data_args.limits(), command_line());
        let (run, test, data) = (None, None, Some(data));
        let subject = Subject { model, file: &self.model, scored, data, run, test, command: &command, limits };
        write_text(file, &page(&subject))
    }

    fn tell(&self, s: Score, scored: &Scored, model: &Model, seconds: f64) -> Result<ExitCode> {
        let (confusion, classes) = (&scored.confusion, &model.card.classes);
        let (scores, c) = (confusion.scores(), scored.predictions.calibration(BINS));
        let (low, high) = wilson(scored.predictions.right() as u64, s.images as u64);
        let f1 = confusion.macro_means().f1;
        if self.json {
            let by_class = |of: fn(&ClassScore) -> Option<f64>| -> serde_json::Map<_, _> {
                classes.iter().zip(&scores).map(|(class, score)| (class.clone(), json!(of(score)))).collect()
            };
            let matrix: Vec<_> = (0..classes.len()).map(|i| confusion.row(i)).collect();
            print_json(&json!({
                "accuracy": s.accuracy, "interval": [low, high], "top5": s.top5, "loss": s.loss, "images": s.images,
                "part": short(scored.part), "seconds": seconds, "run": null, "model": self.model.to_string_lossy(),
                "macro_f1": f1, "ece": c.ece, "brier": c.brier, "recall": by_class(ClassScore::recall),
                "precision": by_class(ClassScore::precision), "f1": by_class(ClassScore::f1), "confusion": matrix,
                "unreadable": scored.unreadable,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let n = thousands(s.images as u64);
        print_line(&format!(
            "{} of {n} {} images right (95 %: {} to {}), top-5 {}, loss {:.4}",
            percent(s.accuracy),
            short(scored.part),
            percent(low),
            percent(high),
            percent(s.top5),
            s.loss
        ))?;
        print_line(&format!(
            "mean F1 {}, calibration error {}, Brier score {:.4}",
            percent(f1),
            percent(c.ece),
            c.brier
        ))?;
        let row = |(i, class): (usize, &String)| {
            let wrong = confusion.row(i).iter().enumerate().filter(|&(j, &n)| j != i && n > 0);
            let most = wrong.max_by_key(|&(j, &n)| (n, usize::MAX - j));
            let taken_for = most.map(|(j, n)| format!("{} ({n})", classes[j])).unwrap_or_default();
            let share = |share: Option<f64>| share.map(percent).unwrap_or_default();
            let s = scores[i];
            vec![class.clone(), thousands(s.support), share(s.recall()), share(s.precision()), share(s.f1()), taken_for]
        };
        let rows: Vec<_> = classes.iter().enumerate().map(row).filter(|r| r[1] != "0").collect();
        print_table(&["class", "images", "right", "precision", "F1", "most often taken for"], &rows)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A part's name in a text.
fn spelt(part: &str) -> &'static str {
    match part {
        "train" => "training",
        "val" => "validation",
        "test" => "test",
        _ => "all",
    }
}

/// A part's name as it is given.
fn short(part: &str) -> &str {
    match part {
        "training" => "train",
        "validation" => "val",
        part => part,
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
