//! Hyperbolic tangent; its derivative is 1 − y².

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map2, scaled_tanh};

/// tanh(x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tanh;

impl Layer for Tanh {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        scaled_tanh(pass.setting.cpu, 1.0, 1.0, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| dy * (1.0 - y * y));
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Tanh, Vec<Shape>)> {
    vec![(Tanh, vec![Shape::new(4, 3, 3)])]
}
