//! The gradient of a convolution by its weights, of bf16, on matrix tiles or as dot products: for every kernel row a product of dy, turned, with
//! x, whose pixels in a kernel row count as channels. Pixels are the terms, and two of them have to lie side by side, so that
//! both are rewritten block by block. Blocks are cut into a number of chunks that depends on the shape alone; each chunk sums
//! into its own copy of the gradient, and the copies are added in order.
//!
//! Pixels that fill a step are zero in dy. Where x is not finite there, so may weights be that never meet it.

use super::Bf16;
use super::amx::Amx;
use super::frame::Frame;
use super::product::LINE;
use super::tiles::Emulated;
use super::way::dispatch_dots;
use super::weight_copies::add_copies;
use super::weight_operands::{Inputs, Outputs};
use super::weight_products::{AsDots, OnTiles, Products, Strips};
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Channels of x or dy that two tiles hold.
pub(super) const PANEL: usize = 32;

/// Pieces to aim for.
const PIECES: usize = 16;

/// A planned weight gradient of bf16.
#[derive(Clone, Copy, Debug)]
pub struct Bf16WeightGradient {
    g: ConvGeometry,
    way: Bf16,
    /// Images and output rows of a block, at most.
    images: usize,
    rows: usize,
}

impl Bf16WeightGradient {
    /// How to compute it that `way`; `None` where bf16 are widened, for groups of channels, kernel columns that lie apart, linear layers, whose gradient takes
    /// longer to write than to compute, and where there is nothing to compute.
    pub fn plan(way: Bf16, g: &ConvGeometry) -> Option<Self> {
        /// Pixels of a block: enough for sums to stay in tiles, few enough for both operands to stay in a second-level cache; as
        /// dot products, which are slower, so few that blocks are pieces enough without panels being cut, each part of
        /// which fills its own strips.
        const PIXELS: usize = 1024;
        const DOTS: usize = 256;
        let sizes = [g.n, g.h, g.w, g.c_in, g.out_h, g.out_w, g.c_out];
        if way == Bf16::Widened || g.groups != 1 || g.dilation[1] != 1 || g.is_linear() || sizes.contains(&0) {
            return None;
        }
        g.check_shape();
        let span = g.out_w.next_multiple_of(2);
        let pixels = if way == Bf16::Dot { DOTS } else { PIXELS };
        let rows = (pixels / span).clamp(1, g.out_h);
        let rows = g.out_h.div_ceil(g.out_h.div_ceil(rows));
        let images = if rows == g.out_h { (pixels / (rows * span)).clamp(1, g.n) } else { 1 };
        Some(Self { g: *g, way, images, rows })
    }

    /// The same plan for another number of images.
    #[must_use]
    pub fn batch(self, n: usize) -> Self {
        Self { g: ConvGeometry { n, ..self.g }, ..self }
    }

    /// Slots of an output row: its pixels, and one more where they are odd.
    fn span(&self) -> usize {
        self.g.out_w.next_multiple_of(2)
    }

    /// Panels of output channels, and of a kernel row's input channels.
    pub(super) fn panels(&self) -> [usize; 2] {
        [self.g.c_out.div_ceil(PANEL), (self.g.kernel[1] * self.g.c_in).div_ceil(PANEL)]
    }

    fn blocks(&self) -> usize {
        self.g.n.div_ceil(self.images) * self.g.out_h.div_ceil(self.rows)
    }

    /// Floats of a copy of the gradient.
    pub(super) fn copy_len(&self) -> usize {
        let [outputs, inputs] = self.panels();
        self.g.kernel[0] * outputs * inputs * PANEL * PANEL
    }

    /// Copies: of 4 MiB together unless one alone is larger.
    fn chunks(&self) -> usize {
        ((1 << 20) / self.copy_len()).min(PIECES).min(self.blocks()).max(1)
    }

    /// Parts that panels are cut into where chunks are few: those of which more are left first.
    fn sets(&self) -> [usize; 2] {
        let (panels, mut sets) = (self.panels(), [1; 2]);
        while self.chunks() * sets[0] * sets[1] < PIECES {
            let left = [0, 1].map(|i| panels[i].div_ceil(sets[i]));
            let larger = usize::from(left[1] > left[0]);
            if left[larger] == 1 {
                break;
            }
            sets[larger] = (2 * sets[larger]).min(panels[larger]);
        }
        sets
    }

