//! Steps of the optimisers, elementwise over parameters. Hyperparameters are f64, as `PyTorch` computes with them, and
//! are rounded to f32 once, after the constants of a step are formed.

use crate::Cpu;
use crate::cpu::Pieces;
use crate::simd::{Kernel, Simd};

/// Elements of a piece.
const PIECE: usize = 16384;

/// Stochastic gradient descent as `torch.optim.SGD` has it: weight decay joins the gradient, dampening is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// Share of the velocity, zero at first, that survives a step; 0 leaves the velocity untouched.
    pub momentum: f64,
    /// Multiple of the weights added to the gradient.
    pub weight_decay: f64,
    /// Look one momentum step ahead (Sutskever et al. 2013).
    pub nesterov: bool,
}

/// One step: with `g' = g + weight_decay · w`, `velocity = momentum · velocity + g'`, and w loses `lr · velocity`, or
/// `lr · (g' + momentum · velocity)` with `nesterov`.
///
/// # Panics
/// If the lengths differ.
pub fn sgd(cpu: &Cpu, w: &mut [f32], g: &[f32], velocity: &mut [f32], rule: &Sgd) {
    assert!(g.len() == w.len() && velocity.len() == w.len(), "w, g and velocity have one shape");
    cpu.chunks2(w, PIECE, velocity, PIECE, |i, w, velocity| {
        cpu.isa().dispatch(SgdStep { g: &g[i * PIECE..][..w.len()], w, velocity, rule });
    });
}

struct SgdStep<'a> {
    w: &'a mut [f32],
    g: &'a [f32],
    velocity: &'a mut [f32],
    rule: &'a Sgd,
}

impl Kernel for SgdStep<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Sgd { lr, momentum, weight_decay, nesterov } = *self.rule;
        let (lr, decay) = (lr as f32, weight_decay as f32);
        if momentum == 0.0 {
            for (w, &g) in self.w.iter_mut().zip(self.g) {
                *w -= lr * (g + decay * *w);
            }
            return;
        }
        let momentum = momentum as f32;
        for ((w, v), &g) in self.w.iter_mut().zip(self.velocity).zip(self.g) {
            let g = g + decay * *w;
            *v = momentum * *v + g;
            let step = if nesterov { g + momentum * *v } else { *v };
            *w -= lr * step;
        }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101) as `torch.optim.AdamW` has it:
/// ε is added after the bias correction of the second moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Share of the mean gradient that survives a step.
    pub beta1: f64,
    /// Share of the mean squared gradient that survives a step.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// Weights shrink by lr · `weight_decay` each step.
    pub weight_decay: f64,
    /// The number of this step, from 1.
    pub step: u32,
}

/// One step: `w *= 1 − lr · weight_decay`; m and v move towards g and g²; w loses
/// `lr / (1 − beta1ᵗ) · m / (√v / √(1 − beta2ᵗ) + eps)`.
///
/// `m` and `v` start as zeros.
///
/// # Panics
/// If the lengths differ or `step` is 0.
pub fn adamw(cpu: &Cpu, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], rule: &AdamW) {
    assert!(g.len() == w.len() && m.len() == w.len() && v.len() == w.len(), "w, g, m and v have one shape");
    assert!(rule.step > 0, "steps are counted from 1");
    let power = |beta: f64| beta.powf(f64::from(rule.step));
    let constants = AdamWConstants {
        shrink: (1.0 - rule.lr * rule.weight_decay) as f32,
        m_rate: (1.0 - rule.beta1) as f32,
        beta2: rule.beta2 as f32,
        v_rate: (1.0 - rule.beta2) as f32,
        v_scale: (1.0 / (1.0 - power(rule.beta2)).sqrt()) as f32,
        eps: rule.eps as f32,
        lr: (rule.lr / (1.0 - power(rule.beta1))) as f32,
    };
    let (w, m, v) = (Pieces::new(w, PIECE), Pieces::new(m, PIECE), Pieces::new(v, PIECE));
    cpu.run(w.count(), |i| {
        // Safety: `run` hands out each index below the count once.
        let (w, m, v) = unsafe { (w.get(i), m.get(i), v.get(i)) };
        let g = &g[i * PIECE..][..w.len()];
        cpu.isa().dispatch(AdamWStep { w, g, m, v, constants });
    });
}

#[derive(Clone, Copy)]
struct AdamWConstants {
    shrink: f32,
    m_rate: f32,
    beta2: f32,
    v_rate: f32,
    v_scale: f32,
    eps: f32,
    lr: f32,
}

