//! The training loop: epochs of steps, a score on the held-out images after each, weights and metrics on disk.

use crate::{Card, Config, EpochRow, Evaluator, Model, RunDir, Schedule, Score, Stepper, Tally, TrainError, Trained};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use striate_data::{DataSet, LeftOut, Loader, LoaderOptions};
use striate_engine::{Parameters, Scheme};
use striate_kernels::{Cpu, Targets, hash};

/// All that a run needs.
pub struct Job<'a> {
    /// What to do.
    pub config: &'a Config,
    /// What to train on.
    pub data: &'a DataSet,
    /// The threads.
    pub cpu: Arc<Cpu>,
    /// Threads that decode images ahead of the network.
    pub workers: usize,
    /// Bounds on the images that are decoded.
    pub limits: striate_data::Limits,
    /// Becomes true when the run is to end after the current step.
    pub stop: &'a AtomicBool,
}

/// A step that was just made.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// From 1.
    pub epoch: u32,
    /// From 1, of `steps` in the epoch.
    pub step: u64,
    /// Steps in an epoch.
    pub steps: u64,
    /// Over the epoch so far.
    pub score: Score,
    /// Training images per second, over the epoch so far.
    pub images_per_second: f64,
    /// Of this step.
    pub learning_rate: f64,
    /// Until the end of the run, if it goes on like this.
    pub seconds_left: f64,
}

/// Hears of a run's progress.
pub trait Watch {
    /// A step was made.
    fn step(&mut self, report: &StepReport);
    /// An epoch ended; `best` if its score is the best so far, or if no images are held out to tell.
    fn epoch(&mut self, row: &EpochRow, best: bool);
    /// Files that turned out unreadable, and were left out of the epoch's batches.
    fn left_out(&mut self, files: &[LeftOut]);
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The best score on the held-out images, or the last epoch's on the training images where none are held out.
    pub score: Score,
    /// The epoch of that score, from 1; 0 if not one was finished.
    pub best_epoch: u32,
    /// Epochs that were finished.
    pub epochs: u32,
    /// Epochs that were planned.
    pub planned: u32,
    /// True if the run was stopped before its end.
    pub stopped: bool,
    /// Seconds from start to end.
    pub seconds: f64,
    /// The best weights; the last where no epoch was finished.
    pub model: PathBuf,
}

/// Trains a network by the configuration, and writes the run's files.
///
/// # Errors
/// If the network cannot be built or run, a file cannot be written, or the loss is no longer a number.
pub fn train(job: &Job<'_>, run: &mut RunDir, watch: &mut dyn Watch) -> Result<Outcome, TrainError> {
    let start = Instant::now();
    let mut t = Trainer::new(job)?;
    run.write_config(job.config)?;
    let mut best: Option<(Score, u32)> = None;
    let mut finished = 0;
    for epoch in 1..=job.config.epochs {
        let Some((trained, images_per_second)) = t.epoch(epoch, start, watch)? else { break };
        let val = t.validate(watch)?;
        if job.stop.load(Ordering::Relaxed) && val.is_none() && !job.data.val.is_empty() {
            break;
        }
        let score = val.unwrap_or(trained);
        t.check_finite(epoch, score)?;
        finished = epoch;
        let model = t.model(epoch, Some(score));
        model.write(&run.last())?;
        let is_best = best.is_none_or(|(b, _)| val.is_none() || (score.accuracy, -score.loss) > (b.accuracy, -b.loss));
        if is_best {
            best = Some((score, epoch));
            model.write(&run.best())?;
        }
        let row = EpochRow {
            epoch,
            learning_rate: t.schedule.at(t.steps_done.saturating_sub(1)),
            train_loss: trained.loss,
            train_accuracy: trained.accuracy,
            val_loss: val.map(|v| v.loss),
            val_accuracy: val.map(|v| v.accuracy),
            val_top5: val.map(|v| v.top5),
            images_per_second,
            seconds: start.elapsed().as_secs_f64(),
        };
        run.add_row(row.clone())?;
        watch.epoch(&row, is_best);
    }
    let stopped = finished < job.config.epochs;
    if stopped {
        // The weights of the unfinished epoch are the newest there are; nothing was scored with them.
        t.model(finished, None).write(&run.last())?;
    }
    let (score, best_epoch) = best.unwrap_or_default();
    let model = if best_epoch > 0 { run.best() } else { run.last() };
    let planned = job.config.epochs;
    Ok(Outcome { score, best_epoch, epochs: finished, planned, stopped, seconds: start.elapsed().as_secs_f64(), model })
}

/// A network in training.
struct Trainer<'a> {
    job: &'a Job<'a>,
    stepper: Stepper,
    schedule: Schedule,
    evaluator: Evaluator,
    steps_per_epoch: u64,
    steps_done: u64,
}

