//! How far a model's probabilities can be taken at their word, measured on images that it was not trained on: one temperature
//! for all logits, and a threshold below which an image is answered with "unknown".

mod logits;
mod reading;
mod temperature;
mod trial;
mod unknown;

pub use logits::Logits;
pub use reading::{Answer, Reading};
pub use temperature::{COLDEST, HOTTEST, fit_temperature};
pub use trial::{Trial, TrialScore};
pub use unknown::{KnownBy, Unknown};

use crate::metrics::{BINS, Calibration, best};
use serde::{Deserialize, Serialize};

/// What was measured on held-out images; part of a model's [`Card`](crate::Card).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// What all logits are divided by. 1 where every image was recognised: how often the network errs is then not known.
    pub temperature: f64,
    /// Which images are answered with "unknown"; absent where none of the images was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
    /// Images that this was measured on.
    pub images: usize,
    /// Expected calibration error of the network's own probabilities.
    pub ece_before: f64,
    /// That of the probabilities at this temperature, on the images that it was fitted to.
    pub ece_after: f64,
}

impl Calibrated {
    /// Images below which a threshold is rough: a single one moves it.
    pub const FEW: usize = 20;

    /// Fits the temperature, and the threshold above which the share `keep` of the recognised images lie. `None` without
    /// images.
    pub fn fit(logits: &Logits, by: KnownBy, keep: f64) -> Option<Calibrated> {
        if logits.is_empty() {
            return None;
        }
        let right: Vec<bool> = logits.rows().map(|(row, label)| best(row) == label as usize).collect();
        // Cross-entropy then falls for ever towards temperature 0, so it says nothing.
        let all_right = right.iter().all(|&right| right);
        let temperature = if all_right { 1.0 } else { fit_temperature(logits) };
        let ece = |temperature| {
            let reading = Reading { temperature, known_by: KnownBy::MaxProbability };
            let sure = logits.rows().map(|(row, _)| reading.answer(row, logits.classes()).known as f32);
            Calibration::of(BINS, sure.zip(right.iter().copied()), 0.0).ece
        };
        let (ece_before, ece_after) = (ece(1.0), ece(temperature));
        let reading = Reading { temperature, known_by: by };
        let recognised = logits.rows().zip(&right).filter(|(_, right)| **right);
        let scores = recognised.map(|((row, _), _)| reading.answer(row, logits.classes()).known).collect();
        let unknown = Unknown::keeping(by, scores, keep);
        Some(Calibrated { temperature, unknown, images: logits.len(), ece_before, ece_after })
    }

    /// Whether so few images were there that the threshold is rough.
    pub fn is_rough(&self) -> bool {
        self.images < Calibrated::FEW
    }

    /// How answers are made.
    pub fn reading(&self) -> Reading {
        let known_by = self.unknown.map_or(KnownBy::MaxProbability, |unknown| unknown.score);
        Reading { temperature: self.temperature, known_by }
    }

    /// What is wrong with values that come from a file, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        let t = self.temperature;
        if !(t.is_finite() && t > 0.0) {
            return Some(format!("its temperature is {t}, but must be above 0"));
        }
        let threshold = self.unknown.map_or(0.0, |unknown| unknown.threshold);
        (!threshold.is_finite()).then(|| format!("its threshold for unknown images is {threshold}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes with a margin between their logits; the first is the right one where `right`.
    fn images(margins: &[(f32, bool)]) -> Logits {
        let mut all = Logits::new(2, margins.len());
        for (i, &(margin, right)) in margins.iter().enumerate() {
            all.add(&[margin, 0.0], &[u32::from(!right)], &[i]);
        }
        all
    }

    #[test]
    fn the_error_falls_to_nothing_where_one_temperature_does() {
        // Logits say ln 9 (90 %) where 3 of 4 are right: at T = ln 9 / ln 3 = 2 they say 75 %.
        let margins: Vec<(f32, bool)> = (0..40).map(|i| (9f32.ln(), i % 4 > 0)).collect();
        let c = Calibrated::fit(&images(&margins), KnownBy::MaxProbability, 0.95).unwrap();
        assert!((c.temperature - 2.0).abs() < 1e-6, "{c:?}");
        assert!((c.ece_before - 0.15).abs() < 1e-6 && c.ece_after < 1e-6, "{c:?}");
        assert_eq!((c.images, c.is_rough()), (40, false));
    }

    #[test]
    fn images_that_were_all_recognised_change_no_probability() {
        let c = Calibrated::fit(&images(&[(1.0, true), (2.0, true), (3.0, true)]), KnownBy::Energy, 1.0).unwrap();
        assert_eq!((c.temperature, c.ece_before), (1.0, c.ece_after));
        assert!(c.is_rough());
        // All are kept: the threshold is the least energy, ln(e + 1).
        let unknown = c.unknown.unwrap();
        assert!((unknown.threshold - 1f64.exp().ln_1p()).abs() < 1e-12, "{unknown:?}");
        assert_eq!((unknown.kept, unknown.score), (1.0, KnownBy::Energy));
    }

    #[test]
    fn without_images_or_right_ones_there_is_nothing_to_choose_by() {
        assert_eq!(Calibrated::fit(&Logits::new(3, 10), KnownBy::MaxProbability, 0.95), None);
        let c = Calibrated::fit(&images(&[(1.0, false), (2.0, false)]), KnownBy::MaxProbability, 0.95).unwrap();
        assert_eq!((c.unknown, c.temperature), (None, HOTTEST));
    }

    #[test]
    fn cards_are_read_as_they_were_written() {
        let c = Calibrated::fit(&images(&[(1.0, true), (2.0, false)]), KnownBy::MaxProbability, 0.95).unwrap();
        let json = serde_json::to_string(&c).unwrap();
        assert!(json.contains(r#""unknown":{"score":"max-probability","threshold":"#), "{json}");
        assert_eq!(serde_json::from_str::<Calibrated>(&json).unwrap(), c);
        assert_eq!(c.fault(), None);
        let cold = Calibrated { temperature: 0.0, ..c };
        assert_eq!(cold.fault().unwrap(), "its temperature is 0, but must be above 0");
    }
}
