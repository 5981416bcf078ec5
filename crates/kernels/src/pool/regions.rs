//! Pooling over listed regions: every pair of a range of rows and a range of columns is one window. Ranges may differ in
//! length, overlap, and leave rows out. Adaptive and fractional pooling are of this kind.

use super::BLOCK;
use super::window::Window;
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};
use std::ops::Range;

/// The shapes of a pooling over regions: x `(n, h, w, c)` gives y `(n, rows.len(), columns.len(), c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRegions<'a> {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// The rows of x that each row of y pools; none empty, neither starts nor ends ever decrease.
    pub rows: &'a [Range<usize>],
    /// The columns of x that each column of y pools, likewise.
    pub columns: &'a [Range<usize>],
}

impl PoolRegions<'_> {
    fn check(&self, x: usize, y: usize) {
        for (what, ranges, len) in [("rows", self.rows, self.h), ("columns", self.columns, self.w)] {
            let fit = ranges.iter().all(|r| r.start < r.end && r.end <= len);
            assert!(fit, "{what} {ranges:?} must be parts of 0..{len}");
            let rise = ranges.windows(2).all(|r| r[0].start <= r[1].start && r[0].end <= r[1].end);
            assert!(rise, "{what} {ranges:?} must be in order");
        }
        assert_eq!(x, self.n * self.h * self.w * self.c, "elements of x (n, h, w, c)");
        assert_eq!(y, self.n * self.rows.len() * self.columns.len() * self.c, "elements of y (n, rows, columns, c)");
    }

    /// Elements in a row of y.
    fn line(&self) -> usize {
        (self.columns.len() * self.c).max(1)
    }
}

/// The ranges that hold coordinate `i`.
fn covering(ranges: &[Range<usize>], i: usize) -> Range<usize> {
    let end = ranges.partition_point(|r| r.start <= i);
    ranges.partition_point(|r| r.end <= i).min(end)..end
}

/// Assigns y = the maximum of each region, and to `switches` the winner's cell, `ky * columns + kx` counted within its
/// region. The first maximum wins, NaN beats numbers.
///
/// `x (n, h, w, c)`, `y` and `switches (n, rows, columns, c)`.
///
/// # Panics
/// If a length contradicts the regions, these are out of order, or one has more than 65 536 cells.
pub fn region_max_pool_forward(cpu: &Cpu, g: &PoolRegions<'_>, x: &[f32], y: &mut [f32], switches: &mut [u16]) {
    g.check(x.len(), y.len());
    assert_eq!(switches.len(), y.len(), "a switch for each element of y");
    let largest = |ranges: &[Range<usize>]| ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    assert!(largest(g.rows) * largest(g.columns) <= 1 << 16, "cells of a region must fit into 16 bits");
    cpu.chunks2(y, g.line(), switches, g.line(), |row, y, switches| {
        cpu.isa().dispatch(MaxRow { g, row, x, y, switches });
    });
}

struct MaxRow<'a> {
    g: &'a PoolRegions<'a>,
    /// Over all images.
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    switches: &'a mut [u16],
}

impl Kernel for MaxRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let PoolRegions { h, w, c, rows, columns, .. } = *self.g;
        let (image, rows) = (self.row / rows.len(), &rows[self.row % rows.len()]);
        let image = &self.x[image * h * w * c..][..h * w * c];
        let pixels = self.y.chunks_exact_mut(c).zip(self.switches.chunks_exact_mut(c));
        for ((y, switches), columns) in pixels.zip(columns) {
            let window =
                Window { rows: rows.clone(), columns: columns.clone(), first: 0.0, width: columns.len(), ahead: 0..0 };
            window.maximum::<S, true>(s, image, w, y, switches);
        }
    }
}

/// Assigns to dx, or adds to it, each dy at its region's winner.
///
/// `dy` and `switches (n, rows, columns, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the regions, or these are out of order.
pub fn region_max_pool_backward(cpu: &Cpu, g: &PoolRegions<'_>, dy: &[f32], switches: &[u16], dx: GradientSlot<'_>) {
    g.check(dx.values.len(), dy.len());
    assert_eq!(switches.len(), dy.len(), "a switch for each element of dy");
    dx.add_in_chunks(cpu, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(GradientRow { g, row, dy, switches: Some(switches), dx });
    });
}

