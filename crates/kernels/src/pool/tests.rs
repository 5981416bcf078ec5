//! Pooling against a scalar reference that scatters, on every instruction set and at several thread counts.

use super::*;
use crate::reference::{Sum, assert_close, assert_same_bits, random};
use crate::{Cpu, GradientSlot, Isa};

/// `PyTorch`'s output length: in ceil mode the last window must start inside x or its leading padding.
fn out(len: usize, kernel: usize, stride: usize, pad: usize, ceil: bool) -> usize {
    let span = len + 2 * pad - kernel;
    let out = if ceil { span.div_ceil(stride) } else { span / stride } + 1;
    if ceil && (out - 1) * stride >= len + pad { out - 1 } else { out }
}

pub(super) fn geometry([n, h, w, c]: [usize; 4], kernel: usize, stride: usize, pad: usize, ceil: bool) -> PoolGeometry {
    let (out_h, out_w) = (out(h, kernel, stride, pad, ceil), out(w, kernel, stride, pad, ceil));
    let (kernel, stride, pad) = ([kernel; 2], [stride; 2], [pad; 2]);
    PoolGeometry { n, h, w, c, out_h, out_w, kernel, stride, pad, pad_end: pad }
}

pub(super) fn geometries() -> Vec<PoolGeometry> {
    let mut all = Vec::new();
    for c in [1, 3, 5, 17, 33] {
        for (kernel, stride, pad) in [(1, 1, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0), (2, 3, 0), (5, 2, 2)] {
            for ceil in [false, true] {
                all.push(geometry([3, 8, 7, c], kernel, stride, pad, ceil));
                all.push(geometry([1, 5, 12, c], kernel, stride, pad, ceil));
            }
        }
        all.push(geometry([2, 1, 1, c], 1, 1, 0, false));
        all.push(geometry([1, 1, 1, c], 3, 1, 1, false));
    }
    let uneven = geometry([2, 9, 6, 4], 3, 2, 1, false);
    all.push(PoolGeometry {
        kernel: [4, 1],
        stride: [1, 3],
        pad: [2, 0],
        pad_end: [1, 0],
        out_h: 9,
        out_w: 2,
        ..uneven
    });
    all.push(PoolGeometry { kernel: [2, 3], pad: [0, 1], pad_end: [1, 2], out_h: 5, out_w: 4, ..uneven });
    all
}

/// Calls `f(x index, y index, cell)` for every window cell inside x, in the order of cells.
pub(super) fn cells(g: &PoolGeometry, mut f: impl FnMut(usize, usize, usize)) {
    let count = g.n * g.out_h * g.out_w * g.c;
    for y in 0..count {
        let (c, pixel) = (y % g.c, y / g.c);
        let (ox, oy, image) = (pixel % g.out_w, pixel / g.out_w % g.out_h, pixel / g.out_w / g.out_h);
        for cell in 0..g.kernel[0] * g.kernel[1] {
            let iy = (oy * g.stride[0] + cell / g.kernel[1]).wrapping_sub(g.pad[0]);
            let ix = (ox * g.stride[1] + cell % g.kernel[1]).wrapping_sub(g.pad[1]);
            if iy < g.h && ix < g.w {
                f(((image * g.h + iy) * g.w + ix) * g.c + c, y, cell);
            }
        }
    }
}

/// Writes a gradient of `len` elements twice: added to ones, then assigned to NaN.
fn added_and_assigned(len: usize, f: impl Fn(GradientSlot<'_>)) -> Vec<f32> {
    let mut dx = vec![1.0; len];
    dx.resize(2 * len, f32::NAN);
    let (added, assigned) = dx.split_at_mut(len);
    f(GradientSlot::add(added));
    f(GradientSlot::assign(assigned));
    dx
}

/// What [`added_and_assigned`] starts from.
fn gradient_sums(len: usize) -> Vec<Sum> {
    let one = Sum { value: 1.0, magnitude: 1.0 };
    [vec![one; len], vec![Sum::default(); len]].concat()
}

/// Runs `f` on every instruction set with 1, 2 and 8 threads; all must give the same bits, since pooling only ever adds
/// in one order and multiplies once.
pub(super) fn everywhere(f: impl Fn(&Cpu) -> Vec<f32>) -> Vec<f32> {
    let mut first: Option<Vec<f32>> = None;
    for isa in Isa::available() {
        for threads in [1, 2, 8] {
            let out = f(&Cpu::with_isa(threads, isa).unwrap());
            assert_same_bits(isa.name(), &out, first.get_or_insert_with(|| out.clone()));
        }
    }
    first.unwrap()
}

#[test]
fn maximum_finds_its_winner_and_returns_the_gradient_to_it() {
    for g in geometries() {
        let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.out_h * g.out_w * g.c);
        // Few distinct values: ties in most windows.
        let x: Vec<f32> = random(1, x_len).iter().map(|v| (v * 2.0).round()).collect();
        let dy = random(2, y_len);
        let mut expected = vec![(f32::NEG_INFINITY, usize::MAX, 0); y_len];
        cells(&g, |from, to, cell| {
            if expected[to].1 == usize::MAX || x[from] > expected[to].0 {
                expected[to] = (x[from], cell, from);
            }
        });
        let mut expected_dx = gradient_sums(x_len);
        for (&(_, _, from), &dy) in expected.iter().zip(&dy) {
            expected_dx[from].add(f64::from(dy));
            expected_dx[x_len + from].add(f64::from(dy));
        }

        let dx = everywhere(|cpu| {
            let (mut y, mut switches) = (vec![f32::NAN; y_len], vec![u16::MAX; y_len]);
            max_pool_forward(cpu, &g, &x, &mut y, Some(&mut switches));
            for (i, &(value, cell, _)) in expected.iter().enumerate() {
                assert_eq!((y[i], switches[i] as usize), (value, cell), "element {i} of {g:?}");
            }
            let mut predicted = vec![f32::NAN; y_len];
            max_pool_forward(cpu, &g, &x, &mut predicted, None);
            assert_same_bits("without switches", &predicted, &y);
            added_and_assigned(x_len, |dx| max_pool_backward(cpu, &g, &dy, &switches, dx))
        });
        assert_close("dx", &dx, &expected_dx, 1e-6);
    }
}

