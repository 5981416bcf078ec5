//! The convolution: input rows of a block are copied where they have to be, then tiles of pixels are multiplied with panel
//! after panel of weights, so that a panel stays in cache while all pixels of the block meet it.

use super::amx::{self, Amx};
use super::convolution::{AmxConvolution, PANEL, Source, Walk};
use super::copies::Copies;
use super::epilogue::{Bf16Destination, Bf16Epilogue};
use super::frame::Frame;
use super::product::{LINE, Operand, STEP, TILE, products, store, zero};
use super::tiles::{Emulated, Tiles};
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::marker::PhantomData;
use std::ops::Range;

/// What all pieces share.
struct Job<'a> {
    plan: &'a AmxConvolution,
    /// Merged, where that is done.
    g: ConvGeometry,
    walk: Walk,
    x: &'a [u16],
    prepared: &'a [u16],
    epilogue: Bf16Epilogue<'a>,
    /// Starts at the first channel written.
    out: SharedMut<u16>,
    pitch: usize,
    adds: bool,
}

/// Some images, and some output rows of each.
struct Block {
    images: Range<usize>,
    rows: Range<usize>,
}

/// See [`AmxConvolution::run`], which has checked all lengths.
pub(super) fn run(
    plan: &AmxConvolution,
    cpu: &Cpu,
    own: bool,
    x: &[u16],
    prepared: &[u16],
    epilogue: &Bf16Epilogue<'_>,
    to: &mut Bf16Destination<'_>,
    scratch: &mut [f32],
) {
    assert!(!own || amx::granted(), "this machine has no tiles of its own");
    let g = plan.merged();
    let (pitch, adds) = (to.pitch, to.adds);
    let out = SharedMut::new(&mut to.values[to.channel..]);
    let job = Job { plan, g, walk: plan.walk(), x, prepared, epilogue: *epilogue, out, pitch, adds };
    let [images, rows] = plan.block();
    let (high, blocks, groups) = (g.out_h.div_ceil(rows), plan.blocks(), plan.groups());
    let block = |i: usize| {
        let (image, row) = (i / high * images, i % high * rows);
        Block { images: image..(image + images).min(g.n), rows: row..(row + rows).min(g.out_h) }
    };
    let panels = |i: usize| i * plan.panels() / groups..(i + 1) * plan.panels() / groups;
    // Lines of each thread, then copies of each block, or thread.
    let skipped = scratch.as_ptr().align_offset(2 * LINE).min(scratch.len());
    let scratch = SharedMut::new(&mut scratch[skipped..]).cast::<u16>();
    let line = |seat: usize| scratch.get().wrapping_add(seat * plan.line_len());
    let copies = |i: usize| scratch.get().wrapping_add(cpu.threads() * plan.line_len() + i * plan.block_len());
    let copy = |block: &Block, i: usize, rows: Range<usize>, to: *mut u16, seat: usize| {
        let frame = Frame { g: &g, first: block.rows.start, rows: block.rows.len() };
        let (image, rows) = (block.images.start + i, rows.start..rows.end.min(frame.len()));
        let to = to.wrapping_add(i * plan.image_len());
        cpu.isa().dispatch(Copies { plan, walk: job.walk, x, frame, image, rows, to, line: line(seat) });
    };
    let copied = plan.source() != Source::Input;
    if copied && plan.is_shared() {
        /// Input rows of a piece.
        const ROWS: usize = 4;
        let parts = (Frame { g: &g, first: 0, rows }).len().div_ceil(ROWS);
        cpu.run_with_seat(blocks * images * parts, |seat, piece| {
            let (part, piece) = (piece % parts, piece / parts);
            let (i, index) = (piece % images, piece / images);
            let block = block(index);
            if i < block.images.len() {
                copy(&block, i, part * ROWS..(part + 1) * ROWS, copies(index), seat);
            }
        });
    }
    cpu.run_with_seat(blocks * groups, |seat, piece| {
        let (index, group) = (piece % blocks, piece / blocks);
        let block = block(index);
        let place = copies(if plan.is_shared() { index } else { seat });
        if copied && !plan.is_shared() {
            (0..block.images.len()).for_each(|i| copy(&block, i, 0..usize::MAX, place, seat));
        }
        let panels = panels(group);
        if own {
            let tiles = PhantomData::<Amx>;
            cpu.isa().dispatch(Piece { job: &job, block, copied: place, panels, tiles });
        } else {
            let tiles = PhantomData::<Emulated>;
            cpu.isa().dispatch(Piece { job: &job, block, copied: place, panels, tiles });
        }
    });
}

