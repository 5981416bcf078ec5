//! Linear discriminant analysis (Fisher 1936; Rao 1948): classes are normal with means of their own and one covariance, by
//! which distances are measured. Directions in which no class varies (by 10⁻⁸ of the features' variances) are left out,
//! as scikit-learn's `svd` solver does; shrinkage towards a diagonal covariance is possible.

use super::softmax_regression::{linear_scores, softmax_of};
use super::{Classify, Method, finite, sound};
use crate::eigen::symmetric_eigen;
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use crate::product::scatter;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// How the covariance is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinearDiscriminant {
    /// From 0 (the classes' pooled covariance) to 1 (its diagonal alone).
    pub shrinkage: f64,
}

/// A weight and a bias for each class, whose scores are the logarithms of its density.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscriminantModel {
    /// (classes, inputs).
    weight: Matrix,
    /// (classes).
    bias: Vec<f32>,
}

const NAME: &str = "linear_discriminant";

/// Features beyond which the covariance's eigenvectors would take too long.
const MOST: usize = 4096;

impl Method for LinearDiscriminant {
    type Model = DiscriminantModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, _: u64) -> Result<DiscriminantModel, ClassicError> {
        require((0.0..=1.0).contains(&self.shrinkage), NAME, "shrinkage", self.shrinkage, "from 0 to 1")?;
        let (rows, classes) = (data.rows(), data.classes());
        let (n, d) = (rows.rows(), rows.columns());
        require(d <= MOST, NAME, "features", d, "at most 4096; reduce them by pca first")?;
        if n <= classes {
            let of = format!("{NAME} of {classes} classes");
            return Err(ClassicError::Few { of, least: classes + 1, found: n });
        }
        let members = data.members();
        let (mean, _) = rows.moments(cpu);
        let mut means = Vec::with_capacity(classes);
        let mut within = vec![0.0_f64; d * d];
        for members in &members {
            let rows = rows.select(members);
            let (mean, _) = rows.moments(cpu);
            let part = scatter(cpu, rows.values(), d, &mean);
            within.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
            means.push(mean);
        }
        let scales: Vec<f64> = (0..d)
            .map(|i| {
                let deviation = (within[i * d + i] / n as f64).sqrt();
                if deviation > 0.0 { 1.0 / deviation } else { 1.0 }
            })
            .collect();
        let by = 1.0 / (n - classes) as f64;
        for (i, row) in within.chunks_exact_mut(d).enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                let kept = if i == j { 1.0 } else { 1.0 - self.shrinkage };
                *v *= by * scales[i] * scales[j] * kept;
            }
        }
        let (values, vectors) = symmetric_eigen(cpu, within, d)?;
        let (mut weight, mut bias) = (Matrix::zeros(classes, d), Vec::with_capacity(classes));
        for (class, mean_of) in means.iter().enumerate() {
            // In whitened coordinates the weight is the mean itself.
            let centred: Vec<f64> =
                mean_of.iter().zip(&mean).zip(&scales).map(|((m, all), scale)| (m - all) * scale).collect();
            let mut sums = vec![0.0_f64; d];
            let mut length = 0.0;
            for (value, vector) in values.iter().zip(vectors.chunks_exact(d)).filter(|(value, _)| **value > 1e-8) {
                let along: f64 = centred.iter().zip(vector).map(|(c, v)| c * v).sum();
                length += along * along / value;
                sums.iter_mut().zip(vector).for_each(|(sum, v)| *sum += along / value * v);
            }
            sums.iter_mut().zip(&scales).for_each(|(sum, scale)| *sum *= scale);
            let at_mean: f64 = sums.iter().zip(&mean).map(|(w, m)| w * m).sum();
            let share = members[class].len() as f64 / n as f64;
            bias.push((share.ln() - length / 2.0 - at_mean) as f32);
            let to = &mut weight.values_mut()[class * d..(class + 1) * d];
            to.iter_mut().zip(sums).for_each(|(to, v)| *to = v as f32);
        }
        Ok(DiscriminantModel { weight, bias })
    }
}

impl Classify for DiscriminantModel {
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

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    #[test]
    fn two_clouds_are_divided_as_fishers_formula_says() {
        // Σ⁻¹ (μ₁ − μ₀) is the direction; in two dimensions the inverse is written out.
        let n = 400_u64;
        let values = (0..n).flat_map(|i| {
            let (a, b) = (normal(1, i), normal(2, i));
            let shift = (i % 2) as f32;
            [a + 2.0 * shift, 0.7 * a + 0.5 * b - shift, 3.0]
        });
        let rows = Matrix::new(n as usize, 3, values.collect()).unwrap();
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
        let data = Labelled::new(&rows, &labels, 2).unwrap();
        let cpu = Cpu::new(1).unwrap();
        let model = LinearDiscriminant::default().fit(&cpu, &data, 0).unwrap();
        let (mut means, mut s) = ([[0.0_f64; 2]; 2], [[0.0_f64; 2]; 2]);
        for (row, &label) in rows.iter().zip(&labels) {
            (0..2).for_each(|j| means[label as usize][j] += f64::from(row[j]) / 200.0);
        }
        for (row, &label) in rows.iter().zip(&labels) {
            let centred: [f64; 2] = std::array::from_fn(|j| f64::from(row[j]) - means[label as usize][j]);
            (0..4).for_each(|k| s[k / 2][k % 2] += centred[k / 2] * centred[k % 2] / 398.0);
        }
        let apart: [f64; 2] = std::array::from_fn(|j| means[1][j] - means[0][j]);
        let determinant = s[0][0] * s[1][1] - s[0][1] * s[0][1];
        let expected = [
            (s[1][1] * apart[0] - s[0][1] * apart[1]) / determinant,
            (s[0][0] * apart[1] - s[0][1] * apart[0]) / determinant,
        ];
        for (j, expected) in expected.into_iter().enumerate() {
            let found = f64::from(model.weight.row(1)[j]) - f64::from(model.weight.row(0)[j]);
            assert!((found - expected).abs() < 1e-4 * expected.abs(), "{found} {expected}");
        }
        assert_eq!(model.weight.row(0)[2], 0.0, "what is constant says nothing");
    }
}
