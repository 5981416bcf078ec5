//! The register tile of the weight gradient: R inputs × V vectors of outputs, summed over pixels. dy is packed a block of
//! pixels at a time, so that it is read from a first-level cache whatever the number of channels.

use super::backward_weight::Shape;
use super::pack::Panels;
use super::tile::most_pixels;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Floats of dy in a block: 16 KiB, half of a first-level cache.
const BLOCK: usize = 4096;

/// What all pieces share.
pub(super) struct Job<'a> {
    pub(super) shape: Shape,
    pub(super) panels: Panels,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    /// (chunks, groups, panels, depth, panel width), in lanes of the instruction set.
    pub(super) copies: SharedMut,
}

/// A piece: one chunk of pixels, one panel of outputs, some rows of kernel taps.
pub(super) struct Chunk<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) index: usize,
    pub(super) group: usize,
    pub(super) panel: usize,
    pub(super) tap_rows: Range<usize>,
}

/// Rows of dy cut into segments short enough for a block.
#[derive(Clone, Copy)]
struct Segments {
    /// Pixels of all but the last segment of a row.
    len: usize,
    per_row: usize,
    row_len: usize,
}

impl Segments {
    /// The row of a segment (over all images) and its pixels.
    #[inline(always)]
    fn get(&self, index: usize) -> (usize, Range<usize>) {
        let start = index % self.per_row * self.len;
        (index / self.per_row, start..(start + self.len).min(self.row_len))
    }
}

/// Pixels of a segment that read inside x under the current tap: where x and the packed dy start, and how many.
#[derive(Clone, Copy)]
struct Span {
    x: usize,
    dy: usize,
    len: usize,
}

#[repr(align(64))]
struct Packed([f32; BLOCK]);

impl Kernel for Chunk<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Job { shape, panels, .. } = self.job;
        let vectors = panels.vectors(self.panel);
        let width = vectors.len() * S::LANES;
        let (row_len, most) = (shape.cols.points.max(1), BLOCK / width);
        let len = row_len.min(most);
        let segments = Segments { len, per_row: row_len.div_ceil(len), row_len };
        let count = shape.n * shape.rows.points * segments.per_row;
        let chunks = shape.chunks();
        let mine = self.index * count / chunks..(self.index + 1) * count / chunks;
        let (cols, run) =
            if shape.merged { (1, shape.cols.taps * shape.inputs) } else { (shape.cols.taps, shape.inputs) };
        let copy =
            self.index * shape.copy_len() + (self.group * panels.width() + vectors.start * S::LANES) * shape.depth();
        let tiles = run.div_ceil(most_pixels(S::REGISTERS, vectors.len()));

        let mut packed = Packed([0.0; BLOCK]);
        let mut spans = [Span { x: 0, dy: 0, len: 0 }; BLOCK / 8];
        let (mut start, mut first) = (mine.start, true);
        // The first round also runs where there are no pixels: it assigns.
        while start < mine.end || first {
            let block = start..(start + most / len).min(mine.end);
            self.pack(s, &vectors, &segments, block.clone(), &mut packed.0);
            for ty in self.tap_rows.clone() {
                for tx in 0..cols {
                    let count = self.spans(ty, tx, &segments, block.clone(), width, &mut spans);
                    for tile in 0..tiles {
                        let inputs = tile * run / tiles..(tile + 1) * run / tiles;
                        let sums = copy + ((ty * cols + tx) * run + inputs.start) * width;
                        let sums = self.job.copies.get().wrapping_add(sums);
                        let spans = &spans[..count];
                        let tile = Tile { job: self.job, spans, packed: &packed.0, input: inputs.start, sums, first };
                        tile.call(s, inputs.len(), vectors.len());
                    }
                }
            }
            start = block.end;
            first = false;
        }
    }
}

