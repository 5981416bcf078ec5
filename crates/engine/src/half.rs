//! Buffers kept as bf16: half as long, and narrowed from f32 after the step that writes them. A step that meets such buffers
//! takes a few images at a time; what it reads of them is widened to work space beside, so that every kernel computes on f32
//! and sums in f32.

use crate::plan::Planned;
use crate::program::{Kind, Program};
use crate::request::Request;
use crate::session::Session;
use crate::{Precision, stages};
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{AnyLayer, Graph, NodeId};
use striate_kernels::{halves, halves_mut, narrow, widen};

/// Floats of a buffer that keeps `len` values.
pub(crate) fn stored(len: usize, half: bool) -> usize {
    if half { len.div_ceil(2) } else { len }
}

/// For each node, whether its activations and the gradient by them are kept as bf16: maps, of which there are many, in
/// training, where bf16 are multiplied, and where a prediction keeps them from stage to stage. Vectors, what is asked for, what is written in parts
/// (concatenations in place) and what dropout takes as one draw stay f32.
pub(crate) fn chosen(
    graph: &Graph,
    request: &Request,
    tiles: bool,
    program: &Program,
    spans: &[Range<usize>],
) -> Vec<bool> {
    let mut half = vec![false; graph.nodes().len()];
    let plain = stages::plain(graph, request);
    if request.precision == Precision::F32 || !request.passes || !(request.training || plain) {
        return half;
    }
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let lasts = request.training || tiles || spans[id.index()].len() > 1;
        half[id.index()] = lasts && program.root[id.index()] == id && node.shape.h * node.shape.w > 1;
    }
    let root = |id: &NodeId| program.root[id.index()].index();
    let Request { taps, gradient_taps, backward_from, .. } = request;
    let asked = taps.iter().chain(gradient_taps).chain(backward_from).copied().chain([graph.output_id()]);
    asked.for_each(|id| half[root(&id)] = false);
    program.inside.iter().flatten().for_each(|inside| half[inside.concat.index()] = false);
    for step in &program.steps {
        if step.nodes.iter().any(|id| matches!(graph.node(*id).layer, AnyLayer::Dropout(_))) {
            step.inputs(graph).chain([step.output()]).for_each(|id| half[root(&id)] = false);
        }
    }
    half
}

/// Floats, for one image, of the widened buffers of a step: those of its forward or its backward pass, whichever has more.
pub(crate) fn widened(graph: &Graph, program: &Program, half: &[bool], nodes: &[NodeId], sweeps: bool) -> usize {
    let own = |id: &NodeId| {
        let root = program.root[id.index()];
        if half[root.index()] { graph.node(root).shape.len().next_multiple_of(16) } else { 0 }
    };
    let activations: usize = nodes.iter().map(own).sum();
    if sweeps { 2 * activations } else { activations }
}

/// A buffer that stands widened in work space while a step runs.
#[derive(Clone, Debug)]
pub(crate) struct Widened {
    id: NodeId,
    gradient: bool,
    range: Range<usize>,
    writes: bool,
}

/// What a step does with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Reads,
    Writes,
    /// Reads what is there and writes the sum.
    Adds,
}

pub(crate) type AllWidened = SmallVec<[Widened; 16]>;

impl Session {
    /// Where a buffer stands widened now.
    pub(crate) fn widened(&self, root: NodeId, gradient: bool) -> Option<Range<usize>> {
        self.widened.iter().find(|w| w.id == root && w.gradient == gradient).map(|w| w.range.clone())
    }

    /// Widens what a step's forward pass reads of this turn's images, and makes room for what it writes.
    pub(crate) fn widen_forward(&mut self, step: usize) {
        if self.plan.widening.is_empty() || self.forward_on_tiles(step).is_some() {
            return;
        }
        let planned = &self.plan.steps[step];
        let inputs: SmallVec<[NodeId; 12]> = planned.step.inputs(&self.graph).collect();
        let output = planned.step.output();
        inputs.into_iter().for_each(|id| self.take(id, false, Use::Reads));
        self.take(output, false, Use::Writes);
    }

