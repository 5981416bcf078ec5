//! The register tile of the weight gradient: J kernel rows of R inputs × V vectors of outputs, summed over a block of pixels.
//! Where channels are many, a panel's part of dy is packed for each block, so that it is read from a first-level cache. While
//! one block is summed, dy of the next is fetched: the first layers of networks read little else, once.

use super::backward_weight::Shape;
use super::pack::Panels;
use super::tile::most_pixels;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Floats of dy in a block: 16 KiB, half of a first-level cache.
const BLOCK: usize = 4096;

/// Floats from one pixel of dy to the next up to which it is read where it is, lanes beyond a panel's channels being
/// whatever lies there.
const IN_PLACE: usize = 64;

/// Times that a panel may be read where it is, unless its pixels follow each other without a gap: gaps waste a
/// first-level cache.
const FEW_PASSES: usize = 8;

/// What all pieces share.
pub(super) struct Job<'a> {
    pub(super) shape: Shape,
    pub(super) panels: Panels,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    /// (chunks, groups, panels, depth, panel width), in lanes of the instruction set.
    pub(super) copies: SharedMut,
}

/// A piece: one chunk of pixels, some panels of outputs, some rows of kernel taps.
pub(super) struct Chunk<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) index: usize,
    pub(super) group: usize,
    pub(super) panels: Range<usize>,
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

    /// The pixels (over all images) of some segments.
    #[inline(always)]
    fn pixels(&self, block: &Range<usize>) -> Range<usize> {
        let start = |index| index / self.per_row * self.row_len + index % self.per_row * self.len;
        start(block.start)..start(block.end)
    }
}

/// Pixels of a segment that read inside x under the current tap: where x and dy start, and how many.
#[derive(Clone, Copy)]
struct Span {
    x: usize,
    dy: usize,
    len: usize,
}

/// Where the panel's channels of a block of dy lie: the first pixel's, and floats from one pixel to the next.
#[derive(Clone, Copy)]
struct Place<'a> {
    values: &'a [f32],
    start: usize,
    pitch: usize,
}

/// Pixels between requests to fetch ahead.
const STRETCH: usize = 8;

/// Memory that the next block reads first, asked for while the current one is summed.
#[derive(Clone, Copy)]
struct Ahead {
    at: *const f32,
    /// Cache lines left.
    lines: usize,
    /// Cache lines for each stretch of pixels.
    each: usize,
}

impl Ahead {
    /// The part for `stretches`.
    #[inline(always)]
    fn take(&mut self, stretches: usize) -> Self {
        let lines = (stretches * self.each).min(self.lines);
        let part = Self { lines, each: if lines == 0 { 0 } else { self.each }, ..*self };
        self.at = self.at.wrapping_add(16 * lines);
        self.lines -= lines;
        part
    }
}

#[repr(align(64))]
struct Packed([f32; BLOCK]);

