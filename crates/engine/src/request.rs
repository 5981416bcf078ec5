//! What is asked of a session, and the memory that it takes.

use crate::EngineError;
use crate::plan::{Machine, Plan};
use striate_graph::{Graph, NodeId};
use striate_kernels::{Algorithm, Bf16, Isa};

/// What a session is for.
#[allow(clippy::struct_excessive_bools)] // Choices that do not depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The most images that a pass will take.
    pub batch: usize,
    /// True to train: dropout drops and batch normalisation uses the batch's statistics.
    pub training: bool,
    /// The nodes at which backward sweeps start; empty for forward only.
    pub backward_from: Vec<NodeId>,
    /// Whether backward sweeps compute the parameters' gradients.
    pub parameter_gradients: bool,
    /// Nodes whose activations (and pooling's switches) stay readable after a pass, beside the output's.
    pub taps: Vec<NodeId>,
    /// Nodes whose gradients stay readable after a backward sweep.
    pub gradient_taps: Vec<NodeId>,
    /// Join layers that can be computed together, which changes results by rounding only. Without, every node is computed by
    /// its layer.
    pub passes: bool,
    /// The algorithm of the convolutions to which it applies, instead of the cheapest.
    pub algorithm: Option<Algorithm>,
    /// Training: what is cheap to compute is computed again in the backward sweep instead of being kept for it. Results stay
    /// the same, bit for bit.
    pub recompute: bool,
    /// How activations and their gradients are kept.
    pub precision: Precision,
    /// How convolutions of bf16 are computed, all that can be; `None` is what is best for the machine and each of them. What the
    /// machine lacks is emulated, which is slow.
    pub bf16: Option<Bf16>,
}

/// How activations, and gradients by them, are kept between layers. Parameters, statistics, losses and all sums are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As 32-bit numbers.
    #[default]
    F32,
    /// As bfloat16, half as long: 8 bits of mantissa, the exponents of f32. What is tapped stays f32.
    Bf16,
}

impl Request {
    /// Forward only.
    pub fn predict(batch: usize) -> Request {
        Request {
            batch,
            training: false,
            backward_from: Vec::new(),
            parameter_gradients: false,
            taps: Vec::new(),
            gradient_taps: Vec::new(),
            passes: true,
            algorithm: None,
            recompute: false,
            precision: Precision::F32,
            bf16: None,
        }
    }

    /// A training step from the network's output and its auxiliary classifiers, whose activations are kept to be read.
    pub fn train(graph: &Graph, batch: usize) -> Request {
        let taps: Vec<NodeId> = graph.auxiliary().iter().map(|a| a.node).collect();
        let backward_from = [graph.output_id()].into_iter().chain(taps.iter().copied()).collect();
        Request { taps, training: true, backward_from, parameter_gradients: true, ..Request::predict(batch) }
    }
}

/// Bytes that a session takes, for its largest batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Activations, gradients of activations, statistics and switches, after sharing.
    pub buffers: usize,
    /// Work space of the layers.
    pub scratch: usize,
    /// Weights prepared for the kernels, beside the parameters themselves.
    pub prepared: usize,
    /// Room for the gradients of one step's parameters, used where they are handed on.
    pub room: usize,
    /// What the buffers would take without sharing.
    pub unshared: usize,
}

impl Memory {
    /// What a session of this request would take on all cores of this machine.
    ///
    /// # Errors
    /// If that is too much to be counted.
    pub fn of(graph: &Graph, request: &Request) -> Result<Memory, EngineError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let isa = Isa::from_env().unwrap_or_else(|_| Isa::detect());
        let bf16 = Bf16::from_env(isa).unwrap_or_default();
        Plan::new(graph, &Machine { isa, threads, bf16 }, request).map(|plan| plan.memory)
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.buffers + self.scratch + self.prepared + self.room
    }
}
