//! The transforms of Winograd's convolutions along one axis, on vectors of channels, and their application along both.
//!
//! F(2) takes the points 0, 1, −1, ∞. F(4) takes 0, ±1/√2, ±√2, ∞ instead of the paper's 0, ±1, ±2, ∞: every row costs the
//! same instructions, and rounding errors are about four times smaller.

use crate::simd::Simd;
use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};
use std::mem::MaybeUninit;

/// A linear map of `I` values to `O`.
pub(super) trait Transform<const I: usize, const O: usize> {
    fn line<S: Simd>(s: S, x: [S::Vector; I]) -> [S::Vector; O];
}

/// Applies a transform down the columns of I × I values; element (r, c) of what it gives is `[r][c]` and goes along rows
/// next. `from(r, c)` is where value (r, c) of `lanes` channels stands; `FULL` says that `lanes` is all of a vector.
///
/// # Safety
/// `lanes` floats can be read at each, and `lanes` is at most a vector's.
#[inline(always)]
pub(super) unsafe fn columns<L: Transform<I, O>, S: Simd, const I: usize, const O: usize, const FULL: bool>(
    s: S,
    from: impl Fn(usize, usize) -> *const f32,
    lanes: usize,
) -> [[S::Vector; I]; O] {
    // Too many vectors for the registers: memory that the compiler would set to zero first.
    let mut out = MaybeUninit::<[[S::Vector; I]; O]>::uninit();
    for c in 0..I {
        let mut column = [s.splat(0.0); I];
        for r in 0..I {
            let from = from(r, c);
            // Safety: as the caller vouches.
            column[r] = unsafe { s.load_lanes::<FULL>(from, lanes) };
        }
        let column = L::line(s, column);
        for r in 0..O {
            // Safety: r < O and c < I.
            unsafe { out.as_mut_ptr().cast::<S::Vector>().add(r * I + c).write(column[r]) };
        }
    }
    // Safety: all O rows of I columns were written.
    unsafe { out.assume_init() }
}

/// Applies a transform along rows and stores the results `step` apart.
///
/// # Safety
/// They can be written.
#[inline(always)]
pub(super) unsafe fn lines<L: Transform<I, O>, S: Simd, const I: usize, const O: usize>(
    s: S,
    rows: [[S::Vector; I]; O],
    to: *mut f32,
    step: usize,
) {
    for r in 0..O {
        let line = L::line(s, rows[r]);
        for c in 0..O {
            // Safety: as the caller vouches.
            unsafe { s.store(line[c], to.add((r * O + c) * step)) };
        }
    }
}

/// Bᵀ, of the input.
pub(super) struct Input;

impl Transform<4, 4> for Input {
    #[inline(always)]
    fn line<S: Simd>(s: S, x: [S::Vector; 4]) -> [S::Vector; 4] {
        [s.sub(x[0], x[2]), s.add(x[1], x[2]), s.sub(x[2], x[1]), s.sub(x[3], x[1])]
    }
}

impl Transform<6, 6> for Input {
    #[inline(always)]
    fn line<S: Simd>(s: S, x: [S::Vector; 6]) -> [S::Vector; 6] {
        // a² = 1/2, b² = 2, a² b² = 1.
        let sum = s.splat(-(A * A + B * B));
        let (even_a, odd_a) = (s.fma(s.splat(-2.0), x[2], x[4]), s.fma(s.splat(-2.0), x[1], x[3]));
        let (even_b, odd_b) = (s.fma(s.splat(-0.5), x[2], x[4]), s.fma(s.splat(-0.5), x[1], x[3]));
        [
            s.fma(sum, x[2], s.add(x[0], x[4])),
            s.fma(s.splat(A), odd_a, even_a),
            s.fma(s.splat(-A), odd_a, even_a),
            s.fma(s.splat(B), odd_b, even_b),
            s.fma(s.splat(-B), odd_b, even_b),
            s.fma(sum, x[3], s.add(x[1], x[5])),
        ]
    }
}

