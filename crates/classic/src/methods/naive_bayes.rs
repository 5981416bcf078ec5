//! Gaussian naive Bayes: features are taken as independent and normal in each class. Variances have 10⁻⁹ of the largest
//! variance of all rows added, as in scikit-learn's `GaussianNB`.

use super::softmax_regression::softmax_of;
use super::{Classify, Method, sound};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;
use striate_kernels::Cpu;

/// What is added to variances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NaiveBayes {
    /// As a share of the largest variance of a feature.
    pub smoothing: f64,
}

impl Default for NaiveBayes {
    fn default() -> Self {
        Self { smoothing: 1e-9 }
    }
}

/// Means and variances of each class, and its share of the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesModel {
    /// (classes).
    shares: Vec<f64>,
    /// (classes, inputs).
    means: Vec<Vec<f64>>,
    /// (classes, inputs), above 0.
    variances: Vec<Vec<f64>>,
}

const NAME: &str = "naive_bayes";

impl Method for NaiveBayes {
    type Model = BayesModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, _: u64) -> Result<BayesModel, ClassicError> {
        require(self.smoothing > 0.0 && self.smoothing.is_finite(), NAME, "smoothing", self.smoothing, "above 0")?;
        let rows = data.rows();
        let largest = rows.moments(cpu).1.into_iter().fold(0.0, f64::max);
        let more = if largest > 0.0 { self.smoothing * largest } else { self.smoothing };
        let members = data.members();
        let moments = members.iter().map(|members| rows.select(members).moments(cpu));
        let (means, mut variances): (Vec<Vec<f64>>, Vec<Vec<f64>>) = moments.unzip();
        variances.iter_mut().flatten().for_each(|v| *v += more);
        let shares = members.iter().map(|m| m.len() as f64 / rows.rows() as f64).collect();
        Ok(BayesModel { shares, means, variances })
    }
}

impl Classify for BayesModel {
    fn inputs(&self) -> usize {
        self.means.first().map_or(0, Vec::len)
    }

    fn classes(&self) -> usize {
        self.shares.len()
    }

    /// Logarithms of the classes' joint densities, less the largest of a row.
    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        let classes = self.classes();
        let constants: Vec<f64> = self
            .shares
            .iter()
            .zip(&self.variances)
            .map(|(share, variances)| share.ln() - variances.iter().map(|v| (TAU * v).ln()).sum::<f64>() / 2.0)
            .collect();
        let mut scores = Matrix::zeros(rows.rows(), classes);
        cpu.chunks(scores.values_mut(), classes, |i, scores| {
            let row = rows.row(i);
            let densities: Vec<f64> = (0..classes)
                .map(|class| {
                    let figures = self.means[class].iter().zip(&self.variances[class]);
                    let terms = row.iter().zip(figures).map(|(&x, (mean, v))| (f64::from(x) - mean).powi(2) / v);
                    constants[class] - terms.sum::<f64>() / 2.0
                })
                .collect();
            let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            scores.iter_mut().zip(densities).for_each(|(score, v)| *score = (v - largest) as f32);
        });
        scores
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(softmax_of(cpu, &self.scores(cpu, rows)))
    }

    fn check(&self) -> Result<(), ClassicError> {
        let (inputs, classes) = (self.inputs(), self.classes());
        let fits = |all: &[Vec<f64>]| all.len() == classes && all.iter().all(|v| v.len() == inputs);
        let means = fits(&self.means) && self.means.iter().flatten().all(|m| m.is_finite());
        let variances = fits(&self.variances) && self.variances.iter().flatten().all(|v| v.is_finite() && *v > 0.0);
        let shares = self.shares.iter().all(|s| *s > 0.0 && *s <= 1.0);
        sound(means && variances && shares, NAME, "its means and variances do not fit its classes")
    }
}