    /// Words of a padded row: every pixel's kernel row, the last one to whole panels.
    fn line_len(&self) -> usize {
        let g = &self.g;
        ((self.span() - 1) * g.stride[1] * g.c_in).next_multiple_of(LINE) + self.panels()[1] * PANEL
    }

    /// Words of a block's operands, of the largest sets.
    fn seat_len(&self) -> usize {
        let frame = Frame { g: &self.g, first: 0, rows: self.rows };
        let [outputs, inputs] = [0, 1].map(|i| self.panels()[i].div_ceil(self.sets()[i]));
        let image = Inputs::len(&frame, self.span(), inputs) + Outputs::len(self.rows * self.span(), outputs);
        self.images * image + self.line_len()
    }

    /// The estimated cost of dot products, as of [`super::Bf16Convolution::cost`].
    pub fn cost(&self) -> f64 {
        /// The share of the peak that the register tile reaches.
        const DOTS: f64 = 0.95;
        /// Multiply-adds in the time in which a word of x or dy is brought into strips, and a sum of a copy is added.
        const INPUT: f64 = 2.0;
        const OUTPUT: f64 = 8.0;
        const SUM: f64 = 30.0;
        let (g, [wide, deep], sets) = (&self.g, self.panels(), self.sets());
        let slots = (g.n * g.out_h * self.span()) as f64;
        let (inputs, outputs) = ((deep * PANEL * sets[0] * g.stride[0]) as f64, (wide * PANEL * sets[1]) as f64);
        let products = slots * (g.kernel[0] * g.c_out * deep * PANEL) as f64 / 2.0;
        let copies = (self.chunks() * self.copy_len()) as f64;
        products / DOTS + slots * (INPUT * inputs + OUTPUT * outputs) + SUM * copies
    }

    /// Floats of scratch that [`Bf16WeightGradient::run`] needs with `threads` threads.
    pub fn scratch(&self, threads: usize) -> usize {
        // A line more, so that the first one can be found.
        self.chunks() * self.copy_len() + threads * self.seat_len() / 2 + LINE / 2
    }

    /// Assigns to `dw (c_out, c_in, kernel)`, or with `adds` adds to it, the gradient from x `(n, h, w, c_in)` and dy `(n, out_h,
    /// out_w, c_out)`. With the machine's own instructions or emulated ones, as [`super::Bf16Convolution::run`].
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn run(&self, cpu: &Cpu, x: &[u16], dy: &[u16], dw: &mut [f32], adds: bool, scratch: &mut [f32]) {
        self.run_on(cpu, cpu.bf16() == self.way, x, dy, dw, adds, scratch);
    }

    /// As [`Bf16WeightGradient::run`], with the machine's own instructions or with emulated ones.
    pub(super) fn run_on(
        &self,
        cpu: &Cpu,
        own: bool,
        x: &[u16],
        dy: &[u16],
        dw: &mut [f32],
        adds: bool,
        scratch: &mut [f32],
    ) {
        assert!(!own || self.way.is_available(), "this machine has no {} of its own", self.way.name());
        let g = &self.g;
        g.check(x.len(), dw.len(), dy.len(), scratch.len(), self.scratch(cpu.threads()));
        let skipped = scratch.as_ptr().align_offset(2 * LINE).min(scratch.len());
        let (copies, seats) = scratch[skipped..].split_at_mut(self.chunks() * self.copy_len());
        let (chunks, sets, panels) = (self.chunks(), self.sets(), self.panels());
        if g.n == 0 {
            copies.fill(0.0);
        }
        let job = Job { plan: self, x, dy, copies: SharedMut::new(copies), seats: SharedMut::new(seats).cast() };
        let set = |i: usize, index: usize| index * panels[i] / sets[i]..(index + 1) * panels[i] / sets[i];
        cpu.install(|| {
            cpu.run_with_seat(chunks * sets[0] * sets[1], |seat, piece| {
                let (chunk, piece) = (piece % chunks, piece / chunks);
                let (outputs, inputs) = (set(0, piece % sets[0]), set(1, piece / sets[0]));
                let piece = Piece { job: &job, seat, chunk, outputs, inputs };
                match (self.way, own) {
                    // Safety: the machine has tiles, as asserted.
                    (Bf16::Amx, true) => cpu.isa().dispatch(Run(piece, || unsafe { OnTiles::<Amx>::new() })),
                    // Safety: these are everywhere.
                    (Bf16::Amx, false) => cpu.isa().dispatch(Run(piece, || unsafe { OnTiles::<Emulated>::new() })),
                    _ => dispatch_dots(cpu.isa(), own, Run(piece, || AsDots)),
                }
            });
            add_copies(cpu, g, panels, copies, adds, dw);
        });
    }
}

