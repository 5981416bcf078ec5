//! The weight gradient by F(4×4, 3×3), the adjoint of the convolution: dU = Σ V ⊗ (A dy Aᵀ) over tiles in every frequency, V being
//! the transformed tiles of x, then dW = Gᵀ dU G. Chunks of tiles are transformed, then every piece adds their products
//! to its own part of dU. Where dU is small, tiles are cut into groups instead, each with a dU of its own that stays in cache,
//! and those are added. Either way each sum runs over tiles in an order that follows from the shape.

use super::applies;
use super::forward::cut;
use super::tiles::{Map, Rows, Tiles};
use super::transforms::{Gather, Input, Spread, columns, lines};
use crate::conv::ConvGeometry;
use crate::conv::product::{Product, panel};
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::{Cpu, Isa};
use std::ops::Range;

const FREQUENCIES: usize = 36;
const TAPS: usize = 9;

/// Input channels of a part of dU, at most.
const INPUTS: usize = 32;

/// The weight gradient of a 3×3 convolution of stride 1 by Winograd's algorithm.
#[derive(Clone, Copy, Debug)]
pub struct WinogradGradient {
    isa: Isa,
    g: ConvGeometry,
    lanes: usize,
    widest: usize,
    /// Tiles that are transformed before their products are summed, at most.
    chunk: usize,
    /// Pieces that share a part of dU, by frequencies.
    split: usize,
    /// Groups of tiles with sums of their own; 1 where all pieces work on each chunk together.
    groups: usize,
}

impl WinogradGradient {
    /// For `g`, or `None` where it does not apply: the kernel is 3×3, stride, dilation and groups are 1. Any padding.
    pub fn new(isa: Isa, g: &ConvGeometry) -> Option<Self> {
        /// Floats of transformed tiles: part of a third-level cache.
        const CACHED: usize = 1200 << 10;
        /// Tiles whose columns of x and dy fit into a first-level cache, and as many as make a sum worth its loading.
        const MOST: usize = 128;
        const LEAST: usize = 64;
        /// Pieces to aim for, so that no core idles long at the end.
        const PIECES: usize = 12;
        /// Floats of dU that a group may have to itself, groups, and tiles that are worth one.
        const SMALL: usize = 40 << 10;
        const GROUPS: usize = 16;
        const MANY: usize = 24;
        /// Floats of transformed tiles of one group: part of a second-level cache.
        const OWN: usize = 64 << 10;
        if !applies(g) {
            return None;
        }
        let (lanes, widest) = panel(isa);
        let per_tile = FREQUENCIES * (g.c_in + g.c_out);
        let mut this =
            Self { isa, g: *g, lanes, widest, chunk: (CACHED / per_tile).clamp(LEAST, MOST), split: 1, groups: 1 };
        if FREQUENCIES * g.c_in * g.c_out <= SMALL && this.tiles().count() >= GROUPS * MANY {
            return Some(Self { chunk: (OWN / per_tile).clamp(MANY, MOST), groups: GROUPS, ..this });
        }
        this.split = [1, 2, 3, 4, 6, 12].into_iter().find(|split| this.parts() * split >= PIECES).unwrap_or(12);
        Some(this)
    }

    /// The same for another number of images.
    pub(in crate::conv) fn batch(self, n: usize) -> Self {
        Self { g: ConvGeometry { n, ..self.g }, ..self }
    }

    /// Multiply-adds done, counted as [`super::Winograd::cost`] does: transforms of x and dy, products, and the sums in all
    /// frequencies, which are read and written once for each chunk.
    pub(in crate::conv) fn cost(&self) -> f64 {
        let (frequencies, tiles) = (FREQUENCIES as f64, self.tiles().count() as f64);
        let (inputs, outputs) = (self.g.c_in as f64, self.g.c_out.next_multiple_of(self.lanes) as f64);
        let sums = frequencies * inputs * outputs;
        tiles * sums + 8.0 * tiles * frequencies * (inputs + outputs) + 4.0 * self.chunks() as f64 * sums
    }

    /// The same with its work cut otherwise.
    #[cfg(test)]
    pub(super) fn cut(self, chunk: usize, split: usize, groups: usize) -> Self {
        Self { chunk, split, groups, ..self }
    }

