//! What becomes of a convolution's sums as they are stored: bias, residual and activation in the last write, channels of a
//! wider map as the destination, and the moments that batch normalisation asks for.

/// An activation that clamps, so that it costs nothing in a last write. NaN passes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
}

impl Activation {
    /// The least and the largest value it lets through.
    pub(crate) fn bounds(self) -> (f32, f32) {
        match self {
            Self::None => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}

/// y = activation(sum + bias + residual).
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Of (channels).
    pub bias: Option<&'a [f32]>,
    /// Of the output's shape, dense.
    pub residual: Option<&'a [f32]>,
    /// Applied last.
    pub activation: Activation,
}

/// Where a convolution writes: some channels of a map that may be wider, as in a concatenation.
#[derive(Debug)]
pub struct Destination<'a> {
    /// Pixels of `pitch` channels.
    pub values: &'a mut [f32],
    /// Channels of a pixel.
    pub pitch: usize,
    /// The first channel that is written.
    pub channel: usize,
    /// Add to what is there instead of assigning; not together with an activation.
    pub adds: bool,
    /// If given, the count, mean and squared deviations of what is written, of blocks of pixels, for [`crate::combine_moments`].
    pub moments: Option<&'a mut [f32]>,
}

impl<'a> Destination<'a> {
    /// All of a map of `channels`, assigned.
    pub fn assign(values: &'a mut [f32], channels: usize) -> Self {
        Self { values, pitch: channels, channel: 0, adds: false, moments: None }
    }

    /// All of a map of `channels`, added to.
    pub fn add(values: &'a mut [f32], channels: usize) -> Self {
        Self { adds: true, ..Self::assign(values, channels) }
    }

    /// The same destination for a shorter time.
    pub(super) fn again(&mut self) -> Destination<'_> {
        Destination { values: self.values, moments: self.moments.as_deref_mut(), ..*self }
    }

    /// Zeros the channels that are written.
    pub(super) fn fill(&mut self, channels: usize) {
        if self.pitch == channels {
            self.values.fill(0.0);
        } else {
            let pixels = self.values.chunks_exact_mut(self.pitch);
            pixels.for_each(|pixel| pixel[self.channel..self.channel + channels].fill(0.0));
        }
    }
}
