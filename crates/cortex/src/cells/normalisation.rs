//! Contrast normalisation: a cell's drive is divided by what its neighbours of all orientations see (D. Heeger 1992, DOI
//! 10.1017/S0952523800009640), so that contrast saturates the rate and leaves the tuning as it is.

use super::Gabor;
use crate::stimulus::Field;

/// Orientations in the pool, each with an even and an odd filter.
const ORIENTATIONS: usize = 6;
/// Filters in the pool.
pub(super) const POOL: usize = 2 * ORIENTATIONS;

/// The contrast at which the rate is about half of the highest, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// σ.
    pub half: f64,
}

impl Normalisation {
    /// The pool's filters.
    pub(super) fn filters(gabor: &Gabor, field: &Field) -> Vec<Vec<f64>> {
        // As long as wide, so that all orientations count alike.
        let round =
            |i: usize| Gabor { orientation: 180.0 * i as f64 / ORIENTATIONS as f64, along: gabor.across, ..*gabor };
        let pair = |i| [0.0, 90.0].map(|phase| round(i).with_phase(phase).weights(field));
        (0..ORIENTATIONS).flat_map(pair).collect()
    }

    /// `drive/(σ² + P²)`; the drive is a squared contrast, and P² the pool's sum of squares.
    pub(super) fn apply(self, drive: f64, pool: &[f64]) -> f64 {
        let energy: f64 = pool.iter().map(|v| v * v).sum();
        drive / (self.half * self.half + energy)
    }
}