    /// Floats of scratch that [`WinogradGradient::run`] needs with so many threads.
    pub fn scratch(&self, threads: usize) -> usize {
        let parts = if self.fuses() { threads } else { self.groups * self.parts() };
        let chunks = if self.groups > 1 { threads } else { 1 };
        self.zeros_len() + chunks * self.chunk_len() + parts * self.part_len()
    }

    /// Assigns the gradient by the weights to `dw (c_out, c_in, 3, 3)`, or adds it where `adds`.
    ///
    /// `x (n, h, w, c_in)`, `dy (n, out_h, out_w, c_out)`.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn run(&self, cpu: &Cpu, x: &[f32], dy: &[f32], dw: &mut [f32], adds: bool, scratch: &mut [f32]) {
        let g = &self.g;
        g.check(x.len(), dw.len(), dy.len(), scratch.len(), self.scratch(cpu.threads()));
        let (zeros, scratch) = scratch.split_at_mut(self.zeros_len());
        zeros.fill(0.0);
        let job = Job {
            w: self,
            x: Map { values: x, h: g.h, w: g.w, c: g.c_in, zeros },
            dy: Map { values: dy, h: g.out_h, w: g.out_w, c: g.c_out, zeros },
            dw: SharedMut::new(dw),
            adds,
        };
        cpu.install(|| if self.groups > 1 { job.in_groups(cpu, scratch) } else { job.together(cpu, scratch) });
    }

    fn tiles(&self) -> Tiles {
        Tiles::new(&self.g, 4)
    }

    /// Chunks of all tiles, or of a group's.
    fn chunks(&self) -> usize {
        self.tiles().count().div_ceil(self.groups).div_ceil(self.chunk)
    }

    /// Floats of a chunk's transformed tiles, of x and of dy.
    fn chunk_len(&self) -> usize {
        FREQUENCIES * (self.inputs().frequency + self.outputs().frequency)
    }

    /// Whether a part of dU is summed and transformed by one piece at once, and need not be kept.
    fn fuses(&self) -> bool {
        self.groups == 1 && self.split == 1 && self.chunks() == 1
    }

    fn zeros_len(&self) -> usize {
        self.g.c_in.max(self.g.c_out).next_multiple_of(16)
    }

    fn inputs(&self) -> Rows {
        Rows::new(self.chunk.min(self.tiles().count()), self.g.c_in)
    }

    fn outputs(&self) -> Rows {
        Rows::new(self.chunk.min(self.tiles().count()), self.g.c_out)
    }

    fn input_blocks(&self) -> usize {
        self.g.c_in.div_ceil(INPUTS)
    }

    /// Parts of dU: panels of output channels × blocks of input channels.
    fn parts(&self) -> usize {
        self.g.c_out.div_ceil(self.lanes).div_ceil(self.widest) * self.input_blocks()
    }

    /// Floats of a part: (frequencies, inputs, panel).
    fn part_len(&self) -> usize {
        FREQUENCIES * INPUTS * self.widest * self.lanes
    }

    /// The first output vector of a part, how many it has, and its input channels.
    fn part(&self, index: usize) -> (usize, usize, Range<usize>) {
        let first = index / self.input_blocks() * self.widest;
        let vectors = self.widest.min(self.g.c_out.div_ceil(self.lanes) - first);
        (first, vectors, cut(0..self.g.c_in, index % self.input_blocks(), self.input_blocks()))
    }
}

/// What all pieces share.
struct Job<'a> {
    w: &'a WinogradGradient,
    x: Map<'a>,
    dy: Map<'a>,
    dw: SharedMut,
    adds: bool,
}

