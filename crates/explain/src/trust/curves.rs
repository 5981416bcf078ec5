//! Deletion and insertion (Petsiuk, Das and Saenko 2018, "RISE", arXiv:1806.07421, section 4.1): the class's probability as
//! pixels go, the most important first, each becoming grey; and as they come back in that order onto a blurred picture. The
//! figure is the area under the curve, over shares of pixels from 0 to 1.

use crate::subject::Predictor;
use crate::{ExplainError, Heat, Subject};
use serde::Serialize;
use striate_graph::Shape;

/// Probabilities at shares of pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// From 0 to 1.
    pub shares: Vec<f64>,
    /// The class's probability at each.
    pub probabilities: Vec<f32>,
    /// The area below.
    pub area: f64,
}

/// Steps of a curve, if there are as many pixels.
const STEPS: usize = 64;

/// Takes away the pixels with the largest values first.
///
/// # Errors
/// If the network cannot be run.
pub fn deletion(
    subject: &Subject,
    input: &[f32],
    class: usize,
    heat: &Heat,
    batch: usize,
) -> Result<Curve, ExplainError> {
    curve(subject, input, &subject.blank(0.5), class, heat, batch)
}

/// Puts the pixels with the largest values back first.
///
/// # Errors
/// If the network cannot be run.
pub fn insertion(
    subject: &Subject,
    input: &[f32],
    class: usize,
    heat: &Heat,
    batch: usize,
) -> Result<Curve, ExplainError> {
    curve(subject, &blurred(input, subject.graph.input().shape), input, class, heat, batch)
}

/// The probability on the way from one input to another, pixel by pixel.
fn curve(
    subject: &Subject,
    from: &[f32],
    to: &[f32],
    class: usize,
    heat: &Heat,
    batch: usize,
) -> Result<Curve, ExplainError> {
    let (order, c, classes) = (heat.order(), subject.graph.input().shape.c, subject.classes.len());
    let steps = STEPS.min(order.len());
    let taken = |step: usize| step * order.len() / steps;
    let batch = batch.clamp(1, steps + 1);
    let mut predictor = Predictor::new(subject, batch, &[])?;
    let (mut image, mut images, mut probabilities) = (from.to_vec(), Vec::new(), Vec::new());
    for step in 0..=steps {
        if step > 0 {
            for pixel in &order[taken(step - 1)..taken(step)] {
                image[pixel * c..(pixel + 1) * c].copy_from_slice(&to[pixel * c..(pixel + 1) * c]);
            }
        }
        images.extend_from_slice(&image);
        if images.len() == batch * image.len() || step == steps {
            predictor.run(&images, &mut |_, _, rows, _| {
                probabilities.extend(rows.chunks_exact(classes).map(|row| row[class]));
            })?;
            images.clear();
        }
    }
    let shares: Vec<f64> = (0..=steps).map(|step| taken(step) as f64 / order.len() as f64).collect();
    let pair = |i: usize| (shares[i + 1] - shares[i]) * f64::from(probabilities[i] + probabilities[i + 1]) / 2.0;
    let area = (0..steps).map(pair).sum();
    Ok(Curve { shares, probabilities, area })
}

/// By a Gaussian cut at one deviation on each side, which is 5 of 224 pixels, as in the paper's code. Edges repeat.
fn blurred(image: &[f32], shape: Shape) -> Vec<f32> {
    let radius = (shape.h.max(shape.w) * 5).div_ceil(224) as isize;
    let weights: Vec<f64> = (-radius..=radius).map(|d| (-0.5 * (d as f64 / radius as f64).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let pass = |from: &[f32], step: usize, len: usize| -> Vec<f32> {
        let value = |i: usize| {
            let at = (i / step % len) as isize;
            let sum: f64 = (-radius..=radius)
                .zip(&weights)
                .map(|(d, weight)| {
                    let other = (at + d).clamp(0, len as isize - 1);
                    weight * f64::from(from[(i as isize + (other - at) * step as isize) as usize])
                })
                .sum();
            (sum / total) as f32
        };
        (0..from.len()).map(value).collect()
    };
    pass(&pass(image, shape.c, shape.w), shape.w * shape.c, shape.h)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, linear, picture};

    #[test]
    fn curves_begin_and_end_at_whole_pictures() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let heat = Heat::new(6, 6, (0..36).map(|i| (i * 7 % 36) as f32).collect());
        let mut predictor = Predictor::new(&subject, 1, &[]).unwrap();
        let mut at = |image: &[f32]| predictor.probabilities(image).unwrap()[1];
        let (whole, grey) = (at(&input), at(&subject.blank(0.5)));
        for batch in [1, 5, 100] {
            let gone = deletion(&subject, &input, 1, &heat, batch).unwrap();
            assert_eq!((gone.shares.len(), gone.shares[0], gone.shares[36]), (37, 0.0, 1.0));
            assert!((gone.probabilities[0] - whole).abs() < 1e-5 && (gone.probabilities[36] - grey).abs() < 1e-5);
            let back = insertion(&subject, &input, 1, &heat, batch).unwrap();
            assert!((back.probabilities[36] - whole).abs() < 1e-5);
            // Steps are alike here: the trapezoids' area is the mean with half weight at the ends.
            let p: Vec<f64> = gone.probabilities.iter().map(|p| f64::from(*p)).collect();
            let mean = (p.iter().sum::<f64>() - 0.5 * (p[0] + p[36])) / 36.0;
            assert!((gone.area - mean).abs() < 1e-6);
        }
    }

    #[test]
    fn the_right_order_beats_the_wrong_one() {
        let (subject, input) = (linear(), picture(&linear()));
        let weights = subject.parameters.get("fc.weight").unwrap();
        let grey = subject.level(0.5)[0];
        // What class 0 has before class 1 by each pixel's not being grey.
        let gain: Vec<f32> = (0..20).map(|i| (weights[i] - weights[20 + i]) * (input[i] - grey)).collect();
        let (right, wrong) = (Heat::new(4, 5, gain.clone()), Heat::new(4, 5, gain.iter().map(|v| -v).collect()));
        let area = |heat: &Heat| deletion(&subject, &input, 0, heat, 8).unwrap().area;
        assert!(area(&right) < area(&wrong));
    }

    #[test]
    fn blurring_keeps_what_is_even() {
        let shape = Shape::new(30, 20, 2);
        let even: Vec<f32> = (0..1200).map(|i| [3.0, -1.0][i % 2]).collect();
        assert!(blurred(&even, shape).iter().zip(&even).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
