//! Data gradient: a convolution of dy with turned weights, in one pass for each phase of the stride, so that no product
//! with an inserted zero is ever formed.

use super::pass::Pass;
use super::{ConvGeometry, Destination, Epilogue, depthwise};
use crate::Cpu;

/// Floats of scratch: one phase's packed weights and its own.
pub(super) fn scratch(g: &ConvGeometry) -> usize {
    Pass::backward_data(g).map(|pass| pass.packed_len() + pass.scratch()).max().unwrap_or(0)
}

/// Adds to dx the gradient of a convolution by its input.
///
/// `dy (n, out_h, out_w, c_out)`, `weight (c_out, c_in / groups, kernel)`, `dx (n, h, w, c_in)`, `scratch` of at
/// least [`ConvGeometry::backward_data_scratch`] floats.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn conv_backward_data(
    cpu: &Cpu,
    g: &ConvGeometry,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    g.check(dx.len(), weight.len(), dy.len(), scratch.len(), g.backward_data_scratch());
    cpu.install(|| {
        if g.is_depthwise() {
            let prepared = &mut scratch[..depthwise::prepared_len(g)];
            depthwise::prepare(cpu, g, weight, None, prepared);
            depthwise::data_gradient(cpu, g, dy, prepared, dx, true);
        } else {
            for pass in Pass::backward_data(g) {
                let (packed, scratch) = scratch.split_at_mut(pass.packed_len());
                pass.pack(cpu, weight, None, packed);
                pass.run(cpu, dy, packed, &Epilogue::default(), &mut Destination::add(dx, g.c_in), scratch);
            }
        }
    });
}
