//! Linear support vector machines, one for each class against the rest, by dual coordinate descent with shrinking (Hsieh et al.
//! 2008, DOI 10.1145/1390156.1390208), which is LIBLINEAR's way. The bias is a weight of a constant feature 1 and is
//! penalised like the others, as there and in scikit-learn's `LinearSVC`.

// Only what is inlined into an instruction set's wrapper is compiled for it.
#![allow(clippy::inline_always)]

use super::platt::{Sigmoid, sigmoids_fit};
use super::softmax_regression::linear_scores;
use super::{Classify, Method, finite, sound};
use crate::error::{ClassicError, require};
use crate::labelled::{Labelled, folds};
use crate::lots::Lots;
use crate::matrix::Matrix;
use crate::vector::{add_scaled, dot};
use serde::{Deserialize, Serialize};
use striate_kernels::{Cpu, Kernel, Simd};

/// What a row costs that lies on the wrong side of the margin, or within it by ξ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// ξ.
    Hinge,
    /// ξ².
    SquaredHinge,
}

/// Minimises ‖w‖² / 2 + c Σ loss for each class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinearSvm {
    /// The weight of the rows against the penalty.
    pub c: f64,
    /// The loss.
    pub loss: Loss,
    /// Ends when projected gradients differ by less.
    pub tolerance: f64,
    /// The most passes over the rows.
    pub rounds: usize,
    /// Parts of the rows that are held out in turn to learn probabilities by; 0: there are none.
    pub folds: usize,
}

impl Default for LinearSvm {
    fn default() -> Self {
        Self { c: 1.0, loss: Loss::SquaredHinge, tolerance: 1e-3, rounds: 500, folds: 3 }
    }
}

/// A weight and a bias for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearSvmModel {
    /// (classes, inputs).
    weight: Matrix,
    /// (classes).
    bias: Vec<f32>,
    /// A sigmoid for each class, or none.
    sigmoids: Vec<Sigmoid>,
}

const NAME: &str = "linear_svm";

/// One class against the rest.
struct Dual<'a> {
    settings: &'a LinearSvm,
    rows: &'a Matrix,
    /// The rows it learns from.
    taken: &'a [usize],
    /// Squared lengths of all rows, with the constant feature.
    squares: &'a [f32],
    labels: &'a [u32],
    class: u32,
    lots: Lots,
}

impl Kernel for Dual<'_> {
    /// The weight, and the bias as its last element.
    type Output = Vec<f32>;
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) -> Vec<f32> {
        let d = self.rows.columns();
        // The dual's diagonal is increased, or its variables are bounded.
        let (extra, most) = match self.settings.loss {
            Loss::SquaredHinge => (0.5 / self.settings.c, f64::INFINITY),
            Loss::Hinge => (0.0, self.settings.c),
        };
        let mut w = vec![0.0_f32; d];
        let mut bias = 0.0_f64;
        let mut alphas = vec![0.0_f64; self.taken.len()];
        let mut order: Vec<usize> = (0..self.taken.len()).collect();
        let mut active = order.len();
        let (mut largest_before, mut least_before) = (f64::INFINITY, f64::NEG_INFINITY);
        for _ in 0..self.settings.rounds {
            let (mut largest, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
            self.lots.shuffle(&mut order[..active]);
            let mut at = 0;
            while at < active {
                let i = order[at];
                let row = self.taken[i];
                let x = self.rows.row(row);
                let y = if self.labels[row] == self.class { 1.0 } else { -1.0 };
                let alpha = alphas[i];
                let gradient = y * (f64::from(dot(s, &w, x)) + bias) - 1.0 + extra * alpha;
                // Rows that are at a bound and push against it hard are left out of later passes.
                let (shrinks, projected) = if alpha <= 0.0 {
                    (gradient > largest_before, gradient.min(0.0))
                } else if alpha >= most {
                    (gradient < least_before, gradient.max(0.0))
                } else {
                    (false, gradient)
                };
                if shrinks {
                    active -= 1;
                    order.swap(at, active);
                    continue;
                }
                (largest, least) = (largest.max(projected), least.min(projected));
                if projected.abs() > 1e-12 {
                    alphas[i] = (alpha - gradient / (f64::from(self.squares[row]) + extra)).clamp(0.0, most);
                    let step = (alphas[i] - alpha) * y;
                    add_scaled(s, step as f32, x, &mut w);
                    bias += step;
                }
                at += 1;
            }
            if largest - least <= self.settings.tolerance {
                if active == order.len() {
                    break;
                }
                // Good so far: once more over all rows.
                active = order.len();
                (largest_before, least_before) = (f64::INFINITY, f64::NEG_INFINITY);
                continue;
            }
            largest_before = if largest <= 0.0 { f64::INFINITY } else { largest };
            least_before = if least >= 0.0 { f64::NEG_INFINITY } else { least };
        }
        w.push(bias as f32);
        w
    }
}

