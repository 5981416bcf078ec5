//! Naive scalar kernels in f64, against which the fast ones are tested, and the data they are tested on.

use crate::{ConvGeometry, normal};

/// `len` normal values from a seed.
pub(crate) fn random(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| normal(seed, i)).collect()
}

/// A sum and the sum of its terms' magnitudes, which bounds its rounding error.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    pub(crate) value: f64,
    pub(crate) magnitude: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }
}

/// Panics where `found` is further from a sum than `relative` times the sum of its terms' magnitudes.
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[Sum], relative: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected.value).abs();
        let bound = relative * expected.magnitude + 1e-30;
        assert!(error <= bound, "{what}: element {i} is {found}, expected {} ± {bound:e}", expected.value);
    }
}

/// Panics where two slices differ in any bit.
pub(crate) fn assert_same_bits(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}: lengths");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a.to_bits(), b.to_bits(), "{what}: element {i} is {a} here and {b} there");
    }
}

/// Calls `f(x index, weight index, y index)` for every product a convolution forms.
pub(crate) fn conv_products(g: &ConvGeometry, mut f: impl FnMut(usize, usize, usize)) {
    let (inputs, outputs) = (g.c_in / g.groups, g.c_out / g.groups);
    let [kernel_h, kernel_w] = g.kernel;
    for image in 0..g.n {
        for (oy, ox) in grid(g.out_h, g.out_w) {
            for (ky, kx) in grid(kernel_h, kernel_w) {
                let y = (oy * g.stride[0] + ky * g.dilation[0]).wrapping_sub(g.pad[0]);
                let x = (ox * g.stride[1] + kx * g.dilation[1]).wrapping_sub(g.pad[1]);
                if y >= g.h || x >= g.w {
                    continue;
                }
                for (o, i) in grid(g.c_out, inputs) {
                    f(
                        ((image * g.h + y) * g.w + x) * g.c_in + o / outputs * inputs + i,
                        ((o * inputs + i) * kernel_h + ky) * kernel_w + kx,
                        ((image * g.out_h + oy) * g.out_w + ox) * g.c_out + o,
                    );
                }
            }
        }
    }
}

fn grid(h: usize, w: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)))
}
