//! Arithmetic on slices for convolutional networks: SIMD, convolution, pooling, normalisation, threads.
//!
//! Conventions that hold everywhere:
//!
//! * **Layout.** Activations are `f32` slices in NHWC order, channels innermost: element `(n, y, x, c)` of a tensor lies at
//!   `((n * h + y) * w + x) * channels + c`. Where only channels matter, the same slice is "rows × c". Convolution weights
//!   are OIHW as in PyTorch, `[c_out][c_in / groups][kernel_h][kernel_w]`; a linear layer is the 1×1 case.
//! * **bf16.** Activations may be kept as `u16` that hold the upper half of an `f32`; see [`narrow`]. Sums are `f32` always.
//! * **Forward assigns, backward is told.** Forward kernels write every element of their output. A tensor read in several
//!   places sums its gradients: gradient kernels take a [`GradientSlot`], which says whether they are the first, who assigns,
//!   or add. Those that take a plain slice add, but for [`Normalised`] and [`activate_backward`], which
//!   assign the gradients of parameters.
//! * **Same bits at any thread count.** Work is cut into pieces by shape alone, pieces are handed out dynamically, and
//!   partial sums are added in a fixed order. Different instruction sets may round differently.
//! * **No allocation.** Kernels that need room take `scratch`; a function or method beside each says how many floats. Its
//!   contents before a call do not matter.
//! * **Panics.** A slice whose length contradicts the stated shape is a programming error and panics.

mod activate;
mod batch_norm;
mod bf16;
mod buffer;
mod conv;
mod cpu;
mod crew;
mod denormals;
mod elementwise;
mod exponential;
mod gradient_slot;
mod halves;
mod isa;
mod local_response_norm;
mod peak;
mod pool;
mod rbf;
#[cfg(test)]
mod reference;
mod rng;
mod rows;
mod simd;
mod softmax;
mod sums;
mod update;
mod zero_pad;

pub use activate::activate_backward;
pub use batch_norm::{
    Normalised, batch_norm_backward, batch_norm_backward_frozen, batch_norm_scratch, channel_statistics, normalise,
    normalise_activate,
};
pub use bf16::{Bf16, Bf16Convolution, Bf16Destination, Bf16Epilogue, Bf16WeightGradient, narrow, widen};
pub use buffer::{Buffer, zeros_to_fill};
pub use conv::{
    Activation, Algorithm, ConvGeometry, Convolution, Destination, Epilogue, HalfLinear, WeightGradient,
    combine_moments, conv_backward_data, conv_backward_weight, conv_forward,
};
pub use cpu::Cpu;
pub use elementwise::{map, map2, pass_on};
pub use exponential::{scaled_tanh, sigmoid};
pub use gradient_slot::GradientSlot;
pub use halves::{halves, halves_mut};
pub use isa::{Isa, IsaError};
pub use local_response_norm::{LocalResponse, local_response_norm, local_response_norm_backward};
pub use peak::peak_flops;
pub use pool::{
    PoolGeometry, PoolRegions, avg_pool_backward, avg_pool_forward, global_avg_pool_backward, global_avg_pool_forward,
    global_max_pool_backward, global_max_pool_forward, global_max_pool_switches, max_pool_backward, max_pool_forward,
    max_pool_gather, norm_pool_backward, norm_pool_forward, region_avg_pool_backward, region_avg_pool_forward,
    region_max_pool_backward, region_max_pool_forward,
};
pub use rbf::{rbf_backward, rbf_forward};
pub use rng::{hash, normal, splitmix64, uniform};
pub use simd::{Kernel, Simd};
pub use softmax::{Targets, cross_entropy, softmax, softmax_backward, tempered_softmax};
pub use sums::{column_sums, column_sums_scratch};
pub use update::{AdamW, Sgd, adamw, sgd};
pub use zero_pad::{ZeroPad, zero_pad_backward, zero_pad_forward};
