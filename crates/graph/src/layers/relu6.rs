//! Rectified linear unit that saturates at 6, min(max(0, x), 6) (Krizhevsky 2010, "Convolutional deep belief networks on
//! CIFAR-10"; MobileNet). Its gradient is 0 at both kinks, as in PyTorch, and is taken from the output.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// min(max(0, x), 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu6;

impl Layer for Relu6 {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        // `clamp` hands NaN through: a broken value must not look like a silent unit.
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| x.clamp(0.0, 6.0));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| if y > 0.0 && y < 6.0 { dy } else { 0.0 });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Relu6, Vec<Shape>)> {
    // Inputs of the check lie 1/64 apart around 0: only a large map reaches past 6.
    vec![(Relu6, vec![Shape::new(5, 3, 2)]), (Relu6, vec![Shape::new(9, 10, 10)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::{backward, forward};

    #[test]
    fn both_kinks_are_flat_and_nan_passes() {
        let (layer, shape) = (AnyLayer::from(Relu6), Shape::vector(7));
        let x = [-1.0, 0.0, 0.5, 5.5, 6.0, 7.0, f32::INFINITY];
        assert_eq!(forward(&layer, &[shape], 1, &[&x]), [0.0, 0.0, 0.5, 5.5, 6.0, 6.0, 6.0]);
        assert_eq!(backward(&layer, shape, &x, &[2.0; 7]), [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0]);
        assert!(forward(&layer, &[Shape::vector(1)], 1, &[&[f32::NAN]])[0].is_nan());
    }
}
