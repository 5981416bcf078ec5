//! The plan of a run: its steps, which of them take part in the backward sweep, the algorithms of their convolutions, how
//! long every buffer lives, and where it lies.
//!
//! Step i of n runs forward at time i and backward at time 2n − i. Activations live until their last reader, gradients from
//! their first contribution to their step's backward pass, taps for ever.

use crate::EngineError;
use crate::arena::{Lifetime, place};
use crate::half;
use crate::program::{Conv, Kind, Program, Step};
use crate::stages::{self, Stage};
use crate::tiles::TilePlan;
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{AnyLayer, Graph, Needs, NodeId, Saved};
use striate_kernels::{
    Activation, Algorithm, ConvGeometry, Convolution, HalfLinear, Isa, WeightGradient, batch_norm_scratch,
    column_sums_scratch,
};

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
    /// Whether convolutions of bf16 run on matrix tiles; `None` is where the machine has them. Elsewhere they are emulated, which
    /// is slow and gives the same bits.
    pub tiles: Option<bool>,
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
            tiles: None,
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
        Plan::new(graph, &Machine { isa, threads, tiles: isa.tiles() }, request).map(|plan| plan.memory)
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.buffers + self.scratch + self.prepared
    }
}

/// Where one node's buffers lie. Ranges are for the largest batch.
#[allow(clippy::struct_excessive_bools)] // Facts that do not depend on each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Empty where nobody writes the activations: what nothing depends on, what a later node is joined to, what lies in a
    /// concatenation.
    pub(crate) activation: Range<usize>,
    pub(crate) values: Range<usize>,
    pub(crate) switches: Range<usize>,
    /// Empty without a gradient.
    pub(crate) gradient: Range<usize>,
    pub(crate) in_sweep: bool,
    pub(crate) keeps_activation: bool,
    pub(crate) keeps_gradient: bool,
    /// Floats of activations from one image of the batch to the next; 0 where only those images have room that go through a
    /// stage together.
    pub(crate) stride: usize,
    /// Activations and gradient are kept as bf16.
    pub(crate) half: bool,
}

/// A step with all that was decided about it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    pub(crate) conv: Option<ConvPlan>,
    /// The nodes whose gradients its backward pass is the first to write.
    pub(crate) assigns: SmallVec<[NodeId; 4]>,
    pub(crate) in_sweep: bool,
    /// What its backward pass reads.
    pub(crate) reads: Needs,
    /// Images that it takes at a time, at most.
    pub(crate) images: usize,
}

/// How a convolution is computed.
#[derive(Clone, Debug)]
pub(crate) struct ConvPlan {
    pub(crate) forward: Convolution,
    pub(crate) data: Option<Convolution>,
    pub(crate) weight: Option<WeightGradient>,
    /// A linear layer that predicts with bf16 weights instead.
    pub(crate) half: Option<HalfLinear>,
    pub(crate) tiles: Option<TilePlan>,
    /// Predicting: where the prepared weights lie, and the bias that folding makes.
    pub(crate) prepared: Range<usize>,
    pub(crate) bias: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Planned>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) places: Vec<Place>,
    pub(crate) program: Program,
    pub(crate) scratch: Range<usize>,
    /// Where buffers that are kept as bf16 stand widened while a step runs.
    pub(crate) widening: Range<usize>,
    /// Floats in the arena.
    pub(crate) floats: usize,
    /// Small integers.
    pub(crate) switches: usize,
    /// Floats of prepared weights.
    pub(crate) prepared: usize,
    pub(crate) memory: Memory,
}

/// Which nodes' gradients a request asks for: those before a start of a sweep that lead on to a trained parameter or to a
/// gradient tap.
fn with_gradient(graph: &Graph, request: &Request) -> Vec<bool> {
    let n = graph.nodes().len();
    let mut before = vec![false; n];
    for start in &request.backward_from {
        before[start.index()] = true;
    }
    for (i, node) in graph.nodes().iter().enumerate().rev() {
        if before[i] {
            node.inputs.iter().for_each(|input| before[input.index()] = true);
        }
    }
    let mut leads = vec![false; n];
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let trained = request.parameter_gradients && node.params.iter().any(|p| p.trainable);
        leads[id.index()] =
            trained || request.gradient_taps.contains(&id) || node.inputs.iter().any(|i| leads[i.index()]);
    }
    before.iter().zip(leads).map(|(b, l)| *b && l).collect()
}

