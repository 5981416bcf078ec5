//! `striate report`: a run's report, model card and tables, written anew.

use super::data_args::{DataArgs, HeldOut, tell_failed};
use super::results::{AT_ONCE, Part, Results, recorded};
use super::{Machine, must_fit_to_predict, print_json, print_line};
use crate::pipeline_model::PipelineModel;
use crate::progress::remark;
use crate::report::{About, Scored};
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_data::DataSet;
use striate_train::{BINS, Model, Run, Score, wilson};

/// Write a run's report: curves, confusions, mistakes, calibration
#[derive(clap::Args)]
#[command(after_help = "\
`striate train` writes the same at the end of a run; this is for a run that was stopped, or whose report is gone. The best \
weights are scored again on the images that the run was judged by. Where its data set is no longer there, the report is \
made from predictions.csv, without pictures.

Examples:
  striate report runs/train/resnet20
  striate report runs/train/resnet20 --data /elsewhere/photos

Written into the run's folder: report.html (whole in itself: no network needed), MODEL_CARD.md, confusion.csv (rows are \
true classes), predictions.csv (a row an image). With --json: {\"report\", \"run\", \"accuracy\", \"interval\", \"images\", \
\"part\", \"top5_error\", \"loss\", \"macro_f1\", \"ece\", \"brier\", \"test\"}")]
pub struct Args {
    /// The run's folder
    run: PathBuf,
    /// The data set, if it is no longer where the run had it
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// Images at once [default: the run's batch, but 64 at most, as at the end of the run: figures are then equal to the bit]
    #[arg(short, long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: Option<u32>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Writes the report.
    pub fn run(self) -> Result<ExitCode> {
        let run = Run::read(&self.run)?;
        let file = best(&run)?;
        if let Some(model) = PipelineModel::read(&file)? {
            return self.pipeline(&run, &file, &model);
        }
        let model = Model::read(&file)?;
        let (spec, data) = self.open(&run, &model.card.classes)?;
        let (scored, test) = self.score(&run, &model, data.as_ref(), &spec)?;
        let limits = self.data_args.limits();
        let results =
            Results { run: &run, about: About::network(&model), file: &file, data: data.as_ref(), test, limits };
        let report = results.write(&scored)?;
        self.tell(&report, &scored, test)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The report of a classical pipeline.
    fn pipeline(&self, run: &Run, file: &Path, model: &PipelineModel) -> Result<ExitCode> {
        let (spec, data) = self.open(run, &model.card.classes)?;
        let (cpu, loading) = (self.machine.cpu()?, self.data_args.loading());
        let (scored, test) = match &data {
            None => (recorded(&run.path, &model.card.classes, judged_by(run))?, None),
            Some(data) => {
                let score = |part: Part<'_>| -> Result<Scored> {
                    let (scored, failed) = part.score_pipeline(&cpu, model, &loading)?;
                    tell_failed(&failed);
                    Ok(scored)
                };
                let test = data.test.as_ref().map(|test| {
                    let part = Part { data, spec: &spec, split: test.clone(), name: "test" };
                    score(part).map(|scored| scored.predictions.score())
                });
                (score(Part::judging(data, &spec))?, test.transpose()?)
            }
        };
        let limits = self.data_args.limits();
        let report = Results { run, about: model.about(), file, data: data.as_ref(), test, limits }.write(&scored)?;
        self.tell(&report, &scored, test)?;
        Ok(ExitCode::SUCCESS)
    }

    /// How the run's data set is named, and the data set, if it is there.
    fn open(&self, run: &Run, classes: &[String]) -> Result<(String, Option<DataSet>)> {
        let spec = match (&self.data, run.setting("data")) {
            (Some(given), _) => given.clone(),
            (None, Some(recorded)) => recorded.to_owned(),
            (None, None) => anyhow::bail!("{}: config.toml names no data set: give --data", self.run.display()),
        };
        let number = |name: &str| run.setting(name).and_then(|v| v.parse::<f64>().ok());
        let seed = run.setting("seed").and_then(|v| v.parse().ok()).unwrap_or(0);
        let count = |name: &str| run.setting(name).and_then(|v| v.parse().ok());
        let held = HeldOut {
            seed,
            val_share: number("val_share"),
            fold: count("fold"),
            folds: count("folds"),
            clean: run.setting("clean").map(PathBuf::from),
            group_column: run.setting("group_column").map(str::to_owned),
            box_margin: number("box_margin").unwrap_or(0.0),
        };
        let data = match self.data_args.reopen(&spec, &held) {
            Ok(data) => Some(data.with_classes(classes)?),
            Err(e) if self.data.is_none() && run.path.join("predictions.csv").exists() => {
                remark(&format!("warning: the report has no pictures, and is of predictions.csv: {e}"));
                None
            }
            Err(e) => return Err(e).context("the run's data set cannot be opened; --data says where it is now"),
        };
        Ok((spec, data))
    }

    /// The images that the run was judged by, and the test images' score.
    fn score(&self, run: &Run, model: &Model, data: Option<&DataSet>, spec: &str) -> Result<(Scored, Option<Score>)> {
        let Some(data) = data else {
            return Ok((recorded(&run.path, &model.card.classes, judged_by(run))?, None));
        };
        if model.card.trained.as_ref().is_some_and(|t| t.fingerprint != data.fingerprint) {
            remark(&format!("warning: {} is not what it was when the run was made", data.name));
        }
        let recorded = run.setting("batch").and_then(|b| b.parse().ok()).unwrap_or(AT_ONCE);
        let batch = self.batch.map_or(recorded.clamp(1, AT_ONCE), |b| b as usize);
        let precision = model.trained_in();
        must_fit_to_predict(&model.graph, batch, precision)?;
        let mut evaluator = model.evaluator(self.machine.cpu()?, batch, precision)?;
        let loading = self.data_args.loading();
        let (scored, _, failed) = Part::judging(data, spec).score(&mut evaluator, model, &loading)?;
        tell_failed(&failed);
        let Some(test) = &data.test else { return Ok((scored, None)) };
        let part = Part { data, spec, split: test.clone(), name: "test" };
        let (_, test, _) = part.score(&mut evaluator, model, &loading)?;
        Ok((scored, Some(test)))
    }

    fn tell(&self, report: &Path, scored: &Scored, test: Option<Score>) -> Result<()> {
        if !self.json {
            return print_line(&format!("report {}", report.display()));
        }
        let (score, c) = (scored.predictions.score(), scored.predictions.calibration(BINS));
        let interval = wilson(scored.predictions.right() as u64, score.images as u64);
        print_json(&json!({
            "report": report.to_string_lossy(), "run": self.run.to_string_lossy(), "accuracy": score.accuracy,
            "interval": [interval.0, interval.1], "images": score.images, "part": scored.part,
            "top5_error": scored.predictions.top5_error(), "loss": score.loss,
            "macro_f1": scored.confusion.macro_means().f1, "ece": c.ece, "brier": c.brier, "test": test,
        }))
    }
}

/// The images that a run was judged by.
fn judged_by(run: &Run) -> &'static str {
    if run.rows.iter().any(|r| r.val_accuracy.is_some()) { "validation" } else { "training" }
}

/// The file of a run's best weights; of its last, where no epoch was finished.
fn best(run: &Run) -> Result<PathBuf> {
    let [best, last] = ["best", "last"].map(|name| run.path.join(format!("weights/{name}.safetensors")));
    let file = if best.exists() { best } else { last };
    if !file.exists() {
        anyhow::bail!("{}: there are no weights yet: the run has not finished an epoch", run.path.display());
    }
    Ok(file)
}
