//! Pooling over NHWC windows. The first maximum of a window wins, NaN beats numbers, padding never wins: as in `PyTorch`.
//! Gradients are gathered: each pixel of dx collects from the windows that cover it, so overlapping windows need no
//! locks and always add in the same order.

use crate::Cpu;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// The shapes of a pooling layer: x `(n, h, w, c)` gives y `(n, out_h, out_w, c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolGeometry {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Height of y.
    pub out_h: usize,
    /// Width of y.
    pub out_w: usize,
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step between windows, at least 1.
    pub stride: [usize; 2],
    /// Padding above and to the left of x.
    pub pad: [usize; 2],
    /// Declared padding below and to the right of x. Windows may reach further (`PyTorch`'s `ceil_mode`), but an
    /// average never counts what lies beyond.
    pub pad_end: [usize; 2],
}

impl PoolGeometry {
    fn check(&self, x: usize, y: usize) {
        assert!(
            self.kernel.iter().chain(&self.stride).all(|&v| v > 0),
            "kernel and stride must be at least 1: {self:?}"
        );
        assert_eq!(x, self.n * self.h * self.w * self.c, "elements of x (n, h, w, c) for {self:?}");
        assert_eq!(y, self.n * self.out_h * self.out_w * self.c, "elements of y (n, out_h, out_w, c) for {self:?}");
    }

    fn axis(&self, i: usize) -> Axis {
        Axis {
            len: [self.h, self.w][i],
            out_len: [self.out_h, self.out_w][i],
            kernel: self.kernel[i],
            stride: self.stride[i],
            pad: self.pad[i],
            pad_end: self.pad_end[i],
        }
    }
}

/// Rows or columns of a pooling layer.
#[derive(Clone, Copy)]
struct Axis {
    len: usize,
    out_len: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    pad_end: usize,
}

impl Axis {
    /// The window cells of output `o` that lie inside x.
    fn cells(&self, o: usize) -> Range<usize> {
        let start = self.pad.saturating_sub(o * self.stride);
        start..(self.len + self.pad).saturating_sub(o * self.stride).min(self.kernel).max(start)
    }

    /// The coordinate of x under cell `k` of output `o`, for k in `cells(o)`.
    fn coordinate(&self, o: usize, k: usize) -> usize {
        o * self.stride + k - self.pad
    }

    /// The outputs whose windows cover coordinate `i` of x; it is their cell `i + pad - o * stride`.
    fn covering(&self, i: usize) -> Range<usize> {
        let at = i + self.pad;
        let start = (at + 1).saturating_sub(self.kernel).div_ceil(self.stride);
        start..(at / self.stride + 1).min(self.out_len).max(start)
    }

    /// What an average over the window of output `o` divides by along this axis.
    fn divisor(&self, o: usize, include_pad: bool) -> usize {
        if include_pad {
            (self.len + self.pad + self.pad_end).saturating_sub(o * self.stride).min(self.kernel)
        } else {
            self.cells(o).len()
        }
    }
}

/// Assigns y = the maximum of each window, and to `switches` the winner's cell, `ky * kernel_w + kx`.
///
/// `x (n, h, w, c)`, `y` and `switches (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry, or a window has more than 65 536 cells.
pub fn max_pool_forward(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32], switches: &mut [u16]) {
    g.check(x.len(), y.len());
    assert_eq!(switches.len(), y.len(), "a switch for each element of y");
    assert!(g.kernel[0] * g.kernel[1] <= 1 << 16, "cells of a {:?} window must fit into 16 bits", g.kernel);
    let line = (g.out_w * g.c).max(1);
    cpu.chunks2(y, line, switches, line, |row, y, switches| {
        cpu.isa().dispatch(MaxRow { g, row, x, y, switches });
    });
}

struct MaxRow<'a> {
    g: &'a PoolGeometry,
    /// Over all images.
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    switches: &'a mut [u16],
}

impl Kernel for MaxRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, oy) = (self.row / rows.out_len, self.row % rows.out_len);
        let pixels = self.y.chunks_exact_mut(c).zip(self.switches.chunks_exact_mut(c));
        for (ox, (y, switches)) in pixels.enumerate() {
            y.fill(f32::NEG_INFINITY);
            switches.fill(0);
            let mut first = true;
            for ky in rows.cells(oy) {
                for kx in cols.cells(ox) {
                    let at = (image * rows.len + rows.coordinate(oy, ky)) * cols.len + cols.coordinate(ox, kx);
                    let x = &self.x[at * c..][..c];
                    let cell = (ky * cols.kernel + kx) as u16;
                    if first {
                        y.copy_from_slice(x);
                        switches.fill(cell);
                        first = false;
                        continue;
                    }
                    for ((y, switch), &x) in y.iter_mut().zip(switches.iter_mut()).zip(x) {
                        let wins = x > *y || x.is_nan();
                        *y = if wins { x } else { *y };
                        *switch = if wins { cell } else { *switch };
                    }
                }
            }
        }
    }
}

