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

    /// Takes `count` pixels that were just written, at the `lanes` channels from `channel` on: all of a vector where `FULL`.
    /// `before` pixels of the block were taken already; `at(i)` is where pixel i has these channels.
    ///
    /// # Safety
    /// The channels exist, they can be read in every pixel, and no other thread takes them.
    #[inline(always)]
    pub(super) unsafe fn take<S: Simd, const FULL: bool>(
        self,
        s: S,
        at: impl Fn(usize) -> *const f32,
        count: usize,
        before: usize,
        channel: usize,
        lanes: usize,
    ) {
        /// Pixels whose mean is taken before their deviations: they stay in a first-level cache.
        const TOGETHER: usize = 64;
        for start in (0..count).step_by(TOGETHER) {
            let own = TOGETHER.min(count - start);
            // Safety: the caller vouches for every pixel.
            let value = |i: usize| unsafe { s.load_lanes::<FULL>(at(start + i), lanes) };
            let mean = s.mul(add_up(s, own, |sum, i| s.add(sum, value(i))), s.splat(1.0 / own as f32));
            let squares = add_up(s, own, |sum, i| {
                let off = s.sub(value(i), mean);
                s.fma(off, off, sum)
            });
            // Safety: as the caller vouches.
            unsafe { self.merge::<S>(s, mean, squares, own, before + start, channel, lanes) };
        }
    }

    /// Adds `own` pixels with these moments to the `before` that were taken.
    ///
    /// # Safety
    /// As for [`Block::take`].
    #[allow(clippy::too_many_arguments)] // Two sets of moments of some channels.
    #[inline(always)]
    unsafe fn merge<S: Simd>(
        self,
        s: S,
        own_mean: S::Vector,
        own_squares: S::Vector,
        own: usize,
        before: usize,
        channel: usize,
        lanes: usize,
    ) {
        let mean = self.start.wrapping_add(HEADER + channel);
        let squares = mean.wrapping_add(self.channels);
        // Safety: as the caller vouches.
        unsafe {
            if before == 0 {
                s.store_first(own_mean, mean, lanes);
                s.store_first(own_squares, squares, lanes);
            } else {
                let (own, before) = (own as f32, before as f32);
                let (old_mean, old_squares) = (s.load_first(mean, lanes), s.load_first(squares, lanes));
                let delta = s.sub(own_mean, old_mean);
                let scaled = s.mul(delta, s.splat(own / (before + own)));
                s.store_first(s.add(old_mean, scaled), mean, lanes);
                let between = s.fma(s.mul(scaled, delta), s.splat(before), own_squares);
                s.store_first(s.add(old_squares, between), squares, lanes);
            }
        }
    }
}

/// Sums `count` terms in four interleaved sums, since one would wait for each addition.
#[inline(always)]
fn add_up<S: Simd>(s: S, count: usize, add: impl Fn(S::Vector, usize) -> S::Vector) -> S::Vector {
    let [mut a, mut b, mut c, mut d] = [s.splat(0.0); 4];
    let mut i = 0;
    while i + 4 <= count {
        (a, b, c, d) = (add(a, i), add(b, i + 1), add(c, i + 2), add(d, i + 3));
        i += 4;
    }
    while i < count {
        a = add(a, i);
        i += 1;
    }
    s.add(s.add(a, b), s.add(c, d))
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
