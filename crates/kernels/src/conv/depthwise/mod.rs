//! Depthwise convolution (one input and one output channel a group): vectors run over channels, so no lane is wasted.
//! Weights are turned to (taps, channels) beforehand. 3×3 kernels with steps of 1 or 2, dilation 1 and any padding have loops
//! of their own, see [`walk`], [`phases`] and [`weight`]; every other shape goes through [`general`].

mod cut;
mod general;
mod phases;
mod sink;
#[cfg(test)]
mod tests;
mod walk;
mod weight;

use self::cut::Cut;
use self::sink::Sink;
use super::axis::Axis;
use super::pass::Pass;
use super::{ConvGeometry, Destination, Epilogue};
use crate::Cpu;

/// Floats of [`prepare`]'s weights.
pub(super) fn prepared_len(g: &ConvGeometry) -> usize {
    g.weight_len()
}

/// Turns `weight` (channels, taps) to `prepared` (taps, channels), each channel times its `scale` if given.
pub(super) fn prepare(cpu: &Cpu, g: &ConvGeometry, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [f32]) {
    let (taps, channels) = (g.taps(), g.c_in);
    assert_eq!(weight.len(), taps * channels, "weights (channels, taps)");
    assert_eq!(prepared.len(), taps * channels, "prepared weights (taps, channels)");
    assert!(scale.is_none_or(|s| s.len() == channels), "a scale for each of {channels} channels");
    cpu.chunks(prepared, channels, |tap, line| {
        let turned = line.iter_mut().zip(weight[tap..].iter().step_by(taps));
        match scale {
            None => turned.for_each(|(to, from)| *to = *from),
            Some(scale) => turned.zip(scale).for_each(|((to, from), scale)| *to = from * scale),
        }
    });
}

/// Convolves `x` with `prepared` weights.
///
/// Moments of y need [`moment_blocks`] blocks, and come without residual, activation and adding.
pub(super) fn run(cpu: &Cpu, g: &ConvGeometry, x: &[f32], prepared: &[f32], epilogue: &Epilogue, to: Destination) {
    assert_eq!(x.len(), g.x_len(), "elements of x (n, h, w, channels)");
    let pass = Pass::forward(g);
    let cut = forward_cut(g);
    let sink = Sink::new(g, epilogue, to, cut.blocks());
    convolve(cpu, &pass, g.kernel[1], &cut, x, prepared, &sink);
}

/// Blocks of moments that [`run`] gathers.
pub(super) fn moment_blocks(g: &ConvGeometry) -> usize {
    forward_cut(g).blocks()
}

fn forward_cut(g: &ConvGeometry) -> Cut {
    Cut::new(g.n, g.out_h, g.out_w, g.c_out)
}

/// Runs a pass that writes every row and column.
fn convolve(cpu: &Cpu, pass: &Pass, kernel_w: usize, cut: &Cut, input: &[f32], weight: &[f32], sink: &Sink) {
    let walks = walk::fits(pass);
    cpu.run(cut.pieces(), |i| {
        let piece = cut.piece(i);
        sink.count(&piece, pass.cols.points);
        if walks {
            cpu.isa().dispatch(walk::Walk { pass, piece, input, weight, sink });
        } else {
            cpu.isa().dispatch(general::Rows { pass, kernel_w, piece, input, weight, sink });
        }
    });
}

/// The gradient of x, assigned to `dx`, or added where `adds`. `prepared` as for [`run`].
pub(super) fn data_gradient(cpu: &Cpu, g: &ConvGeometry, dy: &[f32], prepared: &[f32], dx: &mut [f32], adds: bool) {
    assert_eq!(dy.len(), g.y_len(), "elements of dy (n, out_h, out_w, channels)");
    assert_eq!(dx.len(), g.x_len(), "elements of dx (n, h, w, channels)");
    if phases::fits(g) {
        return phases::run(cpu, g, dy, prepared, dx, adds);
    }
    let plain = g.stride == [1, 1];
    if !(adds || plain) {
        // Some phases may have no tap.
        cpu.chunks(dx, 1 << 14, |_, dx| dx.fill(0.0));
    }
    let adds = adds || !plain;
    for pass in Pass::backward_data(g) {
        let cut = Cut::new(g.n, pass.rows.points, pass.cols.points, g.c_in);
        let sink = Sink::plain(dx, g.c_in, adds);
        convolve(cpu, &pass, g.kernel[1], &cut, dy, prepared, &sink);
    }
}

/// Floats of scratch for [`weight_gradient`].
pub(super) fn weight_scratch(g: &ConvGeometry) -> usize {
    weight::Chunks::new(g).count * g.weight_len()
}

/// The gradient of the weights (channels, taps), assigned to `dw`, or added where `adds`.
pub(super) fn weight_gradient(
    cpu: &Cpu,
    g: &ConvGeometry,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    adds: bool,
    scratch: &mut [f32],
) {
    assert_eq!(x.len(), g.x_len(), "elements of x (n, h, w, channels)");
    assert_eq!(dy.len(), g.y_len(), "elements of dy (n, out_h, out_w, channels)");
    assert_eq!(dw.len(), g.weight_len(), "weights (channels, taps)");
    weight::run(cpu, g, x, dy, dw, adds, &mut scratch[..weight_scratch(g)]);
}

/// Whether an axis has three taps side by side.
fn three(axis: &Axis) -> bool {
    axis.taps == 3 && axis.shift_step == 1
}
