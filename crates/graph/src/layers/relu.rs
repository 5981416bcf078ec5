//! Rectified linear unit, max(0, x) (Nair and Hinton 2010). Its gradient at 0 is 0, and it is taken from the output's sign.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// max(0, x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu;

impl Layer for Relu {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        // Written so that NaN passes through: a broken value must not look like a silent unit.
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| if x < 0.0 { 0.0 } else { x });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| if y > 0.0 { dy } else { 0.0 });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Relu, Vec<Shape>)> {
    vec![(Relu, vec![Shape::new(5, 3, 2)]), (Relu, vec![Shape::vector(7)])]
}
