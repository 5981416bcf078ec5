//! How good proposals are: which objects they reach, and how well (Uijlings et al. 2013, §5).

use crate::bounding_box::BoundingBox;
use crate::detection::Object;
use serde::Serialize;

/// How good the proposals of a set of pictures are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProposalScores {
    /// The share of objects that a proposal overlaps with an IoU of 0.5 or more; `None` without objects.
    pub recall: Option<f64>,
    /// The mean over classes of `average_best_overlap`.
    pub mabo: Option<f64>,
    /// By class: the mean over its objects of the IoU of the best proposal; `None` without objects.
    pub average_best_overlap: Vec<Option<f64>>,
    /// By class: its recall.
    pub recalls: Vec<Option<f64>>,
    /// Objects that count: neither difficult nor crowds.
    pub objects: usize,
    /// Proposals a picture.
    pub boxes_per_image: f64,
}

/// Holds the proposals of each picture against its objects, whose classes are below `classes`.
pub fn score_proposals(truths: &[Vec<Object>], proposals: &[Vec<BoundingBox>], classes: usize) -> ProposalScores {
    let mut best: Vec<Vec<f64>> = vec![Vec::new(); classes];
    for (objects, boxes) in truths.iter().zip(proposals) {
        for object in objects.iter().filter(|o| o.counts() && o.class < classes) {
            best[object.class].push(boxes.iter().map(|b| b.iou(&object.bounds)).fold(0.0, f64::max));
        }
    }
    let share = |n: f64, of: usize| (of > 0).then(|| n / of as f64);
    let reached = |class: &Vec<f64>| class.iter().filter(|v| **v >= 0.5).count();
    let objects: usize = best.iter().map(Vec::len).sum();
    let average: Vec<Option<f64>> = best.iter().map(|class| share(class.iter().sum(), class.len())).collect();
    let boxes: usize = proposals.iter().map(Vec::len).sum();
    ProposalScores {
        recall: share(best.iter().map(reached).sum::<usize>() as f64, objects),
        mabo: crate::evaluate::mean(average.iter().copied()),
        recalls: best.iter().map(|class| share(reached(class) as f64, class.len())).collect(),
        average_best_overlap: average,
        objects,
        boxes_per_image: boxes as f64 / proposals.len().max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_and_overlap_of_known_boxes() {
        let at = |x: f64| BoundingBox::new(x, 0.0, 10.0, 10.0);
        let hard = Object { difficult: true, ..Object::new(0, at(90.0)) };
        let truths = [vec![Object::new(0, at(0.0)), hard, Object::new(1, at(40.0))], vec![Object::new(0, at(0.0))]];
        // 5 of 15 in the second picture, nothing for the object of class 1.
        let proposals = [vec![at(0.0), at(70.0)], vec![at(5.0)]];
        let scores = score_proposals(&truths, &proposals, 3);
        assert_eq!(scores.recall, Some(1.0 / 3.0));
        assert_eq!(scores.average_best_overlap, [Some(2.0 / 3.0), Some(0.0), None]);
        assert!((scores.mabo.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((scores.objects, scores.boxes_per_image), (3, 1.5));
    }
}
