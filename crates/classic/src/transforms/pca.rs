//! Principal components (Pearson 1901; eigen-images of Sirovich and Kirby 1987): the directions in which the training rows vary
//! most. Exact by the covariance's eigenvectors up to 1024 columns or rows, beyond that by block power iterations
//! (Halko, Martinsson and Tropp 2011, arXiv:0909.4061). A component's largest element is positive.

use super::{Apply, Transform};
use crate::eigen::symmetric_eigen;
use crate::error::{ClassicError, require};
use crate::lots::Lots;
use crate::matrix::Matrix;
use crate::product::{Product, product, scatter, turned_product};
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// How many components to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pca {
    /// The most components; never more than columns, or rows less one.
    pub components: usize,
    /// Keep as few as explain this share of the variance, 0 to 1.
    pub variance: f64,
    /// Divide by each component's deviation.
    pub whiten: bool,
}

impl Default for Pca {
    fn default() -> Self {
        Self { components: 100, variance: 1.0, whiten: false }
    }
}

/// Rows of training images as their principal components see them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Components {
    mean: Vec<f32>,
    /// (components, columns), of length 1 each.
    directions: Matrix,
    /// The variance along each, of a sample.
    variances: Vec<f32>,
    /// Share of the whole variance that each explains.
    shares: Vec<f32>,
    whiten: bool,
}

/// Columns or rows up to which all eigenvectors are computed.
const EXACT: usize = 1024;

impl Components {
    /// The components as rows, of length 1 each: eigen-images where the columns are pixels.
    pub fn directions(&self) -> &Matrix {
        &self.directions
    }

    /// The share of the training rows' variance that each component explains, largest first.
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }
}

impl Transform for Pca {
    type Fitted = Components;

    fn fit(&self, cpu: &Cpu, rows: &Matrix, seed: u64) -> Result<Components, ClassicError> {
        require(self.components > 0, "pca", "components", self.components, "at least 1")?;
        require(self.variance > 0.0 && self.variance <= 1.0, "pca", "variance", self.variance, "above 0 and up to 1")?;
        if rows.rows() < 2 {
            return Err(ClassicError::Few { of: "pca".to_owned(), least: 2, found: rows.rows() });
        }
        let (n, d) = (rows.rows(), rows.columns());
        let (mean, variance) = rows.moments(cpu);
        let total = variance.iter().sum::<f64>() * n as f64;
        let most = self.components.min(d).min(n - 1);
        let (values, vectors) = if d <= EXACT {
            symmetric_eigen(cpu, scatter(cpu, rows.values(), d, &mean), d)?
        } else if n <= EXACT {
            by_rows(cpu, rows, &mean)?
        } else {
            by_power(cpu, rows, &mean, most, seed)?
        };
        let mut kept = 0;
        let mut explained = 0.0;
        while kept < most && explained < self.variance * total * (1.0 - 1e-12) && values[kept] > 1e-12 * total {
            explained += values[kept];
            kept += 1;
        }
        // Rows that are all alike have no component; the first of nothing keeps what follows simple.
        let kept = kept.max(1);
        let mut directions = Matrix::zeros(kept, d);
        for (to, from) in directions.values_mut().chunks_exact_mut(d).zip(vectors.chunks_exact(d)) {
            let largest = from.iter().fold(0.0_f64, |most, &v| if v.abs() > most.abs() { v } else { most });
            let sign = if largest < 0.0 { -1.0 } else { 1.0 };
            to.iter_mut().zip(from).for_each(|(to, v)| *to = (sign * v) as f32);
        }
        let share = |v: &f64| if total > 0.0 { (v.max(0.0) / total) as f32 } else { 0.0 };
        Ok(Components {
            mean: mean.into_iter().map(|m| m as f32).collect(),
            directions,
            variances: values[..kept].iter().map(|v| (v.max(0.0) / (n as f64 - 1.0)) as f32).collect(),
            shares: values[..kept].iter().map(share).collect(),
            whiten: self.whiten,
        })
    }
}

