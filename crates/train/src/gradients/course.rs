//! A variant's first steps: the same batches, seed, learning rate and optimiser for every variant.

use super::variant::scheme_name;
use super::{LayerRow, Probe, Variant};
use crate::{Curve, Rule, Schedule, Stepper, Tally, TrainError};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use striate_data::{Batch, DataSet, LeftOut, Limits, Loader, LoaderOptions, Preprocessing};
use striate_engine::{Memory, Parameters};
use striate_graph::Shape;
use striate_kernels::{Cpu, hash};
use striate_zoo::{Choice, Options};

/// What all variants share.
pub struct Trial<'a> {
    /// What they learn.
    pub data: &'a DataSet,
    /// How a picture becomes their input; it is not augmented.
    pub preprocessing: &'a Preprocessing,
    /// Images a step; no more than there are.
    pub batch: usize,
    /// Updates; with 0 only the initialisation is measured.
    pub steps: u64,
    /// Reached by a linear warm-up over the first tenth of the steps.
    pub learning_rate: f64,
    /// Of the weights, the order of the images and dropout.
    pub seed: u64,
    /// The threads.
    pub cpu: Arc<Cpu>,
    /// Threads that decode images ahead of the network.
    pub workers: usize,
    /// Bounds on the images that are decoded.
    pub limits: Limits,
    /// Becomes true when the run is to end.
    pub stop: &'a AtomicBool,
}

/// A row of `loss.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossRow {
    /// The variant, as it was written.
    pub variant: String,
    /// Updates made before.
    pub step: u64,
    /// Mean cross-entropy over a batch that the update after it learns from, in nats.
    pub loss: f64,
    /// Share of its images recognised.
    pub accuracy: f64,
    /// Of the update after it; 0 behind the last.
    pub learning_rate: f64,
}

/// What was measured of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// As it was written.
    pub variant: String,
    /// The scheme its weights started by.
    pub scheme: &'static str,
    /// Layer by layer, at each measured step.
    pub layers: Vec<LayerRow>,
    /// Step by step.
    pub losses: Vec<LossRow>,
    /// After how many updates the loss was no longer a number.
    pub diverged: Option<u64>,
    /// Files that turned out unreadable, and were left out of the batches.
    pub left_out: Vec<LeftOut>,
}

/// Steps at which the layers are measured: 0, 1, 2, 5, 10, 20, 50, … and the last.
pub fn measured_steps(steps: u64) -> Vec<u64> {
    let decades = std::iter::successors(Some(1u64), |d| d.checked_mul(10)).take_while(|&d| d < steps);
    let within = decades.flat_map(|d| [d, d.saturating_mul(2), d.saturating_mul(5)]).filter(|&s| s < steps);
    let mut all: Vec<u64> = [0].into_iter().chain(within).chain([steps]).collect();
    all.dedup();
    all
}

impl Trial<'_> {
    const RULE: Rule = Rule::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 };

    /// Images a step, where there are fewer than asked for.
    pub fn batch(&self) -> usize {
        self.batch.min(self.data.train.len())
    }

    /// Bytes that a variant takes: activations, weights, their gradients and momentum.
    ///
    /// # Errors
    /// If it cannot be built, or its memory cannot be counted.
    pub fn memory(&self, variant: &Variant) -> Result<usize, TrainError> {
        let (graph, _) = variant.build(&self.options(variant))?;
        let request = Stepper::request(&graph, self.batch(), &Probe::new(&graph).nodes());
        let memory = Memory::of(&graph, &request)?;
        Ok(memory.total() + 12 * graph.parameter_count())
    }

    fn options(&self, variant: &Variant) -> Options {
        let p = self.preprocessing;
        let input = Shape::new(p.height as usize, p.width as usize, p.channels as usize);
        // Auxiliary classifiers' losses would be added, and losses could not be compared.
        let auxiliary = variant.architecture().takes.contains(&Choice::Auxiliary).then_some(false);
        Options { input: Some(input), classes: Some(self.data.classes.len()), auxiliary, ..Options::default() }
    }

    fn schedule(&self) -> Schedule {
        let (base, steps) = (self.learning_rate, self.steps);
        Schedule { base, curve: Curve::Constant, warmup: steps / 10, steps, extensions: Vec::new() }
    }
}

