//! Objects and detections sorted out by class and picture, and the curve that a ranking of hits and misses makes.

use crate::detection::{Detection, Object};
use std::collections::BTreeMap;

/// One class's objects and detections in one picture.
#[derive(Default)]
pub(super) struct Place<'a> {
    pub(super) objects: Vec<&'a Object>,
    /// The best first; equal scores as given.
    pub(super) detections: Vec<&'a Detection>,
}

/// One class's places by picture; only pictures that have something.
pub(super) fn places<'a>(
    truths: &'a [Vec<Object>],
    detections: &'a [Detection],
    class: usize,
) -> BTreeMap<usize, Place<'a>> {
    let mut places: BTreeMap<usize, Place<'a>> = BTreeMap::new();
    for (image, objects) in truths.iter().enumerate() {
        for object in objects.iter().filter(|object| object.class == class) {
            places.entry(image).or_default().objects.push(object);
        }
    }
    for detection in detections.iter().filter(|d| d.class == class) {
        places.entry(detection.image).or_default().detections.push(detection);
    }
    for place in places.values_mut() {
        place.detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    places
}

/// A detection that counts: its score and whether it is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ranked {
    pub(super) score: f64,
    pub(super) hit: bool,
}

/// Sorts by score, best first, equal scores as they are, and returns the running counts of hits and misses.
pub(super) fn rank(ranked: &mut [Ranked]) -> Vec<(usize, usize)> {
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut counts = (0, 0);
    let count = |r: &Ranked| {
        if r.hit {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
        counts
    };
    ranked.iter().map(count).collect()
}

/// COCO's recall levels: 0, 0.01, …, 1, in the floats that `numpy.linspace` gives.
pub(super) fn recall_levels() -> [f64; 101] {
    std::array::from_fn(|i| if i == 100 { 1.0 } else { i as f64 * 0.01 })
}

/// The precision at each of the levels: the best at that recall or beyond, 0 where the recall is not reached.
pub(super) fn precision_at_levels(counts: &[(usize, usize)], objects: usize, levels: &[f64]) -> Vec<f64> {
    let recall: Vec<f64> = counts.iter().map(|&(hits, _)| hits as f64 / objects as f64).collect();
    let precision = counts.iter().map(|&(hits, misses)| hits as f64 / ((hits + misses) as f64 + f64::EPSILON));
    let mut best: Vec<f64> = precision.collect();
    for i in (1..best.len()).rev() {
        best[i - 1] = best[i - 1].max(best[i]);
    }
    let at = |level: &f64| recall.partition_point(|r| r < level);
    levels.iter().map(|level| best.get(at(level)).copied().unwrap_or(0.0)).collect()
}
