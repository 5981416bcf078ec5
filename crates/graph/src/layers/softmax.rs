//! Softmax over the channels at each place: e^(x/T) / Σ e^(x/T), with the maximum subtracted first. A temperature T above 1
//! softens it (Hinton et al. 2015, arXiv:1503.02531). Networks here end in logits; the training loss and `predict` apply
//! the softmax themselves.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{softmax_backward, tempered_softmax};

/// Softmax over the channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    /// What the inputs are divided by.
    #[serde(default = "one")]
    pub temperature: f32,
}

fn one() -> f32 {
    1.0
}

impl Default for Softmax {
    fn default() -> Self {
        Self::new()
    }
}

impl Softmax {
    /// Temperature 1.
    pub fn new() -> Self {
        Softmax { temperature: 1.0 }
    }

    /// Another temperature.
    pub fn temperature(self, temperature: f32) -> Self {
        Softmax { temperature }
    }
}

impl Layer for Softmax {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        // Denormal temperatures would be flushed to zero.
        if self.temperature.is_normal() && self.temperature > 0.0 {
            only(inputs)
        } else {
            Err(Misfit::new(format!("its temperature must be positive and finite, not {}", self.temperature)))
        }
    }

    fn describe(&self) -> String {
        if self.temperature == 1.0 { String::new() } else { format!("T {}", self.temperature) }
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let c = pass.setting.shape.c;
        tempered_softmax(pass.setting.cpu, pass.inputs[0], c, self.temperature, pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            let c = pass.setting.shape.c;
            softmax_backward(pass.setting.cpu, pass.output, pass.dy, c, self.temperature, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Softmax, Vec<Shape>)> {
    let soft = Softmax::new();
    vec![
        (soft, vec![Shape::vector(7)]),
        (soft, vec![Shape::new(2, 3, 4)]),
        (soft.temperature(3.0), vec![Shape::new(2, 2, 5)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn a_temperature_divides_the_logits() {
        let layer = AnyLayer::from(Softmax::new().temperature(2.0));
        let y = forward(&layer, &[Shape::vector(3)], 1, &[&[1.0, 2.0, 4.0]]);
        let exps = [0.5f64, 1.0, 2.0].map(f64::exp);
        for (y, e) in y.iter().zip(exps) {
            assert!((f64::from(*y) - e / exps.iter().sum::<f64>()).abs() < 1e-7, "{y}");
        }
    }

    #[test]
    fn without_a_temperature_it_is_one() {
        let layer: AnyLayer = serde_json::from_str(r#"{"kind":"softmax"}"#).unwrap();
        assert_eq!(layer, AnyLayer::from(Softmax::new()));
    }

    #[test]
    fn temperatures_that_cannot_divide_are_refused() {
        for t in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
            let e = Softmax::new().temperature(t).infer(&[Shape::vector(2)]).unwrap_err().to_string();
            assert!(e.contains("its temperature must be positive and finite"), "{e}");
        }
    }
}