/// Rows less the mean.
fn centred(rows: &Matrix, mean: &[f64]) -> Matrix {
    let mut centred = rows.clone();
    for row in centred.values_mut().chunks_exact_mut(mean.len()) {
        row.iter_mut().zip(mean).for_each(|(v, m)| *v = (f64::from(*v) - m) as f32);
    }
    centred
}

/// Scales every row of `vectors` to length 1; rows of nothing stay.
fn unit(vectors: &mut [f64], d: usize) {
    for vector in vectors.chunks_exact_mut(d) {
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 {
            for v in vector.iter_mut() {
                *v /= norm;
            }
        }
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Eigenvalues and vectors of the scatter by those of the products of rows, where there are fewer rows than columns.
fn by_rows(cpu: &Cpu, rows: &Matrix, mean: &[f64]) -> Result<(Vec<f64>, Vec<f64>), ClassicError> {
    let (n, d) = (rows.rows(), rows.columns());
    let centred = centred(rows, mean);
    let mut gram = widen(&product(cpu, centred.values(), centred.values(), d));
    for i in 0..n {
        for j in 0..i {
            gram[i * n + j] = gram[j * n + i];
        }
    }
    let (values, small) = symmetric_eigen(cpu, gram, n)?;
    let mut vectors = widen(&product(cpu, &narrow(&small), centred.turned().values(), n));
    unit(&mut vectors, d);
    Ok((values, vectors))
}

/// The first `count` eigenvalues and vectors of the scatter by power iterations of a block of ten more.
fn by_power(
    cpu: &Cpu,
    rows: &Matrix,
    mean: &[f64],
    count: usize,
    seed: u64,
) -> Result<(Vec<f64>, Vec<f64>), ClassicError> {
    const MORE: usize = 10;
    const ROUNDS: usize = 6;
    let d = rows.columns();
    let block = (count + MORE).min(d);
    let centred = centred(rows, mean);
    let mut lots = Lots::new(seed, &[0x7063]);
    let mut basis: Vec<f64> = (0..block * d).map(|_| lots.uniform() - 0.5).collect();
    let mut squares = vec![0.0; block * d];
    for round in 0..=ROUNDS {
        orthonormalise(cpu, &mut basis, d)?;
        // (block, columns) times the scatter, by way of (rows, block).
        let projected = product(cpu, centred.values(), &narrow(&basis), d);
        if round == ROUNDS {
            let mut small = vec![0.0; block * block];
            turned_product(cpu, &projected, &projected, block, false, &mut small);
            let (values, turns) = symmetric_eigen(cpu, widen(&small), block)?;
            let mut vectors = vec![0.0; block * d];
            for (vector, turn) in vectors.chunks_exact_mut(d).zip(turns.chunks_exact(block)) {
                for (basis, t) in basis.chunks_exact(d).zip(turn) {
                    vector.iter_mut().zip(basis).for_each(|(v, b)| *v += t * b);
                }
            }
            return Ok((values, vectors));
        }
        turned_product(cpu, &projected, centred.values(), d, false, &mut squares);
        basis = widen(&squares);
    }
    unreachable!("the last round returns")
}

/// Makes rows orthonormal by the eigenvectors of their products, twice; what is nothing beside the others becomes zero.
fn orthonormalise(cpu: &Cpu, basis: &mut [f64], d: usize) -> Result<(), ClassicError> {
    let block = basis.len() / d;
    for _ in 0..2 {
        unit(basis, d);
        let mut gram = vec![0.0; block * block];
        cpu.chunks(&mut gram, block, |i, row| {
            for (j, v) in row.iter_mut().enumerate() {
                *v = basis[i * d..][..d].iter().zip(&basis[j * d..][..d]).map(|(a, b)| a * b).sum();
            }
        });
        let (values, vectors) = symmetric_eigen(cpu, gram, block)?;
        let mut turned = vec![0.0; basis.len()];
        cpu.chunks(&mut turned, d, |k, to| {
            if values[k] > 1e-10 * values[0] {
                let scale = 1.0 / values[k].sqrt();
                for (basis, t) in basis.chunks_exact(d).zip(&vectors[k * block..][..block]) {
                    to.iter_mut().zip(basis).for_each(|(to, b)| *to += scale * t * b);
                }
            }
        });
        basis.copy_from_slice(&turned);
    }
    Ok(())
}

impl Apply for Components {
    fn inputs(&self) -> usize {
        self.mean.len()
    }

    fn outputs(&self) -> usize {
        self.directions.rows()
    }

    fn apply(&self, cpu: &Cpu, rows: Matrix) -> Result<Matrix, ClassicError> {
        rows.check_for("pca", self.inputs())?;
        let ones = vec![1.0; self.mean.len()];
        let rows = super::affine(rows, cpu, &self.mean, &ones);
        let mut components = Matrix::zeros(rows.rows(), self.outputs());
        let product = Product::new(cpu, self.directions.values(), self.inputs());
        product.run(cpu, rows.values(), None, components.values_mut());
        if !self.whiten {
            return Ok(components);
        }
        let scale = |&v: &f32| if v > 0.0 { 1.0 / v.sqrt() } else { 0.0 };
        let scales: Vec<f32> = self.variances.iter().map(scale).collect();
        Ok(super::affine(components, cpu, &vec![0.0; scales.len()], &scales))
    }

    fn check(&self) -> Result<(), ClassicError> {
        super::check_columns("pca", &self.variances, &self.shares)?;
        let fits = self.directions.columns() == self.mean.len() && self.directions.rows() == self.variances.len();
        if !fits || self.mean.iter().any(|m| !m.is_finite()) {
            let problem = format!("{} means do not fit its directions", self.mean.len());
            return Err(ClassicError::Damaged { of: "pca", problem });
        }
        self.directions.check_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    /// Rows that vary by 5, 3 and 1 along three directions of `d`, and by a little elsewhere.
    fn rows(n: usize, d: usize) -> Matrix {
        let values = (0..n as u64).flat_map(|i| {
            let [a, b, c] = [5.0, 3.0, 1.0].map(|s: f32| s * normal(s as u64, i));
            (0..d).map(move |j| {
                let noise = 0.01 * normal(9, i * d as u64 + j as u64);
                noise + [a, b, c, 0.0][j.min(3)] + 2.0
            })
        });
        Matrix::new(n, d, values.collect()).unwrap()
    }

    #[test]
    fn every_way_finds_the_same_components() {
        let cpu = Cpu::new(2).unwrap();
        let rows = rows(120, 40);
        let (mean, _) = rows.moments(&cpu);
        let exact = symmetric_eigen(&cpu, scatter(&cpu, rows.values(), 40, &mean), 40).unwrap();
        for (values, vectors) in [by_rows(&cpu, &rows, &mean).unwrap(), by_power(&cpu, &rows, &mean, 3, 1).unwrap()] {
            for k in 0..3 {
                assert!((values[k] / exact.0[k] - 1.0).abs() < 1e-4, "{k}: {} {}", values[k], exact.0[k]);
                let product: f64 = vectors[k * 40..][..40].iter().zip(&exact.1[k * 40..]).map(|(a, b)| a * b).sum();
                assert!((product.abs() - 1.0).abs() < 1e-6, "{k}: {product}");
            }
        }
    }

    #[test]
    fn as_few_components_are_kept_as_explain_the_variance() {
        let cpu = Cpu::new(1).unwrap();
        let rows = rows(200, 10);
        let fitted = Pca { variance: 0.99, whiten: true, ..Pca::default() }.fit(&cpu, &rows, 0).unwrap();
        assert_eq!(fitted.outputs(), 3, "{:?}", fitted.shares());
        let white = fitted.apply(&cpu, rows).unwrap();
        let (mean, variance) = white.moments(&cpu);
        assert!(mean.iter().all(|m| m.abs() < 1e-4), "{mean:?}");
        // Of a sample of 200, by n − 1.
        assert!(variance.iter().all(|v| (v - 199.0 / 200.0).abs() < 1e-3), "{variance:?}");
        let alike = Matrix::new(3, 2, vec![1.0; 6]).unwrap();
        let fitted = Pca::default().fit(&cpu, &alike, 0).unwrap();
        assert_eq!(fitted.apply(&cpu, alike).unwrap().values(), [0.0; 3]);
    }
}
