//! Bags of visual words (Csurka et al. 2004) over a spatial pyramid (Lazebnik, Schmid and Ponce 2006,
//! DOI 10.1109/CVPR.2006.68): each dense SIFT descriptor counts for the nearest of some words that k-means found in the
//! training pictures. Values are square roots of shares, which makes a linear classifier's product the Hellinger kernel.

use super::{DenseSift, Extract, Feature, at_least};
use crate::error::{ClassicError, require};
use crate::k_means::{Centres, KMeans};
use crate::lots::Lots;
use crate::matrix::Matrix;
use crate::pictures::{self, Pictures, Size};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// How visual words are learnt and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VisualWords {
    /// Where descriptors are taken.
    pub sift: DenseSift,
    /// Words of the dictionary, 2 to 10,000.
    pub words: usize,
    /// Levels of the pyramid, 1 to 4: level l has 2ˡ × 2ˡ parts, counting from 0.
    pub levels: usize,
    /// The most descriptors that the dictionary is learnt from.
    pub sample: usize,
}

impl Default for VisualWords {
    fn default() -> Self {
        Self { sift: DenseSift::default(), words: 256, levels: 2, sample: 50_000 }
    }
}

const NAME: &str = "visual_words";

impl Feature for VisualWords {
    type Extractor = WordHistogram;

    fn suited(self, size: Size) -> Self {
        Self { sift: DenseSift::suited(size), ..self }
    }

    fn learn(&self, cpu: &Cpu, pictures: &dyn Pictures, seed: u64) -> Result<WordHistogram, ClassicError> {
        let Self { sift, words, levels, sample } = *self;
        sift.check()?;
        require((2..=10_000).contains(&words), NAME, "words", words, "2 to 10,000")?;
        require((1..=4).contains(&levels), NAME, "levels", levels, "1 to 4")?;
        require(sample >= words, NAME, "sample", sample, "at least as many as there are words")?;
        let share = sample.div_ceil(pictures.len().max(1));
        let samples = pictures::map(cpu, pictures, |i, picture| {
            at_least(NAME, Size::of(picture)?, [sift.least_side(); 2])?;
            let all = sift.descriptors(picture);
            Ok(all.select(&Lots::new(seed, &[i as u64]).choose(share, all.rows())))
        })?;
        let values: Vec<f32> = samples.iter().flat_map(Matrix::values).copied().collect();
        let descriptors = Matrix::new(values.len() / DenseSift::LEN, DenseSift::LEN, values)?;
        let words = KMeans { clusters: words, ..KMeans::default() }.fit(cpu, &descriptors, seed)?.centres;
        Ok(WordHistogram { sift, levels, words })
    }
}

/// A dictionary of visual words, ready to count them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordHistogram {
    sift: DenseSift,
    levels: usize,
    /// (words, 128).
    words: Matrix,
}

impl WordHistogram {
    /// The dictionary, (words, 128).
    pub fn words(&self) -> &Matrix {
        &self.words
    }
}

impl Extract for WordHistogram {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least(NAME, size, [self.sift.least_side(); 2])?;
        let parts: usize = (0..self.levels).map(|l| 1 << (2 * l)).sum();
        Ok(parts * self.words.rows())
    }

    fn extract(&self, cpu: &Cpu, picture: &Picture, out: &mut [f32]) {
        let size = Size {
            width: picture.width as usize,
            height: picture.height as usize,
            channels: usize::from(picture.channels),
        };
        let descriptors = self.sift.descriptors(picture);
        let nearest = Centres::new(cpu, &self.words).nearest(cpu, &descriptors);
        let places = self.sift.places(size);
        let words = self.words.rows();
        let mut counts = vec![0_u32; out.len()];
        for (&(word, _), [y, x]) in nearest.iter().zip(&places) {
            let mut first = 0;
            for level in 0..self.levels {
                let side = 1 << level;
                let part = (y * side as f64) as usize * side + (x * side as f64) as usize;
                counts[(first + part) * words + word] += 1;
                first += side * side;
            }
        }
        let all = places.len() as f64;
        for (out, count) in out.iter_mut().zip(counts) {
            *out = (f64::from(count) / all).sqrt() as f32;
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        self.sift.check()?;
        require((1..=4).contains(&self.levels), NAME, "levels", self.levels, "1 to 4")?;
        self.words.check_for(NAME, DenseSift::LEN)?;
        require(self.words.rows() > 0, NAME, "words", self.words.rows(), "at least one")
    }
}
