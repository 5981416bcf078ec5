//! Hubel and Wiesel's own simple cell (1962, DOI 10.1113/jphysiol.1962.sp006837, figure 19): LGN cells whose receptive fields lie
//! in a row excite it together; a row of on-centre cells between two rows of off-centre ones.

use super::{DifferenceOfGaussians, Filters, Temporal};
use crate::stimulus::{Field, towards};

/// A simple cell made of rows of LGN cells, each of which is rectified before it is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HubelWiesel {
    /// Of the rows, in degrees.
    pub orientation: f64,
    /// LGN cells in a row.
    pub row: usize,
    /// Degrees between neighbours in a row.
    pub spacing: f64,
    /// Degrees between the rows.
    pub between: f64,
    /// The receptive field of each LGN cell.
    pub lgn: DifferenceOfGaussians,
    /// What the sum of all must exceed, as a share of all LGN cells' strongest answer.
    pub threshold: f64,
    /// Spikes per second if all LGN cells answer as strongly as to the best grating.
    pub highest: f64,
    /// The course of time.
    pub temporal: Temporal,
}

impl Default for HubelWiesel {
    fn default() -> Self {
        Self {
            orientation: 45.0,
            row: 7,
            spacing: 0.15,
            between: 0.25,
            lgn: DifferenceOfGaussians { centre: 0.15, surround: 0.45, balance: 0.9, middle: [0.0; 2] },
            threshold: 0.35,
            highest: 100.0,
            temporal: Temporal::Sustained { k: 100.0 },
        }
    }
}

impl HubelWiesel {
    /// The LGN cells: receptive fields, and whether they are off-centre.
    fn cells(&self) -> Vec<(DifferenceOfGaussians, bool)> {
        let (along, across) = (towards(self.orientation), towards(self.orientation + 90.0));
        let middle = |row: f64, i: usize| {
            let v = (i as f64 - (self.row as f64 - 1.0) / 2.0) * self.spacing;
            [0, 1].map(|a| self.lgn.middle[a] + v * along[a] + row * self.between * across[a])
        };
        let row = |row: f64| (0..self.row).map(move |i| (row, i));
        let all = [-1.0, 0.0, 1.0].into_iter().flat_map(row);
        all.map(|(row, i)| (DifferenceOfGaussians { middle: middle(row, i), ..self.lgn }, row != 0.0)).collect()
    }

    /// The spatial frequency whose stripes lie on the rows: half a cycle between them.
    pub fn frequency(&self) -> f64 {
        0.5 / self.between
    }

    /// 1 for the on-centre cells of the middle row, −1 for the off-centre ones beside it, in the order of the filters.
    pub(super) fn sign(&self, i: usize) -> f64 {
        if i / self.row == 1 { 1.0 } else { -1.0 }
    }

    pub(super) fn filters(&self, field: &Field) -> Filters {
        Filters::all(self.cells().iter().map(|(cell, _)| cell.weights(field)).collect(), self.temporal)
    }

    pub(super) fn rate(&self, channels: &[f64]) -> f64 {
        let sum: f64 = channels.iter().enumerate().map(|(i, v)| (self.sign(i) * v).max(0.0)).sum();
        let most = channels.len() as f64 * self.lgn.response(self.frequency());
        self.highest * ((sum / most - self.threshold) / (1.0 - self.threshold)).max(0.0)
    }
}
