//! The memory that a training run takes, told before it begins, and how a step is made to fit where that is more than may be
//! had: first what is cheap is computed again instead of being kept, then the batch is halved into micro-batches.

use crate::transfer::{Backbone, FrozenNorm};
use crate::{Rule, Stepper, TrainError};
use serde::Serialize;
use striate_engine::{Memory, Precision, Request};
use striate_graph::{AnyLayer, Graph};
use striate_kernels::Algorithm;

/// How a step saves memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Economy {
    /// Activations that are cheap to compute are computed again in the backward sweep instead of being kept for it.
    pub recompute: bool,
    /// Parts that a batch is taken in.
    pub micro_batches: usize,
}

/// The memory of a training run at its peak, in bytes, by what takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What the process had before the run: the program, and data sets held in memory.
    pub program: usize,
    /// The network's values, gathered statistics included.
    pub parameters: usize,
    /// The gradients by the parameters: with micro-batches their sum; else each is used as soon as it is there.
    pub gradients: usize,
    /// The moving average of the network's values, where one is kept.
    pub average: usize,
    /// The optimiser's means.
    pub optimizer: usize,
    /// Activations, their gradients and work space of a step.
    pub step: usize,
    /// The same of scoring the held-out images.
    pub scoring: usize,
    /// Images on their way to the network, as its input.
    pub batches: usize,
    /// Pictures being decoded.
    pub pictures: usize,
    /// The frozen part of a network: its values and a forward pass.
    pub frozen: usize,
    /// Features of images that are kept, and those of a batch.
    pub features: usize,
}

/// A training run, as far as its memory is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// The optimiser's rule.
    pub rule: Rule,
    /// Images a step.
    pub batch: usize,
    /// How activations are kept. Where it may change in the run: as f32.
    pub precision: Precision,
    /// The algorithm of the convolutions to which it applies, instead of the cheapest.
    pub algorithm: Option<Algorithm>,
    /// Whether held-out images are scored.
    pub scores: bool,
    /// Whether gradients are clipped, and kept for that.
    pub clips: bool,
    /// Whether an average of the network's values is kept.
    pub averages: bool,
    /// Parts that a batch is taken in at least.
    pub parts: usize,
    /// Batches of images that are in memory at once: in use, made ahead, being made.
    pub batches: usize,
    /// Bytes of the pictures that are being decoded at once.
    pub pictures: usize,
    /// What the process has before the run.
    pub program: usize,
    /// The frozen part before the network, which makes the features that this takes as its images.
    pub frozen: Option<(&'a Graph, FrozenNorm)>,
    /// Bytes of the features that are kept.
    pub kept: usize,
}

/// What was chosen for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How its steps save memory.
    pub economy: Economy,
    /// What it takes so.
    pub need: Need,
    /// What it would take if nothing were saved.
    pub unsaved: Need,
}

impl Economy {
    /// Nothing is saved.
    pub const NONE: Economy = Economy { recompute: false, micro_batches: 1 };

    /// The most images of a micro-batch.
    pub fn images(self, batch: usize) -> usize {
        batch.div_ceil(self.micro_batches.max(1)).max(1)
    }
}

impl Need {
    /// All of it.
    pub fn total(&self) -> usize {
        let beside = self.program + self.parameters + self.gradients + self.average + self.optimizer;
        beside + self.step + self.scoring + self.batches + self.pictures + self.frozen + self.features
    }
}

/// Whether a network has batch normalisation, which micro-batches change.
pub fn normalises_batches(graph: &Graph) -> bool {
    graph.nodes().iter().any(|n| matches!(n.layer, AnyLayer::BatchNorm(_)))
}