impl Kernel for Chunk<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Job { shape, panels, .. } = self.job;
        let widest = self.panels.clone().map(|panel| panels.vectors(panel).len()).max().unwrap_or(1);
        let (row_len, most) = (shape.cols.points.max(1), BLOCK / (widest * S::LANES));
        let len = row_len.min(most);
        let segments = Segments { len, per_row: row_len.div_ceil(len), row_len };
        let count = shape.n * shape.rows.points * segments.per_row;
        let chunks = shape.chunks();
        let mine = self.index * count / chunks..(self.index + 1) * count / chunks;
        let (cols, run) =
            if shape.merged { (1, shape.cols.taps * shape.inputs) } else { (shape.cols.taps, shape.inputs) };
        let pitch = shape.groups * shape.outputs;
        // Tiles of a run, and groups of kernel rows: short runs of several rows share a tile, since their spans are the same
        // where nothing is read outside.
        let cut = |vectors: usize| {
            let most = most_pixels(S::REGISTERS, vectors);
            let together = if shape.merged { (most / run).max(1) } else { 1 };
            (run.div_ceil(most), self.tap_rows.len().div_ceil(together))
        };
        let (tiles, groups) = cut(widest);
        let passes = groups * cols * tiles;
        let in_place = pitch <= IN_PLACE && (pitch <= widest * S::LANES || passes <= FEW_PASSES);

        let mut packed = Packed([0.0; BLOCK]);
        let mut spans = [Span { x: 0, dy: 0, len: 0 }; BLOCK / 8];
        let (mut start, mut first) = (mine.start, true);
        // The first round also runs where there are no pixels: it assigns.
        while start < mine.end || first {
            let end_of = |start: usize| (start + most / len).min(mine.end);
            let block = start..end_of(start);
            let pixels = segments.pixels(&block);
            let next = segments.pixels(&(block.end..end_of(block.end)));
            let stretches = pixels.len() / STRETCH;
            let mut ahead = {
                let lines = next.len() * pitch / 16;
                let each = lines.div_ceil((self.panels.len() * passes * stretches).max(1));
                Ahead { at: self.job.dy.as_ptr().wrapping_add(next.start * pitch), lines, each }
            };
            for panel in self.panels.clone() {
                let vectors = panels.vectors(panel);
                let width = vectors.len() * S::LANES;
                let (tiles, groups) = cut(vectors.len());
                let copy = self.index * shape.copy_len()
                    + (self.group * panels.width() + vectors.start * S::LANES) * shape.depth();
                let channel = self.group * shape.outputs + vectors.start * S::LANES;
                let dy = if in_place && pixels.end.saturating_sub(1) * pitch + channel + width <= self.job.dy.len() {
                    let start = pixels.start * pitch + channel;
                    Place { values: self.job.dy, start, pitch }
                } else {
                    self.pack(s, &vectors, &segments, block.clone(), &mut packed.0);
                    Place { values: &packed.0, start: 0, pitch: width }
                };
                for group in 0..groups {
                    let part = |group: usize| self.tap_rows.start + group * self.tap_rows.len() / groups;
                    let (ty, rows) = (part(group), part(group + 1) - part(group));
                    for tx in 0..cols {
                        let count = self.spans(ty, tx, &segments, block.clone(), &dy, &mut spans);
                        for tile in 0..tiles {
                            let inputs = tile * run / tiles..(tile + 1) * run / tiles;
                            let sums = copy + ((ty * cols + tx) * run + inputs.start) * width;
                            let sums = self.job.copies.get().wrapping_add(sums);
                            let (spans, ahead) = (&spans[..count], ahead.take(stretches));
                            let tile = Tile { job: self.job, spans, dy, input: inputs.start, sums, first, ahead };
                            tile.call(s, rows, inputs.len(), vectors.len());
                        }
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
        place: &Place<'_>,
        spans: &mut [Span],
    ) -> usize {
        let Shape { rows, cols, groups, inputs, .. } = &self.job.shape;
        let dy = rows.shift + (ty * rows.shift_step) as isize;
        let dx = cols.shift + (tx * cols.shift_step) as isize;
        let inside = cols.points_inside(tx);
        let (mut count, mut before) = (0, 0);
        for index in block {
            let (row, pixels) = segments.get(index);
            let (image, y) = (row / rows.points, row % rows.points * rows.in_step);
            let y = y.wrapping_add_signed(dy);
            let (from, to) = (pixels.start.max(inside.start), pixels.end.min(inside.end));
            if y < rows.in_len && from < to {
                let x = (from * cols.in_step).wrapping_add_signed(dx);
                spans[count] = Span {
                    x: ((image * rows.in_len + y) * cols.in_len + x) * groups * inputs + self.group * inputs,
                    dy: place.start + (before + from - pixels.start) * place.pitch,
                    len: to - from,
                };
                count += 1;
            }
            before += pixels.len();
        }
        count
    }
}

/// The register tile over all spans of a block.
#[derive(Clone, Copy)]
struct Tile<'a> {
    job: &'a Job<'a>,
    spans: &'a [Span],
    dy: Place<'a>,
    /// First input.
    input: usize,
    /// J · R lines of V vectors that only this piece writes.
    sums: *mut f32,
    /// Assign rather than add.
    first: bool,
    ahead: Ahead,
}

impl Tile<'_> {
    /// Runs the tile of this size.
    #[inline(always)]
    fn call<S: Simd>(self, s: S, rows: usize, inputs: usize, vectors: usize) {
        macro_rules! sizes {
            ($($v:literal: $(($j:literal, $r:literal))+;)+) => {
                match (vectors, rows, inputs) {
                    $($(($v, $j, $r) => s.call(Sized::<$j, $r, $v>(self)),)+)+
                    _ => unreachable!("no tile of {rows} rows of {inputs} inputs by {vectors} vectors"),
                }
            };
        }
        sizes! {
            1: (1, 1) (1, 2) (1, 3) (1, 4) (1, 5) (1, 6) (1, 7) (1, 8) (1, 9) (1, 10) (1, 11) (1, 12)
               (2, 2) (2, 3) (2, 4) (2, 5) (2, 6) (3, 2) (3, 3) (3, 4) (4, 2) (4, 3) (5, 2) (6, 2);
            2: (1, 1) (1, 2) (1, 3) (1, 4) (1, 5) (1, 6) (1, 7) (1, 8) (1, 9) (1, 10) (1, 11) (1, 12)
               (2, 2) (2, 3) (2, 4) (2, 5) (2, 6) (3, 2) (3, 3) (3, 4) (4, 2) (4, 3) (5, 2) (6, 2);
        }
    }
}

