//! The weight gradient of depthwise convolutions. Chunks of rows sum into copies of their own, which are added in order.
//! 3×3 kernels with steps of 1 and 2 keep the nine sums of one vector of channels in registers along one or two rows of dy,
//! and load each vector of x once for them.

use super::general::WeightRow;
use super::walk;
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::conv::pass::Pass;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Channels of a piece: two lines of the cache at least.
const WIDTH: usize = 64;

/// Products of a weight that are summed in registers before they go to memory.
const RUN: usize = 128;

/// Rows of dy, of all images, in chunks of equal height but for the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    pub(super) count: usize,
    rows: usize,
    height: usize,
}

impl Chunks {
    /// As many chunks as work is worth starting for, where channels alone give too few pieces; at most 32.
    pub(super) fn new(g: &ConvGeometry) -> Self {
        let (rows, widths) = (g.n * g.out_h, g.c_out.div_ceil(WIDTH));
        let wanted = (g.y_len() / 8192).clamp(1, 32).div_ceil(widths.max(1));
        let height = rows.div_ceil(wanted).next_multiple_of(2).max(2);
        Self { count: rows.div_ceil(height).max(1), rows, height }
    }

    fn rows(&self, chunk: usize) -> Range<usize> {
        chunk * self.height..((chunk + 1) * self.height).min(self.rows)
    }
}

pub(super) fn run(cpu: &Cpu, g: &ConvGeometry, x: &[f32], dy: &[f32], dw: &mut [f32], adds: bool, copies: &mut [f32]) {
    let (chunks, widths, taps) = (Chunks::new(g), g.c_out.div_ceil(WIDTH), g.taps());
    let pass = Pass::forward(g);
    let walks = walk::fits(&pass);
    let shared = SharedMut::new(copies);
    cpu.run(chunks.count * widths, |piece| {
        let (chunk, width) = (piece / widths, piece % widths * WIDTH);
        let channels = width..(width + WIDTH).min(g.c_out);
        let copy = shared.get().wrapping_add(chunk * g.weight_len());
        cpu.isa().dispatch(Sums { pass: &pass, walks, rows: chunks.rows(chunk), channels, x, dy, copy });
    });
    cpu.chunks(dw, WIDTH * taps, |piece, dw| {
        let (first, width) = (piece * WIDTH, dw.len() / taps);
        for tap in 0..taps {
            let mut total = [0.0; WIDTH];
            for copy in copies.chunks_exact(taps * g.c_out) {
                let line = &copy[tap * g.c_out + first..][..width];
                total.iter_mut().zip(line).for_each(|(total, sum)| *total += sum);
            }
            for (to, total) in dw[tap..].iter_mut().step_by(taps).zip(total) {
                *to = if adds { *to + total } else { total };
            }
        }
    });
}

/// A piece: some rows of dy, some channels.
struct Sums<'a> {
    pass: &'a Pass,
    walks: bool,
    /// Of all images.
    rows: Range<usize>,
    channels: Range<usize>,
    x: &'a [f32],
    dy: &'a [f32],
    /// The chunk's, (taps, channels).
    copy: *mut f32,
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let whole = self.channels.end - self.channels.len() % S::LANES;
        // Safety: these channels of this copy belong to this piece alone.
        unsafe {
            for c in (self.channels.start..whole).step_by(S::LANES) {
                self.vector::<S, true>(s, c, S::LANES);
            }
            if whole < self.channels.end {
                self.vector::<S, false>(s, whole, self.channels.end - whole);
            }
        }
    }
}

