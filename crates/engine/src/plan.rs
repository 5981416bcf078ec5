//! The plan of a run: its steps, which of them take part in the backward sweep, the algorithms of their convolutions, how
//! long every buffer lives, and where it lies.
//!
//! Step i runs forward at time i, and backward at its time of the [`Clock`]. Activations live until their last reader, or are
//! dropped between and replayed ([`crate::replay`]), gradients from their first contribution to their step's backward pass,
//! taps for ever.

use crate::EngineError;
use crate::arena::{Lifetime, place};
use crate::program::{Conv, Kind, Program, Step};
use crate::replay::{Clock, Reads};
use crate::request::{Memory, Precision, Request};
use crate::stages::{self, Stage};
use crate::tiles::TilePlan;
use crate::{gradients, half};
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{AnyLayer, Graph, Needs, NodeId, Saved};
use striate_kernels::{
    Activation, Algorithm, Bf16, ConvGeometry, Convolution, HalfLinear, Isa, WeightGradient, batch_norm_scratch,
    column_sums_scratch,
};

/// Where one node's buffers lie. Ranges are for the largest batch.
#[allow(clippy::struct_excessive_bools)] // Facts that do not depend on each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Empty where nobody writes the activations: what nothing depends on, what a later node is joined to, what lies in a
    /// concatenation.
    pub(crate) activation: Range<usize>,
    /// Where the sweep has activations that it computes again; else empty.
    pub(crate) again: Range<usize>,
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
    /// The steps that are run again before its backward pass, in order.
    pub(crate) replays: SmallVec<[usize; 4]>,
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
    /// Outputs whose weights' gradients are handed on at a time, where it is not all.
    pub(crate) rows: Option<usize>,
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
    /// Floats of the largest gradients that a step hands on.
    pub(crate) room: usize,
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
    pub(crate) bf16: Bf16,
}
/// Buffers of a node in the arena, and which each is.
pub(crate) const PARTS: usize = 4;
pub(crate) const ACTIVATION: usize = 0;
pub(crate) const VALUES: usize = 1;
pub(crate) const GRADIENT: usize = 2;
/// Activations that are replayed.
pub(crate) const AGAIN: usize = 3;

/// Everything that planning reads.
pub(crate) struct Planner<'a> {
    pub(crate) graph: &'a Graph,
    isa: Isa,
    threads: usize,
    /// How convolutions of bf16 are computed.
    bf16: Bf16,
    pub(crate) request: &'a Request,
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
        let Machine { isa, threads, bf16 } = *machine;
        let bf16 = match request.precision {
            Precision::F32 => Bf16::Widened,
            Precision::Bf16 => request.bf16.unwrap_or(bf16),
        };
        Ok(Planner { graph, isa, threads, bf16, request, gradient, runs }.plan())
    }
}

