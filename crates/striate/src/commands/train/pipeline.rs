//! `striate train --model hog+svm`: a classical pipeline, fitted in one go; its run's folder is a network's, but for curves
//! and checkpoints.

use super::Args;
use crate::commands::data_args::{describe, list};
use crate::commands::results::{Part, Results};
use crate::commands::{print_json, print_line};
use crate::figures::{duration, peak_memory, percent, thousands};
use crate::pipeline_model::{Card, PipelineModel, read_all};
use crate::progress::remark;
use crate::report::{Scored, command_line};
use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use striate_classic::{Description, Labelled, Pipeline, Recipe, Size};
use striate_data::{DataSet, Split};
use striate_kernels::Cpu;
use striate_train::{Attempt, EpochRow, Record, Run, RunDir, Score, State, Trained};

/// What `config.toml` says of it.
#[derive(Serialize)]
struct Config {
    model: String,
    data: String,
    fingerprint: String,
    epochs: u32,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clean: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_column: Option<String>,
    box_margin: f64,
    size: Size,
    recipe: Recipe,
}

/// Pictures up to this size keep it; others are brought to [`SIDE`].
const SMALL: u32 = 40;
const SIDE: u32 = 64;

/// The size that a data set's pictures are brought to for pipelines.
pub fn size_for(data: &DataSet, side: Option<u32>) -> Result<Size> {
    let t = data.typical;
    let (width, height) = match side {
        Some(side @ 1..=2048) => (side, side),
        Some(side) => anyhow::bail!("--imgsz must be 1 to 2048 for a classical pipeline, not {side}"),
        None if t.width.max(t.height) <= SMALL => (t.width, t.height),
        None => (SIDE, SIDE),
    };
    Ok(Size { width: width as usize, height: height as usize, channels: usize::from(t.channels) })
}

