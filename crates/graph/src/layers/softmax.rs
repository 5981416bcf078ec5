//! Softmax over the channels at each place: eˣ / Σ eˣ, with the maximum subtracted first. Networks here end in logits;
//! the training loss and `predict` apply the softmax themselves.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::softmax;

/// Softmax over the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax;

impl Layer for Softmax {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        softmax(pass.setting.cpu, pass.inputs[0], pass.setting.shape.c, pass.output);
    }

    /// dxᵢ = yᵢ (dyᵢ − Σⱼ dyⱼ yⱼ).
    fn backward(&self, pass: Backward<'_, '_>) {
        let c = pass.setting.shape.c;
        let Some(dx) = &mut pass.dx[0] else { return };
        let rows = pass.output.chunks_exact(c).zip(pass.dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c));
        for ((y, dy), dx) in rows {
            let dot: f32 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx += y * (dy - dot);
            }
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Softmax, Vec<Shape>)> {
    vec![(Softmax, vec![Shape::vector(7)]), (Softmax, vec![Shape::new(2, 3, 4)])]
}
