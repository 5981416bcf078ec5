//! From features to features: the list of transforms. What they know is learnt from training rows only.

use crate::error::ClassicError;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// Settings of a transform.
pub trait Transform {
    /// What is learnt.
    type Fitted: Apply;

    /// Learns from the rows of training images; draws depend on `seed`.
    ///
    /// # Errors
    /// Values that are not finite, no rows, and settings outside their range.
    fn fit(&self, cpu: &Cpu, rows: &Matrix, seed: u64) -> Result<Self::Fitted, ClassicError>;
}

/// A transform that has been learnt.
pub trait Apply {
    /// Columns it takes.
    fn inputs(&self) -> usize;

    /// Columns it gives.
    fn outputs(&self) -> usize {
        self.inputs()
    }

    /// Transforms rows of [`Apply::inputs`] columns.
    ///
    /// # Errors
    /// [`ClassicError::Columns`] for other columns, [`ClassicError::NotFinite`] for values that are not finite.
    fn apply(&self, cpu: &Cpu, rows: Matrix) -> Result<Matrix, ClassicError>;

    /// Whether stored values agree with each other.
    ///
    /// # Errors
    /// [`ClassicError::Damaged`].
    fn check(&self) -> Result<(), ClassicError>;
}

/// Makes the modules and the enums of the list.
macro_rules! transforms {
    ($($(#[$doc:meta])* $kind:ident => $settings:ident, $fitted:ident;)+) => {
        $(mod $kind; pub use $kind::*;)+

        /// A transform by its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum TransformKind {
            $($(#[$doc])* $settings($settings),)+
        }

        impl TransformKind {
            /// The name of each.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($kind),)+];

            /// Every transform with its default settings.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$settings($settings::default()),)+]
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$settings(_) => stringify!($kind),)+ }
            }

            /// As [`Transform::fit`].
            ///
            /// # Errors
            /// As [`Transform::fit`].
            pub fn fit(&self, cpu: &Cpu, rows: &Matrix, seed: u64) -> Result<Fitted, ClassicError> {
                if rows.rows() == 0 {
                    return Err(ClassicError::NoImages);
                }
                rows.check_finite()?;
                match self { $(Self::$settings(s) => s.fit(cpu, rows, seed).map(Fitted::$settings),)+ }
            }
        }

        /// A transform that has been learnt.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Fitted {
            $($(#[$doc])* $settings($fitted),)+
        }

        impl Apply for Fitted {
            fn inputs(&self) -> usize {
                match self { $(Self::$settings(t) => t.inputs(),)+ }
            }

            fn outputs(&self) -> usize {
                match self { $(Self::$settings(t) => t.outputs(),)+ }
            }

            fn apply(&self, cpu: &Cpu, rows: Matrix) -> Result<Matrix, ClassicError> {
                match self { $(Self::$settings(t) => t.apply(cpu, rows),)+ }
            }

            fn check(&self) -> Result<(), ClassicError> {
                match self { $(Self::$settings(t) => t.check(),)+ }
            }
        }
    };
}

transforms! {
    /// Mean 0 and deviation 1 of every column.
    standardise => Standardise, ColumnScale;
    /// From 0 to 1 in every column.
    min_max => MinMax, ColumnRange;
    /// Length 1 of every row.
    unit_length => UnitLength, RowScale;
    /// Principal components.
    pca => Pca, Components;
}

/// (v − shift) · scale in every column.
fn affine(mut rows: Matrix, cpu: &Cpu, shift: &[f32], scale: &[f32]) -> Matrix {
    let columns = rows.columns();
    let piece = (16_384 / columns).max(1) * columns;
    cpu.chunks(rows.values_mut(), piece, |_, rows| {
        for row in rows.chunks_exact_mut(columns) {
            for ((v, shift), scale) in row.iter_mut().zip(shift).zip(scale) {
                *v = (*v - shift) * scale;
            }
        }
    });
    rows
}

/// Whether two stored columns' worth of figures are as many and finite.
fn check_columns(of: &'static str, a: &[f32], b: &[f32]) -> Result<(), ClassicError> {
    if a.is_empty() || a.len() != b.len() || a.iter().chain(b).any(|v| !v.is_finite()) {
        let problem = format!("{} and {} figures, or some that are not finite", a.len(), b.len());
        return Err(ClassicError::Damaged { of, problem });
    }
    Ok(())
}
