//! Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3), rows × c:
//! `y_i = x_i · s_i^−β` with `s_i = k + α Σ x_j²` over a window of `size` channels around i. The window starts `size / 2`
//! channels before i, as in cuda-convnet and PyTorch, so that an even one reaches further down than up; channels outside
//! count as zeros. Each window is summed anew, so that nothing drifts along the channels.

use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Channels summed together.
const BLOCK: usize = 16;
/// The most pieces that rows are cut into; each has a part of the scratch.
const PIECES: usize = 64;

/// The constants of a local response normalisation. `k` is positive and `alpha` not negative, so that s is positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponse {
    /// Channels of a window, at least 1.
    pub size: usize,
    /// Factor of the window's sum.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Added to the scaled sum.
    pub k: f32,
}

impl LocalResponse {
    /// Floats of scratch that [`local_response_norm`], or with `backward` its gradient too, needs for up to `len`
    /// elements, rows × c.
    pub fn scratch(&self, len: usize, c: usize, backward: bool) -> usize {
        // Of fewer rows there may be more pieces, but never more than this.
        let pieces = (len / c).div_ceil(least_rows(c)).min(PIECES);
        pieces * self.lines(c, backward).iter().sum::<usize>()
    }

    /// Channels of a window before and after its own, of `c`.
    fn reach(&self, c: usize) -> [usize; 2] {
        [self.size / 2, (self.size - 1) / 2].map(|reach| reach.min(c - 1))
    }

    /// Lengths of a piece's lines of scratch: squares framed in zeros and s; for the gradient also s^−β and terms framed in
    /// zeros. Lines end with whole blocks.
    fn lines(&self, c: usize, backward: bool) -> [usize; 4] {
        let [before, after] = self.reach(c);
        let line = c.next_multiple_of(BLOCK);
        let framed = before + line + after;
        if backward { [framed, line, line, framed] } else { [framed, line, 0, 0] }
    }
}

/// Assigns `y = x · (k + α Σ x²)^−β`, the sum over each channel's window.
///
/// `x` and `y (rows, c)`, `scratch` of at least [`LocalResponse::scratch`] floats.
///
/// # Panics
/// If a length contradicts the shape or the window is empty.
pub fn local_response_norm(cpu: &Cpu, rule: &LocalResponse, c: usize, x: &[f32], y: &mut [f32], scratch: &mut [f32]) {
    check(rule, x, c);
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    let (piece, room) = (piece(x.len(), c), rule.lines(c, false).iter().sum());
    let scratch = &mut scratch[..x.len().div_ceil(piece) * room];
    cpu.chunks2(y, piece, scratch, room, |i, y, scratch| {
        cpu.isa().dispatch(Rows { rule, c, x: &x[i * piece..][..y.len()], y, scratch });
    });
}

/// Assigns to dx, or adds to it, the gradient of [`local_response_norm`]: `dy_i · s_i^−β − 2αβ · x_i · Σ dy_j · x_j · s_j^(−β−1)` over the
/// channels j whose windows hold i. The sums s are computed again.
///
/// `x`, `dy` and `dx (rows, c)`, `scratch` of at least [`LocalResponse::scratch`] floats.
///
/// # Panics
/// If a length contradicts the shape or the window is empty.
pub fn local_response_norm_backward(
    cpu: &Cpu,
    rule: &LocalResponse,
    c: usize,
    x: &[f32],
    dy: &[f32],
    dx: GradientSlot<'_>,
    scratch: &mut [f32],
) {
    let GradientSlot { values: dx, adds } = dx;
    check(rule, x, c);
    assert!(x.len() == dx.len() && dy.len() == dx.len(), "x, dy and dx have one shape");
    let (piece, room) = (piece(x.len(), c), rule.lines(c, true).iter().sum());
    let scratch = &mut scratch[..x.len().div_ceil(piece) * room];
    cpu.chunks2(dx, piece, scratch, room, |i, dx, scratch| {
        let range = i * piece..i * piece + dx.len();
        cpu.isa().dispatch(GradientRows { rule, c, x: &x[range.clone()], dy: &dy[range], dx, adds, scratch });
    });
}

struct Rows<'a> {
    rule: &'a LocalResponse,
    c: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // Each arm is compiled with its own power inside the loop.
        if self.rule.beta == 0.75 {
            self.normalise(to_minus_three_quarters);
        } else {
            let power = -self.rule.beta;
            self.normalise(|s| s.powf(power));
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn normalise(self, power: impl Fn(f32) -> f32) {
        let LocalResponse { alpha, k, .. } = *self.rule;
        let [before, after] = self.rule.reach(self.c);
        let (squares, sums) = self.scratch.split_at_mut(self.rule.lines(self.c, false)[0]);
        squares.fill(0.0);
        for (x, y) in self.x.chunks_exact(self.c).zip(self.y.chunks_exact_mut(self.c)) {
            square(x, &mut squares[before..]);
            window_sums(squares, before + after + 1, sums);
            for ((y, x), sum) in y.iter_mut().zip(x).zip(&*sums) {
                *y = x * power(k + alpha * sum);
            }
        }
    }
}

