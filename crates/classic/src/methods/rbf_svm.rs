//! Support vector machines with the Gaussian kernel exp(−γ ‖a − b‖²), one for each pair of classes, which vote: LIBSVM's way
//! (Chang and Lin 2011, DOI 10.1145/1961189.1961199) and scikit-learn's `SVC`. Pairs need kernel matrices of two classes'
//! rows at a time and far fewer steps than one class against all others.

use super::coupling::couple;
use super::platt::{Sigmoid, sigmoids_fit};
use super::smo::{Rows, Solution, Whole, solve};
use super::{Classify, Method, finite, sound};
use crate::error::{ClassicError, require};
use crate::labelled::{Labelled, folds};
use crate::matrix::Matrix;
use crate::product::{Product, product};
use crate::vector::dots;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use striate_kernels::Cpu;

/// The kernel's γ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gamma {
    /// 1 / (columns · variance of all values).
    Scale,
    /// 1 / columns.
    Columns,
    /// This.
    Value(f64),
}

/// Minimises ‖w‖² / 2 + c Σ ξ in the kernel's space for each pair of classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RbfSvm {
    /// The weight of the rows against the penalty.
    pub c: f64,
    /// The kernel's γ.
    pub gamma: Gamma,
    /// Ends when no pair of rows breaks the optimum's conditions by more.
    pub tolerance: f64,
    /// Parts of the rows that are held out in turn to learn probabilities by; 0: there are none.
    pub folds: usize,
    /// Megabytes of a kernel matrix beyond which only rows of it are kept.
    pub cache: usize,
}

impl Default for RbfSvm {
    fn default() -> Self {
        Self { c: 1.0, gamma: Gamma::Scale, tolerance: 1e-3, folds: 3, cache: 600 }
    }
}

/// The rows that hold the margins, and their weights in each pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RbfSvmModel {
    gamma: f64,
    /// Support vectors, class by class.
    support: Matrix,
    /// Where each class's begin, and their number.
    starts: Vec<usize>,
    /// (support vectors, classes − 1): y α against each other class, in order.
    coefficients: Matrix,
    /// Of each pair, (0, 1), (0, 2), …: what the decision is less by.
    rhos: Vec<f64>,
    /// A sigmoid for each pair, or none.
    sigmoids: Vec<Sigmoid>,
}

const NAME: &str = "rbf_svm";

/// Turns products of rows into the kernel, given squared lengths.
fn to_kernel(products: &mut [f32], gamma: f64, square: f64, squares: &[f64]) {
    for (k, s) in products.iter_mut().zip(squares) {
        *k = ((-gamma * (square + s - 2.0 * f64::from(*k)).max(0.0)) as f32).exp();
    }
}

fn squares_of(rows: &Matrix) -> Vec<f64> {
    rows.iter().map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum()).collect()
}

/// Rows of a kernel's matrix too large to be held, the latest kept.
struct Kept<'a> {
    cpu: &'a Cpu,
    rows: &'a Matrix,
    squares: Vec<f64>,
    gamma: f64,
    most: usize,
    kept: HashMap<usize, (u64, Vec<f32>)>,
    clock: u64,
}

impl Kept<'_> {
    fn fetch(&mut self, i: usize, stays: usize) {
        self.clock += 1;
        if let Some((used, _)) = self.kept.get_mut(&i) {
            *used = self.clock;
            return;
        }
        let mut row = vec![0.0; self.rows.rows()];
        if self.kept.len() >= self.most {
            let others = self.kept.iter().filter(|(k, _)| **k != stays);
            if let Some(oldest) = others.min_by_key(|(_, (used, _))| *used).map(|(&k, _)| k)
                && let Some((_, freed)) = self.kept.remove(&oldest)
            {
                row = freed;
            }
        }
        dots(self.cpu, self.rows.values(), self.rows.row(i), &mut row);
        to_kernel(&mut row, self.gamma, self.squares[i], &self.squares);
        row[i] = 1.0;
        self.kept.insert(i, (self.clock, row));
    }
}

