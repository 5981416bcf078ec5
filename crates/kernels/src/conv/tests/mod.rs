//! Convolution against f64 over odd shapes, every instruction set, several thread counts.

mod few_channels;
mod planned;
mod weight;

use super::*;
use crate::reference::{Sum, assert_close, assert_same_bits, conv_products, random};
use crate::{Cpu, Isa};

/// Output length of a symmetric padding.
fn out(len: usize, kernel: usize, stride: usize, pad: usize, dilation: usize) -> usize {
    (len + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1
}

/// A square-ish geometry with symmetric padding.
pub(super) fn geometry(
    [n, h, w]: [usize; 3],
    [c_in, c_out]: [usize; 2],
    kernel: usize,
    stride: usize,
    pad: usize,
    dilation: usize,
    groups: usize,
) -> ConvGeometry {
    let (out_h, out_w) = (out(h, kernel, stride, pad, dilation), out(w, kernel, stride, pad, dilation));
    ConvGeometry {
        n,
        h,
        w,
        c_in,
        out_h,
        out_w,
        c_out,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 2],
        dilation: [dilation; 2],
        groups,
    }
}

/// Every feature alone and in company, with channel counts on both sides of each vector and panel width.
fn geometries() -> Vec<ConvGeometry> {
    let mut all = Vec::new();
    for (c_in, c_out) in [(1, 1), (1, 6), (3, 5), (3, 64), (5, 17), (16, 16), (17, 33), (33, 3), (40, 50), (8, 100)] {
        all.push(geometry([3, 9, 7], [c_in, c_out], 3, 1, 1, 1, 1));
        all.push(geometry([1, 10, 11], [c_in, c_out], 3, 2, 1, 1, 1));
        all.push(geometry([1, 1, 1], [c_in, c_out], 1, 1, 0, 1, 1));
        all.push(geometry([7, 1, 1], [c_in, c_out], 1, 1, 0, 1, 1));
        all.push(geometry([2, 6, 5], [c_in, c_out], 1, 2, 0, 1, 1));
        all.push(geometry([1, 1, 1], [c_in, c_out], 3, 1, 1, 1, 1));
        all.push(geometry([1, 13, 12], [c_in, c_out], 5, 3, 2, 1, 1));
        all.push(geometry([1, 9, 12], [c_in, c_out], 3, 1, 2, 2, 1));
        all.push(geometry([1, 11, 9], [c_in, c_out], 2, 3, 0, 2, 1));
        all.push(geometry([2, 8, 8], [c_in, c_out], 5, 1, 0, 1, 1));
        all.push(geometry([1, 5, 6], [2 * c_in, 2 * c_out], 3, 1, 1, 1, 2));
        all.push(geometry([1, 7, 6], [3 * c_in, 3 * c_out], 3, 2, 1, 1, 3));
    }
    for c in [2, 3, 16, 17, 40] {
        all.push(geometry([3, 9, 12], [c, c], 3, 1, 1, 1, c));
        all.push(geometry([1, 9, 12], [c, c], 3, 2, 1, 1, c));
        all.push(geometry([1, 12, 11], [c, c], 5, 2, 2, 2, c));
        all.push(geometry([2, 2, 2], [c, c], 7, 1, 3, 1, c));
        all.push(geometry([1, 6, 7], [c, 3 * c], 3, 1, 1, 1, c));
    }
    // Uneven kernels, strides, dilations, and padding that differs on all four sides.
    let odd = geometry([2, 10, 13], [5, 7], 3, 1, 1, 1, 1);
    all.push(ConvGeometry { kernel: [1, 5], stride: [2, 1], pad: [0, 3], out_h: 5, out_w: 14, ..odd });
    all.push(ConvGeometry { kernel: [4, 2], stride: [1, 2], pad: [3, 0], out_h: 12, out_w: 7, ..odd });
    all.push(ConvGeometry {
        kernel: [3, 3],
        stride: [1, 1],
        pad: [0, 2],
        dilation: [3, 1],
        out_h: 7,
        out_w: 12,
        ..odd
    });
    all.push(ConvGeometry { c_in: 7, groups: 7, stride: [2, 1], pad: [2, 0], out_h: 7, out_w: 14, ..odd });
    // Rows of x that no window reaches, and windows that lie wholly in padding.
    all.push(ConvGeometry { stride: [4, 4], kernel: [2, 2], pad: [0, 0], out_h: 3, out_w: 3, ..odd });
    all.push(ConvGeometry { pad: [5, 4], out_h: 16, out_w: 17, ..odd });
    // Enough pixels for several blocks, chunks and pieces; depth beyond a cached panel.
    all.push(geometry([1, 40, 41], [16, 24], 3, 1, 1, 1, 1));
    all.push(geometry([1, 23, 40], [40, 70], 3, 1, 1, 1, 1));
    all.push(geometry([1, 3, 4], [300, 70], 3, 1, 1, 1, 1));
    all.push(geometry([300, 1, 1], [70, 10], 1, 1, 0, 1, 1));
    all.push(geometry([1, 150, 40], [17, 17], 3, 1, 1, 1, 17));
    all
}

