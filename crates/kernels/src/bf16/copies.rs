//! Copies of input rows for tiles to read: with their padding, or with each pixel's kernel row side by side in whole steps of
//! terms. What fills a step is zero in the copy too: weights beyond the last term are zero, but zero times NaN is not.

use super::convolution::{Bf16Convolution, Source, Walk};
use super::frame::{Frame, put_row};
use super::product::STEP;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Some input rows of a block of one image.
pub(super) struct Copies<'a> {
    pub(super) plan: &'a Bf16Convolution,
    pub(super) walk: Walk,
    pub(super) x: &'a [u16],
    pub(super) frame: Frame<'a>,
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    /// All copies of the image in the block, of which nobody else holds these rows.
    pub(super) to: *mut u16,
    /// A line of [`Bf16Convolution::line_len`] words that nobody else holds.
    pub(super) line: *mut u16,
}

impl Kernel for Copies<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let g = self.frame.g;
        let (len, pad) = (self.walk.slot * self.walk.span, g.pad[1] * g.c_in);
        for i in self.rows.clone() {
            // Safety: row i of the image's copies, as whoever made this vouches.
            let to = unsafe { std::slice::from_raw_parts_mut(self.to.wrapping_add(i * len), len) };
            let row = self.frame.row(self.x, self.image, i);
            if self.plan.source() == Source::Frame || row.is_none() {
                put_row(row, pad, to);
                continue;
            }
            // Safety: as whoever made this vouches.
            let line = unsafe { std::slice::from_raw_parts_mut(self.line, self.plan.line_len()) };
            put_row(row, pad, line);
            if g.dilation[1] == 1 {
                self.gather(line, to);
            } else {
                self.gather_taps(line, to);
            }
        }
    }
}

impl Copies<'_> {
    /// Kernel rows that lie side by side in the line.
    #[inline(always)]
    fn gather(&self, line: &[u16], to: &mut [u16]) {
        let g = self.frame.g;
        let (terms, step) = (g.kernel[1] * g.c_in, g.stride[1] * g.c_in);
        // Of the last step's words, those that are terms.
        let last = self.walk.depth - STEP;
        let mask: [u16; STEP] = std::array::from_fn(|i| if last + i < terms { u16::MAX } else { 0 });
        for (pixel, to) in to.chunks_exact_mut(self.walk.depth).enumerate() {
            let from = &line[pixel * step..][..self.walk.depth];
            let (whole, rest) = to.split_at_mut(last);
            whole.copy_from_slice(&from[..last]);
            for i in 0..STEP {
                rest[i] = from[last + i] & mask[i];
            }
        }
    }

    /// Kernel rows whose taps lie apart.
    #[inline(always)]
    fn gather_taps(&self, line: &[u16], to: &mut [u16]) {
        let g = self.frame.g;
        for (pixel, to) in to.chunks_exact_mut(self.walk.depth).enumerate() {
            let (taps, rest) = to.split_at_mut(g.kernel[1] * g.c_in);
            for (kx, to) in taps.chunks_exact_mut(g.c_in).enumerate() {
                to.copy_from_slice(&line[(pixel * g.stride[1] + kx * g.dilation[1]) * g.c_in..][..g.c_in]);
            }
            rest.fill(0);
        }
    }
}
