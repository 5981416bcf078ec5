//! The training loop: epochs of steps, a score on the held-out images after each, weights and metrics on disk.

mod tuning;

use crate::transfer::{Backbone, Feed, Start};
use crate::{
    Average, Card, Checkpoint, Config, Curve, Decision, Emphasis, EpochRow, Evaluator, MicroBatches, PrecisionWish,
    Progress, RunDir, Schedule, Score, Stepper, Tally, TrainError, Trained, choose_precision, precision_name,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use striate_data::{Batch, DataSet, LeftOut, LoaderOptions};
use striate_engine::{Parameters, Precision, Request, Scheme};
use striate_graph::Graph;
use striate_kernels::{Cpu, hash};
use tuning::{Tuning, micro_batches};

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
    /// Whether this machine computes faster in bf16.
    pub fast_in_bf16: bool,
    /// Where the run goes on; `None` begins it.
    pub resume: Option<Checkpoint>,
    /// A checkpoint is written this often, beside those at the end of every epoch.
    pub checkpoint_every: Duration,
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
    /// Something happened that the user should know of.
    fn note(&mut self, what: &str);
    /// So many images' features of all that are to be kept are computed.
    fn features(&mut self, _done: usize, _images: usize) {}
    /// It was decided what to compute in: at the start, and again when bf16 was checked.
    fn precision(&mut self, _decision: &Decision) {}
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
    /// True if it ended before the planned epochs because no better one came.
    pub early: bool,
    /// Seconds from start to end.
    pub seconds: f64,
    /// The best weights; the last where no epoch was finished.
    pub model: PathBuf,
}

/// Trains a network by the configuration, and writes the run's files. What a stopped run left off is taken up where it was:
/// weights and metrics become, to the bit, those of a run that was never stopped.
///
/// # Errors
/// If the network cannot be built or run, a file cannot be written, or the loss is no longer a number.
pub fn train(job: &Job<'_>, run: &mut RunDir, watch: &mut dyn Watch) -> Result<Outcome, TrainError> {
    let mut t = Trainer::new(job, watch)?;
    run.write_config(job.config)?;
    if let Some(checkpoint) = &job.resume {
        t.restore(checkpoint)?;
    }
    run.set_rows(t.progress.rows.clone())?;
    let planned = job.config.total_epochs();
    while t.progress.epoch <= planned && !t.out_of_patience() {
        match t.epoch(run, watch) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e @ TrainError::Diverged { .. }) => t.take_back(run, watch, e)?,
            Err(e) => return Err(e),
        }
    }
    let early = t.progress.epoch <= planned && t.out_of_patience();
    let stopped = t.progress.epoch <= planned && !early;
    if stopped {
        t.keep(run)?;
        // The weights of the unfinished epoch are the newest there are; nothing was scored with them.
        t.write(&t.card(t.progress.epoch - 1, None), &run.last())?;
    }
    let (score, best_epoch) = t.progress.best.unwrap_or_default();
    let model = if best_epoch > 0 { run.best() } else { run.last() };
    let (epochs, seconds) = (t.progress.epoch - 1, t.seconds());
    Ok(Outcome { score, best_epoch, epochs, planned, stopped, early, seconds, model })
}

/// A network in training.
struct Trainer<'a> {
    job: &'a Job<'a>,
    micro: MicroBatches,
    /// What is scored and written in place of the parameters, where an average of them is.
    average: Option<Average>,
    emphasis: Emphasis,
    /// What is frozen of the network, where not all of it is tuned from the first.
    tuning: Option<Tuning>,
    precision: Precision,
    schedule: Schedule,
    evaluator: Evaluator,
    steps_per_epoch: u64,
    progress: Progress,
    /// When this process took the run up, and when it last wrote a checkpoint.
    begun: Instant,
    kept: Instant,
}

