//! A complex cell: the energy of quadrature pairs (E. Adelson and J. Bergen 1985), pooled over positions.

use super::normalisation::POOL;
use super::{Filters, Gabor, Normalisation, Temporal};
use crate::stimulus::Field;

/// A complex cell. Its drive is the mean over its positions of even² + odd², which does not depend on a grating's phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complex {
    /// The receptive field of the middle subunit; its phase does not matter.
    pub gabor: Gabor,
    /// Subunits, side by side across the stripes.
    pub positions: usize,
    /// Degrees between them.
    pub spacing: f64,
    /// Contrast normalisation, if any.
    pub normalisation: Option<Normalisation>,
    /// Spikes per second at most, about.
    pub highest: f64,
    /// Spikes per second without a stimulus.
    pub spontaneous: f64,
    /// The course of time.
    pub temporal: Temporal,
}

impl Default for Complex {
    fn default() -> Self {
        Self {
            gabor: Gabor::default(),
            positions: 1,
            spacing: 0.2,
            normalisation: Some(Normalisation { half: 0.3 }),
            highest: 100.0,
            spontaneous: 2.0,
            temporal: Temporal::Sustained { k: 100.0 },
        }
    }
}

impl Complex {
    pub(super) fn filters(&self, field: &Field) -> Filters {
        let subunit = |i: usize| self.gabor.moved((i as f64 - (self.positions as f64 - 1.0) / 2.0) * self.spacing, 0.0);
        let pair = |i| [0.0, 90.0].map(|phase| subunit(i).with_phase(phase).weights(field));
        let mut spatial: Vec<Vec<f64>> = (0..self.positions).flat_map(pair).collect();
        if self.normalisation.is_some() {
            spatial.extend(Normalisation::filters(&self.gabor, field));
        }
        Filters::all(spatial, self.temporal)
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let (own, pool) = channels.split_at(2 * self.positions);
        let drive = own.iter().map(|v| v * v).sum::<f64>() / self.positions as f64;
        let driven = self.normalisation.map_or(drive, |n| n.apply(drive, &pool[..POOL]));
        self.spontaneous + self.highest * driven
    }
}
