//! Weight gradient: for every kernel tap a matrix product over pixels, in register tiles of R inputs × V vectors of
//! outputs. Pixels are cut into a number of chunks that depends on the shape alone; each chunk sums into its own copy of
//! the gradient, and the copies are added in order.

use super::axis::{Axis, Window};
use super::pack::Panels;
use super::weight_copies::add_copies;
use super::weight_tile::{Chunk, Job};
use super::{ConvGeometry, depthwise, halo};
use crate::Cpu;
use crate::cpu::SharedMut;

/// Pieces to aim for.
const PIECES: usize = 16;

/// Panels of a piece at most: as many outputs of a block as stay in a second-level cache.
const TOGETHER: usize = 8;

/// Adds to dw the gradient of a convolution by its weights.
///
/// `x (n, h, w, c_in)`, `dy (n, out_h, out_w, c_out)`, `dw (c_out, c_in / groups, kernel)`, `scratch` of at least
/// [`ConvGeometry::backward_weight_scratch`] floats.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn conv_backward_weight(cpu: &Cpu, g: &ConvGeometry, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut [f32]) {
    g.check(x.len(), dw.len(), dy.len(), scratch.len(), g.backward_weight_scratch());
    cpu.install(|| {
        if g.is_depthwise() {
            depthwise::weight_gradient(cpu, g, x, dy, dw, true, scratch);
        } else {
            run(cpu, g, x, dy, dw, true, scratch);
        }
    });
}

/// Floats of scratch on any instruction set.
pub(super) fn scratch(g: &ConvGeometry) -> usize {
    let shape = Shape::new(g);
    shape.copy_len() * shape.chunks() + shape.halo_len()
}

/// The sums to be done, a 1×1 convolution being one long row of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) n: usize,
    pub(super) rows: Axis,
    pub(super) cols: Axis,
    pub(super) groups: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// The taps of a kernel row lie side by side in memory and are summed as one.
    pub(super) merged: bool,
}

impl Shape {
    fn new(g: &ConvGeometry) -> Self {
        let axis = |i: usize| {
            Axis::forward(Window {
                len: [g.h, g.w][i],
                out_len: [g.out_h, g.out_w][i],
                kernel: g.kernel[i],
                stride: g.stride[i],
                pad: g.pad[i],
                dilation: g.dilation[i],
            })
        };
        let (mut n, mut rows, mut cols) = (g.n, axis(0), axis(1));
        let same = |a: &Axis| a.taps == 1 && a.in_step == 1 && a.shift == 0 && a.in_len == a.points;
        if same(&rows) && same(&cols) {
            cols.points *= rows.points * n;
            cols.in_len = cols.points;
            (rows.points, rows.in_len, n) = (1, 1, 1);
        }
        let merged = g.groups == 1 && cols.taps > 1 && cols.shift_step == 1 && g.c_in <= 32;
        Self { n, rows, cols, groups: g.groups, inputs: g.c_in / g.groups, outputs: g.c_out / g.groups, merged }
    }

    /// Terms of the matrix products: weights of one output channel.
    pub(super) fn depth(&self) -> usize {
        self.rows.taps * self.cols.taps * self.inputs
    }

    /// Floats of one copy of the gradient.
    pub(super) fn copy_len(&self) -> usize {
        self.groups * self.depth() * self.outputs.next_multiple_of(16)
    }

    /// Copies of the gradient: enough for every core to find work, but at most 16, of 4 MiB together unless one alone
    /// is larger, each of at least 256 pixels.
    pub(super) fn chunks(&self) -> usize {
        let pixels = self.n * self.rows.points * self.cols.points;
        ((1 << 20) / self.copy_len().max(1)).min(pixels / 256).clamp(1, 16)
    }

    fn needs_halo(&self) -> bool {
        self.merged && !(self.rows.is_inside() && self.cols.is_inside())
    }

    fn halo_len(&self) -> usize {
        if self.needs_halo() { halo::len(self.n, &self.rows, &self.cols, self.inputs) } else { 0 }
    }
}

pub(super) fn run(cpu: &Cpu, g: &ConvGeometry, x: &[f32], dy: &[f32], dw: &mut [f32], adds: bool, scratch: &mut [f32]) {
    let mut shape = Shape::new(g);
    let (copies, frame) = scratch.split_at_mut(shape.copy_len() * shape.chunks());
    let mut x = x;
    if shape.needs_halo() {
        halo::copy(cpu, shape.n, &shape.rows, &shape.cols, shape.inputs, x, frame);
        x = frame;
        (shape.rows, shape.cols) = (shape.rows.over_halo(), shape.cols.over_halo());
    }
    let panels = Panels::narrow(cpu.isa(), shape.outputs);
    let chunks = shape.chunks();
    // Panels and kernel rows are separate pieces only where there are too few others: each reads x, or packs dy, again.
    let sets = PIECES.div_ceil(chunks * shape.groups).clamp(panels.count.div_ceil(TOGETHER), panels.count);
    let parts = if chunks * shape.groups * sets < PIECES { shape.rows.taps } else { 1 };
    let job = Job { shape, panels, x, dy, copies: SharedMut::new(copies) };
    cpu.run(chunks * shape.groups * sets * parts, |piece| {
        let (part, piece) = (piece % parts, piece / parts);
        let tap_rows = part * shape.rows.taps / parts..(part + 1) * shape.rows.taps / parts;
        let (set, piece) = (piece % sets, piece / sets);
        let set = set * panels.count / sets..(set + 1) * panels.count / sets;
        let (group, chunk) = (piece % shape.groups, piece / shape.groups);
        panels.isa.dispatch(Chunk { job: &job, index: chunk, group, panels: set, tap_rows });
    });
    add_copies(cpu, &shape, &panels, &copies[..chunks * shape.copy_len()], adds, dw);
}