struct GradientRows<'a> {
    rule: &'a LocalResponse,
    c: usize,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    adds: bool,
    scratch: &'a mut [f32],
}

impl Kernel for GradientRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        if self.rule.beta == 0.75 {
            self.gradient(to_minus_three_quarters);
        } else {
            let power = -self.rule.beta;
            self.gradient(|s| s.powf(power));
        }
    }
}

impl GradientRows<'_> {
    #[inline(always)]
    fn gradient(self, power: impl Fn(f32) -> f32) {
        let LocalResponse { alpha, beta, k, .. } = *self.rule;
        let [before, after] = self.rule.reach(self.c);
        let width = before + after + 1;
        let [framed, line, ..] = self.rule.lines(self.c, true);
        let (squares, rest) = self.scratch.split_at_mut(framed);
        let (sums, rest) = rest.split_at_mut(line);
        let (powers, terms) = rest.split_at_mut(line);
        squares.fill(0.0);
        terms.fill(0.0);
        let rows = self.x.chunks_exact(self.c).zip(self.dy.chunks_exact(self.c)).zip(self.dx.chunks_exact_mut(self.c));
        for ((x, dy), dx) in rows {
            square(x, &mut squares[before..]);
            window_sums(squares, width, sums);
            // A window of terms around i holds the channels whose windows hold i: the frame is the other way round.
            let inner = powers.iter_mut().zip(&mut terms[after..]);
            for (((p, term), sum), (x, dy)) in inner.zip(&*sums).zip(x.iter().zip(dy)) {
                let s = k + alpha * sum;
                *p = power(s);
                *term = dy * x * (*p / s);
            }
            window_sums(terms, width, sums);
            let factor = 2.0 * alpha * beta;
            for (((dx, p), sum), (x, dy)) in dx.iter_mut().zip(&*powers).zip(&*sums).zip(x.iter().zip(dy)) {
                let gradient = dy * p - factor * x * sum;
                *dx = if self.adds { *dx + gradient } else { gradient };
            }
        }
    }
}

/// s^−¾ without a logarithm.
#[inline(always)]
fn to_minus_three_quarters(s: f32) -> f32 {
    1.0 / (s.sqrt() * s.sqrt().sqrt())
}

/// Assigns the squares of a row to the start of `to`.
#[inline(always)]
fn square(x: &[f32], to: &mut [f32]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = x * x;
    }
}

/// Assigns the sum of `width` neighbours in `v` from each place of `sums` on.
#[inline(always)]
fn window_sums(v: &[f32], width: usize, sums: &mut [f32]) {
    let (blocks, _) = sums.as_chunks_mut::<BLOCK>();
    for (block, sums) in blocks.iter_mut().enumerate() {
        let mut total = [0.0; BLOCK];
        for v in v[block * BLOCK..].windows(BLOCK).take(width) {
            for i in 0..BLOCK {
                total[i] += v[i];
            }
        }
        *sums = total;
    }
}

/// Elements of a piece: whole rows, and [`PIECES`] pieces at most.
fn piece(len: usize, c: usize) -> usize {
    (len / c).div_ceil(PIECES).max(least_rows(c)) * c
}

/// The fewest rows of a piece: about 4096 elements.
fn least_rows(c: usize) -> usize {
    (4096 / c).max(1)
}