/// Adds each dy to the dx of its window's winner.
///
/// `dy` and `switches (n, out_h, out_w, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn max_pool_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], switches: &[u16], dx: &mut [f32]) {
    g.check(dx.len(), dy.len());
    assert_eq!(switches.len(), dy.len(), "a switch for each element of dy");
    cpu.chunks(dx, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(MaxGradientRow { g, row, dy, switches, dx });
    });
}

struct MaxGradientRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    dy: &'a [f32],
    switches: &'a [u16],
    dx: &'a mut [f32],
}

impl Kernel for MaxGradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, iy) = (self.row / rows.len, self.row % rows.len);
        for (ix, dx) in self.dx.chunks_exact_mut(c).enumerate() {
            for oy in rows.covering(iy) {
                for ox in cols.covering(ix) {
                    let (ky, kx) = (iy + rows.pad - oy * rows.stride, ix + cols.pad - ox * cols.stride);
                    let cell = (ky * cols.kernel + kx) as u16;
                    let at = ((image * rows.out_len + oy) * cols.out_len + ox) * c;
                    let (dy, switches) = (&self.dy[at..at + c], &self.switches[at..at + c]);
                    for ((dx, &dy), &switch) in dx.iter_mut().zip(dy).zip(switches) {
                        *dx += if switch == cell { dy } else { 0.0 };
                    }
                }
            }
        }
    }
}

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
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, oy) = (self.row / rows.out_len, self.row % rows.out_len);
        for (ox, y) in self.y.chunks_exact_mut(c).enumerate() {
            y.fill(0.0);
            for ky in rows.cells(oy) {
                for kx in cols.cells(ox) {
                    let at = (image * rows.len + rows.coordinate(oy, ky)) * cols.len + cols.coordinate(ox, kx);
                    for (y, x) in y.iter_mut().zip(&self.x[at * c..][..c]) {
                        *y += x;
                    }
                }
            }
            let scale = scale(&rows, oy, &cols, ox, self.include_pad);
            for y in y {
                *y *= scale;
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

/// Adds to dx the gradient of [`avg_pool_forward`].
///
/// `dy (n, out_h, out_w, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn avg_pool_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], dx: &mut [f32], include_pad: bool) {
    g.check(dx.len(), dy.len());
    cpu.chunks(dx, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(AvgGradientRow { g, row, dy, dx, include_pad });
    });
}

struct AvgGradientRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
    include_pad: bool,
}

impl Kernel for AvgGradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, iy) = (self.row / rows.len, self.row % rows.len);
        for (ix, dx) in self.dx.chunks_exact_mut(c).enumerate() {
            for oy in rows.covering(iy) {
                for ox in cols.covering(ix) {
                    let scale = scale(&rows, oy, &cols, ox, self.include_pad);
                    let at = ((image * rows.out_len + oy) * cols.out_len + ox) * c;
                    for (dx, dy) in dx.iter_mut().zip(&self.dy[at..at + c]) {
                        *dx += dy * scale;
                    }
                }
            }
        }
    }
}

/// Assigns y = the mean of each channel of each image, summed in f64.
///
/// `x (n, pixels, c)`, `y (n, c)`; `pixels` is h · w.
///
/// # Panics
/// If the lengths contradict each other.
pub fn global_avg_pool_forward(cpu: &Cpu, pixels: usize, c: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len() * pixels, "x (n, {pixels}, {c}) for y (n, {c})");
    cpu.chunks(y, c.max(1), |image, y| {
        cpu.isa().dispatch(ImageMean { x: &x[image * pixels * c..][..pixels * c], c, y });
    });
}

struct ImageMean<'a> {
    x: &'a [f32],
    c: usize,
    y: &'a mut [f32],
}

impl Kernel for ImageMean<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        /// Channels summed together.
        const BLOCK: usize = 16;
        let pixels = self.x.len() / self.c;
        for (block, y) in self.y.chunks_mut(BLOCK).enumerate() {
            let mut sums = [0.0_f64; BLOCK];
            for x in self.x.chunks_exact(self.c) {
                for (sum, &x) in sums.iter_mut().zip(&x[block * BLOCK..][..y.len()]) {
                    *sum += f64::from(x);
                }
            }
            for (y, sum) in y.iter_mut().zip(sums) {
                *y = (sum / pixels as f64) as f32;
            }
        }
    }
}

/// Adds to dx the gradient of [`global_avg_pool_forward`].
///
/// `dy (n, c)`, `dx (n, pixels, c)`.
///
/// # Panics
/// If the lengths contradict each other.
pub fn global_avg_pool_backward(cpu: &Cpu, pixels: usize, c: usize, dy: &[f32], dx: &mut [f32]) {
    assert_eq!(dx.len(), dy.len() * pixels, "dx (n, {pixels}, {c}) for dy (n, {c})");
    let scale = 1.0 / pixels as f32;
    cpu.chunks(dx, (pixels * c).max(1), |image, dx| {
        let dy = &dy[image * c..][..c];
        for dx in dx.chunks_exact_mut(c) {
            for (dx, dy) in dx.iter_mut().zip(dy) {
                *dx += dy * scale;
            }
        }
    });
}

#[cfg(test)]
mod tests;