#[test]
fn nan_wins_and_minus_infinity_is_a_value() {
    let g = geometry([1, 2, 4, 1], 2, 2, 0, false);
    let inf = f32::NEG_INFINITY;
    let x = [3.0, f32::NAN, inf, inf, 5.0, 1.0, inf, inf];
    let (mut y, mut switches) = ([0.0; 2], [9; 2]);
    max_pool_forward(&Cpu::new(1).unwrap(), &g, &x, &mut y, Some(&mut switches));
    assert!(y[0].is_nan() && y[1] == inf);
    assert_eq!(switches, [1, 0]);
}

#[test]
fn averages_match_with_and_without_padding() {
    for g in geometries() {
        for include_pad in [false, true] {
            let (x_len, y_len) = (g.n * g.h * g.w * g.c, g.n * g.out_h * g.out_w * g.c);
            let (x, dy) = (random(1, x_len), random(2, y_len));
            // PyTorch's divisor: the window cut at the declared padding, or the cells inside x.
            let mut divisor = vec![0.0; y_len];
            if include_pad {
                for (y, divisor) in divisor.iter_mut().enumerate() {
                    let (ox, oy) = (y / g.c % g.out_w, y / g.c / g.out_w % g.out_h);
                    let end = |o: usize, len: usize, i: usize| {
                        (o * g.stride[i] + g.kernel[i]).min(len + g.pad[i] + g.pad_end[i]) - o * g.stride[i]
                    };
                    *divisor = (end(oy, g.h, 0) * end(ox, g.w, 1)) as f64;
                }
            } else {
                cells(&g, |_, to, _| divisor[to] += 1.0);
            }
            let mut expected_y = vec![Sum::default(); y_len];
            let mut expected_dx = gradient_sums(x_len);
            cells(&g, |from, to, _| {
                expected_y[to].add(f64::from(x[from]) / divisor[to]);
                expected_dx[from].add(f64::from(dy[to]) / divisor[to]);
                expected_dx[x_len + from].add(f64::from(dy[to]) / divisor[to]);
            });
            let y = everywhere(|cpu| {
                let mut y = vec![f32::NAN; y_len];
                avg_pool_forward(cpu, &g, &x, &mut y, include_pad);
                y
            });
            assert_close("y", &y, &expected_y, 1e-6);
            let dx = everywhere(|cpu| added_and_assigned(x_len, |dx| avg_pool_backward(cpu, &g, &dy, dx, include_pad)));
            assert_close("dx", &dx, &expected_dx, 1e-6);
        }
    }
}

#[test]
fn ceil_mode_counts_declared_padding_only() {
    // One row of 4 pixels in windows of 3, step 2, padding 1: [_ 1 2] [2 3 4] [4 _ beyond].
    let g = PoolGeometry {
        n: 1,
        h: 1,
        w: 4,
        c: 1,
        out_h: 1,
        out_w: 3,
        kernel: [1, 3],
        stride: [1, 2],
        pad: [0, 1],
        pad_end: [0, 1],
    };
    let cpu = Cpu::new(1).unwrap();
    let mut y = [0.0; 3];
    avg_pool_forward(&cpu, &g, &[1.0, 2.0, 3.0, 4.0], &mut y, true);
    assert_eq!(y, [1.0, 3.0, 2.0]);
    avg_pool_forward(&cpu, &g, &[1.0, 2.0, 3.0, 4.0], &mut y, false);
    assert_eq!(y, [1.5, 3.0, 4.0]);
}

#[test]
fn global_average_matches() {
    for (n, pixels, c) in [(1, 1, 1), (3, 49, 33), (2, 5, 16), (17, 4, 5), (2, 3, 256)] {
        let (x, dy) = (random(1, n * pixels * c), random(2, n * c));
        let mut expected_y = vec![Sum::default(); n * c];
        let mut expected_dx = gradient_sums(x.len());
        for (i, &value) in x.iter().enumerate() {
            let to = i / (pixels * c) * c + i % c;
            expected_y[to].add(f64::from(value) / pixels as f64);
            expected_dx[i].add(f64::from(dy[to]) / pixels as f64);
            expected_dx[x.len() + i].add(f64::from(dy[to]) / pixels as f64);
        }
        let y = everywhere(|cpu| {
            let mut y = vec![f32::NAN; n * c];
            global_avg_pool_forward(cpu, pixels, c, &x, &mut y);
            y
        });
        assert_close("y", &y, &expected_y, 1e-7);
        let dx = everywhere(|cpu| added_and_assigned(x.len(), |dx| global_avg_pool_backward(cpu, pixels, c, &dy, dx)));
        assert_close("dx", &dx, &expected_dx, 2e-7);
    }
}
