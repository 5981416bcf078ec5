//! bfloat16: the upper 16 bits of an `f32`, kept as `u16`. Activations and gradients may be stored so; everything is computed
//! in `f32`, of which bf16 are exact values, and rounded once where it is stored: to the nearest, to the even of two.
//!
//! Convolutions of bf16 run on matrix tiles (AMX-BF16) where the machine has them, and elsewhere on emulated ones, which
//! give the same bits but are slow: there, widening and the kernels for floats are the better way.

mod amx;
mod convert;
mod convolution;
mod copies;
mod epilogue;
mod forward;
mod frame;
mod prepare;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod weight_copies;
mod weight_gradient;
mod weight_operands;

pub(crate) use amx::granted;
pub use convert::{narrow, widen};
pub(crate) use convert::{narrowed, widened};
pub use convolution::AmxConvolution;
pub use epilogue::{Bf16Destination, Bf16Epilogue};
pub use weight_gradient::AmxWeightGradient;
