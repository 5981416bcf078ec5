//! What a network says of an image, from the logits of one look at it or of several.

use super::KnownBy;

/// How logits are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// What they are divided by.
    pub temperature: f64,
    /// What tells known images from unknown ones.
    pub known_by: KnownBy,
}

/// What a network says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The classes' probabilities: the mean over the looks of softmax(z / T).
    pub probabilities: Vec<f64>,
    /// The score that tells known images from unknown ones: of these probabilities the highest, or the mean energy of the
    /// looks.
    pub known: f64,
}

impl Reading {
    /// The network's own probabilities.
    pub const PLAIN: Reading = Reading { temperature: 1.0, known_by: KnownBy::MaxProbability };

    /// The answer to an image; `logits` are rows of `classes`, a row a look.
    pub fn answer(&self, logits: &[f32], classes: usize) -> Answer {
        let looks = (logits.len() / classes.max(1)).max(1) as f64;
        let (mut probabilities, mut energy) = (vec![0.0; classes], 0.0);
        for row in logits.chunks_exact(classes.max(1)) {
            let (highest, sum) = self.sum(row);
            energy += self.temperature * (highest + sum.ln()) / looks;
            for (probability, &z) in probabilities.iter_mut().zip(row) {
                *probability += (f64::from(z) / self.temperature - highest).exp() / sum / looks;
            }
        }
        let known = match self.known_by {
            KnownBy::MaxProbability => probabilities.iter().copied().fold(0.0, f64::max),
            KnownBy::Energy => energy,
        };
        Answer { probabilities, known }
    }

    /// The logarithms of the mean probabilities, which are logits of the same softmax.
    pub fn logarithms(&self, logits: &[f32], classes: usize) -> impl Iterator<Item = f32> {
        let rows = move || logits.chunks_exact(classes.max(1));
        let looks = (rows().len().max(1) as f64).ln();
        let offsets: Vec<f64> = rows().map(|row| self.sum(row)).map(|(highest, sum)| highest + sum.ln()).collect();
        (0..classes).map(move |class| {
            let each = || rows().zip(&offsets).map(|(row, offset)| f64::from(row[class]) / self.temperature - offset);
            let highest = each().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = each().map(|logarithm| (logarithm - highest).exp()).sum();
            (highest + sum.ln() - looks) as f32
        })
    }

    /// The highest of z / T, and Σ exp(z / T − that).
    fn sum(&self, row: &[f32]) -> (f64, f64) {
        let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max)) / self.temperature;
        (highest, row.iter().map(|&z| (f64::from(z) / self.temperature - highest).exp()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn a_look_is_read_by_the_formulas() {
        // Logits 2 ln 6, 2 ln 3, 2 ln 1 at temperature 2: probabilities 0.6, 0.3, 0.1, and 2 ln 10 in all.
        let logits = [6f32, 3.0, 1.0].map(|p| 2.0 * p.ln());
        let by = |known_by| Reading { temperature: 2.0, known_by }.answer(&logits, 3);
        let answer = by(KnownBy::MaxProbability);
        for (found, meant) in answer.probabilities.iter().zip([0.6, 0.3, 0.1]) {
            close(*found, meant);
        }
        close(answer.known, 0.6);
        close(by(KnownBy::Energy).known, 2.0 * 10f64.ln());
    }

    #[test]
    fn looks_are_averaged_as_probabilities() {
        // 0.8, 0.2 and 0.4, 0.6: 0.6, 0.4.
        let logits = [0.8f32, 0.2, 0.4, 0.6].map(f32::ln);
        let answer = Reading::PLAIN.answer(&logits, 2);
        close(answer.probabilities[0], 0.6);
        close(answer.known, 0.6);
        let mean: Vec<f32> = Reading::PLAIN.logarithms(&logits, 2).collect();
        close(f64::from(mean[0]), 0.6f64.ln());
        close(f64::from(mean[1]), 0.4f64.ln());
    }

    #[test]
    fn the_unlikeliest_class_has_a_logarithm() {
        // A probability of exp(−2000) is 0 in 64 bits; its logarithm is not.
        let mean: Vec<f32> = Reading::PLAIN.logarithms(&[1000.0, -1000.0, 1000.0, -1000.0], 2).collect();
        assert_eq!(mean, [0.0, -2000.0]);
        let broken = Reading::PLAIN.answer(&[f32::NAN, 1.0], 2);
        assert!(broken.probabilities.iter().all(|p| p.is_nan()));
    }
}
