//! From 0 to 1 in every column, by the training rows' least and largest. Other rows may go beyond; columns that are constant
//! in training become 0.

use super::{Apply, Transform, affine, check_columns};
use crate::error::ClassicError;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// (v − least) / (largest − least).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinMax {}

/// Every column's least value and the inverse of its range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnRange {
    least: Vec<f32>,
    /// 0 for constant columns.
    scale: Vec<f32>,
}

impl Transform for MinMax {
    type Fitted = ColumnRange;

    fn fit(&self, _: &Cpu, rows: &Matrix, _: u64) -> Result<ColumnRange, ClassicError> {
        let mut least = vec![f32::INFINITY; rows.columns()];
        let mut largest = vec![f32::NEG_INFINITY; rows.columns()];
        for row in rows {
            for ((&v, least), largest) in row.iter().zip(&mut least).zip(&mut largest) {
                *least = least.min(v);
                *largest = largest.max(v);
            }
        }
        let range = |(&least, &largest): (&f32, &f32)| {
            let scale = 1.0 / (largest - least);
            if scale.is_finite() { scale } else { 0.0 }
        };
        let scale = least.iter().zip(&largest).map(range).collect();
        Ok(ColumnRange { least, scale })
    }
}

impl Apply for ColumnRange {
    fn inputs(&self) -> usize {
        self.least.len()
    }

    fn apply(&self, cpu: &Cpu, rows: Matrix) -> Result<Matrix, ClassicError> {
        rows.check_for("min_max", self.inputs())?;
        Ok(affine(rows, cpu, &self.least, &self.scale))
    }

    fn check(&self) -> Result<(), ClassicError> {
        check_columns("min_max", &self.least, &self.scale)
    }
}
