//! Length 1 of every row; rows of zeros stay.

use super::{Apply, Transform};
use crate::error::ClassicError;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// v / ‖v‖₂.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLength {}

/// Nothing but the number of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowScale {
    columns: usize,
}

impl Transform for UnitLength {
    type Fitted = RowScale;

    fn fit(&self, _: &Cpu, rows: &Matrix, _: u64) -> Result<RowScale, ClassicError> {
        Ok(RowScale { columns: rows.columns() })
    }
}

impl Apply for RowScale {
    fn inputs(&self) -> usize {
        self.columns
    }

    fn apply(&self, cpu: &Cpu, mut rows: Matrix) -> Result<Matrix, ClassicError> {
        rows.check_for("unit_length", self.columns)?;
        cpu.chunks(rows.values_mut(), self.columns, |_, row| {
            let norm = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            if norm > 0.0 {
                for v in row.iter_mut() {
                    *v = (f64::from(*v) / norm) as f32;
                }
            }
        });
        Ok(rows)
    }

    fn check(&self) -> Result<(), ClassicError> {
        if self.columns == 0 {
            return Err(ClassicError::Damaged { of: "unit_length", problem: "it has no columns".to_owned() });
        }
        Ok(())
    }
}