impl Args {
    /// Options that say how a network is trained.
    fn refuse_network_options(&self) -> Result<()> {
        let given = [
            ("--epochs", self.epochs.is_some()),
            ("--batch", self.batch.is_some()),
            ("--lr", self.lr.is_some()),
            ("--optimizer", self.optimizer.is_some()),
            ("--weight-decay", self.weight_decay.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--warmup", self.warmup.is_some()),
            ("--fit", self.fit.is_some()),
            ("--augment", self.augment.is_some()),
            ("--show-augmentation", self.show_augmentation.is_some()),
            ("--find-lr", self.find_lr.is_some()),
            ("--shift", self.shift.is_some()),
            ("--flip", self.flip.is_some()),
            ("--folds", self.folds.is_some()),
            ("--event-steps", self.event_steps.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => anyhow::bail!("{option} is for networks; a classical pipeline is fitted without it"),
            None => Ok(()),
        }
    }

    /// Fits a pipeline.
    pub(super) fn pipeline(&self, recipe: &str, cpu: &Arc<Cpu>) -> Result<ExitCode> {
        self.refuse_network_options()?;
        let spec = self.data.as_deref().unwrap_or_default();
        let data = self.data_args.open(spec, self.seed, self.data_args.val_share)?;
        describe(&data);
        let size = size_for(&data, self.imgsz)?;
        let recipe = Recipe::parse(recipe, size)?;
        let name = recipe.to_string();
        let mut run = RunDir::create(&self.out, self.name.as_deref().unwrap_or(&name))?;
        remark(&format!("run {}", run.path().display()));
        run.write_config(&self.config(&data, size, &recipe))?;
        let mut record = Record::begin(run.path(), Attempt::begin(command_line(), cpu))?;
        let done = self.fit_pipeline(cpu, &data, spec, size, recipe, &mut run);
        let (state, error) = match &done {
            Ok(_) => (State::Finished, None),
            Err(e) => (State::Failed, Some(format!("{e:#}"))),
        };
        record.end(run.path(), state, error, peak_memory().map(|bytes| bytes as u64))?;
        let done = done?;
        self.leave_pipeline(&done, &data, spec, &run)?;
        self.tell_pipeline(&done, &run)?;
        Ok(ExitCode::SUCCESS)
    }

    fn config(&self, data: &DataSet, size: Size, recipe: &Recipe) -> Config {
        Config {
            model: recipe.to_string(),
            data: data.source.clone(),
            fingerprint: data.fingerprint.clone(),
            epochs: 1,
            seed: self.seed,
            val_share: self.data_args.val_share,
            fold: self.data_args.fold,
            clean: self.data_args.clean(),
            group_column: self.data_args.group_column(),
            box_margin: self.data_args.box_margin(),
            size,
            recipe: recipe.clone(),
        }
    }

    /// Learns everything, writes the model, and scores it.
    fn fit_pipeline(
        &self,
        cpu: &Cpu,
        data: &DataSet,
        spec: &str,
        size: Size,
        recipe: Recipe,
        run: &mut RunDir,
    ) -> Result<Fitted> {
        let (limits, workers) = (self.data_args.limits(), self.data_args.workers());
        let images = read_all(&data.train, size, "reading training images", limits, workers)?;
        if !images.failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are left out:", images.failed.len()));
            list(&images.failed);
        }
        let (n, begun) = (images.pictures.len(), Instant::now());
        let (w, h) = (size.width, size.height);
        remark(&format!("{recipe}: describing {} images of {w}×{h} pixels", thousands(n as u64)));
        let (description, rows) = Description::learn(cpu, &recipe, size, &images.pictures, self.seed)?;
        let described = begun.elapsed().as_secs_f64();
        let (columns, took) = (thousands(rows.columns() as u64), duration(described));
        remark(&format!("{columns} figures an image, {took}; fitting {}", recipe.method.name()));
        let labelled = Labelled::new(&rows, &images.labels, data.classes.len())?;
        let pipeline = Pipeline::classify(cpu, recipe, description, &labelled, self.seed)?;
        let seconds = begun.elapsed().as_secs_f64();
        drop(rows);
        let trained = Trained {
            data: data.name.clone(),
            fingerprint: data.fingerprint.clone(),
            images: n,
            epoch: 1,
            epochs: 1,
            seed: self.seed,
            val_share: self.data_args.val_share,
            precision: None,
            fold: self.data_args.fold,
            folds: None,
            score: None,
            tuned: None,
        };
        let card =
            Card { classes: data.classes.clone(), trained, licence: None, striate: env!("CARGO_PKG_VERSION").into() };
        let mut model = PipelineModel { pipeline, card };
        let held_out = !data.val.is_empty();
        let (split, part) = if held_out { (&data.val, "validation") } else { (&data.train, "training") };
        let loading = self.data_args.loading();
        let score = |split: &Arc<Split>, name| -> Result<Scored> {
            let part = Part { data, spec, split: split.clone(), name };
            Ok(part.score_pipeline(cpu, &model, &loading)?.0)
        };
        let scored = score(split, part)?;
        let test = data.test.as_ref().map(|t| score(t, "test")).transpose()?;
        let own = scored.predictions.score();
        model.card.trained.score = Some(own);
        model.write(&run.best())?;
        let val = |of: f64| held_out.then_some(of);
        let train = |of: f64| if held_out { f64::NAN } else { of };
        run.add_row(EpochRow {
            epoch: 1,
            learning_rate: 0.0,
            train_loss: train(own.loss),
            train_accuracy: train(own.accuracy),
            val_loss: val(own.loss),
            val_accuracy: val(own.accuracy),
            val_top5: val(own.top5),
            images_per_second: n as f64 / seconds,
            seconds,
        })?;
        Ok(Fitted { model, scored, test: test.map(|t| t.predictions.score()), held_out, described, seconds })
    }

    fn leave_pipeline(&self, done: &Fitted, data: &DataSet, spec: &str, run: &RunDir) -> Result<()> {
        let (path, limits) = (run.best(), self.data_args.limits());
        let read = Run::read(run.path())?;
        let about = done.model.about();
        let results = Results { run: &read, about, file: &path, data: Some(data), test: done.test, limits };
        match results.write(&done.scored) {
            Ok(report) => remark(&format!("report {}", report.display())),
            Err(e) => remark(&format!("warning: the run on {spec} has no report: {e:#}")),
        }
        Ok(())
    }

    fn tell_pipeline(&self, done: &Fitted, run: &RunDir) -> Result<()> {
        let (score, part) = (done.scored.predictions.score(), if done.held_out { "validation" } else { "training" });
        let (path, whole) = (run.best(), done.seconds);
        let say = |line: String| {
            if self.json {
                remark(&line);
                return Ok(());
            }
            print_line(&line)
        };
        let line = |part: &str, s: Score| {
            format!("{part}: {} of {} images right", percent(s.accuracy), thousands(s.images as u64))
        };
        say(line(part, score))?;
        if let Some(test) = done.test {
            say(line("test", test))?;
        }
        let bytes = std::fs::metadata(&path).map(|m| m.len()).ok();
        say(format!("model {} ({})", path.display(), duration(whole)))?;
        if self.json {
            print_json(&json!({
                "accuracy": score.accuracy, "top5": score.top5, "loss": score.loss, "images": score.images,
                "part": if done.held_out { "val" } else { "train" }, "test": done.test, "seconds": whole,
                "features_seconds": done.described, "recipe": done.model.pipeline.recipe(), "bytes": bytes,
                "features": done.model.pipeline.classifier().inputs(), "run": run.path().to_string_lossy(),
                "model": path.to_string_lossy(),
            }))?;
        }
        Ok(())
    }
}

/// A pipeline that was fitted and scored.
struct Fitted {
    model: PipelineModel,
    scored: Scored,
    test: Option<Score>,
    held_out: bool,
    /// Seconds until the training images were described, and until all was learnt.
    described: f64,
    seconds: f64,
}
