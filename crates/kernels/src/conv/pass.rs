//! A pass of the register tile over a grid of pixels: the forward convolution, or one stride phase of the data gradient.
//! Weights are packed before; a few input channels are first copied into a frame of zeros, see [`super::halo`].

use super::axis::{Axis, Window};
use super::pack::{Panels, WeightStrides, pack};
use super::tile::{self, Cut, Job, Out};
use super::{ConvGeometry, Destination, Epilogue, halo};
use crate::cpu::SharedMut;
use crate::{Cpu, Isa};

/// Up to this many channels the taps of a kernel row are read as one run: per-tap bookkeeping would cost more than the sums.
const FEW_CHANNELS: usize = 32;

/// Shapes and index maps of a pass. Channels are those of one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) n: usize,
    pub(super) rows: Axis,
    pub(super) cols: Axis,
    pub(super) groups: usize,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    strides: WeightStrides,
}

impl Pass {
    pub(super) fn forward(g: &ConvGeometry) -> Self {
        let (inputs, outputs) = (g.c_in / g.groups, g.c_out / g.groups);
        Self {
            n: g.n,
            rows: Axis::forward(window(g, 0)),
            cols: Axis::forward(window(g, 1)),
            groups: g.groups,
            in_channels: inputs,
            out_channels: outputs,
            strides: WeightStrides {
                group: outputs * inputs * g.taps(),
                output: inputs * g.taps(),
                input: g.taps(),
                row: g.kernel[1],
            },
        }
    }

    /// One pass for each stride phase that any output reaches; together they write each pixel of dx at most once.
    pub(super) fn backward_data(g: &ConvGeometry) -> impl Iterator<Item = Self> {
        let g = *g;
        let forward = Self::forward(&g);
        // Axis by axis: a large stride has many pairs of phases, and few that are reached.
        let phases = move |axis: usize| (0..g.stride[axis]).filter_map(move |i| Axis::backward(window(&g, axis), i));
        phases(0).flat_map(move |rows| phases(1).map(move |cols| (rows, cols))).map(move |(rows, cols)| Self {
            rows,
            cols,
            in_channels: forward.out_channels,
            out_channels: forward.in_channels,
            strides: WeightStrides { output: forward.strides.input, input: forward.strides.output, ..forward.strides },
            ..forward
        })
    }

    /// Floats from one input pixel to the next.
    pub(super) fn in_pitch(&self) -> usize {
        self.groups * self.in_channels
    }

    /// Floats from one output pixel to the next.
    pub(super) fn out_pitch(&self) -> usize {
        self.groups * self.out_channels
    }

    /// Terms of one output's sum.
    pub(super) fn depth(&self) -> usize {
        self.rows.taps * self.cols.taps * self.in_channels
    }

    /// Whether taps run in the kernel's order; those of a data gradient run backwards.
    pub(super) fn is_forward(&self) -> bool {
        self.rows.kernel_step > 0
    }

    /// Whether the taps of a kernel row lie side by side in memory and are better read in one run.
    fn merges(&self) -> bool {
        self.groups == 1 && self.cols.taps > 1 && self.cols.shift_step == 1 && self.in_channels <= FEW_CHANNELS
    }

    fn needs_halo(&self) -> bool {
        self.merges() && !(self.rows.is_inside() && self.cols.is_inside())
    }

    /// How the outputs are cut into panels.
    pub(super) fn panels(&self, isa: Isa) -> Panels {
        Panels::choose(isa, self.out_channels, self.depth())
    }

    /// Floats of packed weights, whatever the number of images and the instruction set.
    pub(super) fn packed_len(&self) -> usize {
        self.groups * self.out_channels.next_multiple_of(16) * self.depth()
    }

    /// Packs the weights, each output channel's times its `scale`.
    pub(super) fn pack(&self, cpu: &Cpu, weight: &[f32], scale: Option<&[f32]>, packed: &mut [f32]) {
        let panels = self.panels(cpu.isa());
        pack(cpu, self, &self.strides, &panels, weight, packed);
        if let Some(scale) = scale {
            panels.scale(scale, self.groups, self.out_channels, self.depth(), packed);
        }
    }

    /// Sizes of the parts of scratch: a line of bias or zeros, the framed input.
    fn parts(&self) -> [usize; 2] {
        let outputs = self.groups * self.out_channels.next_multiple_of(16);
        let halo = if self.needs_halo() { halo::len(self.n, &self.rows, &self.cols, self.in_channels) } else { 0 };
        [outputs + self.in_channels.next_multiple_of(16), halo.next_multiple_of(16)]
    }

    /// Floats of scratch that [`Pass::run`] needs on any instruction set.
    pub(super) fn scratch(&self) -> usize {
        self.parts().iter().sum()
    }

    /// Blocks of pixels that gather moments apart.
    pub(super) fn blocks(&self, isa: Isa) -> usize {
        Cut::of(self, &self.panels(isa)).blocks
    }

    /// Writes the grid's pixels as `epilogue` and `to` say, with weights that [`Pass::pack`] packed.
    pub(super) fn run(
        &self,
        cpu: &Cpu,
        input: &[f32],
        packed: &[f32],
        epilogue: &Epilogue<'_>,
        to: &mut Destination<'_>,
        scratch: &mut [f32],
    ) {
        let panels = self.panels(cpu.isa());
        let [line_len, halo_len] = self.parts();
        let (line, scratch) = scratch.split_at_mut(line_len);
        let (zeros, padded_bias) = line.split_at_mut(self.in_channels.next_multiple_of(16));
        zeros.fill(0.0);
        panels.pad(epilogue.bias, self.groups, self.out_channels, padded_bias);

        let mut pass = *self;
        let mut input = input;
        if self.needs_halo() {
            let framed = &mut scratch[..halo_len];
            halo::copy(cpu, self.n, &self.rows, &self.cols, self.in_channels, input, framed);
            input = framed;
            pass.rows = self.rows.over_halo();
            pass.cols = self.cols.over_halo();
        }
        let (cols, run) =
            if self.merges() { (1, self.cols.taps * self.in_channels) } else { (self.cols.taps, self.in_channels) };
        let inside = pass.rows.is_inside() && pass.cols.is_inside();
        let out = Out {
            values: SharedMut::new(&mut to.values[to.channel..]),
            pitch: to.pitch,
            adds: to.adds,
            epilogue: *epilogue,
            moments: to.moments.as_deref_mut().map(SharedMut::new),
        };
        let cut = Cut::of(self, &panels);
        let job = Job { pass, panels, cut, cols, run, inside, input, packed, bias: padded_bias, zeros, out };
        tile::run(cpu, &job);
    }
}

fn window(g: &ConvGeometry, axis: usize) -> Window {
    Window {
        len: [g.h, g.w][axis],
        out_len: [g.out_h, g.out_w][axis],
        kernel: g.kernel[axis],
        stride: g.stride[axis],
        pad: g.pad[axis],
        dilation: g.dilation[axis],
    }
}
