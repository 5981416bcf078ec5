//! The register tile of forward and data gradient: P pixels × V vectors of output channels, summed over taps and channels.

use super::epilogue::Epilogue;
use super::moments;
use super::pack::Panels;
use super::pass::Pass;
use crate::Cpu;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Everything the tiles of one pass share.
pub(super) struct Job<'a> {
    pub(super) pass: Pass,
    pub(super) panels: Panels,
    pub(super) cut: Cut,
    /// Columns of taps visited, and floats read under each: whole kernel rows where taps are merged.
    pub(super) cols: usize,
    pub(super) run: usize,
    /// No tap reads padding.
    pub(super) inside: bool,
    pub(super) input: &'a [f32],
    pub(super) packed: &'a [f32],
    /// (groups, vectors · lanes).
    pub(super) bias: &'a [f32],
    /// At least `run` zeros, read in place of padding, unless `inside`.
    pub(super) zeros: &'a [f32],
    pub(super) out: Out<'a>,
}

/// Where and how tiles store.
pub(super) struct Out<'a> {
    pub(super) values: SharedMut,
    /// Floats from one pixel to the next.
    pub(super) pitch: usize,
    /// Add to the values.
    pub(super) adds: bool,
    /// Read as bias is, before the activation.
    pub(super) epilogue: Epilogue<'a>,
    pub(super) moments: Option<SharedMut>,
}

/// Most pixels of a tile of `vectors`: sums, one vector of each weight and one of an input must fit into registers.
pub(super) const fn most_pixels(registers: usize, vectors: usize) -> usize {
    let fit = (registers - 1 - vectors) / vectors;
    if fit > 12 { 12 } else { fit }
}

/// How the pixels and panels of a pass are cut into pieces: blocks of pixels × panels, all panels where the weights stay in
/// cache while the pixels pass, one panel where the weights are the larger part.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pixels: usize,
    /// Blocks of pixels.
    pub(super) blocks: usize,
    by_panel: bool,
}

impl Cut {
    pub(super) fn of(pass: &Pass, panels: &Panels) -> Self {
        /// Pieces to aim for, so that no core idles long at the end.
        const PIECES: usize = 32;
        /// Floats of input a block of pixels may span.
        const CACHED: usize = 64 << 10;
        /// Pixels of a block where there are enough: several whole tiles of any instruction set.
        const LEAST: usize = 24;
        let input = pass.n * pass.rows.in_len * pass.cols.in_len * pass.in_pitch();
        let pixels = pass.n * pass.rows.points * pass.cols.points;
        let by_panel = pass.depth() * panels.width() * pass.groups > input;
        let split = pass.groups * if by_panel { panels.count } else { 1 };
        let per_pixel = (input / pixels.max(1)).max(1);
        let block = (CACHED / per_pixel).min(pixels.div_ceil(PIECES.div_ceil(split))).max(LEAST);
        Self { pixels, blocks: pixels.div_ceil(block), by_panel }
    }

    /// Balanced, so that the last block is no sliver.
    fn block(&self, i: usize) -> Range<usize> {
        i * self.pixels / self.blocks..(i + 1) * self.pixels / self.blocks
    }
}

/// Runs all tiles.
pub(super) fn run(cpu: &Cpu, job: &Job) {
    let (pass, panels, cut) = (&job.pass, &job.panels, job.cut);
    let parts = if cut.by_panel { panels.count } else { 1 };
    cpu.run(cut.blocks * pass.groups * parts, |piece| {
        let (part, block) = (piece / cut.blocks, piece % cut.blocks);
        let (group, part) = (part / parts, part % parts);
        let panels = if cut.by_panel { part..part + 1 } else { 0..panels.count };
        job.panels.isa.dispatch(Block { job, group, panels, index: block, pixels: cut.block(block) });
    });
}

/// A range of pixels under some panels of one group.
struct Block<'a> {
    job: &'a Job<'a>,
    group: usize,
    panels: Range<usize>,
    /// Its number among the blocks, and its pixels.
    index: usize,
    pixels: Range<usize>,
}

impl Kernel for Block<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for panel in self.panels.clone() {
            let vectors = self.job.panels.vectors(panel);
            let most = most_pixels(S::REGISTERS, vectors.len());
            let (start, len) = (self.pixels.start, self.pixels.len());
            let tiles = len.div_ceil(most);
            for tile in 0..tiles {
                let (from, to) = (start + tile * len / tiles, start + (tile + 1) * len / tiles);
                let at = At { job: self.job, group: self.group, first_vector: vectors.start, first_pixel: from };
                at.call(s, vectors.len(), to - from);
            }
            if let Some(all) = self.job.out.moments {
                for vector in vectors {
                    self.moments(s, all, vector);
                }
            }
        }
    }
}

