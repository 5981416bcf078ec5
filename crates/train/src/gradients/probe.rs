//! What is read of each weighted layer after a sweep: how large its output is, the gradient by it, and its weight's gradient.

use crate::{Stepper, TrainError};
use serde::Serialize;
use striate_graph::{Graph, NodeId};

/// The weighted layers of a network: those with a trained weight that is not normalisation's, and on which the output
/// depends, so not the auxiliary classifiers'.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    layers: Vec<Watched>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Watched {
    node: NodeId,
    /// Which of the node's parameters is the weight.
    weight: usize,
    depth: usize,
}

/// A layer at one moment: a row of `gradients.csv`. Root mean squares are over a batch's images, pixels and channels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRow {
    /// The variant, as it was written.
    pub variant: String,
    /// Updates made before.
    pub step: u64,
    /// Of the weighted layers in the network's order, from 1.
    pub layer: usize,
    /// Weighted layers on the longest way from the input up to this one, itself included.
    pub depth: usize,
    /// The node's name.
    pub name: String,
    /// The layer's kind.
    pub kind: &'static str,
    /// Values of the output for the whole batch.
    pub values: usize,
    /// Root mean square of the output, before normalisation and activation.
    pub activation_rms: f64,
    /// Root mean square of the loss's gradient by the output.
    pub gradient_rms: f64,
    /// Euclidean norm of the weight.
    pub weight_norm: f64,
    /// Root mean square of the loss's gradient by the weight.
    pub weight_gradient_rms: f64,
    /// Euclidean norm of that gradient.
    pub weight_gradient_norm: f64,
    /// That norm by the weight's: how fast the layer could change.
    pub weight_gradient_ratio: f64,
}

impl Probe {
    /// Finds the weighted layers.
    pub fn new(graph: &Graph) -> Probe {
        let predicting = graph.predicting();
        let mut depths: Vec<usize> = Vec::new();
        let mut layers = Vec::new();
        for (node, id) in graph.nodes().iter().zip(graph.ids()) {
            let before = node.inputs.iter().map(|i| depths[i.index()]).max().unwrap_or(0);
            let weight = node.params.iter().position(|p| p.trainable && p.decay);
            depths.push(before + usize::from(weight.is_some()));
            if let (Some(weight), true) = (weight, predicting[id.index()]) {
                layers.push(Watched { node: id, weight, depth: before + 1 });
            }
        }
        Probe { layers }
    }

    /// The nodes that a stepper must watch.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.layers.iter().map(|l| l.node).collect()
    }

    /// Reads all layers after a sweep whose gradients are kept.
    ///
    /// # Errors
    /// If the stepper does not watch them, keeps no gradients, or made no sweep backward.
    pub fn read(&self, stepper: &Stepper, variant: &str, step: u64) -> Result<Vec<LayerRow>, TrainError> {
        let unkept = || TrainError::Setting("the layers' gradients were not kept".into());
        let gradients = stepper.gradients().ok_or_else(unkept)?;
        let row = |(i, l): (usize, &Watched)| {
            let node = stepper.graph().node(l.node);
            let output = stepper.activation(l.node)?;
            let weight_norm = square_sum(&stepper.parameters().of(l.node)[l.weight]).sqrt();
            let gradient = &gradients.of(l.node)[l.weight];
            let weight_gradient_norm = square_sum(gradient).sqrt();
            Ok(LayerRow {
                variant: variant.into(),
                step,
                layer: i + 1,
                depth: l.depth,
                name: node.name.clone(),
                kind: node.layer.kind(),
                values: output.len(),
                activation_rms: rms(output),
                gradient_rms: rms(stepper.gradient(l.node)?),
                weight_norm,
                weight_gradient_rms: rms(gradient),
                weight_gradient_norm,
                weight_gradient_ratio: weight_gradient_norm / weight_norm,
            })
        };
        self.layers.iter().enumerate().map(row).collect()
    }
}

fn square_sum(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
}

