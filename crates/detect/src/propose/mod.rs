//! Selective search (Uijlings et al., IJCV 2013, DOI 10.1007/s11263-013-0620-5): boxes that may hold objects, of any class.
//!
//! The picture is segmented, and the two neighbouring regions that are most alike are joined until one is left; every
//! region's box is a proposal. That is done in several colour spaces, with several sizes of segments and several notions of
//! likeness, and all boxes are ranked: those from the top of a hierarchy tend to come first, by lot.
//!
//! * The picture is scaled to a width, 500 as in R-CNN, and boxes are scaled back. Boxes of fewer pixels than `least_side` on
//!   a side of the scaled picture are dropped, as are repeated ones, of which the first in rank stays.
//! * Each strategy's work depends on the picture alone, so boxes and their order are the same at any number of threads.
//! * Segmentation is shared by all notions of likeness, and the sorting of edges by all sizes of segments.

mod colour;
mod grouping;
mod hierarchy;
mod histograms;
mod rank;
mod recall;
mod segmentation;
mod similarity;
mod smooth;
mod strategy;

pub use colour::ColourSpace;
pub use rank::Proposal;
pub use recall::{ProposalScores, score_proposals};
pub use segmentation::{Segmentation, felzenszwalb};
pub use similarity::Similarity;
pub use strategy::{Mode, Strategies};

use crate::error::DetectError;
use colour::Planes;
use grouping::group;
use hierarchy::Hierarchy;
use histograms::{Bins, Regions};
use segmentation::Edges;
use serde::{Deserialize, Serialize};
use striate_data::{Fit, Picture, Preprocessing};
use striate_kernels::Cpu;

/// How boxes are proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposeOptions {
    /// Which groupings are made.
    pub strategies: Strategies,
    /// The width that pictures are scaled to; `None` leaves them as they are.
    pub width: Option<u32>,
    /// Pixels of the scaled picture that both sides of a box must have.
    pub least_side: u32,
    /// The standard deviation, in pixels, by which pictures are smoothed before they are segmented.
    pub sigma: f64,
    /// The fewest pixels of a segment; `None` is the k of the segmentation, as in the paper.
    pub least_pixels: Option<usize>,
    /// Decides the order of boxes.
    pub seed: u64,
    /// The most boxes; the first in rank are taken.
    pub most: Option<usize>,
}

impl Default for ProposeOptions {
    fn default() -> Self {
        Self {
            strategies: Strategies::of(Mode::Fast),
            width: Some(500),
            least_side: 20,
            sigma: 0.8,
            least_pixels: None,
            seed: 0,
            most: None,
        }
    }
}

impl ProposeOptions {
    /// # Errors
    /// An option that cannot be meant.
    pub fn check(&self) -> Result<(), DetectError> {
        let wrong = |option, value, expected| Err(DetectError::Option { option, value, expected });
        if self.width.is_some_and(|w| !(1..=LONGEST).contains(&w)) {
            return wrong("the width that pictures are scaled to", format!("{:?}", self.width), "from 1 to 16384");
        }
        if !(0.0..=20.0).contains(&self.sigma) {
            return wrong("sigma", self.sigma.to_string(), "from 0 to 20");
        }
        self.strategies.check()
    }

    /// The size that a picture is worked on in: of the width asked for, unless that were more pixels than [`MOST_PIXELS`].
    fn size(&self, picture: &Picture) -> (u32, u32) {
        let (w, h) = (f64::from(picture.width), f64::from(picture.height));
        let asked = self.width.map_or(1.0, |width| f64::from(width) / w);
        let longest = f64::from(LONGEST);
        let scale = asked.min((MOST_PIXELS / (w * h)).sqrt()).min(longest / w).min(longest / h);
        let side = |length: f64| (length * scale).round().clamp(1.0, longest) as u32;
        (side(w), side(h))
    }
}

/// The most pixels that a picture is segmented with: a few hundred bytes are kept for each.
const MOST_PIXELS: f64 = 4e6;
/// The longest side of a picture that is segmented.
const LONGEST: u32 = 16_384;

/// Proposes boxes for a picture, in its own pixels, the first in rank first.
///
/// ```
/// use striate_data::Picture;
/// use striate_detect::propose::{ProposeOptions, propose};
/// use striate_kernels::Cpu;
///
/// let mut picture = Picture::filled(60, 40, &[20, 40, 160]);
/// for y in 10..30 {
///     for x in 20..45 {
///         picture.pixels[(y * 60 + x) * 3] = 250;
///     }
/// }
/// let proposals = propose(&picture, &ProposeOptions::default(), &Cpu::new(1)?)?;
/// let thing = striate_detect::BoundingBox::between(20.0, 10.0, 45.0, 30.0);
/// assert!(proposals.iter().any(|p| p.bounds.iou(&thing) > 0.8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// An option that cannot be meant.
pub fn propose(picture: &Picture, options: &ProposeOptions, cpu: &Cpu) -> Result<Vec<Proposal>, DetectError> {
    options.check()?;
    let (width, height) = options.size(picture);
    let mut scaled = picture.to_colour();
    if (width, height) != (picture.width, picture.height) {
        scaled = Preprocessing::new(width, height, 3, Fit::Stretch).fit(&scaled);
    }
    let hierarchies = hierarchies(&scaled, options, cpu);
    let back = (f64::from(picture.width) / f64::from(width), f64::from(picture.height) / f64::from(height));
    Ok(rank::rank(&hierarchies, options, back))
}

/// A colour space's part that all sizes of segments share.
struct Coloured {
    edges: Edges,
    bins: Bins,
}

/// One hierarchy a strategy, in the order of [`Strategies`]: colour spaces, within them sizes, within them similarities.
fn hierarchies(picture: &Picture, options: &ProposeOptions, cpu: &Cpu) -> Vec<Hierarchy> {
    let Strategies { spaces, sizes, similarities } = &options.strategies;
    let coloured: Vec<Coloured> = in_parallel(cpu, spaces.len(), |i| {
        let planes = Planes::new(picture, spaces[i]);
        Coloured { edges: Edges::new(&planes, options.sigma), bins: Bins::new(&planes) }
    });
    let regions: Vec<Regions> = in_parallel(cpu, spaces.len() * sizes.len(), |i| {
        let (Coloured { edges, bins }, k) = (&coloured[i / sizes.len()], sizes[i % sizes.len()]);
        let least = options.least_pixels.unwrap_or(k as usize);
        Regions::new(&edges.segment(f64::from(k), least), bins)
    });
    in_parallel(cpu, regions.len() * similarities.len(), |i| {
        group(&regions[i / similarities.len()], similarities[i % similarities.len()])
    })
}

/// `work(0)`, `work(1)`, … in order, by all threads.
pub(crate) fn in_parallel<T: Send>(cpu: &Cpu, count: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    cpu.chunks(&mut results, 1, |i, slot| slot[0] = Some(work(i)));
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