impl<'a> Trainer<'a> {
    fn new(job: &'a Job<'a>, watch: &mut dyn Watch) -> Result<Trainer<'a>, TrainError> {
        let (config, data) = (job.config, job.data);
        if data.train.is_empty() {
            return Err(TrainError::Setting(format!("{} has no image to train on", data.name)));
        }
        let batch = config.batch.min(data.train.len());
        let steps_per_epoch = (data.train.len() / batch + usize::from(keeps_rest(data.train.len(), batch))) as u64;
        let schedule = Schedule {
            base: config.learning_rate,
            curve: config.schedule,
            warmup: (config.warmup * steps_per_epoch as f64).round() as u64,
            steps: steps_per_epoch * u64::from(config.epochs),
            extensions: config.extensions.iter().map(|epochs| steps_per_epoch * u64::from(*epochs)).collect(),
        };
        let decision = config.precision.first(job.fast_in_bf16, !data.val.is_empty());
        watch.precision(&decision);
        let (precision, most) = (decision.precision, config.economy().images(batch));
        let (tuning, graph, parameters) = if let Some(transfer) = &config.transfer {
            let start = Start::read(config, transfer, data.classes.len())?;
            let (mut tuning, values) = Tuning::new(start, transfer)?;
            let (graph, values) = tuning.part(job, values, (most, precision))?;
            (Some(tuning), graph, values)
        } else {
            let graph = Arc::new(config.graph(data.classes.len())?);
            let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), config.seed);
            (None, graph, parameters)
        };
        let micro = micro_batches(job, tuning.as_ref(), &graph, parameters, (most, precision))?;
        let evaluator = Evaluator::keeping(graph, job.cpu.clone(), most, precision)?;
        Ok(Trainer {
            evaluator,
            average: config.ema.map(|decay| Average::new(decay, micro.parameters())),
            emphasis: config.emphasis(),
            micro,
            tuning,
            precision,
            job,
            schedule,
            steps_per_epoch,
            progress: Progress::default(),
            begun: Instant::now(),
            kept: Instant::now(),
        })
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.restore_stage(checkpoint)?;
        self.micro.stepper_mut().restore(checkpoint)?;
        if let Some(average) = &mut self.average {
            checkpoint.restore_average(average.parameters_mut())?;
        }
        self.progress = checkpoint.progress.clone();
        if self.progress.full_precision && self.precision != Precision::F32 {
            let evaluator = self.evaluate_in_full()?;
            self.go_on_in_full(evaluator)?;
        }
        self.begun = Instant::now();
        Ok(())
    }

    /// Whether so many epochs have passed without a better one that the run ends.
    fn out_of_patience(&self) -> bool {
        let best = self.progress.best.map_or(0, |(_, epoch)| epoch);
        self.job.config.patience.is_some_and(|patience| best > 0 && self.progress.epoch > best + patience)
    }

    /// Writes a checkpoint.
    fn keep(&mut self, run: &RunDir) -> Result<(), TrainError> {
        let stepper = self.micro.stepper();
        self.progress.updates = stepper.optimizer().steps();
        let progress = Progress { seconds: self.seconds(), ..self.progress.clone() };
        let average = self.average.as_ref().map(Average::parameters);
        let backbone = self.tuning.as_ref().and_then(|tuning| tuning.backbone.as_ref()).filter(|b| !b.rests());
        let frozen = backbone.map(Backbone::parameters);
        Checkpoint::write(&run.checkpoints(), &progress, stepper.parameters(), stepper.optimizer(), average, frozen)?;
        self.kept = Instant::now();
        Ok(())
    }

    /// Takes a run whose loss is no longer a number back to its last checkpoint, to go on at half the rate; gives it up where
    /// that did not help before, or where there is no checkpoint.
    fn take_back(&mut self, run: &mut RunDir, watch: &mut dyn Watch, why: TrainError) -> Result<(), TrainError> {
        /// What rates are halved down to.
        const LEAST: f64 = 1.0 / 8.0;
        let factor = self.progress.rate_factor / 2.0;
        let Ok(checkpoint) = Checkpoint::read(&run.checkpoints(), |e| watch.note(&e.to_string())) else {
            return Err(why);
        };
        if factor < LEAST {
            return Err(why);
        }
        let seconds = self.seconds();
        self.restore(&checkpoint)?;
        (self.progress.rate_factor, self.progress.seconds) = (factor, seconds);
        let (epoch, batches) = (self.progress.epoch, self.progress.batches);
        watch.note(&format!(
            "{why}; taken back to the checkpoint before step {} of epoch {epoch}, to go on at {factor} of the planned rates",
            batches + 1
        ));
        run.set_rows(self.progress.rows.clone())
    }

    /// Seconds of training, those before the run was taken up included.
    fn seconds(&self) -> f64 {
        self.progress.seconds + self.begun.elapsed().as_secs_f64()
    }

    /// What is left of an epoch: steps, the score on the held-out images, the files. False if it was stopped.
    fn epoch(&mut self, run: &mut RunDir, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let Some(images_per_second) = self.steps(run, watch)? else { return Ok(false) };
        let trained = self.progress.tally.score();
        let val = self.validate(watch)?;
        let val = if self.progress.epoch == 1 { self.check_precision(val, watch)? } else { val };
        if self.job.stop.load(Ordering::Relaxed) && val.is_none() && !self.job.data.val.is_empty() {
            return Ok(false);
        }
        let (epoch, score) = (self.progress.epoch, val.unwrap_or(trained));
        self.check_finite(epoch, score)?;
        let card = self.card(epoch, Some(score));
        self.write(&card, &run.last())?;
        let best = self.progress.best;
        let is_best = best.is_none_or(|(b, _)| val.is_none() || (score.accuracy, -score.loss) > (b.accuracy, -b.loss));
        if is_best {
            self.progress.best = Some((score, epoch));
            self.write(&card, &run.best())?;
        }
        let row = EpochRow {
            epoch,
            learning_rate: self.rate(self.progress.steps.saturating_sub(1)),
            train_loss: trained.loss,
            train_accuracy: trained.accuracy,
            val_loss: val.map(|v| v.loss),
            val_accuracy: val.map(|v| v.accuracy),
            val_top5: val.map(|v| v.top5),
            images_per_second,
            seconds: self.seconds(),
        };
        if let Curve::Plateau { patience, .. } = self.schedule.curve
            && self.progress.plateau.take(score.loss, patience)
        {
            watch.note(&format!("no lower loss for {} epochs: the learning rate is lowered", patience + 1));
        }
        run.add_row(row.clone())?;
        watch.epoch(&row, is_best);
        self.progress.rows.push(row);
        (self.progress.epoch, self.progress.batches, self.progress.tally) = (epoch + 1, 0, Tally::default());
        self.advance(watch)?;
        self.keep(run)?;
        Ok(true)
    }

    fn rate(&self, step: u64) -> f64 {
        let lowered = match self.schedule.curve {
            Curve::Plateau { factor, .. } => factor.powi(self.progress.plateau.lowered as i32),
            _ => 1.0,
        };
        self.progress.rate_factor * lowered * self.schedule.at(step)
    }

    /// The steps that are left of the epoch: images per second; `None` if they were stopped.
    fn steps(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<Option<f64>, TrainError> {
        if !self.keep_features(watch)? {
            return Ok(None);
        }
        let (begun, before, epoch) = (Instant::now(), self.progress.tally.images(), self.progress.epoch);
        let kept = self.tuning.as_ref().and_then(|tuning| tuning.train.as_ref());
        let (split, preprocessing) = (&self.job.data.train, &self.job.config.preprocessing);
        let mut feed = Feed::new(kept, split, preprocessing, self.options(epoch));
        let speed = |images: usize| (images - before) as f64 / begun.elapsed().as_secs_f64();
        while let Some(mut batch) = feed.next() {
            if self.job.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if !batch.failed.is_empty() {
                watch.left_out(&batch.failed);
            }
            let learning_rate = self.rate(self.progress.steps);
            if !batch.is_empty() {
                let seed = hash(self.job.config.seed, self.progress.steps);
                let backbone = self.tuning.as_mut().and_then(|tuning| tuning.backbone.as_mut());
                if let Some(backbone) = backbone.filter(|_| !feed.is_kept()) {
                    backbone.take(&mut batch, true)?;
                }
                let targets = self.emphasis.targets(&batch);
                let (loss, logits) = self.micro.step(&batch.images, targets, learning_rate, seed)?;
                let _ = self.progress.tally.add(logits, batch.heavier(), loss);
                if !loss.is_finite() {
                    return Err(self.diverged(loss, &batch, seed));
                }
                if let Some(average) = &mut self.average {
                    average.take(&self.job.cpu, self.micro.parameters(), self.progress.steps + 1);
                }
            }
            self.progress.batches += 1;
            self.progress.steps += 1;
            let (done, total) = (self.progress.steps, self.schedule.total());
            watch.step(&StepReport {
                epoch,
                step: self.progress.batches as u64,
                steps: self.steps_per_epoch,
                score: self.progress.tally.score(),
                images_per_second: speed(self.progress.tally.images()),
                learning_rate,
                seconds_left: self.seconds() / done as f64 * (total - done) as f64,
            });
            feed.recycle(batch);
            if self.kept.elapsed() >= self.job.checkpoint_every {
                // A full disk now may have room at the end of the epoch; the last checkpoint is still there.
                if let Err(e) = self.keep(run) {
                    watch.note(&format!("no checkpoint could be written: {e}"));
                    self.kept = Instant::now();
                }
            }
        }
        Ok(Some(speed(self.progress.tally.images())))
    }

    /// What went wrong in a step, and where.
    fn diverged(&mut self, loss: f64, batch: &Batch, seed: u64) -> TrainError {
        let place = self.micro.stepper().first_not_finite(&batch.images, &batch.labels, seed);
        let (epoch, step) = (self.progress.epoch, self.progress.batches as u64 + 1);
        TrainError::Diverged { loss, epoch, step, lr: self.rate(self.progress.steps), place }
    }

    fn options(&self, epoch: u32) -> LoaderOptions {
        let config = self.job.config;
        let batch = config.batch.min(self.job.data.train.len());
        LoaderOptions {
            batch,
            seed: config.seed,
            shuffle: true,
            balanced: config.balanced_sampling,
            epoch: u64::from(epoch),
            first_batch: self.progress.batches,
            drop_last: !keeps_rest(self.job.data.train.len(), batch),
            augment: Some(config.augment.clone()),
            workers: self.job.workers,
            limits: self.job.limits,
            ..LoaderOptions::default()
        }
    }

    /// The score on the held-out images; `None` without any, or if it was stopped.
    fn validate(&mut self, watch: &mut dyn Watch) -> Result<Option<Score>, TrainError> {
        score(self.job, &mut self.evaluator, scored(self.average.as_ref(), &self.micro), self.tuning.as_mut(), watch)
    }

    /// Where bf16 is to be checked: scores the held-out images in f32 too, and goes on in f32 if bf16 scored worse. Returns the
    /// score of what it goes on in.
    fn check_precision(&mut self, val: Option<Score>, watch: &mut dyn Watch) -> Result<Option<Score>, TrainError> {
        let (config, checked) = (self.job.config, self.precision == Precision::Bf16);
        let Some(half) = val.filter(|_| checked && config.precision == PrecisionWish::Auto) else { return Ok(val) };
        let mut full = self.evaluate_in_full()?;
        if let Some(tuning) = &mut self.tuning {
            tuning.compute_in(Precision::F32)?;
        }
        let parameters = scored(self.average.as_ref(), &self.micro);
        let Some(exact) = score(self.job, &mut full, parameters, self.tuning.as_mut(), watch)? else {
            return Ok(None);
        };
        let decision = choose_precision(self.job.fast_in_bf16, Some([exact, half]));
        watch.precision(&decision);
        if decision.precision == Precision::Bf16 {
            if let Some(tuning) = &mut self.tuning {
                tuning.compute_in(Precision::Bf16)?;
            }
            return Ok(Some(half));
        }
        self.go_on_in_full(full)?;
        Ok(Some(exact))
    }

    fn evaluate_in_full(&self) -> Result<Evaluator, TrainError> {
        Evaluator::new(self.micro.stepper().graph().clone(), self.job.cpu.clone(), self.evaluator.batch())
    }

    /// Computes in f32 from now on.
    fn go_on_in_full(&mut self, evaluator: Evaluator) -> Result<(), TrainError> {
        let (graph, most) = (self.micro.stepper().graph().clone(), evaluator.batch());
        (self.precision, self.evaluator, self.progress.full_precision) = (Precision::F32, evaluator, true);
        if let Some(tuning) = &mut self.tuning {
            tuning.compute_in(Precision::F32)?;
        }
        self.micro.stepper_mut().replan(&request(self.job.config, &graph, most, Precision::F32))
    }

    /// An epoch's last update may be the one that breaks the weights: such are never written over whole ones.
    fn check_finite(&self, epoch: u32, score: Score) -> Result<(), TrainError> {
        let broken = |(name, _, values): (&str, _, &[f32])| {
            (!values.iter().all(|v| v.is_finite())).then(|| format!("the parameter `{name}`"))
        };
        let place = self.micro.parameters().iter().find_map(broken);
        if place.is_none() && score.loss.is_finite() {
            return Ok(());
        }
        let loss = if place.is_none() { score.loss } else { f64::NAN };
        let lr = self.rate(self.progress.steps.saturating_sub(1));
        Err(TrainError::Diverged { loss, epoch, step: self.steps_per_epoch, lr, place })
    }

    fn write(&self, card: &Card, path: &Path) -> Result<(), TrainError> {
        let (graph, tuned) = (self.micro.stepper().graph(), scored(self.average.as_ref(), &self.micro));
        match &self.tuning {
            Some(Tuning { whole, backbone: Some(frozen), .. }) => {
                card.write_tensors(whole, frozen.parameters().iter().chain(tuned.iter()), path)
            }
            _ => card.write(graph, tuned, path),
        }
    }

    fn card(&self, epoch: u32, score: Option<Score>) -> Card {
        let Job { config, data, .. } = self.job;
        let trained = Trained {
            data: data.name.clone(),
            fingerprint: data.fingerprint.clone(),
            images: data.train.len(),
            epoch,
            epochs: config.total_epochs(),
            seed: config.seed,
            val_share: config.val_share,
            precision: (self.precision != Precision::F32).then(|| precision_name(self.precision).into()),
            fold: config.fold,
            folds: config.folds,
            score,
            tuned: self.tuned(),
        };
        Card {
            classes: data.classes.clone(),
            preprocessing: config.preprocessing.clone(),
            trained: Some(trained),
            calibration: None,
            licence: self.tuning.as_ref().and_then(|tuning| tuning.licence.clone()),
            striate: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// What the steps ask of the engine: `images` at a time.
fn request(config: &Config, graph: &Graph, images: usize, precision: Precision) -> Request {
    Request { precision, recompute: config.recompute, ..Stepper::request(graph, images, &[]) }
}

/// The score on the held-out images; `None` without any, or if it was stopped.
fn score(
    job: &Job<'_>,
    evaluator: &mut Evaluator,
    parameters: &Parameters,
    tuning: Option<&mut Tuning>,
    watch: &mut dyn Watch,
) -> Result<Option<Score>, TrainError> {
    let Job { data, config, workers, limits, stop, .. } = *job;
    if data.val.is_empty() {
        return Ok(None);
    }
    let options = LoaderOptions { batch: evaluator.batch(), workers, limits, ..LoaderOptions::default() };
    let go_on = |_| !stop.load(Ordering::Relaxed);
    let kept = tuning.as_ref().and_then(|tuning| tuning.val.as_ref());
    let feed = Feed::new(kept, &data.val, &config.preprocessing, options);
    let backbone = tuning.and_then(|tuning| tuning.backbone.as_mut());
    let e = evaluator.score_behind(parameters, feed, backbone, go_on)?;
    if !e.failed.is_empty() {
        watch.left_out(&e.failed);
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(e.score))
}

/// Whether a last, short batch is trained on. One image alone is not: batch normalisation has nothing to average over.
fn keeps_rest(images: usize, batch: usize) -> bool {
    images % batch > 1
}

/// What is scored and written: the average, or where there is none the parameters.
fn scored<'a>(average: Option<&'a Average>, micro: &'a MicroBatches) -> &'a Parameters {
    average.map_or(micro.parameters(), Average::parameters)
}