impl Job<'_> {
    /// Chunk after chunk, whose tiles and then whose sums are shared among the pieces.
    fn together(&self, cpu: &Cpu, scratch: &mut [f32]) {
        /// Tiles that are transformed by one piece.
        const FEW: usize = 2;
        let Self { w, x, dy, dw, adds } = *self;
        let (tiled, parts) = scratch.split_at_mut(w.chunk_len());
        let (v, d) = tiled.split_at_mut(FREQUENCIES * w.inputs().frequency);
        let (v, d, parts) = (SharedMut::new(v), SharedMut::new(d), SharedMut::new(parts));
        let (count, chunks) = (w.tiles().count(), w.chunks());
        for index in 0..chunks {
            let chunk = cut(0..count, index, chunks);
            cpu.run(chunk.len().div_ceil(FEW), |piece| {
                let part = piece * FEW..((piece + 1) * FEW).min(chunk.len());
                w.isa.dispatch(Tiled { w, x, dy, first: chunk.start, part, v: v.get(), d: d.get() });
            });
            cpu.run_with_seat(w.parts() * w.split, |seat, piece| {
                let (part, at) = (piece / w.split, piece % w.split);
                let sums = if w.fuses() { seat } else { part };
                let sums = parts.get().wrapping_add(sums * w.part_len());
                let frequencies = cut(0..FREQUENCIES, at, w.split);
                let (v, d) = (v.get().cast_const(), d.get().cast_const());
                w.isa.dispatch(Sum { w, part, frequencies, tiles: chunk.len(), adds: index > 0, v, d, sums });
                if w.fuses() {
                    w.isa.dispatch(Finish { w, part, sums, dw, adds, any: true });
                }
            });
        }
        if !w.fuses() {
            cpu.run(w.parts(), |part| {
                let sums = parts.get().wrapping_add(part * w.part_len());
                w.isa.dispatch(Finish { w, part, sums, dw, adds, any: chunks > 0 });
            });
        }
    }

    /// Group by group, each with chunks in the work space of its seat and sums of its own; then the groups' sums.
    fn in_groups(&self, cpu: &Cpu, scratch: &mut [f32]) {
        let Self { w, x, dy, dw, adds } = *self;
        let (seats, sums) = scratch.split_at_mut(cpu.threads() * w.chunk_len());
        let (seats, all) = (SharedMut::new(seats), SharedMut::new(sums));
        let (count, chunks, parts) = (w.tiles().count(), w.chunks(), w.parts());
        let group_len = parts * w.part_len();
        cpu.run_with_seat(w.groups, |seat, group| {
            let v = seats.get().wrapping_add(seat * w.chunk_len());
            let d = v.wrapping_add(FREQUENCIES * w.inputs().frequency);
            for index in 0..chunks {
                let chunk = cut(cut(0..count, group, w.groups), index, chunks);
                w.isa.dispatch(Tiled { w, x, dy, first: chunk.start, part: 0..chunk.len(), v, d });
                for part in 0..parts {
                    let sums = all.get().wrapping_add(group * group_len + part * w.part_len());
                    let (frequencies, tiles) = (0..FREQUENCIES, chunk.len());
                    w.isa.dispatch(Sum { w, part, frequencies, tiles, adds: index > 0, v, d, sums });
                }
            }
        });
        cpu.run(parts, |part| {
            let sums = all.get().wrapping_add(part * w.part_len());
            if chunks > 0 {
                w.isa.dispatch(AddUp { w, part, sums, step: group_len });
            }
            w.isa.dispatch(Finish { w, part, sums, dw, adds, any: chunks > 0 });
        });
    }
}

/// Adds the sums of all groups, `step` floats apart, to the first group's.
struct AddUp<'a> {
    w: &'a WinogradGradient,
    part: usize,
    sums: *mut f32,
    step: usize,
}

impl Kernel for AddUp<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (_, vectors, channels) = self.w.part(self.part);
        let (width, line) = (vectors * S::LANES, channels.len() * vectors);
        for frequency in 0..FREQUENCIES {
            for vector in 0..line {
                let to = self.sums.wrapping_add(frequency * INPUTS * width + vector * S::LANES);
                // Safety: every group wrote the sums of all inputs in every frequency, whole vectors each, and no other
                // piece has this part.
                unsafe {
                    let mut sum = s.load(to);
                    for group in 1..self.w.groups {
                        sum = s.add(sum, s.load(to.wrapping_add(group * self.step)));
                    }
                    s.store(sum, to);
                }
            }
        }
    }
}

/// Transforms tiles `part` of the chunk that starts with tile `first`.
struct Tiled<'a> {
    w: &'a WinogradGradient,
    x: Map<'a>,
    dy: Map<'a>,
    first: usize,
    part: Range<usize>,
    v: *mut f32,
    d: *mut f32,
}

