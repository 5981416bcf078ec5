//! bfloat16: the upper 16 bits of an `f32`, kept as `u16`. Activations and gradients may be stored so; everything is computed
//! in `f32`, of which bf16 are exact values, and rounded once where it is stored: to the nearest, to the even of two.

mod convert;

pub use convert::{narrow, widen};
pub(crate) use convert::{narrowed, widened};
