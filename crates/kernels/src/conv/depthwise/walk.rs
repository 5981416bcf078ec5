//! The 3×3 depthwise loop for steps of 1 and 2: the nine weights of one vector of channels stay in registers while one or two
//! rows of outputs are walked from left to right, and each input vector is loaded once for all the outputs it belongs to.

use super::cut::Piece;
use super::sink::Sink;
use super::three;
use crate::conv::pass::Pass;
use crate::simd::{Kernel, Simd};

/// Whether a pass is one for [`Walk`].
pub(super) fn fits(pass: &Pass) -> bool {
    let (rows, cols) = (&pass.rows, &pass.cols);
    three(rows)
        && three(cols)
        && rows.in_step == cols.in_step
        && rows.in_step <= 2
        && rows.out_step == 1
        && cols.out_step == 1
}

/// A piece of a pass.
pub(super) struct Walk<'a> {
    pub(super) pass: &'a Pass,
    pub(super) piece: Piece,
    pub(super) input: &'a [f32],
    /// Of (taps, channels).
    pub(super) weight: &'a [f32],
    pub(super) sink: &'a Sink<'a>,
}

impl Kernel for Walk<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if self.pass.rows.in_step == 1 { self.channels::<S, 1>(s) } else { self.channels::<S, 2>(s) }
    }
}

impl Walk<'_> {
    #[inline(always)]
    fn channels<S: Simd, const STEP: usize>(&self, s: S) {
        let channels = &self.piece.channels;
        let whole = channels.end - channels.len() % S::LANES;
        for c in (channels.start..whole).step_by(S::LANES) {
            self.vector::<S, STEP, true>(s, c, S::LANES);
        }
        if whole < channels.end {
            self.vector::<S, STEP, false>(s, whole, channels.end - whole);
        }
    }

    /// All rows of the `lanes` channels from `c` on, a full vector where `FULL`.
    #[inline(always)]
    fn vector<S: Simd, const STEP: usize, const FULL: bool>(&self, s: S, c: usize, lanes: usize) {
        let (rows, cols) = (&self.pass.rows, &self.pass.cols);
        let channels = self.pass.in_pitch();
        let mut weights = [s.splat(0.0); 9];
        for ky in 0..3 {
            for kx in 0..3 {
                let position = rows.kernel_position(ky) * 3 + cols.kernel_position(kx);
                weights[ky * 3 + kx] = s.read(&self.weight[position * channels + c..][..lanes]);
            }
        }
        let mut row = self.piece.rows.start;
        while row < self.piece.rows.end {
            let count = if row + 1 < self.piece.rows.end { 2 } else { 1 };
            let top = (row * STEP).wrapping_add_signed(rows.shift);
            let inside = top < rows.in_len && top + STEP + 2 < rows.in_len;
            // Safety: the rows lie in the piece, and the channels belong to this piece alone.
            unsafe {
                // The usual case has code of its own; a narrow instruction set needs fewer instructions to keep up.
                if FULL && count == 2 && inside && self.sink.is_plain() {
                    self.strip::<S, STEP, 2, true, true>(s, &weights, row, c, lanes);
                } else if count == 2 {
                    self.strip::<S, STEP, 2, FULL, false>(s, &weights, row, c, lanes);
                } else {
                    self.strip::<S, STEP, 1, FULL, false>(s, &weights, row, c, lanes);
                }
                let first = (self.piece.image * rows.points + row) * cols.points;
                let before = (row - self.piece.rows.start) * cols.points;
                self.sink.gather::<S, FULL>(s, &self.piece, (first, count * cols.points), before, c, lanes);
            }
            row += count;
        }
    }

    /// R rows of outputs from `row` on; where `PLAIN`, none reads outside the image, and nothing is added to sums.
    ///
    /// # Safety
    /// The rows and channels exist, and no other thread writes them meanwhile.
    #[inline(always)]
    unsafe fn strip<S: Simd, const STEP: usize, const R: usize, const FULL: bool, const PLAIN: bool>(
        &self,
        s: S,
        weights: &[S::Vector; 9],
        row: usize,
        c: usize,
        lanes: usize,
    ) {
        let (rows, cols, sink) = (self.pass.rows, self.pass.cols, *self.sink);
        let channels = self.pass.in_pitch();
        let line = cols.in_len * channels;
        // Input rows that the strip reads: some may lie above or below the image.
        let top = (row * STEP).wrapping_add_signed(rows.shift);
        let mut inside = [false; 5];
        for r in 0..STEP * (R - 1) + 3 {
            inside[r] = top.wrapping_add(r) < rows.in_len;
        }
        let first = (self.piece.image * rows.in_len).wrapping_add(top);
        let corner = self.input.as_ptr().wrapping_add(first.wrapping_mul(line).wrapping_add(c));
        let start = sink.start(s, c, lanes);
        let pixel = (self.piece.image * rows.points + row) * cols.points;
        // Adds an input column to the sums of up to three outputs: through weights K0, K1 and K2 of a kernel row.
        macro_rules! column {
            ($column:expr, $($k:literal => $sums:ident),+) => {
                let column = $column;
                if column < cols.in_len {
                    let from = corner.wrapping_add(column * channels);
                    for r in 0..STEP * (R - 1) + 3 {
                        if PLAIN || inside[r] {
                            // Safety: row and column lie inside the image, the channels exist.
                            let v = unsafe { s.load_lanes::<FULL>(from.wrapping_add(r * line), lanes) };
                            for o in 0..R {
                                if r >= STEP * o && r < STEP * o + 3 {
                                    $($sums[o] = s.fma(v, weights[(r - STEP * o) * 3 + $k], $sums[o]);)+
                                }
                            }
                        }
                    }
                }
            };
        }
        let write = |sums: &[S::Vector; R], at: usize| {
            for o in 0..R {
                // Safety: as the caller vouches; `at` is below the points of a row.
                unsafe { sink.write::<S, FULL, PLAIN>(s, sums[o], pixel + o * cols.points + at, c, lanes) };
            }
        };
        if STEP == 1 {
            // Sums of the outputs two columns and one column back.
            let (mut back2, mut back1) = ([start; R], [start; R]);
            for at in 0..cols.points + 2 {
                let mut now = [start; R];
                column!(at.wrapping_add_signed(cols.shift), 2 => back2, 1 => back1, 0 => now);
                if at >= 2 {
                    write(&back2, at - 2);
                }
                (back2, back1) = (back1, now);
            }
        } else {
            let mut back1 = [start; R];
            for at in 0..=cols.points {
                let mut now = [start; R];
                column!((2 * at).wrapping_add_signed(cols.shift), 2 => back1, 0 => now);
                column!((2 * at + 1).wrapping_add_signed(cols.shift), 1 => now);
                if at >= 1 {
                    write(&back1, at - 1);
                }
                back1 = now;
            }
        }
    }
}
