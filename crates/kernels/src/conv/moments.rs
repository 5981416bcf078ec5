//! Mean and variance of a convolution's output, gathered while it is written (for batch normalisation, which would otherwise
//! read the whole map again). Each block of pixels keeps a count, means and sums of squared deviations; blocks are
//! combined in order, in f64, after Chan, Golub and `LeVeque` (1983).

use crate::Cpu;
use crate::simd::Simd;

/// Floats before the means of a block: its count, and padding to a cache line.
const HEADER: usize = 16;

/// Channels of a piece of [`combine_moments`].
const PIECE: usize = 64;

/// Floats of one block's moments: count, means, squared deviations.
pub(super) fn block_len(channels: usize) -> usize {
    (HEADER + 2 * channels).next_multiple_of(16)
}

/// One block's moments while its pixels are written: each channel's are taken by one thread, in a fixed order.
#[derive(Clone, Copy)]
pub(super) struct Block {
    start: *mut f32,
    channels: usize,
}

impl Block {
    /// Block `index` of those at `start`.
    ///
    /// # Safety
    /// `(index + 1) * block_len(channels)` floats at `start` can be written.
    pub(super) unsafe fn new(start: *mut f32, index: usize, channels: usize) -> Self {
        // Safety: as the caller vouches.
        Self { start: unsafe { start.add(index * block_len(channels)) }, channels }
    }

    /// States how many pixels the block has. Any thread may, all say the same.
    pub(super) fn set_count(self, pixels: usize) {
        // Safety: the header of the block.
        unsafe { *self.start = pixels as f32 };
    }

    /// Takes the values of some pixels at the `lanes` channels from `channel` on; `before` pixels of the block were taken
    /// already.
    ///
    /// # Safety
    /// The channels exist, and no other thread takes them.
    #[inline(always)]
    pub(super) unsafe fn take<S: Simd>(self, s: S, values: &[S::Vector], before: usize, channel: usize, lanes: usize) {
        let count = values.len() as f32;
        let mut sum = s.splat(0.0);
        for &v in values {
            sum = s.add(sum, v);
        }
        let own_mean = s.mul(sum, s.splat(1.0 / count));
        let mut own_squares = s.splat(0.0);
        for &v in values {
            let off = s.sub(v, own_mean);
            own_squares = s.fma(off, off, own_squares);
        }
        let (mean, squares) = (self.start.wrapping_add(HEADER + channel), self.channels);
        let squares = mean.wrapping_add(squares);
        // Safety: as the caller vouches.
        unsafe {
            if before == 0 {
                s.store_first(own_mean, mean, lanes);
                s.store_first(own_squares, squares, lanes);
            } else {
                let (before, total) = (before as f32, before as f32 + count);
                let (old_mean, old_squares) = (s.load_first(mean, lanes), s.load_first(squares, lanes));
                let delta = s.sub(own_mean, old_mean);
                let scaled = s.mul(delta, s.splat(count / total));
                s.store_first(s.add(old_mean, scaled), mean, lanes);
                let between = s.fma(s.mul(scaled, delta), s.splat(before), own_squares);
                s.store_first(s.add(old_squares, between), squares, lanes);
            }
        }
    }
}

/// Assigns the mean and biased variance of each channel from the moments of blocks that a convolution gathered.
///
/// `blocks` as the convolution left them, `mean` and `var` of (channels).
///
/// # Panics
/// If a length contradicts the channels.
pub fn combine_moments(cpu: &Cpu, blocks: &[f32], mean: &mut [f32], var: &mut [f32]) {
    let channels = mean.len();
    assert_eq!(channels, var.len(), "a variance for each mean");
    let len = block_len(channels);
    assert!(!blocks.is_empty() && blocks.len().is_multiple_of(len), "whole blocks of {len} floats");
    let pixels: f64 = blocks.chunks_exact(len).map(|b| f64::from(b[0])).sum();
    cpu.chunks2(mean, PIECE, var, PIECE, |i, mean, var| {
        for (j, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
            let at = HEADER + i * PIECE + j;
            let parts =
                || blocks.chunks_exact(len).map(|b| (f64::from(b[0]), f64::from(b[at]), f64::from(b[at + channels])));
            let total = parts().map(|(n, mean, _)| n * mean).sum::<f64>() / pixels;
            let squares: f64 = parts().map(|(n, mean, squares)| squares + n * (mean - total).powi(2)).sum();
            *mean = total as f32;
            *var = (squares / pixels) as f32;
        }
    });
}
