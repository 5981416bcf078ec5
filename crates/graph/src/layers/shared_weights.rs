//! Convolutions whose weights are made of fewer parameters: the full weights are written into work space, the convolution
//! is run with them, and its gradient by them is collected into that by the parameters.

use super::conv;
use crate::{Backward, Forward};
use striate_kernels::ConvGeometry;

/// Values of the full weights, `[c_out, c_in / groups, kh, kw]`.
fn weights(g: &ConvGeometry) -> usize {
    g.c_out * (g.c_in / g.groups) * g.kernel[0] * g.kernel[1]
}

/// Work space: that of the convolution, its weights, and with `backward` their gradient.
pub(super) fn scratch(g: &ConvGeometry, backward: bool) -> usize {
    conv::scratch(g, backward) + weights(g) * if backward { 2 } else { 1 }
}

/// Runs the convolution with the weights that `expand(parameter, weights)` writes.
pub(super) fn forward(g: &ConvGeometry, pass: Forward<'_>, expand: impl Fn(&[f32], &mut [f32])) {
    let (full, scratch) = pass.scratch.split_at_mut(weights(g));
    expand(pass.params[0], full);
    let with_bias = [&*full, pass.params.get(1).copied().unwrap_or_default()];
    let params = &with_bias[..pass.params.len()];
    conv::forward(g, Forward { params, scratch, ..pass });
}

/// Adds the convolution's gradients; `collect(gradient by the weights, gradient by the parameter)` adds.
pub(super) fn backward(
    g: &ConvGeometry,
    pass: Backward<'_, '_>,
    expand: impl Fn(&[f32], &mut [f32]),
    collect: impl Fn(&[f32], &mut [f32]),
) {
    let Backward { setting, inputs, output, params, values, switches, dy, dx, dparams, scratch } = pass;
    let (full, scratch) = scratch.split_at_mut(weights(g));
    let (gradient, scratch) = scratch.split_at_mut(weights(g));
    expand(params[0], full);
    let params: &[&[f32]] = &[full];
    let (dweight, dbias) = dparams
        .split_first_mut()
        .map_or((None, None), |(w, b)| (w.as_deref_mut(), b.first_mut().and_then(Option::as_deref_mut)));
    gradient.fill(0.0);
    let dx = &mut [dx[0].take()];
    let dparams = &mut [dweight.is_some().then_some(&mut *gradient), dbias];
    conv::backward(g, Backward { setting, inputs, output, params, values, switches, dy, dx, dparams, scratch });
    if let Some(dweight) = dweight {
        collect(gradient, dweight);
    }
}
