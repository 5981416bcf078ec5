//! The boxes that one grouping makes.

use super::histograms::Frame;

/// The boxes of all regions of a grouping: the segments, then each region as it came about; the whole picture is the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) frames: Vec<Frame>,
}
