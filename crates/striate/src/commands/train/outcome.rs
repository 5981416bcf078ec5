//! What a run left, and the words about it.

use super::Args;
use crate::commands::calibrate::{self, KEEP};
use crate::commands::memory_args::Budget;
use crate::commands::results::{AT_ONCE, Part, Results};
use crate::commands::{print_json, print_line};
use crate::figures::{duration, percent, thousands};
use crate::progress::{Bar, remark};
use crate::report::{About, in_words};
use anyhow::Result;
use serde_json::{Value, json};
use striate_train::{Calibrated, Evaluator, Job, KnownBy, Logits, Model, Outcome, Run, RunDir, Score};

/// What a run left.
pub struct Done {
    /// How it ended.
    pub outcome: Outcome,
    /// The score on the test part, if there is one.
    pub test: Option<Score>,
    /// What its probabilities are worth, where images were held out.
    calibration: Option<Calibrated>,
    /// Its folder.
    pub run: RunDir,
    /// Whether its score is of images that it was not trained on.
    held_out: bool,
    /// The memory that training took: in words, and as an object.
    memory: (String, Value),
}

impl Args {
    /// Scores a run's best weights on the test images, calibrates them on those held out, and leaves the run's report.
    pub(super) fn finish(&self, outcome: Outcome, job: &Job<'_>, run: RunDir, budget: &Budget) -> Result<Done> {
        // Before the report, whose pictures and fonts are no part of what steps need.
        let memory = (budget.told(), budget.object());
        let whole = outcome.best_epoch > 0 && !outcome.stopped;
        let (mut test, mut calibration) = (None, None);
        if whole {
            let mut model = Model::read(&outcome.model)?;
            let mut evaluator = Args::evaluator(&model, job)?;
            test = self.test(&model, &mut evaluator, job)?;
            if let Err(e) = self.leave(&mut model, &mut evaluator, &outcome, test, job, &run) {
                remark(&format!("warning: the run has no report: {e:#}"));
            }
            calibration = model.card.calibration;
        }
        Ok(Done { outcome, test, calibration, run, held_out: !job.data.val.is_empty(), memory })
    }

    /// Runs the best weights in what they were trained in.
    fn evaluator(model: &Model, job: &Job<'_>) -> Result<Evaluator> {
        // No more at once than were scored in training: there is memory for that.
        let images = job.config.economy().images(job.config.batch).min(AT_ONCE);
        Ok(model.evaluator(job.cpu.clone(), images, model.trained_in())?)
    }

    /// The best weights' score on the test part, which nothing was chosen by.
    fn test(&self, model: &Model, evaluator: &mut Evaluator, job: &Job<'_>) -> Result<Option<Score>> {
        let Some(test) = &job.data.test else { return Ok(None) };
        let (p, loading) = (&model.card.preprocessing, self.data_args.loading());
        let bar = Bar::new();
        bar.begin("scoring test images", test.len() as u64);
        let evaluation = evaluator.score(&model.parameters, test, p, &loading, |done| {
            bar.at(done as u64, String::new);
            true
        })?;
        bar.end();
        Ok(Some(evaluation.score))
    }

    /// Calibrates the best weights where images are held out, and leaves the report, the model card and the tables in the
    /// run's folder.
    fn leave(
        &self,
        model: &mut Model,
        evaluator: &mut Evaluator,
        outcome: &Outcome,
        test: Option<Score>,
        job: &Job<'_>,
        run: &RunDir,
    ) -> Result<()> {
        let part = Part::judging(job.data, self.data.as_deref().unwrap_or(&job.config.data));
        let mut logits = Logits::new(model.card.classes.len(), part.split.len());
        let (scored, ..) = part.score_hearing(evaluator, model, &self.data_args.loading(), |batch, rows| {
            logits.add(rows, &batch.labels, &batch.indices);
        })?;
        if !job.data.val.is_empty() {
            model.card.calibration = Calibrated::fit(&logits, KnownBy::default(), KEEP);
            if let Err(e) = model.write(&outcome.model) {
                remark(&format!("warning: the model is not calibrated: {e}"));
                model.card.calibration = None;
            }
        }
        let run = Run::read(run.path())?;
        let limits = self.data_args.limits();
        let results = Results {
            run: &run,
            about: About::network(model),
            file: &outcome.model,
            data: Some(job.data),
            test,
            limits,
        };
        let report = results.write(&scored)?;
        remark(&format!("report {}", report.display()));
        Ok(())
    }

    /// Says what a run came to.
    pub(super) fn report(&self, done: &Done) -> Result<()> {
        let Done { outcome: o, test, calibration, run, held_out, memory } = done;
        let part = if *held_out { "validation" } else { "training" };
        if o.stopped {
            remark(&format!(
                "stopped after {} of {} epochs; the newest weights are {}",
                o.epochs,
                o.planned,
                run.last().display()
            ));
        }
        if o.early {
            let waited = o.epochs - o.best_epoch;
            remark(&format!("ended after {} of {} epochs: {waited} brought none better", o.epochs, o.planned));
        }
        let say = |line: String| {
            if self.json {
                remark(&line);
                return Ok(());
            }
            print_line(&line)
        };
        if o.best_epoch > 0 {
            let (accuracy, n) = (percent(o.score.accuracy), thousands(o.score.images as u64));
            say(format!(
                "best epoch {}: {accuracy} of {n} {part} images right, loss {:.4}",
                o.best_epoch, o.score.loss
            ))?;
        }
        if let Some(test) = test {
            let (accuracy, n) = (percent(test.accuracy), thousands(test.images as u64));
            say(format!("test: {accuracy} of {n} images right, loss {:.4}", test.loss))?;
        }
        if let Some(calibration) = calibration {
            say(in_words(calibration))?;
            calibrate::warn(calibration);
        }
        remark(&memory.0);
        say(format!("model {} ({})", o.model.display(), duration(o.seconds)))?;
        if self.json {
            print_json(&json!({
                "accuracy": o.score.accuracy, "top5": o.score.top5, "loss": o.score.loss, "images": o.score.images,
                "part": if *held_out { "val" } else { "train" }, "test": test,
                "best_epoch": o.best_epoch, "epochs": o.epochs, "stopped": o.stopped, "early": o.early,
                "seconds": o.seconds, "run": run.path().to_string_lossy(), "model": o.model.to_string_lossy(),
                "memory": memory.1, "calibration": calibration,
            }))?;
        }
        Ok(())
    }
}
