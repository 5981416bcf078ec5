//! A network in a comparison: the recipe that `striate train` would choose for the images at hand, but with no more epochs than
//! there is time for, and the weights of the last epoch: nothing is held out to choose a better one by.

use super::contender::{Choice, Effort, Learnt, Terms};
use super::ground::{Ground, Subset};
use crate::progress::Bar;
use anyhow::{Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use striate_data::{DataSet, Fit, Limits, Loader, LoaderOptions, Preprocessing, Split};
use striate_engine::{Parameters, Scheme};
use striate_graph::Graph;
use striate_kernels::{Cpu, hash};
use striate_train::{Card, Config, Evaluator, Schedule, Stepper, Trained, Wishes};

/// A network that has learnt.
pub struct Network {
    graph: Arc<Graph>,
    parameters: Parameters,
    preprocessing: Preprocessing,
}

/// Images at once when it is tested.
const AT_ONCE: usize = 64;

/// Steps by which the time of a step is told.
const TIMED: u32 = 3;

/// Chooses the recipe, with as many epochs as there is time for; beside it, how many it would have been.
fn plan(cpu: &Arc<Cpu>, data: &DataSet, wishes: &Wishes, seconds: f64) -> Result<(Config, u32)> {
    let whole = Config::choose(data, wishes)?;
    let (graph, batch) = (Arc::new(whole.graph(data.classes.len())?), whole.batch.min(data.train.len()));
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), whole.seed);
    let mut stepper = Stepper::new(graph.clone(), cpu.clone(), parameters, whole.optimizer, batch)?;
    let zeros = vec![0.0; batch * graph.input().shape.len()];
    // The first step touches the memory.
    stepper.step(&zeros, &vec![0; batch], 1e-6, 0)?;
    let begun = Instant::now();
    for _ in 0..TIMED {
        stepper.step(&zeros, &vec![0; batch], 1e-6, 0)?;
    }
    let step = begun.elapsed().as_secs_f64() / f64::from(TIMED);
    let epoch = step * data.train.len().div_ceil(batch) as f64;
    let possible = (seconds / epoch.max(1e-9)).clamp(1.0, f64::from(u32::MAX)) as u32;
    let epochs = possible.min(whole.epochs);
    let wishes = Wishes { epochs: Some(epochs), ..wishes.clone() };
    Ok((Config::choose(data, &wishes)?, whole.epochs))
}

/// Learns from these images; `None` if it was to end before it was done.
pub fn learn(
    cpu: &Arc<Cpu>,
    ground: &Ground,
    subset: &Subset,
    wishes: &Wishes,
    terms: Terms<'_>,
) -> Result<Option<(Learnt, Effort)>> {
    let data = ground.data_of(subset);
    let begun = Instant::now();
    let (mut config, recipe_epochs) = plan(cpu, &data, wishes, terms.training)?;
    let workers = cpu.threads();
    config.measure(&data, Limits::default(), workers)?;
    let graph = Arc::new(config.graph(data.classes.len())?);
    let (images, batch) = (data.train.len(), config.batch.min(data.train.len()));
    // Batch normalisation has nothing to average over in a last batch of one image.
    let drop_last = images % batch == 1 && images > batch;
    let steps = if drop_last { images / batch } else { images.div_ceil(batch) } as u64;
    let schedule = Schedule {
        base: config.learning_rate,
        curve: config.schedule,
        warmup: 0,
        steps: steps * u64::from(config.epochs),
        extensions: Vec::new(),
    };
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), config.seed);
    let mut stepper = Stepper::new(graph.clone(), cpu.clone(), parameters, config.optimizer, batch)?;
    let emphasis = config.emphasis();
    let bar = Bar::new();
    bar.begin(&format!("training {} on {images} images", config.model), schedule.steps);
    let mut step = 0;
    for epoch in 1..=config.epochs {
        let options = LoaderOptions {
            batch,
            seed: config.seed,
            shuffle: true,
            epoch: u64::from(epoch),
            drop_last,
            augment: Some(config.augment.clone()),
            workers,
            ..LoaderOptions::default()
        };
        let mut loader = Loader::new(data.train.clone(), config.preprocessing.clone(), options);
        while let Some(made) = loader.next() {
            if terms.stop.load(Ordering::Relaxed) {
                bar.end();
                return Ok(None);
            }
            let (rate, seed) = (schedule.at(step), hash(config.seed, step));
            let (loss, _) = stepper.step(&made.images, emphasis.targets(&made), rate, seed)?;
            if !loss.is_finite() {
                bail!("{}: the loss is no longer a number after {step} steps on {images} images", config.model);
            }
            step += 1;
            bar.at(step, || format!("loss {loss:.3}"));
            loader.recycle(made);
        }
    }
    bar.end();
    let seconds = begun.elapsed().as_secs_f64();
    let choice = Choice { settings: String::new(), candidates: 1, folds: 0, images: 0, accuracy: None, seconds: 0.0 };
    let epochs = Some([config.epochs, recipe_epochs]);
    let effort = Effort { choice, features_seconds: None, seconds, epochs, features: None };
    let (parameters, preprocessing) = (stepper.into_parameters(), config.preprocessing);
    Ok(Some((Learnt::Network(Box::new(Network { graph, parameters, preprocessing })), effort)))
}

impl Network {
    /// A class for each image of a part.
    pub fn tell(&self, cpu: &Arc<Cpu>, split: &Arc<Split>) -> Result<Vec<u32>> {
        let mut evaluator = Evaluator::new(self.graph.clone(), cpu.clone(), AT_ONCE.min(split.len().max(1)))?;
        let loading = LoaderOptions { workers: cpu.threads(), ..LoaderOptions::default() };
        let (_, told) =
            evaluator.examine(&self.parameters, split, &self.preprocessing, &loading, |_| true, |_, _| {})?;
        Ok(told.images.iter().map(striate_train::Prediction::predicted).collect())
    }

    /// Writes its model file.
    pub fn write(self, path: &Path, ground: &Ground, trained: Trained) -> Result<()> {
        let typical = ground.data.typical;
        let same = (typical.width as usize, typical.height as usize) == (ground.size.width, ground.size.height);
        let mut preprocessing = self.preprocessing;
        if !same {
            // Pictures were brought to the network's size beforehand.
            preprocessing.fit = Fit::Stretch;
        }
        let card = Card {
            classes: ground.data.classes.clone(),
            preprocessing,
            trained: Some(trained),
            calibration: None,
            licence: None,
            striate: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(card.write(&self.graph, &self.parameters, path)?)
    }
}