impl Block<'_> {
    /// Takes the moments of one vector of channels, which the tiles have just written.
    #[inline(always)]
    fn moments<S: Simd>(&self, s: S, all: SharedMut, vector: usize) {
        let (pass, out) = (&self.job.pass, &self.job.out);
        let first = vector * S::LANES;
        let lanes = S::LANES.min(pass.out_channels - first);
        let channel = self.group * pass.out_channels + first;
        // Safety: `Convolution` checked that there is room for each block.
        let block = unsafe { moments::Block::new(all.get(), self.index, pass.out_pitch()) };
        block.set_count(self.pixels.len());
        // A forward pass writes its pixels side by side.
        let first = out.values.get().wrapping_add(self.pixels.start * out.pitch + channel).cast_const();
        let at = |pixel: usize| first.wrapping_add(pixel * out.pitch);
        // Safety: these channels of these pixels were written by this piece, and belong to it.
        unsafe {
            if lanes == S::LANES {
                block.take::<S, true>(s, at, self.pixels.len(), 0, channel, lanes);
            } else {
                block.take::<S, false>(s, at, self.pixels.len(), 0, channel, lanes);
            }
        }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy)]
struct At<'a> {
    job: &'a Job<'a>,
    group: usize,
    first_vector: usize,
    first_pixel: usize,
}

impl At<'_> {
    /// Runs the tile of this size.
    #[inline(always)]
    fn call<S: Simd>(self, s: S, vectors: usize, pixels: usize) {
        macro_rules! sizes {
            ($($v:literal: $($p:literal)+;)+) => {
                match (vectors, pixels) {
                    $($(($v, $p) => s.call(Tile::<$p, $v>(self)),)+)+
                    _ => unreachable!("no tile of {pixels} pixels by {vectors} vectors"),
                }
            };
        }
        sizes! {
            1: 1 2 3 4 5 6 7 8 9 10 11 12;
            2: 1 2 3 4 5 6 7 8 9 10 11 12;
            3: 1 2 3 4 5 6 7 8 9;
            4: 1 2 3 4 5 6;
        }
    }
}

struct Tile<'a, const P: usize, const V: usize>(At<'a>);

/// The pixels of a tile: input coordinates under a tap with shift 0, their offsets in floats, and the pixels written.
struct Pixels<const P: usize> {
    y: [isize; P],
    x: [isize; P],
    from: [isize; P],
    to: [usize; P],
}

impl<const P: usize> Pixels<P> {
    #[inline(always)]
    fn new(job: &Job, first: usize) -> Self {
        let (rows, cols) = (&job.pass.rows, &job.pass.cols);
        let in_pitch = job.pass.in_pitch();
        let mut all = Self { y: [0; P], x: [0; P], from: [0; P], to: [0; P] };
        let mut col = first % cols.points;
        let mut row = first / cols.points % rows.points;
        let mut image = first / cols.points / rows.points;
        if col + P <= cols.points {
            let (y, x) = (row * rows.in_step, col * cols.in_step);
            let from = ((image * rows.in_len + y) * cols.in_len + x) * in_pitch;
            let to = (image * rows.out_len + rows.out_start + row * rows.out_step) * cols.out_len + cols.out_start;
            for p in 0..P {
                all.y[p] = y as isize;
                all.x[p] = (x + p * cols.in_step) as isize;
                all.from[p] = (from + p * cols.in_step * in_pitch) as isize;
                all.to[p] = to + (col + p) * cols.out_step;
            }
            return all;
        }
        for p in 0..P {
            let (y, x) = (row * rows.in_step, col * cols.in_step);
            let (out_y, out_x) = (rows.out_start + row * rows.out_step, cols.out_start + col * cols.out_step);
            all.y[p] = y as isize;
            all.x[p] = x as isize;
            all.from[p] = (((image * rows.in_len + y) * cols.in_len + x) * in_pitch) as isize;
            all.to[p] = (image * rows.out_len + out_y) * cols.out_len + out_x;
            col += 1;
            if col == cols.points {
                (col, row) = (0, row + 1);
            }
            if row == rows.points {
                (row, image) = (0, image + 1);
            }
        }
        all
    }
}

