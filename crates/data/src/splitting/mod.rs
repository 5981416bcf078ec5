//! Splitting a data set into training, validation and test parts, or into folds: by class, by group and by lot, told in a
//! manifest that names every image with its part and its content's hash. Nothing is copied or moved.

mod folds;
mod groups;
mod manifest;
mod outcome;
mod pool;
mod stratify;
mod table;
mod verify;

pub use groups::{GroupPattern, Groups};
pub use manifest::write_manifest;
pub use outcome::{Portion, SplitImage, Splitting};
pub use verify::{SplitFault, Verification, verify};

pub(crate) use stratify::{Division, Roles};

use crate::data_set::{DataSet, Part};
use crate::decode::Limits;
use crate::error::DataError;
use crate::progress::Progress;
use pool::Pool;
use std::path::Path;

/// How a data set is split.
#[derive(Clone, Debug)]
pub struct SplitOptions {
    /// What it is split into.
    pub into: SplitInto,
    /// Images in whose paths this captures the same text stay together.
    pub pattern: Option<GroupPattern>,
    /// Whether images with the same content stay together.
    pub copies: bool,
    /// Whether images that look almost alike stay together too ([`find_copies`](crate::find_copies)), read within these bounds.
    pub near: Option<Limits>,
    /// Whether a test part that the source has is split like everything else.
    pub pool: bool,
    /// Decides every draw.
    pub seed: u64,
    /// Threads that read images.
    pub workers: usize,
}

/// What a data set is split into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SplitInto {
    /// Training, validation and test, with the shares of the last two; 0 for none, and below 1 together.
    Parts {
        /// The validation part's share.
        val: f64,
        /// The test part's share.
        test: f64,
    },
    /// Folds, with a test part drawn before.
    Folds {
        /// How many, 2 to 1000.
        folds: u32,
        /// The test part's share; 0 for none, and below 1.
        test: f64,
    },
}

impl SplitInto {
    fn test(self) -> f64 {
        match self {
            Self::Parts { test, .. } | Self::Folds { test, .. } => test,
        }
    }

    fn validate(self) -> Result<(), DataError> {
        let wrong = |option, value: String, expected| Err(DataError::Option { option, value, expected });
        let val = match self {
            Self::Parts { val, .. } => val,
            Self::Folds { .. } => 0.0,
        };
        for (option, share) in [("the share for validation", val), ("the share for testing", self.test())] {
            if !(0.0..1.0).contains(&share) {
                return wrong(option, share.to_string(), "0 or more and below 1");
            }
        }
        match self {
            Self::Folds { folds, .. } => folds::validate(folds),
            Self::Parts { val, test } if val + test >= 1.0 => {
                wrong("the share for validation and testing together", (val + test).to_string(), "below 1")
            }
            Self::Parts { .. } => Ok(()),
        }
    }

    /// The places that images are put into, with the share of each.
    fn places(self) -> Vec<Portion> {
        let place = |name: &str, part, fold, share| Portion { name: name.to_owned(), part, fold, share: Some(share) };
        let mut places = match self {
            Self::Parts { val, test } => {
                let train = place("train", Part::Train, None, 1.0 - val - test);
                vec![train, place("val", Part::Val, None, val)]
            }
            Self::Folds { folds, test } => {
                let share = (1.0 - test) / f64::from(folds);
                let part = |fold| if fold == 1 { Part::Val } else { Part::Train };
                (1..=folds).map(|fold| place(&format!("fold {fold}"), part(fold), Some(fold), share)).collect()
            }
        };
        places.push(place("test", Part::Test, None, self.test()));
        places
    }
}

/// Splits a data set whose pictures lie in files of their own. `root` is the data set's folder: the pattern of groups sees
/// paths relative to it.
///
/// A test part that the source has stays as it is unless the options say to pool everything. What belongs together with
/// its images but is not in it is then left out, and a warning says so.
///
/// # Errors
/// Shares that cannot be; images that are not in files of their own, or that cannot be read any more; a pattern that fits
/// no path.
pub fn split(
    data: &DataSet,
    root: &Path,
    options: &SplitOptions,
    progress: &dyn Progress,
) -> Result<Splitting, DataError> {
    options.into.validate()?;
    let mut pool = Pool::gather(data, options, progress)?;
    pool.group(root, options, progress)?;
    pool.leave_out_leaks();
    let places = pool.divide(options);
    Ok(pool.into_splitting(data.classes.clone(), options.into, &places))
}