/// Some panels of a block.
struct Piece<'a, T> {
    job: &'a Job<'a>,
    block: Block,
    /// The copies of the block's images.
    copied: *const u16,
    panels: Range<usize>,
    tiles: PhantomData<T>,
}

/// Sums of 32 slots by 32 channels, on lines of their own.
#[repr(align(64))]
struct Sums([f32; 32 * PANEL]);

impl<T: Tiles> Kernel for Piece<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { job, block, .. } = &self;
        let (g, walk) = (&job.g, &job.walk);
        let slots = (block.rows.len() - 1) * walk.span + g.out_w;
        // As many tiles of slots as two at a time need, as even as possible.
        let count = slots.div_ceil(16).next_multiple_of(2);
        let rows = slots.div_ceil(count);
        // Safety: from 1 to 16 rows; `run` asked whether the machine has tiles.
        let mut tiles = unsafe { T::new(rows) };
        let mut sums = Sums([0.0; 32 * PANEL]);
        let weights = job.plan.steps() * 2 * TILE;
        for panel in self.panels.clone() {
            // Also the bounds of what the products read.
            let weights = &job.prepared[panel * weights..][..weights];
            let bias = padded(job.epilogue.bias, panel);
            for (i, image) in block.images.clone().enumerate() {
                for first in (0..count * rows).step_by(2 * rows) {
                    // The last tile may start earlier, and find again what the one before found.
                    let starts = [first, first + rows].map(|slot| slot.min(slots - rows));
                    let from = starts.map(|start| self.slot(i, image, start));
                    // Safety: slots of the block, under every kernel row, and the weights cut above.
                    unsafe {
                        if job.plan.is_far() {
                            self.sum::<S, true>(s, &mut tiles, from, weights);
                        } else {
                            self.sum::<S, false>(s, &mut tiles, from, weights);
                        }
                        store(&tiles, sums.0.as_mut_ptr());
                    }
                    for (half, start) in starts.into_iter().enumerate() {
                        let wanted = (first + half * rows).min(slots)..(first + (half + 1) * rows).min(slots);
                        let sums = &sums.0[(half * 16 + wanted.start - start.min(wanted.start)) * PANEL..];
                        self.write(s, image, wanted, panel, &bias, sums);
                    }
                }
            }
        }
    }
}

/// The bias of a panel's channels, or zeros.
fn padded(bias: Option<&[f32]>, panel: usize) -> [f32; PANEL] {
    let mut padded = [0.0; PANEL];
    if let Some(bias) = bias {
        let bias = &bias[panel * PANEL..];
        let len = bias.len().min(PANEL);
        padded[..len].copy_from_slice(&bias[..len]);
    }
    padded
}

