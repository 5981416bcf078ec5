//! Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167): y = γ (x − μ) / √(σ² + ε) + β per channel. While training
//! μ and σ² (biased) are the batch's; a running mean and variance (unbiased, as in PyTorch) are gathered with weight
//! `momentum` for the newest batch, and used when predicting. Backward reads the input and computes x̂ again.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, ParamSpec, Saved, Setting, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{
    batch_norm_backward, batch_norm_backward_frozen, batch_norm_scratch, channel_statistics, normalise,
};

/// Batch normalisation with scale and shift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// The newest batch's weight in the running statistics.
    pub momentum: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNorm {
    /// ε = 10⁻⁵ and momentum 0.1, as in PyTorch.
    pub fn new() -> Self {
        BatchNorm { epsilon: 1e-5, momentum: 0.1 }
    }

    /// Assigns 1 / √(σ² + ε).
    pub fn invert(&self, var: &[f32], inv_std: &mut [f32]) {
        for (i, v) in inv_std.iter_mut().zip(var) {
            *i = 1.0 / (*v + self.epsilon).sqrt();
        }
    }

    /// Another ε.
    pub fn epsilon(self, epsilon: f32) -> Self {
        BatchNorm { epsilon, ..self }
    }
}

/// What forward saves, one value per channel each: mean, variance, 1 / √(σ² + ε).
const STATISTICS: usize = 3;

fn rows(s: &Setting<'_>) -> usize {
    s.batch * s.shape.h * s.shape.w
}

impl Layer for BatchNorm {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        if self.epsilon > 0.0 && (0.0..=1.0).contains(&self.momentum) {
            only(inputs)
        } else {
            let (e, m) = (self.epsilon, self.momentum);
            Err(Misfit::new(format!("ε must be positive and momentum between 0 and 1, not {e} and {m}")))
        }
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        let c = inputs[0].c;
        vec![
            ParamSpec::vector("weight", c, 1.0),
            ParamSpec::vector("bias", c, 0.0),
            ParamSpec::statistic("running_mean", c, 0.0),
            ParamSpec::statistic("running_var", c, 1.0),
        ]
    }

    fn describe(&self) -> String {
        format!("ε {:e}", self.epsilon)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn saved(&self, _batch: usize, _inputs: &[Shape], output: Shape) -> Saved {
        Saved { values: STATISTICS * output.c, switches: 0 }
    }

    fn scratch(&self, batch: usize, _inputs: &[Shape], output: Shape, _backward: bool) -> usize {
        2 * output.c + batch_norm_scratch(batch * output.len(), output.c)
    }

    fn forward(&self, pass: Forward<'_>) {
        let c = pass.setting.shape.c;
        let (mean, rest) = pass.values.split_at_mut(c);
        let (var, inv_std) = rest.split_at_mut(c);
        if pass.setting.training {
            channel_statistics(pass.setting.cpu, pass.inputs[0], c, mean, var, pass.scratch);
        } else {
            mean.copy_from_slice(pass.params[2]);
            var.copy_from_slice(pass.params[3]);
        }
        self.invert(var, inv_std);
        normalise(pass.setting.cpu, pass.inputs[0], c, mean, inv_std, pass.params[0], pass.params[1], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let c = pass.setting.shape.c;
        let (mean, inv_std) = (&pass.values[..c], &pass.values[2 * c..]);
        // Frozen parameters' gradients go to work space: the gradient by the input needs their sums all the same.
        let (unasked, scratch) = pass.scratch.split_at_mut(2 * c);
        let (unasked_gamma, unasked_beta) = unasked.split_at_mut(c);
        let [dgamma, dbeta, ..] = pass.dparams else { unreachable!("four parameters") };
        let dgamma = dgamma.as_deref_mut().unwrap_or(unasked_gamma);
        let dbeta = dbeta.as_deref_mut().unwrap_or(unasked_beta);
        let by = if pass.setting.training { batch_norm_backward } else { batch_norm_backward_frozen };
        let dx = pass.dx[0].take().map(|dx| dx.accumulate(pass.setting.cpu));
        by(pass.setting.cpu, pass.inputs[0], pass.dy, c, mean, inv_std, pass.params[0], dx, dgamma, dbeta, scratch);
    }

    fn gather(&self, setting: Setting<'_>, values: &[f32], params: &mut [&mut [f32]]) {
        let (c, n) = (setting.shape.c, rows(&setting) as f32);
        let unbiased = if n > 1.0 { n / (n - 1.0) } else { 1.0 };
        for i in 0..c {
            let (mean, var) = (values[i], values[c + i] * unbiased);
            params[2][i] += self.momentum * (mean - params[2][i]);
            params[3][i] += self.momentum * (var - params[3][i]);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(BatchNorm, Vec<Shape>)> {
    vec![(BatchNorm::new(), vec![Shape::new(4, 3, 5)]), (BatchNorm::new().epsilon(1e-3), vec![Shape::new(3, 3, 18)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::Cpu;

    #[test]
    fn running_statistics_follow_pytorchs_rule() {
        let cpu = Cpu::new(1).unwrap();
        let shape = Shape::new(1, 2, 1);
        let setting = Setting { cpu: &cpu, batch: 2, training: true, seed: 0, shapes: &[shape], shape };
        let (mut mean, mut var) = ([1.0], [2.0]);
        // Batch mean 3, biased variance 1.5 over 4 values: unbiased 2.
        let (mut w, mut b) = ([1.0], [0.0]);
        BatchNorm::new().gather(setting, &[3.0, 1.5, 0.0], &mut [&mut w, &mut b, &mut mean, &mut var]);
        assert!((mean[0] - 1.2).abs() < 1e-6 && (var[0] - 2.0).abs() < 1e-6, "{mean:?} {var:?}");
    }
}
