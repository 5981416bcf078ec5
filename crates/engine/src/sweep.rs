//! A backward sweep, step by step.

use crate::arena::carve;
use crate::forward::Ranges;
use crate::gradients::Gradients;
use crate::half::Use;
use crate::parameters::Parameters;
use crate::program::{Conv, Kind, Norm};
use crate::session::{Session, Slices};
use crate::stages::Stage;
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{Backward, NodeId, Setting};
use striate_kernels::{Activation, Destination, Epilogue, GradientSlot, Normalised, activate_backward};

/// `range` if it is wanted, else nothing.
fn kept(wanted: bool, range: Range<usize>) -> Range<usize> {
    if wanted { range } else { 0..0 }
}

/// What of a normalisation's backward pass is done: the sums of all turns come before what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Sums,
    PassOn,
    All,
}

impl Session {
    pub(crate) fn backward_step(&mut self, p: &Parameters, step: usize, gradients: &mut Gradients<'_>) {
        let planned = &self.plan.steps[step];
        let (kind, output) = (planned.step.kind, planned.step.output());
        let stage = Stage { steps: step..step + 1, images: planned.images };
        let several = stage.images < self.batch;
        if let (Kind::Norm(norm), true) = (kind, several) {
            for turn in stage.turns(self.batch) {
                self.turn = turn;
                self.widen_backward(step, true);
                self.backward_norm(p, step, &norm, Part::Sums, gradients);
                self.widened.clear();
            }
        }
        for turn in stage.turns(self.batch) {
            self.turn = turn;
            if let Kind::Conv(conv) = kind {
                self.backward_conv(p, step, &conv, gradients);
                continue;
            }
            self.widen_backward(step, false);
            match kind {
                Kind::Norm(norm) if several => self.backward_norm(p, step, &norm, Part::PassOn, gradients),
                Kind::Norm(norm) => self.backward_norm(p, step, &norm, Part::All, gradients),
                _ => self.backward_layer(p, step, output, gradients),
            }
            self.narrow();
        }
    }

    /// Whether a step's gradient by `id` is the first to be written.
    fn assigns(&self, step: usize, id: NodeId) -> bool {
        self.plan.steps[step].assigns.contains(&id)
    }

