//! What a run does that tunes a part of a network: the frozen part makes features of images, once where they stay the same;
//! from stage to stage more is tuned.

use super::{Job, Trainer, Watch, request};
use crate::transfer::{Backbone, Kept, Stage, Start, Transfer, Tuned, depth, stages};
use crate::{Average, Checkpoint, Config, Evaluator, MicroBatches, Stepper, TrainError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use striate_data::LoaderOptions;
use striate_engine::{Parameters, Precision};
use striate_graph::Graph;

/// A network of which a part is tuned.
pub(super) struct Tuning {
    /// The network from its input to its output.
    pub(super) whole: Arc<Graph>,
    /// Of the weights that it began with.
    pub(super) licence: Option<String>,
    stages: Vec<Stage>,
    /// Which stage it is in.
    at: usize,
    /// The frozen part; none where all is tuned.
    pub(super) backbone: Option<Backbone>,
    /// Features of the training images, where they are kept.
    pub(super) train: Option<Arc<Kept>>,
    /// And of the held-out images.
    pub(super) val: Option<Arc<Kept>>,
}

/// How many images are taken at a time, and how activations are kept.
type Passes = (usize, Precision);

impl Tuning {
    /// In the first stage, and the network's values.
    pub(super) fn new(start: Start, transfer: &Transfer) -> Result<(Tuning, Parameters), TrainError> {
        let Start { graph: whole, parameters, licence, .. } = start;
        let stages = stages(&whole, transfer)?;
        let tuning = Tuning { whole, licence, stages, at: 0, backbone: None, train: None, val: None };
        Ok((tuning, parameters))
    }

    /// Plans the frozen part of the present stage, and returns the tuned one with its values.
    pub(super) fn part(
        &mut self,
        job: &Job<'_>,
        mut values: Parameters,
        (most, precision): Passes,
    ) -> Result<(Arc<Graph>, Parameters), TrainError> {
        (self.train, self.val, self.backbone) = (None, None, None);
        let cut = self.stages[self.at].cut;
        if cut == self.whole.input_id() {
            return Ok((self.whole.clone(), values));
        }
        let norm = job.config.transfer.as_ref().map(|t| t.batch_norm).unwrap_or_default();
        let planned = (most, precision, norm);
        self.backbone = Some(Backbone::new(&self.whole, cut, &mut values, job.cpu.clone(), planned)?);
        let mut tuned = self.whole.behind(cut)?;
        job.config.spare(&mut tuned);
        let values = values.take_part(&tuned)?;
        Ok((Arc::new(tuned), values))
    }

    /// The stage of an epoch.
    fn of_epoch(&self, epoch: u32) -> usize {
        self.stages.iter().rposition(|stage| stage.epoch <= epoch).unwrap_or(0)
    }

    /// Plans the frozen part anew for another precision; features that were kept are made anew.
    pub(super) fn compute_in(&mut self, precision: Precision) -> Result<(), TrainError> {
        (self.train, self.val) = (None, None);
        self.backbone.as_mut().map_or(Ok(()), |backbone| backbone.replan(precision))
    }

    /// What a model file says of it. `tuned` is the part that is tuned now.
    fn told(&self, transfer: &Transfer, tuned: &Graph) -> Tuned {
        let (parameters, of) = (tuned.parameter_count(), self.whole.parameter_count());
        Tuned { from: transfer.name(), tune: transfer.tune.clone(), parameters, of }
    }
}

/// A stepper of the tuned part, whose layers learn at their own rates.
pub(super) fn micro_batches(
    job: &Job<'_>,
    tuning: Option<&Tuning>,
    graph: &Arc<Graph>,
    values: Parameters,
    (most, precision): Passes,
) -> Result<MicroBatches, TrainError> {
    let config = job.config;
    let request = request(config, graph, most, precision);
    let mut stepper = Stepper::planned(graph.clone(), job.cpu.clone(), values, config.optimizer, &request)?;
    if let (Some(tuning), Some(transfer)) = (tuning, &config.transfer) {
        let rates = rates(&tuning.whole, graph, transfer);
        stepper.optimizer_mut().set_rates(graph, rates);
    }
    let mut micro = MicroBatches::new(stepper, config.batch.min(job.data.train.len()), most)?;
    if let Some(norm) = config.clip_norm {
        micro.clip_gradients(norm);
    }
    Ok(micro)
}

/// What the learning rate is multiplied by for each node of the tuned part.
fn rates(whole: &Graph, tuned: &Graph, transfer: &Transfer) -> Vec<f64> {
    let depth = depth(whole);
    let of = |name: &str| match whole.find(name).map_or(0, |id| depth[id.index()]) {
        0 => 1.0,
        units => transfer.backbone_rate * transfer.layer_decay.powi(units as i32 - 1),
    };
    tuned.nodes().iter().map(|node| of(&node.name)).collect()
}

impl Config {
    /// Takes weight decay off the parameters that the run spares.
    pub(super) fn spare(&self, graph: &mut Graph) {
        if !self.no_decay.is_empty() {
            graph.spare_from_decay(|name| self.no_decay.iter().any(|piece| name.contains(piece)));
        }
    }
}

impl Trainer<'_> {
    /// What a model file says of what is tuned now.
    pub(super) fn tuned(&self) -> Option<Tuned> {
        let (tuning, transfer) = (self.tuning.as_ref()?, self.job.config.transfer.as_ref()?);
        Some(tuning.told(transfer, self.micro.stepper().graph()))
    }

    /// Goes into the stage of the epoch that comes next, if that is another.
    pub(super) fn advance(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let epoch = self.progress.epoch;
        let Some(tuning) = &mut self.tuning else { return Ok(()) };
        let stage = tuning.of_epoch(epoch);
        if stage == tuning.at {
            return Ok(());
        }
        let mut whole = Parameters::zeros(&tuning.whole);
        if let Some(backbone) = tuning.backbone.take() {
            whole.put_part(backbone.into_parameters());
        }
        whole.put_part(self.micro.parameters().clone());
        self.enter(stage, whole)?;
        let graph = self.micro.stepper().graph();
        let first = graph.nodes().iter().find(|node| !node.params.is_empty()).map_or("", |node| node.name.as_str());
        let count = graph.parameter_count();
        watch.note(&format!("from epoch {epoch} on, `{first}` and what comes behind it are tuned: {count} parameters"));
        Ok(())
    }

    /// Plans a stage for these values; the optimiser and the average keep what they know of what was tuned before.
    fn enter(&mut self, stage: usize, whole: Parameters) -> Result<(), TrainError> {
        let Some(tuning) = &mut self.tuning else { return Ok(()) };
        let passes = (self.evaluator.batch(), self.precision);
        tuning.at = stage;
        let (graph, values) = tuning.part(self.job, whole, passes)?;
        let mut micro = micro_batches(self.job, Some(tuning), &graph, values, passes)?;
        micro.stepper_mut().optimizer_mut().adopt(self.micro.stepper().optimizer());
        if let (Some(average), Some(decay)) = (&mut self.average, self.job.config.ema) {
            let mut next = Average::new(decay, micro.parameters());
            for (name, _, values) in next.parameters_mut().iter_mut() {
                if let Some(known) = average.parameters().get(name) {
                    values.copy_from_slice(known);
                }
            }
            *average = next;
        }
        self.evaluator = Evaluator::keeping(graph, self.job.cpu.clone(), passes.0, passes.1)?;
        self.micro = micro;
        Ok(())
    }

    /// Goes into the stage in which a checkpoint was written, and gives the frozen part what it had then.
    pub(super) fn restore_stage(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let (Some(tuning), Some(transfer)) = (&self.tuning, &self.job.config.transfer) else { return Ok(()) };
        let stage = tuning.of_epoch(checkpoint.progress.epoch);
        if stage != tuning.at {
            // What is frozen then has never been tuned: it is as it came.
            let start = Start::read(self.job.config, transfer, self.job.data.classes.len())?;
            self.enter(stage, start.parameters)?;
        }
        let frozen = self.tuning.as_mut().and_then(|tuning| tuning.backbone.as_mut()).filter(|b| !b.rests());
        frozen.map_or(Ok(()), |backbone| checkpoint.restore_frozen(backbone.parameters_mut()))
    }

    /// Computes the features that are to be kept, where there are none yet; false if it was stopped.
    pub(super) fn keep_features(&mut self, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let Job { config, data, workers, limits, stop, .. } = *self.job;
        let room = config.transfer.as_ref().map_or(0, |t| t.kept_features);
        let Some(tuning) = &mut self.tuning else { return Ok(true) };
        let Some(backbone) = tuning.backbone.as_mut().filter(|b| b.rests() && tuning.train.is_none()) else {
            return Ok(true);
        };
        let images = data.train.len() + data.val.len();
        let bytes = Kept::bytes(images, backbone.graph().output().shape.len());
        if bytes > room {
            return Ok(true);
        }
        let begun = Instant::now();
        let options = LoaderOptions { batch: self.evaluator.batch(), workers, limits, ..LoaderOptions::default() };
        let mut made = Vec::new();
        let mut before = 0;
        for split in [&data.train, &data.val] {
            let hear = |done: usize| {
                watch.features(before + done, images);
                !stop.load(Ordering::Relaxed)
            };
            let Some((kept, failed)) = Kept::compute(backbone, split, &config.preprocessing, &options, hear)? else {
                return Ok(false);
            };
            if !failed.is_empty() {
                watch.left_out(&failed);
            }
            before += split.len();
            made.push(Arc::new(kept));
        }
        let node = backbone.graph().output();
        watch.note(&format!(
            "features of {images} images are kept: {} values each at `{}`, {:.1} MB, computed in {:.1} s",
            node.shape.len(),
            node.name,
            bytes as f64 / 1e6,
            begun.elapsed().as_secs_f64()
        ));
        (tuning.val, tuning.train) = (made.pop(), made.pop());
        Ok(true)
    }
}
