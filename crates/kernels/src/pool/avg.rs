//! Means of windows, with and without the declared padding.

use super::{Axis, PoolGeometry};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Assigns y = the mean of each window. With `include_pad` declared padding counts as zeros (`PyTorch`'s
/// `count_include_pad`), otherwise only cells inside x count.
///
/// `x (n, h, w, c)`, `y (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn avg_pool_forward(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32], include_pad: bool) {
    g.check(x.len(), y.len());
    cpu.chunks(y, (g.out_w * g.c).max(1), |row, y| {
        cpu.isa().dispatch(AvgRow { g, row, x, y, include_pad });
    });
}

struct AvgRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    include_pad: bool,
}

impl Kernel for AvgRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, oy) = (self.row / rows.out_len, self.row % rows.out_len);
        let image = &self.x[image * rows.len * cols.len * c..][..rows.len * cols.len * c];
        for (ox, y) in self.y.chunks_exact_mut(c).enumerate() {
            let scale = s.splat(scale(&rows, oy, &cols, ox, self.include_pad));
            let across = cols.inside(ox);
            for channel in (0..c).step_by(S::LANES) {
                let lanes = S::LANES.min(c - channel);
                let mut sum = s.splat(0.0);
                for iy in rows.inside(oy) {
                    let line = &image[(iy * cols.len + across.start) * c..][..across.len() * c];
                    for pixel in line.chunks_exact(c) {
                        sum = s.add(sum, s.read(&pixel[channel..][..lanes]));
                    }
                }
                s.write(s.mul(sum, scale), &mut y[channel..][..lanes]);
            }
        }
    }
}

/// One over the divisor of a window; zero where no cell counts.
#[inline(always)]
fn scale(rows: &Axis, oy: usize, cols: &Axis, ox: usize, include_pad: bool) -> f32 {
    let divisor = rows.divisor(oy, include_pad) * cols.divisor(ox, include_pad);
    if divisor == 0 { 0.0 } else { 1.0 / divisor as f32 }
}

/// Assigns to dx, or adds to it, the gradient of [`avg_pool_forward`].
///
/// `dy (n, out_h, out_w, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn avg_pool_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], dx: GradientSlot<'_>, include_pad: bool) {
    let GradientSlot { values: dx, adds } = dx;
    g.check(dx.len(), dy.len());
    cpu.chunks(dx, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(AvgGradientRow { g, row, dy, dx, adds, include_pad });
    });
}

struct AvgGradientRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
    adds: bool,
    include_pad: bool,
}

impl Kernel for AvgGradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, iy) = (self.row / rows.len, self.row % rows.len);
        for (ix, dx) in self.dx.chunks_exact_mut(c).enumerate() {
            if !self.adds {
                dx.fill(0.0);
            }
            for oy in rows.covering(iy) {
                for ox in cols.covering(ix) {
                    let scale = s.splat(scale(&rows, oy, &cols, ox, self.include_pad));
                    let dy = &self.dy[((image * rows.out_len + oy) * cols.out_len + ox) * c..][..c];
                    for channel in (0..c).step_by(S::LANES) {
                        let lanes = S::LANES.min(c - channel);
                        let dx = &mut dx[channel..][..lanes];
                        let share = s.mul(s.read(&dy[channel..][..lanes]), scale);
                        s.write(s.add(s.read(dx), share), dx);
                    }
                }
            }
        }
    }
}