impl<T: Tiles> Piece<'_, T> {
    /// Where a slot of the block's image `i`, which is image `image`, reads under the first kernel row and run.
    #[inline(always)]
    fn slot(&self, i: usize, image: usize, slot: usize) -> *const u16 {
        let Job { plan, g, walk, x, .. } = self.job;
        let image = match plan.source() {
            Source::Input => x.as_ptr().wrapping_add((image * g.h + self.block.rows.start) * g.w * g.c_in),
            Source::Frame | Source::Gathered => self.copied.wrapping_add(i * plan.image_len()),
        };
        image.wrapping_add(slot * walk.slot)
    }

    /// Sums the products of the slots from two places on with a panel's weights.
    ///
    /// # Safety
    /// As many slots as tiles have rows can be read from each place on, under every kernel row, and `weights` are a panel's.
    #[inline(always)]
    unsafe fn sum<S: Simd, const FAR: bool>(&self, s: S, tiles: &mut T, from: [*const u16; 2], weights: &[u16]) {
        let Job { plan, g, walk, .. } = self.job;
        let frame = Frame { g, first: self.block.rows.start, rows: self.block.rows.len() };
        let row = walk.slot * walk.span;
        let steps = walk.depth / STEP;
        let mut right = weights.as_ptr();
        zero(tiles);
        for ky in 0..g.kernel[0] {
            let below = match plan.source() {
                Source::Input => ky * g.dilation[0],
                Source::Frame | Source::Gathered => frame.under(ky),
            };
            for run in 0..walk.runs {
                let starts = from.map(|from| from.wrapping_add(below * row + run * walk.run));
                let left = Operand { starts, pitch: walk.slot, step: STEP };
                let starts = [right, right.wrapping_add(TILE)];
                let weights = Operand { starts, pitch: LINE, step: 2 * TILE };
                // Safety: as the caller vouches.
                unsafe { products::<S, T, FAR>(s, tiles, left, weights, steps) };
                right = right.wrapping_add(steps * 2 * TILE);
            }
        }
    }

    /// Writes slots of an image from rows of sums, but for those between rows of pixels.
    #[inline(always)]
    fn write<S: Simd>(&self, s: S, image: usize, slots: Range<usize>, panel: usize, bias: &[f32; PANEL], sums: &[f32]) {
        let Job { g, walk, .. } = self.job;
        let channels = PANEL.min(g.c_out - panel * PANEL);
        let (mut row, mut column) = (slots.start / walk.span, slots.start % walk.span);
        for sums in sums.chunks_exact(PANEL).take(slots.len()) {
            if column < g.out_w {
                let pixel = (image * g.out_h + self.block.rows.start + row) * g.out_w + column;
                for v in (0..channels).step_by(S::LANES) {
                    let (sums, bias) = (&sums[v..v + S::LANES], &bias[v..v + S::LANES]);
                    let sum = s.add(s.read(sums), s.read(bias));
                    let (channel, lanes) = (panel * PANEL + v, channels - v);
                    // Safety: these channels exist in this pixel, and no other piece writes them.
                    unsafe {
                        if lanes >= S::LANES {
                            self.finish::<S, true>(s, sum, pixel, channel, S::LANES);
                        } else {
                            self.finish::<S, false>(s, sum, pixel, channel, lanes);
                        }
                    }
                }
            }
            column += 1;
            if column == walk.span {
                (row, column) = (row + 1, 0);
            }
        }
    }

    /// The last write of some channels of a pixel.
    ///
    /// # Safety
    /// `lanes` channels from `channel` on exist in this pixel, all where `FULL`, and no other piece writes them.
    #[inline(always)]
    unsafe fn finish<S: Simd, const FULL: bool>(
        &self,
        s: S,
        mut v: S::Vector,
        pixel: usize,
        channel: usize,
        lanes: usize,
    ) {
        let Job { g, epilogue, out, pitch, adds, .. } = self.job;
        let (low, high) = epilogue.activation.bounds();
        let to = out.get().wrapping_add(pixel * pitch + channel);
        // Safety: as the caller vouches; the residual has the output's shape.
        unsafe {
            if let Some(residual) = epilogue.residual {
                let residual = residual.as_ptr().wrapping_add(pixel * g.c_out + channel);
                v = s.add(v, s.load_bf16_lanes::<FULL>(residual, lanes));
            }
            if *adds {
                v = s.add(v, s.load_bf16_lanes::<FULL>(to, lanes));
            }
            // NaN passes through as the second operand.
            v = s.min(s.splat(high), s.max(s.splat(low), v));
            s.store_bf16_lanes::<FULL>(v, to, lanes);
        }
    }
}
