//! Texture by grey-level co-occurrence (Haralick, Shanmugam and Dinstein 1973, DOI 10.1109/TSMC.1973.4309314): how often two
//! levels lie at a given distance and angle, and what follows from it, as scikit-image computes it.

use super::{Extract, Feature, at_least};
use crate::error::{ClassicError, require};
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use striate_data::Picture;
use striate_kernels::Cpu;

/// A figure of a co-occurrence matrix P whose elements sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Σ P (i − j)².
    Contrast,
    /// Σ P |i − j|.
    Dissimilarity,
    /// Σ P / (1 + (i − j)²).
    Homogeneity,
    /// The angular second moment Σ P².
    Asm,
    /// √ of the angular second moment.
    Energy,
    /// Σ P (i − μᵢ)(j − μⱼ) / (σᵢ σⱼ); 1 where a deviation is zero.
    Correlation,
    /// −Σ P ln P.
    Entropy,
    /// Σ P i.
    Mean,
    /// Σ P (i − μ)².
    Variance,
}

impl Property {
    /// Every property.
    pub const ALL: [Self; 9] = [
        Self::Contrast,
        Self::Dissimilarity,
        Self::Homogeneity,
        Self::Asm,
        Self::Energy,
        Self::Correlation,
        Self::Entropy,
        Self::Mean,
        Self::Variance,
    ];

    /// Of `p (levels, levels)`, whose elements sum to 1.
    fn of(self, p: &[f64], levels: usize) -> f64 {
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            let cell = |(k, &p): (usize, &f64)| p * f((k / levels) as f64, (k % levels) as f64);
            p.iter().enumerate().map(cell).sum()
        };
        match self {
            Self::Contrast => sum(&|i, j| (i - j).powi(2)),
            Self::Dissimilarity => sum(&|i, j| (i - j).abs()),
            Self::Homogeneity => sum(&|i, j| 1.0 / (1.0 + (i - j).powi(2))),
            Self::Asm => p.iter().map(|p| p * p).sum(),
            Self::Energy => Self::Asm.of(p, levels).sqrt(),
            Self::Correlation => {
                let (mean_i, mean_j) = (sum(&|i, _| i), sum(&|_, j| j));
                let std_i = sum(&|i, _| (i - mean_i).powi(2)).sqrt();
                let std_j = sum(&|_, j| (j - mean_j).powi(2)).sqrt();
                if std_i < 1e-15 || std_j < 1e-15 {
                    return 1.0;
                }
                sum(&|i, j| (i - mean_i) * (j - mean_j)) / (std_i * std_j)
            }
            Self::Entropy => p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum(),
            Self::Mean => sum(&|i, _| i),
            Self::Variance => {
                let mean = sum(&|i, _| i);
                sum(&|i, _| (i - mean).powi(2))
            }
        }
    }
}

/// Figures of co-occurrence matrices. Values: properties, distances, angles. Colour pictures are taken as grey ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Glcm {
    /// Levels that the 256 of a picture are divided into, 2 to 256.
    pub levels: usize,
    /// Distances in pixels.
    pub distances: Vec<f64>,
    /// Angles in degrees; 0 is to the right, 90 below. Offsets are rounded to whole pixels.
    pub angles: Vec<f64>,
    /// Count every pair both ways.
    pub symmetric: bool,
    /// Which figures.
    pub properties: Vec<Property>,
}

impl Default for Glcm {
    fn default() -> Self {
        Self {
            levels: 16,
            distances: vec![1.0, 2.0],
            angles: vec![0.0, 45.0, 90.0, 135.0],
            symmetric: true,
            properties: Property::ALL.to_vec(),
        }
    }
}

const NAME: &str = "glcm";

impl Glcm {
    /// (rows, columns) from one pixel to the other, distances first.
    fn offsets(&self) -> Vec<[isize; 2]> {
        let offset = |distance: f64, angle: f64| {
            let (sin, cos) = angle.to_radians().sin_cos();
            // As scikit-image rounds, which shows where a sine is just below a half, as that of 30° is.
            let whole = |v: f64| (v + 0.5_f64.copysign(v)) as isize;
            [whole(sin * distance), whole(cos * distance)]
        };
        self.distances.iter().flat_map(|&d| self.angles.iter().map(move |&a| offset(d, a))).collect()
    }