/// Which nodes a forward pass computes: those that the output, a tap or the start of a sweep depends on.
fn running(graph: &Graph, request: &Request) -> Vec<bool> {
    let mut runs = vec![false; graph.nodes().len()];
    let wanted = [graph.output_id()].into_iter().chain(request.taps.iter().chain(&request.backward_from).copied());
    wanted.for_each(|id| runs[id.index()] = true);
    for (i, node) in graph.nodes().iter().enumerate().rev() {
        if runs[i] {
            node.inputs.iter().for_each(|input| runs[input.index()] = true);
        }
    }
    runs
}

/// Whether the bytes of all buffers can be counted, with room to spare for work space.
fn countable(graph: &Graph, batch: usize) -> bool {
    let bytes = |len: usize| len.checked_mul(batch)?.checked_mul(64);
    let total = graph.nodes().iter().try_fold(0usize, |sum, n| sum.checked_add(bytes(n.shape.len())?));
    total.is_some_and(|bytes| bytes < usize::MAX / 64)
}

/// The kernels' view of a convolution or linear layer.
pub(crate) fn geometry(graph: &Graph, conv: NodeId, batch: usize) -> Option<ConvGeometry> {
    let node = graph.node(conv);
    let x = graph.node(*node.inputs.first()?).shape;
    match &node.layer {
        AnyLayer::Conv(layer) => Some(layer.geometry(batch, x, node.shape)),
        AnyLayer::Linear(layer) => Some(layer.geometry(batch, x.c)),
        _ => None,
    }
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) isa: Isa,
    pub(crate) threads: usize,
    /// It has matrix tiles.
    pub(crate) tiles: bool,
}

/// Everything that planning reads.
struct Planner<'a> {
    graph: &'a Graph,
    isa: Isa,
    threads: usize,
    /// Convolutions of bf16 run on matrix tiles.
    tiles: bool,
    request: &'a Request,
    /// For each node, whether a sweep computes the gradient by its activations.
    gradient: Vec<bool>,
    runs: Vec<bool>,
}

impl Plan {
    /// Fails if the memory cannot be counted.
    pub(crate) fn new(graph: &Graph, machine: &Machine, request: &Request) -> Result<Plan, EngineError> {
        if !countable(graph, request.batch) {
            return Err(EngineError::TooLarge { network: graph.name().into(), batch: request.batch });
        }
        let (gradient, runs) = (with_gradient(graph, request), running(graph, request));
        let Machine { isa, threads, tiles } = *machine;
        let tiles = request.precision == Precision::Bf16 && request.tiles.unwrap_or(tiles);
        Ok(Planner { graph, isa, threads, tiles, request, gradient, runs }.plan())
    }
}

