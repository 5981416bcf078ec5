//! Single-layer networks of patches (Coates, Ng and Lee 2011, "An Analysis of Single-Layer Networks in Unsupervised Feature
//! Learning"): patches are normalised and whitened, k-means learns a dictionary of them, and each patch of a picture is told by
//! how much nearer than the average it is to each word (the paper's triangle). Sums over the picture's quarters are the values.

use super::{Extract, Feature, at_least, cell_of};
use crate::eigen::symmetric_eigen;
use crate::error::{ClassicError, require};
use crate::k_means::KMeans;
use crate::lots::Lots;
use crate::matrix::Matrix;
use crate::pictures::{self, Pictures, Size};
use crate::product::{Product, scatter};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// How patches are taken, and how their dictionary is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PatchDictionary {
    /// Pixels along a patch's side, 2 to 32.
    pub side: usize,
    /// Pixels from one patch to the next.
    pub stride: usize,
    /// Words of the dictionary, 2 to 10,000.
    pub words: usize,
    /// The most patches that the dictionary is learnt from.
    pub sample: usize,
    /// What is added to the variances when whitening: the paper's ε of 0.1.
    pub whitening: f64,
    /// What is added to a patch's variance when normalising, for samples from 0 to 255: the paper's 10.
    pub contrast: f64,
}

impl Default for PatchDictionary {
    fn default() -> Self {
        Self { side: 6, stride: 1, words: 200, sample: 50_000, whitening: 0.1, contrast: 10.0 }
    }
}

const NAME: &str = "patch_dictionary";

/// Quarters along a side.
const PARTS: usize = 2;

impl PatchDictionary {
    fn check(&self) -> Result<(), ClassicError> {
        require((2..=32).contains(&self.side), NAME, "side", self.side, "2 to 32 pixels")?;
        require((1..=32).contains(&self.stride), NAME, "stride", self.stride, "1 to 32 pixels")?;
        require((2..=10_000).contains(&self.words), NAME, "words", self.words, "2 to 10,000")?;
        require(self.sample >= self.words, NAME, "sample", self.sample, "at least as many as there are words")?;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        require(positive(self.whitening), NAME, "whitening", self.whitening, "above 0")?;
        require(positive(self.contrast), NAME, "contrast", self.contrast, "above 0")
    }

    /// Patches along a side.
    fn count(&self, length: usize) -> usize {
        (length - self.side) / self.stride + 1
    }

    /// The patches of these numbers, by row and column: each less its mean, over its deviation with `contrast` added to its
    /// square (the deviation of a sample, as in the paper's code).
    fn patches(&self, picture: &Picture, numbers: impl Iterator<Item = usize>) -> Vec<f32> {
        let (w, channels) = (picture.width as usize, usize::from(picture.channels));
        let columns = self.count(w);
        let length = self.side * channels;
        let mut all = Vec::new();
        for number in numbers {
            let (y, x) = (number / columns * self.stride, number % columns * self.stride);
            let first = all.len();
            for row in y..y + self.side {
                let row = &picture.pixels[(row * w + x) * channels..][..length];
                all.extend(row.iter().map(|&v| f32::from(v)));
            }
            let patch = &mut all[first..];
            let n = patch.len() as f64;
            let mean = patch.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let variance = patch.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let scale = 1.0 / (variance + self.contrast).sqrt();
            for v in patch.iter_mut() {
                *v = ((f64::from(*v) - mean) * scale) as f32;
            }
        }
        all
    }
}

impl Feature for PatchDictionary {
    type Extractor = PatchEncoder;

    const ALIKE: bool = false;

    fn suited(self, size: Size) -> Self {
        Self { side: (size.width.min(size.height) / 3).clamp(2, 6), ..self }
    }

    fn learn(&self, cpu: &Cpu, pictures: &dyn Pictures, seed: u64) -> Result<PatchEncoder, ClassicError> {
        self.check()?;
        let share = self.sample.div_ceil(pictures.len().max(1));
        let channels = if pictures.is_empty() { 1 } else { Size::of(pictures.picture(0)?.as_ref())?.channels };
        let length = self.side * self.side * channels;
        let samples = pictures::map(cpu, pictures, |i, picture| {
            let size = Size::of(picture)?;
            at_least(NAME, size, [self.side; 2])?;
            if size.channels != channels {
                return Err(ClassicError::Channels { expected: channels, found: size.channels });
            }
            let all = self.count(size.height) * self.count(size.width);
            Ok(self.patches(picture, Lots::new(seed, &[i as u64]).choose(share, all).into_iter()))
        })?;
        let values = samples.concat();
        let mut patches = Matrix::new(values.len() / length, length, values)?;
        if patches.rows() < self.words {
            let (of, least) = (format!("{NAME} of {} words", self.words), self.words);
            return Err(ClassicError::Few { of, least, found: patches.rows() });
        }
        let (mean, whitener) = zca(cpu, &mut patches, self.whitening)?;
        let mut whitened = Matrix::zeros(patches.rows(), length);
        Product::new(cpu, whitener.values(), length).run(cpu, patches.values(), None, whitened.values_mut());
        let words = KMeans { clusters: self.words, ..KMeans::default() }.fit(cpu, &whitened, seed)?.centres;
        Ok(PatchEncoder { settings: *self, channels, mean, whitener, words })
    }
}

