//! Rows of features: one row an image, stored one after the other.

use crate::error::ClassicError;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// `rows` × `columns` floats, row by row; at least one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// What is in a file, before it is trusted.
#[derive(Deserialize)]
struct Stored {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl TryFrom<Stored> for Matrix {
    type Error = ClassicError;

    fn try_from(stored: Stored) -> Result<Self, ClassicError> {
        Self::new(stored.rows, stored.columns, stored.values)
    }
}

impl Matrix {
    /// A matrix of values given row by row.
    ///
    /// # Errors
    /// [`ClassicError::Shape`] if their number is not rows × columns, or there is no column.
    ///
    /// ```
    /// let m = striate_classic::Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 4.0])?;
    /// assert_eq!(m.row(1), [3.0, 4.0]);
    /// # Ok::<(), striate_classic::ClassicError>(())
    /// ```
    pub fn new(rows: usize, columns: usize, values: Vec<f32>) -> Result<Self, ClassicError> {
        if columns == 0 || rows.checked_mul(columns) != Some(values.len()) {
            return Err(ClassicError::Shape { rows, columns, values: values.len() });
        }
        Ok(Self { rows, columns, values })
    }

    /// Zeros; `columns` is at least 1.
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let columns = columns.max(1);
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, at least 1.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row by row, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// Every row in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.columns)
    }

    /// The rows of these indices, in their order.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = indices.iter().flat_map(|&i| self.row(i)).copied().collect();
        Self { rows: indices.len(), columns: self.columns, values }
    }

    /// Rows and columns exchanged.
    pub(crate) fn turned(&self) -> Self {
        let mut turned = Self::zeros(self.columns, self.rows);
        for (i, row) in self.iter().enumerate() {
            for (j, &v) in row.iter().enumerate() {
                turned.values[j * self.rows + i] = v;
            }
        }
        turned
    }

    /// Every column's sum of `f(column, value)`, in f64, over the rows in order.
    pub(crate) fn column_sums(&self, cpu: &Cpu, f: impl Fn(usize, f32) -> f64 + Sync + Send) -> Vec<f64> {
        /// Columns of a piece: a cache line.
        const PIECE: usize = 16;
        let mut sums = vec![0.0; self.columns];
        cpu.chunks(&mut sums, PIECE, |piece, sums| {
            let first = piece * PIECE;
            for row in self {
                for ((column, sum), &v) in (first..).zip(sums.iter_mut()).zip(&row[first..]) {
                    *sum += f(column, v);
                }
            }
        });
        sums
    }

    /// Each column's mean and mean squared deviation from it.
    pub(crate) fn moments(&self, cpu: &Cpu) -> (Vec<f64>, Vec<f64>) {
        let n = self.rows.max(1) as f64;
        let mean: Vec<f64> = self.column_sums(cpu, |_, v| f64::from(v)).into_iter().map(|s| s / n).collect();
        let squares = self.column_sums(cpu, |c, v| (f64::from(v) - mean[c]).powi(2));
        (mean, squares.into_iter().map(|s| s / n).collect())
    }

    /// # Errors
    /// [`ClassicError::NotFinite`] for the first value that is NaN or infinite.
    pub fn check_finite(&self) -> Result<(), ClassicError> {
        match self.values.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => Err(ClassicError::NotFinite {
                row: at / self.columns,
                column: at % self.columns,
                value: self.values[at],
            }),
        }
    }

    /// # Errors
    /// [`ClassicError::Columns`] unless there are `expected` columns, and as [`Matrix::check_finite`].
    pub(crate) fn check_for(&self, of: &'static str, expected: usize) -> Result<(), ClassicError> {
        if self.columns != expected {
            return Err(ClassicError::Columns { of, expected, found: self.columns });
        }
        self.check_finite()
    }
}

impl<'a> IntoIterator for &'a Matrix {
    type Item = &'a [f32];
    type IntoIter = std::slice::ChunksExact<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sizes_and_values_are_refused() {
        assert_eq!(Matrix::new(2, 3, vec![0.0; 5]), Err(ClassicError::Shape { rows: 2, columns: 3, values: 5 }));
        assert!(Matrix::new(0, 0, Vec::new()).is_err());
        assert!(serde_json::from_str::<Matrix>(r#"{"rows":4611686018427387904,"columns":4,"values":[]}"#).is_err());
        let nan = Matrix::new(2, 2, vec![0.0, 1.0, 2.0, f32::NAN]).unwrap();
        let error = nan.check_finite().unwrap_err().to_string();
        assert_eq!(error, "feature 1 of image 1 is NaN; features must be finite numbers");
    }

    #[test]
    fn moments_and_turning_follow_their_definitions() {
        let m = Matrix::new(3, 2, vec![1.0, 10.0, 2.0, 10.0, 6.0, 10.0]).unwrap();
        let (mean, variance) = m.moments(&Cpu::new(2).unwrap());
        assert_eq!((mean, variance), (vec![3.0, 10.0], vec![14.0 / 3.0, 0.0]));
        assert_eq!(m.turned().row(0), [1.0, 2.0, 6.0]);
        assert_eq!(m.turned().turned(), m);
        assert_eq!(m.select(&[2, 0]).values(), [6.0, 10.0, 1.0, 10.0]);
    }
}
