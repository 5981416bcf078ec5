//! The data gradient of 3×3 depthwise convolutions with a step of 2. In coordinates u = y + padding, output row m was read
//! by rows 2m, 2m + 1 and 2m + 2; so two rows and two columns of dx depend on two rows and two columns of dy, and take the
//! nine weights among them.

use super::cut::{Cut, Piece};
use super::sink::Sink;
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::simd::{Kernel, Simd};

/// Whether a geometry is one for [`run`].
pub(super) fn fits(g: &ConvGeometry) -> bool {
    g.kernel == [3, 3] && g.stride == [2, 2] && g.dilation == [1, 1] && g.h > 0 && g.w > 0
}

pub(super) fn run(cpu: &Cpu, g: &ConvGeometry, dy: &[f32], weight: &[f32], dx: &mut [f32], adds: bool) {
    let first = [g.pad[0] / 2, g.pad[1] / 2];
    let last = [(g.h + g.pad[0]).div_ceil(2) - 1, (g.w + g.pad[1]).div_ceil(2) - 1];
    let cut = Cut::new(g.n, last[0] + 1 - first[0], 2 * g.w, g.c_in);
    let sink = Sink::plain(dx, g.c_in, adds);
    cpu.run(cut.pieces(), |i| {
        let piece = cut.piece(i);
        cpu.isa().dispatch(Squares { g, first, last, piece, dy, weight, sink: &sink });
    });
}

/// A piece of dx, whose rows are pairs from `first[0]` on.
struct Squares<'a> {
    g: &'a ConvGeometry,
    /// Rows and columns of squares of 2×2 pixels that reach into dx.
    first: [usize; 2],
    last: [usize; 2],
    piece: Piece,
    dy: &'a [f32],
    /// Of (taps, channels).
    weight: &'a [f32],
    sink: &'a Sink<'a>,
}

impl Kernel for Squares<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = &self.piece.channels;
        let whole = channels.end - channels.len() % S::LANES;
        for c in (channels.start..whole).step_by(S::LANES) {
            self.vector::<S, true>(s, c, S::LANES);
        }
        if whole < channels.end {
            self.vector::<S, false>(s, whole, channels.end - whole);
        }
    }
}

impl Squares<'_> {
    /// All rows of the `lanes` channels from `c` on, a full vector where `FULL`.
    #[inline(always)]
    fn vector<S: Simd, const FULL: bool>(&self, s: S, c: usize, lanes: usize) {
        let channels = self.g.c_in;
        let mut weights = [s.splat(0.0); 9];
        for tap in 0..9 {
            weights[tap] = s.read(&self.weight[tap * channels + c..][..lanes]);
        }
        for row in self.piece.rows.clone() {
            // Safety: the row of squares reaches into dx, and the channels belong to this piece alone.
            unsafe { self.row::<S, FULL>(s, &weights, self.first[0] + row, c, lanes) };
        }
    }

    /// Row `m` of squares.
    ///
    /// # Safety
    /// The channels exist, and no other thread writes them in these rows meanwhile.
    #[inline(always)]
    unsafe fn row<S: Simd, const FULL: bool>(&self, s: S, weights: &[S::Vector; 9], m: usize, c: usize, lanes: usize) {
        let (g, image) = (self.g, self.piece.image);
        let (line, pad) = (g.out_w * g.c_in, g.pad);
        let below = (image * g.out_h).wrapping_add(m).wrapping_mul(line).wrapping_add(c);
        let row = Row {
            sink: *self.sink,
            below: self.dy.as_ptr().wrapping_add(below),
            above: self.dy.as_ptr().wrapping_add(below.wrapping_sub(line)),
            has_below: m < g.out_h,
            has_above: m.wrapping_sub(1) < g.out_h,
            out_w: g.out_w,
            y: [0, 1].map(|i| (2 * m + i).wrapping_sub(pad[0])).map(|y| (y < g.h).then(|| (image * g.h + y) * g.w)),
            w: g.w,
            pad: pad[1],
            channels: g.c_in,
            c,
            lanes,
        };
        // Safety: rows and columns are checked where they may lie outside: in the first square and in the last.
        unsafe {
            let (first, last) = (self.first[1], self.last[1]);
            let mut before = row.column::<S, FULL>(s, first.wrapping_sub(1));
            before = row.square::<S, FULL, false>(s, weights, first, before);
            for p in first + 1..last {
                before = row.square::<S, FULL, true>(s, weights, p, before);
            }
            if last > first {
                row.square::<S, FULL, false>(s, weights, last, before);
            }
        }
    }
}