/// Random operands of a geometry, one seed each.
pub(super) struct Operands {
    pub(super) x: Vec<f32>,
    pub(super) weight: Vec<f32>,
    pub(super) dy: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Operands {
    pub(super) fn new(g: &ConvGeometry) -> Self {
        Self {
            x: random(1, g.x_len()),
            weight: random(2, g.weight_len()),
            dy: random(3, g.y_len()),
            bias: random(4, g.c_out),
        }
    }
}

/// Runs `f`, which assigns or adds to its second argument, on every instruction set and with 1, 2 and 8 threads: bits may
/// not depend on the threads, nor on what scratch held before. Returns one result for each instruction set.
pub(super) fn everywhere(
    what: &str,
    start: &[f32],
    scratch: usize,
    f: impl Fn(&Cpu, &mut [f32], &mut [f32]),
) -> Vec<Vec<f32>> {
    let run = |isa| {
        let [one, two, eight] = [(1, f32::NAN), (2, 1.0), (8, 0.0)].map(|(threads, left)| {
            let mut out = start.to_vec();
            f(&Cpu::with_isa(threads, isa).unwrap(), &mut out, &mut vec![left; scratch]);
            out
        });
        assert_same_bits(&format!("{what}, 2 threads, {isa:?}"), &one, &two);
        assert_same_bits(&format!("{what}, 8 threads, {isa:?}"), &one, &eight);
        one
    };
    Isa::available().into_iter().map(run).collect()
}

/// Bound on the error relative to the sum of magnitudes: a sum of n terms in order errs by at most n half-ulps (6e-8),
/// and far less as a rule; no test sums more than 5 000.
pub(super) fn bound(terms: usize) -> f64 {
    6e-8 * (terms as f64).sqrt().mul_add(2.0, 3.0)
}

#[test]
fn forward_matches_and_assigns() {
    for g in geometries() {
        let k = Operands::new(&g);
        for bias in [None, Some(&k.bias[..])] {
            let mut expected: Vec<Sum> = vec![Sum::default(); g.y_len()];
            conv_products(&g, |x, w, y| expected[y].add(f64::from(k.x[x]) * f64::from(k.weight[w])));
            for (i, sum) in expected.iter_mut().enumerate() {
                sum.add(bias.map_or(0.0, |b| f64::from(b[i % g.c_out])));
            }
            let start = vec![f32::NAN; g.y_len()];
            let results = everywhere("forward", &start, g.forward_scratch(), |cpu, y, scratch| {
                conv_forward(cpu, &g, &k.x, &k.weight, bias, y, scratch);
            });
            for y in results {
                assert_close(&format!("forward of {g:?}"), &y, &expected, bound(g.weight_len() / g.c_out));
            }
        }
    }
}

#[test]
fn backward_data_matches_and_adds() {
    for g in geometries() {
        let k = Operands::new(&g);
        let start = random(5, g.x_len());
        let mut expected: Vec<Sum> = vec![Sum::default(); g.x_len()];
        conv_products(&g, |x, w, y| expected[x].add(f64::from(k.dy[y]) * f64::from(k.weight[w])));
        expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
        let results = everywhere("data gradient", &start, g.backward_data_scratch(), |cpu, dx, scratch| {
            conv_backward_data(cpu, &g, &k.dy, &k.weight, dx, scratch);
        });
        for dx in results {
            assert_close(&format!("data gradient of {g:?}"), &dx, &expected, bound(g.weight_len() / g.c_in * g.groups));
        }
    }
}

#[test]
fn backward_weight_matches_and_adds() {
    for g in geometries() {
        let k = Operands::new(&g);
        let start = random(5, g.weight_len());
        let mut expected: Vec<Sum> = vec![Sum::default(); g.weight_len()];
        conv_products(&g, |x, w, y| expected[w].add(f64::from(k.x[x]) * f64::from(k.dy[y])));
        expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
        let results = everywhere("weight gradient", &start, g.backward_weight_scratch(), |cpu, dw, scratch| {
            conv_backward_weight(cpu, &g, &k.x, &k.dy, dw, scratch);
        });
        for dw in results {
            assert_close(&format!("weight gradient of {g:?}"), &dw, &expected, bound(g.n * g.out_h * g.out_w));
        }
    }
}

#[test]
#[should_panic(expected = "elements of x")]
fn wrong_lengths_panic() {
    let g = geometry([1, 4, 4], [3, 2], 3, 1, 1, 1, 1);
    let mut scratch = vec![0.0; g.forward_scratch()];
    conv_forward(&Cpu::new(1).unwrap(), &g, &[0.0; 47], &[0.0; 54], None, &mut [0.0; 32], &mut scratch);
}

#[test]
#[should_panic(expected = "scratch of 3 floats")]
fn short_scratch_panics() {
    let g = geometry([1, 4, 4], [3, 2], 3, 1, 1, 1, 1);
    conv_forward(&Cpu::new(1).unwrap(), &g, &[0.0; 48], &[0.0; 54], None, &mut [0.0; 32], &mut [0.0; 3]);
}
