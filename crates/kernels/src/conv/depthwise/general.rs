//! Depthwise convolution of any kernel, step, padding and dilation: up to eight neighbouring outputs of one vector of
//! channels are summed together, tap by tap.

use super::cut::Piece;
use super::sink::Sink;
use crate::conv::pass::Pass;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// A piece of a pass.
pub(super) struct Rows<'a> {
    pub(super) pass: &'a Pass,
    pub(super) kernel_w: usize,
    pub(super) piece: Piece,
    pub(super) input: &'a [f32],
    /// Of (taps, channels).
    pub(super) weight: &'a [f32],
    pub(super) sink: &'a Sink<'a>,
}

impl Kernel for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let cols = self.pass.cols;
        let whole = |point: usize| point < cols.points && cols.taps_inside(point) == (0..cols.taps);
        for row in self.piece.rows.clone() {
            let mut point = 0;
            while point < cols.points {
                // Where the first and the last of some neighbours see all taps, so do those between.
                if whole(point) && whole(point + 7) {
                    self.channels::<S, 8>(s, row, point, 0..cols.taps);
                    point += 8;
                } else if whole(point) && whole(point + 3) {
                    self.channels::<S, 4>(s, row, point, 0..cols.taps);
                    point += 4;
                } else {
                    self.channels::<S, 1>(s, row, point, cols.taps_inside(point));
                    point += 1;
                }
            }
        }
        let channels = &self.piece.channels;
        let whole = channels.end - channels.len() % S::LANES;
        let pixels = self.piece.rows.len() * cols.points;
        let first = (self.piece.image * self.pass.rows.out_len + self.piece.rows.start) * cols.points;
        // Safety: pixels and channels of this piece alone.
        unsafe {
            for c in (channels.start..whole).step_by(S::LANES) {
                self.sink.gather::<S, true>(s, &self.piece, (first, pixels), 0, c, S::LANES);
            }
            if whole < channels.end {
                self.sink.gather::<S, false>(s, &self.piece, (first, pixels), 0, whole, channels.end - whole);
            }
        }
    }
}

impl Rows<'_> {
    /// All channels of P points of a row that read inside it under the columns of taps `taps`.
    #[inline(always)]
    fn channels<S: Simd, const P: usize>(&self, s: S, row: usize, point: usize, taps: Range<usize>) {
        let channels = &self.piece.channels;
        let whole = channels.end - channels.len() % S::LANES;
        for c in (channels.start..whole).step_by(S::LANES) {
            self.vector::<S, P, true>(s, row, point, &taps, c, S::LANES);
        }
        if whole < channels.end {
            self.vector::<S, P, false>(s, row, point, &taps, whole, channels.end - whole);
        }
    }

    /// The `lanes` channels from `c` on, a full vector where `FULL`.
    #[inline(always)]
    fn vector<S: Simd, const P: usize, const FULL: bool>(
        &self,
        s: S,
        row: usize,
        point: usize,
        taps: &Range<usize>,
        c: usize,
        lanes: usize,
    ) {
        let (rows, cols) = (&self.pass.rows, &self.pass.cols);
        let channels = self.pass.in_pitch();
        let step = cols.in_step * channels;
        // The input row under tap row 0, which may lie above the image.
        let top = (self.piece.image * rows.in_len + row * rows.in_step).wrapping_add_signed(rows.shift);
        let mut sums = [self.sink.start(s, c, lanes); P];
        for ty in rows.taps_inside(row) {
            let y = top.wrapping_add(ty * rows.shift_step);
            for tx in taps.clone() {
                let x = (point * cols.in_step + tx * cols.shift_step).wrapping_add_signed(cols.shift);
                let position = rows.kernel_position(ty) * self.kernel_w + cols.kernel_position(tx);
                let w = s.read(&self.weight[position * channels + c..][..lanes]);
                let from = (y * cols.in_len + x) * channels + c;
                let input = &self.input[from..from + (P - 1) * step + lanes];
                for p in 0..P {
                    // Safety: the slice reaches to the last of P vectors, `step` apart.
                    let value = unsafe { s.load_lanes::<FULL>(input.as_ptr().add(p * step), lanes) };
                    sums[p] = s.fma(value, w, sums[p]);
                }
            }
        }
        let line = (self.piece.image * rows.out_len + rows.out_start + row * rows.out_step) * cols.out_len;
        for p in 0..P {
            let pixel = line + cols.out_start + (point + p) * cols.out_step;
            // Safety: a point of the pass; its rows and channels belong to this piece alone.
            unsafe { self.sink.write::<S, FULL, false>(s, sums[p], pixel, c, lanes) };
        }
    }
}

/// Adds the products of a row of dy to `sums` (taps, channels).
pub(super) struct WeightRow<'a> {
    pub(super) pass: &'a Pass,
    /// Of all images.
    pub(super) row: usize,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    /// (taps, channels) of the piece's copy.
    pub(super) sums: *mut f32,
}

impl WeightRow<'_> {
    /// # Safety
    /// `sums` holds (taps, channels), the channels exist, and no other thread writes them.
    #[inline(always)]
    pub(super) unsafe fn vector<S: Simd, const FULL: bool>(&self, s: S, c: usize, lanes: usize) {
        let (rows, cols) = (&self.pass.rows, &self.pass.cols);
        let channels = self.pass.in_pitch();
        let (image, row) = (self.row / rows.points, self.row % rows.points);
        let step = cols.in_step * channels;
        for ty in rows.taps_inside(row) {
            let y = (row * rows.in_step + ty * rows.shift_step).wrapping_add_signed(rows.shift);
            for tx in 0..cols.taps {
                let points = cols.points_inside(tx);
                if points.is_empty() {
                    continue;
                }
                let column = (points.start * cols.in_step + tx * cols.shift_step).wrapping_add_signed(cols.shift);
                let x = ((image * rows.in_len + y) * cols.in_len + column) * channels + c;
                let x = &self.x[x..x + (points.len() - 1) * step + lanes];
                let dy = (self.row * cols.points + points.start) * channels + c;
                let dy = &self.dy[dy..dy + (points.len() - 1) * channels + lanes];
                let product = |i: usize, sum: S::Vector| {
                    // Safety: both slices reach to the vector of the last point, and i < points.len().
                    let (x, dy) = unsafe {
                        (
                            s.load_lanes::<FULL>(x.as_ptr().add(i * step), lanes),
                            s.load_lanes::<FULL>(dy.as_ptr().add(i * channels), lanes),
                        )
                    };
                    s.fma(x, dy, sum)
                };
                // Four sums: one alone would wait for its own last addition.
                let mut sums = [s.splat(0.0); 4];
                let quads = points.len() / 4;
                for i in 0..quads {
                    for k in 0..4 {
                        sums[k] = product(4 * i + k, sums[k]);
                    }
                }
                for i in 4 * quads..points.len() {
                    sums[0] = product(i, sums[0]);
                }
                let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
                // Safety: as the caller vouches.
                unsafe {
                    let to = self.sums.add((ty * cols.taps + tx) * channels + c);
                    s.store_lanes::<FULL>(s.add(s.load_lanes::<FULL>(to, lanes), sum), to, lanes);
                }
            }
        }
    }
}
