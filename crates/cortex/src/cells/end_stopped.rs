//! A hypercomplex, end-stopped cell (D. Hubel and T. Wiesel 1965): a complex cell that is inhibited from beyond both ends of its
//! receptive field, so that a bar that is too long is not answered.

use super::{Filters, Gabor, Temporal};
use crate::stimulus::Field;

/// An end-stopped cell: `highest · ⌊√E(middle) − strength · (√E(one end) + √E(other end))⌋`, E being energies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndStopped {
    /// The receptive field in the middle; its phase does not matter.
    pub gabor: Gabor,
    /// How far the end zones are from it, in degrees along its orientation.
    pub ends: f64,
    /// How strongly they inhibit.
    pub strength: f64,
    /// Spikes per second for a middle of amplitude 1 without inhibition.
    pub highest: f64,
    /// The course of time.
    pub temporal: Temporal,
}

impl Default for EndStopped {
    fn default() -> Self {
        Self {
            gabor: Gabor::default(),
            ends: 0.9,
            strength: 0.5,
            highest: 100.0,
            temporal: Temporal::Sustained { k: 100.0 },
        }
    }
}

impl EndStopped {
    pub(super) fn filters(&self, field: &Field) -> Filters {
        let pair = |along: f64| [0.0, 90.0].map(|phase| self.gabor.moved(0.0, along).with_phase(phase).weights(field));
        Filters::all([0.0, self.ends, -self.ends].into_iter().flat_map(pair).collect(), self.temporal)
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let amplitude = |i: usize| channels[2 * i].hypot(channels[2 * i + 1]);
        self.highest * (amplitude(0) - self.strength * (amplitude(1) + amplitude(2))).max(0.0)
    }
}
