//! A forward pass, step by step.

use crate::arena::carve;
use crate::parameters::Parameters;
use crate::program::{Conv, Kind, Norm};
use crate::session::{Session, Slices};
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{AnyLayer, Forward, Graph, NodeId, Setting};
use striate_kernels::{Destination, Epilogue, channel_statistics, combine_moments, normalise_activate};

/// Ranges of the arena that a step reads and writes.
pub(crate) type Ranges = SmallVec<[Range<usize>; 12]>;

impl Session {
    /// Prepares the convolutions' weights, unless that was done for these very parameters. Training does so in every step.
    pub(crate) fn prepare(&mut self, p: &Parameters) {
        if self.request.training || self.prepared_from == Some(p.stamp()) {
            return;
        }
        for planned in &self.plan.steps {
            let (Kind::Conv(conv), Some(plan)) = (&planned.step.kind, &planned.conv) else { continue };
            let weight = &p.of(conv.conv)[0];
            let [prepared, bias] =
                self.prepared.get_disjoint_mut([plan.prepared.clone(), plan.bias.clone()]).unwrap_or_default();
            let scale = conv.folded.map(|norm| fold(&self.graph, p, conv.conv, norm, bias));
            plan.forward.prepare(&self.cpu, weight, scale.as_deref(), prepared);
        }
        self.prepared_from = Some(p.stamp());
    }

    pub(crate) fn forward_step(&mut self, p: &Parameters, step: usize) {
        let planned = &self.plan.steps[step];
        let (kind, output) = (planned.step.kind, planned.step.output());
        match kind {
            Kind::Layer => self.forward_layer(p, output),
            Kind::Conv(conv) => self.forward_conv(p, step, &conv),
            Kind::Norm(norm) => self.forward_norm(p, output, &norm),
        }
    }

    fn forward_layer(&mut self, p: &Parameters, id: NodeId) {
        let (node, shapes) = (self.graph.node(id), self.shapes(id));
        let place = &self.plan.places[id.index()];
        let mut ranges = Ranges::new();
        ranges.extend([self.read(id), place.values.clone(), self.plan.scratch.clone()]);
        ranges.extend(node.inputs.iter().map(|i| self.read(*i)));
        let switches = self.switches_of(place, id, &shapes);
        let (batch, training, seed) = (self.turn.len(), self.request.training, self.seed_of(id));
        let setting = Setting { cpu: &self.cpu, batch, training, seed, shapes: &shapes, shape: node.shape };
        let mut slices = carve(&mut self.arena, &ranges);
        let inputs: Slices<'_> = slices.drain(3..).map(|s| &*s).collect();
        let params: Slices<'_> = p.of(id).iter().map(Vec::as_slice).collect();
        let [output, values, scratch] = &mut slices[..] else { unreachable!("three ranges are left") };
        node.layer.forward(Forward {
            setting,
            inputs: &inputs,
            params: &params,
            output,
            values,
            switches: &mut self.switches[switches],
            scratch,
        });
    }

