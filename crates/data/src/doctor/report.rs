//! What was found: the data set in figures, and its faults with the files they are about.

use super::fault::{Fault, Severity};
use crate::decode::Limits;
use crate::fit;
use crate::progress::Progress;
use crate::sample::Sample;
use crate::workers;
use serde::Serialize;

/// Everything that an examination found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The data set's short name: the folder's, or `digits`.
    pub name: String,
    /// The parts that the source has, `train` first; one without a name if it has none.
    pub parts: Vec<&'static str>,
    /// The classes, sorted where they come from folders.
    pub classes: Vec<ClassCount>,
    /// The data in figures.
    pub figures: Figures,
    /// What is wrong, worst first; empty if nothing is.
    pub findings: Vec<Finding>,
    /// Each image, in the order of [`Place::image`].
    pub(crate) samples: Vec<Sample>,
    pub(crate) limits: Limits,
}

/// How many images a class has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Its images, readable or not, in each of [`Report::parts`].
    pub images: Vec<usize>,
}

/// A data set in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Images found.
    pub images: usize,
    /// Those that could be decoded.
    pub readable: usize,
    /// The bytes of all files; of pixels where images are in memory.
    pub bytes: u64,
    /// Files that are no images, or hidden.
    pub passed_over: usize,
    /// How many readable images each format has, the most frequent first.
    pub formats: Vec<(&'static str, usize)>,
    /// How many readable images have no colour.
    pub grey: usize,
    /// The least, the median and the largest width of readable images, once turned upright; 0 without any.
    pub widths: [u32; 3],
    /// The same of heights.
    pub heights: [u32; 3],
}

/// One kind of fault with everything it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// Where; at least one.
    pub cases: Vec<Case>,
}

/// One occurrence of a fault: a file, a group of files that are alike, or something about classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What is special about this one, as half a sentence that can stand behind a path; may be empty.
    pub detail: String,
    /// The files and folders; none where it is about classes alone.
    pub places: Vec<Place>,
}

/// A file or folder that a fault is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Relative to the data set, with `/` between names.
    pub path: String,
    /// The part it lies in, if the source has parts.
    pub part: Option<&'static str>,
    /// Its class, if it lies in one.
    pub class: Option<String>,
    /// Which image it is, if it is one of the data set: for [`Report::thumbnails`].
    #[serde(skip)]
    pub image: Option<usize>,
    /// Whether a cleaning of this fault leaves this one out; of copies it may be all, or all but one.
    #[serde(skip)]
    pub excess: bool,
}

impl Case {
    /// Something about one file.
    pub(crate) fn at(place: Place, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), places: vec![place] }
    }

    /// Something about no file in particular.
    pub(crate) fn about(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), places: Vec::new() }
    }
}

impl Report {
    /// How many cases there are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.fault.severity() == severity).map(|f| f.cases.len()).sum()
    }

    /// Small JPEGs of some images, `None` of those that cannot be shown; the longer side is `side` at most.
    pub fn thumbnails(
        &self,
        images: &[usize],
        side: u32,
        workers: usize,
        progress: &dyn Progress,
    ) -> Vec<Option<Thumbnail>> {
        progress.start("making thumbnails", images.len() as u64);
        let thumbnails = workers::map_in_order(images.len(), workers, |i| {
            let thumbnail = self.samples.get(images[i]).and_then(|sample| self.thumbnail(sample, side));
            progress.advance(1);
            thumbnail
        });
        progress.finish();
        thumbnails
    }

    fn thumbnail(&self, sample: &Sample, side: u32) -> Option<Thumbnail> {
        let picture = sample.read(&self.limits).ok()?;
        let (mut width, mut height) = (picture.width, picture.height);
        if width.max(height) > side {
            (width, height) = fit::largest_within(width, height, side, side);
        }
        let jpeg = fit::resize(&picture, width, height).to_jpeg(QUALITY)?;
        Some(Thumbnail { width, height, jpeg })
    }
}

/// Of thumbnails, out of 100.
const QUALITY: u8 = 82;

/// A small picture of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The file's bytes.
    pub jpeg: Vec<u8>,
}
