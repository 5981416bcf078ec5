//! LeCun's squashing function A · tanh(S · x) (LeCun et al. 1998, appendix A): with A = 1.7159 and S = 2/3 it takes ±1 to
//! about ±1, where its second derivative is largest. Its derivative is A · S · (1 − (y / A)²).

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map2, scaled_tanh};

/// `amplitude` · tanh(`slope` · x).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaledTanh {
    /// The largest output, A in the paper.
    pub amplitude: f32,
    /// Factor of the input, S in the paper.
    pub slope: f32,
}

impl Default for ScaledTanh {
    fn default() -> Self {
        Self::new()
    }
}

impl ScaledTanh {
    /// The paper's 1.7159 · tanh(2x/3).
    pub fn new() -> Self {
        ScaledTanh { amplitude: 1.7159, slope: 2.0 / 3.0 }
    }
}

impl Layer for ScaledTanh {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let ScaledTanh { amplitude: a, slope: s } = *self;
        if [a, s].iter().all(|v| v.is_normal() && *v > 0.0) {
            only(inputs)
        } else {
            Err(Misfit::new(format!("its amplitude and slope must be positive and finite, not {a} and {s}")))
        }
    }

    fn describe(&self) -> String {
        format!("{}·tanh({:.4}x)", self.amplitude, self.slope)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let ScaledTanh { amplitude, slope } = *self;
        scaled_tanh(pass.setting.cpu, amplitude, slope, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let ScaledTanh { amplitude, slope } = *self;
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| {
                let tanh = y / amplitude;
                dy * amplitude * slope * (1.0 - tanh * tanh)
            });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(ScaledTanh, Vec<Shape>)> {
    let other = ScaledTanh { amplitude: 0.5, slope: 2.0 };
    vec![(ScaledTanh::new(), vec![Shape::new(5, 3, 2)]), (other, vec![Shape::vector(7)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn one_stays_one_as_in_the_paper() {
        let y = forward(&AnyLayer::from(ScaledTanh::new()), &[Shape::vector(3)], 1, &[&[-1.0, 0.0, 1.0]]);
        let one = 1.7159 * (2.0f64 / 3.0).tanh();
        assert!((one - 1.0).abs() < 1e-4 && (f64::from(y[2]) - one).abs() < 1e-6, "{y:?}");
        assert_eq!((y[0], y[1]), (-y[2], 0.0));
    }

    #[test]
    fn constants_without_a_gradient_are_refused() {
        for (amplitude, slope) in [(0.0, 1.0), (1.0, -1.0), (f32::NAN, 1.0), (1.0, f32::INFINITY)] {
            let e = ScaledTanh { amplitude, slope }.infer(&[Shape::vector(2)]).unwrap_err().to_string();
            assert!(e.contains("must be positive and finite"), "{e}");
        }
    }
}
