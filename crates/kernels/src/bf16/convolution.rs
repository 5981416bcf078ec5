//! A convolution of bf16 by bf16, planned, on matrix tiles or as dot products: without an im2col copy where a tile of up to 16
//! pixels can be read from x, or from a framed copy of a few rows, by the distance of neighbouring pixels; and through a copy of
//! each pixel's kernel row where channels are no whole steps of 32 terms, or pairs. Cross-correlation, as everywhere in this
//! field.

use super::Bf16;
use super::epilogue::{Bf16Destination, Bf16Epilogue};
use super::frame::Frame;
use super::product::{LINE, STEP, TILE};
use super::{forward, prepare};
use crate::Cpu;
use crate::conv::{Activation, ConvGeometry};

/// Output channels that two tiles hold.
pub(super) const PANEL: usize = 32;

/// Pieces to aim for, so that no core idles long at the end.
const PIECES: usize = 16;

/// Where products find their pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In x: no padding, steps of one, whole steps of channels, or pairs.
    Input,
    /// In copies of rows with their padding: whole steps of channels, or pairs.
    Frame,
    /// In copies of each pixel's kernel rows, filled with zeros to whole steps of terms.
    Gathered,
}

/// Distances in words between what products read of a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// From one slot to the next: a pixel, or a place between rows that is computed in vain.
    pub(super) slot: usize,
    /// Slots of a row.
    pub(super) span: usize,
    /// Runs of a kernel row that are contiguous, from one to the next, and their terms: whole steps on tiles.
    pub(super) runs: usize,
    pub(super) run: usize,
    pub(super) depth: usize,
}

/// A planned convolution of bf16, or data gradient of one. Weights are prepared for any number of images.
#[derive(Clone, Copy, Debug)]
pub struct Bf16Convolution {
    /// Of the convolution that is computed, which for a data gradient is the turned one.
    g: ConvGeometry,
    turned: bool,
    way: Bf16,
    source: Source,
    /// Images and output rows of a block, at most.
    images: usize,
    rows: usize,
    /// Copies are made for all blocks before products begin, since several pieces read the same.
    shared: bool,
}

impl Bf16Convolution {
    /// How to compute y = x ∗ weight that `way`; `None` for groups of channels, where bf16 are widened, and where there is
    /// nothing to compute.
    pub fn plan(way: Bf16, g: &ConvGeometry) -> Option<Self> {
        Self::of(way, g, false)
    }

    /// How to compute the gradient by x from that by y; `None` for strides other than 1, too.
    pub fn data_gradient(way: Bf16, g: &ConvGeometry) -> Option<Self> {
        Self::of(way, &g.turned()?, true)
    }

    fn of(way: Bf16, g: &ConvGeometry, turned: bool) -> Option<Self> {
        let sizes = [g.n, g.h, g.w, g.c_in, g.out_h, g.out_w, g.c_out];
        if way == Bf16::Widened || g.groups != 1 || sizes.contains(&0) {
            return None;
        }
        g.check_shape();
        // Kernel rows are pairs where they are, or whole steps.
        let pairs = (g.kernel[1] * g.c_in).is_multiple_of(2) && (g.dilation[1] == 1 || g.kernel[1] == 1);
        let whole = g.c_in.is_multiple_of(STEP) || (way == Bf16::Dot && pairs);
        let window = |axis: usize| (g.kernel[axis] - 1) * g.dilation[axis];
        let inside = g.out_h + window(0) <= g.h && g.out_w + window(1) <= g.w;
        let source = if !whole {
            Source::Gathered
        } else if inside && g.stride == [1, 1] && g.pad == [0, 0] {
            Source::Input
        } else if g.kernel[1] <= g.stride[1] {
            // Windows that do not overlap: nothing is copied twice, and nothing in vain.
            Source::Gathered
        } else {
            Source::Frame
        };
        let mut this = Self { g: *g, turned, way, source, images: 1, rows: 1, shared: false };
        this.cut();
        Some(this)
    }

    /// Cuts the work into blocks of as many rows, or images, as leave room in a second-level cache for a panel's weights. Large
    /// weights are read from beyond by every block, so that those are not made smaller to have more of them.
    fn cut(&mut self) {
        /// Words of input of a block.
        const CACHED: usize = 1 << 17;
        /// Pixels of a block that are worth reading the weights.
        const PIXELS: usize = 64;
        let g = self.merged();
        let row = g.stride[0] * self.walk().slot * self.walk().span;
        let (mut rows, mut images) = ((CACHED / row).max(1), g.n);
        if !self.is_far() {
            rows = rows.min((g.n * g.out_h).div_ceil(PIECES).max(PIXELS.div_ceil(g.out_w)));
            images = g.n.div_ceil(PIECES).max(PIXELS / (g.out_h * g.out_w));
        }
        self.rows = g.out_h.div_ceil(g.out_h.div_ceil(rows));
        if self.rows == g.out_h {
            self.images = images.min(CACHED / self.image_len()).clamp(1, g.n);
        }
        self.shared = self.groups() > 1;
    }

