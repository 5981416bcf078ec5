//! Average precision and recall as COCO defines them (Lin et al. 2014, arXiv:1405.0312), number for number as `pycocotools`
//! computes them for boxes.
//!
//! * Ten thresholds of IoU, 0.50 to 0.95; precision at 101 recalls; up to 100 detections of a class in a picture, taken
//!   by score; each takes the free object that it overlaps most, of equal ones the last.
//! * Objects outside a range of sizes are ignored there, and so are crowds; what is matched with such counts neither way.
//!   A crowd may be matched often, and overlaps by the share of the detection that it covers.
//! * Objects marked as difficult are ignored too, but may be matched once. `pycocotools` knows no such objects.
//! * What has no objects has no score (−1 there, `None` here) and is left out of means.

use super::by_class::{Place, places, precision_at_levels, recall_levels};
use super::mean;
use crate::detection::{Detection, Object};
use serde::Serialize;

/// The largest number of detections a picture and class that count, and the smaller ones that recall is told for.
const MOST: [usize; 3] = [1, 10, 100];
/// Ranges of area: all, small, medium, large.
const AREAS: [(f64, f64); 4] = [(0.0, 1e10), (0.0, 1024.0), (1024.0, 9216.0), (9216.0, 1e10)];
/// Thresholds of IoU.
const THRESHOLDS: usize = 10;

/// The twelve figures that COCO tells, and average precision by class; shares of 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CocoScores {
    /// Average precision, the mean over IoU 0.50 to 0.95.
    pub ap: Option<f64>,
    /// At IoU 0.50.
    pub ap50: Option<f64>,
    /// At IoU 0.75.
    pub ap75: Option<f64>,
    /// Of objects of up to 32² pixels.
    pub ap_small: Option<f64>,
    /// Of objects of 32² to 96² pixels.
    pub ap_medium: Option<f64>,
    /// Of objects from 96² pixels.
    pub ap_large: Option<f64>,
    /// Average recall with one detection a picture and class.
    pub ar1: Option<f64>,
    /// With ten.
    pub ar10: Option<f64>,
    /// With a hundred.
    pub ar100: Option<f64>,
    /// Of small objects, with a hundred.
    pub ar_small: Option<f64>,
    /// Of medium ones.
    pub ar_medium: Option<f64>,
    /// Of large ones.
    pub ar_large: Option<f64>,
    /// By class.
    pub classes: Vec<CocoClass>,
}

/// A class's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CocoClass {
    /// Average precision, the mean over IoU 0.50 to 0.95.
    pub ap: Option<f64>,
    /// At IoU 0.50.
    pub ap50: Option<f64>,
    /// Average recall with a hundred detections a picture.
    pub ar100: Option<f64>,
}

/// The thresholds in the floats that `numpy.linspace(0.5, 0.95, 10)` gives.
fn thresholds() -> [f64; THRESHOLDS] {
    let step = (0.95 - 0.5) / 9.0;
    std::array::from_fn(|i| if i == THRESHOLDS - 1 { 0.95 } else { i as f64 * step + 0.5 })
}

/// What became of one detection at one threshold.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Hit,
    Miss,
    Ignored,
}

/// A picture's detections of a class for one range of areas: outcomes by threshold, then by detection.
struct Matched {
    scores: Vec<f64>,
    outcomes: Vec<Vec<Outcome>>,
    objects: usize,
}

