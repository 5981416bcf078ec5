//! The p-norm of windows, (Σ |x|ᵖ)^(1/p); padding counts as zero. Sums are kept in f64: squares of any f32 fit there, and
//! other powers are taken of the window divided by its largest magnitude. So no input overflows or vanishes on the way,
//! and a norm is within one unit in the last place of f32. Denormal inputs count as zero, as everywhere (see `Cpu`).

use super::{Axis, BLOCK, PoolGeometry};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Assigns y = the p-norm of each window.
///
/// `x (n, h, w, c)`, `y (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry, or p is not at least 1.
pub fn norm_pool_forward(cpu: &Cpu, g: &PoolGeometry, p: f32, x: &[f32], y: &mut [f32]) {
    g.check(x.len(), y.len());
    assert!(p >= 1.0, "the norm's p must be at least 1, not {p}");
    cpu.chunks(y, (g.out_w * g.c).max(1), |row, y| {
        cpu.isa().dispatch(NormRow { g, row, p: f64::from(p), x, y });
    });
}

struct NormRow<'a> {
    g: &'a PoolGeometry,
    /// Over all images.
    row: usize,
    p: f64,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for NormRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, oy) = (self.row / rows.out_len, self.row % rows.out_len);
        for (ox, y) in self.y.chunks_exact_mut(c).enumerate() {
            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                let (start, len) = (block * BLOCK, y.len());
                let pixels = pixels(&rows, image * rows.len, oy, &cols, ox).map(|at| &self.x[at * c + start..][..len]);
                if self.p == 2.0 { root_of_squares(pixels, y) } else { norm(pixels, self.p, y) }
            }
        }
    }
}

/// The pixels under the window of output `(oy, ox)`, in reading order; `top` is the image's first row over all images.
#[inline(always)]
fn pixels(rows: &Axis, top: usize, oy: usize, cols: &Axis, ox: usize) -> impl Iterator<Item = usize> + Clone {
    rows.cells(oy).flat_map(move |ky| {
        cols.cells(ox).map(move |kx| (top + rows.coordinate(oy, ky)) * cols.len + cols.coordinate(ox, kx))
    })
}

#[inline(always)]
fn root_of_squares<'a>(pixels: impl Iterator<Item = &'a [f32]>, y: &mut [f32]) {
    let mut sums = [0.0_f64; BLOCK];
    for x in pixels {
        for (sum, &x) in sums.iter_mut().zip(x) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    for (y, sum) in y.iter_mut().zip(sums) {
        *y = sum.sqrt() as f32;
    }
}

#[inline(always)]
fn norm<'a>(pixels: impl Iterator<Item = &'a [f32]> + Clone, p: f64, y: &mut [f32]) {
    let mut largest = [0.0_f32; BLOCK];
    for x in pixels.clone() {
        for (largest, x) in largest.iter_mut().zip(x) {
            *largest = if x.abs() > *largest { x.abs() } else { *largest };
        }
    }
    // Nothing is to be scaled in a window of zeros, and nothing can be in one that holds an infinity.
    let scale = largest.map(|m| if m > 0.0 && m.is_finite() { f64::from(m) } else { 1.0 });
    let mut sums = [0.0_f64; BLOCK];
    for x in pixels {
        for ((sum, scale), &x) in sums.iter_mut().zip(scale).zip(x) {
            *sum += (f64::from(x).abs() / scale).powf(p);
        }
    }
    for ((y, sum), scale) in y.iter_mut().zip(sums).zip(scale) {
        *y = (scale * sum.powf(1.0 / p)) as f32;
    }
}

/// Assigns to dx, or adds to it, the gradient of [`norm_pool_forward`], dy · sign(x) · (|x| / y)ᵖ⁻¹; nothing where x or the norm y is 0.
/// The relative error is at most (p + 2) · 2⁻²⁴, as y was rounded.
///
/// `x` and `dx (n, h, w, c)`, `y` and `dy (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn norm_pool_backward(cpu: &Cpu, g: &PoolGeometry, p: f32, x: &[f32], y: &[f32], dy: &[f32], dx: GradientSlot<'_>) {
    g.check(x.len(), dy.len());
    assert_eq!((dx.values.len(), y.len()), (x.len(), dy.len()), "x has the shape of dx, y that of dy");
    let line = (g.w * g.c).max(1);
    dx.add_in_chunks(cpu, line, |row, dx| {
        cpu.isa().dispatch(NormGradientRow { g, row, p, x: &x[row * line..][..line], y, dy, dx });
    });
}

