//! Maxima of windows, the winners' cells as switches, and the two maps they make: gradients go back to the winners, and
//! values are gathered from them.

use super::window::Window;
use super::{Axis, PoolGeometry, quads};
use crate::rows::{Column, Columns, across};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};
use std::ops::Range;

/// Assigns y = the maximum of each window, and to `switches`, where they are wanted, the winner's cell,
/// `ky * kernel_w + kx`.
///
/// `x (n, h, w, c)`, `y` and `switches (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry, or a window has more than 65 536 cells and switches are wanted.
pub fn max_pool_forward(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32], switches: Option<&mut [u16]>) {
    g.check(x.len(), y.len());
    if let Some(switches) = &switches {
        assert_eq!(switches.len(), y.len(), "a switch for each element of y");
        assert!(g.kernel[0] * g.kernel[1] <= 1 << 16, "cells of a {:?} window must fit into 16 bits", g.kernel);
    }
    if quads::apply(g) {
        return quads::maximum(cpu, g, x, y, switches);
    }
    let line = (g.out_w * g.c).max(1);
    let Some(switches) = switches else {
        cpu.chunks(y, line, |row, y| cpu.isa().dispatch(MaxRow { g, row, x, y, switches: &mut [] }));
        return;
    };
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
    /// Empty where they are not wanted.
    switches: &'a mut [u16],
}

impl Kernel for MaxRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, oy) = (self.row / rows.out_len, self.row % rows.out_len);
        let image = &self.x[image * rows.len * cols.len * c..][..rows.len * cols.len * c];
        let ys = rows.inside(oy);
        for (ox, y) in self.y.chunks_exact_mut(c).enumerate() {
            let xs = cols.inside(ox);
            let first = (rows.cells(oy).start * cols.kernel + cols.cells(ox).start) as f32;
            let window = Window { rows: ys.clone(), ahead: cols.ahead(&xs, c), columns: xs, first, width: cols.kernel };
            if self.switches.is_empty() {
                window.maximum::<S, false>(s, image, cols.len, y, &mut []);
            } else {
                window.maximum::<S, true>(s, image, cols.len, y, &mut self.switches[ox * c..][..c]);
            }
        }
    }
}

/// Assigns to dx, or adds to it, each dy at its window's winner.
///
/// `dy` and `switches (n, out_h, out_w, c)`, `dx (n, h, w, c)`.
///
/// # Panics
/// If a length contradicts the geometry.
pub fn max_pool_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], switches: &[u16], dx: GradientSlot<'_>) {
    g.check(dx.values.len(), dy.len());
    assert_eq!(switches.len(), dy.len(), "a switch for each element of dy");
    if quads::apply(g) {
        return quads::maximum_backward(cpu, g, dy, switches, dx);
    }
    let GradientSlot { values: dx, adds } = dx;
    cpu.chunks(dx, (g.w * g.c).max(1), |row, dx| {
        cpu.isa().dispatch(MaxGradientRow { g, row, dy, switches, dx, adds });
    });
}

struct MaxGradientRow<'a> {
    g: &'a PoolGeometry,
    row: usize,
    dy: &'a [f32],
    switches: &'a [u16],
    dx: &'a mut [f32],
    adds: bool,
}

impl Kernel for MaxGradientRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, cols, c) = (self.g.axis(0), self.g.axis(1), self.g.c);
        let (image, iy) = (self.row / rows.len, self.row % rows.len);
        for (ix, dx) in self.dx.chunks_exact_mut(c).enumerate() {
            let (ys, xs) = (rows.covering(iy), cols.covering(ix));
            let off = |axis: &Axis, i: usize, first: usize| (i + axis.pad) as isize - (first * axis.stride) as isize;
            let first = off(&rows, iy, ys.start) * cols.kernel as isize + off(&cols, ix, xs.start);
            let lines = ys.start + image * rows.out_len..ys.end + image * rows.out_len;
            let Self { g, dy, switches, adds, .. } = self;
            across::<S, 1>(
                s,
                0,
                c,
                &mut Collection { g, lines, columns: xs, first: first as f32, dy, switches, dx, adds },
            );
        }
    }
}

