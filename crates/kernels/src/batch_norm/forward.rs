//! Normalisation, a residual and an activation in one pass.

use super::check;
use crate::rows::{Column, Columns, piece, walk};
use crate::simd::{Kernel, Simd};
use crate::{Activation, Cpu};

/// Assigns `y = (x − mean) · inv_std · gamma + beta`.
///
/// `x` and `y (rows, c)`, the others (c).
///
/// # Panics
/// If a length contradicts the shape.
pub fn normalise(
    cpu: &Cpu,
    x: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    beta: &[f32],
    y: &mut [f32],
) {
    normalise_activate(cpu, x, c, mean, inv_std, gamma, beta, None, Activation::None, y);
}

/// Assigns `y = activation((x − mean) · inv_std · gamma + beta + residual)`.
///
/// `x`, `residual` and `y (rows, c)`, the others (c).
///
/// # Panics
/// If a length contradicts the shape.
pub fn normalise_activate(
    cpu: &Cpu,
    x: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    beta: &[f32],
    residual: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    check(x, c, &[mean, inv_std, gamma, beta]);
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    assert!(residual.is_none_or(|r| r.len() == x.len()), "the residual has the shape of x");
    let (piece, bounds) = (piece(c), activation.bounds());
    cpu.chunks(y, piece, |i, y| {
        let range = i * piece..i * piece + y.len();
        let (x, residual) = (&x[range.clone()], residual.map(|r| &r[range]));
        cpu.isa().dispatch(Normalise { x, mean, inv_std, gamma, beta, residual, bounds, y });
    });
}

struct Normalise<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    residual: Option<&'a [f32]>,
    bounds: (f32, f32),
    y: &'a mut [f32],
}

impl Kernel for Normalise<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let c = self.mean.len();
        walk::<_, 1>(s, self.x.len() / c, c, &mut self);
    }
}

impl Columns for Normalise<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let of = |constants: &[f32]| at.constant(s, constants);
        let (mean, beta) = (of(self.mean), of(self.beta));
        let scale = s.mul(of(self.inv_std), of(self.gamma));
        let (least, largest) = (s.splat(self.bounds.0), s.splat(self.bounds.1));
        let mut v = at.read(s, self.x);
        for r in 0..R {
            v[r] = s.fma(s.sub(v[r], mean), scale, beta);
        }
        if let Some(residual) = self.residual {
            let residual = at.read(s, residual);
            for r in 0..R {
                v[r] = s.add(v[r], residual[r]);
            }
        }
        for r in 0..R {
            v[r] = s.min(largest, s.max(least, v[r]));
        }
        at.write(s, v, self.y, false);
    }
}