impl Rows for Kept<'_> {
    fn len(&self) -> usize {
        self.rows.rows()
    }

    fn pair(&mut self, i: usize, j: usize) -> [&[f32]; 2] {
        self.fetch(i, j);
        self.fetch(j, i);
        [&self.kept[&i].1, &self.kept[&j].1]
    }

    fn row(&mut self, i: usize) -> &[f32] {
        self.fetch(i, i);
        &self.kept[&i].1
    }
}

/// A pair of classes: its machine, and the sigmoid of its decisions if there is one.
struct Pair {
    solution: Solution,
    sigmoid: Option<Sigmoid>,
}

impl RbfSvm {
    fn gamma_of(&self, cpu: &Cpu, rows: &Matrix) -> f64 {
        let d = rows.columns() as f64;
        match self.gamma {
            Gamma::Value(gamma) => gamma,
            Gamma::Columns => 1.0 / d,
            Gamma::Scale => {
                let (mean, variance) = rows.moments(cpu);
                let all = mean.iter().sum::<f64>() / d;
                let within: f64 = variance.iter().zip(&mean).map(|(v, m)| v + (m - all).powi(2)).sum();
                if within > 0.0 { 1.0 / within } else { 1.0 }
            }
        }
    }

    /// The machine of rows of two classes, the first's first.
    fn machine(&self, cpu: &Cpu, rows: &Matrix, first: usize, gamma: f64) -> (Solution, Option<Vec<f32>>) {
        let n = rows.rows();
        let y: Vec<bool> = (0..n).map(|i| i < first).collect();
        let rounds = (100 * n).max(10_000_000);
        let squares = squares_of(rows);
        if n * n / 250_000 > self.cache {
            let most = (self.cache * 250_000 / n).max(2);
            let (kept, clock) = (HashMap::new(), 0);
            let mut rows = Kept { cpu, rows, squares, gamma, most, kept, clock };
            return (solve(&mut rows, &y, self.c, self.tolerance, rounds), None);
        }
        let mut kernel = product(cpu, rows.values(), rows.values(), rows.columns());
        for (i, row) in kernel.chunks_exact_mut(n).enumerate() {
            to_kernel(row, gamma, squares[i], &squares);
            row[i] = 1.0;
        }
        (solve(&mut Whole { values: &kernel, len: n }, &y, self.c, self.tolerance, rounds), Some(kernel))
    }

    /// The sigmoid of a pair, by decisions on rows that had no part in the machines which give them.
    fn sigmoid(
        &self,
        cpu: &Cpu,
        rows: &Matrix,
        first: usize,
        kernel: Option<&[f32]>,
        gamma: f64,
        seed: u64,
    ) -> Result<Sigmoid, ClassicError> {
        let n = rows.rows();
        let labels: Vec<u32> = (0..n).map(|i| u32::from(i >= first)).collect();
        let fold_of = folds(&labels, 2, self.folds, seed)?;
        let mut scored = Vec::with_capacity(n);
        for fold in 0..self.folds {
            let (out, taken): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| fold_of[i] == fold);
            let taken_first = taken.iter().filter(|&&i| i < first).count();
            let decisions: Vec<f64> = if let Some(kernel) = kernel {
                let part: Vec<f32> =
                    taken.iter().flat_map(|&i| taken.iter().map(move |&j| kernel[i * n + j])).collect();
                let y: Vec<bool> = (0..taken.len()).map(|i| i < taken_first).collect();
                let mut whole = Whole { values: &part, len: taken.len() };
                let found = solve(&mut whole, &y, self.c, self.tolerance, (100 * n).max(10_000_000));
                let decide = |&i: &usize| {
                    let each = taken.iter().zip(&found.betas).map(|(&j, b)| b * f64::from(kernel[i * n + j]));
                    each.sum::<f64>() - found.rho
                };
                out.iter().map(decide).collect()
            } else {
                let learnt = rows.select(&taken);
                let (found, _) = self.machine(cpu, &learnt, taken_first, gamma);
                let (out, squares) = (rows.select(&out), squares_of(&learnt));
                let mut products = product(cpu, out.values(), learnt.values(), rows.columns());
                let decide = |(row, square): (&mut [f32], f64)| {
                    to_kernel(row, gamma, square, &squares);
                    row.iter().zip(&found.betas).map(|(&k, b)| b * f64::from(k)).sum::<f64>() - found.rho
                };
                products.chunks_exact_mut(taken.len()).zip(squares_of(&out)).map(decide).collect()
            };
            scored.extend(out.iter().zip(decisions).map(|(&i, v)| (v as f32, i < first)));
        }
        Ok(Sigmoid::fit(&scored))
    }
}

