//! A backward sweep, step by step.

use crate::arena::carve;
use crate::forward::Ranges;
use crate::gradients::Gradients;
use crate::parameters::Parameters;
use crate::program::{Conv, Kind, Norm};
use crate::session::{Session, Slices};
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{Backward, NodeId, Setting};
use striate_kernels::{
    Activation, Destination, Epilogue, GradientSlot, activate_backward, normalise_activate_backward,
};

/// `range` if it is wanted, else nothing.
fn kept(wanted: bool, range: Range<usize>) -> Range<usize> {
    if wanted { range } else { 0..0 }
}

impl Session {
    pub(crate) fn backward_step(&mut self, p: &Parameters, step: usize, gradients: &mut Gradients<'_>) {
        let planned = &self.plan.steps[step];
        let (kind, output) = (planned.step.kind, planned.step.output());
        match kind {
            Kind::Layer => self.backward_layer(p, step, output, gradients),
            Kind::Conv(conv) => self.backward_conv(p, step, &conv, gradients),
            Kind::Norm(norm) => self.backward_norm(p, step, &norm, gradients),
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
        let switches = self.switches_of(place, id, &shapes);
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
        dparams.iter_mut().flatten().for_each(|g| g.fill(0.0));
        let [dy, values, scratch, output] = &mut slices[..] else { unreachable!("four ranges are left") };
        node.layer.backward(Backward {
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
        });
    }

    fn backward_conv(&mut self, p: &Parameters, step: usize, conv: &Conv, gradients: &mut Gradients<'_>) {
        let planned = &self.plan.steps[step];
        let (Some(plan), id) = (&planned.conv, planned.step.output()) else { unreachable!("convolutions are planned") };
        let node = self.graph.node(conv.conv);
        let input = node.inputs[0];
        let adds = !self.assigns(step, input);
        let clamps = conv.activation != Activation::None;
        let mut ranges = Ranges::new();
        ranges.extend([self.gradient_at(id), self.plan.scratch.clone(), kept(clamps, self.read(id))]);
        ranges.push(kept(plan.weight.is_some(), self.read(input)));
        ranges.push(kept(plan.data.is_some(), self.gradient_at(input)));
        let batch = self.turn.len();
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, scratch, y, x, dx] = &mut slices[..] else { unreachable!("five ranges") };

        let cpu = &*self.cpu;
        let mut asked = gradients.of(node, conv.conv).into_iter().zip(&node.params);
        let weight = asked.next().map(|(g, _)| g);
        let bias = asked.next().filter(|(_, spec)| self.request.parameter_gradients && spec.trainable);
        let bias = bias.map(|(g, _)| g);
        if clamps || bias.is_some() {
            activate_backward(cpu, y, dy, node.shape.c, conv.activation, bias, scratch);
        }
        if let Some(data) = plan.data.map(|data| data.batch(batch)) {
            let (made, scratch) = scratch.split_at_mut(data.prepared_len());
            data.prepare(cpu, &p.of(conv.conv)[0], None, made);
            let weights = if made.is_empty() { &p.of(conv.conv)[0] } else { &*made };
            let channels = self.graph.node(input).shape.c;
            let mut to = Destination { adds, ..Destination::assign(dx, channels) };
            data.run(cpu, dy, weights, &Epilogue::default(), &mut to, scratch);
        }
        // Empty where it is computed and handed on by rows.
        let weight = weight.filter(|dw| !dw.is_empty());
        if let (Some(by_weight), Some(dw)) = (plan.weight.map(|w| w.batch(batch)), weight) {
            by_weight.run(cpu, x, dy, dw, false, scratch);
        }
    }

    fn backward_norm(&mut self, p: &Parameters, step: usize, norm: &Norm, gradients: &mut Gradients<'_>) {
        let id = self.plan.steps[step].step.output();
        let node = self.graph.node(norm.norm);
        let input = node.inputs[0];
        let places = &self.plan.places;
        let in_sweep = |id: NodeId| places[id.index()].in_sweep;
        let residual = norm.residual.filter(|id| in_sweep(*id));
        let mut ranges = Ranges::new();
        ranges.extend([self.gradient_at(id), self.plan.scratch.clone(), kept(norm.reads_output(), self.read(id))]);
        ranges.extend([places[norm.norm.index()].values.clone(), self.read(input)]);
        ranges.push(kept(in_sweep(input), self.gradient_at(input)));
        ranges.push(residual.map_or(0..0, |id| self.gradient_at(id)));
        let adds = (!self.assigns(step, input), residual.is_some_and(|id| !self.assigns(step, id)));
        let wanted = in_sweep(input);
        let mut slices = carve(&mut self.arena, &ranges);
        let [dy, scratch, y, values, x, dx, dresidual] = &mut slices[..] else { unreachable!("seven ranges") };

        let c = node.shape.c;
        let (mean, inv_std) = (&values[..c], &values[2 * c..]);
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
        normalise_activate_backward(
            &self.cpu,
            x,
            y,
            dy,
            c,
            mean,
            inv_std,
            gamma,
            beta,
            norm.activation,
            dx,
            dresidual,
            dgamma,
            dbeta,
            scratch,
        );
    }
}