/// Takes a variant through its first steps. `heard` is told each loss. A loss that is no longer a number ends the course, and
/// is part of the result.
///
/// # Errors
/// If the network cannot be built or run, or no image can be read.
pub fn observe(trial: &Trial<'_>, variant: &Variant, heard: &mut dyn FnMut(&LossRow)) -> Result<Course, TrainError> {
    let (graph, scheme) = variant.build(&trial.options(variant))?;
    let probe = Probe::new(&graph);
    let parameters = Parameters::init(&graph, scheme, trial.seed);
    let (graph, cpu) = (Arc::new(graph), trial.cpu.clone());
    let mut stepper = Stepper::watching(graph, cpu, parameters, Trial::RULE, trial.batch(), &probe.nodes())?;
    let (measured, schedule) = (measured_steps(trial.steps), trial.schedule());
    let mut course = Course {
        variant: variant.label().into(),
        scheme: scheme_name(scheme),
        layers: Vec::new(),
        losses: Vec::new(),
        diverged: None,
        left_out: Vec::new(),
    };
    let mut batches = Batches { trial, loader: None, epoch: 0 };
    for step in 0..=trial.steps {
        if trial.stop.load(Ordering::Relaxed) {
            break;
        }
        let batch = batches.next(&mut course.left_out)?;
        let (loss, logits) = stepper.sweep(&batch.images, &batch.labels, hash(trial.seed, step))?;
        let mut tally = Tally::default();
        let _ = tally.add(logits, &batch.labels, loss);
        let learning_rate = if step < trial.steps { schedule.at(step) } else { 0.0 };
        let row =
            LossRow { variant: course.variant.clone(), step, loss, accuracy: tally.score().accuracy, learning_rate };
        heard(&row);
        course.losses.push(row);
        if !loss.is_finite() {
            course.diverged = Some(step);
            break;
        }
        if measured.contains(&step) {
            course.layers.extend(probe.read(&stepper, variant.label(), step)?);
        }
        if step < trial.steps {
            stepper.update(learning_rate);
        }
    }
    Ok(course)
}

/// The training images in the order of the seed, epoch after epoch.
struct Batches<'a> {
    trial: &'a Trial<'a>,
    loader: Option<Loader>,
    epoch: u64,
}

impl Batches<'_> {
    /// The next batch with an image in it.
    fn next(&mut self, left_out: &mut Vec<LeftOut>) -> Result<Batch, TrainError> {
        let mut begun = false;
        loop {
            if let Some(batch) = self.loader.as_mut().and_then(Iterator::next) {
                left_out.extend(batch.failed.iter().cloned());
                if !batch.is_empty() {
                    return Ok(batch);
                }
            } else if begun {
                let name = &self.trial.data.name;
                return Err(TrainError::Setting(format!("not one training image of {name} can be read")));
            } else {
                begun = true;
                self.epoch += 1;
                let trial = self.trial;
                let options = LoaderOptions {
                    batch: trial.batch(),
                    seed: trial.seed,
                    shuffle: true,
                    epoch: self.epoch,
                    drop_last: true,
                    workers: trial.workers,
                    limits: trial.limits,
                    ..LoaderOptions::default()
                };
                self.loader = Some(Loader::new(trial.data.train.clone(), trial.preprocessing.clone(), options));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Wishes};
    use striate_data::{OpenOptions, Silent};

    #[test]
    fn steps_spread_evenly_over_the_decades() {
        assert_eq!(measured_steps(0), [0]);
        assert_eq!(measured_steps(1), [0, 1]);
        assert_eq!(measured_steps(5), [0, 1, 2, 5]);
        assert_eq!(measured_steps(100), [0, 1, 2, 5, 10, 20, 50, 100]);
        assert_eq!(measured_steps(130), [0, 1, 2, 5, 10, 20, 50, 100, 130]);
    }

    fn course(text: &str, threads: usize, steps: u64, learning_rate: f64) -> Course {
        let data = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
        let config = Config::choose(&data, &Wishes::default()).unwrap();
        let stop = AtomicBool::new(false);
        let trial = Trial {
            data: &data,
            preprocessing: &config.preprocessing,
            batch: 16,
            steps,
            learning_rate,
            seed: 3,
            cpu: Arc::new(Cpu::new(threads).unwrap()),
            workers: threads,
            limits: Limits::default(),
            stop: &stop,
        };
        observe(&trial, &Variant::parse(text).unwrap(), &mut |_| {}).unwrap()
    }

    #[test]
    fn measures_are_the_same_at_any_number_of_threads() {
        let one = course("lenet5:sigmoid", 1, 3, 0.01);
        assert_eq!(one, course("lenet5:sigmoid", 2, 3, 0.01));
        assert_eq!((one.layers.len(), one.losses.len(), one.scheme), (5 * 4, 4, "glorot"));
        let steps: Vec<u64> = one.layers.iter().step_by(5).map(|l| l.step).collect();
        assert_eq!(steps, [0, 1, 2, 3]);
        let other = course("lenet5:tanh", 1, 0, 0.01);
        let weights = |c: &Course| c.layers[..5].iter().map(|l| l.weight_norm).collect::<Vec<_>>();
        assert_eq!(weights(&one), weights(&other), "the same seed gives variants the same weights");
        assert_eq!(other.losses.len(), 1);
    }

    #[test]
    fn a_course_that_diverges_ends_there() {
        let c = course("lenet5:relu", 1, 40, 1e6);
        let at = c.diverged.expect("no network survives such a learning rate");
        let last = c.losses.last().unwrap();
        assert!(last.step == at && !last.loss.is_finite() && at < 40, "{at} {last:?}");
        assert!(c.losses[..c.losses.len() - 1].iter().all(|l| l.loss.is_finite()));
        assert!(c.layers.iter().all(|l| l.step < at));
    }
}
