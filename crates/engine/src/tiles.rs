//! Convolutions that multiply bf16, on matrix tiles or as dot products: where input and output are kept as bf16, they are read
//! and written as they are, without being widened. Weights are rounded to bf16, sums are f32.

use crate::arena::carve;
use crate::half::stored;
use crate::parameters::Parameters;
use crate::program::Conv;
use crate::session::Session;
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::NodeId;
use striate_kernels::{
    Bf16, Bf16Convolution, Bf16Destination, Bf16Epilogue, Bf16WeightGradient, ConvGeometry, Convolution,
    WeightGradient, halves, halves_mut,
};

/// How a convolution multiplies bf16. What is `None` and wanted all the same is computed in f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TilePlan {
    pub(crate) forward: Option<Bf16Convolution>,
    pub(crate) data: Option<Bf16Convolution>,
    pub(crate) weight: Option<Bf16WeightGradient>,
}

impl TilePlan {
    /// Which of the passes that are wanted, planned in f32, multiply bf16 instead: all that can where that is `asked` for, and on
    /// tiles; as dot products those that cost less so.
    pub(crate) fn new(
        (way, asked): (Bf16, bool),
        g: &ConvGeometry,
        forward: &Convolution,
        data: Option<&Convolution>,
        weight: Option<&WeightGradient>,
    ) -> Option<TilePlan> {
        /// Multiply-adds in the time that it takes to widen a bf16, or to narrow a float.
        const WIDENED: f64 = 3.0;
        let maps = g.n * (g.h * g.w * g.c_in + g.out_h * g.out_w * g.c_out);
        let pays = |cost: f64, full: f64| asked || way == Bf16::Amx || cost < full + WIDENED * maps as f64;
        let plan = TilePlan {
            forward: Bf16Convolution::plan(way, g).filter(|plan| pays(plan.cost(), forward.cost())),
            data: data
                .and_then(|full| Bf16Convolution::data_gradient(way, g).filter(|plan| pays(plan.cost(), full.cost()))),
            weight: weight
                .and_then(|full| Bf16WeightGradient::plan(way, g).filter(|plan| pays(plan.cost(), full.cost()))),
        };
        let any = plan.forward.is_some() || plan.data.is_some() || plan.weight.is_some();
        any.then_some(plan)
    }

    /// Floats of prepared weights.
    pub(crate) fn prepared_len(&self) -> usize {
        stored(self.forward.map_or(0, |forward| forward.prepared_len()), true)
    }

    /// Floats of work space, with the weights where these are prepared in each step.
    pub(crate) fn scratch(&self, threads: usize, training: bool) -> usize {
        let kept = if training { self.prepared_len().next_multiple_of(16) } else { 0 };
        let turned = |data: Bf16Convolution| stored(data.prepared_len(), true).next_multiple_of(16);
        let data = self.data.map_or(0, |data| turned(data) + data.scratch(threads));
        let weight = self.weight.map_or(0, |weight| weight.scratch(threads));
        (kept + self.forward.map_or(0, |forward| forward.scratch(threads))).max(data).max(weight)
    }
}

impl Session {
    /// The plan of a step that multiplies bf16 in some pass.
    pub(crate) fn on_tiles(&self, step: usize) -> Option<TilePlan> {
        self.plan.steps[step].conv.as_ref().and_then(|conv| conv.tiles)
    }

    /// How a step's forward pass multiplies bf16, if it does.
    pub(crate) fn forward_on_tiles(&self, step: usize) -> Option<Bf16Convolution> {
        self.on_tiles(step).and_then(|tiles| tiles.forward)
    }