impl Chunk<'_> {
    /// Copies the panel's channels of a block of dy, one pixel after the other, lanes beyond the last channel zero.
    #[inline(always)]
    fn pack<S: Simd>(&self, s: S, vectors: &Range<usize>, segments: &Segments, block: Range<usize>, to: &mut [f32]) {
        let shape = &self.job.shape;
        let pitch = shape.groups * shape.outputs;
        let first = vectors.start * S::LANES;
        let width = vectors.len() * S::LANES;
        let channels = width.min(shape.outputs - first);
        let mut to = to.chunks_exact_mut(width);
        for index in block {
            let (row, pixels) = segments.get(index);
            let from = (row * segments.row_len + pixels.start) * pitch + self.group * shape.outputs + first;
            for (pixel, to) in to.by_ref().take(pixels.len()).enumerate() {
                let from = &self.job.dy[from + pixel * pitch..][..channels];
                for v in 0..vectors.len() {
                    let from = &from[(v * S::LANES).min(channels)..];
                    s.write(s.read(from), &mut to[v * S::LANES..]);
                }
            }
        }
    }

    /// Lists the parts of a block that read inside x under a tap; returns how many there are.
    #[inline(always)]
    fn spans(
        &self,
        ty: usize,
        tx: usize,
        segments: &Segments,
        block: Range<usize>,
        width: usize,
        spans: &mut [Span],
    ) -> usize {
        let Shape { rows, cols, groups, inputs, .. } = &self.job.shape;
        let dy = rows.shift + (ty * rows.shift_step) as isize;
        let dx = cols.shift + (tx * cols.shift_step) as isize;
        let inside = cols.points_inside(tx);
        let (mut count, mut packed) = (0, 0);
        for index in block {
            let (row, pixels) = segments.get(index);
            let (image, y) = (row / rows.points, row % rows.points * rows.in_step);
            let y = y.wrapping_add_signed(dy);
            let (from, to) = (pixels.start.max(inside.start), pixels.end.min(inside.end));
            if y < rows.in_len && from < to {
                let x = (from * cols.in_step).wrapping_add_signed(dx);
                spans[count] = Span {
                    x: ((image * rows.in_len + y) * cols.in_len + x) * groups * inputs + self.group * inputs,
                    dy: (packed + from - pixels.start) * width,
                    len: to - from,
                };
                count += 1;
            }
            packed += pixels.len();
        }
        count
    }
}

/// The register tile over all spans of a block.
#[derive(Clone, Copy)]
struct Tile<'a> {
    job: &'a Job<'a>,
    spans: &'a [Span],
    packed: &'a [f32],
    /// First input.
    input: usize,
    /// R lines of V vectors that only this piece writes.
    sums: *mut f32,
    /// Assign rather than add.
    first: bool,
}

impl Tile<'_> {
    /// Runs the tile of this size.
    #[inline(always)]
    fn call<S: Simd>(self, s: S, inputs: usize, vectors: usize) {
        macro_rules! sizes {
            ($($v:literal: $($r:literal)+;)+) => {
                match (vectors, inputs) {
                    $($(($v, $r) => s.call(Sized::<$r, $v>(self)),)+)+
                    _ => unreachable!("no tile of {inputs} inputs by {vectors} vectors"),
                }
            };
        }
        sizes! {
            1: 1 2 3 4 5 6 7 8 9 10 11 12;
            2: 1 2 3 4 5 6 7 8 9 10 11 12;
        }
    }
}

struct Sized<'a, const R: usize, const V: usize>(Tile<'a>);

impl<const R: usize, const V: usize> Kernel for Sized<'_, R, V> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        assert!(R <= most_pixels(S::REGISTERS, V), "such a tile would not fit into registers");
        let Tile { job, spans, packed, input, sums, first } = self.0;
        let width = V * S::LANES;
        let step = job.shape.cols.in_step * job.shape.groups * job.shape.inputs;
        let mut acc = [[s.splat(0.0); V]; R];
        for span in spans {
            let end = span.x + input + (span.len - 1) * step + R;
            assert!(end <= job.x.len() && span.dy + span.len * width <= packed.len(), "a span lies in its slices");
            let mut x = job.x.as_ptr().wrapping_add(span.x + input);
            let mut dy = packed.as_ptr().wrapping_add(span.dy);
            for _ in 0..span.len {
                let mut d = [s.splat(0.0); V];
                for v in 0..V {
                    // Safety: the span lies in `packed`, asserted above.
                    d[v] = unsafe { s.load(dy.add(v * S::LANES)) };
                }
                for r in 0..R {
                    // Safety: the span lies in `x`, asserted above.
                    let value = s.splat(unsafe { *x.add(r) });
                    for v in 0..V {
                        acc[r][v] = s.fma(value, d[v], acc[r][v]);
                    }
                }
                x = x.wrapping_add(step);
                dy = dy.wrapping_add(width);
            }
        }
        for r in 0..R {
            for v in 0..V {
                let to = sums.wrapping_add(r * width + v * S::LANES);
                // Safety: `sums` is R lines of V vectors inside the copies, written by this piece alone.
                unsafe {
                    let old = if first { s.splat(0.0) } else { s.load(to) };
                    s.store(s.add(old, acc[r][v]), to);
                }
            }
        }
    }
}