impl Planner<'_> {
    fn plan(&self) -> Plan {
        let multiplied = self.bf16 != Bf16::Widened;
        let mut program = Program::new(self.graph, self.request, multiplied, &self.runs);
        let mut steps: Vec<Planned> = Vec::new();
        let mut prepared = 0;
        let stages = stages::cut(self.graph, self.isa, self.request, &program);
        let spans = stages::spans(self.graph, &program, &stages);
        let half = half::chosen(self.graph, self.request, multiplied, &program, &spans);
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
        let tiles = self.bf16 != Bf16::Widened && step.inputs(self.graph).chain([output]).all(kept);
        let conv = match &mut step.kind {
            Kind::Conv(conv) => self.conv(conv, images, in_sweep, (dense, tiles), prepared),
            _ => None,
        };
        let (assigns, replays, reads) = (SmallVec::new(), SmallVec::new(), Needs::default());
        let mut planned = Planned { step, conv, assigns, in_sweep, reads, images, replays };
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
        let data = wants_data.then(|| Convolution::data_gradient(isa, &g, request.algorithm));
        let weight = wants_weight.then(|| WeightGradient::new(isa, &g, request.algorithm));
        let of = || TilePlan::new((self.bf16, request.bf16.is_some()), &g, &forward, data.as_ref(), weight.as_ref());
        let tiles = tiles.then(of).flatten();
        let on_tiles = tiles.and_then(|tiles| tiles.forward);
        if forward.moments_len().is_none() || on_tiles.is_some() {
            conv.gathers = None;
        }
        let mut take = |len: usize| {
            let start = *prepared;
            *prepared += len.next_multiple_of(16);
            start..start + len
        };
        let halves = request.precision == Precision::Bf16 && stages::plain(self.graph, request);
        let half = HalfLinear::new(isa, &g).filter(|_| halves && dense && conv.residual.is_none());
        let kept = match (half, on_tiles) {
            (Some(half), _) => half::stored(half.prepared_len(), true),
            (None, _) if request.training => 0,
            (None, Some(forward)) => half::stored(forward.prepared_len(), true),
            (None, None) => forward.prepared_len(),
        };
        Some(ConvPlan {
            half,
            tiles,
            prepared: take(kept),
            bias: take(if conv.folded.is_some() { g.c_out } else { 0 }),
            forward,
            data,
            rows: weight
                .filter(|w| w.has_rows() && images == request.batch)
                .and_then(|_| gradients::rows(g.c_in, g.c_out)),
            weight,
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
                // Fewer images may be cut into more blocks.
                let gathered = |images: usize| conv.gathers.and(plan.forward.batch(images).moments_len());
                let moments = (1..=batch).filter_map(gathered).max().unwrap_or(0);
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

    /// Floats in which what a step reads and writes stands widened.
    fn widening(&self, planned: &Planned, program: &Program, half: &[bool]) -> usize {
        let step = &planned.step;
        let nodes: SmallVec<[NodeId; 12]> = step.inputs(self.graph).chain([step.output()]).collect();
        planned.images * half::widened(self.graph, program, half, &nodes, planned.in_sweep)
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

    /// What is known of every node's buffers before they are laid out.
    fn places(&self, program: &Program, spans: &[Range<usize>], half: &[bool]) -> Vec<Place> {
        let (graph, request) = (self.graph, self.request);
        let mut places = vec![Place::default(); graph.nodes().len()];
        let watched = |list: &[NodeId], id: NodeId| list.iter().any(|w| program.root[w.index()] == id);

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
        places
    }

    fn lay_out(
        &self,
        program: Program,
        mut steps: Vec<Planned>,
        stages: Vec<Stage>,
        spans: &[Range<usize>],
        half: &[bool],
        prepared: usize,
    ) -> Plan {
        let (graph, request, batch) = (self.graph, self.request, self.request.batch);
        let (n, nodes) = (steps.len(), graph.nodes().len());
        let clock = Clock { steps: n };
        let unused = Lifetime { len: 0, first: 0, last: 0 };
        let mut floats = vec![[unused; PARTS]; nodes];
        let mut switches = vec![unused; nodes];
        let mut reads = vec![Reads::default(); nodes];
        let mut places = self.places(&program, spans, half);
        let scratch = steps.iter().map(|planned| self.scratch(planned)).max().unwrap_or(0);
        let widening = steps.iter().map(|planned| self.widening(planned, &program, half)).max().unwrap_or(0);
        // The input is there before the first step, as are the gradients from which sweeps start.
        let kept = |id: NodeId, images: usize| half::stored(images * graph.node(id).shape.len(), half[id.index()]);
        let held = |id: NodeId, images: usize| kept(id, if places[id.index()].stride > 0 { batch } else { images });
        floats[0][ACTIVATION].len = held(graph.input_id(), stages.first().map_or(batch, |s| s.images));
        for (i, planned) in steps.iter().enumerate() {
            let (step, output) = (&planned.step, planned.step.output());
            let home = program.inside[output.index()].map_or(output, |inside| inside.concat);
            let buffer = &mut floats[home.index()][ACTIVATION];
            if buffer.len == 0 {
                *buffer = Lifetime { len: held(home, planned.images), first: i, last: i };
            }
            let own = &mut reads[home.index()];
            own.forward = i;
            if planned.in_sweep && planned.reads.output {
                own.add(clock.replay(i), clock.back(i));
            }
            for (k, input) in step.inputs(graph).map(|id| program.root[id.index()]).enumerate() {
                let residual = k > 0 && step.residual() == Some(input);
                reads[input.index()].forward = i;
                if planned.in_sweep && planned.reads.inputs && !residual {
                    reads[input.index()].add(clock.replay(i), clock.back(i));
                }
                let gradient = &mut floats[input.index()][GRADIENT];
                if planned.in_sweep && planned.assigns.contains(&input) {
                    let (len, time) = (kept(input, batch), clock.back(i));
                    *gradient = Lifetime { len, first: time, last: time };
                }
            }
            self.saved(i, planned, clock, &mut floats, &mut switches);
        }
        for start in request.backward_from.iter().filter(|start| self.gradient[start.index()]) {
            let len = batch * graph.node(*start).shape.len();
            floats[start.index()][GRADIENT] = Lifetime { len, first: n, last: n };
        }
        for (i, planned) in steps.iter().enumerate() {
            let gradient = &mut floats[planned.step.output().index()][GRADIENT];
            gradient.last = gradient.last.max(clock.back(i));
        }
        for (i, place) in places.iter().enumerate() {
            if place.keeps_activation {
                (floats[i][ACTIVATION].last, switches[i].last) = (clock.end(), clock.end());
            }
            if place.keeps_gradient {
                floats[i][GRADIENT].last = clock.end();
            }
        }
        let replays = self.replays(clock, &program, &steps, &places, reads);
        self.replay(&replays, &mut steps, &mut floats, &mut switches);
        // While a stage takes its turns, what it reads of others and what it writes for them stays.
        let turns = |stage: usize| stages.get(stage).filter(|s| s.images < batch);
        for ((place, span), buffers) in places.iter().zip(spans).zip(&mut floats) {
            let buffer = &mut buffers[ACTIVATION];
            if place.stride == 0 {
                continue;
            }
            buffer.first = turns(span.start).map_or(buffer.first, |s| buffer.first.min(s.steps.start));
            buffer.last = turns(span.end.wrapping_sub(1)).map_or(buffer.last, |s| buffer.last.max(s.steps.end - 1));
        }

        let lens = |all: &[Lifetime]| all.iter().map(|l| l.len).sum::<usize>();
        let unshared = 4 * lens(floats.as_flattened()) + 2 * lens(&switches);
        let (float_places, total) = place(floats.as_flattened());
        let (switch_places, switch_total) = place(&switches);
        for ((place, floats), switches) in places.iter_mut().zip(float_places.chunks(PARTS)).zip(switch_places) {
            place.activation = floats[ACTIVATION].clone();
            place.again = floats[AGAIN].clone();
            place.values = floats[VALUES].clone();
            place.gradient = floats[GRADIENT].clone();
            place.switches = switches;
        }
        let start = total.next_multiple_of(16);
        let room = if request.parameter_gradients { gradients::room(graph, &steps) } else { 0 };
        let scratch = start..start + scratch;
        let start = scratch.end.next_multiple_of(16);
        let widening = start..start + widening;
        let memory = Memory {
            buffers: 4 * total + 2 * switch_total,
            scratch: 4 * (scratch.len() + widening.len()),
            prepared: 4 * prepared,
            room: 4 * room,
            unshared,
        };
        let floats = if widening.is_empty() { scratch.end } else { widening.end };
        let switches = switch_total;
        Plan { steps, stages, places, program, scratch, widening, floats, switches, prepared, room, memory }
    }

    /// The statistics and switches that a step saves.
    fn saved(
        &self,
        i: usize,
        planned: &Planned,
        clock: Clock,
        floats: &mut [[Lifetime; PARTS]],
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
            let last = if self.request.training || planned.in_sweep { clock.end() } else { i };
            // What a convolution gathers is there before.
            let values = &mut floats[id.index()][VALUES];
            let first = if values.len > 0 { values.first } else { i };
            *values = Lifetime { len: saved.values, first, last };
            let last = if planned.in_sweep { clock.back(i) } else { i };
            switches[id.index()] = Lifetime { len: saved.switches, first: i, last };
        }
        if let Some(norm) = planned.gathers() {
            let c = self.graph.node(norm).shape.c;
            floats[norm.index()][VALUES] = Lifetime { len: 2 * c, first: i, last: clock.end() };
        }
    }
}

impl Planned {
    /// The node whose parameters its passes use.
    pub(crate) fn owner(&self) -> NodeId {
        match self.step.kind {
            Kind::Layer => self.step.output(),
            Kind::Conv(conv) => conv.conv,
            Kind::Norm(norm) => norm.norm,
        }
    }

    /// The normalisation whose statistics this step gathers.
    pub(crate) fn gathers(&self) -> Option<NodeId> {
        match self.step.kind {
            Kind::Conv(conv) => conv.gathers,
            _ => None,
        }
    }
}
