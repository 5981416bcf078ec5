//! Whether a network is right as often as it says: reliability bins over the probability of the predicted class, and the
//! expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599). Bins are of equal width; a value on
//! the border of two belongs to the lower one.

use super::Predictions;

/// Bins, as Guo et al. have them.
pub const BINS: usize = 15;

/// Images whose predicted class got a probability in one range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Above this probability (from it on in the first bin).
    pub low: f64,
    /// Up to this.
    pub high: f64,
    /// How many images.
    pub images: u64,
    /// How many of them were recognised.
    pub right: u64,
    /// The mean probability of the predicted class; 0 without images.
    pub confidence: f64,
}

impl Bin {
    /// Share of its images that were recognised; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        (self.images > 0).then(|| self.right as f64 / self.images as f64)
    }
}

/// How far a network's probabilities can be taken at their word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// From the lowest probabilities to the highest.
    pub bins: Vec<Bin>,
    /// The expected calibration error: the mean over images of |accuracy − confidence| of their bins.
    pub ece: f64,
    /// The largest |accuracy − confidence| of a bin.
    pub mce: f64,
    /// The Brier score, from 0 to 2.
    pub brier: f64,
    /// The mean probability of the predicted class.
    pub confidence: f64,
    /// Share of images that were recognised.
    pub accuracy: f64,
}

impl Calibration {
    /// How well the probabilities of the predicted classes agree with whether these are right, in `bins` bins. Probabilities
    /// that are no numbers are left out; the Brier score is taken as it is.
    pub fn of(bins: usize, images: impl Iterator<Item = (f32, bool)>, brier: f64) -> Calibration {
        let width = 1.0 / bins.max(1) as f64;
        let empty = |i: usize| Bin { low: i as f64 * width, high: (i + 1) as f64 * width, ..Bin::default() };
        let mut all: Vec<Bin> = (0..bins.max(1)).map(empty).collect();
        let (mut count, mut right, mut sum) = (0u64, 0u64, 0.0);
        for (confidence, is_right) in images.filter(|(confidence, _)| confidence.is_finite()) {
            let confidence = f64::from(confidence);
            let place = ((confidence / width).ceil() as usize).clamp(1, all.len()) - 1;
            let bin = &mut all[place];
            bin.images += 1;
            bin.right += u64::from(is_right);
            bin.confidence += confidence;
            (count, right, sum) = (count + 1, right + u64::from(is_right), sum + confidence);
        }
        let n = count.max(1) as f64;
        let (mut ece, mut mce) = (0.0, 0.0f64);
        for bin in &mut all {
            let Some(accuracy) = bin.accuracy() else { continue };
            bin.confidence /= bin.images as f64;
            let gap = (accuracy - bin.confidence).abs();
            ece += bin.images as f64 / n * gap;
            mce = mce.max(gap);
        }
        Calibration { bins: all, ece, mce, brier, confidence: sum / n, accuracy: right as f64 / n }
    }
}

impl Predictions {
    /// How well probabilities agree with what is right, in `bins` bins. Images whose probabilities are not numbers are left
    /// out.
    pub fn calibration(&self, bins: usize) -> Calibration {
        Calibration::of(bins, self.images.iter().map(|p| (p.confidence(), p.is_right())), self.brier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Prediction;

    /// An image of two classes, predicted with this probability.
    fn image(confidence: f32, right: bool) -> Prediction {
        let own = if right { confidence } else { 1.0 - confidence };
        let squared_error = 2.0 * (1.0 - own).powi(2);
        let (label, rank) = (u32::from(!right), u32::from(!right));
        let top = [(0, confidence), (1, 1.0 - confidence)].into_iter().collect();
        Prediction { index: 0, label, top, own, rank, loss: -own.ln(), squared_error }
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn the_error_is_the_formula() {
        // Values that are exact in binary. Four bins: (0.5, 0.75] holds three, (0.75, 1] two.
        let images =
            vec![image(0.5625, true), image(0.75, false), image(0.625, false), image(0.875, true), image(1.0, true)];
        let c = Predictions { classes: 2, images }.calibration(4);
        assert_eq!(c.bins.iter().map(|b| b.images).collect::<Vec<_>>(), [0, 0, 3, 2]);
        let mean = (0.5625 + 0.75 + 0.625) / 3.0;
        close(c.bins[2].confidence, mean);
        close(c.bins[3].confidence, 0.9375);
        let gaps = [mean - 1.0 / 3.0, 1.0 - 0.9375];
        close(c.ece, 0.6 * gaps[0] + 0.4 * gaps[1]);
        close(c.mce, gaps[0]);
        close(c.accuracy, 0.6);
        close(c.confidence, (3.0 * mean + 2.0 * 0.9375) / 5.0);
        let squares = [0.4375f64, 0.75, 0.625, 0.125, 0.0].map(|e| 2.0 * e * e);
        close(c.brier, squares.iter().sum::<f64>() / 5.0);
    }

    #[test]
    fn a_network_that_knows_itself_has_no_error() {
        let images = (0..4).map(|i| image(0.75, i < 3)).collect();
        close(Predictions { classes: 2, images }.calibration(BINS).ece, 0.0);
        let none = Predictions::new(2).calibration(BINS);
        assert_eq!((none.bins.len(), none.ece, none.mce), (BINS, 0.0, 0.0));
    }

    #[test]
    fn probabilities_that_are_no_numbers_are_left_out() {
        let images = vec![image(f32::NAN, false), image(1.0, true)];
        let c = Predictions { classes: 2, images }.calibration(BINS);
        assert_eq!((c.ece, c.accuracy, c.bins[BINS - 1].images), (0.0, 1.0, 1));
    }
}