/// The mean, which is taken from `rows`, and the matrix V (D + ε)^−½ Vᵀ of their covariance V D Vᵀ.
fn zca(cpu: &Cpu, rows: &mut Matrix, epsilon: f64) -> Result<(Vec<f32>, Matrix), ClassicError> {
    let (n, d) = (rows.rows(), rows.columns());
    let (mean, _) = rows.moments(cpu);
    let mut covariance = scatter(cpu, rows.values(), d, &mean);
    let by = 1.0 / (n as f64 - 1.0).max(1.0);
    for v in &mut covariance {
        *v *= by;
    }
    let mean: Vec<f32> = mean.into_iter().map(|m| m as f32).collect();
    for row in rows.values_mut().chunks_exact_mut(d) {
        row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
    }
    let (values, vectors) = symmetric_eigen(cpu, covariance, d)?;
    let mut sums = vec![0.0_f64; d * d];
    for (value, vector) in values.iter().zip(vectors.chunks_exact(d)) {
        let scale = 1.0 / (value.max(0.0) + epsilon).sqrt();
        for (row, &a) in sums.chunks_exact_mut(d).zip(vector) {
            row.iter_mut().zip(vector).for_each(|(w, b)| *w += scale * a * b);
        }
    }
    Ok((mean, Matrix::new(d, d, sums.into_iter().map(|v| v as f32).collect())?))
}

/// A dictionary of patches, ready to tell pictures by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatchEncoder {
    settings: PatchDictionary,
    channels: usize,
    /// Of a normalised patch.
    mean: Vec<f32>,
    /// (patch, patch).
    whitener: Matrix,
    /// (words, patch), whitened.
    words: Matrix,
}

impl PatchEncoder {
    /// The dictionary of whitened patches, (words, side · side · channels).
    pub fn words(&self) -> &Matrix {
        &self.words
    }

    /// How much nearer than the average each whitened patch is to each word, (patches, words), 0 where it is not nearer.
    fn triangles(&self, cpu: &Cpu, whitened: &[f32]) -> Vec<f32> {
        let (d, k) = (self.words.columns(), self.words.rows());
        let mut near = vec![0.0; whitened.len() / d * k];
        Product::new(cpu, self.words.values(), d).run(cpu, whitened, None, &mut near);
        let square = |v: &[f32]| v.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let words: Vec<f64> = self.words.iter().map(square).collect();
        for (near, patch) in near.chunks_exact_mut(k).zip(whitened.chunks_exact(d)) {
            let length = square(patch);
            for (v, word) in near.iter_mut().zip(&words) {
                *v = (length + word - 2.0 * f64::from(*v)).max(0.0).sqrt() as f32;
            }
            let mean = near.iter().map(|&v| f64::from(v)).sum::<f64>() / k as f64;
            for v in near.iter_mut() {
                *v = (mean - f64::from(*v)).max(0.0) as f32;
            }
        }
        near
    }
}

impl Extract for PatchEncoder {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least(NAME, size, [self.settings.side; 2])?;
        if size.channels != self.channels {
            return Err(ClassicError::Channels { expected: self.channels, found: size.channels });
        }
        Ok(PARTS * PARTS * self.words.rows())
    }

    fn extract(&self, cpu: &Cpu, picture: &Picture, out: &mut [f32]) {
        let (d, k) = (self.words.columns(), self.words.rows());
        let [rows, columns] = [picture.height, picture.width].map(|side| self.settings.count(side as usize));
        let mut patches = self.settings.patches(picture, 0..rows * columns);
        for patch in patches.chunks_exact_mut(d) {
            patch.iter_mut().zip(&self.mean).for_each(|(v, m)| *v -= m);
        }
        let mut whitened = vec![0.0; patches.len()];
        Product::new(cpu, self.whitener.values(), d).run(cpu, &patches, None, &mut whitened);
        let mut sums = vec![0.0_f64; out.len()];
        for (i, near) in self.triangles(cpu, &whitened).chunks_exact(k).enumerate() {
            let part = cell_of(i / columns, rows, PARTS) * PARTS + cell_of(i % columns, columns, PARTS);
            sums[part * k..][..k].iter_mut().zip(near).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum as f32;
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        self.settings.check()?;
        let d = self.settings.side.pow(2) * self.channels;
        let fits = matches!(self.channels, 1 | 3)
            && self.mean.len() == d
            && (self.whitener.rows(), self.whitener.columns()) == (d, d)
            && (self.words.rows(), self.words.columns()) == (self.settings.words, d)
            && self.mean.iter().all(|m| m.is_finite());
        if !fits {
            let problem = format!("its arrays do not fit patches of {d} values");
            return Err(ClassicError::Damaged { of: NAME, problem });
        }
        self.whitener.check_finite()?;
        self.words.check_finite()
    }
}