/// A row of squares of some channels.
#[derive(Clone, Copy)]
struct Row<'a> {
    sink: Sink<'a>,
    /// Two rows of dy, either of which may lie outside.
    above: *const f32,
    below: *const f32,
    has_above: bool,
    has_below: bool,
    out_w: usize,
    /// First pixels of two rows of dx.
    y: [Option<usize>; 2],
    w: usize,
    pad: usize,
    channels: usize,
    c: usize,
    lanes: usize,
}

impl Row<'_> {
    /// Column `p` of dy in both rows, zero outside.
    ///
    /// # Safety
    /// The rows lie in dy where they say so.
    #[inline(always)]
    unsafe fn column<S: Simd, const FULL: bool>(self, s: S, p: usize) -> [S::Vector; 2] {
        let mut values = [s.splat(0.0); 2];
        if p < self.out_w {
            // Safety: the column lies inside, and rows as the caller vouches.
            unsafe {
                if self.has_above {
                    values[0] = s.load_lanes::<FULL>(self.above.wrapping_add(p * self.channels), self.lanes);
                }
                if self.has_below {
                    values[1] = s.load_lanes::<FULL>(self.below.wrapping_add(p * self.channels), self.lanes);
                }
            }
        }
        values
    }

    /// Square `p`, all of whose columns lie in dx where `INNER`, with the column of dy before; returns that of its own.
    ///
    /// # Safety
    /// As for [`Row::column`], and the rows of dx lie inside where there are any.
    #[inline(always)]
    unsafe fn square<S: Simd, const FULL: bool, const INNER: bool>(
        self,
        s: S,
        weights: &[S::Vector; 9],
        p: usize,
        [above0, below0]: [S::Vector; 2],
    ) -> [S::Vector; 2] {
        let [w00, w01, w02, w10, w11, w12, w20, w21, w22] = *weights;
        // Safety: as the caller vouches; columns are checked or inside.
        unsafe {
            let [above, below] = self.column::<S, FULL>(s, p);
            let x = (2 * p).wrapping_sub(self.pad);
            if let Some(y) = self.y[0] {
                let sum = s.fma(above, w20, s.mul(below, w00));
                self.write::<S, FULL, INNER>(s, s.fma(above0, w22, s.fma(below0, w02, sum)), y, x);
                self.write::<S, FULL, INNER>(s, s.fma(above, w21, s.mul(below, w01)), y, x.wrapping_add(1));
            }
            if let Some(y) = self.y[1] {
                self.write::<S, FULL, INNER>(s, s.fma(below0, w12, s.mul(below, w10)), y, x);
                self.write::<S, FULL, INNER>(s, s.mul(below, w11), y, x.wrapping_add(1));
            }
            [above, below]
        }
    }

    /// Writes column `x` of the row that begins at pixel `y`, if the column is one.
    ///
    /// # Safety
    /// As for [`Row::square`].
    #[inline(always)]
    unsafe fn write<S: Simd, const FULL: bool, const INNER: bool>(self, s: S, sum: S::Vector, y: usize, x: usize) {
        debug_assert!(!INNER || x < self.w, "column {x} of {}", self.w);
        if INNER || x < self.w {
            // Safety: the pixel lies in dx.
            unsafe { self.sink.write::<S, FULL, false>(s, sum, y + x, self.c, self.lanes) };
        }
    }
}