    /// As [`Session::widen_forward`], for a backward pass. Where it only takes sums, no gradient of an input is made room for.
    pub(crate) fn widen_backward(&mut self, step: usize, sums: bool) {
        if self.plan.widening.is_empty() {
            return;
        }
        let planned: &Planned = &self.plan.steps[step];
        let (reads, output) = (planned.reads, planned.step.output());
        let norm = matches!(planned.step.kind, Kind::Norm(_));
        let first = self.graph.node(planned.step.nodes[0]).inputs.len();
        let inputs: SmallVec<[(NodeId, bool); 12]> =
            planned.step.inputs(&self.graph).enumerate().map(|(k, id)| (id, k < first)).collect();
        self.take(output, true, Use::Reads);
        if reads.output {
            self.take(output, false, Use::Reads);
        }
        for (id, own) in inputs {
            if reads.inputs && own {
                self.take(id, false, Use::Reads);
            }
            if !(norm && sums) {
                let adds = !self.plan.steps[step].assigns.contains(&id);
                self.take(id, true, if adds { Use::Adds } else { Use::Writes });
            }
        }
    }

    pub(crate) fn take(&mut self, id: NodeId, gradient: bool, used: Use) {
        let root = self.plan.program.root[id.index()];
        let place = &self.plan.places[root.index()];
        let kept = self.kept_at(root, gradient);
        if !place.half || kept.is_empty() || self.widened(root, gradient).is_some() {
            return;
        }
        let start = self.widened.last().map_or(self.plan.widening.start, |w| w.range.end.next_multiple_of(16));
        let range = start..start + self.turn.len() * self.graph.node(root).shape.len();
        if used != Use::Writes {
            let part = self.part(root);
            let [from, to] = both(&mut self.arena, kept, range.clone());
            widen(&self.cpu, &halves(from)[part], to);
        }
        self.widened.push(Widened { id: root, gradient, range, writes: used != Use::Reads });
    }

    /// Narrows what the step has written, and gives the work space back.
    pub(crate) fn narrow(&mut self) {
        for w in std::mem::take(&mut self.widened) {
            if w.writes {
                let (part, kept) = (self.part(w.id), self.kept_at(w.id, w.gradient));
                let [to, from] = both(&mut self.arena, kept, w.range);
                narrow(&self.cpu, from, &mut halves_mut(to)[part]);
            }
        }
    }

    /// Keeps this turn's images.
    pub(crate) fn take_images(&mut self, images: &[f32]) {
        let id = self.graph.input_id();
        let place = &self.plan.places[id.index()];
        if place.half {
            let (part, kept) = (self.part(id), place.activation.clone());
            narrow(&self.cpu, images, &mut halves_mut(&mut self.arena[kept])[part]);
        } else {
            let range = self.read(id);
            self.arena[range].copy_from_slice(images);
        }
    }

    /// Where a buffer lies that is kept as bf16: in a sweep, what was computed again for it.
    pub(crate) fn kept_at(&self, id: NodeId, gradient: bool) -> Range<usize> {
        let place = &self.plan.places[id.index()];
        match gradient {
            true => place.gradient.clone(),
            false if self.sweeping && !place.again.is_empty() => place.again.clone(),
            false => place.activation.clone(),
        }
    }

    /// The halves of a buffer that are this turn's images.
    pub(crate) fn part(&self, id: NodeId) -> Range<usize> {
        let len = self.graph.node(id).shape.len();
        let before = self.turn.start * self.plan.places[id.index()].stride;
        before..before + self.turn.len() * len
    }
}

fn both(arena: &mut [f32], a: Range<usize>, b: Range<usize>) -> [&mut [f32]; 2] {
    let Ok(slices) = arena.get_disjoint_mut([a, b]) else { unreachable!("work space lies behind the buffers") };
    slices
}