    pub(crate) fn forward_tiles(&mut self, p: &Parameters, step: usize, conv: &Conv, forward: Bf16Convolution) {
        let planned = &self.plan.steps[step];
        let (Some(plan), output) = (&planned.conv, planned.step.output()) else { unreachable!("it is planned") };
        let input = self.plan.program.root[self.graph.node(conv.conv).inputs[0].index()];
        let residual = conv.residual.map(|id| self.plan.program.root[id.index()]);
        let own = residual == Some(input);
        let mut ranges: SmallVec<[Range<usize>; 12]> = SmallVec::new();
        ranges.extend([self.kept_at(output, false), self.kept_at(input, false), self.plan.scratch.clone()]);
        ranges.extend(residual.filter(|_| !own).map(|id| self.kept_at(id, false)));
        let (x_part, y_part) = (self.part(input), self.part(output));
        let other_part = residual.map_or(0..0, |id| self.part(id));
        let forward = forward.batch(self.turn.len());
        let (training, first) = (self.request.training, self.turn.start == 0);
        let mut slices = carve(&mut self.arena, &ranges);
        let other = if slices.len() > 3 { slices.pop().map(|s| &halves(s)[other_part]) } else { None };
        let [y, x, scratch] = &mut slices[..] else { unreachable!("three ranges are left") };
        let x = &halves(x)[x_part];
        let params = p.of(conv.conv);
        let kept = if training { stored(forward.prepared_len(), true).next_multiple_of(16) } else { 0 };
        let (made, scratch) = scratch.split_at_mut(kept);
        let len = forward.prepared_len();
        let weights = if training {
            let made = &mut halves_mut(made)[..len];
            if first {
                forward.prepare(&self.cpu, &params[0], None, made);
            }
            &*made
        } else {
            &halves(&self.prepared[plan.prepared.clone()])[..len]
        };
        let bias = match conv.folded {
            Some(_) => Some(&self.prepared[plan.bias.clone()]),
            None => params.get(1).map(Vec::as_slice),
        };
        let residual = residual.and(if own { Some(x) } else { other });
        let epilogue = Bf16Epilogue { bias, residual, activation: conv.activation };
        let channels = self.graph.node(output).shape.c;
        let mut to = Bf16Destination::assign(&mut halves_mut(y)[y_part], channels);
        forward.run(&self.cpu, x, weights, &epilogue, &mut to, scratch);
    }

    /// Writes, or adds to, the gradient by the input.
    pub(crate) fn data_tiles(
        &mut self,
        p: &Parameters,
        conv: NodeId,
        output: NodeId,
        data: Bf16Convolution,
        adds: bool,
    ) {
        let input = self.plan.program.root[self.graph.node(conv).inputs[0].index()];
        let ranges = [self.kept_at(output, true), self.kept_at(input, true), self.plan.scratch.clone()];
        let (dx_part, dy_part) = (self.part(input), self.part(output));
        let data = data.batch(self.turn.len());
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, dx, scratch] = &mut slices[..] else { unreachable!("three ranges") };
        let (made, scratch) = scratch.split_at_mut(stored(data.prepared_len(), true).next_multiple_of(16));
        let made = &mut halves_mut(made)[..data.prepared_len()];
        data.prepare(&self.cpu, &p.of(conv)[0], None, made);
        let channels = self.graph.node(input).shape.c;
        let mut to = Bf16Destination { adds, ..Bf16Destination::assign(&mut halves_mut(dx)[dx_part], channels) };
        data.run(&self.cpu, &halves(dy)[dy_part], made, &Bf16Epilogue::default(), &mut to, scratch);
    }

    /// Assigns the gradient by the weights, or adds to it in later turns.
    pub(crate) fn weight_tiles(&mut self, conv: NodeId, output: NodeId, weight: Bf16WeightGradient, dw: &mut [f32]) {
        let input = self.plan.program.root[self.graph.node(conv).inputs[0].index()];
        let ranges = [self.kept_at(output, true), self.kept_at(input, false), self.plan.scratch.clone()];
        let (x_part, dy_part) = (self.part(input), self.part(output));
        let (weight, adds) = (weight.batch(self.turn.len()), self.turn.start > 0);
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, x, scratch] = &mut slices[..] else { unreachable!("three ranges") };
        weight.run(&self.cpu, &halves(x)[x_part], &halves(dy)[dy_part], dw, adds, scratch);
    }
}