impl<const P: usize, const V: usize> Kernel for Tile<'_, P, V> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        assert!(P <= most_pixels(S::REGISTERS, V), "such a tile would not fit into registers");
        let At { job, group, first_vector, first_pixel } = self.0;
        let (rows, cols) = (&job.pass.rows, &job.pass.cols);
        let width = V * S::LANES;
        let depth = job.pass.depth();
        let pixels = Pixels::<P>::new(job, first_pixel);
        // Also the bounds of every unchecked access to `packed` and `bias` below.
        let mut w = job.packed[group * depth * job.panels.width() + first_vector * S::LANES * depth..][..depth * width]
            .as_ptr();
        let bias = job.bias[group * job.panels.width() + first_vector * S::LANES..][..width].as_ptr();
        let input = job.input.as_ptr().wrapping_add(group * job.pass.in_channels);

        let mut sums = [[s.splat(0.0); V]; P];
        for ty in 0..rows.taps {
            let dy = rows.shift + (ty * rows.shift_step) as isize;
            for tx in 0..job.cols {
                let dx = cols.shift + (tx * cols.shift_step) as isize;
                let shift = (dy * cols.in_len as isize + dx) * job.pass.in_pitch() as isize;
                let mut from = [job.zeros.as_ptr(); P];
                let mut any = false;
                for p in 0..P {
                    let (y, x) = ((pixels.y[p] + dy) as usize, (pixels.x[p] + dx) as usize);
                    if job.inside || (y < rows.in_len && x < cols.in_len) {
                        from[p] = input.wrapping_offset(pixels.from[p] + shift);
                        any = true;
                    }
                }
                if any {
                    for i in 0..job.run {
                        // Safety: `w` has not passed the `depth * width` floats of its panel.
                        let weights = unsafe { load::<S, V>(s, w.wrapping_add(i * width)) };
                        for p in 0..P {
                            // Safety: `from` points to a pixel inside the input, of at least `run` floats together
                            // with its merged neighbours, or to as many zeros.
                            let value = s.splat(unsafe { *from[p].add(i) });
                            for v in 0..V {
                                sums[p][v] = s.fma(value, weights[v], sums[p][v]);
                            }
                        }
                    }
                }
                w = w.wrapping_add(job.run * width);
            }
        }

        let channels = job.pass.out_channels - first_vector * S::LANES;
        let channel = group * job.pass.out_channels + first_vector * S::LANES;
        let out = &job.out;
        let first = out.values.get().wrapping_add(channel);
        // What is added before the activation: another map, the values themselves, or nothing.
        let (old, pitch) = match (out.epilogue.residual, out.adds) {
            (Some(residual), _) => (residual.as_ptr().wrapping_add(channel), job.pass.out_pitch()),
            (None, true) => (first.cast_const(), out.pitch),
            (None, false) => (std::ptr::null(), 0),
        };
        let (low, high) = out.epilogue.activation.bounds();
        let clamp = (s.splat(low), s.splat(high));
        // Short loops, each of which the compiler unrolls whole: sums that a loop indexes would leave the registers.
        if channels >= width {
            if !old.is_null() {
                for p in 0..P {
                    // Safety: all `width` channels of this pixel exist in what is added.
                    let more = unsafe { load::<S, V>(s, old.wrapping_add(pixels.to[p] * pitch)) };
                    for v in 0..V {
                        sums[p][v] = s.add(more[v], sums[p][v]);
                    }
                }
            }
            // Safety: the bias has `width` channels of this panel.
            let bias = unsafe { load::<S, V>(s, bias) };
            for p in 0..P {
                let to = first.wrapping_add(pixels.to[p] * out.pitch);
                // Safety: all `width` channels of this pixel exist, and no other tile writes them.
                unsafe { finish::<S, V>(s, &sums[p], &bias, clamp, to) };
            }
        } else {
            let len = |v: usize| channels.saturating_sub(v * S::LANES).min(S::LANES);
            if !old.is_null() {
                for p in 0..P {
                    for v in 0..V {
                        let old = old.wrapping_add(pixels.to[p] * pitch + v * S::LANES);
                        // Safety: these channels of this pixel exist in what is added.
                        sums[p][v] = s.add(unsafe { s.load_first(old, len(v)) }, sums[p][v]);
                    }
                }
            }
            for p in 0..P {
                let to = first.wrapping_add(pixels.to[p] * out.pitch);
                for v in 0..V {
                    // Safety: the bias has `width` channels; these of the pixel exist, and no other tile writes them.
                    unsafe {
                        let sum = s.add(s.load(bias.add(v * S::LANES)), sums[p][v]);
                        let to = to.wrapping_add(v * S::LANES);
                        s.store_first(s.min(clamp.1, s.max(clamp.0, sum)), to, len(v));
                    }
                }
            }
        }
    }
}

/// # Safety
/// `V` vectors at `from` can be read.
#[inline(always)]
unsafe fn load<S: Simd, const V: usize>(s: S, from: *const f32) -> [S::Vector; V] {
    let mut all = [s.splat(0.0); V];
    for v in 0..V {
        // Safety: the caller vouches for V vectors.
        all[v] = unsafe { s.load(from.add(v * S::LANES)) };
    }
    all
}

/// Stores `sums + bias`, clamped.
///
/// # Safety
/// `V` vectors can be written at `to`.
#[inline(always)]
unsafe fn finish<S: Simd, const V: usize>(
    s: S,
    sums: &[S::Vector; V],
    bias: &[S::Vector; V],
    (low, high): (S::Vector, S::Vector),
    to: *mut f32,
) {
    for v in 0..V {
        // The sum last: it is what a comparison with NaN returns.
        let sum = s.min(high, s.max(low, s.add(bias[v], sums[v])));
        // Safety: the caller vouches for V vectors.
        unsafe { s.store(sum, to.add(v * S::LANES)) };
    }
}
