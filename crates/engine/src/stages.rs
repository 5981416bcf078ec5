//! Stages of a prediction: runs of steps that a few images at a time go through together, so that what one step writes is
//! still in cache when the next reads it. Images do not see each other when predicting, so results stay the same. Steps whose
//! weights outweigh their activations take the whole batch, which reads those weights once.

use crate::plan::geometry;
use crate::program::{Kind, Program, Step};
use crate::{Request, half};
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{Graph, NodeId, ParamSpec};
use striate_kernels::{Convolution, Isa};

/// Steps that images go through together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) steps: Range<usize>,
    /// At a time, at most.
    pub(crate) images: usize,
}

impl Stage {
    /// The images of each turn through the stage: as few turns as can be, alike by one image.
    pub(crate) fn turns(&self, batch: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let turns = batch.div_ceil(self.images);
        (0..turns).map(move |i| i * batch / turns..(i + 1) * batch / turns)
    }
}

/// Cuts a program into stages: one, unless nothing but the output of a prediction is asked for.
pub(crate) fn cut(graph: &Graph, isa: Isa, request: &Request, program: &Program) -> Vec<Stage> {
    /// Steps that want this many times the images of others belong to another stage.
    const ALIKE: usize = 4;
    let count = program.steps.len();
    if !plain(graph, request) || count == 0 {
        return vec![Stage { steps: 0..count, images: request.batch }];
    }
    let mut stages: Vec<Stage> = Vec::new();
    for (i, step) in program.steps.iter().enumerate() {
        let images = images(graph, isa, request, program, step);
        match stages.last_mut() {
            Some(stage) if images < ALIKE * stage.images && stage.images < ALIKE * images => {
                *stage = Stage { steps: stage.steps.start..i + 1, images: stage.images.min(images) };
            }
            _ => stages.push(Stage { steps: i..i + 1, images }),
        }
    }
    stages
}

/// Whether nothing but the output of a prediction is asked for.
pub(crate) fn plain(graph: &Graph, request: &Request) -> bool {
    let output = graph.output();
    let switches = output.layer.saved(1, &graph.input_shapes(output), output.shape).switches;
    let passes = !request.training && request.passes;
    passes && request.backward_from.is_empty() && request.taps.is_empty() && switches == 0
}

/// Training with buffers that are kept as bf16: a stage for each step, of as many images as are widened together.
pub(crate) fn one_by_one(graph: &Graph, request: &Request, program: &Program, half: &[bool]) -> Vec<Stage> {
    let stage = |(i, step): (usize, &Step)| {
        let nodes: SmallVec<[NodeId; 12]> = step.inputs(graph).chain([step.output()]).collect();
        let widened = half::widened(graph, program, half, &nodes, false);
        let weights: usize = step.nodes.iter().flat_map(|id| &graph.node(*id).params).map(ParamSpec::len).sum();
        // Weights are prepared, and their gradients summed, once a turn.
        let images = if widened == 0 { request.batch } else { CACHED.max(4 * weights).div_ceil(widened) };
        Stage { steps: i..i + 1, images: images.clamp(1, request.batch) }
    };
    program.steps.iter().enumerate().map(stage).collect()
}

/// Floats of activations that a step may read and write: as much as caches hold near by.
const CACHED: usize = 1 << 20;

/// How many images a step had best take at a time.
fn images(graph: &Graph, isa: Isa, request: &Request, program: &Program, step: &Step) -> usize {
    let floats = |id: NodeId| graph.node(program.root[id.index()]).shape.len();
    let activations = step.inputs(graph).map(floats).sum::<usize>() + graph.node(step.output()).shape.len();
    let images = (CACHED / activations.max(1)).clamp(1, request.batch);
    let weights = match step.kind {
        Kind::Conv(conv) => geometry(graph, conv.conv, images).map_or(0, |g| {
            Convolution::predict(isa, &g, request.algorithm).prepared_len().max(g.c_out * g.c_in / g.groups)
        }),
        _ => 0,
    };
    // Read once for every turn; activations, if not in cache, are read and written once for every image.
    if 2 * weights > images * activations { request.batch } else { images }
}

/// For each node, the stages in which its activations are written and read, from first to last; the input is written before
/// the first.
pub(crate) fn spans(graph: &Graph, program: &Program, stages: &[Stage]) -> Vec<Range<usize>> {
    let mut spans = vec![0..0; graph.nodes().len()];
    spans[0] = 0..1;
    for (at, stage) in stages.iter().enumerate() {
        for step in &program.steps[stage.steps.clone()] {
            let home = program.inside[step.output().index()].map_or(step.output(), |inside| inside.concat);
            let read = step.inputs(graph).map(|id| program.root[id.index()]);
            for id in read.chain([home]) {
                let span = &mut spans[id.index()];
                *span = if span.end == 0 { at } else { span.start }..at + 1;
            }
        }
    }
    spans
}