impl<'a> Trainer<'a> {
    fn new(job: &'a Job<'a>) -> Result<Trainer<'a>, TrainError> {
        let (config, data) = (job.config, job.data);
        if data.train.is_empty() {
            return Err(TrainError::Setting(format!("{} has no image to train on", data.name)));
        }
        let graph = Arc::new(striate_zoo::build(&config.model, &config.options(data.classes.len()))?);
        let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), config.seed);
        let batch = config.batch.min(data.train.len());
        let steps_per_epoch = (data.train.len() / batch + usize::from(keeps_rest(data.train.len(), batch))) as u64;
        let schedule = Schedule {
            base: config.learning_rate,
            curve: config.schedule,
            warmup: (config.warmup * steps_per_epoch as f64).round() as u64,
            steps: steps_per_epoch * u64::from(config.epochs),
        };
        Ok(Trainer {
            evaluator: Evaluator::new(graph.clone(), job.cpu.clone(), batch)?,
            stepper: Stepper::new(graph, job.cpu.clone(), parameters, config.optimizer, batch)?,
            job,
            schedule,
            steps_per_epoch,
            steps_done: 0,
        })
    }

    /// One pass over the training images: its score and images per second; `None` if it was stopped.
    fn epoch(&mut self, epoch: u32, start: Instant, watch: &mut dyn Watch) -> Result<Option<(Score, f64)>, TrainError> {
        let begun = Instant::now();
        let mut loader =
            Loader::new(self.job.data.train.clone(), self.job.config.preprocessing.clone(), self.options(epoch));
        let (mut tally, mut step) = (Tally::default(), 0);
        while let Some(batch) = loader.next() {
            if self.job.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if !batch.failed.is_empty() {
                watch.left_out(&batch.failed);
            }
            step += 1;
            let learning_rate = self.schedule.at(self.steps_done);
            if !batch.is_empty() {
                let seed = hash(self.job.config.seed, self.steps_done);
                let mixed = batch.mixed.as_ref().map(|m| (m.partners.as_slice(), m.share));
                let targets = Targets { labels: &batch.labels, mixed };
                let (loss, logits) = self.stepper.step_on(&batch.images, targets, learning_rate, seed)?;
                let _ = tally.add(logits, batch.heavier(), loss);
                if !loss.is_finite() {
                    return Err(TrainError::Diverged { loss, epoch, step, lr: learning_rate });
                }
            }
            self.steps_done += 1;
            let elapsed = start.elapsed().as_secs_f64();
            watch.step(&StepReport {
                epoch,
                step,
                steps: self.steps_per_epoch,
                score: tally.score(),
                images_per_second: tally.images() as f64 / begun.elapsed().as_secs_f64(),
                learning_rate,
                seconds_left: elapsed / self.steps_done as f64 * (self.schedule.steps - self.steps_done) as f64,
            });
            loader.recycle(batch);
        }
        let images_per_second = tally.images() as f64 / begun.elapsed().as_secs_f64();
        Ok(Some((tally.score(), images_per_second)))
    }

    fn options(&self, epoch: u32) -> LoaderOptions {
        let config = self.job.config;
        let batch = config.batch.min(self.job.data.train.len());
        LoaderOptions {
            batch,
            seed: config.seed,
            shuffle: true,
            epoch: u64::from(epoch),
            drop_last: !keeps_rest(self.job.data.train.len(), batch),
            augment: Some(config.augment.clone()),
            workers: self.job.workers,
            limits: self.job.limits,
            ..LoaderOptions::default()
        }
    }

    /// The score on the held-out images; `None` without any, or if it was stopped.
    fn validate(&mut self, watch: &mut dyn Watch) -> Result<Option<Score>, TrainError> {
        let Job { data, config, workers, limits, stop, .. } = *self.job;
        if data.val.is_empty() {
            return Ok(None);
        }
        let options = LoaderOptions { workers, limits, ..LoaderOptions::default() };
        let go_on = |_| !stop.load(Ordering::Relaxed);
        let e = self.evaluator.score(self.stepper.parameters(), &data.val, &config.preprocessing, &options, go_on)?;
        if !e.failed.is_empty() {
            watch.left_out(&e.failed);
        }
        Ok((!stop.load(Ordering::Relaxed)).then_some(e.score))
    }

    /// An epoch's last update may be the one that breaks the weights: such are never written over whole ones.
    fn check_finite(&self, epoch: u32, score: Score) -> Result<(), TrainError> {
        let whole = self.stepper.parameters().iter().all(|(.., values)| values.iter().all(|v| v.is_finite()));
        if whole && score.loss.is_finite() {
            return Ok(());
        }
        let loss = if whole { score.loss } else { f64::NAN };
        let lr = self.schedule.at(self.steps_done.saturating_sub(1));
        Err(TrainError::Diverged { loss, epoch, step: self.steps_per_epoch, lr })
    }

    fn model(&self, epoch: u32, score: Option<Score>) -> Model {
        let Job { config, data, .. } = self.job;
        let trained = Trained {
            data: data.name.clone(),
            fingerprint: data.fingerprint.clone(),
            images: data.train.len(),
            epoch,
            epochs: config.epochs,
            seed: config.seed,
            val_share: config.val_share,
            score,
        };
        Model {
            graph: self.stepper.graph().clone(),
            parameters: self.stepper.parameters().clone(),
            card: Card {
                classes: data.classes.clone(),
                preprocessing: config.preprocessing.clone(),
                trained: Some(trained),
                licence: None,
                striate: env!("CARGO_PKG_VERSION").into(),
            },
        }
    }
}

/// Whether a last, short batch is trained on. One image alone is not: batch normalisation has nothing to average over.
fn keeps_rest(images: usize, batch: usize) -> bool {
    images % batch > 1
}
