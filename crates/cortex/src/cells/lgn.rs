//! Cells of the retina and the lateral geniculate nucleus: a centre and a surround, on or off.

use super::{DifferenceOfGaussians, Filters, Temporal};
use crate::stimulus::Field;

/// A cell with a concentric receptive field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lgn {
    /// The receptive field.
    pub field: DifferenceOfGaussians,
    /// Whether darkness in the centre excites it.
    pub off: bool,
    /// Spikes per second without a stimulus.
    pub spontaneous: f64,
    /// Spikes per second that contrast 1 on the whole centre would add.
    pub gain: f64,
    /// The course of time.
    pub temporal: Temporal,
}

impl Default for Lgn {
    fn default() -> Self {
        let field = DifferenceOfGaussians { centre: 0.15, surround: 0.45, balance: 0.9, middle: [0.0; 2] };
        Self { field, off: false, spontaneous: 10.0, gain: 80.0, temporal: Temporal::Sustained { k: 100.0 } }
    }
}

impl Lgn {
    pub(super) fn filters(&self, field: &Field) -> Filters {
        Filters::all(vec![self.field.weights(field)], self.temporal)
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let drive = if self.off { -channels[0] } else { channels[0] };
        (self.spontaneous + self.gain * drive).max(0.0)
    }
}