impl Planner<'_> {
    fn plan(&self) -> Plan {
        let mut program = Program::new(self.graph, self.request, self.tiles, &self.runs);
        let mut steps: Vec<Planned> = Vec::new();
        let mut prepared = 0;
        let stages = stages::cut(self.graph, self.isa, self.request, &program);
        let spans = stages::spans(self.graph, &program, &stages);
        let half = half::chosen(self.graph, self.request, self.tiles, &program, &spans);
        let (stages, spans) = if self.request.training && half.contains(&true) {
            let stages = stages::one_by_one(self.graph, self.request, &program, &half);
            let spans = stages::spans(self.graph, &program, &stages);
            (stages, spans)
        } else {
            (stages, spans)
        };
        for stage in &stages {
            for step in &program.steps[stage.steps.clone()] {
                steps.push(self.planned(&program, &half, step.clone(), stage.images, &mut prepared));
            }
        }
        // A convolution that cannot gather leaves the statistics to the normalisation.
        let gathered: Vec<NodeId> = steps.iter().filter_map(Planned::gathers).collect();
        for planned in &mut steps {
            if let Kind::Norm(norm) = &mut planned.step.kind {
                norm.gathered = gathered.contains(&norm.norm);
            }
        }
        program.steps.clear();
        self.assign_first(&program, &mut steps);
        self.lay_out(program, steps, stages, &spans, &half, prepared)
    }

    fn planned(
        &self,
        program: &Program,
        half: &[bool],
        mut step: Step,
        images: usize,
        prepared: &mut usize,
    ) -> Planned {
        let output = step.output();
        let in_sweep = self.gradient[output.index()];
        let dense = program.inside[output.index()].is_none();
        let kept = |id: NodeId| half[program.root[id.index()].index()];
        let tiles = self.tiles && step.inputs(self.graph).chain([output]).all(kept);
        let conv = match &mut step.kind {
            Kind::Conv(conv) => self.conv(conv, images, in_sweep, (dense, tiles), prepared),
            _ => None,
        };
        let mut planned = Planned { step, conv, assigns: SmallVec::new(), in_sweep, reads: Needs::default(), images };
        planned.reads = self.needs(&planned);
        planned
    }

    fn conv(
        &self,
        conv: &mut Conv,
        images: usize,
        in_sweep: bool,
        (dense, tiles): (bool, bool),
        prepared: &mut usize,
    ) -> Option<ConvPlan> {
        let (isa, request) = (self.isa, self.request);
        let g = geometry(self.graph, conv.conv, images)?;
        let node = self.graph.node(conv.conv);
        let plan = if request.training { Convolution::forward } else { Convolution::predict };
        let mut forward = plan(isa, &g, request.algorithm);
        if conv.folded.is_some() && !forward.prepares() {
            forward = plan(isa, &g, Some(Algorithm::Direct));
        }
        let wants_weight = in_sweep && request.parameter_gradients && node.params.iter().any(|p| p.trainable);
        let wants_data = in_sweep && self.gradient[node.inputs[0].index()];
        let tiles = if tiles { TilePlan::new(&g, wants_data, wants_weight) } else { None };
        if forward.moments_len().is_none() || tiles.is_some() {
            conv.gathers = None;
        }
        let mut take = |len: usize| {
            let start = *prepared;
            *prepared += len.next_multiple_of(16);
            start..start + len
        };
        let halves = request.precision == Precision::Bf16 && stages::plain(self.graph, request);
        let half = HalfLinear::new(isa, &g).filter(|_| halves && dense && conv.residual.is_none());
        let kept = match (half, tiles) {
            (Some(half), _) => half::stored(half.prepared_len(), true),
            (None, _) if request.training => 0,
            (None, Some(tiles)) => tiles.prepared_len(),
            (None, None) => forward.prepared_len(),
        };
        Some(ConvPlan {
            half,
            tiles,
            prepared: take(kept),
            bias: take(if conv.folded.is_some() { g.c_out } else { 0 }),
            forward,
            data: wants_data.then(|| Convolution::data_gradient(isa, &g, request.algorithm)),
            weight: wants_weight.then(|| WeightGradient::new(isa, &g, request.algorithm)),
        })
    }

    /// Finds, for each gradient, the step that is the first to write it.
    fn assign_first(&self, program: &Program, steps: &mut [Planned]) {
        // The starts of sweeps are seeded before.
        let mut written: Vec<bool> =
            self.graph.ids().map(|id| self.request.backward_from.contains(&id) || !self.gradient[id.index()]).collect();
        for planned in steps.iter_mut().rev().filter(|p| p.in_sweep) {
            let inputs: SmallVec<[NodeId; 12]> = planned.step.inputs(self.graph).collect();
            for id in inputs.into_iter().map(|id| program.root[id.index()]) {
                if !std::mem::replace(&mut written[id.index()], true) {
                    planned.assigns.push(id);
                }
            }
        }
    }

    /// Floats of work space of a step's passes.
    fn scratch(&self, planned: &Planned) -> usize {
        let (threads, batch) = (self.threads, planned.images);
        let turns = self.request.batch.div_ceil(batch);
        match (&planned.step.kind, &planned.conv) {
            (Kind::Conv(conv), Some(plan)) => {
                let node = self.graph.node(conv.conv);
                let kept = if self.request.training { plan.forward.prepared_len() } else { 0 };
                let moments = if conv.gathers.is_some() { plan.forward.moments_len().unwrap_or(0) } else { 0 };
                let forward = kept + (turns * moments).next_multiple_of(16) + plan.forward.scratch(threads);
                let turned = plan.data.as_ref().map_or(0, Convolution::prepared_len);
                let data = plan.data.as_ref().map_or(0, |d| d.scratch(threads));
                let weight = plan.weight.as_ref().map_or(0, |w| w.scratch(threads));
                let bias =
                    if planned.in_sweep { column_sums_scratch(batch * node.shape.len(), node.shape.c) } else { 0 };
                // What the first turn turns, the others use again.
                let backward =
                    if turns > 1 { turned + data.max(weight).max(bias) } else { (turned + data).max(weight).max(bias) };
                let tiles = plan.tiles.map_or(0, |tiles| tiles.scratch(threads, self.request.training));
                forward.max(backward).max(tiles)
            }
            (Kind::Norm(norm), _) => {
                let shape = self.graph.node(norm.norm).shape;
                4 * shape.c + batch_norm_scratch(batch * shape.len(), shape.c)
            }
            _ => {
                let node = self.graph.node(planned.step.output());
                node.layer.scratch(batch, &self.graph.input_shapes(node), node.shape, planned.in_sweep)
            }
        }
    }

    /// Whether a step's backward pass reads its inputs' activations, and its own.
    fn needs(&self, planned: &Planned) -> Needs {
        match (&planned.step.kind, &planned.conv) {
            (Kind::Conv(conv), Some(plan)) => {
                Needs { inputs: plan.weight.is_some(), output: conv.activation != Activation::None }
            }
            (Kind::Norm(norm), _) => Needs { inputs: true, output: norm.reads_output() },
            _ => self.graph.node(planned.step.output()).layer.needs(),
        }
    }

    fn lay_out(
        &self,
        program: Program,
        steps: Vec<Planned>,
        stages: Vec<Stage>,
        spans: &[Range<usize>],
        half: &[bool],
        prepared: usize,
    ) -> Plan {
        let (graph, request, batch) = (self.graph, self.request, self.request.batch);
        let (n, nodes) = (steps.len(), graph.nodes().len());
        let end = 2 * n + 1;
        let back = |i: usize| 2 * n - i;
        let unused = Lifetime { len: 0, first: 0, last: 0 };
        // Per node: activation, values, gradient.
        let mut floats = vec![unused; 3 * nodes];
        let mut switches = vec![unused; nodes];
        let mut places = vec![Place::default(); nodes];
        let (mut scratch, mut widening) = (0, 0);
        let watched = |list: &[NodeId], id: NodeId| list.iter().any(|w| program.root[w.index()] == id);

        // The input is there before the first step, as are the gradients from which sweeps start.
        for (id, place) in graph.ids().zip(&mut places) {
            let i = id.index();
            let ends = program.root[graph.output_id().index()] == id;
            let whole = ends || request.training || spans[i].len() > 1;
            place.stride = if whole { graph.node(id).shape.len() } else { 0 };
            place.half = half[i];
            place.keeps_activation = ends || watched(&request.taps, id);
            place.in_sweep = self.gradient[i];
            place.keeps_gradient = place.in_sweep && request.gradient_taps.contains(&id);
        }
        let kept = |id: NodeId, images: usize| half::stored(images * graph.node(id).shape.len(), half[id.index()]);
        let held = |id: NodeId, images: usize| kept(id, if places[id.index()].stride > 0 { batch } else { images });
        floats[0] =
            Lifetime { len: held(graph.input_id(), stages.first().map_or(batch, |s| s.images)), first: 0, last: 0 };
        for (i, planned) in steps.iter().enumerate() {
            let (step, output) = (&planned.step, planned.step.output());
            scratch = scratch.max(self.scratch(planned));
            let nodes: SmallVec<[NodeId; 12]> = step.inputs(graph).chain([output]).collect();
            let widened = half::widened(graph, &program, half, &nodes, planned.in_sweep);
            widening = widening.max(planned.images * widened);
            let home = program.inside[output.index()].map_or(output, |inside| inside.concat);
            let buffer = &mut floats[3 * home.index()];
            if buffer.len == 0 {
                *buffer = Lifetime { len: held(home, planned.images), first: i, last: i };
            }
            buffer.last = buffer.last.max(i);
            if planned.in_sweep && planned.reads.output {
                buffer.last = buffer.last.max(back(i));
            }
            for (k, input) in step.inputs(graph).map(|id| program.root[id.index()]).enumerate() {
                let residual = k > 0 && step.residual() == Some(input);
                let last = if planned.in_sweep && planned.reads.inputs && !residual { back(i) } else { i };
                let buffer = &mut floats[3 * input.index()];
                buffer.last = buffer.last.max(last);
                let gradient = &mut floats[3 * input.index() + 2];
                if planned.in_sweep && planned.assigns.contains(&input) {
                    *gradient = Lifetime { len: kept(input, batch), first: back(i), last: back(i) };
                }
            }
            self.saved(i, planned, &back, end, &mut floats, &mut switches);
        }
        for start in &request.backward_from {
            let (node, i) = (graph.node(*start), start.index());
            if self.gradient[i] {
                floats[3 * i + 2] = Lifetime { len: batch * node.shape.len(), first: n, last: n };
            }
        }
        for (i, planned) in steps.iter().enumerate() {
            let gradient = &mut floats[3 * planned.step.output().index() + 2];
            gradient.last = gradient.last.max(back(i));
        }
        // While a stage takes its turns, what it reads of others and what it writes for them stays.
        let turns = |stage: usize| stages.get(stage).filter(|s| s.images < batch);
        for ((place, span), buffer) in places.iter().zip(spans).zip(floats.iter_mut().step_by(3)) {
            if place.stride == 0 {
                continue;
            }
            buffer.first = turns(span.start).map_or(buffer.first, |s| buffer.first.min(s.steps.start));
            buffer.last = turns(span.end.wrapping_sub(1)).map_or(buffer.last, |s| buffer.last.max(s.steps.end - 1));
        }
        for (i, place) in places.iter().enumerate() {
            if place.keeps_activation {
                (floats[3 * i].last, switches[i].last) = (end, end);
            }
            if place.keeps_gradient {
                floats[3 * i + 2].last = end;
            }
        }

        let unshared =
            4 * floats.iter().map(|l| l.len).sum::<usize>() + 2 * switches.iter().map(|l| l.len).sum::<usize>();
        let (float_places, total) = place(&floats);
        let (switch_places, switch_total) = place(&switches);
        for (i, place) in places.iter_mut().enumerate() {
            place.activation = float_places[3 * i].clone();
            place.values = float_places[3 * i + 1].clone();
            place.gradient = float_places[3 * i + 2].clone();
            place.switches = switch_places[i].clone();
        }
        let start = total.next_multiple_of(16);
        let scratch = start..start + scratch;
        let start = scratch.end.next_multiple_of(16);
        let widening = start..start + widening;
        let memory = Memory {
            buffers: 4 * total + 2 * switch_total,
            scratch: 4 * (scratch.len() + widening.len()),
            prepared: 4 * prepared,
            unshared,
        };
        let floats = if widening.is_empty() { scratch.end } else { widening.end };
        Plan { steps, stages, places, program, scratch, widening, floats, switches: switch_total, prepared, memory }
    }

    /// The statistics and switches that a step saves.
    fn saved(
        &self,
        i: usize,
        planned: &Planned,
        back: &dyn Fn(usize) -> usize,
        end: usize,
        floats: &mut [Lifetime],
        switches: &mut [Lifetime],
    ) {
        let saves = match planned.step.kind {
            Kind::Layer => Some(planned.step.output()),
            Kind::Norm(norm) => Some(norm.norm),
            Kind::Conv(_) => None,
        };
        if let Some(id) = saves {
            let node = self.graph.node(id);
            // A training pass keeps those of all images.
            let images = if self.request.training { self.request.batch } else { planned.images };
            let mut saved: Saved = node.layer.saved(images, &self.graph.input_shapes(node), node.shape);
            // Maxima alone are found faster, where nobody asks for the winners.
            let asked = self.request.training || planned.in_sweep || self.request.taps.contains(&id);
            if !asked && matches!(node.layer, AnyLayer::MaxPool(_)) {
                saved.switches = 0;
            }
            let last = if self.request.training || planned.in_sweep { end } else { i };
            // What a convolution gathers is there before.
            let values = &mut floats[3 * id.index() + 1];
            let first = if values.len > 0 { values.first } else { i };
            *values = Lifetime { len: saved.values, first, last };
            let last = if planned.in_sweep { back(i) } else { i };
            switches[id.index()] = Lifetime { len: saved.switches, first: i, last };
        }
        if let Some(norm) = planned.gathers() {
            let c = self.graph.node(norm).shape.c;
            floats[3 * norm.index() + 1] = Lifetime { len: 2 * c, first: i, last: end };
        }
    }
}

impl Planned {
    /// The normalisation whose statistics this step gathers.
    pub(crate) fn gathers(&self) -> Option<NodeId> {
        match self.step.kind {
            Kind::Conv(conv) => conv.gathers,
            _ => None,
        }
    }
}