/// Judges detections; see [`super::check`] for what they must be.
pub fn evaluate(truths: &[Vec<Object>], classes: usize, detections: &[Detection]) -> CocoScores {
    let all: Vec<[Measured; 4]> = (0..classes).map(|class| measure(truths, detections, class)).collect();
    let precision = |area: usize, thresholds: std::ops::Range<usize>| {
        mean(all.iter().flat_map(|m| m[area].precision(thresholds.clone())))
    };
    let recall = |area: usize, most: usize| mean(all.iter().flat_map(|m| m[area].recall(most)));
    let class = |m: &[Measured; 4]| CocoClass {
        ap: mean(m[0].precision(0..THRESHOLDS)),
        ap50: mean(m[0].precision(0..1)),
        ar100: mean(m[0].recall(2)),
    };
    CocoScores {
        ap: precision(0, 0..THRESHOLDS),
        ap50: precision(0, 0..1),
        ap75: precision(0, 5..6),
        ap_small: precision(1, 0..THRESHOLDS),
        ap_medium: precision(2, 0..THRESHOLDS),
        ap_large: precision(3, 0..THRESHOLDS),
        ar1: recall(0, 0),
        ar10: recall(0, 1),
        ar100: recall(0, 2),
        ar_small: recall(1, 2),
        ar_medium: recall(2, 2),
        ar_large: recall(3, 2),
        classes: all.iter().map(class).collect(),
    }
}

/// One class in one range of areas: by threshold, the mean precision over recalls, and the recall at each of [`MOST`].
#[derive(Default)]
struct Measured(Option<Vec<(f64, [f64; 3])>>);

impl Measured {
    fn precision(&self, thresholds: std::ops::Range<usize>) -> impl Iterator<Item = Option<f64>> {
        thresholds.map(move |t| Some(self.0.as_ref()?.get(t)?.0))
    }

    fn recall(&self, most: usize) -> impl Iterator<Item = Option<f64>> {
        (0..THRESHOLDS).map(move |t| Some(self.0.as_ref()?.get(t)?.1[most]))
    }
}

fn measure(truths: &[Vec<Object>], detections: &[Detection], class: usize) -> [Measured; 4] {
    let places: Vec<Place<'_>> = places(truths, detections, class).into_values().collect();
    AREAS.map(|area| {
        let matched: Vec<Matched> = places.iter().map(|place| match_place(place, area)).collect();
        let objects: usize = matched.iter().map(|m| m.objects).sum();
        if objects == 0 {
            return Measured(None);
        }
        Measured(Some((0..THRESHOLDS).map(|t| at_threshold(&matched, t, objects)).collect()))
    })
}

/// The mean precision over the recall levels, and the recall at each of [`MOST`].
fn at_threshold(matched: &[Matched], t: usize, objects: usize) -> (f64, [f64; 3]) {
    let mut precision = 0.0;
    let recall = MOST.map(|most| {
        let of = |m: &Matched| -> Vec<(f64, Outcome)> {
            m.scores.iter().copied().zip(m.outcomes[t].iter().copied()).take(most).collect()
        };
        let mut ranked: Vec<(f64, Outcome)> = matched.iter().flat_map(of).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut counts = (0, 0);
        let count = |&(_, outcome): &(f64, Outcome)| {
            counts.0 += usize::from(outcome == Outcome::Hit);
            counts.1 += usize::from(outcome == Outcome::Miss);
            counts
        };
        let counts: Vec<(usize, usize)> = ranked.iter().map(count).collect();
        if most == MOST[2] {
            let levels = recall_levels();
            precision = precision_at_levels(&counts, objects, &levels).iter().sum::<f64>() / levels.len() as f64;
        }
        counts.last().map_or(0.0, |&(hits, _)| hits as f64 / objects as f64)
    });
    (precision, recall)
}

