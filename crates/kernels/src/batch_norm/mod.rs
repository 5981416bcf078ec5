//! Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) over rows × c, with what follows it in residual networks:
//! `y = activation((x − mean) · inv_std · gamma + beta + residual)`. Variances are biased, as the forward pass uses them;
//! `inv_std` is 1 / √(variance + ε), computed by the caller, who owns ε.

mod backward;
mod forward;
mod statistics;
#[cfg(test)]
mod tests;

pub use backward::{Normalised, batch_norm_backward, batch_norm_backward_frozen};
pub use forward::{normalise, normalise_activate};
pub use statistics::channel_statistics;

use crate::sums::RowChunks;

/// Floats of scratch that [`channel_statistics`], [`batch_norm_backward`], [`Normalised`] and their frozen
/// kin need for `len` elements, rows × c.
pub fn batch_norm_scratch(len: usize, c: usize) -> usize {
    c * (RowChunks::new(len / c.max(1), c).count() * statistics::LINES + backward::LINES)
}

/// Checks lengths; returns the number of rows.
fn check(x: &[f32], c: usize, columns: &[&[f32]]) -> usize {
    assert!(c > 0 && x.len().is_multiple_of(c), "whole rows of {c} channels, not {} elements", x.len());
    assert!(columns.iter().all(|v| v.len() == c), "a value for each of {c} channels");
    x.len() / c
}
