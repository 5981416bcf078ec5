//! Weight gradients from few channels: short runs of several kernel rows in one tile, dy read where it is or packed, rows
//! longer than a block.

use super::{Operands, bound, everywhere, geometry};
use crate::conv::{ConvGeometry, conv_backward_weight};
use crate::reference::{Sum, assert_close, conv_products};

fn check(g: &ConvGeometry) {
    let k = Operands::new(g);
    let mut expected = vec![Sum::default(); g.weight_len()];
    conv_products(g, |x, w, y| expected[w].add(f64::from(k.x[x]) * f64::from(k.dy[y])));
    let start = vec![0.0; g.weight_len()];
    let results = everywhere("weight gradient", &start, g.backward_weight_scratch(), |cpu, dw, scratch| {
        conv_backward_weight(cpu, g, &k.x, &k.dy, dw, scratch);
    });
    for dw in results {
        assert_close(&format!("weight gradient of {g:?}"), &dw, &expected, bound(g.n * g.out_h * g.out_w));
    }
}

/// Output size for a kernel, padding and stride that differ by axis.
fn uneven(g: ConvGeometry, kernel: [usize; 2], stride: [usize; 2], pad: [usize; 2]) -> ConvGeometry {
    let out = |i: usize, len: usize| (len + 2 * pad[i] - kernel[i]) / stride[i] + 1;
    ConvGeometry { kernel, stride, pad, out_h: out(0, g.h), out_w: out(1, g.w), ..g }
}

#[test]
fn short_kernel_rows_of_every_size() {
    for c_in in [1, 2, 3, 4] {
        let g = geometry([2, 9, 11], [c_in, 6], 1, 1, 0, 1, 1);
        for (rows, cols) in (1..=7).flat_map(|rows| (2..=7).map(move |cols| (rows, cols))) {
            check(&uneven(g, [rows, cols], [1, 1], [rows / 2, 0]));
        }
    }
}

#[test]
fn outputs_on_both_sides_of_what_is_read_in_place() {
    for c_out in [1, 5, 8, 9, 15, 16, 17, 31, 32, 40, 48, 63, 64, 65, 96] {
        for (c_in, kernel, stride) in [(3, 3, 1), (3, 7, 2), (1, 5, 1), (20, 1, 1)] {
            let g = geometry([2, 9, 13], [c_in, c_out], 1, 1, 0, 1, 1);
            check(&uneven(g, [kernel; 2], [stride; 2], [kernel / 2; 2]));
        }
    }
    for groups in [2, 4] {
        check(&geometry([2, 9, 13], [2 * groups, 7 * groups], 3, 1, 1, 1, groups));
        check(&geometry([2, 9, 13], [2 * groups, 16 * groups], 3, 2, 1, 1, groups));
    }
}

/// What the last lanes of a vector read beside a panel's channels may not matter, even where it is no number.
#[test]
fn lanes_beside_the_channels_do_not_matter() {
    let g = geometry([1, 9, 13], [3, 6], 3, 1, 1, 1, 1);
    let k = Operands::new(&g);
    let mut poisoned = k.dy.clone();
    // The first output of each pixel is what a vector reads after the last of the pixel before.
    poisoned.iter_mut().step_by(g.c_out).for_each(|v| *v = f32::NAN);
    let gradients = |dy: &[f32]| {
        everywhere("weight gradient", &vec![0.0; g.weight_len()], g.backward_weight_scratch(), |cpu, dw, scratch| {
            conv_backward_weight(cpu, &g, &k.x, dy, dw, scratch);
        })
    };
    for (plain, poisoned) in gradients(&k.dy).iter().zip(gradients(&poisoned)) {
        let first = g.weight_len() / g.c_out;
        assert!(poisoned[..first].iter().all(|v| v.is_nan()));
        assert_eq!(plain[first..], poisoned[first..]);
    }
}

#[test]
fn rows_longer_than_a_block() {
    for (c_in, c_out) in [(1, 3), (3, 8), (3, 40), (2, 70)] {
        check(&geometry([2, 3, 1100], [c_in, c_out], 3, 1, 1, 1, 1));
        check(&geometry([1, 4, 1203], [c_in, c_out], 3, 2, 0, 1, 1));
    }
}
