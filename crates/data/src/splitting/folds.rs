//! Folds in memory, for training on each in turn: K data sets, of which each validates on another K-th of the images.

use super::groups::Groups;
use super::stratify::{Division, Roles};
use crate::content;
use crate::data_set::DataSet;
use crate::decode::Limits;
use crate::error::DataError;
use crate::progress::Progress;
use crate::sample::Sample;
use crate::split::Split;
use crate::workers;
use std::sync::Arc;

/// The most folds; each is a training run.
const MOST: u32 = 1000;

pub(super) fn validate(folds: u32) -> Result<(), DataError> {
    if (2..=MOST).contains(&folds) {
        return Ok(());
    }
    let expected = "2 to 1000";
    Err(DataError::Option { option: "the number of folds", value: folds.to_string(), expected })
}

impl DataSet {
    /// So many data sets with the same classes and the same test part. Each validates on one fold of the other images and
    /// trains on the rest; every image is in one fold. Classes keep their shares, copies and groups stay in one fold, and
    /// `seed` alone decides the rest, also where a validation part was drawn by another seed.
    ///
    /// # Errors
    /// [`DataError::Option`] for fewer than 2 folds or more than 1000, or more than there are images.
    pub fn folds(
        &self,
        folds: u32,
        seed: u64,
        limits: Limits,
        workers: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Self>, DataError> {
        validate(folds)?;
        let mut samples: Vec<Sample> = [&self.train, &self.val].into_iter().flat_map(|s| s.samples.clone()).collect();
        if samples.len() < folds as usize {
            let expected = "at most the number of images";
            return Err(DataError::Option { option: "the number of folds", value: folds.to_string(), expected });
        }
        samples.sort_by_cached_key(|sample| (sample.name(), sample.label));
        progress.start("looking for copies", samples.len() as u64);
        let contents = workers::map_in_order(samples.len(), workers, |index| {
            let content = content::of_sample(&samples[index], limits);
            progress.advance(1);
            content
        });
        progress.finish();
        let mut groups = Groups::apart(samples.len());
        groups.join_alike(contents);
        groups.join_alike(samples.iter().map(|sample| sample.group.as_deref()));
        let labels: Vec<u32> = samples.iter().map(|sample| sample.label).collect();
        let shares = vec![1.0 / f64::from(folds); folds as usize];
        let division =
            Division { labels: &labels, groups: &groups.numbers(), shares: &shares, roles: Roles::Folds, seed };
        let places = division.divide();
        Ok((0..folds as usize).map(|fold| self.with_validation(&samples, |i| places[i] == fold)).collect())
    }

    /// The same with these training and validation images.
    fn with_validation(&self, samples: &[Sample], validates: impl Fn(usize) -> bool) -> Self {
        let part = |wanted: bool| {
            let of_part = samples.iter().enumerate().filter(|(i, _)| validates(*i) == wanted);
            Arc::new(Split { samples: of_part.map(|(_, sample)| sample.clone()).collect() })
        };
        Self { train: part(false), val: part(true), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::OpenOptions;
    use crate::progress::Silent;
    use std::collections::BTreeSet;

    fn digits(seed: u64) -> DataSet {
        DataSet::open("digits", &OpenOptions { seed, ..OpenOptions::default() }, &Silent).unwrap()
    }

    fn names(split: &Split) -> BTreeSet<String> {
        split.samples.iter().map(Sample::name).collect()
    }

    #[test]
    fn every_image_validates_once() {
        let all = digits(0);
        let of = |set: &DataSet, workers| set.folds(4, 7, Limits::default(), workers, &Silent).unwrap();
        let folds = of(&all, 2);
        let validated: Vec<String> = folds.iter().flat_map(|fold| names(&fold.val)).collect();
        assert_eq!(validated.len(), all.train.len() + all.val.len());
        assert_eq!(validated.iter().collect::<BTreeSet<_>>().len(), validated.len());
        let counts = all.all().counts_per_class(10);
        for fold in &folds {
            assert!(names(&fold.train).is_disjoint(&names(&fold.val)));
            assert_eq!(fold.train.len() + fold.val.len(), validated.len());
            for (got, of) in fold.val.counts_per_class(10).iter().zip(&counts) {
                assert!((*got as f64 - *of as f64 / 4.0).abs() < 1.0, "{got} of {of}");
            }
        }
        // Neither the validation part that was drawn nor the workers count.
        for (fold, other) in folds.iter().zip(of(&digits(1), 1)) {
            assert_eq!(names(&fold.val), names(&other.val));
        }
        let other_seed = all.folds(4, 8, Limits::default(), 2, &Silent).unwrap();
        assert_ne!(names(&folds[0].val), names(&other_seed[0].val));
    }

    #[test]
    fn folds_that_cannot_be_are_refused() {
        for folds in [0, 1, 1001] {
            let error = digits(0).folds(folds, 0, Limits::default(), 1, &Silent).unwrap_err();
            assert_eq!(error.to_string(), format!("the number of folds is {folds}, but must be 2 to 1000"));
        }
    }
}
