//! Of boxes that overlap, the one with the highest score: greedy non-maximum suppression, and Soft-NMS, which lowers the
//! others' scores instead (Bodla et al. 2017, arXiv:1704.04503).
//!
//! Ties go to the box that comes first. A box is suppressed if it overlaps by more than the threshold, not by just as much.

use crate::bounding_box::BoundingBox;

/// How Soft-NMS lowers the score of a box that overlaps a better one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// Times 1 − IoU, where the IoU is above this threshold.
    Linear(f64),
    /// Times exp(−IoU²/σ), for every overlap; the paper's σ is 0.5.
    Gaussian(f64),
}

/// The indices of the boxes that remain, the best first.
///
/// ```
/// use striate_detect::{BoundingBox, suppress};
/// let boxes = [BoundingBox::new(0., 0., 10., 10.), BoundingBox::new(1., 0., 10., 10.), BoundingBox::new(30., 0., 5., 5.)];
/// assert_eq!(suppress(&boxes, &[0.8, 0.9, 0.1], 0.3), [1, 2]);
/// ```
pub fn suppress(boxes: &[BoundingBox], scores: &[f64], threshold: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len().min(scores.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if kept.iter().all(|&k| boxes[k].iou(&boxes[i]) <= threshold) {
            kept.push(i);
        }
    }
    kept
}

/// The indices of the boxes whose lowered scores are at least `least`, with those, the best first.
pub fn suppress_softly(boxes: &[BoundingBox], scores: &[f64], decay: Decay, least: f64) -> Vec<(usize, f64)> {
    let mut open: Vec<(usize, f64)> = scores.iter().take(boxes.len()).copied().enumerate().collect();
    open.retain(|(_, score)| *score >= least);
    let mut kept = Vec::new();
    let best = |open: &[(usize, f64)]| {
        (0..open.len()).min_by(|&a, &b| open[b].1.total_cmp(&open[a].1).then(open[a].0.cmp(&open[b].0)))
    };
    while let Some(at) = best(&open) {
        let (index, score) = open.swap_remove(at);
        kept.push((index, score));
        for (other, score) in &mut open {
            *score *= factor(boxes[index].iou(&boxes[*other]), decay);
        }
        open.retain(|(_, score)| *score >= least);
    }
    kept
}

fn factor(iou: f64, decay: Decay) -> f64 {
    match decay {
        Decay::Linear(threshold) if iou > threshold => 1.0 - iou,
        Decay::Linear(_) => 1.0,
        Decay::Gaussian(sigma) => (-iou * iou / sigma).exp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(places: &[f64]) -> Vec<BoundingBox> {
        places.iter().map(|&x| BoundingBox::new(x, 0.0, 10.0, 10.0)).collect()
    }

    #[test]
    fn a_chain_keeps_every_second_box() {
        // Neighbours overlap by 6/14, the next but one by 2/18.
        let boxes = row(&[0.0, 4.0, 8.0, 12.0]);
        assert_eq!(suppress(&boxes, &[0.9, 0.8, 0.7, 0.6], 0.3), [0, 2]);
        assert_eq!(suppress(&boxes, &[0.9, 0.8, 0.7, 0.6], 6.0 / 14.0), [0, 1, 2, 3], "just as much is not more");
        assert_eq!(suppress(&boxes, &[0.5, 0.5, 0.5, 0.5], 0.3), [0, 2], "ties go to the first");
        assert!(suppress(&[], &[], 0.3).is_empty());
    }

    #[test]
    fn soft_scores_follow_the_papers_formulas() {
        let boxes = row(&[0.0, 4.0]);
        let iou: f64 = 6.0 / 14.0;
        let linear = suppress_softly(&boxes, &[0.9, 0.8], Decay::Linear(0.3), 0.001);
        assert_eq!(linear, [(0, 0.9), (1, 0.8 * (1.0 - iou))]);
        let gaussian = suppress_softly(&boxes, &[0.9, 0.8], Decay::Gaussian(0.5), 0.001);
        assert_eq!(gaussian, [(0, 0.9), (1, 0.8 * (-iou * iou / 0.5).exp())]);
        assert_eq!(suppress_softly(&boxes, &[0.9, 0.8], Decay::Linear(0.3), 0.6).len(), 1);
    }

    proptest! {
        #[test]
        fn what_remains_does_not_overlap_and_what_goes_does(
            places in prop::collection::vec((0.0..40.0f64, 1.0..20.0f64, 0.0..1.0f64), 0..30),
            threshold in 0.0..1.0f64,
        ) {
            let boxes: Vec<_> = places.iter().map(|&(x, w, _)| BoundingBox::new(x, 0.0, w, 10.0)).collect();
            let scores: Vec<f64> = places.iter().map(|p| p.2).collect();
            let kept = suppress(&boxes, &scores, threshold);
            for (i, &a) in kept.iter().enumerate() {
                prop_assert!(kept[i + 1..].iter().all(|&b| boxes[a].iou(&boxes[b]) <= threshold));
            }
            for i in (0..boxes.len()).filter(|i| !kept.contains(i)) {
                let by_better = |&k: &usize| scores[k] >= scores[i] && boxes[k].iou(&boxes[i]) > threshold;
                prop_assert!(kept.iter().any(by_better));
            }
        }
    }
}
