//! Values kept between two bounds, of which one may be absent: min(max(low, x), high). Its gradient at the bounds is 0, as of
//! ReLU6, and is taken from the output.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{map, map2};

/// min(max(`low`, x), `high`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// The lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f32>,
    /// The upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f32>,
}

impl Clip {
    /// Between two bounds.
    pub fn new(low: f32, high: f32) -> Self {
        Clip { low: Some(low), high: Some(high) }
    }

    fn bounds(self) -> (f32, f32) {
        (self.low.unwrap_or(f32::NEG_INFINITY), self.high.unwrap_or(f32::INFINITY))
    }
}

impl Layer for Clip {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let given = [self.low, self.high];
        if given.iter().flatten().all(|v| v.is_finite()) && self.bounds().0 < self.bounds().1 {
            only(inputs)
        } else {
            Err(Misfit::new(format!("its bounds must be finite, the lower one below the upper one, not {given:?}")))
        }
    }

    fn describe(&self) -> String {
        let (low, high) = self.bounds();
        format!("{low} to {high}")
    }

    fn needs(&self) -> Needs {
        Needs { inputs: false, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let (low, high) = self.bounds();
        // `clamp` hands NaN through.
        map(pass.setting.cpu, pass.inputs[0], pass.output, |x| x.clamp(low, high));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let (low, high) = self.bounds();
        if let Some(dx) = pass.dx[0].take() {
            map2(pass.setting.cpu, pass.output, pass.dy, dx, |y, dy| if y > low && y < high { dy } else { 0.0 });
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Clip, Vec<Shape>)> {
    // Inputs of the check lie 1/64 apart around 0, a quarter of that off: these bounds are none of them.
    let clips = [Clip::new(-0.125, 0.25), Clip { low: Some(-0.0625), high: None }, Clip { low: None, high: Some(0.0) }];
    clips.map(|layer| (layer, vec![Shape::new(6, 3, 3)])).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::{backward, forward};

    #[test]
    fn bounds_hold_and_are_flat() {
        let (layer, shape) = (AnyLayer::from(Clip::new(-1.0, 2.0)), Shape::vector(5));
        let x = [-3.0, -1.0, 0.5, 2.0, 9.0];
        assert_eq!(forward(&layer, &[shape], 1, &[&x]), [-1.0, -1.0, 0.5, 2.0, 2.0]);
        assert_eq!(backward(&layer, shape, &x, &[3.0; 5]), [0.0, 0.0, 3.0, 0.0, 0.0]);
        assert!(Clip::new(1.0, 1.0).infer(&[shape]).is_err());
        assert!(Clip::new(0.0, f32::NAN).infer(&[shape]).is_err());
    }
}