    fn backward_layer(&mut self, p: &Parameters, step: usize, id: NodeId, gradients: &mut Gradients<'_>) {
        let (node, shapes) = (self.graph.node(id), self.shapes(id));
        let places = &self.plan.places;
        let place = &places[id.index()];
        let needs = node.layer.needs();
        let mut ranges = Ranges::new();
        ranges.extend([self.gradient_at(id), place.values.clone(), self.plan.scratch.clone()]);
        ranges.push(kept(needs.output, self.read(id)));
        ranges.extend(node.inputs.iter().map(|i| kept(needs.inputs, self.read(*i))));
        ranges.extend(node.inputs.iter().map(|i| self.gradient_at(*i)));
        let (switches, rule) = (self.switches_of(place, id, &shapes), self.rule);
        let adds: SmallVec<[bool; 12]> = node.inputs.iter().map(|i| !self.assigns(step, *i)).collect();

        let (batch, training, seed) = (self.turn.len(), self.request.training, self.seed_of(id));
        let setting = Setting { cpu: &self.cpu, batch, training, seed, shapes: &shapes, shape: node.shape };
        let mut slices = carve(&mut self.arena, &ranges);
        let mut dx: SmallVec<[Option<GradientSlot<'_>>; 12]> = slices
            .drain(4 + node.inputs.len()..)
            .zip(adds)
            .zip(&node.inputs)
            .map(|((values, adds), i)| places[i.index()].in_sweep.then_some(GradientSlot { values, adds }))
            .collect();
        let inputs: Slices<'_> = slices.drain(4..).map(|s| &*s).collect();
        let params: Slices<'_> = p.of(id).iter().map(Vec::as_slice).collect();
        let asked = self.request.parameter_gradients;
        let mut dparams: SmallVec<[Option<&mut [f32]>; 4]> = gradients
            .of(node, id)
            .into_iter()
            .zip(&node.params)
            .map(|(g, spec)| (asked && spec.trainable).then_some(g))
            .collect();
        if self.turn.start == 0 {
            dparams.iter_mut().flatten().for_each(|g| g.fill(0.0));
        }
        let [dy, values, scratch, output] = &mut slices[..] else { unreachable!("four ranges are left") };
        let pass = Backward {
            setting,
            inputs: &inputs,
            output,
            params: &params,
            values,
            switches: &self.switches[switches],
            dy,
            dx: &mut dx,
            dparams: &mut dparams,
            scratch,
        };
        rule.backward(&node.layer, pass);
    }

    fn backward_conv(&mut self, p: &Parameters, step: usize, conv: &Conv, gradients: &mut Gradients<'_>) {
        let Some(tiles) = self.on_tiles(step) else {
            self.widen_backward(step, false);
            self.gate(step, conv, gradients);
            self.conv_gradients(p, step, conv, [true; 2], gradients);
            return self.narrow();
        };
        let planned = &self.plan.steps[step];
        let (Some(plan), id) = (&planned.conv, planned.step.output()) else { unreachable!("convolutions are planned") };
        let (data, weight) = (plan.data.is_some(), plan.weight.is_some());
        let input = self.graph.node(conv.conv).inputs[0];
        let adds = !self.assigns(step, input);
        // What the gate lets through is bf16 as it was, so that it is narrowed without rounding.
        let clamps = conv.activation != Activation::None;
        self.take(id, true, if clamps { Use::Adds } else { Use::Reads });
        if clamps {
            self.take(id, false, Use::Reads);
        }
        self.gate(step, conv, gradients);
        self.narrow();
        if let Some(data) = tiles.data {
            self.data_tiles(p, conv.conv, id, data, adds);
        }
        let rest = [data && tiles.data.is_none(), weight && tiles.weight.is_none()];
        if rest != [false; 2] {
            self.take(id, true, Use::Reads);
            if rest[0] {
                self.take(input, true, if adds { Use::Adds } else { Use::Writes });
            }
            if rest[1] {
                self.take(input, false, Use::Reads);
            }
            self.conv_gradients(p, step, conv, rest, gradients);
            self.narrow();
        }
        let graph = self.graph.clone();
        let dw = gradients.of(graph.node(conv.conv), conv.conv).into_iter().next().filter(|dw| !dw.is_empty());
        if let (Some(weight), Some(dw)) = (tiles.weight, dw) {
            self.weight_tiles(conv.conv, id, weight, dw);
        }
    }

    /// Lets through what a convolution's activation let through, and sums up the bias's gradient.
    fn gate(&mut self, step: usize, conv: &Conv, gradients: &mut Gradients<'_>) {
        let id = self.plan.steps[step].step.output();
        let node = self.graph.node(conv.conv);
        let clamps = conv.activation != Activation::None;
        let asked = gradients.of(node, conv.conv).into_iter().zip(&node.params).nth(1);
        let bias = asked.filter(|(_, spec)| self.request.parameter_gradients && spec.trainable).map(|(g, _)| g);
        if clamps || bias.is_some() {
            let turned = self.turned(step);
            let scratch = self.plan.scratch.start + turned..self.plan.scratch.end;
            let ranges = [self.gradient_at(id), scratch, kept(clamps, self.read(id))];
            let mut slices = carve(&mut self.arena, &ranges);
            let [dy, scratch, y] = &mut slices[..] else { unreachable!("three ranges") };
            activate_backward(&self.cpu, y, dy, node.shape.c, conv.activation, bias, self.turn.start > 0, scratch);
        }
    }

    /// Floats of work space that hold turned weights from turn to turn; a single turn needs none of its own.
    fn turned(&self, step: usize) -> usize {
        let planned = &self.plan.steps[step];
        let data = planned.conv.as_ref().and_then(|plan| plan.data);
        data.filter(|_| planned.images < self.request.batch).map_or(0, |data| data.prepared_len())
    }

    /// The gradients of a convolution by its input and its weights, as far as they are planned and `wanted`.
    fn conv_gradients(
        &mut self,
        p: &Parameters,
        step: usize,
        conv: &Conv,
        wanted: [bool; 2],
        gradients: &mut Gradients<'_>,
    ) {
        let planned = &self.plan.steps[step];
        let (Some(plan), id) = (&planned.conv, planned.step.output()) else { unreachable!("convolutions are planned") };
        let node = self.graph.node(conv.conv);
        let input = node.inputs[0];
        let (adds, turned) = (!self.assigns(step, input), self.turned(step));
        let (batch, first) = (self.turn.len(), self.turn.start == 0);
        let data = plan.data.filter(|_| wanted[0]).map(|data| data.batch(batch));
        let weight = plan.weight.filter(|_| wanted[1]).map(|weight| weight.batch(batch));
        let mut ranges = Ranges::new();
        ranges.extend([self.gradient_at(id), self.plan.scratch.clone(), kept(weight.is_some(), self.read(input))]);
        ranges.push(kept(data.is_some(), self.gradient_at(input)));
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, scratch, x, dx] = &mut slices[..] else { unreachable!("four ranges") };
        let (cpu, (made, scratch)) = (&*self.cpu, scratch.split_at_mut(turned));
        if let Some(data) = data {
            let (own, scratch) = scratch.split_at_mut(data.prepared_len() - turned);
            let made = if turned > 0 { made } else { own };
            if first {
                data.prepare(cpu, &p.of(conv.conv)[0], None, made);
            }
            let weights = if made.is_empty() { &p.of(conv.conv)[0] } else { &*made };
            let channels = self.graph.node(input).shape.c;
            let mut to = Destination { adds, ..Destination::assign(dx, channels) };
            data.run(cpu, dy, weights, &Epilogue::default(), &mut to, scratch);
        }
        // Empty where it is computed and handed on by rows.
        let dw = gradients.of(node, conv.conv).into_iter().next().filter(|dw| !dw.is_empty());
        if let (Some(weight), Some(dw)) = (weight, dw) {
            weight.run(cpu, x, dy, dw, !first, scratch);
        }
    }

