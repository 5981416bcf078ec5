//! A complex cell that answers to one direction: motion energy (E. Adelson and J. Bergen 1985, DOI 10.1364/JOSAA.2.000284).
//!
//! Even and odd fields in space, each with a fast and a slow course of time, add up to filters that are oriented in space and
//! time. For a grating of temporal frequency f, H₁ and H₂ being the courses' transforms, the energy is |H₁(f) ± iH₂(f)|² for
//! the two directions, constant in time.

use super::{Filters, Gabor, Temporal};
use crate::stimulus::Field;

/// A direction-selective cell; it prefers the direction 90° from its orientation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// The receptive field in space; its phase does not matter.
    pub gabor: Gabor,
    /// The rate k of both courses of time, per second.
    pub k: f64,
    /// Whether the other direction's energy is taken off.
    pub opponent: bool,
    /// Spikes per second for an energy of 1 times the square of the strongest transfer.
    pub highest: f64,
    /// Spikes per second without a stimulus.
    pub spontaneous: f64,
}

impl Default for Direction {
    /// Its filters are in quadrature at k/2π, 6 cycles per second.
    fn default() -> Self {
        Self { gabor: Gabor::default(), k: 40.0, opponent: false, highest: 100.0, spontaneous: 2.0 }
    }
}

impl Direction {
    /// The fast and the slow course of time.
    fn courses(&self) -> [Temporal; 2] {
        [3, 5].map(|n| Temporal::Biphasic { n, k: self.k })
    }

    pub(super) fn filters(&self, field: &Field) -> Filters {
        let spatial = [0.0, 90.0].map(|phase| self.gabor.with_phase(phase).weights(field)).to_vec();
        let [fast, slow] = self.courses();
        Filters { spatial, channels: vec![(0, fast), (0, slow), (1, fast), (1, slow)] }
    }

    /// The energy of the preferred and of the other direction, of what the channels say.
    fn energies(channels: &[f64]) -> [f64; 2] {
        let [even_fast, even_slow, odd_fast, odd_slow] = [channels[0], channels[1], channels[2], channels[3]];
        // The odd field is cos(2πfu + 90°) = −sin.
        let preferred = (even_fast + odd_slow).powi(2) + (even_slow - odd_fast).powi(2);
        let other = (even_fast - odd_slow).powi(2) + (even_slow + odd_fast).powi(2);
        [preferred, other]
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let [preferred, other] = Self::energies(channels);
        let energy = if self.opponent { (preferred - other).max(0.0) } else { preferred };
        self.spontaneous + self.highest * energy / self.strongest()
    }

    /// The energies |H₁ ± iH₂|² of the preferred and of the other direction at temporal frequency `f`.
    pub fn transfer(&self, f: f64) -> [f64; 2] {
        let [fast, slow] = self.courses().map(|c| c.transfer(f));
        let energy = |sign: f64| (fast[0] - sign * slow[1]).powi(2) + (fast[1] + sign * slow[0]).powi(2);
        [energy(1.0), energy(-1.0)]
    }

    /// The temporal frequency that it answers most strongly, in cycles per second.
    pub fn best_frequency(&self) -> f64 {
        let candidates = (1..400).map(|i| f64::from(i) * self.k / 1000.0);
        candidates.fold(0.0, |best, f| if self.transfer(f)[0] > self.transfer(best)[0] { f } else { best })
    }

    /// The preferred direction's energy at its best frequency.
    fn strongest(&self) -> f64 {
        self.transfer(self.best_frequency())[0]
    }
}