/// J kernel rows, R inputs of each, V vectors of outputs.
struct Sized<'a, const J: usize, const R: usize, const V: usize>(Tile<'a>);

impl<const J: usize, const R: usize, const V: usize> Kernel for Sized<'_, J, R, V> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        assert!(J * R <= most_pixels(S::REGISTERS, V), "such a tile would not fit into registers");
        let Tile { job, spans, dy: place, input, sums, first, mut ahead } = self.0;
        let shape = &job.shape;
        let width = V * S::LANES;
        let step = shape.cols.in_step * shape.groups * shape.inputs;
        let row = shape.rows.shift_step * shape.cols.in_len * shape.groups * shape.inputs;
        let mut acc = [[[s.splat(0.0); V]; R]; J];
        for span in spans {
            let end = span.x + input + (span.len - 1) * step + (J - 1) * row + R;
            let dy_end = span.dy + (span.len - 1) * place.pitch + width;
            assert!(end <= job.x.len() && dy_end <= place.values.len(), "a span lies in its slices");
            let mut x = job.x.as_ptr().wrapping_add(span.x + input);
            let mut dy = place.values.as_ptr().wrapping_add(span.dy);
            let mut left = span.len;
            while left > 0 {
                for _ in 0..ahead.each {
                    s.prefetch(ahead.at);
                    ahead.at = ahead.at.wrapping_add(16);
                }
                let now = left.min(STRETCH);
                left -= now;
                for _ in 0..now {
                    let mut d = [s.splat(0.0); V];
                    for v in 0..V {
                        // Safety: the span lies in dy, asserted above.
                        d[v] = unsafe { s.load(dy.add(v * S::LANES)) };
                    }
                    for j in 0..J {
                        for r in 0..R {
                            // Safety: the span lies in `x`, asserted above.
                            let value = s.splat(unsafe { *x.add(j * row + r) });
                            for v in 0..V {
                                acc[j][r][v] = s.fma(value, d[v], acc[j][r][v]);
                            }
                        }
                    }
                    x = x.wrapping_add(step);
                    dy = dy.wrapping_add(place.pitch);
                }
            }
        }
        for j in 0..J {
            for r in 0..R {
                for v in 0..V {
                    let to = sums.wrapping_add((j * R + r) * width + v * S::LANES);
                    // Safety: `sums` is J · R lines of V vectors inside the copies, written by this piece alone.
                    unsafe {
                        let old = if first { s.splat(0.0) } else { s.load(to) };
                        s.store(s.add(old, acc[j][r][v]), to);
                    }
                }
            }
        }
    }
}