/// Matches a picture's detections with its objects, at every threshold.
fn match_place(place: &Place<'_>, area: (f64, f64)) -> Matched {
    let outside = |size: f64| size < area.0 || size > area.1;
    // Those that are ignored last, as stably as in the reference.
    let (ignored, counted): (Vec<&Object>, Vec<&Object>) =
        place.objects.iter().copied().partition(|object| !object.counts() || outside(object.area()));
    let first_ignored = counted.len();
    let objects: Vec<&Object> = counted.into_iter().chain(ignored).collect();
    let detections = &place.detections[..place.detections.len().min(MOST[2])];
    let overlap = |d: &Detection, o: &Object| {
        if o.crowd { d.bounds.share_within(&o.bounds) } else { d.bounds.iou(&o.bounds) }
    };
    let overlaps: Vec<Vec<f64>> = detections.iter().map(|d| objects.iter().map(|o| overlap(d, o)).collect()).collect();
    let outcomes: [Vec<Outcome>; THRESHOLDS] = thresholds().map(|threshold| {
        let mut taken = vec![false; objects.len()];
        let outcome = |(d, overlaps): (&&Detection, &Vec<f64>)| match best_match(
            overlaps,
            threshold,
            &taken,
            &objects,
            first_ignored,
        ) {
            Some(object) => {
                taken[object] = true;
                if object < first_ignored { Outcome::Hit } else { Outcome::Ignored }
            }
            None if outside(d.bounds.area()) => Outcome::Ignored,
            None => Outcome::Miss,
        };
        detections.iter().zip(&overlaps).map(outcome).collect()
    });
    let scores = detections.iter().map(|d| d.score).collect();
    Matched { scores, outcomes: outcomes.into(), objects: first_ignored }
}

/// The object that a detection takes: an ignored one only if no other will do.
fn best_match(
    overlaps: &[f64],
    threshold: f64,
    taken: &[bool],
    objects: &[&Object],
    first_ignored: usize,
) -> Option<usize> {
    let mut best = threshold.min(1.0 - 1e-10);
    let mut found: Option<usize> = None;
    for (i, object) in objects.iter().enumerate() {
        if i >= first_ignored && found.is_some_and(|f| f < first_ignored) {
            break;
        }
        if (taken[i] && !object.crowd) || overlaps[i] < best {
            continue;
        }
        best = overlaps[i];
        found = Some(i);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounding_box::BoundingBox;

    fn found(x: f64, score: f64) -> Detection {
        Detection { image: 0, class: 0, bounds: BoundingBox::new(x, 0.0, 10.0, 10.0), score }
    }

    #[test]
    fn thresholds_are_numpys() {
        // repr of numpy.linspace(0.5, 0.95, 10).
        let expected = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.899_999_999_999_999_9, 0.95];
        assert_eq!(thresholds(), expected);
        assert_eq!(recall_levels()[29], 0.29);
        assert_eq!(recall_levels()[100], 1.0);
    }

    #[test]
    fn one_found_of_two_is_half_the_recalls() {
        let at = |x| Object::new(0, BoundingBox::new(x, 0.0, 10.0, 10.0));
        let scores = evaluate(&[vec![at(0.0), at(50.0)]], 1, &[found(0.0, 0.9), found(20.0, 0.8)]);
        // Precision 1 at the 51 recalls 0 to 0.5.
        assert!((scores.ap.unwrap() - 51.0 / 101.0).abs() < 1e-12);
        assert_eq!(scores.ar100, Some(0.5));
        assert_eq!((scores.ap_large, scores.ar_large), (None, None));
    }

    #[test]
    fn what_is_ignored_counts_neither_way() {
        let bounds = BoundingBox::new(0.0, 0.0, 100.0, 100.0);
        let crowd = Object { crowd: true, ..Object::new(0, bounds) };
        let thing = Object::new(0, BoundingBox::new(200.0, 0.0, 10.0, 10.0));
        let all = [found(5.0, 0.9), found(50.0, 0.8), found(200.0, 0.7)];
        let scores = evaluate(&[vec![crowd.clone(), thing.clone()]], 1, &all);
        assert!((scores.ap.unwrap() - 1.0).abs() < 1e-12, "a crowd takes many");
        let difficult = Object { difficult: true, ..Object::new(0, all[0].bounds) };
        let twice = [found(5.0, 0.9), found(5.0, 0.8), found(200.0, 0.7)];
        let scores = evaluate(&[vec![difficult, thing]], 1, &twice);
        assert!((scores.ap.unwrap() - 0.5).abs() < 1e-12, "a difficult object takes one");
        assert_eq!(evaluate(&[vec![crowd]], 1, &all).ap, None);
    }
}
