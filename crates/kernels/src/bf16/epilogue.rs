//! What becomes of a convolution's sums as they are stored as bf16: as [`crate::Epilogue`] and [`crate::Destination`] say it
//! for floats. Everything is added as floats and rounded once.

use crate::conv::Activation;

/// y = activation(sum + bias + residual).
#[derive(Clone, Copy, Debug, Default)]
pub struct Bf16Epilogue<'a> {
    /// Of (channels).
    pub bias: Option<&'a [f32]>,
    /// Of the output's shape, dense.
    pub residual: Option<&'a [u16]>,
    /// Applied last.
    pub activation: Activation,
}

/// Where a convolution writes: some channels of a map that may be wider, as in a concatenation.
#[derive(Debug)]
pub struct Bf16Destination<'a> {
    /// Pixels of `pitch` channels.
    pub values: &'a mut [u16],
    /// Channels of a pixel.
    pub pitch: usize,
    /// The first channel that is written.
    pub channel: usize,
    /// Add to what is there instead of assigning; not together with a residual or an activation.
    pub adds: bool,
}

impl<'a> Bf16Destination<'a> {
    /// All of a map of `channels`, assigned.
    pub fn assign(values: &'a mut [u16], channels: usize) -> Self {
        Self { values, pitch: channels, channel: 0, adds: false }
    }

    /// All of a map of `channels`, added to.
    pub fn add(values: &'a mut [u16], channels: usize) -> Self {
        Self { adds: true, ..Self::assign(values, channels) }
    }
}
