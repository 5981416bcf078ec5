//! Mean 0 and deviation 1 of every column, by the training rows'. Columns that are constant there become 0.

use super::{Apply, Transform, affine, check_columns};
use crate::error::ClassicError;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// (v − mean) / deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standardise {}

/// Every column's mean and the inverse of its deviation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnScale {
    mean: Vec<f32>,
    /// 0 for constant columns.
    scale: Vec<f32>,
}

impl Transform for Standardise {
    type Fitted = ColumnScale;

    fn fit(&self, cpu: &Cpu, rows: &Matrix, _: u64) -> Result<ColumnScale, ClassicError> {
        let (mean, variance) = rows.moments(cpu);
        let scale = |(&mean, &variance): (&f64, &f64)| {
            // What a constant column's rounding leaves.
            let constant = variance.sqrt() <= 1e-7 * mean.abs();
            if constant || variance == 0.0 { 0.0 } else { (1.0 / variance.sqrt()) as f32 }
        };
        let scale: Vec<f32> = mean.iter().zip(&variance).map(scale).collect();
        Ok(ColumnScale { mean: mean.into_iter().map(|m| m as f32).collect(), scale })
    }
}

impl Apply for ColumnScale {
    fn inputs(&self) -> usize {
        self.mean.len()
    }

    fn apply(&self, cpu: &Cpu, rows: Matrix) -> Result<Matrix, ClassicError> {
        rows.check_for("standardise", self.inputs())?;
        Ok(affine(rows, cpu, &self.mean, &self.scale))
    }

    fn check(&self) -> Result<(), ClassicError> {
        check_columns("standardise", &self.mean, &self.scale)
    }
}