    /// Blocks of rows, or of images.
    pub(super) fn blocks(&self) -> usize {
        let g = self.merged();
        g.n.div_ceil(self.images) * g.out_h.div_ceil(self.rows)
    }

    /// Parts that panels are cut into where blocks are few.
    pub(super) fn groups(&self) -> usize {
        PIECES.div_ceil(self.blocks().max(1)).min(self.panels())
    }

    /// The same plan for another number of images: weights prepared for one serve the other.
    #[must_use]
    pub fn batch(self, n: usize) -> Self {
        Self { g: ConvGeometry { n, ..self.g }, ..self }
    }

    /// Of what is computed; a 1×1 convolution of x itself sees one high image.
    pub(super) fn merged(&self) -> ConvGeometry {
        let g = &self.g;
        if self.source == Source::Input && g.kernel == [1, 1] && (g.h, g.w) == (g.out_h, g.out_w) {
            ConvGeometry { n: 1, h: g.n * g.h, out_h: g.n * g.out_h, ..*g }
        } else {
            *g
        }
    }

    pub(super) fn walk(&self) -> Walk {
        let g = &self.g;
        let row = g.kernel[1] * g.c_in;
        let (slot, span) = match self.source {
            Source::Input => (g.c_in, g.w),
            Source::Frame => {
                let columns = (g.out_w - 1) * g.stride[1] + (g.kernel[1] - 1) * g.dilation[1] + 1;
                (g.stride[1] * g.c_in, columns.div_ceil(g.stride[1]))
            }
            Source::Gathered => {
                let depth = row.next_multiple_of(STEP);
                return Walk { slot: depth, span: g.out_w, runs: 1, run: 0, depth };
            }
        };
        if g.dilation[1] == 1 {
            Walk { slot, span, runs: 1, run: 0, depth: row }
        } else {
            Walk { slot, span, runs: g.kernel[1], run: g.dilation[1] * g.c_in, depth: g.c_in }
        }
    }

    /// How it is computed.
    pub fn way(&self) -> Bf16 {
        self.way
    }

    /// Terms of a run that are not zeros only.
    pub(super) fn terms(&self) -> usize {
        let walk = self.walk();
        if walk.runs == 1 { self.g.kernel[1] * self.g.c_in } else { walk.depth }
    }

    /// Panels of output channels.
    pub(super) fn panels(&self) -> usize {
        self.g.c_out.div_ceil(PANEL)
    }

    /// Steps of 32 terms of a panel.
    pub(super) fn steps(&self) -> usize {
        self.g.kernel[0] * (self.g.kernel[1] * self.g.c_in).div_ceil(STEP)
    }

    /// Whether weights are more than stays in a second-level cache.
    pub(super) fn is_far(&self) -> bool {
        2 * self.prepared_len() > 1 << 20
    }

    /// Words of prepared weights, whatever the number of images.
    pub fn prepared_len(&self) -> usize {
        self.panels() * self.steps() * 2 * TILE
    }

