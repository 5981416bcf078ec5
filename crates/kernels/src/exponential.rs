//! The exponential of vectors, and the hyperbolic tangent and the logistic sigmoid made of it. With x = n ln 2 + r, n whole
//! and |r| ≤ ln 2 / 2, eˣ is 2ⁿ (1 + p) for p = eʳ − 1 by its Taylor series to r⁷, whose rest is less than 2⁻²⁵ of it.
//! Exponentials are within 1.25 units in the last place, the others within 2.5.

use crate::Cpu;
use crate::simd::{Kernel, Simd};
use std::f32::consts::LOG2_E;

/// ln 2 to ten bits, so that its products with whole numbers up to 2¹⁴ are exact, and the rest of it.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// 1 / 7! to 1 / 2!.
const TAYLOR: [f32; 6] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];

/// Below this, exponentials would soon be denormal, and count as zero.
const LEAST: f32 = -87.0;

/// Elements of a piece.
const PIECE: usize = 8192;

/// `p` and `2ⁿ` of e^x = 2ⁿ (1 + p), for x from [`LEAST`] to 88. NaN gives a p that is NaN.
#[inline(always)]
fn split<S: Simd>(s: S, x: S::Vector) -> (S::Vector, S::Vector) {
    // Floats from 2²³ to 2²⁴ are whole.
    let whole = s.splat(12_582_912.0);
    let n = s.sub(s.fma(x, s.splat(LOG2_E), whole), whole);
    let r = s.fma(n, s.splat(-LN_2[1]), s.fma(n, s.splat(-LN_2[0]), x));
    let mut series = s.splat(TAYLOR[0]);
    for factor in &TAYLOR[1..] {
        series = s.fma(series, r, s.splat(*factor));
    }
    (s.fma(s.mul(r, r), series, r), s.two_to(n))
}

/// e^x for x of at most 88; zero below −87.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let least = s.splat(LEAST);
    let (p, scale) = split(s, s.max(least, x));
    s.select(s.greater(least, x), s.splat(0.0), s.mul(scale, s.add(p, s.splat(1.0))))
}

/// (e^2|x| − 1) / (e^2|x| + 1) with the sign of x; x itself where x³/3 is nothing beside it.
#[inline(always)]
fn tanh<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let zero = s.splat(0.0);
    let magnitude = s.max(x, s.sub(zero, x));
    // From 9.02 on it is 1 to the last place.
    let (p, scale) = split(s, s.min(s.splat(20.0), s.add(magnitude, magnitude)));
    let less_one = s.fma(scale, p, s.sub(scale, s.splat(1.0)));
    let y = s.div(less_one, s.add(less_one, s.splat(2.0)));
    let signed = s.select(s.greater(zero, x), s.sub(zero, y), y);
    s.select(s.greater(s.splat(1.0 / 4096.0), magnitude), x, signed)
}

/// 1 / (1 + e^−x), or e^x / (1 + e^x) where x is negative, so that nothing overflows or cancels.
#[inline(always)]
fn logistic<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let e = exp(s, s.min(x, s.sub(zero, x)));
    s.div(s.select(s.greater(zero, x), e, one), s.add(one, e))
}

/// Assigns `y[i] = amplitude · tanh(slope · x[i])`; NaN stays NaN. With both 1 it is odd, and within 2.5 units
/// in the last place at any magnitude.
///
/// # Panics
/// If the lengths differ.
pub fn scaled_tanh(cpu: &Cpu, amplitude: f32, slope: f32, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    cpu.chunks(y, PIECE, |i, y| {
        cpu.isa().dispatch(Tanh { amplitude, slope, x: &x[i * PIECE..][..y.len()], y });
    });
}

/// Assigns `y[i] = 1 / (1 + e^−x[i])`, within 2.5 units in the last place; zero below −87. NaN stays NaN.
///
/// # Panics
/// If the lengths differ.
pub fn sigmoid(cpu: &Cpu, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    cpu.chunks(y, PIECE, |i, y| cpu.isa().dispatch(Sigmoid { x: &x[i * PIECE..][..y.len()], y }));
}

struct Tanh<'a> {
    amplitude: f32,
    slope: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Tanh<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (amplitude, slope) = (s.splat(self.amplitude), s.splat(self.slope));
        for (x, y) in self.x.chunks(S::LANES).zip(self.y.chunks_mut(S::LANES)) {
            s.write(s.mul(amplitude, tanh(s, s.mul(slope, s.read(x)))), y);
        }
    }
}