/// The pairs (a, b) of classes, a < b, in order.
fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}

impl Method for RbfSvm {
    type Model = RbfSvmModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<RbfSvmModel, ClassicError> {
        require(self.c > 0.0 && self.c.is_finite(), NAME, "c", self.c, "above 0")?;
        require(self.tolerance > 0.0, NAME, "tolerance", self.tolerance, "above 0")?;
        require(self.cache > 0, NAME, "cache", self.cache, "at least 1 megabyte")?;
        let (rows, classes) = (data.rows(), data.classes());
        let gamma = self.gamma_of(cpu, rows);
        require(gamma > 0.0 && gamma.is_finite(), NAME, "gamma", gamma, "above 0")?;
        let members = data.members();
        let all: Vec<(usize, usize)> = pairs(classes).collect();
        let mut found: Vec<Option<Result<Pair, ClassicError>>> = all.iter().map(|_| None).collect();
        let one = |at: usize| -> Result<Pair, ClassicError> {
            let (a, b) = all[at];
            let (first, chosen) = (members[a].len(), [&members[a][..], &members[b][..]].concat());
            let rows = rows.select(&chosen);
            let (solution, kernel) = self.machine(cpu, &rows, first, gamma);
            let sigmoid = if self.folds == 0 {
                None
            } else {
                Some(self.sigmoid(cpu, &rows, first, kernel.as_deref(), gamma, seed)?)
            };
            Ok(Pair { solution, sigmoid })
        };
        if all.len() == 1 {
            // Outside a piece, so that products may use every thread.
            found[0] = Some(one(0));
        } else {
            cpu.chunks(&mut found, 1, |at, found| found[0] = Some(one(at)));
        }
        let found = found.into_iter().flatten().collect::<Result<Vec<Pair>, _>>()?;
        let sigmoids = found.iter().filter_map(|pair| pair.sigmoid).collect();
        let rhos = found.iter().map(|pair| pair.solution.rho).collect();
        // (rows, classes − 1), of which rows of zeros support nothing.
        let mut coefficients = Matrix::zeros(rows.rows(), classes - 1);
        for (&(a, b), pair) in all.iter().zip(&found) {
            let (ours, others) = pair.solution.betas.split_at(members[a].len());
            for (class, betas, column) in [(a, ours, b - 1), (b, others, a)] {
                for (&row, &beta) in members[class].iter().zip(betas) {
                    coefficients.values_mut()[row * (classes - 1) + column] = beta as f32;
                }
            }
        }
        let mut kept = Vec::new();
        let mut starts = vec![0];
        for members in &members {
            kept.extend(members.iter().copied().filter(|&row| coefficients.row(row).iter().any(|&b| b != 0.0)));
            starts.push(kept.len());
        }
        let (support, coefficients) = (rows.select(&kept), coefficients.select(&kept));
        Ok(RbfSvmModel { gamma, support, starts, coefficients, rhos, sigmoids })
    }
}

impl RbfSvmModel {
    /// How many rows hold the margins.
    pub fn support_vectors(&self) -> usize {
        self.support.rows()
    }