    /// Prepares the forward convolution's weights `(c_out, c_in, kernel)`, each output channel's times its `scale` (forward
    /// only), rounded to bf16, into `prepared` of [`Bf16Convolution::prepared_len`]. Runs are fastest where that starts on a
    /// cache line.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn prepare(&self, cpu: &Cpu, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [u16]) {
        let g = &self.g;
        assert_eq!(weight.len(), g.weight_len(), "weights (c_out, c_in, kernel) for {g:?}");
        assert_eq!(prepared.len(), self.prepared_len(), "room for prepared weights");
        assert!(
            scale.is_none_or(|s| !self.turned && s.len() == g.c_out),
            "a scale for each of {} channels of a forward convolution",
            g.c_out
        );
        cpu.install(|| prepare::run(cpu, g, self.turned, weight, scale, prepared));
    }

    /// The estimated cost of dot products, to be compared with that of a [`crate::Convolution`]: in multiply-adds of floats at
    /// the machine's peak, which is half as fast.
    pub fn cost(&self) -> f64 {
        /// The share of the peak that the register tile reaches.
        const DOTS: f64 = 0.95;
        /// Multiply-adds in the time in which a word is copied, a sum written, and one of the prepared weights read.
        const WORD: f64 = 4.0;
        const SUM: f64 = 14.0;
        const WEIGHT: f64 = 4.0;
        let (g, terms) = (&self.g, self.walk().runs * self.terms().next_multiple_of(2));
        let sums = (g.n * g.out_h * g.out_w * self.panels() * PANEL) as f64;
        let copied = if self.source == Source::Input { 0 } else { self.blocks() * self.block_len() };
        let products = sums * (g.kernel[0] * terms) as f64 / 2.0;
        products / DOTS + SUM * sums + WORD * copied as f64 + WEIGHT * self.prepared_len() as f64
    }

    /// Floats of scratch that [`Bf16Convolution::run`] needs with `threads` threads.
    pub fn scratch(&self, threads: usize) -> usize {
        if self.source == Source::Input {
            return 0;
        }
        let copies = if self.shared { self.blocks() } else { threads };
        // A line more, so that the first one can be found.
        (copies * self.block_len() + threads * self.line_len() + LINE) / 2
    }

    /// Words of the copies of one image in a block, in whole lines.
    pub(super) fn image_len(&self) -> usize {
        let frame = Frame { g: &self.g, first: 0, rows: self.rows };
        (frame.len() * self.walk().slot * self.walk().span).next_multiple_of(LINE)
    }

    /// Words of the copies of a block.
    pub(super) fn block_len(&self) -> usize {
        self.images * self.image_len()
    }

    /// Words of a padded row that kernel rows are gathered from; a step more, since whole steps are read.
    pub(super) fn line_len(&self) -> usize {
        let g = &self.g;
        let columns = (g.out_w - 1) * g.stride[1] + (g.kernel[1] - 1) * g.dilation[1] + 1;
        if self.source == Source::Gathered { (columns * g.c_in).next_multiple_of(LINE) + STEP } else { 0 }
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Images and output rows of a block, at most.
    pub(super) fn block(&self) -> [usize; 2] {
        [self.images, self.rows]
    }

    /// Computes what was planned: from x `(n, h, w, c_in)` to y `(n, out_h, out_w, c_out)`, or from dy to dx; sums are floats,
    /// and rounded once. With the machine's own instructions where [`Cpu::bf16`] is the plan's way, else with emulated
    /// ones: tiles give the same result, dot products one that may be rounded otherwise.
    ///
    /// `prepared` are weights that [`Bf16Convolution::prepare`] made; `scratch` of at least [`Bf16Convolution::scratch`] floats.
    ///
    /// # Panics
    /// If a length contradicts the geometry, or an addition is asked for together with a residual or an activation.
    pub fn run(
        &self,
        cpu: &Cpu,
        x: &[u16],
        prepared: &[u16],
        epilogue: &Bf16Epilogue<'_>,
        to: &mut Bf16Destination<'_>,
        scratch: &mut [f32],
    ) {
        self.run_on(cpu, cpu.bf16() == self.way, x, prepared, epilogue, to, scratch);
    }

    /// As [`Bf16Convolution::run`], with the machine's own instructions or with emulated ones.
    pub(super) fn run_on(
        &self,
        cpu: &Cpu,
        own: bool,
        x: &[u16],
        prepared: &[u16],
        epilogue: &Bf16Epilogue<'_>,
        to: &mut Bf16Destination<'_>,
        scratch: &mut [f32],
    ) {
        let g = &self.g;
        assert_eq!(x.len(), g.x_len(), "elements of what is read for {g:?}");
        assert_eq!(prepared.len(), self.prepared_len(), "prepared weights for {g:?}");
        assert!(
            to.channel + g.c_out <= to.pitch,
            "channels {} to {} of {}",
            to.channel,
            to.channel + g.c_out,
            to.pitch
        );
        let pixels = g.n * g.out_h * g.out_w;
        assert_eq!(to.values.len(), pixels * to.pitch, "pixels of {} channels for {g:?}", to.pitch);
        assert!(epilogue.bias.is_none_or(|b| b.len() == g.c_out), "a bias for each of {} channels", g.c_out);
        assert!(epilogue.residual.is_none_or(|r| r.len() == g.y_len()), "a residual of the output's shape");
        let plain = epilogue.residual.is_none() && epilogue.activation == Activation::None;
        assert!(plain || !to.adds, "an addition, or a residual and an activation");
        let needed = self.scratch(cpu.threads());
        assert!(scratch.len() >= needed, "scratch of {} floats, {needed} needed for {g:?}", scratch.len());
        if pixels > 0 {
            cpu.install(|| forward::run(self, cpu, own, x, prepared, epilogue, to, scratch));
        }
    }
}