impl Kernel for Tiled<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (tiles, inputs, outputs) = (self.w.tiles(), self.w.inputs(), self.w.outputs());
        for i in self.part {
            let at = tiles.place(self.first + i);
            let (v, d) = (self.v.wrapping_add(i * inputs.tile), self.d.wrapping_add(i * outputs.tile));
            // Safety: rows have room for every tile of a chunk, padded to whole vectors, and no other piece has this tile.
            unsafe {
                self.x.transform::<Input, S, 6, 6>(s, at, self.w.g.pad, v, inputs.frequency);
                self.dy.transform::<Spread, S, 4, 6>(s, at, [0, 0], d, outputs.frequency);
            }
        }
    }
}

/// Assigns or adds the products of a chunk to a part of dU, in some frequencies.
struct Sum<'a> {
    w: &'a WinogradGradient,
    part: usize,
    frequencies: Range<usize>,
    tiles: usize,
    adds: bool,
    v: *const f32,
    d: *const f32,
    sums: *mut f32,
}

impl Kernel for Sum<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (first, vectors, channels) = self.w.part(self.part);
        let (inputs, outputs) = (self.w.inputs(), self.w.outputs());
        let width = vectors * S::LANES;
        for f in self.frequencies {
            let product = Product {
                depth: self.tiles,
                a: self.v.wrapping_add(f * inputs.frequency + channels.start),
                a_pitch: inputs.tile,
                b: self.d.wrapping_add(f * outputs.frequency + first * S::LANES),
                b_pitch: outputs.tile,
                out: self.sums.wrapping_add(f * INPUTS * width),
                out_pitch: width,
                adds: self.adds,
            };
            // Safety: rows of all tiles were written, whole vectors each, and no other piece has these sums.
            unsafe { product.run::<S, true>(s, channels.len(), vectors) };
        }
    }
}

/// dW = Gᵀ dU G of a part.
struct Finish<'a> {
    w: &'a WinogradGradient,
    part: usize,
    sums: *const f32,
    dw: SharedMut,
    adds: bool,
    /// Whether there was any tile, and hence any sum.
    any: bool,
}

impl Kernel for Finish<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        /// Input channels whose weights are turned together.
        const FEW: usize = 16;
        let (first, vectors, channels) = self.w.part(self.part);
        let width = vectors * S::LANES;
        let mut lanes = [0.0; FEW * TAPS * 16];
        let mut square = [0.0; 256];
        for v in 0..vectors {
            let first = (first + v) * S::LANES;
            let outputs = S::LANES.min(self.w.g.c_out - first);
            for start in (0..channels.len()).step_by(FEW) {
                let inputs = start..(start + FEW).min(channels.len());
                let terms = inputs.len() * TAPS;
                if self.any {
                    for (input, to) in inputs.zip(lanes.chunks_exact_mut(TAPS * S::LANES)) {
                        let from = self.sums.wrapping_add(input * width + v * S::LANES);
                        let at = |r: usize, c: usize| from.wrapping_add((r * 6 + c) * INPUTS * width);
                        // Safety: sums of every frequency were written, whole vectors each, and `to` holds nine vectors.
                        unsafe {
                            let t = columns::<Gather, S, 6, 3, true>(s, at, S::LANES);
                            lines::<Gather, S, 6, 3>(s, t, to.as_mut_ptr(), S::LANES);
                        }
                    }
                }
                for term in (0..terms).step_by(S::LANES) {
                    let len = S::LANES.min(terms - term);
                    let from = lanes[term * S::LANES..][..len * S::LANES].as_ptr();
                    // Safety: `from` holds a vector for each term, and `square` a square of them.
                    unsafe { s.turn(from, S::LANES, len, S::LANES, square.as_mut_ptr()) };
                    for output in 0..outputs {
                        let at = ((first + output) * self.w.g.c_in + channels.start + start) * TAPS + term;
                        // Safety: these weights belong to this part alone, and lie below the length checked.
                        let dw = unsafe { std::slice::from_raw_parts_mut(self.dw.get().add(at), len) };
                        let mut v = s.read(&square[output * S::LANES..][..S::LANES]);
                        if self.adds {
                            v = s.add(s.read(dw), v);
                        }
                        s.write(v, dw);
                    }
                }
            }
        }
    }
}
