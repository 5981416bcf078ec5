//! Features and transforms learnt from training pictures: what turns pictures into the rows that a classifier sees.

use crate::error::ClassicError;
use crate::features::{Extract, Extractor};
use crate::matrix::Matrix;
use crate::pictures::{self, Pictures, Size};
use crate::recipe::Recipe;
use crate::transforms::{Apply, Fitted};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use striate_data::{Picture, Preprocessing};
use striate_kernels::Cpu;

/// Features and transforms, ready to be applied. Pictures of other sizes are stretched, pictures of other channels refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    size: Size,
    extractors: Vec<Extractor>,
    transforms: Vec<Fitted>,
}

/// Values of all extractors for a picture of this size.
fn width_of(extractors: &[Extractor], size: Size) -> Result<usize, ClassicError> {
    let mut sum = 0;
    for extractor in extractors {
        sum += extractor.len(size)?;
    }
    Ok(sum)
}

/// Pictures brought to one size.
struct Resized<'a> {
    pictures: &'a dyn Pictures,
    size: Size,
}

impl Pictures for Resized<'_> {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn picture(&self, index: usize) -> Result<Cow<'_, Picture>, ClassicError> {
        let picture = self.pictures.picture(index)?;
        let same = Size::of(&picture)? == self.size;
        if same { Ok(picture) } else { Ok(Cow::Owned(self.size.fit(&picture)?.into_owned())) }
    }
}

/// Rows of the extractors' values, one picture a row.
fn describe(cpu: &Cpu, pictures: &dyn Pictures, extractors: &[Extractor], size: Size) -> Result<Matrix, ClassicError> {
    let columns = width_of(extractors, size)?;
    let rows = pictures::map(cpu, pictures, |_, picture| {
        let picture = size.fit(picture)?;
        let mut row = vec![0.0; columns];
        let mut rest = &mut row[..];
        for extractor in extractors {
            let here;
            (here, rest) = rest.split_at_mut(extractor.len(size)?);
            extractor.extract(cpu, &picture, here);
        }
        Ok(row)
    })?;
    Matrix::new(rows.len(), columns, rows.concat())
}

impl Description {
    /// Learns a recipe's features and transforms, in this order, from training pictures alone; beside it, those pictures'
    /// rows. All are brought to `size`; draws depend on `seed`.
    ///
    /// # Errors
    /// [`ClassicError`], with what to do about it.
    pub fn learn(
        cpu: &Cpu,
        recipe: &Recipe,
        size: Size,
        pictures: &dyn Pictures,
        seed: u64,
    ) -> Result<(Self, Matrix), ClassicError> {
        if pictures.is_empty() {
            return Err(ClassicError::NoImages);
        }
        if recipe.features.is_empty() {
            return Err(ClassicError::Recipe { recipe: recipe.to_string(), problem: "there is no feature" });
        }
        let pictures = Resized { pictures, size };
        let mut extractors = Vec::with_capacity(recipe.features.len());
        for feature in &recipe.features {
            extractors.push(feature.learn(cpu, &pictures, seed)?);
        }
        let mut rows = describe(cpu, &pictures, &extractors, size)?;
        let mut transforms = Vec::with_capacity(recipe.transforms.len());
        for transform in &recipe.transforms {
            let fitted = transform.fit(cpu, &rows, seed)?;
            rows = fitted.apply(cpu, rows)?;
            transforms.push(fitted);
        }
        Ok((Self { size, extractors, transforms }, rows))
    }

    /// The size that pictures are brought to, and the channels they must have.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The features, ready to be extracted.
    pub fn extractors(&self) -> &[Extractor] {
        &self.extractors
    }

    /// What a classifier sees of pictures: (pictures, columns).
    ///
    /// # Errors
    /// Pictures that cannot be read, or have other channels than those of training.
    pub fn rows(&self, cpu: &Cpu, pictures: &dyn Pictures) -> Result<Matrix, ClassicError> {
        let mut rows = describe(cpu, pictures, &self.extractors, self.size)?;
        for transform in &self.transforms {
            rows = transform.apply(cpu, rows)?;
        }
        Ok(rows)
    }

    /// Whether stored values agree with each other; the columns that it gives.
    ///
    /// # Errors
    /// [`ClassicError::Damaged`], or what else does not fit.
    pub(crate) fn check(&self) -> Result<usize, ClassicError> {
        let (size, sides) = (self.size, 1..=Preprocessing::LARGEST_SIDE as usize);
        if !sides.contains(&size.width) || !sides.contains(&size.height) || !matches!(size.channels, 1 | 3) {
            let problem = format!("it takes pictures of {}×{}×{}", size.width, size.height, size.channels);
            return Err(ClassicError::Damaged { of: "pipeline", problem });
        }
        for extractor in &self.extractors {
            extractor.check()?;
        }
        let mut columns = width_of(&self.extractors, size)?;
        for transform in &self.transforms {
            transform.check()?;
            if transform.inputs() != columns {
                let (of, expected) = ("a stored transform", transform.inputs());
                return Err(ClassicError::Columns { of, expected, found: columns });
            }
            columns = transform.outputs();
        }
        Ok(columns)
    }
}