/// A row of dx, gathered from means or, with switches, from maxima.
struct GradientRow<'a> {
    g: &'a PoolRegions<'a>,
    row: usize,
    dy: &'a [f32],
    switches: Option<&'a [u16]>,
    dx: &'a mut [f32],
}

impl Kernel for GradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let PoolRegions { h, c, rows, columns, .. } = *self.g;
        let (image, iy) = (self.row / h, self.row % h);
        for (ix, dx) in self.dx.chunks_exact_mut(c).enumerate() {
            for oy in covering(rows, iy) {
                for ox in covering(columns, ix) {
                    let at = ((image * rows.len() + oy) * columns.len() + ox) * c;
                    let (dy, width) = (&self.dy[at..at + c], columns[ox].len());
                    if let Some(switches) = self.switches {
                        let cell = (iy - rows[oy].start) * width + ix - columns[ox].start;
                        for ((dx, &dy), &switch) in dx.iter_mut().zip(dy).zip(&switches[at..at + c]) {
                            *dx += if usize::from(switch) == cell { dy } else { 0.0 };
                        }
                    } else {
                        let scale = 1.0 / (rows[oy].len() * width) as f32;
                        for (dx, dy) in dx.iter_mut().zip(dy) {
                            *dx += dy * scale;
                        }
                    }
                }
            }
        }
    }
}

/// Assigns y = the mean of each region, summed in f64.
///
/// `x (n, h, w, c)`, `y (n, rows, columns, c)`.
///
/// # Panics
/// If a length contradicts the regions, or these are out of order.
pub fn region_avg_pool_forward(cpu: &Cpu, g: &PoolRegions<'_>, x: &[f32], y: &mut [f32]) {
    g.check(x.len(), y.len());
    cpu.chunks(y, g.line(), |row, y| {
        cpu.isa().dispatch(AvgRow { g, row, x, y });
    });
}

struct AvgRow<'a> {
    g: &'a PoolRegions<'a>,
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for AvgRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let PoolRegions { h, w, c, rows, columns, .. } = *self.g;
        let (image, rows) = (self.row / rows.len(), &rows[self.row % rows.len()]);
        for (y, columns) in self.y.chunks_exact_mut(c).zip(columns) {
            let cells = (rows.len() * columns.len()) as f64;
            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                let mut sums = [0.0_f64; BLOCK];
                for iy in rows.clone() {
                    for ix in columns.clone() {
                        let at = ((image * h + iy) * w + ix) * c + block * BLOCK;
                        for (sum, &x) in sums.iter_mut().zip(&self.x[at..][..y.len()]) {
                            *sum += f64::from(x);
                        }
                    }
                }
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y = (sum / cells) as f32;
                }
            }
        }
    }
}

