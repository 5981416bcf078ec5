//! Dropout (Srivastava et al. 2014, JMLR 15): while training, each value is zeroed with probability p and the others are
//! scaled by 1 / (1 − p), so that nothing is left to do when predicting. The mask is a function of the step's seed and the
//! value's index, so backward draws it again instead of storing it.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{GradientSlot, pass_on, uniform};

/// Zeroes values at random while training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    /// The probability of zeroing, 0 ≤ p < 1.
    pub p: f32,
}

/// Values in a piece of work.
const PIECE: usize = 1 << 12;

impl Dropout {
    /// Zeroes with probability `p`.
    pub fn new(p: f32) -> Self {
        Dropout { p }
    }

    fn factor(self, seed: u64, index: usize) -> f32 {
        if uniform(seed, index as u64) < self.p { 0.0 } else { 1.0 / (1.0 - self.p) }
    }
}

impl Layer for Dropout {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        if (0.0..1.0).contains(&self.p) {
            only(inputs)
        } else {
            Err(Misfit::new(format!("its probability must be at least 0 and below 1, not {}", self.p)))
        }
    }

    fn describe(&self) -> String {
        format!("p {}", self.p)
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, .. } = pass;
        if !setting.training {
            return output.copy_from_slice(inputs[0]);
        }
        setting.cpu.chunks(output, PIECE, |i, out| {
            let x = &inputs[0][i * PIECE..];
            for (j, (out, x)) in out.iter_mut().zip(x).enumerate() {
                *out = x * self.factor(setting.seed, i * PIECE + j);
            }
        });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, dy, dx, .. } = pass;
        let Some(dx) = dx[0].take() else { return };
        if !setting.training {
            return pass_on(setting.cpu, dy, dx);
        }
        let GradientSlot { values: dx, adds } = dx;
        setting.cpu.chunks(dx, PIECE, |i, dx| {
            for (j, (dx, dy)) in dx.iter_mut().zip(&dy[i * PIECE..]).enumerate() {
                let gradient = dy * self.factor(setting.seed, i * PIECE + j);
                *dx = if adds { *dx + gradient } else { gradient };
            }
        });
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Dropout, Vec<Shape>)> {
    vec![(Dropout::new(0.4), vec![Shape::new(3, 4, 5)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn the_share_dropped_is_p_and_the_mean_is_kept() {
        let ones = vec![1.0; 40_000];
        let y = forward(&AnyLayer::from(Dropout::new(0.3)), &[Shape::vector(40_000)], 1, &[&ones]);
        let dropped = y.iter().filter(|v| **v == 0.0).count() as f32 / 40_000.0;
        // Four standard deviations of a binomial share.
        assert!((dropped - 0.3).abs() < 4.0 * (0.21f32 / 40_000.0).sqrt(), "{dropped}");
        assert!((y.iter().sum::<f32>() / 40_000.0 - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_probability_of_one_is_refused() {
        for p in [1.0, -0.1, f32::NAN] {
            assert!(Dropout::new(p).infer(&[Shape::vector(3)]).is_err(), "{p}");
        }
    }
}