/// Aᵀ, to the output.
pub(super) struct Output;

impl Transform<4, 2> for Output {
    #[inline(always)]
    fn line<S: Simd>(s: S, m: [S::Vector; 4]) -> [S::Vector; 2] {
        [s.add(m[0], s.add(m[1], m[2])), s.add(s.sub(m[1], m[2]), m[3])]
    }
}

impl Transform<6, 4> for Output {
    #[inline(always)]
    fn line<S: Simd>(s: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
        let (sum_a, off_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (sum_b, off_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(s.add(m[0], sum_a), sum_b),
            s.fma(s.splat(B), off_b, s.mul(s.splat(A), off_a)),
            s.fma(s.splat(2.0), sum_b, s.mul(s.splat(0.5), sum_a)),
            s.fma(s.splat(2.0 * B), off_b, s.fma(s.splat(0.5 * A), off_a, m[5])),
        ]
    }
}

/// A, the adjoint of the way to the output: of the output's gradient.
pub(super) struct Spread;

impl Transform<4, 6> for Spread {
    #[inline(always)]
    fn line<S: Simd>(s: S, y: [S::Vector; 4]) -> [S::Vector; 6] {
        let (even_a, odd_a) = (s.fma(s.splat(0.5), y[2], y[0]), s.fma(s.splat(0.5), y[3], y[1]));
        let (even_b, odd_b) = (s.fma(s.splat(2.0), y[2], y[0]), s.fma(s.splat(2.0), y[3], y[1]));
        [
            y[0],
            s.fma(s.splat(A), odd_a, even_a),
            s.fma(s.splat(-A), odd_a, even_a),
            s.fma(s.splat(B), odd_b, even_b),
            s.fma(s.splat(-B), odd_b, even_b),
            y[3],
        ]
    }
}

/// 2 a² (a² − b²) and 2 b² (b² − a²), which divide the rows of G that belong to ±a and ±b.
const NORM_A: f32 = -1.5;
const NORM_B: f32 = 6.0;

/// G, of the weights.
pub(super) struct Weight;

impl Transform<3, 4> for Weight {
    #[inline(always)]
    fn line<S: Simd>(s: S, w: [S::Vector; 3]) -> [S::Vector; 4] {
        let half = s.splat(0.5);
        let (even, odd) = (s.mul(half, s.add(w[0], w[2])), s.mul(half, w[1]));
        [w[0], s.add(even, odd), s.sub(even, odd), w[2]]
    }
}

impl Transform<3, 6> for Weight {
    #[inline(always)]
    fn line<S: Simd>(s: S, w: [S::Vector; 3]) -> [S::Vector; 6] {
        let even_a = s.fma(s.splat(0.5 / NORM_A), w[2], s.mul(s.splat(1.0 / NORM_A), w[0]));
        let even_b = s.fma(s.splat(2.0 / NORM_B), w[2], s.mul(s.splat(1.0 / NORM_B), w[0]));
        let (odd_a, odd_b) = (s.mul(s.splat(A / NORM_A), w[1]), s.mul(s.splat(B / NORM_B), w[1]));
        [w[0], s.add(even_a, odd_a), s.sub(even_a, odd_a), s.add(even_b, odd_b), s.sub(even_b, odd_b), w[2]]
    }
}

/// Gᵀ, the adjoint: to the weights' gradient.
pub(super) struct Gather;

impl Transform<6, 3> for Gather {
    #[inline(always)]
    fn line<S: Simd>(s: S, m: [S::Vector; 6]) -> [S::Vector; 3] {
        let (sum_a, off_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (sum_b, off_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.fma(s.splat(1.0 / NORM_A), sum_a, s.fma(s.splat(1.0 / NORM_B), sum_b, m[0])),
            s.fma(s.splat(A / NORM_A), off_a, s.mul(s.splat(B / NORM_B), off_b)),
            s.fma(s.splat(0.5 / NORM_A), sum_a, s.fma(s.splat(2.0 / NORM_B), sum_b, m[5])),
        ]
    }
}
