//! Depthwise convolution (one input and one output channel a group): vectors run over channels, so no lane is wasted.
//! Weights and their gradient are turned to (taps, channels) in scratch.

use super::ConvGeometry;
use super::pass::Pass;
use crate::Cpu;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Floats of scratch for the forward pass and the data gradient: turned weights.
pub(super) fn scratch(g: &ConvGeometry) -> usize {
    g.weight_len()
}

/// Floats of scratch for the weight gradient: a copy for each chunk of rows.
pub(super) fn weight_scratch(g: &ConvGeometry) -> usize {
    g.weight_len() * chunks(g)
}

/// Chunks of rows the weight gradient sums separately.
fn chunks(g: &ConvGeometry) -> usize {
    (g.y_len() / 16384).clamp(1, (g.n * g.out_h).clamp(1, 32))
}

pub(super) fn forward(
    cpu: &Cpu,
    g: &ConvGeometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    let weight = turn(g, weight, scratch);
    run_pass(cpu, g, &Pass::forward(g), x, weight, bias, false, y);
}

pub(super) fn backward_data(
    cpu: &Cpu,
    g: &ConvGeometry,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    let weight = turn(g, weight, scratch);
    for pass in Pass::backward_data(g) {
        run_pass(cpu, g, &pass, dy, weight, None, true, dx);
    }
}

/// (channels, taps) to (taps, channels).
fn turn<'a>(g: &ConvGeometry, weight: &[f32], out: &'a mut [f32]) -> &'a [f32] {
    let out = &mut out[..weight.len()];
    for (tap, line) in out.chunks_exact_mut(g.c_in).enumerate() {
        for (to, from) in line.iter_mut().zip(weight[tap..].iter().step_by(g.taps())) {
            *to = *from;
        }
    }
    out
}

/// Turns weights, each channel's times its `scale`.
pub(super) fn prepare(g: &ConvGeometry, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [f32]) {
    turn(g, weight, prepared);
    if let Some(scale) = scale {
        for line in prepared.chunks_exact_mut(g.c_in) {
            line.iter_mut().zip(scale).for_each(|(w, s)| *w *= s);
        }
    }
}

pub(super) fn data_gradient(cpu: &Cpu, g: &ConvGeometry, dy: &[f32], prepared: &[f32], dx: &mut [f32], adds: bool) {
    if !adds {
        dx.fill(0.0);
    }
    for pass in Pass::backward_data(g) {
        run_pass(cpu, g, &pass, dy, prepared, None, true, dx);
    }
}

pub(super) fn run(
    cpu: &Cpu,
    g: &ConvGeometry,
    x: &[f32],
    prepared: &[f32],
    epilogue: &super::Epilogue<'_>,
    to: &mut super::Destination<'_>,
) {
    run_pass(cpu, g, &Pass::forward(g), x, prepared, epilogue.bias, to.adds, to.values);
    let (low, high) = epilogue.activation.bounds();
    for (i, v) in to.values.iter_mut().enumerate() {
        if let Some(r) = epilogue.residual {
            *v += r[i];
        }
        *v = if *v < low {
            low
        } else if *v > high {
            high
        } else {
            *v
        };
    }
}

/// Runs a pass row by row; rows of other phases are left alone.
fn run_pass(
    cpu: &Cpu,
    g: &ConvGeometry,
    pass: &Pass,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    adds: bool,
    out: &mut [f32],
) {
    let rows = &pass.rows;
    cpu.chunks(out, (pass.cols.out_len * g.c_in).max(1), |row, out| {
        let (image, y) = (row / rows.out_len, row % rows.out_len);
        if y % rows.out_step == rows.out_start {
            let row = y / rows.out_step;
            let taps = rows.taps_inside(row);
            // The input row under tap row 0, which may lie above the image.
            let top = (image * rows.in_len + row * rows.in_step).wrapping_add_signed(rows.shift);
            cpu.isa().dispatch(Row { pass, kernel_w: g.kernel[1], top, taps, input, weight, bias, adds, out });
        }
    });
}

/// One row of a pass.
struct Row<'a> {
    pass: &'a Pass,
    kernel_w: usize,
    top: usize,
    /// Rows of taps that read inside the image.
    taps: Range<usize>,
    input: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    adds: bool,
    out: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let cols = self.pass.cols;
        let whole = |point: usize| point < cols.points && cols.taps_inside(point) == (0..cols.taps);
        let mut point = 0;
        while point < cols.points {
            // Where the first and the last of some neighbours see all taps, so do those between.
            if whole(point) && whole(point + 7) {
                self.channels::<S, 8>(s, point, 0..cols.taps);
                point += 8;
            } else if whole(point) && whole(point + 3) {
                self.channels::<S, 4>(s, point, 0..cols.taps);
                point += 4;
            } else {
                self.channels::<S, 1>(s, point, cols.taps_inside(point));
                point += 1;
            }
        }
    }
}

