//! The convolution: input rows of a block are copied where they have to be, then tiles of pixels are multiplied with panel
//! after panel of weights, so that a panel stays in cache while all pixels of the block meet it.

use super::Bf16;
use super::amx::Amx;
use super::convolution::{Bf16Convolution, PANEL, Source, Walk};
use super::copies::Copies;
use super::epilogue::{Bf16Destination, Bf16Epilogue};
use super::forward_dots::AsDots;
use super::forward_tiles::OnTiles;
use super::frame::Frame;
use super::product::LINE;
use super::tiles::Emulated;
use super::way::dispatch_dots;
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::cpu::SharedMut;
use crate::simd::Simd;
use std::marker::PhantomData;
use std::ops::Range;

/// What all pieces share.
pub(super) struct Job<'a> {
    pub(super) plan: &'a Bf16Convolution,
    /// Merged, where that is done.
    pub(super) g: ConvGeometry,
    pub(super) walk: Walk,
    x: &'a [u16],
    pub(super) prepared: &'a [u16],
    pub(super) epilogue: Bf16Epilogue<'a>,
    /// Starts at the first channel written.
    out: SharedMut<u16>,
    pitch: usize,
    adds: bool,
}

/// Some images, and some output rows of each.
pub(super) struct Block {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
}

/// See [`Bf16Convolution::run`], which has checked all lengths.
pub(super) fn run(
    plan: &Bf16Convolution,
    cpu: &Cpu,
    own: bool,
    x: &[u16],
    prepared: &[u16],
    epilogue: &Bf16Epilogue<'_>,
    to: &mut Bf16Destination<'_>,
    scratch: &mut [f32],
) {
    assert!(!own || plan.way().is_available(), "this machine has no {} of its own", plan.way().name());
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
        let piece = Piece { job: &job, block, copied: place, panels: panels(group) };
        match (plan.way(), own) {
            (Bf16::Amx, true) => cpu.isa().dispatch(OnTiles(piece, PhantomData::<Amx>)),
            (Bf16::Amx, false) => cpu.isa().dispatch(OnTiles(piece, PhantomData::<Emulated>)),
            _ => dispatch_dots(cpu.isa(), own, AsDots(piece)),
        }
    });
}

/// Some panels of a block.
pub(super) struct Piece<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) block: Block,
    /// The copies of the block's images.
    copied: *const u16,
    pub(super) panels: Range<usize>,
}

/// Sums of 32 slots by 32 channels, on lines of their own.
#[repr(align(64))]
pub(super) struct Sums(pub(super) [f32; 32 * PANEL]);

impl Default for Sums {
    #[inline(always)]
    fn default() -> Self {
        Self([0.0; 32 * PANEL])
    }
}

/// The bias of a panel's channels, or zeros.
pub(super) fn padded(bias: Option<&[f32]>, panel: usize) -> [f32; PANEL] {
    let mut padded = [0.0; PANEL];
    if let Some(bias) = bias {
        let bias = &bias[panel * PANEL..];
        let len = bias.len().min(PANEL);
        padded[..len].copy_from_slice(&bias[..len]);
    }
    padded
}

impl Piece<'_> {
    /// Where a slot of the block's image `i`, which is image `image`, reads under the first kernel row and run.
    #[inline(always)]
    pub(super) fn slot(&self, i: usize, image: usize, slot: usize) -> *const u16 {
        let Job { plan, g, walk, x, .. } = self.job;
        let image = match plan.source() {
            Source::Input => x.as_ptr().wrapping_add((image * g.h + self.block.rows.start) * g.w * g.c_in),
            Source::Frame | Source::Gathered => self.copied.wrapping_add(i * plan.image_len()),
        };
        image.wrapping_add(slot * walk.slot)
    }

    /// Words from what a slot reads under the first kernel row to what it reads under another.
    #[inline(always)]
    pub(super) fn below(&self, ky: usize) -> usize {
        let Job { plan, g, walk, .. } = self.job;
        let frame = Frame { g, first: self.block.rows.start, rows: self.block.rows.len() };
        let rows = match plan.source() {
            Source::Input => ky * g.dilation[0],
            Source::Frame | Source::Gathered => frame.under(ky),
        };
        rows * walk.slot * walk.span
    }

    /// Writes slots of an image, of which a row has `span`, from rows of sums, but for those between rows of pixels.
    #[inline(always)]
    pub(super) fn write<S: Simd>(
        &self,
        s: S,
        image: usize,
        slots: Range<usize>,
        span: usize,
        panel: usize,
        bias: &[f32; PANEL],
        sums: &[f32],
    ) {
        let g = &self.job.g;
        let channels = PANEL.min(g.c_out - panel * PANEL);
        let (mut row, mut column) = (slots.start / span, slots.start % span);
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
            if column == span {
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
