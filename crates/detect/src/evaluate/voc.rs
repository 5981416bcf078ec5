//! Average precision as VOC's devkit computes it (Everingham et al., IJCV 2010): a detection is held against the object of
//! its class that it overlaps most, free or not, and is right if that overlap is 0.5 or more and no better detection has it.
//! What falls on a difficult object counts neither way; of equal overlaps the first object is taken.
//!
//! The 11-point form, of 2007, is the mean over the recalls 0, 0.1, …, 1 of the best precision at that recall or beyond.
//! Recalls are compared as fractions: in floats, `0:0.1:1` of MATLAB and NumPy lies above 3/10 at its fourth place, and what
//! reaches a recall of just 3/10 is not counted there. The area form, of 2010, is the area under the best precision.

use super::by_class::{Ranked, places, rank};
use super::mean;
use crate::detection::{Detection, Object};
use serde::Serialize;

/// Average precisions; shares of 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VocScores {
    /// The mean over classes of the area under the curve.
    pub map: Option<f64>,
    /// The mean over classes of the 11-point form.
    pub map11: Option<f64>,
    /// By class.
    pub classes: Vec<VocClass>,
}

/// A class's average precision and its curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VocClass {
    /// The area under the curve; `None` without objects.
    pub ap: Option<f64>,
    /// The 11-point form.
    pub ap11: Option<f64>,
    /// Objects that count.
    pub objects: usize,
    /// Detections that count.
    pub detections: usize,
    /// Recall and precision with the detections down to each score, the best first.
    #[serde(skip)]
    pub curve: Vec<Point>,
}

/// Where a curve stands with all detections down to a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The score of the last detection.
    pub score: f64,
    /// The share of the objects that are found.
    pub recall: f64,
    /// The share of the detections that are right.
    pub precision: f64,
}

/// Judges detections at a threshold of IoU, 0.5 in VOC; see [`super::check`] for what they must be.
pub fn evaluate(truths: &[Vec<Object>], classes: usize, detections: &[Detection], threshold: f64) -> VocScores {
    let classes: Vec<VocClass> = (0..classes).map(|class| of_class(truths, detections, class, threshold)).collect();
    VocScores { map: mean(classes.iter().map(|c| c.ap)), map11: mean(classes.iter().map(|c| c.ap11)), classes }
}

fn of_class(truths: &[Vec<Object>], detections: &[Detection], class: usize, threshold: f64) -> VocClass {
    let (mut ranked, mut objects) = (Vec::new(), 0);
    for place in places(truths, detections, class).into_values() {
        objects += place.objects.iter().filter(|o| o.counts()).count();
        let mut taken = vec![false; place.objects.len()];
        for detection in &place.detections {
            let mut best: Option<(usize, f64)> = None;
            for (i, object) in place.objects.iter().enumerate() {
                let overlap = detection.bounds.iou(&object.bounds);
                if best.is_none_or(|(_, most)| overlap > most) {
                    best = Some((i, overlap));
                }
            }
            let hit = match best.filter(|(_, overlap)| *overlap >= threshold) {
                Some((i, _)) if !place.objects[i].counts() => continue,
                Some((i, _)) => !std::mem::replace(&mut taken[i], true),
                None => false,
            };
            ranked.push(Ranked { score: detection.score, hit });
        }
    }
    let counts = rank(&mut ranked);
    let point = |(r, &(hits, misses)): (&Ranked, &(usize, usize))| Point {
        score: r.score,
        recall: hits as f64 / objects as f64,
        precision: hits as f64 / (hits + misses) as f64,
    };
    let none = objects == 0;
    VocClass {
        ap: (!none).then(|| area(&counts, objects)),
        ap11: (!none).then(|| eleven_points(&counts, objects)),
        objects,
        detections: ranked.len(),
        curve: if none { Vec::new() } else { ranked.iter().zip(&counts).map(point).collect() },
    }
}

fn precision(&(hits, misses): &(usize, usize)) -> f64 {
    hits as f64 / (hits + misses) as f64
}

fn eleven_points(counts: &[(usize, usize)], objects: usize) -> f64 {
    let best = |tenth: usize| {
        let reached = counts.iter().filter(|(hits, _)| hits * 10 >= tenth * objects);
        reached.map(precision).fold(0.0, f64::max)
    };
    (0..=10).map(best).sum::<f64>() / 11.0
}

fn area(counts: &[(usize, usize)], objects: usize) -> f64 {
    let (mut sum, mut best) = (0.0, 0.0f64);
    for (i, count) in counts.iter().enumerate().rev() {
        best = best.max(precision(count));
        let before = if i > 0 { counts[i - 1].0 } else { 0 };
        sum += best * (count.0 - before) as f64 / objects as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounding_box::BoundingBox;

    fn objects(n: usize) -> Vec<Object> {
        (0..n).map(|i| Object::new(0, BoundingBox::new(20.0 * i as f64, 0.0, 10.0, 10.0))).collect()
    }

    fn found(place: f64, score: f64) -> Detection {
        Detection { image: 0, class: 0, bounds: BoundingBox::new(20.0 * place, 0.0, 10.0, 10.0), score }
    }

    #[test]
    fn curves_of_known_rankings() {
        // Right, wrong, right of 3: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
        let detections = [found(0.0, 0.9), found(0.5, 0.8), found(1.0, 0.7)];
        let class = evaluate(&[objects(3)], 1, &detections, 0.5).classes.remove(0);
        assert!((class.ap.unwrap() - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        // Recalls 0 to 0.3 at precision 1; 0.4 to 0.6 at 2/3; nothing beyond.
        assert!((class.ap11.unwrap() - (4.0 + 3.0 * 2.0 / 3.0) / 11.0).abs() < 1e-12);
        assert_eq!(class.curve[2], Point { score: 0.7, recall: 2.0 / 3.0, precision: 2.0 / 3.0 });
    }

    #[test]
    fn recalls_are_reached_exactly() {
        let detections: Vec<_> = (0..3).map(|i| found(f64::from(i), 0.9)).collect();
        let scores = evaluate(&[objects(10)], 1, &detections, 0.5);
        assert!((scores.map11.unwrap() - 4.0 / 11.0).abs() < 1e-12, "0, 0.1, 0.2 and 0.3");
    }

    #[test]
    fn the_second_on_an_object_is_wrong_and_difficult_ones_do_not_count() {
        let twice = [found(0.0, 0.9), found(0.1, 0.8), found(1.0, 0.7)];
        let scores = evaluate(&[objects(2)], 1, &twice, 0.5);
        assert!((scores.map.unwrap() - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        let mut hard = objects(2);
        hard[0].difficult = true;
        let scores = evaluate(&[hard], 1, &twice, 0.5);
        assert_eq!((scores.map, scores.classes[0].objects, scores.classes[0].detections), (Some(1.0), 1, 1));
        assert_eq!(evaluate(&[vec![]], 1, &twice, 0.5).map, None);
        assert_eq!(evaluate(&[objects(2)], 1, &[], 0.5).map, Some(0.0));
    }
}