    fn forward_conv(&mut self, p: &Parameters, step: usize, conv: &Conv) {
        let planned = &self.plan.steps[step];
        let (Some(plan), id) = (&planned.conv, planned.step.output()) else { unreachable!("convolutions are planned") };
        let inside = self.plan.program.inside[id.index()];
        let home = inside.map_or(id, |inside| inside.concat);
        let statistics = conv.gathers.map_or(0..0, |norm| self.plan.places[norm.index()].values.clone());
        let mut ranges = Ranges::new();
        ranges.extend([self.read(home), statistics, self.plan.scratch.clone()]);
        ranges.push(self.read(self.graph.node(conv.conv).inputs[0]));
        // A block around one convolution adds what it reads.
        let residual = conv.residual.map(|id| self.read(id));
        let own = residual == Some(ranges[3].clone());
        ranges.extend(residual.clone().filter(|_| !own));
        let forward = plan.forward.batch(self.turn.len());
        let (training, pitch) = (self.request.training, self.graph.node(home).shape.c);

        let mut slices = carve(&mut self.arena, &ranges);
        let other = if slices.len() > 4 { slices.pop().map(|s| &*s) } else { None };
        let [output, statistics, scratch, x] = &mut slices[..] else { unreachable!("four ranges are left") };
        let x = &**x;
        let residual = residual.and(if own { Some(x) } else { other });
        let params = p.of(conv.conv);
        let prepares = forward.prepared_len() > 0;
        let (made, scratch) = scratch.split_at_mut(if training { forward.prepared_len() } else { 0 });
        if training && prepares {
            forward.prepare(&self.cpu, &params[0], None, made);
        }
        let weights = match (prepares, training) {
            (false, _) => &params[0],
            (true, true) => &*made,
            (true, false) => &self.prepared[plan.prepared.clone()],
        };
        let bias = if conv.folded.is_some() {
            Some(&self.prepared[plan.bias.clone()])
        } else {
            params.get(1).map(Vec::as_slice)
        };
        let epilogue = Epilogue { bias, residual, activation: conv.activation };
        let moments = conv.gathers.and(forward.moments_len()).unwrap_or(0);
        let (blocks, scratch) = scratch.split_at_mut(moments.next_multiple_of(16));
        let blocks = &mut blocks[..moments];
        let mut to = Destination {
            values: output,
            pitch,
            channel: inside.map_or(0, |inside| inside.channel),
            adds: false,
            moments: conv.gathers.is_some().then_some(&mut *blocks),
        };
        forward.run(&self.cpu, x, weights, &epilogue, &mut to, scratch);
        if conv.gathers.is_some() {
            let c = statistics.len() / 3;
            let (mean, rest) = statistics.split_at_mut(c);
            combine_moments(&self.cpu, blocks, mean, &mut rest[..c]);
        }
    }

    fn forward_norm(&mut self, p: &Parameters, id: NodeId, norm: &Norm) {
        let node = self.graph.node(norm.norm);
        let AnyLayer::BatchNorm(layer) = &node.layer else { unreachable!("a normalisation") };
        let mut ranges = Ranges::new();
        ranges.extend([self.read(id), self.plan.places[norm.norm.index()].values.clone()]);
        ranges.extend([self.plan.scratch.clone(), self.read(node.inputs[0])]);
        ranges.extend(norm.residual.map(|id| self.read(id)));
        let mut slices = carve(&mut self.arena, &ranges);
        let residual = if norm.residual.is_some() { slices.pop().map(|s| &*s) } else { None };
        let [output, values, scratch, x] = &mut slices[..] else { unreachable!("four ranges are left") };
        let c = node.shape.c;
        let (mean, rest) = values.split_at_mut(c);
        let (var, inv_std) = rest.split_at_mut(c);
        // Run again, it finds its statistics in place.
        if !norm.gathered && !self.sweeping {
            channel_statistics(&self.cpu, x, c, mean, var, scratch);
        }
        layer.invert(var, inv_std);
        let params = p.of(norm.norm);
        let (gamma, beta) = (&params[0], &params[1]);
        normalise_activate(&self.cpu, x, c, mean, inv_std, gamma, beta, residual, norm.activation, output);
    }
}

/// Assigns the bias of a convolution with the normalisation behind it folded in, and returns what its weights are multiplied
/// by: γ / √(σ² + ε).
fn fold(graph: &Graph, p: &Parameters, conv: NodeId, norm: NodeId, bias: &mut [f32]) -> Vec<f32> {
    let AnyLayer::BatchNorm(layer) = &graph.node(norm).layer else { unreachable!("a normalisation is folded") };
    let [gamma, beta, mean, var] = p.of(norm) else { unreachable!("four parameters") };
    let own = p.of(conv).get(1);
    let mut scale = vec![0.0; gamma.len()];
    layer.invert(var, &mut scale);
    for (i, scale) in scale.iter_mut().enumerate() {
        *scale *= gamma[i];
        bias[i] = beta[i] + (own.map_or(0.0, |b| b[i]) - mean[i]) * *scale;
    }
    scale
}