/// Keeps these draws apart from others of the same seed.
const ORDER: u64 = 0x6c73;

impl LinearSvm {
    /// A weight and a bias for every class, learnt from the rows of `taken`.
    fn weights(
        &self,
        cpu: &Cpu,
        data: &Labelled<'_>,
        squares: &[f32],
        taken: &[usize],
        seed: u64,
    ) -> Result<(Matrix, Vec<f32>), ClassicError> {
        let (rows, classes, labels) = (data.rows(), data.classes(), data.labels());
        let d = rows.columns();
        let mut found = vec![Vec::new(); classes];
        cpu.chunks(&mut found, 1, |class, found| {
            let (class, lots) = (class as u32, Lots::new(seed, &[ORDER, class as u64]));
            let dual = Dual { settings: self, rows, taken, squares, labels, class, lots };
            found[0] = cpu.isa().dispatch(dual);
        });
        let bias = found.iter_mut().filter_map(Vec::pop).collect::<Vec<f32>>();
        let weight = Matrix::new(classes, d, found.concat())?;
        if !finite(&bias) || !finite(weight.values()) {
            return Err(ClassicError::Diverged { of: NAME });
        }
        Ok((weight, bias))
    }
}

impl Method for LinearSvm {
    type Model = LinearSvmModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<LinearSvmModel, ClassicError> {
        require(self.c > 0.0 && self.c.is_finite(), NAME, "c", self.c, "above 0")?;
        require(self.tolerance > 0.0, NAME, "tolerance", self.tolerance, "above 0")?;
        let (rows, classes, labels) = (data.rows(), data.classes(), data.labels());
        let square = |row: &[f32]| (row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() + 1.0) as f32;
        let squares: Vec<f32> = rows.iter().map(square).collect();
        let all: Vec<usize> = (0..rows.rows()).collect();
        let (weight, bias) = self.weights(cpu, data, &squares, &all, seed)?;
        if self.folds == 0 {
            return Ok(LinearSvmModel { weight, bias, sigmoids: Vec::new() });
        }
        // Scores of rows that had no part in the machines which give them.
        let fold_of = folds(labels, classes, self.folds, seed)?;
        let mut held_out = Matrix::zeros(rows.rows(), classes);
        for fold in 0..self.folds {
            let (out, taken): (Vec<usize>, Vec<usize>) = all.iter().copied().partition(|&i| fold_of[i] == fold);
            let (weight, bias) = self.weights(cpu, data, &squares, &taken, seed)?;
            let scores = linear_scores(cpu, &rows.select(&out), &weight, &bias);
            for (&row, scores) in out.iter().zip(scores.iter()) {
                held_out.values_mut()[row * classes..][..classes].copy_from_slice(scores);
            }
        }
        let sigmoid = |class: usize| {
            let scored = held_out.iter().zip(labels).map(|(scores, &label)| (scores[class], label as usize == class));
            Sigmoid::fit(&scored.collect::<Vec<_>>())
        };
        Ok(LinearSvmModel { weight, bias, sigmoids: (0..classes).map(sigmoid).collect() })
    }
}

impl Classify for LinearSvmModel {
    fn inputs(&self) -> usize {
        self.weight.columns()
    }

    fn classes(&self) -> usize {
        self.weight.rows()
    }

    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        linear_scores(cpu, rows, &self.weight, &self.bias)
    }

    /// Each class's sigmoid, divided by the sum over the classes.
    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        if self.sigmoids.is_empty() {
            return None;
        }
        let mut scores = self.scores(cpu, rows);
        let classes = self.sigmoids.len();
        for row in scores.values_mut().chunks_exact_mut(classes) {
            let each: Vec<f64> = row.iter().zip(&self.sigmoids).map(|(&v, s)| s.of(v)).collect();
            let sum: f64 = each.iter().sum();
            for (p, each) in row.iter_mut().zip(each) {
                *p = if sum > 0.0 { each / sum } else { 1.0 / classes as f64 } as f32;
            }
        }
        Some(scores)
    }

    fn check(&self) -> Result<(), ClassicError> {
        let classes = self.weight.rows();
        sound(self.bias.len() == classes && finite(&self.bias), NAME, "its biases do not fit its weights")?;
        sound(sigmoids_fit(&self.sigmoids, classes), NAME, "its sigmoids do not fit its classes")?;
        self.weight.check_finite()
    }
}
