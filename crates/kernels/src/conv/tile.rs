//! The register tile of forward and data gradient: P pixels × V vectors of output channels, summed over taps and channels.

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
    pub(super) adds: bool,
    pub(super) out: SharedMut,
}

/// Most pixels of a tile of `vectors`: sums, one vector of each weight and one of an input must fit into registers.
pub(super) const fn most_pixels(registers: usize, vectors: usize) -> usize {
    let fit = (registers - 1 - vectors) / vectors;
    if fit > 12 { 12 } else { fit }
}

/// Runs all tiles. Pieces are blocks of pixels × panels: all panels where the weights stay in cache while the
/// pixels pass, one panel where the weights are the larger part.
pub(super) fn run(cpu: &Cpu, job: &Job) {
    /// Pieces to aim for, so that no core idles long at the end.
    const PIECES: usize = 32;
    /// Floats of input a block of pixels may span.
    const CACHED: usize = 64 << 10;
    /// Pixels of a block where there are enough: several whole tiles of any instruction set.
    const LEAST: usize = 24;
    let (pass, panels) = (&job.pass, &job.panels);
    let pixels = pass.n * pass.rows.points * pass.cols.points;
    let by_panel = pass.depth() * panels.width() * pass.groups > job.input.len();
    let split = pass.groups * if by_panel { panels.count } else { 1 };
    let per_pixel = (job.input.len() / pixels.max(1)).max(1);
    let block = (CACHED / per_pixel).min(pixels.div_ceil(PIECES.div_ceil(split))).max(LEAST);
    let blocks = pixels.div_ceil(block);
    cpu.run(blocks * split, |piece| {
        let (part, at) = (piece / blocks, piece % blocks);
        let (group, some) = if by_panel {
            let panel = part % panels.count;
            (part / panels.count, panel..panel + 1)
        } else {
            (part, 0..panels.count)
        };
        // Balanced, so that the last block is no sliver.
        let pixels = at * pixels / blocks..(at + 1) * pixels / blocks;
        panels.isa.dispatch(Block { job, group, panels: some, pixels });
    });
}

/// A range of pixels under some panels of one group.
struct Block<'a> {
    job: &'a Job<'a>,
    group: usize,
    panels: Range<usize>,
    pixels: Range<usize>,
}

impl Kernel for Block<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for panel in self.panels {
            let vectors = self.job.panels.vectors(panel);
            let most = most_pixels(S::REGISTERS, vectors.len());
            let (start, len) = (self.pixels.start, self.pixels.len());
            let tiles = len.div_ceil(most);
            for tile in 0..tiles {
                let (from, to) = (start + tile * len / tiles, start + (tile + 1) * len / tiles);
                let at = At { job: self.job, group: self.group, first_vector: vectors.start, first_pixel: from };
                at.call(s, vectors.len(), to - from);
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

/// The pixels of a tile: input coordinates under a tap with shift 0, and offsets in floats.
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
        let (in_pitch, out_pitch) = (job.pass.in_pitch(), job.pass.out_pitch());
        let mut all = Self { y: [0; P], x: [0; P], from: [0; P], to: [0; P] };
        let mut col = first % cols.points;
        let mut row = first / cols.points % rows.points;
        let mut image = first / cols.points / rows.points;
        for p in 0..P {
            let (y, x) = (row * rows.in_step, col * cols.in_step);
            let (out_y, out_x) = (rows.out_start + row * rows.out_step, cols.out_start + col * cols.out_step);
            all.y[p] = y as isize;
            all.x[p] = x as isize;
            all.from[p] = (((image * rows.in_len + y) * cols.in_len + x) * in_pitch) as isize;
            all.to[p] = ((image * rows.out_len + out_y) * cols.out_len + out_x) * out_pitch;
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
        let out = job.out.get().wrapping_add(channel);
        if channels >= width {
            for p in 0..P {
                let to = out.wrapping_add(pixels.to[p]);
                let start = if job.adds { to.cast_const() } else { bias };
                // Safety: all `width` channels of this pixel exist, and no other tile writes them.
                unsafe { finish::<S, V>(s, &sums[p], start, to) };
            }
        } else {
            for p in 0..P {
                let to = out.wrapping_add(pixels.to[p]);
                let start = if job.adds { to.cast_const() } else { bias };
                for v in 0..V {
                    let len = channels.saturating_sub(v * S::LANES).min(S::LANES);
                    let (start, to) = (start.wrapping_add(v * S::LANES), to.wrapping_add(v * S::LANES));
                    // Safety: these `len` channels of this pixel exist, and no other tile writes them.
                    unsafe { s.store_first(s.add(s.load_first(start, len), sums[p][v]), to, len) };
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

/// Stores `start + sums`.
///
/// # Safety
/// `V` vectors can be read at `start` and written at `to`.
#[inline(always)]
unsafe fn finish<S: Simd, const V: usize>(s: S, sums: &[S::Vector; V], start: *const f32, to: *mut f32) {
    for v in 0..V {
        // Safety: the caller vouches for V vectors.
        unsafe { s.store(s.add(s.load(start.add(v * S::LANES)), sums[v]), to.add(v * S::LANES)) };
    }
}