fn check(rule: &LocalResponse, x: &[f32], c: usize) {
    assert!(rule.size > 0, "a window of no channels");
    assert!(c > 0 && x.len().is_multiple_of(c), "whole rows of {c} channels, not {} elements", x.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{Sum, assert_close, assert_same_bits, random};

    /// The normalised rows and the gradient added to `start`, in f64 from the definition.
    fn reference(rule: &LocalResponse, c: usize, x: &[f32], dy: &[f32], start: &[f32]) -> [Vec<Sum>; 2] {
        let (alpha, beta, k) = (f64::from(rule.alpha), f64::from(rule.beta), f64::from(rule.k));
        let in_window = |i: usize, j: usize| j + rule.size / 2 >= i && j + rule.size / 2 < i + rule.size;
        let [mut ys, mut dxs] = [Vec::new(), Vec::new()];
        for ((x, dy), start) in x.chunks(c).zip(dy.chunks(c)).zip(start.chunks(c)) {
            let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let dy: Vec<f64> = dy.iter().map(|&dy| f64::from(dy)).collect();
            let sum = |i: usize| (0..c).filter(|&j| in_window(i, j)).map(|j| x[j] * x[j]).sum::<f64>();
            let s: Vec<f64> = (0..c).map(|i| k + alpha * sum(i)).collect();
            for i in 0..c {
                let mut y = Sum::default();
                y.add(x[i] * s[i].powf(-beta));
                ys.push(y);
                let mut dx = Sum::default();
                dx.add(f64::from(start[i]));
                dx.add(dy[i] * s[i].powf(-beta));
                for j in (0..c).filter(|&j| in_window(j, i)) {
                    dx.add(-2.0 * alpha * beta * x[i] * dy[j] * x[j] * s[j].powf(-beta - 1.0));
                }
                dxs.push(dx);
            }
        }
        [ys, dxs]
    }

    #[test]
    fn rows_and_gradients_match_the_reference_on_every_instruction_set() {
        let rules =
            [(5, 1e-4, 0.75, 2.0), (5, 0.7, 0.75, 1.0), (4, 0.3, 0.5, 1.5), (1, 1.0, 1.0, 0.1), (99, 0.2, 0.75, 1.0)];
        for (size, alpha, beta, k) in rules {
            let rule = LocalResponse { size, alpha, beta, k };
            for (rows, c) in [(1, 1), (3, 5), (7, 16), (700, 17), (3, 96), (2, 131), (0, 4)] {
                let [x, dy, start] = [1, 2, 3].map(|seed| random(seed, rows * c));
                let [expected_y, expected_dx] = reference(&rule, c, &x, &dy, &start);
                for isa in Isa::available() {
                    let mut bits: Option<[Vec<f32>; 2]> = None;
                    for threads in [1, 2, 8] {
                        let cpu = Cpu::with_isa(threads, isa).unwrap();
                        let mut y = vec![f32::NAN; x.len()];
                        let mut scratch = vec![f32::NAN; rule.scratch(x.len(), c, false)];
                        local_response_norm(&cpu, &rule, c, &x, &mut y, &mut scratch);
                        let mut dx = start.clone();
                        let mut scratch = vec![f32::NAN; rule.scratch(x.len(), c, true)];
                        local_response_norm_backward(&cpu, &rule, c, &x, &dy, GradientSlot::add(&mut dx), &mut scratch);
                        // A sum of `size` squares rounds as often; its power and three products come after.
                        let bound = 6e-8 * (12.0 + size as f64);
                        assert_close("y", &y, &expected_y, bound);
                        assert_close("dx", &dx, &expected_dx, 2.0 * bound);
                        let [y0, dx0] = bits.get_or_insert_with(|| [y.clone(), dx.clone()]);
                        assert_same_bits("threads", &y, y0);
                        assert_same_bits("threads", &dx, dx0);
                    }
                }
            }
        }
    }

    #[test]
    fn scratch_for_a_batch_is_enough_for_any_part_of_it() {
        // 65 rows are cut into 33 pieces, 64 of them into 64.
        let rule = LocalResponse { size: 5, alpha: 1.0, beta: 0.75, k: 1.0 };
        for (c, rows) in [(4096, 65), (300, 900)] {
            let mut scratch = vec![0.0; rule.scratch(rows * c, c, true)];
            for part in (1..=rows).step_by(rows / 65) {
                let (x, mut y) = (vec![1.0; part * c], vec![0.0; part * c]);
                local_response_norm_backward(
                    &Cpu::new(1).unwrap(),
                    &rule,
                    c,
                    &x,
                    &x,
                    GradientSlot::add(&mut y),
                    &mut scratch,
                );
            }
        }
    }

    #[test]
    fn a_value_far_off_leaves_no_trace_outside_its_window() {
        // A running sum would keep the rounding of 10¹² beyond the window.
        let mut x = [1.0_f32; 40];
        x[3] = 1e6;
        let rule = LocalResponse { size: 5, alpha: 1.0, beta: 0.75, k: 1.0 };
        let (mut y, mut scratch) = ([0.0; 40], vec![0.0; rule.scratch(40, 40, false)]);
        local_response_norm(&Cpu::new(1).unwrap(), &rule, 40, &x, &mut y, &mut scratch);
        for (i, y) in y.iter().enumerate().take(38).skip(6) {
            assert!((f64::from(*y) - 6.0_f64.powf(-0.75)).abs() < 1e-7, "channel {i}: {y}");
        }
    }
}
