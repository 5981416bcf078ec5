//! Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) and Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063): maps of one
//! layer, weighted by how much the class's score rises with each, summed and rectified; in the input's size by bilinear
//! interpolation. Grad-CAM weights a channel by its mean gradient; Grad-CAM++ by its positive gradients, each by
//! α = g² / (2 g² + g³ Σ A), the sum over the channel's map (their equation 19, for a score behind an exponential).

use super::{Explanation, Method, Settings, facts};
use crate::probe::Probe;
use crate::{Array, ExplainError, Heat, Subject, last_map};
use serde_json::json;
use striate_engine::Rule;
use striate_graph::NodeId;

/// Weighted by mean gradients.
pub struct GradCam;

/// Weighted by positive gradients.
pub struct GradCamPlusPlus;

impl Method for GradCam {
    fn name(&self) -> &'static str {
        "gradcam"
    }

    fn about(&self) -> &'static str {
        "where the maps lie that raise the score"
    }

    fn source(&self) -> &'static str {
        "Selvaraju et al. 2017, arXiv:1610.02391"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        explain(subject, input, class, settings.layer, mean_gradients)
    }
}

impl Method for GradCamPlusPlus {
    fn name(&self) -> &'static str {
        "gradcam++"
    }

    fn about(&self) -> &'static str {
        "where the maps lie that raise the score, several of a kind alike"
    }

    fn source(&self) -> &'static str {
        "Chattopadhay et al. 2018, arXiv:1710.11063"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        explain(subject, input, class, settings.layer, positive_gradients)
    }
}

/// The weight of each channel, from activations and gradients of `c` channels.
type Weights = fn(&[f32], &[f32], usize) -> Vec<f32>;

fn explain(
    subject: &Subject,
    input: &[f32],
    class: usize,
    layer: Option<NodeId>,
    weights: Weights,
) -> Result<Explanation, ExplainError> {
    let (layer, why) = match layer {
        Some(layer) => (layer, "it was asked for".to_owned()),
        None => last_map(&subject.graph)?,
    };
    let node = subject.graph.node(layer);
    let (shape, start) = (node.shape, subject.scores());
    let mut probe = Probe::new(subject, &[start], &[layer], 1)?;
    probe.of_class(Rule::Gradient, input, class)?;
    let activations = probe.activation(layer)?;
    let gradients = probe.gradient(layer).map_err(|_| ExplainError::Layer {
        what: "Grad-CAM",
        layer: node.name.clone(),
        why: "the class's score does not depend on it".into(),
    })?;
    let weights = weights(activations, gradients, shape.c);
    let cell = |v: &[f32]| v.iter().zip(&weights).map(|(a, w)| a * w).sum::<f32>().max(0.0);
    let small = Heat::new(shape.h, shape.w, activations.chunks_exact(shape.c).map(cell).collect());
    let size = subject.graph.input().shape;
    let facts = facts([("layer", json!(node.name)), ("why", json!(why)), ("cells", json!([shape.h, shape.w]))]);
    let raw = Array::new(&[small.h, small.w], small.values.clone());
    Ok(Explanation { heat: small.resized(size.h, size.w), signed: false, raw, facts })
}

fn mean_gradients(activations: &[f32], gradients: &[f32], c: usize) -> Vec<f32> {
    let cells = activations.len() / c;
    let mut sum = vec![0.0; c];
    for gradient in gradients.chunks_exact(c) {
        sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
    }
    for sum in &mut sum {
        *sum /= cells as f32;
    }
    sum
}

fn positive_gradients(activations: &[f32], gradients: &[f32], c: usize) -> Vec<f32> {
    let mut total = vec![0.0; c];
    for activation in activations.chunks_exact(c) {
        total.iter_mut().zip(activation).for_each(|(total, a)| *total += a);
    }
    let mut sum = vec![0.0; c];
    for gradient in gradients.chunks_exact(c) {
        for ((sum, &g), total) in sum.iter_mut().zip(gradient).zip(&total) {
            let below: f32 = 2.0 * g * g + total * g * g * g;
            // Where the gradient is 0, so is what it adds.
            if g > 0.0 && below != 0.0 {
                *sum += g * g / below * g;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};

    #[test]
    fn weights_are_the_papers() {
        // Two cells of two channels.
        let (a, g) = ([1.0, 2.0, 3.0, 0.0], [0.5, -1.0, 1.0, 2.0]);
        assert_eq!(mean_gradients(&a, &g, 2), [0.75, 0.5]);
        // Channel 0: Σ A = 4; α = ¼ / (½ + 4/8) = ¼ and 1 / (2 + 4) = 1/6. Channel 1: Σ A = 2; α = 4 / (8 + 16) = 1/6.
        let found = positive_gradients(&a, &g, 2);
        let expected = [0.25 * 0.5 + 1.0 / 6.0, 2.0 / 6.0];
        assert!(found.iter().zip(expected).all(|(f, e): (&f32, f32)| (f - e).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn behind_a_global_average_the_map_is_the_classifiers() {
        // There the gradient by channel k is its weight over the number of cells: CAM (Zhou et al. 2016).
        let (subject, input) = (kinked(), picture(&kinked()));
        let found = GradCam.explain(&subject, &input, 2, &Settings::default()).unwrap();
        let layer = subject.graph.find("relu2").unwrap();
        assert_eq!(found.facts["layer"], "relu2");
        let mut probe = Probe::new(&subject, &[subject.scores()], &[layer], 1).unwrap();
        probe.forward(&input).unwrap();
        let (shape, map) = (subject.graph.node(layer).shape, probe.activation(layer).unwrap());
        let weights = &subject.parameters.get("fc.weight").unwrap()[2 * shape.c..3 * shape.c];
        let cells = (shape.h * shape.w) as f32;
        for (cell, found) in map.chunks_exact(shape.c).zip(&found.raw.values) {
            let sum: f32 = cell.iter().zip(weights).map(|(a, w)| a * w / cells).sum();
            assert!((sum.max(0.0) - found).abs() < 1e-5, "{sum} and {found}");
        }
    }
}