/// What a pixel of dx collects from the windows that cover it.
struct Collection<'a> {
    g: &'a PoolGeometry,
    /// Rows of windows, over all images.
    lines: Range<usize>,
    columns: Range<usize>,
    /// The pixel's cell in the first of them; in the next it lies a step further left.
    first: f32,
    dy: &'a [f32],
    switches: &'a [u16],
    dx: &'a mut [f32],
    adds: bool,
}

impl Columns for Collection<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let zero = s.splat(0.0);
        let step = s.splat(self.g.stride[1] as f32);
        let to_next_line = s.splat((self.g.stride[0] * self.g.kernel[1]) as f32);
        let mut line_cell = s.splat(self.first);
        let mut sum = if self.adds { at.constant(s, self.dx) } else { zero };
        for line in self.lines.clone() {
            let mut cell = line_cell;
            for column in self.columns.clone() {
                let window = at.of(line * self.g.out_w + column);
                let won = s.equal(window.integers(s, self.switches), cell);
                sum = s.add(sum, s.select(won, window.one(s, self.dy), zero));
                cell = s.sub(cell, step);
            }
            line_cell = s.sub(line_cell, to_next_line);
        }
        at.set_constant(s, sum, self.dx);
    }
}

/// Assigns to each y, or adds to it, the x of its window's winner: the transpose of [`max_pool_backward`].
///
/// `x (n, h, w, c)`, `switches` and `y (n, out_h, out_w, c)`.
///
/// # Panics
/// If a length contradicts the geometry, or a switch names a cell outside x.
pub fn max_pool_gather(cpu: &Cpu, g: &PoolGeometry, x: &[f32], switches: &[u16], y: GradientSlot<'_>) {
    g.check(x.len(), y.values.len());
    assert_eq!(switches.len(), y.values.len(), "a switch for each element of y");
    let (rows, cols, c) = (g.axis(0), g.axis(1), g.c);
    let line = (g.out_w * c).max(1);
    // A load from anywhere for each value: nothing that an instruction set could speed up.
    y.add_in_chunks(cpu, line, |row, y| {
        let (image, oy) = (row / rows.out_len, row % rows.out_len);
        for (i, (y, &switch)) in y.iter_mut().zip(&switches[row * line..]).enumerate() {
            let (ox, channel) = (i / c, i % c);
            let (ky, kx) = (usize::from(switch) / cols.kernel, usize::from(switch) % cols.kernel);
            let at = (image * rows.len + rows.coordinate(oy, ky)) * cols.len + cols.coordinate(ox, kx);
            *y += x[at * c + channel];
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::{everywhere, geometries};
    use crate::reference::{assert_same_bits, random};

    #[test]
    fn gathering_takes_each_winner_and_is_the_transpose_of_backward() {
        for g in geometries() {
            let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.out_h * g.out_w * g.c);
            let (x, other, dy) = (random(1, x_len), random(2, x_len), random(3, y_len));
            let mut switches = vec![u16::MAX; y_len];
            let gathered = everywhere(|cpu| {
                let (mut y, mut again, mut gathered) = (vec![f32::NAN; y_len], vec![f32::NAN; y_len], vec![1.0; y_len]);
                let mut switches = vec![u16::MAX; y_len];
                max_pool_forward(cpu, &g, &x, &mut y, Some(&mut switches));
                max_pool_gather(cpu, &g, &x, &switches, GradientSlot::assign(&mut again));
                assert_same_bits("the winners' values are the maxima", &again, &y);
                max_pool_gather(cpu, &g, &other, &switches, GradientSlot::add(&mut gathered));
                gathered
            });
            let (cpu, mut y, mut dx) = (Cpu::new(1).unwrap(), vec![0.0; y_len], vec![0.0; x_len]);
            max_pool_forward(&cpu, &g, &x, &mut y, Some(&mut switches));
            max_pool_backward(&cpu, &g, &dy, &switches, GradientSlot::add(&mut dx));
            let dot = |a: &[f32], b: &[f32], less: f64| -> f64 {
                a.iter().zip(b).map(|(&a, &b)| f64::from(a) * (f64::from(b) - less)).sum()
            };
            let (by_gather, by_backward) = (dot(&dy, &gathered, 1.0), dot(&other, &dx, 0.0));
            assert!((by_gather - by_backward).abs() < 1e-6 * y_len as f64, "{by_gather}, {by_backward}: {g:?}");
        }
    }
}