    /// Each pair's decision for each row, (rows, pairs): positive for the first of the pair.
    fn decisions(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        /// Rows of one product.
        const ROWS: usize = 128;
        let (d, s) = (rows.columns(), self.support.rows());
        let classes = self.classes();
        let count = self.rhos.len();
        let product = Product::new(cpu, self.support.values(), d);
        let (squares, own) = (squares_of(&self.support), squares_of(rows));
        let mut decisions = Matrix::zeros(rows.rows(), count);
        cpu.chunks(decisions.values_mut(), ROWS * count, |piece, out| {
            let first = piece * ROWS;
            let here = out.len() / count;
            let mut kernel = vec![0.0; here * s];
            product.run(cpu, &rows.values()[first * d..][..here * d], None, &mut kernel);
            for ((i, kernel), out) in (first..).zip(kernel.chunks_exact_mut(s)).zip(out.chunks_exact_mut(count)) {
                to_kernel(kernel, self.gamma, own[i], &squares);
                // Σ of each class's support vectors against each other class.
                let mut sums = vec![0.0_f64; classes * (classes - 1)];
                for (class, sums) in sums.chunks_exact_mut(classes - 1).enumerate() {
                    let own = self.starts[class]..self.starts[class + 1];
                    for (row, &k) in own.clone().zip(&kernel[own]) {
                        let k = f64::from(k);
                        sums.iter_mut().zip(self.coefficients.row(row)).for_each(|(sum, &b)| *sum += k * f64::from(b));
                    }
                }
                for ((out, (a, b)), rho) in out.iter_mut().zip(pairs(classes)).zip(&self.rhos) {
                    let sum = sums[a * (classes - 1) + b - 1] + sums[b * (classes - 1) + a];
                    *out = (sum - rho) as f32;
                }
            }
        });
        decisions
    }
}

impl Classify for RbfSvmModel {
    fn inputs(&self) -> usize {
        self.support.columns()
    }

    fn classes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Votes of the pairs; their decisions' sums, brought below a third of a vote, break ties.
    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        let classes = self.classes();
        let decisions = self.decisions(cpu, rows);
        let mut scores = Matrix::zeros(rows.rows(), classes);
        for (scores, decisions) in scores.values_mut().chunks_exact_mut(classes).zip(decisions.iter()) {
            let mut sums = vec![0.0; classes];
            for ((a, b), &v) in pairs(classes).zip(decisions) {
                scores[if v > 0.0 { a } else { b }] += 1.0;
                sums[a] += v;
                sums[b] -= v;
            }
            scores.iter_mut().zip(sums).for_each(|(score, sum)| *score += sum / (3.0 * (sum.abs() + 1.0)));
        }
        scores
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        /// The least and, from 1, the largest probability of a pair.
        const LEAST: f64 = 1e-7;
        if self.sigmoids.is_empty() {
            return None;
        }
        let classes = self.classes();
        let decisions = self.decisions(cpu, rows);
        let mut probabilities = Matrix::zeros(rows.rows(), classes);
        for (out, decisions) in probabilities.values_mut().chunks_exact_mut(classes).zip(decisions.iter()) {
            let mut each = vec![0.0; classes * classes];
            for (((a, b), &v), sigmoid) in pairs(classes).zip(decisions).zip(&self.sigmoids) {
                let p = sigmoid.of(v).clamp(LEAST, 1.0 - LEAST);
                each[a * classes + b] = p;
                each[b * classes + a] = 1.0 - p;
            }
            out.iter_mut().zip(couple(&each, classes)).for_each(|(out, p)| *out = p as f32);
        }
        Some(probabilities)
    }

    fn check(&self) -> Result<(), ClassicError> {
        let (classes, s) = (self.classes(), self.support.rows());
        let starts = self.starts.first() == Some(&0) && self.starts.last() == Some(&s) && self.starts.is_sorted();
        sound(starts && s > 0, NAME, "its classes do not fit its support vectors")?;
        let count = classes * (classes - 1) / 2;
        let fits = self.rhos.len() == count && self.rhos.iter().all(|r| r.is_finite());
        sound(fits && sigmoids_fit(&self.sigmoids, count), NAME, "its pairs do not fit its classes")?;
        let fits = (self.coefficients.rows(), self.coefficients.columns()) == (s, classes - 1);
        sound(fits && finite(self.coefficients.values()), NAME, "its coefficients do not fit its support vectors")?;
        sound(self.gamma > 0.0 && self.gamma.is_finite(), NAME, "its gamma is not above 0")?;
        self.support.check_finite()
    }
}
