//! A recipe fitted on training pictures: everything that telling new ones takes.

use crate::description::Description;
use crate::error::ClassicError;
use crate::labelled::{Labelled, check_labels};
use crate::matrix::Matrix;
use crate::methods::Classifier;
use crate::pictures::{Pictures, Size};
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// A recipe fitted on training pictures. Pictures of other sizes are stretched to those of training, pictures of other
/// channels are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Pipeline {
    recipe: Recipe,
    description: Description,
    classifier: Classifier,
}

/// What is in a file, before it is trusted.
#[derive(Deserialize)]
struct Stored {
    recipe: Recipe,
    description: Description,
    classifier: Classifier,
}

impl TryFrom<Stored> for Pipeline {
    type Error = ClassicError;

    fn try_from(stored: Stored) -> Result<Self, ClassicError> {
        let Stored { recipe, description, classifier } = stored;
        let columns = description.check()?;
        classifier.check()?;
        if classifier.inputs() != columns {
            let (of, expected) = ("the stored classifier", classifier.inputs());
            return Err(ClassicError::Columns { of, expected, found: columns });
        }
        Ok(Self { recipe, description, classifier })
    }
}

impl Pipeline {
    /// Learns features, transforms and classifier, in this order, from training pictures alone. All are brought to `size`;
    /// draws depend on `seed`.
    ///
    /// # Errors
    /// [`ClassicError`], with what to do about it.
    pub fn fit(
        cpu: &Cpu,
        recipe: Recipe,
        size: Size,
        pictures: &dyn Pictures,
        labels: &[u32],
        classes: usize,
        seed: u64,
    ) -> Result<Self, ClassicError> {
        if pictures.is_empty() {
            return Err(ClassicError::NoImages);
        }
        check_labels(pictures.len(), labels, classes)?;
        let (description, rows) = Description::learn(cpu, &recipe, size, pictures, seed)?;
        Self::classify(cpu, recipe, description, &Labelled::new(&rows, labels, classes)?, seed)
    }

    /// Learns the classifier on rows of a description that was learnt before.
    ///
    /// # Errors
    /// As [`Pipeline::fit`].
    pub fn classify(
        cpu: &Cpu,
        recipe: Recipe,
        description: Description,
        data: &Labelled<'_>,
        seed: u64,
    ) -> Result<Self, ClassicError> {
        let classifier = recipe.method.fit(cpu, data, seed)?;
        Ok(Self { recipe, description, classifier })
    }

    /// The settings it was fitted with.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The size that pictures are brought to, and the channels they must have.
    pub fn size(&self) -> Size {
        self.description.size()
    }

    /// The features and transforms.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The classifier.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// What the classifier sees of pictures: (pictures, columns).
    ///
    /// # Errors
    /// Pictures that cannot be read, or have other channels than those of training.
    pub fn features(&self, cpu: &Cpu, pictures: &dyn Pictures) -> Result<Matrix, ClassicError> {
        self.description.rows(cpu, pictures)
    }

    /// A class for each picture.
    ///
    /// # Errors
    /// As [`Pipeline::features`].
    pub fn predict(&self, cpu: &Cpu, pictures: &dyn Pictures) -> Result<Vec<u32>, ClassicError> {
        self.classifier.predict(cpu, &self.features(cpu, pictures)?)
    }

    /// (pictures, classes), each row with the sum 1; `None` if the classifier was fitted without what that takes.
    ///
    /// # Errors
    /// As [`Pipeline::features`].
    pub fn probabilities(&self, cpu: &Cpu, pictures: &dyn Pictures) -> Result<Option<Matrix>, ClassicError> {
        self.classifier.probabilities(cpu, &self.features(cpu, pictures)?)
    }
}