    fn backward_norm(&mut self, p: &Parameters, step: usize, norm: &Norm, part: Part, gradients: &mut Gradients<'_>) {
        let id = self.plan.steps[step].step.output();
        let node = self.graph.node(norm.norm);
        let input = node.inputs[0];
        let places = &self.plan.places;
        let in_sweep = |id: NodeId| places[id.index()].in_sweep;
        let residual = norm.residual.filter(|id| in_sweep(*id));
        let mut ranges = Ranges::new();
        ranges.extend([self.gradient_at(id), self.plan.scratch.clone(), kept(norm.reads_output(), self.read(id))]);
        ranges.extend([places[norm.norm.index()].values.clone(), self.read(input)]);
        let passes_on = part != Part::Sums;
        ranges.push(kept(passes_on && in_sweep(input), self.gradient_at(input)));
        ranges.push(residual.filter(|_| passes_on).map_or(0..0, |id| self.gradient_at(id)));
        let adds = (!self.assigns(step, input), residual.is_some_and(|id| !self.assigns(step, id)));
        let (wanted, first, rows) = (in_sweep(input), self.turn.start == 0, self.batch * node.shape.h * node.shape.w);
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, scratch, y, values, x, dx, dresidual] = &mut slices[..] else { unreachable!("seven ranges") };

        let c = node.shape.c;
        // Frozen parameters' gradients go to work space: the gradient by the input needs their sums all the same.
        let (unasked, scratch) = scratch.split_at_mut(2 * c);
        let (unasked_gamma, unasked_beta) = unasked.split_at_mut(c);
        let asked = self.request.parameter_gradients;
        let mut own = gradients.of(node, norm.norm).into_iter().zip(&node.params);
        let mut wish = || own.next().filter(|(_, spec)| asked && spec.trainable).map(|(g, _)| g);
        let dgamma = wish().unwrap_or(unasked_gamma);
        let dbeta = wish().unwrap_or(unasked_beta);
        let dx = wanted.then_some(GradientSlot { values: dx, adds: adds.0 });
        let dresidual = residual.map(|_| GradientSlot { values: dresidual, adds: adds.1 });
        let (gamma, beta) = (&p.of(norm.norm)[0], &p.of(norm.norm)[1]);
        let (mean, inv_std, activation) = (&values[..c], &values[2 * c..], norm.activation);
        let normalised = Normalised { x, y, dy, c, mean, inv_std, gamma, beta, activation };
        match part {
            Part::Sums => normalised.sums(&self.cpu, !first, dgamma, dbeta, scratch),
            Part::PassOn => normalised.pass_on(&self.cpu, rows, dgamma, dbeta, dx, dresidual, scratch),
            Part::All => normalised.backward(&self.cpu, dx, dresidual, dgamma, dbeta, scratch),
        }
    }
}
