//! Batch normalisation folded into the convolution or linear layer before it (Jacob et al. 2017, arXiv:1712.05877, section
//! 3.2): with s = γ / √(σ² + ε), weights become s·w and biases s·(b − μ) + β. Computed in f64, rounded once.

use crate::Tensor;
use std::collections::{BTreeMap, HashSet};
use striate_graph::layers::{Conv, Linear};
use striate_graph::{AnyLayer, Change, Graph, GraphError, Node};

/// The network without the batch normalisations that follow a convolution or linear layer alone, and its parameters.
/// Others stay.
///
/// # Errors
/// Never for a network whose tensors are all there.
pub fn fold_batch_norm(
    graph: &Graph,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(Graph, BTreeMap<String, Tensor>), GraphError> {
    let users = graph.users();
    let (mut folded, mut gone, mut widened) = (tensors.clone(), HashSet::new(), HashSet::new());
    for node in graph.nodes() {
        let (AnyLayer::BatchNorm(norm), &[input]) = (&node.layer, &node.inputs[..]) else { continue };
        let before = graph.node(input);
        let foldable = matches!(before.layer, AnyLayer::Conv(_) | AnyLayer::Linear(_));
        let heard = graph.output_id() == input || graph.auxiliary().iter().any(|a| a.node == input);
        if !foldable || heard || users[input.index()] != 1 || gone.contains(before.name.as_str()) {
            continue;
        }
        let of = |node: &Node, name: &str| tensors.get(&format!("{}.{name}", node.name)).map(|t| &t.values);
        let (Some(weight), Some(gamma), Some(beta), Some(mean), Some(var)) = (
            of(before, "weight"),
            of(node, "weight"),
            of(node, "bias"),
            of(node, "running_mean"),
            of(node, "running_var"),
        ) else {
            continue;
        };
        let bias = of(before, "bias");
        let scale = |o: usize| f64::from(gamma[o]) / (f64::from(var[o]) + f64::from(norm.epsilon)).sqrt();
        let filter = weight.len() / gamma.len();
        let scaled = weight.chunks_exact(filter).enumerate();
        let scaled = scaled.flat_map(|(o, w)| w.iter().map(move |v| (f64::from(*v), o)));
        let weights = scaled.map(|(v, o)| (v * scale(o)) as f32).collect();
        let shift = |o: usize| {
            let b = bias.map_or(0.0, |b| f64::from(b[o]));
            (scale(o) * (b - f64::from(mean[o])) + f64::from(beta[o])) as f32
        };
        let biases = Tensor { shape: vec![gamma.len()], values: (0..gamma.len()).map(shift).collect() };
        if let Some(weight) = folded.get_mut(&format!("{}.weight", before.name)) {
            weight.values = weights;
        }
        folded.insert(format!("{}.bias", before.name), biases);
        node.params.iter().for_each(|p| drop(folded.remove(&node.param_name(p))));
        gone.insert(node.name.as_str());
        widened.insert(before.name.as_str());
    }
    let graph = graph.rewrite(|node| match &node.layer {
        _ if gone.contains(node.name.as_str()) => Change::Remove,
        AnyLayer::Conv(l) if widened.contains(node.name.as_str()) => Change::Replace(Conv { bias: true, ..*l }.into()),
        AnyLayer::Linear(l) if widened.contains(node.name.as_str()) => {
            Change::Replace(Linear { bias: true, ..*l }.into())
        }
        _ => Change::Keep,
    })?;
    Ok((graph, folded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_graph::layers::{Add, BatchNorm};
    use striate_graph::{Builder, Shape};

    fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
        Tensor { shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn weights_and_biases_follow_the_formula() {
        let mut g = Builder::new("n");
        let x = g.input(Shape::new(1, 1, 1));
        let x = g.add("conv", Conv::new(2, 1), x);
        let x = g.add("bn", BatchNorm::new().epsilon(0.25), x);
        let graph = g.finish(x).unwrap();
        let tensors = BTreeMap::from([
            ("conv.weight".to_owned(), tensor(&[2, 1, 1, 1], &[3.0, -1.0])),
            ("conv.bias".to_owned(), tensor(&[2], &[1.0, 0.5])),
            ("bn.weight".to_owned(), tensor(&[2], &[2.0, 4.0])),
            ("bn.bias".to_owned(), tensor(&[2], &[10.0, 20.0])),
            ("bn.running_mean".to_owned(), tensor(&[2], &[5.0, 0.5])),
            ("bn.running_var".to_owned(), tensor(&[2], &[0.75, 3.75])),
        ]);
        let (folded, values) = fold_batch_norm(&graph, &tensors).unwrap();
        // s = 2 / √1 = 2 and 4 / √4 = 2; biases 2 · (1 − 5) + 10 and 2 · (0.5 − 0.5) + 20.
        assert_eq!(values["conv.weight"].values, [6.0, -2.0]);
        assert_eq!(values["conv.bias"].values, [2.0, 20.0]);
        assert_eq!((values.len(), folded.nodes().len(), folded.output().name.as_str()), (2, 2, "conv"));
    }

    #[test]
    fn what_others_read_is_not_folded() {
        let mut g = Builder::new("n");
        let x = g.input(Shape::new(2, 2, 2));
        let c = g.add("conv", Conv::new(2, 1).no_bias(), x);
        let b = g.add("bn", BatchNorm::new(), c);
        let y = g.add("add", Add, [b, c]);
        let graph = g.finish(y).unwrap();
        let values = |n: usize| (0..n).map(|i| i as f32 + 1.0).collect();
        let named = graph.params().map(|(n, p)| (n, Tensor { shape: p.shape.clone(), values: values(p.len()) }));
        let tensors: BTreeMap<_, _> = named.collect();
        let (same, kept) = fold_batch_norm(&graph, &tensors).unwrap();
        assert_eq!((same, kept), (graph, tensors));
    }
}
