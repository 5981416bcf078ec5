//! Means of windows, with and without the declared padding.

use super::{Axis, PoolGeometry, quads};
use crate::rows::{Column, Columns, across};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};
use std::ops::Range;

/// Assigns y = the mean of each window. With `include_pad` declared padding counts as zeros (`PyTorch`'s
/// `count_include_pad`), otherwise only cells inside x count.
///
/// `x (n, h, w, c)`, `y (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn avg_pool_forward(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32], include_pad: bool) {
    g.check(x.len(), y.len());
    if quads::apply(g) {
        return quads::mean(cpu, g, x, y);
    }
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
            let scale = scale(&rows, oy, &cols, ox, self.include_pad);
            let columns = cols.inside(ox);
            let ahead = cols.ahead(&columns, c);
            across::<S, 1>(s, 0, c, &mut Mean { rows: rows.inside(oy), columns, ahead, image, w: cols.len, scale, y });
        }
    }
}

/// The mean of one window.
struct Mean<'a> {
    rows: Range<usize>,
    columns: Range<usize>,
    /// Columns that will be read soon.
    ahead: Range<usize>,
    image: &'a [f32],
    w: usize,
    scale: f32,
    y: &'a mut [f32],
}

impl Columns for Mean<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let mut sum = s.splat(0.0);
        for iy in self.rows.clone() {
            let line = iy * self.w;
            for ix in self.ahead.clone() {
                at.of(line + ix).prefetch(self.image);
            }
            for ix in self.columns.clone() {
                sum = s.add(sum, at.of(line + ix).one(s, self.image));
            }
        }
        at.set_constant(s, s.mul(sum, s.splat(self.scale)), self.y);
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
    g.check(dx.values.len(), dy.len());
    if quads::apply(g) {
        return quads::mean_backward(cpu, g, dy, dx);
    }
    let GradientSlot { values: dx, adds } = dx;
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
                    let scale = scale(&rows, oy, &cols, ox, self.include_pad);
                    let window = (image * rows.out_len + oy) * cols.out_len + ox;
                    across::<S, 1>(s, 0, c, &mut Share { dy: &self.dy[window * c..][..c], scale, dx });
                }
            }
        }
    }
}

/// Adds to a pixel what it gets from one window.
struct Share<'a> {
    dy: &'a [f32],
    scale: f32,
    dx: &'a mut [f32],
}

impl Columns for Share<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let share = s.mul(at.constant(s, self.dy), s.splat(self.scale));
        at.set_constant(s, s.add(at.constant(s, self.dx), share), self.dx);
    }
}
