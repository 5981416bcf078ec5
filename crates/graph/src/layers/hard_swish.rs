//! x · min(max(0, x + 3), 6) / 6, a swish of straight lines (Howard et al. 2019, arXiv:1905.02244). Its gradient is
//! (2x + 3) / 6 between −3 and 3, the inner one's at the kinks, as in PyTorch.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// x · min(max(0, x + 3), 6) / 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardSwish;

impl Layer for HardSwish {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        only(inputs)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn forward(&self, pass: Forward<'_>) {
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| x * ((x + 3.0).clamp(0.0, 6.0) / 6.0));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            let slope = |x: f32| match x {
                _ if x < -3.0 => 0.0,
                _ if x <= 3.0 => (2.0 * x + 3.0) / 6.0,
                _ => 1.0,
            };
            map2(pass.setting.cpu, pass.inputs[0], pass.dy, dx, |x, dy| slope(x) * dy);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(HardSwish, Vec<Shape>)> {
    // Inputs of the check lie 1/64 apart around 0: only a large map reaches past 3.
    vec![(HardSwish, vec![Shape::new(5, 3, 2)]), (HardSwish, vec![Shape::new(7, 8, 8)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn it_is_nothing_below_and_x_above() {
        let y = forward(&AnyLayer::from(HardSwish), &[Shape::vector(5)], 1, &[&[-4.0, -1.5, 0.0, 3.0, 5.0]]);
        assert_eq!(y, [0.0, -0.375, 0.0, 3.0, 5.0]);
    }
}
