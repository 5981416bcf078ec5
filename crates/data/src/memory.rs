//! Turning raw samples of equal size (IDX, CIFAR, the built-in digits) into a data set held in memory.

use crate::data_set::{DataSet, Part, SourceKind, Typical};
use crate::error::DataError;
use crate::fingerprint::Fingerprint;
use crate::open::OpenOptions;
use crate::sample::{MemoryImages, Sample, Source};
use crate::split::{self, Split};
use crate::splitting::Groups;
use std::path::Path;
use std::sync::Arc;

/// Images with one label each, as a file holds them.
pub(crate) struct Labelled {
    pub(crate) images: MemoryImages,
    pub(crate) labels: Vec<u32>,
}

/// What a binary source holds before a validation part is drawn.
pub(crate) struct Contents {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) kind: SourceKind,
    pub(crate) classes: Vec<String>,
    pub(crate) train: Labelled,
    pub(crate) test: Option<Labelled>,
    pub(crate) ignored_files: usize,
    pub(crate) warnings: Vec<String>,
}

impl Contents {
    /// Draws the validation part from the training images and puts the data set together.
    pub(crate) fn into_data_set(self, options: &OpenOptions) -> Result<DataSet, DataError> {
        let mut fingerprint = Fingerprint::new();
        for (part, labelled) in [(Part::Train, Some(&self.train)), (Part::Test, self.test.as_ref())] {
            if let Some(labelled) = labelled {
                fingerprint.add_part(part, labelled, &self.classes);
            }
        }
        options.refuse_cleaning()?;
        let MemoryImages { width, height, channels, .. } = self.train.images;
        let mut warnings = self.warnings;
        let mut groups = Groups::apart(self.train.labels.len());
        groups.join_alike(self.train.images.each().map(Some));
        let all = self.train.into_split();
        let share = options.val_share_or_default(self.test.is_some());
        let counts = all.counts_per_class(self.classes.len());
        if counts.iter().filter(|&&n| n > 0).count() < 2 {
            let class = counts.iter().position(|&n| n > 0).map_or_else(String::new, |i| self.classes[i].clone());
            return Err(DataError::OneClass { path: Path::new(&self.source).into(), class, hint: String::new() });
        }
        for (class, &count) in self.classes.iter().zip(&counts) {
            if count == 0 {
                warnings.push(format!("class '{class}' has no training images"));
            }
        }
        let copies = groups.clone();
        let (train, val) = all.hold_out(groups, share, options.seed);
        warnings.extend(split::warning_of_copies(copies, &val));
        Ok(DataSet {
            name: self.name,
            typical: Typical { width, height, channels },
            train: Arc::new(train),
            val: Arc::new(val),
            val_drawn: true,
            test: self.test.map(|test| Arc::new(test.into_split())),
            left_out: Vec::new(),
            warnings,
            ignored_files: self.ignored_files,
            source: self.source,
            kind: self.kind,
            classes: self.classes,
            fingerprint: fingerprint.finish(),
        })
    }
}

impl Labelled {
    fn into_split(self) -> Split {
        let images = Arc::new(self.images);
        let sample = |(index, label)| Sample::new(Source::Memory(Arc::clone(&images), index), label);
        Split { samples: self.labels.into_iter().enumerate().map(sample).collect() }
    }
}