/// What all pieces share.
struct Job<'a> {
    plan: &'a Bf16WeightGradient,
    x: &'a [u16],
    dy: &'a [u16],
    /// (chunks, kernel rows, panels of outputs, panels of inputs, 32 outputs, 32 inputs).
    copies: SharedMut,
    /// Of each thread: a line, inputs of a block's images, and its outputs.
    seats: SharedMut<u16>,
}

/// Some panels of a chunk.
struct Piece<'a> {
    job: &'a Job<'a>,
    seat: usize,
    chunk: usize,
    outputs: Range<usize>,
    inputs: Range<usize>,
}

/// A piece, and what makes its products on the thread that runs it.
struct Run<'a, M>(Piece<'a>, M);

impl<P: Products, M: FnOnce() -> P> Kernel for Run<'_, M> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(piece, products) = self;
        let (plan, mut products) = (piece.job.plan, products());
        let g = &plan.g;
        let (blocks, chunks, high) = (plan.blocks(), plan.chunks(), g.out_h.div_ceil(plan.rows));
        let chunk = piece.chunk * blocks / chunks..(piece.chunk + 1) * blocks / chunks;
        for index in chunk.clone() {
            let (image, first) = (index / high * plan.images, index % high * plan.rows);
            let images = image..(image + plan.images).min(g.n);
            let frame = Frame { g, first, rows: plan.rows.min(g.out_h - first) };
            piece.block(s, &mut products, images, frame, index > chunk.start);
        }
    }
}

impl Piece<'_> {
    /// Adds to the sums, or starts them with, the products of a block.
    #[inline(always)]
    fn block<S: Simd>(&self, s: S, products: &mut impl Products, images: Range<usize>, frame: Frame<'_>, adds: bool) {
        let Job { plan, x, dy, copies, seats } = self.job;
        let (g, span, [wide, deep]) = (&plan.g, plan.span(), plan.panels());
        let slots = frame.rows * span;
        let line = seats.get().wrapping_add(self.seat * plan.seat_len());
        let x_len = Inputs::len(&frame, span, self.inputs.len());
        let dy_len = Outputs::len(slots, self.outputs.len());
        let x_of = |i: usize| line.wrapping_add(plan.line_len() + i * (x_len + dy_len));
        let dy_of = |i: usize| x_of(i).wrapping_add(x_len);
        for (i, image) in images.clone().enumerate() {
            let inputs = Inputs { x, frame, image, span, panels: self.inputs.clone() };
            let outputs = Outputs { dy, frame, image, span, panels: self.outputs.clone() };
            // Safety: a seat has room for a line and a block's operands, and belongs to this piece.
            unsafe {
                inputs.fill(line, plan.line_len(), x_of(i));
                outputs.fill(s, dy_of(i));
            }
        }
        for ky in 0..g.kernel[0] {
            // Pairs of slots lie on a line each.
            let below = frame.under(ky) * span / 2 * LINE;
            for (o, output) in self.outputs.clone().enumerate() {
                for (i, input) in self.inputs.clone().enumerate() {
                    let at = (((self.chunk * g.kernel[0] + ky) * wide + output) * deep + input) * PANEL * PANEL;
                    let strips = |start: *mut u16, panel: usize, len: usize| {
                        [2 * panel, 2 * panel + 1].map(|strip| start.wrapping_add(strip * len).cast_const())
                    };
                    let strips = Strips {
                        rows: (g.c_out - output * PANEL).min(PANEL),
                        left: strips(dy_of(0), o, Outputs::strip(slots)),
                        right: strips(x_of(0).wrapping_add(below), i, Inputs::strip(&frame, span)),
                        slots,
                        images: images.len(),
                        image: x_len + dy_len,
                        sums: copies.get().wrapping_add(at),
                        adds,
                    };
                    // Safety: sums of this chunk and these panels, which no other piece has, and the operands above.
                    unsafe { products.sum(s, &strips) };
                }
            }
        }
    }
}