/// Assigns to dx, or adds to it, the gradient of [`region_avg_pool_forward`].
///
/// `dy (n, rows, columns, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the regions, or these are out of order.
pub fn region_avg_pool_backward(cpu: &Cpu, g: &PoolRegions<'_>, dy: &[f32], dx: GradientSlot<'_>) {
    g.check(dx.values.len(), dy.len());
    dx.add_in_chunks(cpu, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(GradientRow { g, row, dy, switches: None, dx });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::everywhere;
    use crate::reference::{Sum, assert_close, random};

    /// Ranges of unequal lengths: disjoint, overlapping, with gaps, repeated.
    const ROWS: [&[Range<usize>]; 4] = [&[0..2, 2..3, 3..5], &[0..3, 1..3, 2..5], &[1..2, 4..5], &[0..1, 0..1, 0..5]];

    /// Calls `f(x index, y index, cell)` for every cell of every region, in reading order.
    fn cells(g: &PoolRegions<'_>, mut f: impl FnMut(usize, usize, usize)) {
        for y in 0..g.n * g.rows.len() * g.columns.len() * g.c {
            let (c, pixel) = (y % g.c, y / g.c);
            let columns = g.columns[pixel % g.columns.len()].clone();
            let line = pixel / g.columns.len();
            let (rows, image) = (g.rows[line % g.rows.len()].clone(), line / g.rows.len());
            let at = rows.flat_map(|iy| columns.clone().map(move |ix| (iy, ix)));
            for (cell, (iy, ix)) in at.enumerate() {
                f(((image * g.h + iy) * g.w + ix) * g.c + c, y, cell);
            }
        }
    }

    fn geometries() -> Vec<PoolRegions<'static>> {
        let mut all = Vec::new();
        for c in [1, 5, 17, 33] {
            for (i, rows) in ROWS.into_iter().enumerate() {
                let columns = ROWS[(i + c) % ROWS.len()];
                all.push(PoolRegions { n: 2, h: 5, w: 6, c, rows, columns });
            }
        }
        all
    }

    #[test]
    fn maxima_find_their_winners_and_return_gradients_to_them() {
        for g in geometries() {
            let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.rows.len() * g.columns.len() * g.c);
            let x: Vec<f32> = random(1, x_len).iter().map(|v| (v * 2.0).round()).collect();
            let dy = random(2, y_len);
            let mut expected = vec![(f32::NEG_INFINITY, 0, 0); y_len];
            cells(&g, |from, to, cell| {
                if x[from] > expected[to].0 {
                    expected[to] = (x[from], cell, from);
                }
            });
            let mut expected_dx = vec![Sum { value: 1.0, magnitude: 1.0 }; x_len];
            for (&(_, _, from), &dy) in expected.iter().zip(&dy) {
                expected_dx[from].add(f64::from(dy));
            }
            let dx = everywhere(|cpu| {
                let (mut y, mut switches) = (vec![f32::NAN; y_len], vec![u16::MAX; y_len]);
                region_max_pool_forward(cpu, &g, &x, &mut y, &mut switches);
                for (i, &(value, cell, _)) in expected.iter().enumerate() {
                    assert_eq!((y[i], usize::from(switches[i])), (value, cell), "element {i} of {g:?}");
                }
                let mut dx = vec![1.0; x_len];
                region_max_pool_backward(cpu, &g, &dy, &switches, GradientSlot::add(&mut dx));
                dx
            });
            assert_close("dx", &dx, &expected_dx, 1e-6);
        }
    }

    #[test]
    fn means_and_their_gradients_match() {
        for g in geometries() {
            let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.rows.len() * g.columns.len() * g.c);
            let (x, dy) = (random(1, x_len), random(2, y_len));
            let mut counts = vec![0.0; y_len];
            cells(&g, |_, to, _| counts[to] += 1.0);
            let mut expected_y = vec![Sum::default(); y_len];
            let mut expected_dx = vec![Sum { value: 1.0, magnitude: 1.0 }; x_len];
            cells(&g, |from, to, _| {
                expected_y[to].add(f64::from(x[from]) / counts[to]);
                expected_dx[from].add(f64::from(dy[to]) / counts[to]);
            });
            let y = everywhere(|cpu| {
                let mut y = vec![f32::NAN; y_len];
                region_avg_pool_forward(cpu, &g, &x, &mut y);
                y
            });
            assert_close("y", &y, &expected_y, 1e-7);
            let dx = everywhere(|cpu| {
                let mut dx = vec![1.0; x_len];
                region_avg_pool_backward(cpu, &g, &dy, GradientSlot::add(&mut dx));
                dx
            });
            assert_close("dx", &dx, &expected_dx, 1e-6);
        }
    }

    #[test]
    #[should_panic(expected = "must be in order")]
    fn ranges_out_of_order_panic() {
        let g = PoolRegions { n: 1, h: 3, w: 1, c: 1, rows: &[1..3, 0..3], columns: &[0..1, 0..1] };
        region_avg_pool_forward(&Cpu::new(1).unwrap(), &g, &[0.0; 3], &mut [0.0; 4]);
    }
}
