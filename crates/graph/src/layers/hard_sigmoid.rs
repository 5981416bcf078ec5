//! A sigmoid of straight lines, min(max(0, slope · x + offset), 1) (Courbariaux et al. 2015, arXiv:1511.00363). PyTorch and
//! `MobileNetV3` take a slope of 1/6, ONNX and Keras one of 0.2 by default, with an offset of ½. Its gradient at the kinks is
//! 0 and is taken from the output.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// min(max(0, `slope` · x + `offset`), 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HardSigmoid {
    /// Factor of the input.
    pub slope: f32,
    /// Its value at 0.
    pub offset: f32,
}

impl Default for HardSigmoid {
    fn default() -> Self {
        Self::new()
    }
}

impl HardSigmoid {
    /// x / 6 + ½, as in PyTorch.
    pub fn new() -> Self {
        HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 }
    }
}

impl Layer for HardSigmoid {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        if self.slope.is_finite() && self.offset.is_finite() {
            only(inputs)
        } else {
            let HardSigmoid { slope, offset } = self;
            Err(Misfit::new(format!("its slope and offset must be finite, not {slope} and {offset}")))
        }
    }

    fn describe(&self) -> String {
        format!("{:.4}x + {}", self.slope, self.offset)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let HardSigmoid { slope, offset } = *self;
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| (slope * x + offset).clamp(0.0, 1.0));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let slope = self.slope;
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| if y > 0.0 && y < 1.0 { slope * dy } else { 0.0 });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(HardSigmoid, Vec<Shape>)> {
    // Kinks at ∓¼: multiples of 1/64, which the check's inputs are not.
    vec![
        (HardSigmoid::new(), vec![Shape::new(5, 3, 2)]),
        (HardSigmoid { slope: 2.0, offset: 0.5 }, vec![Shape::new(6, 4, 3)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn it_reaches_its_ends_at_three() {
        let layer = AnyLayer::from(HardSigmoid::new());
        let y = forward(&layer, &[Shape::vector(5)], 1, &[&[-4.0, -3.0, 0.0, 1.5, 4.0]]);
        assert_eq!(y, [0.0, 0.0, 0.5, 0.75, 1.0]);
    }
}
