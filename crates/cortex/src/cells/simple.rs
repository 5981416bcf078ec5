//! A simple cell: a Gabor, half-wave rectification with an exponent, and contrast normalisation.

use super::normalisation::POOL;
use super::{Filters, Gabor, Normalisation, Temporal};
use crate::stimulus::Field;

/// A simple cell. Its rate is `spontaneous + highest · ⌊L⌋ⁿ`, or with normalisation `highest · ⌊L⌋ⁿ/(σ² + P²)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simple {
    /// The receptive field.
    pub gabor: Gabor,
    /// n: 1 is half-wave rectification, 2 half-squaring.
    pub exponent: f64,
    /// Contrast normalisation, if any.
    pub normalisation: Option<Normalisation>,
    /// Spikes per second at most, about.
    pub highest: f64,
    /// Spikes per second without a stimulus.
    pub spontaneous: f64,
    /// The course of time.
    pub temporal: Temporal,
}

impl Default for Simple {
    fn default() -> Self {
        Self {
            gabor: Gabor::default(),
            exponent: 2.0,
            normalisation: Some(Normalisation { half: 0.3 }),
            highest: 100.0,
            spontaneous: 0.0,
            temporal: Temporal::Sustained { k: 100.0 },
        }
    }
}

impl Simple {
    /// Without normalisation and with plain rectification: linear up to its threshold.
    #[must_use]
    pub fn linear(gabor: Gabor) -> Self {
        Self { gabor, exponent: 1.0, normalisation: None, ..Self::default() }
    }

    pub(super) fn filters(&self, field: &Field) -> Filters {
        let mut spatial = vec![self.gabor.weights(field)];
        if self.normalisation.is_some() {
            spatial.extend(Normalisation::filters(&self.gabor, field));
        }
        Filters::all(spatial, self.temporal)
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let drive = channels[0].max(0.0).powf(self.exponent);
        let driven = self.normalisation.map_or(drive, |n| n.apply(drive, &channels[1..=POOL]));
        self.spontaneous + self.highest * driven
    }
}
