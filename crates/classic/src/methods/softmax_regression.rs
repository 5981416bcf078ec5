//! Softmax regression: the mean cross-entropy of W x + b with a squared penalty on W, as scikit-learn's `LogisticRegression`
//! weighs it, minimised by L-BFGS.

use super::lbfgs::{Lbfgs, Objective};
use super::{Classify, Method, finite, sound};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use crate::product::{Product, turned_product};
use serde::{Deserialize, Serialize};
use striate_kernels::{Cpu, cross_entropy, softmax};

/// Minimises mean cross-entropy + ‖W‖² / (2 c n) over n rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoftmaxRegression {
    /// The weight of the rows against the penalty.
    pub c: f64,
    /// Ends when no element of the gradient is larger.
    pub tolerance: f64,
    /// The most rounds.
    pub rounds: usize,
}

impl Default for SoftmaxRegression {
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4, rounds: 200 }
    }
}

/// W and b.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoftmaxModel {
    /// (classes, inputs).
    weight: Matrix,
    /// (classes).
    bias: Vec<f32>,
}

const NAME: &str = "softmax_regression";

struct Entropy<'a> {
    cpu: &'a Cpu,
    data: Labelled<'a>,
    penalty: f64,
}

impl Objective for Entropy<'_> {
    /// Of W, row by row, then b.
    fn evaluate(&mut self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let (rows, classes) = (self.data.rows(), self.data.classes());
        let (n, d) = (rows.rows(), rows.columns());
        let narrow: Vec<f32> = at.iter().map(|&v| v as f32).collect();
        let (weight, bias) = narrow.split_at(classes * d);
        let mut logits = vec![0.0; n * classes];
        Product::new(self.cpu, weight, d).run(self.cpu, rows.values(), Some(bias), &mut logits);
        let mut dlogits = vec![0.0; n * classes];
        let loss = cross_entropy(self.cpu, &logits, classes, self.data.labels().into(), &mut dlogits);
        let mut by_weight = vec![0.0; classes * d];
        turned_product(self.cpu, &dlogits, rows.values(), d, false, &mut by_weight);
        let (to_weight, to_bias) = gradient.split_at_mut(classes * d);
        let mut squares = 0.0;
        for ((to, &g), w) in to_weight.iter_mut().zip(&by_weight).zip(at) {
            *to = f64::from(g) + self.penalty * w;
            squares += w * w;
        }
        to_bias.fill(0.0);
        for row in dlogits.chunks_exact(classes) {
            to_bias.iter_mut().zip(row).for_each(|(to, &g)| *to += f64::from(g));
        }
        loss + self.penalty / 2.0 * squares
    }
}

impl Method for SoftmaxRegression {
    type Model = SoftmaxModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, _: u64) -> Result<SoftmaxModel, ClassicError> {
        require(self.c > 0.0 && self.c.is_finite(), NAME, "c", self.c, "above 0")?;
        require(self.tolerance > 0.0, NAME, "tolerance", self.tolerance, "above 0")?;
        let (n, d, classes) = (data.rows().rows(), data.rows().columns(), data.classes());
        let mut loss = Entropy { cpu, data: *data, penalty: 1.0 / (self.c * n as f64) };
        let settings = Lbfgs { tolerance: self.tolerance, rounds: self.rounds, memory: 10 };
        let found = settings.minimise(&mut loss, vec![0.0; classes * (d + 1)]);
        let mut weight: Vec<f32> = found.into_iter().map(|v| v as f32).collect();
        let bias = weight.split_off(classes * d);
        if !finite(&weight) || !finite(&bias) {
            return Err(ClassicError::Diverged { of: NAME });
        }
        Ok(SoftmaxModel { weight: Matrix::new(classes, d, weight)?, bias })
    }
}

impl Classify for SoftmaxModel {
    fn inputs(&self) -> usize {
        self.weight.columns()
    }

    fn classes(&self) -> usize {
        self.weight.rows()
    }

    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        linear_scores(cpu, rows, &self.weight, &self.bias)
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(softmax_of(cpu, &self.scores(cpu, rows)))
    }

    fn check(&self) -> Result<(), ClassicError> {
        let fits = self.bias.len() == self.weight.rows() && finite(&self.bias);
        sound(fits, NAME, "its biases do not fit its weights")?;
        self.weight.check_finite()
    }
}

/// x · weightᵀ + bias.
pub(super) fn linear_scores(cpu: &Cpu, rows: &Matrix, weight: &Matrix, bias: &[f32]) -> Matrix {
    let mut scores = Matrix::zeros(rows.rows(), weight.rows());
    Product::new(cpu, weight.values(), weight.columns()).run(cpu, rows.values(), Some(bias), scores.values_mut());
    scores
}

/// The softmax of each row.
pub(super) fn softmax_of(cpu: &Cpu, scores: &Matrix) -> Matrix {
    let mut probabilities = Matrix::zeros(scores.rows(), scores.columns());
    softmax(cpu, scores.values(), scores.columns(), probabilities.values_mut());
    probabilities
}
