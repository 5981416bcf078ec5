//! Sequential minimal optimisation of a support vector machine's dual with second-order choice of the pair (Fan, Chen and Lin
//! 2005, JMLR 6), as LIBSVM has it, without shrinking: the kernel's matrix is at hand.
//!
//! With β = y α the gradient is e = K β − y. βᵢ may rise where y is 1 and α below its bound or y is −1 and α above 0, and
//! may fall in the other cases; at the optimum no e that may rise is less than one that may fall.

/// The kernel's matrix of some rows.
pub(super) trait Rows {
    /// How many rows.
    fn len(&self) -> usize;

    /// Row `i`, and with it row `j`, if asked for at once.
    fn pair(&mut self, i: usize, j: usize) -> [&[f32]; 2];

    /// Row `i`.
    fn row(&mut self, i: usize) -> &[f32];
}

/// A matrix that is there.
pub(super) struct Whole<'a> {
    pub(super) values: &'a [f32],
    pub(super) len: usize,
}

impl Rows for Whole<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn pair(&mut self, i: usize, j: usize) -> [&[f32]; 2] {
        let (values, len) = (self.values, self.len);
        [i, j].map(|i| &values[i * len..(i + 1) * len])
    }

    fn row(&mut self, i: usize) -> &[f32] {
        &self.values[i * self.len..(i + 1) * self.len]
    }
}

/// What was found.
pub(super) struct Solution {
    /// y α of each row.
    pub(super) betas: Vec<f64>,
    /// The decision is Σ β K − this.
    pub(super) rho: f64,
}

/// Whether βᵢ may rise and may fall.
fn free(y: bool, alpha: f64, c: f64) -> [bool; 2] {
    let (below, above) = (alpha < c, alpha > 0.0);
    if y { [below, above] } else { [above, below] }
}

/// Solves the dual for labels `y` (whether a row is of the first class), a kernel with ones on its diagonal, bound `c`, to
/// `tolerance`, in at most `rounds` steps.
pub(super) fn solve(rows: &mut dyn Rows, y: &[bool], c: f64, tolerance: f64, rounds: usize) -> Solution {
    /// What stands for a curvature that is not positive.
    const LEAST: f64 = 1e-12;
    let n = rows.len();
    let mut alphas = vec![0.0_f64; n];
    let mut errors: Vec<f64> = y.iter().map(|&y| if y { -1.0 } else { 1.0 }).collect();
    let mut may: Vec<[bool; 2]> = y.iter().map(|&y| free(y, 0.0, c)).collect();
    let extremes = |errors: &[f64], may: &[[bool; 2]]| {
        let (mut least, mut largest) = ((f64::INFINITY, 0), f64::NEG_INFINITY);
        for (t, (&e, may)) in errors.iter().zip(may).enumerate() {
            if may[0] && e < least.0 {
                least = (e, t);
            }
            if may[1] && e > largest {
                largest = e;
            }
        }
        (least, largest)
    };
    for _ in 0..rounds {
        let ((least, i), largest) = extremes(&errors, &may);
        if largest - least < tolerance {
            break;
        }
        let mut best = (0.0, i);
        for (t, ((&e, may), &k)) in errors.iter().zip(&may).zip(rows.row(i)).enumerate() {
            let by = e - least;
            if may[1] && by > 0.0 {
                let gain = by * by / (2.0 - 2.0 * f64::from(k)).max(LEAST);
                if gain > best.0 {
                    best = (gain, t);
                }
            }
        }
        let j = best.1;
        let [row_i, row_j] = rows.pair(i, j);
        let room_i = if y[i] { c - alphas[i] } else { alphas[i] };
        let room_j = if y[j] { alphas[j] } else { c - alphas[j] };
        let step = (errors[j] - errors[i]) / (2.0 - 2.0 * f64::from(row_i[j])).max(LEAST);
        let step = step.min(room_i).min(room_j);
        for (t, room, rises) in [(i, room_i, y[i]), (j, room_j, !y[j])] {
            // At a bound exactly, so that rounding does not leave a row nearly there.
            alphas[t] = match (step >= room, rises) {
                (true, true) => c,
                (true, false) => 0.0,
                (false, true) => alphas[t] + step,
                (false, false) => alphas[t] - step,
            };
            may[t] = free(y[t], alphas[t], c);
        }
        for ((e, &a), &b) in errors.iter_mut().zip(row_i).zip(row_j) {
            *e += step * (f64::from(a) - f64::from(b));
        }
    }
    let between: Vec<f64> = errors.iter().zip(&may).filter(|(_, may)| **may == [true; 2]).map(|(&e, _)| e).collect();
    let rho = if between.is_empty() {
        let ((least, _), largest) = extremes(&errors, &may);
        f64::midpoint(least, largest)
    } else {
        between.iter().sum::<f64>() / between.len() as f64
    };
    let betas = alphas.iter().zip(y).map(|(&a, &y)| if y { a } else { -a }).collect();
    Solution { betas, rho }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_have_the_solution_in_closed_form() {
        // K = [[1, k], [k, 1]], one row a class: β = ±1 / (1 − k), or ± c; the decision passes midway.
        let k = 0.25_f32;
        let values = [1.0, k, k, 1.0];
        for (c, beta) in [(10.0, 1.0 / 0.75), (0.5, 0.5)] {
            let found = solve(&mut Whole { values: &values, len: 2 }, &[true, false], c, 1e-6, 100);
            assert!((found.betas[0] - beta).abs() < 1e-9 && (found.betas[1] + beta).abs() < 1e-9, "{:?}", found.betas);
            assert!(found.rho.abs() < 1e-9);
        }
    }

    #[test]
    fn the_optimum_satisfies_its_conditions() {
        let n = 60;
        let place = |i: usize| [(i * 37 % 101) as f64 / 101.0, (i * 53 % 97) as f64 / 97.0];
        let y: Vec<bool> = (0..n).map(|i| place(i)[0] + 0.3 * place(i)[1] > 0.6).collect();
        let kernel = |i: usize, j: usize| {
            let distance: f64 = place(i).iter().zip(place(j)).map(|(a, b)| (a - b).powi(2)).sum();
            (-4.0 * distance).exp() as f32
        };
        let values: Vec<f32> = (0..n * n).map(|at| kernel(at / n, at % n)).collect();
        let found = solve(&mut Whole { values: &values, len: n }, &y, 5.0, 1e-4, 10_000);
        assert!(found.betas.iter().sum::<f64>().abs() < 1e-9);
        for i in 0..n {
            let sum: f64 = (0..n).map(|j| found.betas[j] * f64::from(values[i * n + j])).sum();
            let side = if y[i] { 1.0 } else { -1.0 };
            let (margin, alpha) = (side * (sum - found.rho), side * found.betas[i]);
            assert!((-1e-12..=5.0 + 1e-12).contains(&alpha));
            if alpha < 1e-9 {
                assert!(margin > 1.0 - 2e-4, "row {i} beyond its margin: {margin}");
            } else if alpha > 5.0 - 1e-9 {
                assert!(margin < 1.0 + 2e-4, "row {i} within its margin: {margin}");
            } else {
                assert!((margin - 1.0).abs() < 2e-4, "row {i} on its margin: {margin}");
            }
        }
    }
}