impl Row<'_> {
    /// All channels of P points that read inside their row under the columns of taps `taps`.
    #[inline(always)]
    fn channels<S: Simd, const P: usize>(&mut self, s: S, point: usize, taps: Range<usize>) {
        let channels = self.pass.in_pitch();
        let whole = channels / S::LANES * S::LANES;
        for c in (0..whole).step_by(S::LANES) {
            self.vector::<S, P, true>(s, point, &taps, c, S::LANES);
        }
        if whole < channels {
            self.vector::<S, P, false>(s, point, &taps, whole, channels - whole);
        }
    }

    /// The `lanes` channels from `c` on, a full vector where `FULL`.
    #[inline(always)]
    fn vector<S: Simd, const P: usize, const FULL: bool>(
        &mut self,
        s: S,
        point: usize,
        taps: &Range<usize>,
        c: usize,
        lanes: usize,
    ) {
        let (rows, cols) = (&self.pass.rows, &self.pass.cols);
        let channels = self.pass.in_pitch();
        let (step, out_step) = (cols.in_step * channels, cols.out_step * channels);
        let bias = self.bias.map_or(s.splat(0.0), |bias| s.read(&bias[c..c + lanes]));
        let mut sums = [bias; P];
        for ty in self.taps.clone() {
            let row = self.top.wrapping_add(ty * rows.shift_step);
            for tx in taps.clone() {
                let column = (point * cols.in_step + tx * cols.shift_step).wrapping_add_signed(cols.shift);
                let position = rows.kernel_position(ty) * self.kernel_w + cols.kernel_position(tx);
                let w = load::<S, FULL>(s, &self.weight[position * channels + c..][..lanes]);
                let from = (row * cols.in_len + column) * channels + c;
                let input = &self.input[from..from + (P - 1) * step + lanes];
                for p in 0..P {
                    // Safety: the slice reaches to the last of P vectors, `step` apart.
                    let value = load::<S, FULL>(s, unsafe { input.get_unchecked(p * step..p * step + lanes) });
                    sums[p] = s.fma(value, w, sums[p]);
                }
            }
        }
        let to = (cols.out_start + point * cols.out_step) * channels + c;
        let out = &mut self.out[to..to + (P - 1) * out_step + lanes];
        for p in 0..P {
            let out = &mut out[p * out_step..][..lanes];
            let old = if self.adds { load::<S, FULL>(s, out) } else { s.splat(0.0) };
            s.write(s.add(old, sums[p]), out);
        }
    }
}

/// A vector from a slice, which holds a full one where `FULL`.
#[inline(always)]
fn load<S: Simd, const FULL: bool>(s: S, from: &[f32]) -> S::Vector {
    if FULL {
        debug_assert!(from.len() >= S::LANES, "a full vector");
        // Safety: all callers with FULL pass slices of LANES floats.
        unsafe { s.load(from.as_ptr()) }
    } else {
        s.read(from)
    }
}

/// Adds to `dw` (channels, taps): chunks of rows sum separately, and are added in order.
pub(super) fn backward_weight(cpu: &Cpu, g: &ConvGeometry, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut [f32]) {
    let (chunks, rows) = (chunks(g), g.n * g.out_h);
    let pass = Pass::forward(g);
    let copies = &mut scratch[..g.weight_len() * chunks];
    cpu.chunks(copies, g.weight_len(), |chunk, sums| {
        sums.fill(0.0);
        for row in chunk * rows / chunks..(chunk + 1) * rows / chunks {
            cpu.isa().dispatch(WeightRow { pass: &pass, row, x, dy, sums });
        }
    });
    let taps = g.taps();
    for (i, dw) in dw.iter_mut().enumerate() {
        let at = i % taps * g.c_in + i / taps;
        *dw += copies[at..].iter().step_by(g.weight_len()).sum::<f32>();
    }
}

/// Adds the products of one row of dy to `sums` (taps, channels).
struct WeightRow<'a> {
    pass: &'a Pass,
    row: usize,
    x: &'a [f32],
    dy: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for WeightRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.pass.in_pitch();
        let whole = channels / S::LANES * S::LANES;
        // Channels outermost: what one vector of them reads of a row stays in a first-level cache for all taps.
        for c in (0..whole).step_by(S::LANES) {
            self.vector::<S, true>(s, c, S::LANES);
        }
        if whole < channels {
            self.vector::<S, false>(s, whole, channels - whole);
        }
    }
}

impl WeightRow<'_> {
    #[inline(always)]
    fn vector<S: Simd, const FULL: bool>(&mut self, s: S, c: usize, lanes: usize) {
        let (rows, cols) = (&self.pass.rows, &self.pass.cols);
        let channels = self.pass.in_pitch();
        let (image, row) = (self.row / rows.points, self.row % rows.points);
        let step = cols.in_step * channels;
        for ty in rows.taps_inside(row) {
            let y = (row * rows.in_step + ty * rows.shift_step).wrapping_add_signed(rows.shift);
            for tx in 0..cols.taps {
                let points = cols.points_inside(tx);
                if points.is_empty() {
                    continue;
                }
                let column = (points.start * cols.in_step + tx * cols.shift_step).wrapping_add_signed(cols.shift);
                let x = ((image * rows.in_len + y) * cols.in_len + column) * channels + c;
                let x = &self.x[x..x + (points.len() - 1) * step + lanes];
                let dy = (self.row * cols.points + points.start) * channels + c;
                let dy = &self.dy[dy..dy + (points.len() - 1) * channels + lanes];
                let product = |i: usize, sum: S::Vector| {
                    // Safety: both slices reach to the vector of the last point, and i < points.len().
                    let (x, dy) = unsafe {
                        (
                            x.get_unchecked(i * step..i * step + lanes),
                            dy.get_unchecked(i * channels..i * channels + lanes),
                        )
                    };
                    s.fma(load::<S, FULL>(s, x), load::<S, FULL>(s, dy), sum)
                };
                // Four sums: one alone would wait for its own last addition.
                let mut sums = [s.splat(0.0); 4];
                let quads = points.len() / 4;
                for i in 0..quads {
                    for k in 0..4 {
                        sums[k] = product(4 * i + k, sums[k]);
                    }
                }
                for i in 4 * quads..points.len() {
                    sums[0] = product(i, sums[0]);
                }
                let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
                let to = &mut self.sums[(ty * cols.taps + tx) * channels + c..][..lanes];
                s.write(s.add(load::<S, FULL>(s, to), sum), to);
            }
        }
    }
}