struct NormGradientRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    p: f32,
    /// The row of x.
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for NormGradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, iy) = (self.row / rows.len, self.row % rows.len);
        let power = f64::from(self.p) - 1.0;
        for (ix, (dx, x)) in self.dx.chunks_exact_mut(c).zip(self.x.chunks_exact(c)).enumerate() {
            for oy in rows.covering(iy) {
                for ox in cols.covering(ix) {
                    let at = ((image * rows.out_len + oy) * cols.out_len + ox) * c;
                    let outputs = self.y[at..at + c].iter().zip(&self.dy[at..at + c]);
                    let each = dx.iter_mut().zip(x).zip(outputs);
                    if self.p == 2.0 {
                        each.for_each(|((dx, &x), (&y, dy))| *dx += if y == 0.0 { 0.0 } else { dy * (x / y) });
                    } else {
                        each.for_each(|((dx, &x), (&y, dy))| *dx += dy * slope(x, y, power));
                    }
                }
            }
        }
    }
}

/// sign(x) · (|x| / y)^power, 0 where x or y is.
#[inline(always)]
fn slope(x: f32, y: f32, power: f64) -> f32 {
    if x == 0.0 || y == 0.0 {
        0.0
    } else {
        (f64::from(x.abs()) / f64::from(y)).powf(power).copysign(f64::from(x)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::{cells, everywhere, geometries, geometry};
    use crate::reference::{Sum, assert_close, random};

    /// The norms by definition, in f64.
    fn norms(g: &PoolGeometry, p: f64, x: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; g.n * g.out_h * g.out_w * g.c];
        cells(g, |from, to, _| sums[to] += f64::from(x[from]).abs().powf(p));
        sums.into_iter().map(|s: f64| s.powf(1.0 / p)).collect()
    }

    fn exactly(values: &[f64]) -> Vec<Sum> {
        values.iter().map(|&value| Sum { value, magnitude: value.abs() }).collect()
    }

    #[test]
    fn norms_and_gradients_match_their_definition() {
        for g in geometries() {
            for p in [1.0, 2.0, 3.5] {
                let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.out_h * g.out_w * g.c);
                let (x, dy, exponent) = (random(1, x_len), random(2, y_len), f64::from(p));
                let expected = norms(&g, exponent, &x);
                let mut expected_dx = vec![Sum { value: 1.0, magnitude: 1.0 }; x_len];
                cells(&g, |from, to, _| {
                    let x = f64::from(x[from]);
                    let slope = x.signum() * (x.abs() / expected[to]).powf(exponent - 1.0);
                    expected_dx[from].add(f64::from(dy[to]) * slope);
                });
                let y = everywhere(|cpu| {
                    let mut y = vec![f32::NAN; y_len];
                    norm_pool_forward(cpu, &g, p, &x, &mut y);
                    y
                });
                assert_close("y", &y, &exactly(&expected), f64::from(f32::EPSILON));
                let dx = everywhere(|cpu| {
                    let mut dx = vec![1.0; x_len];
                    norm_pool_backward(cpu, &g, p, &x, &y, &dy, GradientSlot::add(&mut dx));
                    dx
                });
                assert_close("dx", &dx, &expected_dx, 1e-6);
            }
        }
    }

    #[test]
    fn no_magnitude_overflows_or_vanishes() {
        let g = geometry([1, 2, 2, 1], 2, 2, 0, false);
        for p in [1.0, 2.0, 3.0, 100.0] {
            for size in [3e-38_f32, 1e-20, 1.0, 1e20, 8e37] {
                let x = [size, -size / 2.0, 0.0, size];
                let expected = f64::from(size) * (2.0 + 0.5_f64.powf(f64::from(p))).powf(1.0 / f64::from(p));
                let y = everywhere(|cpu| {
                    let mut y = vec![f32::NAN];
                    norm_pool_forward(cpu, &g, p, &x, &mut y);
                    y
                });
                let off = (f64::from(y[0]) / expected - 1.0).abs();
                assert!(off <= f64::from(f32::EPSILON), "p {p}: {} for {expected}", y[0]);
            }
        }
    }

    #[test]
    fn zeros_have_no_slope_and_what_is_no_number_passes_through() {
        let g = geometry([1, 2, 2, 1], 2, 2, 0, false);
        let cpu = Cpu::new(1).unwrap();
        for p in [1.0, 2.0, 3.0] {
            let mut dx = [f32::NAN; 4];
            norm_pool_backward(&cpu, &g, p, &[0.0; 4], &[0.0], &[5.0], GradientSlot::assign(&mut dx));
            assert_eq!(dx, [0.0; 4], "p {p}");
            let at = |x: [f32; 4]| {
                let mut y = [0.0];
                norm_pool_forward(&cpu, &g, p, &x, &mut y);
                y[0]
            };
            assert!(at([1.0, f32::NAN, 2.0, 0.0]).is_nan(), "p {p}");
            assert_eq!(at([1.0, f32::NEG_INFINITY, 2.0, 0.0]), f32::INFINITY, "p {p}");
            assert_eq!(at([0.0; 4]), 0.0, "p {p}");
        }
    }
}