fn rms(values: &[f32]) -> f64 {
    (square_sum(values) / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rule;
    use std::sync::Arc;
    use striate_engine::Parameters;
    use striate_graph::layers::{Add, BatchNorm, Conv, GlobalAvgPool, Linear, Relu, Sigmoid};
    use striate_graph::{AnyLayer, Builder, Shape};
    use striate_kernels::Cpu;

    const PLAIN: Rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };

    /// `w` one after another, an activation between, and two classes at the end; each weight a single number.
    fn chain(activation: Option<&AnyLayer>, w: &[f32], x: f32) -> (f64, Vec<LayerRow>) {
        let mut g = Builder::new("chain");
        let mut y = g.input(Shape::vector(1));
        for i in 0..w.len() {
            y = g.add(format!("fc{i}"), Linear::new(1), y);
            if let Some(a) = activation {
                y = g.add(format!("act{i}"), a.clone(), y);
            }
        }
        let y = g.add("classes", Linear::new(2), y);
        let graph = Arc::new(g.finish(y).unwrap());
        let mut p = Parameters::zeros(&graph);
        for (i, w) in w.iter().enumerate() {
            p.set(&format!("fc{i}.weight"), [*w]).unwrap();
        }
        p.set("classes.weight", [1.0, -1.0]).unwrap();
        let probe = Probe::new(&graph);
        let cpu = Arc::new(Cpu::new(1).unwrap());
        let mut stepper = Stepper::watching(graph, cpu, p, PLAIN, 1, &probe.nodes()).unwrap();
        let (loss, _) = stepper.sweep(&[x], &[0], 0).unwrap();
        (loss, probe.read(&stepper, "chain", 0).unwrap())
    }

    fn close(found: f64, wanted: f64) {
        assert!((found / wanted - 1.0).abs() < 1e-5, "{found}, wanted {wanted}");
    }

    #[test]
    fn a_linear_chains_gradients_are_products() {
        let (w, x) = ([0.5f32, -2.0, 0.25, 3.0], 0.8f32);
        let (loss, rows) = chain(None, &w, x);
        let y = w.iter().fold(f64::from(x), |y, &w| y * f64::from(w));
        // Logits y and −y with label 0: the loss is ln(1 + e^(−2y)), and its derivative by y is −2 / (1 + e^(2y)).
        close(loss, (1.0 + (-2.0 * y).exp()).ln());
        let by_y = (2.0 / (1.0 + (2.0 * y).exp())).abs();
        let mut output = f64::from(x);
        for (i, row) in rows[..4].iter().enumerate() {
            let input = output;
            output *= f64::from(w[i]);
            let after: f64 = w[i + 1..].iter().map(|&w| f64::from(w)).product();
            assert_eq!((row.layer, row.depth, row.name.as_str(), row.values), (i + 1, i + 1, &*format!("fc{i}"), 1));
            close(row.activation_rms, output.abs());
            close(row.gradient_rms, (by_y * after).abs());
            close(row.weight_gradient_norm, (by_y * after * input).abs());
            close(row.weight_norm, f64::from(w[i]).abs());
            close(row.weight_gradient_ratio, row.weight_gradient_norm / row.weight_norm);
        }
        // (p − 1, p') of a softmax of two: each is half the derivative by y.
        close(rows[4].gradient_rms, by_y / 2.0);
        close(rows[4].weight_gradient_rms, by_y / 2.0 * y.abs());
        close(rows[4].weight_norm, 2f64.sqrt());
    }

    #[test]
    fn a_sigmoid_takes_three_quarters_of_the_gradient_at_least() {
        let w = [0.9f32; 12];
        let (_, rows) = chain(Some(&Sigmoid.into()), &w, 0.5);
        for pair in rows[..12].windows(2) {
            let share = pair[0].gradient_rms / pair[1].gradient_rms;
            // σ' = σ (1 − σ) of this layer's own output, times the next weight.
            let z = pair[0].activation_rms;
            let s = 1.0 / (1.0 + (-z).exp());
            close(share, s * (1.0 - s) * 0.9);
            assert!(share <= 0.9 / 4.0 + 1e-6, "{share}");
        }
        assert!(rows[11].gradient_rms / rows[0].gradient_rms > (4.0 / 0.9f64).powi(11) * 0.999);
    }

    #[test]
    fn root_mean_squares_are_over_all_images_and_pixels() {
        let mut g = Builder::new("pooled");
        let x = g.input(Shape::new(2, 3, 1));
        let x = g.add("conv", Conv::new(2, 1).no_bias(), x);
        let x = g.add("pool", GlobalAvgPool, x);
        let graph = Arc::new(g.finish(x).unwrap());
        let mut p = Parameters::zeros(&graph);
        p.set("conv.weight", [3.0, 4.0]).unwrap();
        let probe = Probe::new(&graph);
        let cpu = Arc::new(Cpu::new(1).unwrap());
        let mut stepper = Stepper::watching(graph, cpu, p, PLAIN, 2, &probe.nodes()).unwrap();
        stepper.sweep(&[0.0; 12], &[0, 1], 0).unwrap();
        let zero = &probe.read(&stepper, "", 0).unwrap()[0];
        // Black images: every logit is 0, every probability a half, the loss's gradient ±½ by 2 images and 6 pixels.
        close(zero.gradient_rms, 0.5 / 2.0 / 6.0);
        assert_eq!((zero.activation_rms, zero.weight_gradient_norm, zero.values), (0.0, 0.0, 24));
        stepper.sweep(&[1.0; 12], &[0, 1], 0).unwrap();
        let row = &probe.read(&stepper, "", 0).unwrap()[0];
        close(row.activation_rms, 12.5f64.sqrt());
        close(row.weight_norm, 5.0);
    }

    #[test]
    fn depth_follows_the_longest_way_and_normalisation_has_no_weight() {
        let mut g = Builder::new("block");
        let x = g.input(Shape::new(4, 4, 2));
        let a = g.add("a", Conv::new(2, 3).pad(1), x);
        let b = g.add("bn", BatchNorm::new(), a);
        let b = g.add("b", Conv::new(2, 3).pad(1), b);
        let short = g.add("short", Conv::new(2, 1), x);
        let y = g.add("add", Add, [b, short]);
        let y = g.add("relu", Relu, y);
        let y = g.add("pool", GlobalAvgPool, y);
        let head = g.add("head", Linear::new(3), y);
        let y = g.add("fc", Linear::new(3), y);
        g.auxiliary(head, 0.3);
        let graph = g.finish(y).unwrap();
        let found: Vec<_> =
            Probe::new(&graph).layers.iter().map(|l| (graph.node(l.node).name.clone(), l.depth)).collect();
        let wanted = [("a", 1), ("b", 2), ("short", 1), ("fc", 3)].map(|(n, d)| (n.to_owned(), d));
        assert_eq!(found, wanted, "the auxiliary classifier is not part of the way");
    }
}
