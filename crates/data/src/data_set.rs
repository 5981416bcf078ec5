//! A data set: named classes and the images to train on, to choose by and to test with.

use crate::error::{DataError, LeftOut};
use crate::open::{self, OpenOptions};
use crate::progress::Progress;
use crate::split::Split;
use std::collections::HashMap;
use std::sync::Arc;

/// A part's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is trained on.
    Train,
    /// What epochs and settings are chosen by.
    Val,
    /// What is tested with at the very end.
    Test,
}

impl Part {
    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The part that is called so, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// The part of which a file's name has the word: `train-00000-of-00001`, `instances_val2017`.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        name.split(|c: char| !c.is_alphabetic()).find_map(Self::named)
    }
}

/// What a data set was opened from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// The built-in digits.
    Digits,
    /// `train/<class>/*`, with `val` and `test` beside it if there are any.
    SplitFolders,
    /// `<class>/*`.
    ClassFolders,
    /// MNIST's IDX files.
    Idx,
    /// CIFAR's binary files.
    CifarBinary,
    /// A table of paths and labels: CSV, TSV, JSON lines.
    Table,
    /// Tar shards with images and labels side by side (`WebDataset`).
    TarShards,
    /// Parquet files with images in a column.
    Parquet,
    /// The boxes of PASCAL VOC's annotations.
    VocBoxes,
    /// The boxes of COCO's annotations.
    CocoBoxes,
}

/// What the images are like, for choosing a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typical {
    /// The median width.
    pub width: u32,
    /// The median height.
    pub height: u32,
    /// 1 if every image is grey (in a colour file or not), else 3.
    pub channels: u8,
}

/// Named classes and the images to train on, to choose by and to test with.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// A short name: the folder's, or `digits`.
    pub name: String,
    /// The classes' names; a label is an index into them. In the source's order where it declares one, else sorted.
    pub classes: Vec<String>,
    /// What is trained on.
    pub train: Arc<Split>,
    /// What epochs and settings are chosen by; drawn from the training images if the source has no such part.
    pub val: Arc<Split>,
    /// Whether `val` was drawn from the training images, since the source has no such part.
    pub val_drawn: bool,
    /// What is tested with at the very end, if the source has such a part.
    pub test: Option<Arc<Split>>,
    /// Image files that cannot be used.
    pub left_out: Vec<LeftOut>,
    /// What a person should know, a sentence each.
    pub warnings: Vec<String>,
    /// How many files were passed over because they are hidden or their names are not of images.
    pub ignored_files: usize,
    /// Where it was opened from: an absolute path, or `digits`.
    pub source: String,
    /// What it was opened from.
    pub kind: SourceKind,
    /// What its images are like.
    pub typical: Typical,
    /// SHA-256 in hexadecimal over all paths, sizes and classes, or pixels and labels; independent of the seed.
    pub fingerprint: String,
}

impl DataSet {
    /// Opens `digits`, or the folder or file at a path, and checks its images.
    ///
    /// Understood are `{train,val,test}/<class>/*`, `<class>/*`, tables of paths and labels (CSV, TSV, JSON lines), tar
    /// shards (`WebDataset`), Parquet files with images, the boxes of VOC's and COCO's annotations, MNIST's IDX files and
    /// CIFAR's binary ones. Several shards are named by a pattern, `shards/train-*.tar` or `train-{000..099}.tar`. A
    /// validation part is drawn from the training images, class by class and with copies and groups kept whole, where there
    /// is none.
    ///
    /// # Errors
    /// [`DataError`], with what to do about it.
    pub fn open(spec: &str, options: &OpenOptions, progress: &dyn Progress) -> Result<Self, DataError> {
        open::open(spec, options, progress)
    }

    /// Every image of every part, for testing a model that was trained on something else.
    pub fn all(&self) -> Split {
        let parts = [Some(&self.train), Some(&self.val), self.test.as_ref()];
        Split { samples: parts.into_iter().flatten().flat_map(|part| part.samples.iter().cloned()).collect() }
    }

    /// The same images with labels that index into a model's classes, which may be more.
    ///
    /// # Errors
    /// [`DataError::ModelClasses`] if the model lacks one of the classes.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let unknown: Vec<String> =
            self.classes.iter().filter(|name| !places.contains_key(name.as_str())).cloned().collect();
        if !unknown.is_empty() {
            return Err(DataError::ModelClasses { unknown, known: classes.to_vec() });
        }
        let labels: Vec<u32> = self.classes.iter().map(|name| places[name.as_str()]).collect();
        for split in [Some(&mut self.train), Some(&mut self.val), self.test.as_mut()].into_iter().flatten() {
            for sample in &mut Arc::make_mut(split).samples {
                sample.label = labels[sample.label as usize];
            }
        }
        self.classes = classes.to_vec();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn labels_follow_the_models_classes() {
        let digits = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
        let before = digits.train.samples[0].label;
        let classes = strings(&["x", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
        let mapped = digits.with_classes(&classes).unwrap();
        assert_eq!(mapped.classes, classes);
        assert_eq!(mapped.train.samples[0].label, 10 - before);
    }

    #[test]
    fn unknown_classes_are_named() {
        let digits = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
        let message = digits.with_classes(&strings(&["0", "1"])).unwrap_err().to_string();
        assert!(message.contains("'2', '3'") && message.ends_with("knows '0', '1'"), "{message}");
    }
}
