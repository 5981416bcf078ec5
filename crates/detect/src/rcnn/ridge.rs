//! Ridge regression of four targets at once, by conjugate gradients (Hestenes and Stiefel 1952): the least of
//! Σ ‖Wᵀxᵢ − tᵢ‖² + λ ‖W‖². Targets are centred, and the bias is the weight of a constant feature 1, penalised like the others, as
//! in R-CNN's code. Its whitening of the targets changes nothing, as the solution is linear in them.
//!
//! Rows are summed up in pieces whose size does not depend on the number of threads, and pieces in order.

use super::linear_svm::Linear;
use crate::propose::in_parallel;
use crate::sums::dot;
use striate_kernels::Cpu;

/// Rows of a piece.
const PIECE: usize = 256;
/// Ends when what is left of the right side is this share of it.
const TOLERANCE: f64 = 1e-8;
const MOST_ROUNDS: usize = 2000;

/// The search for one target's weights. Vectors have a value a feature and one for the constant.
struct Search {
    found: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    /// The residual's squared length, and what is small enough.
    square: f64,
    enough: f64,
}

impl Search {
    fn new(right_side: Vec<f64>) -> Self {
        let square = square(&right_side);
        let (found, direction) = (vec![0.0; right_side.len()], right_side.clone());
        Self { found, residual: right_side, direction, square, enough: square * TOLERANCE * TOLERANCE }
    }

    fn is_done(&self) -> bool {
        self.square <= self.enough
    }

    /// The direction times a row and the constant.
    fn along(&self, x: &[f32]) -> f64 {
        dot(&self.direction[..x.len()], x) + self.direction[x.len()]
    }

    /// Goes along the direction; `image` is what the rows, taken twice, make of it.
    fn step(&mut self, mut image: Vec<f64>, lambda: f64) {
        if self.is_done() {
            return;
        }
        add(&mut image, lambda, &self.direction);
        let curvature: f64 = self.direction.iter().zip(&image).map(|(d, i)| d * i).sum();
        let step = self.square / curvature;
        add(&mut self.found, step, &self.direction);
        add(&mut self.residual, -step, &image);
        let before = std::mem::replace(&mut self.square, square(&self.residual));
        let share = self.square / before;
        self.direction.iter_mut().zip(&self.residual).for_each(|(d, r)| *d = r + share * *d);
    }
}

/// A linear function for each of the four targets of rows with `columns` features.
pub fn ridge(cpu: &Cpu, rows: &[f32], columns: usize, targets: &[[f64; 4]], lambda: f64) -> [Linear; 4] {
    let n = targets.len();
    let mean: [f64; 4] = std::array::from_fn(|k| targets.iter().map(|t| t[k]).sum::<f64>() / n.max(1) as f64);
    let centred = |i: usize| -> [f64; 4] { std::array::from_fn(|k| targets[i][k] - mean[k]) };
    let mut searches = gathered(cpu, rows, columns, n, |i, _| centred(i)).map(Search::new);
    for _ in 0..MOST_ROUNDS {
        if searches.iter().all(Search::is_done) {
            break;
        }
        let images = gathered(cpu, rows, columns, n, |_, x| std::array::from_fn(|k| searches[k].along(x)));
        for (search, image) in searches.iter_mut().zip(images) {
            search.step(image, lambda);
        }
    }
    let mut means = mean.into_iter();
    searches.map(|Search { found, .. }| Linear {
        weight: found[..columns].iter().map(|v| *v as f32).collect(),
        bias: (found[columns] + means.next().unwrap_or(0.0)) as f32,
    })
}

/// Σ over rows of (xᵢ, 1) times each of four values.
fn gathered(
    cpu: &Cpu,
    rows: &[f32],
    columns: usize,
    n: usize,
    values: impl Fn(usize, &[f32]) -> [f64; 4] + Sync + Send,
) -> [Vec<f64>; 4] {
    let piece = |piece: usize| {
        let mut sums = [(); 4].map(|()| vec![0.0; columns + 1]);
        for i in piece * PIECE..((piece + 1) * PIECE).min(n) {
            let x = &rows[i * columns..(i + 1) * columns];
            for (sum, value) in sums.iter_mut().zip(values(i, x)) {
                sum.iter_mut().zip(x).for_each(|(s, x)| *s += value * f64::from(*x));
                sum[columns] += value;
            }
        }
        sums
    };
    let mut total = [(); 4].map(|()| vec![0.0; columns + 1]);
    for piece in in_parallel(cpu, n.div_ceil(PIECE), piece) {
        total.iter_mut().zip(&piece).for_each(|(total, piece)| add(total, 1.0, piece));
    }
    total
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    #[test]
    fn the_gradient_is_zero_at_what_is_found() {
        let (n, d, lambda) = (700, 9, 5.0);
        let rows: Vec<f32> = (0..n * d).map(|i| normal(2, i as u64)).collect();
        let target =
            |i: usize| -> [f64; 4] { std::array::from_fn(|k| f64::from(normal(3, (4 * i + k) as u64)) + k as f64) };
        let targets: Vec<[f64; 4]> = (0..n).map(target).collect();
        let found = ridge(&Cpu::new(2).unwrap(), &rows, d, &targets, lambda);
        for (k, found) in found.iter().enumerate() {
            let mean = targets.iter().map(|t| t[k]).sum::<f64>() / n as f64;
            let constant = f64::from(found.bias) - mean;
            let mut gradient: Vec<f64> = found.weight.iter().map(|w| lambda * f64::from(*w)).collect();
            gradient.push(lambda * constant);
            for (i, target) in targets.iter().enumerate() {
                let x = &rows[i * d..(i + 1) * d];
                let error = found.of(x) - target[k];
                gradient.iter_mut().zip(x).for_each(|(g, x)| *g += error * f64::from(*x));
                gradient[d] += error;
            }
            // Weights are rounded to 32 bits.
            assert!(gradient.iter().all(|g| g.abs() < 1e-3), "{gradient:?}");
        }
    }

    #[test]
    fn what_is_linear_is_found_at_any_number_of_threads() {
        let rows: Vec<f32> = (0..1200).map(|i| normal(8, i)).collect();
        let truth = |x: &[f32]| f64::from(2.0 * x[0] - x[1] + 0.5 * x[2]) + 4.0;
        let targets: Vec<[f64; 4]> = rows.chunks_exact(3).map(|x| [truth(x), 1.0, 0.0, -truth(x)]).collect();
        let found = ridge(&Cpu::new(1).unwrap(), &rows, 3, &targets, 1e-6);
        assert_eq!(found, ridge(&Cpu::new(3).unwrap(), &rows, 3, &targets, 1e-6));
        let close = |a: f32, b: f32| (a - b).abs() < 1e-3;
        assert!(close(found[0].weight[0], 2.0) && close(found[0].weight[1], -1.0) && close(found[0].bias, 4.0));
        assert!(found[1].weight.iter().all(|w| close(*w, 0.0)) && close(found[1].bias, 1.0));
        assert_eq!(ridge(&Cpu::new(1).unwrap(), &[], 3, &[], 1.0)[0].weight, [0.0; 3]);
    }
}
