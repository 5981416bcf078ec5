//! Correspondence of parts (Zeiler and Fergus 2013, arXiv:1311.2901, section 4.3 and table 1): whether a network knows that an
//! eye is an eye in every picture. The same part is covered in several pictures; each changes the layer's features by
//! ε = x − x̃, and the mean share of features whose change differs in sign between two pictures is taken over all pairs:
//! Δ = mean of `H(sign ε_i, sign ε_j)`. The smaller it is than for places drawn by lot, the more the part is one to the network.

use crate::project::Field;
use crate::subject::Predictor;
use crate::{ExplainError, Subject};
use serde::Serialize;
use striate_graph::NodeId;
use striate_kernels::hash;

/// A picture's input, and where each part is on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// The network's input.
    pub input: Vec<f32>,
    /// The parts, in the same order for each picture.
    pub fields: Vec<Field>,
}

/// How alike covering one part changes the features of all pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Consistency {
    /// Δ, from 0 (alike) to 1.
    pub mean: f64,
    /// The deviation of the pairs' shares.
    pub deviation: f64,
}

/// Takes Δ for each part at a layer.
///
/// # Errors
/// If there are fewer than two pictures, or they do not name the same number of parts.
pub fn correspondence(subject: &Subject, pictures: &[Parts], layer: NodeId) -> Result<Vec<Consistency>, ExplainError> {
    let count = pictures.first().map_or(0, |p| p.fields.len());
    if pictures.len() < 2 || count == 0 || pictures.iter().any(|p| p.fields.len() != count) {
        let why = "correspondence needs two pictures or more, each with the same parts, and one part or more";
        return Err(ExplainError::Setting(why.into()));
    }
    let grey = subject.level(0.5);
    let shape = subject.graph.input().shape;
    let mut predictor = Predictor::new(subject, count + 1, &[layer])?;
    // For each picture, for each part, the signs of the features' changes.
    let mut signs: Vec<Vec<Vec<i8>>> = Vec::new();
    for picture in pictures {
        let mut images = picture.input.clone();
        for field in &picture.fields {
            let start = images.len();
            images.extend_from_slice(&picture.input);
            for y in field.top..field.bottom.min(shape.h) {
                for x in field.left..field.right.min(shape.w) {
                    let at = start + (y * shape.w + x) * shape.c;
                    images[at..at + shape.c].copy_from_slice(&grey);
                }
            }
        }
        predictor.run(&images, &mut |_, n, _, maps| {
            let mut rows = maps[0].chunks_exact(maps[0].len() / n);
            let whole = rows.next().unwrap_or_default();
            let of =
                |covered: &[f32]| whole.iter().zip(covered).map(|(x, covered)| sign(x - covered)).collect::<Vec<i8>>();
            signs.push(rows.map(of).collect());
        })?;
    }
    let pairs = |part: usize| {
        let all = &signs;
        (0..all.len()).flat_map(move |i| (0..i).map(move |j| differing(&all[i][part], &all[j][part])))
    };
    let consistency = |part: usize| {
        let shares: Vec<f64> = pairs(part).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let square = shares.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / shares.len() as f64;
        Consistency { mean, deviation: square.sqrt() }
    };
    Ok((0..count).map(consistency).collect())
}

fn sign(v: f32) -> i8 {
    i8::from(v > 0.0) - i8::from(v < 0.0)
}

/// The share of places at which two rows of signs differ.
fn differing(a: &[i8], b: &[i8]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64
}

/// A place drawn by lot for a field's size: the paper's control.
pub fn anywhere(size: [usize; 2], input: [usize; 2], seed: u64) -> Field {
    let at = |axis: usize| hash(seed, axis as u64) as usize % (input[axis].saturating_sub(size[axis]) + 1);
    let (top, left) = (at(0), at(1));
    Field { top, left, bottom: (top + size[0]).min(input[0]), right: (left + size[1]).min(input[1]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};

    #[test]
    fn the_same_change_is_consistent_and_another_is_not() {
        let subject = kinked();
        let layer = subject.graph.find("conv1").unwrap();
        let field = |top, left| Field { top, left, bottom: top + 2, right: left + 2 };
        let input = picture(&subject);
        let twin = || Parts { input: input.clone(), fields: vec![field(1, 1), field(0, 0)] };
        let moved = Parts { input: input.clone(), fields: vec![field(1, 1), field(4, 4)] };
        let found = correspondence(&subject, &[twin(), twin(), moved], layer).unwrap();
        assert_eq!(found[0], Consistency { mean: 0.0, deviation: 0.0 });
        // One pair of three is alike.
        assert!(found[1].mean > 0.0 && found[1].deviation > 0.0, "{found:?}");
        assert!(correspondence(&subject, &[twin()], layer).unwrap_err().to_string().contains("two pictures"));
    }

    #[test]
    fn signs_are_counted() {
        assert_eq!([2.0, -0.5, 0.0].map(sign), [1, -1, 0]);
        assert_eq!(differing(&[1, 0, -1, 1], &[1, 1, -1, -1]), 0.5);
        for seed in 0..50 {
            let f = anywhere([3, 2], [8, 9], seed);
            assert!(f.size() == [3, 2] && f.bottom <= 8 && f.right <= 9, "{f:?}");
        }
    }
}
