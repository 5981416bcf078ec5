//! Logistic sigmoid, 1 / (1 + e⁻ˣ); its derivative is y (1 − y), at most a quarter.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map2, sigmoid};

/// 1 / (1 + e⁻ˣ).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sigmoid;

impl Layer for Sigmoid {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        sigmoid(pass.setting.cpu, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| dy * y * (1.0 - y));
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Sigmoid, Vec<Shape>)> {
    vec![(Sigmoid, vec![Shape::new(4, 3, 3)])]
}
