//! bfloat16: the upper 16 bits of an `f32`, kept as `u16`. Activations and gradients may be stored so; everything is computed
//! in `f32`, of which bf16 are exact values, and rounded once where it is stored: to the nearest, to the even of two.
//!
//! Convolutions of bf16 run on matrix tiles (AMX-BF16) or as dot products of pairs (AVX512-BF16) where the machine has them
//! ([`Bf16`]). Any machine can run either, emulated and slowly, for tests: there, widening and the kernels for floats are the
//! better way.

mod amx;
mod convert;
mod convolution;
mod copies;
mod dots;
mod epilogue;
mod forward;
mod forward_dots;
mod forward_tiles;
mod frame;
mod prepare;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod way;
mod weight_copies;
mod weight_gradient;
mod weight_operands;
mod weight_products;

pub use convert::{narrow, widen};
pub(crate) use convert::{narrowed, widened};
pub use convolution::Bf16Convolution;
pub use epilogue::{Bf16Destination, Bf16Epilogue};
pub use way::Bf16;
pub(crate) use way::{VARIABLE, names};
pub use weight_gradient::Bf16WeightGradient;