struct AdamWStep<'a> {
    w: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    constants: AdamWConstants,
}

impl Kernel for AdamWStep<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let k = self.constants;
        for (((w, &g), m), v) in self.w.iter_mut().zip(self.g).zip(self.m).zip(self.v) {
            *m += k.m_rate * (g - *m);
            *v = k.beta2 * *v + k.v_rate * g * g;
            *w = k.shrink * *w - k.lr * *m / (v.sqrt() * k.v_scale + k.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{assert_same_bits, random};

    /// Runs `step` on every instruction set at several lengths and thread counts, and hands each result to `check`.
    fn everywhere(step: impl Fn(&Cpu, usize) -> Vec<f32>, check: impl Fn(&[f32], usize)) {
        for isa in Isa::available() {
            for len in [1, 17, PIECE + 3] {
                let one = step(&Cpu::with_isa(1, isa).unwrap(), len);
                check(&one, len);
                assert_same_bits("threads", &one, &step(&Cpu::with_isa(8, isa).unwrap(), len));
            }
        }
    }

    fn assert_near(found: &[f32], expected: impl Fn(usize) -> f64) {
        for (i, &found) in found.iter().enumerate() {
            let expected = expected(i);
            assert!(
                (f64::from(found) - expected).abs() <= 2e-6 * expected.abs().max(1.0),
                "{i}: {found} is not {expected}"
            );
        }
    }

    /// Three steps on one weight with the gradients g, -g / 2, g, by the formulas of the PyTorch documentation.
    fn gradients(g: f64) -> [f64; 3] {
        [g, -g / 2.0, g]
    }

    #[test]
    fn sgd_follows_the_formulas_of_pytorch() {
        for (momentum, weight_decay, nesterov) in
            [(0.0, 0.0, false), (0.0, 0.1, false), (0.9, 0.0, false), (0.9, 0.1, false), (0.9, 0.01, true)]
        {
            let rule = Sgd { lr: 0.1, momentum, weight_decay, nesterov };
            let step = |cpu: &Cpu, len: usize| {
                let (mut w, g) = (random(1, len), random(2, len));
                let mut velocity = vec![0.0; len];
                for t in 0..3 {
                    let g: Vec<f32> = g.iter().map(|&g| gradients(f64::from(g))[t] as f32).collect();
                    sgd(cpu, &mut w, &g, &mut velocity, &rule);
                }
                w
            };
            everywhere(step, |found, len| {
                let (w, g) = (random(1, len), random(2, len));
                assert_near(found, |i| {
                    let (mut w, mut v) = (f64::from(w[i]), 0.0);
                    for g in gradients(f64::from(g[i])) {
                        let g = g + weight_decay * w;
                        v = momentum * v + g;
                        w -= 0.1
                            * if nesterov {
                                g + momentum * v
                            } else if momentum == 0.0 {
                                g
                            } else {
                                v
                            };
                    }
                    w
                });
            });
        }
    }

    #[test]
    fn adamw_follows_the_formulas_of_pytorch() {
        for (weight_decay, eps) in [(0.0, 1e-8), (0.1, 1e-8), (0.01, 0.1)] {
            let rule = |step| AdamW { lr: 0.01, beta1: 0.9, beta2: 0.999, eps, weight_decay, step };
            let step = |cpu: &Cpu, len: usize| {
                let (mut w, g) = (random(1, len), random(2, len));
                let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
                for t in 0..3 {
                    let g: Vec<f32> = g.iter().map(|&g| gradients(f64::from(g))[t] as f32).collect();
                    adamw(cpu, &mut w, &g, &mut m, &mut v, &rule(t as u32 + 1));
                }
                w
            };
            everywhere(step, |found, len| {
                let (w, g) = (random(1, len), random(2, len));
                assert_near(found, |i| {
                    let (mut w, mut m, mut v) = (f64::from(w[i]), 0.0, 0.0);
                    for (t, g) in gradients(f64::from(g[i])).into_iter().enumerate() {
                        let t = t as i32 + 1;
                        w *= 1.0 - 0.01 * weight_decay;
                        m = 0.9 * m + 0.1 * g;
                        v = 0.999 * v + 0.001 * g * g;
                        let denominator = (v / (1.0 - 0.999_f64.powi(t))).sqrt() + eps;
                        w -= 0.01 * (m / (1.0 - 0.9_f64.powi(t))) / denominator;
                    }
                    w
                });
            });
        }
    }
}