impl Demand<'_> {
    /// The request of a step's sweeps that saves memory so.
    pub fn request(&self, economy: Economy) -> Request {
        let request = Stepper::request(self.graph, economy.images(self.batch), &[]);
        let (precision, algorithm) = (self.precision, self.algorithm);
        Request { precision, algorithm, recompute: economy.recompute, ..request }
    }

    /// What the run takes if its steps save memory so.
    ///
    /// # Errors
    /// If that is too much to be counted.
    pub fn need(&self, economy: Economy) -> Result<Need, TrainError> {
        let trained = 4 * self.graph.parameter_count();
        let request = self.request(economy);
        let scoring = Request { precision: self.precision, ..Request::predict(request.batch) };
        let scoring = if self.scores { Memory::of(self.graph, &scoring)?.total() } else { 0 };
        let images = self.frozen.map_or(self.graph, |(frozen, _)| frozen).input().shape.len();
        let mut frozen = 0;
        if let Some((graph, norm)) = self.frozen {
            frozen = Backbone::need(graph, request.batch, self.precision, norm)?;
        }
        let batch = if self.frozen.is_some() { 4 * self.batch * self.graph.input().shape.len() } else { 0 };
        Ok(Need {
            program: self.program,
            parameters: trained + 4 * self.graph.statistic_count(),
            gradients: if economy.micro_batches > 1 || self.clips { trained } else { 0 },
            average: if self.averages { trained + 4 * self.graph.statistic_count() } else { 0 },
            optimizer: self.rule.states() * trained,
            step: Memory::of(self.graph, &request)?.total(),
            scoring,
            batches: 4 * self.batches * self.batch * images,
            pictures: self.pictures,
            frozen,
            features: self.kept + batch,
        })
    }

    /// The first way to save memory with which the run fits into `limit` bytes: none, computing again, then ever smaller
    /// micro-batches, of two images at least where batch normalisation has to average over them.
    ///
    /// # Errors
    /// [`TrainError::Memory`] if there is none.
    pub fn choose(&self, limit: usize) -> Result<Choice, TrainError> {
        let unsaved = self.need(Economy { recompute: false, micro_batches: self.parts.max(1) })?;
        let least = if normalises_batches(self.graph) { 2 } else { 1 };
        let most = (self.batch / least).max(1);
        let (mut micro_batches, mut smallest) = (self.parts.max(1), unsaved.total());
        // Who keeps activations as bf16 wants them small; computing again what is cheap gives the same bits.
        let ways: &[bool] = if self.precision == Precision::Bf16 { &[true] } else { &[false, true] };
        loop {
            for &recompute in ways {
                let economy = Economy { recompute, micro_batches };
                let need = self.need(economy)?;
                if need.total() <= limit {
                    return Ok(Choice { economy, need, unsaved });
                }
                smallest = smallest.min(need.total());
            }
            if micro_batches == most {
                let network = self.graph.name().to_owned();
                return Err(TrainError::Memory { network, smallest, limit });
            }
            micro_batches = (2 * micro_batches).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_zoo::{Options, build};

    fn demand(graph: &Graph) -> Demand<'_> {
        Demand {
            graph,
            rule: Rule::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 },
            batch: 12,
            precision: Precision::F32,
            algorithm: None,
            scores: true,
            clips: false,
            averages: false,
            parts: 1,
            batches: 3,
            pictures: 1000,
            program: 5000,
            frozen: None,
            kept: 0,
        }
    }

    #[test]
    fn every_part_of_a_run_is_counted() {
        let graph = build("resnet20", &Options::default()).unwrap();
        let d = demand(&graph);
        let need = d.need(Economy::NONE).unwrap();
        // 269,722 trained values, and a mean and a variance for each channel of 19 normalisations.
        let (trained, gathered) = (4 * 269_722, 4 * 2 * (7 * 16 + 6 * 32 + 6 * 64));
        assert_eq!((need.parameters, need.gradients, need.optimizer), (trained + gathered, 0, trained));
        assert_eq!(need.batches, 3 * 12 * 32 * 32 * 3 * 4);
        assert_eq!((need.program, need.pictures), (5000, 1000));
        assert_eq!(need.step, Memory::of(&graph, &Request::train(&graph, 12)).unwrap().total());
        let adamw = Demand { rule: Rule::named("adamw").unwrap(), scores: false, ..d }.need(Economy::NONE).unwrap();
        assert_eq!((adamw.optimizer, adamw.scoring), (2 * trained, 0));
        let clipped = Demand { clips: true, averages: true, ..d }.need(Economy::NONE).unwrap();
        assert_eq!(
            (clipped.gradients, clipped.average),
            (trained, need.parameters),
            "an average has the statistics too"
        );
        let apart = Demand { parts: 3, ..d }.choose(usize::MAX).unwrap();
        assert_eq!(apart.economy.micro_batches, 3);
        let parts = d.need(Economy { recompute: false, micro_batches: 3 }).unwrap();
        assert_eq!(parts.gradients, trained, "their sum");
        assert_eq!(parts.step, Memory::of(&graph, &Request::train(&graph, 4)).unwrap().total());
        assert_eq!(parts.batches, need.batches, "images come in whole batches all the same");
    }

    #[test]
    fn memory_is_saved_only_as_far_as_is_needed() {
        let graph = build("resnet20", &Options::default()).unwrap();
        let d = demand(&graph);
        let all = d.need(Economy::NONE).unwrap().total();
        assert_eq!(d.choose(all).unwrap().economy, Economy::NONE);
        let half = Demand { precision: Precision::Bf16, ..d }.choose(all).unwrap();
        assert_eq!(half.economy, Economy { recompute: true, micro_batches: 1 });
        let mut before = Economy::NONE;
        let mut limit = all;
        // Each limit is just short of the last choice's need.
        while let Ok(choice) = d.choose(limit - 1) {
            assert!(choice.need.total() < limit && choice.unsaved.total() == all);
            assert!(choice.economy.micro_batches > before.micro_batches || choice.economy.recompute, "{choice:?}");
            assert!(choice.economy.images(d.batch) >= 2, "batch normalisation averages over two images at least");
            (before, limit) = (choice.economy, choice.need.total());
        }
        assert_eq!(before.micro_batches, 6);
        let e = d.choose(limit - 1).unwrap_err().to_string();
        let smallest = format!("takes {:.1} MB at least", limit as f64 / 1e6);
        assert!(e.contains("`resnet20`") && e.contains(&smallest), "{e}");
    }
}
