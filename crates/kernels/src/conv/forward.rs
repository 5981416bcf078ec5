//! Forward convolution.

use super::pass::Pass;
use super::{ConvGeometry, Destination, Epilogue, depthwise};
use crate::Cpu;

/// Floats of scratch: packed weights and the pass's own.
pub(super) fn scratch(g: &ConvGeometry) -> usize {
    let pass = Pass::forward(g);
    pass.packed_len() + pass.scratch()
}

/// Assigns y = x ∗ weight + bias.
///
/// `x (n, h, w, c_in)`, `weight (c_out, c_in / groups, kernel)`, `bias (c_out)`, `y (n, out_h, out_w, c_out)`,
/// `scratch` of at least [`ConvGeometry::forward_scratch`] floats.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn conv_forward(
    cpu: &Cpu,
    g: &ConvGeometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    g.check(x.len(), weight.len(), y.len(), scratch.len(), g.forward_scratch());
    assert!(bias.is_none_or(|b| b.len() == g.c_out), "a bias for each of {} output channels", g.c_out);
    cpu.install(|| {
        if g.is_depthwise() {
            let prepared = &mut scratch[..depthwise::prepared_len(g)];
            depthwise::prepare(cpu, g, weight, None, prepared);
            let epilogue = Epilogue { bias, ..Epilogue::default() };
            depthwise::run(cpu, g, x, prepared, &epilogue, Destination::assign(y, g.c_out));
        } else {
            let pass = Pass::forward(g);
            let (packed, scratch) = scratch.split_at_mut(pass.packed_len());
            pass.pack(cpu, weight, None, packed);
            let epilogue = Epilogue { bias, ..Epilogue::default() };
            pass.run(cpu, x, packed, &epilogue, &mut Destination::assign(y, g.c_out), scratch);
        }
    });
}
