//! A linear support vector machine for two classes, by dual coordinate descent (Hsieh et al. 2008, DOI 10.1145/1390156.1390208):
//! the least of ‖w‖²/2 + Σ cᵢ max(0, 1 − yᵢ w·xᵢ). The bias is the weight of a constant feature, as in LIBLINEAR, and is penalised
//! like the others; the larger the constant, the less.

use crate::sums::dot;
use striate_kernels::hash;

/// How a machine is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSvm {
    /// What an example within the margin costs.
    pub c: f64,
    /// How many times as much a positive one costs.
    pub positive_weight: f64,
    /// The constant feature.
    pub bias: f64,
    /// Ends when projected gradients differ by no more.
    pub tolerance: f64,
    /// The most passes over the examples.
    pub rounds: u64,
}

/// A weight a feature, and a bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// The weights.
    pub weight: Vec<f32>,
    /// What is added.
    pub bias: f32,
}

impl Linear {
    /// w·x + b.
    pub fn of(&self, x: &[f32]) -> f64 {
        dot(&self.weight, x) + f64::from(self.bias)
    }
}

impl LinearSvm {
    /// Learns from rows of `columns` features, of which those are positive that `positive` says.
    pub fn fit(&self, rows: &[f32], columns: usize, positive: &[bool], seed: u64) -> Linear {
        let (weight, bias, _) = self.solve(rows, columns, positive, seed);
        Linear { weight: weight.iter().map(|w| *w as f32).collect(), bias: bias as f32 }
    }

    /// The cost of an example, which bounds its multiplier.
    fn most(&self, positive: bool) -> f64 {
        if positive { self.c * self.positive_weight } else { self.c }
    }

    /// The weights, the bias, and the examples' multipliers.
    fn solve(&self, rows: &[f32], columns: usize, positive: &[bool], seed: u64) -> (Vec<f64>, f64, Vec<f64>) {
        let row = |i: usize| &rows[i * columns..(i + 1) * columns];
        let n = positive.len();
        let squares: Vec<f64> = (0..n).map(|i| dot(row(i), row(i)) + self.bias * self.bias).collect();
        let (mut w, mut constant, mut alphas) = (vec![0.0_f64; columns], 0.0_f64, vec![0.0_f64; n]);
        let mut order: Vec<usize> = (0..n).collect();
        for round in 0..self.rounds {
            shuffle(&mut order, hash(seed, round));
            let (mut largest, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
            for &i in &order {
                let (x, y, most) = (row(i), if positive[i] { 1.0 } else { -1.0 }, self.most(positive[i]));
                let gradient = y * (dot(&w, x) + constant * self.bias) - 1.0;
                let projected = match alphas[i] {
                    a if a <= 0.0 => gradient.min(0.0),
                    a if a >= most => gradient.max(0.0),
                    _ => gradient,
                };
                (largest, least) = (largest.max(projected), least.min(projected));
                if projected.abs() > 1e-12 && squares[i] > 0.0 {
                    let alpha = (alphas[i] - gradient / squares[i]).clamp(0.0, most);
                    let step = (alpha - alphas[i]) * y;
                    alphas[i] = alpha;
                    w.iter_mut().zip(x).for_each(|(w, x)| *w += step * f64::from(*x));
                    constant += step * self.bias;
                }
            }
            if largest - least <= self.tolerance {
                break;
            }
        }
        (w, constant * self.bias, alphas)
    }
}

/// Fisher and Yates's shuffle by counter-based lots.
fn shuffle(order: &mut [usize], seed: u64) {
    for i in (1..order.len()).rev() {
        order.swap(i, (hash(seed, i as u64) % (i as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    const SETTINGS: LinearSvm = LinearSvm { c: 0.5, positive_weight: 2.0, bias: 3.0, tolerance: 1e-9, rounds: 100_000 };

    #[test]
    fn two_points_are_parted_in_the_middle() {
        // x = 1 and 3 without bounds: w = 1, b = −2; the constant feature's weight is b / 100, so that it costs next to nothing.
        let wide = LinearSvm { c: 1e6, positive_weight: 1.0, bias: 100.0, ..SETTINGS };
        let found = wide.fit(&[1.0, 3.0], 1, &[false, true], 0);
        assert!((found.weight[0] - 1.0).abs() < 1e-3 && (found.bias + 2.0).abs() < 2e-3, "{found:?}");
        assert!((found.of(&[3.0]) - 1.0).abs() < 2e-3);
    }

    #[test]
    fn the_primal_equals_the_dual() {
        // At the optimum both are equal; nothing else satisfies that.
        let (n, d) = (60, 5);
        let positive: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
        let shifted = |i: usize| normal(4, i as u64) + if positive[i / d] { 0.7 } else { 0.0 };
        let rows: Vec<f32> = (0..n * d).map(shifted).collect();
        let (w, bias, alphas) = SETTINGS.solve(&rows, d, &positive, 1);
        let constant = bias / SETTINGS.bias;
        let norm = w.iter().map(|v| v * v).sum::<f64>() + constant * constant;
        let loss = |i: usize| {
            let margin = dot(&w, &rows[i * d..(i + 1) * d]) + bias;
            let short = 1.0 - if positive[i] { margin } else { -margin };
            SETTINGS.most(positive[i]) * short.max(0.0)
        };
        let primal = norm / 2.0 + (0..n).map(loss).sum::<f64>();
        let dual = alphas.iter().sum::<f64>() - norm / 2.0;
        assert!((primal - dual).abs() < 1e-6 * primal, "{primal} and {dual}");
        assert!(alphas.iter().zip(&positive).all(|(a, p)| (0.0..=SETTINGS.most(*p)).contains(a)));
        assert!(alphas.contains(&0.0) && alphas.contains(&0.5), "some bind, some do not");
    }

    #[test]
    fn the_same_seed_gives_the_same_machine() {
        let rows: Vec<f32> = (0..80).map(|i| normal(9, i)).collect();
        let positive: Vec<bool> = (0..20).map(|i| i < 7).collect();
        let rough = LinearSvm { tolerance: 0.1, ..SETTINGS };
        assert_eq!(rough.fit(&rows, 4, &positive, 5), rough.fit(&rows, 4, &positive, 5));
        assert_eq!(rough.fit(&[], 4, &[], 5).weight, [0.0; 4]);
    }
}
