//! A linear classifier on pixels, to compare with: softmax regression by stochastic gradient descent with momentum and a
//! falling learning rate.

use crate::CortexError;
use striate_data::Picture;
use striate_kernels::hash;

/// Weights of each class for every pixel, and a bias; pictures of another size are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearClassifier {
    pixels: usize,
    /// (classes, pixels + 1), the bias last.
    weights: Vec<f32>,
}

const EPOCHS: u64 = 30;
const BATCH: usize = 20;
const RATE: f32 = 0.05;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 1e-4;

impl LinearClassifier {
    /// Learns from pictures of one size; `seed` decides their order.
    ///
    /// # Errors
    /// No pictures, different sizes, or labels that do not fit.
    pub fn learn(pictures: &[Picture], labels: &[u32], classes: usize, seed: u64) -> Result<Self, CortexError> {
        let inputs: Vec<Vec<f32>> = pictures.iter().map(levels).collect();
        let Some(pixels) = inputs.first().map(Vec::len).filter(|n| inputs.iter().all(|i| i.len() == *n)) else {
            return Err(CortexError::value("the pictures", "none, or of different sizes", "of one size"));
        };
        if labels.len() != pictures.len() || labels.iter().any(|l| *l as usize >= classes) {
            return Err(CortexError::value(
                "the labels",
                labels.len(),
                format!("one below {classes} for each picture"),
            ));
        }
        let mut this = Self { pixels, weights: vec![0.0; classes * (pixels + 1)] };
        let mut speed = vec![0.0_f32; this.weights.len()];
        let steps = EPOCHS as usize * inputs.len().div_ceil(BATCH);
        let mut step = 0;
        for epoch in 0..EPOCHS {
            let mut order: Vec<usize> = (0..inputs.len()).collect();
            order.sort_by_key(|i| hash(seed ^ epoch, *i as u64));
            for batch in order.chunks(BATCH) {
                let rate = RATE * (1.0 - step as f32 / steps as f32);
                let mut slope = vec![0.0_f32; this.weights.len()];
                for &i in batch {
                    let shares = this.shares(&inputs[i]);
                    for (class, row) in slope.chunks_exact_mut(pixels + 1).enumerate() {
                        let error = shares[class] - f32::from(u8::from(labels[i] as usize == class));
                        row[..pixels].iter_mut().zip(&inputs[i]).for_each(|(s, v)| *s += error * v);
                        row[pixels] += error;
                    }
                }
                let share = 1.0 / batch.len() as f32;
                for ((w, m), s) in this.weights.iter_mut().zip(&mut speed).zip(slope) {
                    *m = MOMENTUM * *m + s * share + DECAY * *w;
                    *w -= rate * *m;
                }
                step += 1;
            }
        }
        Ok(this)
    }

    /// The classes' probabilities.
    fn shares(&self, input: &[f32]) -> Vec<f32> {
        let logit =
            |row: &[f32]| row[..self.pixels].iter().zip(input).map(|(w, v)| w * v).sum::<f32>() + row[self.pixels];
        let logits: Vec<f32> = self.weights.chunks_exact(self.pixels + 1).map(logit).collect();
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = logits.iter().map(|l| (l - most).exp()).collect();
        let sum: f32 = powers.iter().sum();
        powers.iter().map(|p| p / sum).collect()
    }

    /// The likeliest class of a picture; `None` for one of another size.
    pub fn recognise(&self, picture: &Picture) -> Option<u32> {
        let input = levels(picture);
        if input.len() != self.pixels {
            return None;
        }
        let shares = self.shares(&input);
        (0..shares.len()).reduce(|a, b| if shares[b] > shares[a] { b } else { a }).map(|class| class as u32)
    }
}

fn levels(picture: &Picture) -> Vec<f32> {
    picture.to_grey().pixels.iter().map(|v| f32::from(*v) / 255.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_apart_and_other_sizes_refused() {
        let half = |class: u32, i: u32| {
            let level =
                |p: u32| if (p % 4 < 2) == (class == 0) { 150 + (7 * i + 13 * p) % 90 } else { (11 * i + p) % 60 };
            Picture { width: 4, height: 4, channels: 1, pixels: (0..16).map(|p| level(p) as u8).collect() }
        };
        let (pictures, labels): (Vec<Picture>, Vec<u32>) = (0..40).map(|i| (half(i % 2, i), i % 2)).unzip();
        let classifier = LinearClassifier::learn(&pictures, &labels, 2, 1).unwrap();
        assert!((100..120).all(|i| classifier.recognise(&half(i % 2, i)) == Some(i % 2)));
        assert_eq!(classifier.recognise(&Picture::filled(5, 4, &[0])), None);
        assert!(LinearClassifier::learn(&[], &[], 2, 1).is_err());
    }
}
