//! A forward pass, step by step.

use crate::arena::carve;
use crate::parameters::Parameters;
use crate::program::{Conv, Kind, Norm};
use crate::session::{Session, Slices};
use crate::stages::Stage;
use smallvec::SmallVec;
use std::ops::Range;
use striate_graph::{AnyLayer, Forward, Graph, NodeId, Setting};
use striate_kernels::{
    Destination, Epilogue, channel_statistics, combine_moments, halves, halves_mut, normalise_activate,
};

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
            match (&plan.half, plan.tiles.and_then(|tiles| tiles.forward)) {
                (Some(half), _) => {
                    half.prepare(&self.cpu, weight, scale.as_deref(), &mut halves_mut(prepared)[..half.prepared_len()]);
                }
                (None, Some(forward)) => {
                    let prepared = &mut halves_mut(prepared)[..forward.prepared_len()];
                    forward.prepare(&self.cpu, weight, scale.as_deref(), prepared);
                }
                (None, None) => plan.forward.prepare(&self.cpu, weight, scale.as_deref(), prepared),
            }
        }
        self.prepared_from = Some(p.stamp());
    }

    pub(crate) fn forward_step(&mut self, p: &Parameters, step: usize) {
        let planned = &self.plan.steps[step];
        let (kind, output) = (planned.step.kind, planned.step.output());
        if let Kind::Norm(norm) = kind {
            self.norm_statistics(step, &norm);
        }
        self.widen_forward(step);
        match kind {
            Kind::Layer => self.forward_layer(p, output),
            Kind::Conv(conv) => match self.forward_on_tiles(step) {
                Some(forward) => self.forward_tiles(p, step, &conv, forward),
                None => self.forward_conv(p, step, &conv),
            },
            Kind::Norm(norm) => self.forward_norm(p, output, &norm),
        }
        self.narrow();
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
        if training && prepares && self.turn.start == 0 {
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
        if let Some(half) = plan.half.map(|half| half.batch(self.turn.len())) {
            let weights = &halves(&self.prepared[plan.prepared.clone()])[..half.prepared_len()];
            return half.run(&self.cpu, x, weights, bias, conv.activation, output);
        }
        let epilogue = Epilogue { bias, residual, activation: conv.activation };
        let moments = |images: usize| conv.gathers.and(plan.forward.batch(images).moments_len()).unwrap_or(0);
        let turns = || Stage { steps: 0..0, images: planned.images }.turns(self.batch);
        let before: usize = turns().take_while(|t| t.start < self.turn.start).map(|t| moments(t.len())).sum();
        let own = moments(self.turn.len());
        let room: usize = turns().map(|t| moments(t.len())).sum();
        let (blocks, scratch) = scratch.split_at_mut(room.next_multiple_of(16));
        let mut to = Destination {
            values: output,
            pitch,
            channel: inside.map_or(0, |inside| inside.channel),
            adds: false,
            moments: conv.gathers.is_some().then_some(&mut blocks[before..before + own]),
        };
        forward.run(&self.cpu, x, weights, &epilogue, &mut to, scratch);
        if conv.gathers.is_some() && self.turn.end == self.batch {
            let c = statistics.len() / 3;
            let (mean, rest) = statistics.split_at_mut(c);
            combine_moments(&self.cpu, &blocks[..before + own], mean, &mut rest[..c]);
        }
    }

    /// Assigns the statistics that no convolution has gathered, before the first turn. Those of the turns are combined after
    /// Chan, Golub and `LeVeque` (1983).
    fn norm_statistics(&mut self, step: usize, norm: &Norm) {
        // Run again, it finds its statistics in place.
        if norm.gathered || self.sweeping || self.turn.start > 0 {
            return;
        }
        let node = self.graph.node(norm.norm);
        let (c, cells, input) = (node.shape.c, node.shape.h * node.shape.w, node.inputs[0]);
        let stage = Stage { steps: step..step + 1, images: self.plan.steps[step].images };
        let first = self.turn.clone();
        for turn in stage.turns(self.batch) {
            self.turn = turn.clone();
            self.widen_forward(step);
            let values = self.plan.places[norm.norm.index()].values.clone();
            let ranges = Ranges::from_iter([values, self.plan.scratch.clone(), self.read(input)]);
            let mut slices = carve(&mut self.arena, &ranges);
            let [values, scratch, x] = &mut slices[..] else { unreachable!("three ranges") };
            let (mean, rest) = values.split_at_mut(c);
            let var = &mut rest[..c];
            if turn.start == 0 {
                channel_statistics(&self.cpu, x, c, mean, var, scratch);
            } else {
                let (own_mean, scratch) = scratch.split_at_mut(c);
                let (own_var, scratch) = scratch.split_at_mut(c);
                channel_statistics(&self.cpu, x, c, own_mean, own_var, scratch);
                let share = (turn.len() * cells) as f64 / (turn.end * cells) as f64;
                for i in 0..c {
                    let delta = f64::from(own_mean[i]) - f64::from(mean[i]);
                    let between = delta * delta * share * (1.0 - share);
                    var[i] = (f64::from(var[i]) * (1.0 - share) + f64::from(own_var[i]) * share + between) as f32;
                    mean[i] = (f64::from(mean[i]) + delta * share) as f32;
                }
            }
            self.widened.clear();
        }
        self.turn = first;
    }

    fn forward_norm(&mut self, p: &Parameters, id: NodeId, norm: &Norm) {
        let node = self.graph.node(norm.norm);
        let AnyLayer::BatchNorm(layer) = &node.layer else { unreachable!("a normalisation") };
        let mut ranges = Ranges::new();
        ranges.extend([self.read(id), self.plan.places[norm.norm.index()].values.clone()]);
        ranges.push(self.read(node.inputs[0]));
        ranges.extend(norm.residual.map(|id| self.read(id)));
        let mut slices = carve(&mut self.arena, &ranges);
        let residual = if norm.residual.is_some() { slices.pop().map(|s| &*s) } else { None };
        let [output, values, x] = &mut slices[..] else { unreachable!("three ranges are left") };
        let c = node.shape.c;
        let (mean, rest) = values.split_at_mut(c);
        let (var, inv_std) = rest.split_at_mut(c);
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
