//! The data doctor: reads every image of a data set once and reports what is wrong with it. It changes nothing.
//!
//! [`examine`] first finds the images (`survey`), then reads them in parallel and keeps a few hundred bytes of each
//! (`record`), and then looks for faults of single pictures (`pictures`), copies (`copies`) and classes (`classes`).
//! The list of faults is `fault.rs`.

mod classes;
mod cleaning;
mod copies;
mod fault;
mod figures;
mod looks;
mod names;
mod near;
mod pictures;
mod record;
mod report;
mod survey;
mod walk;

pub use fault::{Fault, Severity};
pub use report::{Case, ClassCount, Figures, Finding, Place, Report, Thumbnail};

use crate::decode::Limits;
use crate::error::DataError;
use crate::progress::Progress;
use crate::sample::Sample;
use crate::workers;
use record::{Image, Record};
use std::collections::{BTreeMap, HashSet};
use survey::Survey;

/// A data set that was read.
struct Examined {
    survey: Survey,
    /// One for each of the survey's images.
    records: Vec<Record>,
}

impl Examined {
    /// The readable images with their indices.
    fn images(&self) -> impl Iterator<Item = (usize, &Image)> {
        self.records.iter().enumerate().filter_map(|(i, record)| Some((i, record.image.as_ref().ok()?)))
    }
}

/// Reads every image of a data set once and reports what is wrong.
///
/// `spec` is anything that [`DataSet::open`](crate::DataSet::open) takes; a folder may also be in a state that opening
/// refuses. Holds one picture a worker at a time.
///
/// ```
/// use striate_data::{Limits, Silent, examine};
/// let report = examine("digits", &Limits::default(), 2, &Silent)?;
/// assert_eq!((report.figures.images, report.figures.readable), (1797, 1797));
/// # Ok::<(), striate_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError`] if there is no data set at all.
pub fn examine(spec: &str, limits: &Limits, workers: usize, progress: &dyn Progress) -> Result<Report, DataError> {
    let mut survey = survey::survey(spec, &survey::opening(limits.max_pixels, workers))?;
    let noted = std::mem::take(&mut survey.faults);
    let images = &survey.images;
    let records = read_all(images.len(), |i| &images[i].sample, *limits, workers, progress);
    let examined = Examined { survey, records };
    let mut cases = BTreeMap::<Fault, Vec<Case>>::new();
    let mut note = |fault: Fault, case: Case| cases.entry(fault).or_default().push(case);
    for (fault, case) in noted {
        note(fault, case);
    }
    pictures::look(&examined, &mut note);
    copies::look(&examined, &mut note);
    classes::look(&examined, &mut note);
    let findings = cases.into_iter().map(|(fault, cases)| Finding { fault, cases }).collect();
    Ok(figures::report(examined, findings, *limits))
}

/// Groups of two and more samples, by their indices in order, that are the same picture byte for byte; with `near`, also
/// those that look almost alike, mirrored or not. What cannot be read is in no group.
///
/// Two pictures look almost alike if their perceptual hashes differ in at most 7 of 63 bits and thumbnails of 16×16
/// correlate by 0.97 (0.995 without colour) and have about the same colours.
///
/// ```
/// use striate_data::{DataSet, Limits, OpenOptions, Silent, find_copies};
/// let digits = DataSet::open("digits", &OpenOptions::default(), &Silent)?;
/// let twice = [&digits.train.samples[..5], &digits.train.samples[..2]].concat();
/// assert_eq!(find_copies(&twice, true, &Limits::default(), 2, &Silent), [[0, 5], [1, 6]]);
/// # Ok::<(), striate_data::DataError>(())
/// ```
pub fn find_copies(
    samples: &[Sample],
    near: bool,
    limits: &Limits,
    workers: usize,
    progress: &dyn Progress,
) -> Vec<Vec<usize>> {
    let records = read_all(samples.len(), |i| &samples[i], *limits, workers, progress);
    let contents = copies::by_content(&records);
    let mut groups = if near { copies::by_looks(&records, &contents) } else { Vec::new() };
    let joined: HashSet<usize> = groups.iter().flat_map(|(group, _)| group.iter().copied()).collect();
    let exact = contents.into_iter().filter(|group| group.len() > 1 && !joined.contains(&group[0]));
    groups.extend(exact.map(|group| (group, Vec::new())));
    groups.sort_by_key(|(group, _)| group[0]);
    groups.into_iter().map(|(group, _)| group).collect()
}

/// Reads images in parallel; holds one picture a worker at a time.
fn read_all<'a>(
    count: usize,
    sample: impl Fn(usize) -> &'a Sample + Sync,
    limits: Limits,
    workers: usize,
    progress: &dyn Progress,
) -> Vec<Record> {
    progress.start("examining images", count as u64);
    let records = workers::map_in_order(count, workers, |i| {
        let record = record::read(sample(i), limits);
        progress.advance(1);
        record
    });
    progress.finish();
    records
}
