//! What a model's calibration comes to on images whose classes are known.

use super::{Calibrated, Reading, Unknown};
use crate::metrics::{BINS, Calibration, best};
use serde::Serialize;

/// Gathers what calibrated answers are worth, image by image; 8 bytes an image.
#[derive(Clone, Debug)]
pub struct Trial {
    reading: Reading,
    threshold: Option<f64>,
    sure: Vec<(f32, bool)>,
    loss: f64,
    kept: usize,
    kept_right: usize,
}

/// What calibrated answers are worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrialScore {
    /// Expected calibration error of the probabilities at the temperature.
    pub ece: f64,
    /// Mean cross-entropy in nats at the temperature.
    pub loss: f64,
    /// Share of images that are not answered with "unknown"; `None` where there is no threshold.
    pub coverage: Option<f64>,
    /// Share of those that are recognised; `None` without any.
    pub accuracy: Option<f64>,
}

impl Trial {
    /// Of this calibration.
    pub fn new(calibrated: &Calibrated) -> Trial {
        let threshold = calibrated.unknown.map(|unknown| unknown.threshold);
        Trial { reading: calibrated.reading(), threshold, sure: Vec::new(), loss: 0.0, kept: 0, kept_right: 0 }
    }

    /// Adds a batch: its labels and logits, of each image one row of `classes` or several looks.
    pub fn add(&mut self, logits: &[f32], labels: &[u32], classes: usize) {
        let each = logits.len() / labels.len().max(1);
        for (looks, &label) in logits.chunks_exact(each.max(1)).zip(labels) {
            let own: Vec<f32> = self.reading.logarithms(looks, classes).collect();
            // Where there is one look, the order is that of its logits to the bit.
            let likeliest = best(if looks.len() == classes { looks } else { &own });
            let right = likeliest == label as usize && own[likeliest].is_finite();
            let answer = self.reading.answer(looks, classes);
            let highest = answer.probabilities.iter().copied().fold(0.0, f64::max);
            self.sure.push((highest as f32, right));
            self.loss -= f64::from(own[label as usize]);
            if self.threshold.is_some_and(|threshold| !Unknown::is_unknown(threshold, answer.known)) {
                self.kept += 1;
                self.kept_right += usize::from(right);
            }
        }
    }

    /// The figures so far.
    pub fn score(&self) -> TrialScore {
        let n = self.sure.len().max(1) as f64;
        TrialScore {
            ece: Calibration::of(BINS, self.sure.iter().copied(), 0.0).ece,
            loss: self.loss / n,
            coverage: self.threshold.map(|_| self.kept as f64 / n),
            accuracy: (self.kept > 0).then(|| self.kept_right as f64 / self.kept as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KnownBy;

    #[test]
    fn coverage_and_accuracy_are_counted() {
        let unknown = Some(Unknown { score: KnownBy::MaxProbability, threshold: 0.7, kept: 1.0 });
        let calibrated = Calibrated { temperature: 2.0, unknown, images: 4, ece_before: 0.0, ece_after: 0.0 };
        let mut trial = Trial::new(&calibrated);
        // At temperature 2, 2 ln 3 is a probability of 0.75, 2 ln 1.5 one of 0.6.
        let (sure, unsure) = (2.0 * 3f32.ln(), 2.0 * 1.5f32.ln());
        trial.add(&[sure, 0.0, sure, 0.0, 0.0, unsure], &[0, 1, 1], 2);
        trial.add(&[sure, 0.0], &[0], 2);
        let score = trial.score();
        assert_eq!((score.coverage, score.accuracy), (Some(0.75), Some(2.0 / 3.0)));
        let loss = -(2.0 * 0.75f64.ln() + 0.25f64.ln() + 0.6f64.ln()) / 4.0;
        assert!((score.loss - loss).abs() < 1e-6, "{score:?}");
        // Three say 75 % and two of them are right; one says 60 % and is.
        let ece = 0.75 * (0.75 - 2.0 / 3.0) + 0.25 * 0.4;
        assert!((score.ece - ece).abs() < 1e-6, "{score:?}");
        let open = Trial::new(&Calibrated { unknown: None, ..calibrated }).score();
        assert_eq!((open.coverage, open.accuracy), (None, None));
    }

    #[test]
    fn several_looks_are_one_image() {
        let calibrated = Calibrated { temperature: 1.0, unknown: None, images: 1, ece_before: 0.0, ece_after: 0.0 };
        let mut trial = Trial::new(&calibrated);
        trial.add(&[0.8f32, 0.2, 0.4, 0.6].map(f32::ln), &[0], 2);
        let score = trial.score();
        assert!((score.loss + 0.6f64.ln()).abs() < 1e-6 && (score.ece - 0.4).abs() < 1e-6, "{score:?}");
    }
}