    /// The matrix of one offset, (levels, levels), divided by its sum.
    fn matrix(&self, quantised: &[usize], w: usize, h: usize, [down, right]: [isize; 2]) -> Vec<f64> {
        let mut counts = vec![0_u32; self.levels * self.levels];
        let end = |length: usize, by: isize| length.saturating_sub(by.max(0).unsigned_abs());
        let start = |by: isize| (-by).max(0).unsigned_abs();
        for y in start(down)..end(h, down) {
            for x in start(right)..end(w, right) {
                let i = quantised[y * w + x];
                let j = quantised[y.saturating_add_signed(down) * w + x.saturating_add_signed(right)];
                counts[i * self.levels + j] += 1;
                if self.symmetric {
                    counts[j * self.levels + i] += 1;
                }
            }
        }
        let sum = f64::from(counts.iter().sum::<u32>().max(1));
        counts.into_iter().map(|c| f64::from(c) / sum).collect()
    }
}

impl Feature for Glcm {
    type Extractor = Self;

    const ALIKE: bool = false;

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        self.check().map(|()| self.clone())
    }
}

impl Extract for Glcm {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        let reach = |axis: usize| self.offsets().iter().map(|o| o[axis].unsigned_abs()).max().unwrap_or(0);
        at_least(NAME, size, [reach(0) + 1, reach(1) + 1])?;
        Ok(self.properties.len() * self.distances.len() * self.angles.len())
    }

    fn extract(&self, _: &Cpu, picture: &Picture, out: &mut [f32]) {
        let picture = if picture.channels == 1 { Cow::Borrowed(picture) } else { Cow::Owned(picture.to_grey()) };
        let (w, h) = (picture.width as usize, picture.height as usize);
        let quantised: Vec<usize> = picture.pixels.iter().map(|&v| usize::from(v) * self.levels / 256).collect();
        let offsets = self.offsets();
        for (k, &offset) in offsets.iter().enumerate() {
            let p = self.matrix(&quantised, w, h, offset);
            for (i, property) in self.properties.iter().enumerate() {
                out[i * offsets.len() + k] = property.of(&p, self.levels) as f32;
            }
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        require((2..=256).contains(&self.levels), NAME, "levels", self.levels, "2 to 256")?;
        let distances =
            (1..=16).contains(&self.distances.len()) && self.distances.iter().all(|d| (0.5..=1000.0).contains(d));
        require(distances, NAME, "distances", &self.distances, "1 to 16 distances of half a pixel to 1000")?;
        let angles = (1..=16).contains(&self.angles.len()) && self.angles.iter().all(|a| (-360.0..=360.0).contains(a));
        require(angles, NAME, "angles", &self.angles, "1 to 16 angles from -360 to 360 degrees")?;
        require(!self.properties.is_empty(), NAME, "properties", &self.properties, "at least one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Haralick et al. 1973, figure 3: a picture of 4×4 and its matrices.
    #[test]
    fn the_papers_example_is_counted_as_in_the_paper() {
        let levels = [0, 0, 1, 1, 0, 0, 1, 1, 0, 2, 2, 2, 2, 2, 3, 3];
        let glcm = Glcm { levels: 4, ..Glcm::default() };
        let horizontal = glcm.matrix(&levels, 4, 4, [0, 1]);
        let counts: Vec<f64> = horizontal.iter().map(|p| (p * 24.0).round()).collect();
        assert_eq!(counts, [4.0, 2.0, 1.0, 0.0, 2.0, 4.0, 0.0, 0.0, 1.0, 0.0, 6.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
        let vertical = glcm.matrix(&levels, 4, 4, [1, 0]);
        let counts: Vec<f64> = vertical.iter().map(|p| (p * 24.0).round()).collect();
        assert_eq!(counts, [6.0, 0.0, 2.0, 0.0, 0.0, 4.0, 2.0, 0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 0.0]);
        assert!((Property::Contrast.of(&horizontal, 4) - 14.0 / 24.0).abs() < 1e-12);
    }

    #[test]
    fn a_flat_picture_has_no_texture() {
        let picture = Picture::filled(5, 5, &[200]);
        let glcm =
            Glcm { properties: vec![Property::Contrast, Property::Energy, Property::Correlation], ..Glcm::default() };
        let mut out = vec![9.0; glcm.len(Size::of(&picture).unwrap()).unwrap()];
        glcm.extract(&Cpu::new(1).unwrap(), &picture, &mut out);
        assert_eq!(out, [[0.0; 8], [1.0; 8], [1.0; 8]].concat());
    }
}
