//! Radial basis function units over rows × features: `y_i = −‖x − w_i‖²` (LeCun et al. 1998, eq. 7, negated). Differences
//! are squared, not expanded into dot products, so that near centres lose nothing to cancellation.

use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Features summed side by side; the partial sums are added in f64.
const BLOCK: usize = 16;

/// Assigns minus the squared distance of each row to each centre.
///
/// `x (rows, features)`, `centres (classes, features)`, `y (rows, classes)`.
///
/// # Panics
/// If the lengths contradict each other.
pub fn rbf_forward(cpu: &Cpu, x: &[f32], centres: &[f32], features: usize, y: &mut [f32]) {
    let classes = check(x, centres, features, y);
    cpu.chunks(y, classes, |row, y| {
        cpu.isa().dispatch(Distances { x: &x[row * features..][..features], centres, y });
    });
}

struct Distances<'a> {
    x: &'a [f32],
    centres: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Distances<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (x, rest) = self.x.as_chunks::<BLOCK>();
        for (y, centre) in self.y.iter_mut().zip(self.centres.chunks_exact(self.x.len())) {
            let (w, w_rest) = centre.as_chunks::<BLOCK>();
            let mut sums = [0.0_f32; BLOCK];
            for (x, w) in x.iter().zip(w) {
                for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
                    *sum += (x - w) * (x - w);
                }
            }
            for (sum, (x, w)) in sums.iter_mut().zip(rest.iter().zip(w_rest)) {
                *sum += (x - w) * (x - w);
            }
            *y = -sums.iter().map(|&s| f64::from(s)).sum::<f64>() as f32;
        }
    }
}

/// Assigns to dx, or adds to it, the gradient of [`rbf_forward`], `Σ −2 dy_i (x − w_i)`.
///
/// `x` and `dx (rows, features)`, `centres (classes, features)`, `dy (rows, classes)`.
///
/// # Panics
/// If the lengths contradict each other.
pub fn rbf_backward(cpu: &Cpu, x: &[f32], centres: &[f32], features: usize, dy: &[f32], dx: GradientSlot<'_>) {
    let classes = check(x, centres, features, dy);
    assert_eq!(x.len(), dx.values.len(), "dx has the shape of x");
    dx.add_in_chunks(cpu, features, |row, dx| {
        let (x, dy) = (&x[row * features..][..features], &dy[row * classes..][..classes]);
        cpu.isa().dispatch(Pull { x, centres, dy, dx });
    });
}

struct Pull<'a> {
    x: &'a [f32],
    centres: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Pull<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (dy, centre) in self.dy.iter().zip(self.centres.chunks_exact(self.x.len())) {
            for (dx, (x, w)) in self.dx.iter_mut().zip(self.x.iter().zip(centre)) {
                *dx -= 2.0 * dy * (x - w);
            }
        }
    }
}

/// Checks lengths; returns the number of centres.
fn check(x: &[f32], centres: &[f32], features: usize, y: &[f32]) -> usize {
    assert!(features > 0 && x.len().is_multiple_of(features), "whole rows of {features} features");
    let classes = centres.len() / features;
    assert!(classes > 0 && centres.len().is_multiple_of(features), "whole centres of {features} features");
    assert_eq!(y.len(), x.len() / features * classes, "a distance for each row and centre");
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{Sum, assert_close, assert_same_bits, random};

    #[test]
    fn distances_and_gradients_match_the_reference_on_every_instruction_set() {
        for (rows, features, classes) in [(1, 1, 1), (3, 84, 10), (5, 17, 3), (2, 300, 33), (0, 4, 2)] {
            let (x, w) = (random(1, rows * features), random(2, classes * features));
            let (dy, start) = (random(3, rows * classes), random(4, rows * features));
            let mut expected_y = vec![Sum::default(); dy.len()];
            let mut expected_dx: Vec<Sum> = vec![Sum::default(); x.len()];
            expected_dx.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
            for (row, class, j) in
                (0..rows).flat_map(|r| (0..classes * features).map(move |i| (r, i / features, i % features)))
            {
                let difference = f64::from(x[row * features + j]) - f64::from(w[class * features + j]);
                expected_y[row * classes + class].add(-difference * difference);
                expected_dx[row * features + j].add(-2.0 * f64::from(dy[row * classes + class]) * difference);
            }
            for isa in Isa::available() {
                let mut bits: Option<[Vec<f32>; 2]> = None;
                for threads in [1, 2, 8] {
                    let cpu = Cpu::with_isa(threads, isa).unwrap();
                    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], start.clone());
                    rbf_forward(&cpu, &x, &w, features, &mut y);
                    rbf_backward(&cpu, &x, &w, features, &dy, GradientSlot::add(&mut dx));
                    // Up to 19 squares in one sum; one sum over 33 classes, each term rounded twice.
                    assert_close("distances", &y, &expected_y, 6e-8 * 22.0);
                    assert_close("gradient", &dx, &expected_dx, 6e-8 * 36.0);
                    let [y0, dx0] = bits.get_or_insert_with(|| [y.clone(), dx.clone()]);
                    assert_same_bits("threads", &y, y0);
                    assert_same_bits("threads", &dx, dx0);
                }
            }
        }
    }
}