impl Sums<'_> {
    /// Assigns the sums of the `lanes` channels from `c` on, a full vector where `FULL`.
    ///
    /// # Safety
    /// The channels exist, and no other thread writes them.
    #[inline(always)]
    unsafe fn vector<S: Simd, const FULL: bool>(&self, s: S, c: usize, lanes: usize) {
        let channels = self.pass.in_pitch();
        for tap in 0..self.pass.rows.taps * self.pass.cols.taps {
            // Safety: as the caller vouches.
            unsafe { s.store_lanes::<FULL>(s.splat(0.0), self.copy.add(tap * channels + c), lanes) };
        }
        if !self.walks {
            for row in self.rows.clone() {
                let row = WeightRow { pass: self.pass, row, x: self.x, dy: self.dy, sums: self.copy };
                // Safety: as the caller vouches.
                unsafe { row.vector::<S, FULL>(s, c, lanes) };
            }
        } else if self.pass.rows.in_step == 1 {
            // Safety: as the caller vouches.
            unsafe { self.strips::<S, 1, FULL>(s, c, lanes) };
        } else {
            // Safety: as the caller vouches.
            unsafe { self.strips::<S, 2, FULL>(s, c, lanes) };
        }
    }

    /// All rows, two at a time where they are of one image.
    ///
    /// # Safety
    /// As for [`Sums::vector`].
    #[inline(always)]
    unsafe fn strips<S: Simd, const STEP: usize, const FULL: bool>(&self, s: S, c: usize, lanes: usize) {
        let (channels, points) = (self.pass.in_pitch(), self.pass.rows.points);
        let mut row = self.rows.start;
        while row < self.rows.end {
            let mut sums = [s.splat(0.0); 9];
            let mut terms = 0;
            while row < self.rows.end && terms < RUN {
                let count = if row + 1 < self.rows.end && row % points + 1 < points { 2 } else { 1 };
                if count == 2 {
                    self.strip::<S, STEP, 2, FULL>(s, &mut sums, row, c, lanes);
                } else {
                    self.strip::<S, STEP, 1, FULL>(s, &mut sums, row, c, lanes);
                }
                row += count;
                terms += count * self.pass.cols.points;
            }
            for tap in 0..9 {
                // Safety: as the caller vouches.
                unsafe {
                    let to = self.copy.add(tap * channels + c);
                    s.store_lanes::<FULL>(s.add(s.load_lanes::<FULL>(to, lanes), sums[tap]), to, lanes);
                }
            }
        }
    }

    /// Adds the products of R rows of dy, of one image, from `row` on.
    #[inline(always)]
    fn strip<S: Simd, const STEP: usize, const R: usize, const FULL: bool>(
        &self,
        s: S,
        sums: &mut [S::Vector; 9],
        row: usize,
        c: usize,
        lanes: usize,
    ) {
        let (rows, cols) = (self.pass.rows, self.pass.cols);
        let channels = self.pass.in_pitch();
        let (image, y) = (row / rows.points, row % rows.points);
        let line = cols.in_len * channels;
        // Rows of x under the strip: some may lie above or below the image.
        let top = (y * STEP).wrapping_add_signed(rows.shift);
        let mut inside = [false; 5];
        for r in 0..STEP * (R - 1) + 3 {
            inside[r] = top.wrapping_add(r) < rows.in_len;
        }
        let first = (image * rows.in_len).wrapping_add(top);
        let corner = self.x.as_ptr().wrapping_add(first.wrapping_mul(line).wrapping_add(c));
        let dy = self.dy[row * cols.points * channels..(row + R) * cols.points * channels].as_ptr();
        let zeros = [s.splat(0.0); R];
        // A column of dy; zeros where there is none.
        let column_of_dy = |at: usize| {
            let mut values = zeros;
            if at < cols.points {
                for o in 0..R {
                    // Safety: row + o and at lie inside dy, the channels exist.
                    values[o] = unsafe { s.load_lanes::<FULL>(dy.add((o * cols.points + at) * channels + c), lanes) };
                }
            }
            values
        };
        // Adds the products of a column of x with up to three columns of dy to the sums of their columns of taps.
        macro_rules! column {
            ($column:expr, $($k:literal => $dy:ident),+) => {
                let column = $column;
                if column < cols.in_len {
                    let from = corner.wrapping_add(column * channels);
                    for r in 0..STEP * (R - 1) + 3 {
                        if inside[r] {
                            // Safety: row and column lie inside the image, the channels exist.
                            let v = unsafe { s.load_lanes::<FULL>(from.wrapping_add(r * line), lanes) };
                            for o in 0..R {
                                if r >= STEP * o && r < STEP * o + 3 {
                                    let k = (r - STEP * o) * 3;
                                    $(sums[k + $k] = s.fma(v, $dy[o], sums[k + $k]);)+
                                }
                            }
                        }
                    }
                }
            };
        }
        if STEP == 1 {
            let (mut back2, mut back1) = (zeros, zeros);
            for at in 0..cols.points + 2 {
                let now = column_of_dy(at);
                column!(at.wrapping_add_signed(cols.shift), 2 => back2, 1 => back1, 0 => now);
                (back2, back1) = (back1, now);
            }
        } else {
            let mut back1 = zeros;
            for at in 0..=cols.points {
                let now = column_of_dy(at);
                column!((2 * at).wrapping_add_signed(cols.shift), 2 => back1, 0 => now);
                column!((2 * at + 1).wrapping_add_signed(cols.shift), 1 => now);
                back1 = now;
            }
        }
    }
}