struct Sigmoid<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Sigmoid<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (x, y) in self.x.chunks(S::LANES).zip(self.y.chunks_mut(S::LANES)) {
            s.write(logistic(s, s.read(x)), y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    /// Every 1021st float, of both signs and any magnitude.
    fn floats() -> Vec<f32> {
        let all = (0..=u32::MAX).step_by(1021).map(f32::from_bits);
        all.filter(|x| x.is_normal()).chain((0..40_000).map(|i| (i as f32 - 20_000.0) / 2000.0)).collect()
    }

    /// The largest error in units in the last place of f32; what lies below the normal numbers may become zero.
    fn worst(x: &[f32], y: &[f32], f: impl Fn(f64) -> f64) -> (f64, f32) {
        let mut worst = (0.0, 0.0);
        for (&x, &y) in x.iter().zip(y) {
            let exact = f(f64::from(x));
            let error = (f64::from(y) - exact).abs();
            if exact.abs() < f64::from(f32::MIN_POSITIVE) {
                assert!(error < f64::from(f32::MIN_POSITIVE), "at {x:e}: {y:e} for {exact:e}");
                continue;
            }
            let place = f64::from(f32::EPSILON) * 2.0_f64.powi(exact.abs().log2().floor() as i32);
            if error / place > worst.0 {
                worst = (error / place, x);
            }
        }
        worst
    }

    #[test]
    fn tanh_is_accurate_everywhere_and_odd() {
        let x = floats();
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(2, isa).unwrap();
            let (mut y, mut mirrored) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
            scaled_tanh(&cpu, 1.0, 1.0, &x, &mut y);
            let (error, at) = worst(&x, &y, f64::tanh);
            assert!(error <= 2.5, "{}: {error} places at {at:e}", isa.name());
            scaled_tanh(&cpu, 1.0, 1.0, &x.iter().map(|x| -x).collect::<Vec<_>>(), &mut mirrored);
            assert!(y.iter().zip(&mirrored).all(|(a, b)| *a == -b && a.abs() <= 1.0), "{}", isa.name());
        }
    }

    #[test]
    fn the_sigmoid_is_accurate_everywhere() {
        let x = floats();
        for isa in Isa::available() {
            let mut y = vec![f32::NAN; x.len()];
            sigmoid(&Cpu::with_isa(2, isa).unwrap(), &x, &mut y);
            // Zero below -87, where it is less than twice the least normal number.
            for (&x, y) in x.iter().zip(&mut y).filter(|(x, _)| **x < LEAST) {
                assert_eq!(*y, 0.0, "{}: {x}", isa.name());
                *y = (1.0 / (1.0 + (-f64::from(x)).exp())) as f32;
            }
            let (error, at) = worst(&x, &y, |x| if x < -700.0 { 0.0 } else { 1.0 / (1.0 + (-x).exp()) });
            assert!(error <= 2.5, "{}: {error} places at {at:e}", isa.name());
        }
    }

    struct Exp<'a>(&'a mut [f32]);

    impl Kernel for Exp<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            self.0.chunks_mut(S::LANES).for_each(|v| s.write(exp(s, s.read(v)), v));
        }
    }

    #[test]
    fn exponentials_are_accurate_up_to_88() {
        let x: Vec<f32> = floats().into_iter().filter(|x| (LEAST..=88.0).contains(x)).collect();
        for isa in Isa::available() {
            let mut y = x.clone();
            isa.dispatch(Exp(&mut y));
            let (error, at) = worst(&x, &y, f64::exp);
            assert!(error <= 1.25, "{}: {error} places at {at:e}", isa.name());
            let mut ends = [f32::NEG_INFINITY, -1e30, -88.0, -0.0, 0.0, f32::NAN];
            isa.dispatch(Exp(&mut ends));
            assert_eq!(ends[..5], [0.0, 0.0, 0.0, 1.0, 1.0], "{}", isa.name());
            assert!(ends[5].is_nan());
        }
    }

    #[test]
    fn ends_and_zeros_are_exact_and_nan_stays() {
        let inf = f32::INFINITY;
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(1, isa).unwrap();
            for len in [6, 7, 40] {
                let x: Vec<f32> = [0.0, -0.0, inf, -inf, f32::MAX, f32::NAN].into_iter().cycle().take(len).collect();
                let (mut y, mut z) = (vec![9.0; len], vec![9.0; len]);
                scaled_tanh(&cpu, 1.0, 1.0, &x, &mut y);
                sigmoid(&cpu, &x, &mut z);
                assert_eq!(y[..5], [0.0, 0.0, 1.0, -1.0, 1.0]);
                assert!(y[1].is_sign_negative() && y[0].is_sign_positive() && y[5].is_nan());
                assert_eq!(z[..5], [0.5, 0.5, 1.0, 0.0, 1.0]);
                assert!(z[5].is_nan());
            }
        }
    }

    #[test]
    fn amplitude_and_slope_scale_the_tangent() {
        let (x, mut y) = ([-3.0, -0.5, 0.25, 1.0], [f32::NAN; 4]);
        scaled_tanh(&Cpu::new(1).unwrap(), 1.7159, 2.0 / 3.0, &x, &mut y);
        for (x, y) in x.into_iter().zip(y) {
            let exact = 1.7159 * (2.0 / 3.0 * f64::from(x)).tanh();
            assert!((f64::from(y) / exact - 1.0).abs() < 4e-7, "{y} for {exact}");
        }
    }
}
