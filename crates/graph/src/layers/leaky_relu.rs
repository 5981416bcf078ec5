//! Leaky rectified linear unit (Maas, Hannun and Ng 2013): x where positive, slope · x elsewhere. The slope is not negative,
//! so that the output's sign tells the side and backward reads the output; at 0 the gradient is the slope, as in PyTorch.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// x where positive, `slope` · x elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyRelu {
    /// Slope of the negative side.
    pub slope: f32,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self::new()
    }
}

impl LeakyRelu {
    /// Slope 0.01, as in PyTorch.
    pub fn new() -> Self {
        LeakyRelu { slope: 0.01 }
    }

    /// Another slope.
    pub fn slope(self, slope: f32) -> Self {
        LeakyRelu { slope }
    }
}

impl Layer for LeakyRelu {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        if self.slope.is_finite() && self.slope >= 0.0 {
            only(inputs)
        } else {
            Err(Misfit::new(format!("its slope must be finite and not negative, not {}", self.slope)))
        }
    }

    fn describe(&self) -> String {
        format!("slope {}", self.slope)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let slope = self.slope;
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| if x > 0.0 { x } else { slope * x });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let slope = self.slope;
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| if y > 0.0 { dy } else { slope * dy });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(LeakyRelu, Vec<Shape>)> {
    let slopes = [LeakyRelu::new(), LeakyRelu::new().slope(0.25), LeakyRelu::new().slope(0.0)];
    slopes.map(|layer| (layer, vec![Shape::new(5, 3, 2)])).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::{backward, forward};

    #[test]
    fn both_sides_have_their_slope_and_nan_passes() {
        let (layer, shape) = (AnyLayer::from(LeakyRelu::new().slope(0.5)), Shape::vector(3));
        let x = [-3.0, 0.0, 3.0];
        assert_eq!(forward(&layer, &[shape], 1, &[&x]), [-1.5, 0.0, 3.0]);
        assert_eq!(backward(&layer, shape, &x, &[2.0; 3]), [1.0, 1.0, 2.0]);
        assert!(forward(&layer, &[Shape::vector(1)], 1, &[&[f32::NAN]])[0].is_nan());
    }

    #[test]
    fn slopes_that_hide_the_side_are_refused() {
        for slope in [-0.1, f32::NAN, f32::INFINITY] {
            let e = LeakyRelu::new().slope(slope).infer(&[Shape::vector(2)]).unwrap_err().to_string();
            assert!(e.contains("its slope must be finite and not negative"), "{e}");
        }
    }
}
