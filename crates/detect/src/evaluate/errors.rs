//! What is wrong with detections and what it costs: the error analysis of TIDE (Bolya et al. 2020, arXiv:2008.08115).
//!
//! Every wrong detection has one error, the first of these that holds, and every object that no error's repair would find is
//! missed. What an error costs is how much average precision at IoU 0.5 rises if that error alone is repaired: a box moved
//! or renamed to the object it was meant for (the best such detection of an object; others are taken away), any other wrong
//! detection taken away, a missed object struck from the list. Costs do not add up to what is lacking.
//!
//! As in the reference, up to 100 detections of a picture count, over all classes; objects of crowds and difficult ones
//! are regions in which detections of their class do not count; what is wrong with those is told, and repaired, all the same.

use super::by_class::{Ranked, precision_at_levels, rank};
use crate::detection::{Detection, Object};
use serde::Serialize;

/// Detections of a picture that count.
const MOST: usize = 100;
/// IoU from which a detection finds an object, and up to which it shows nothing but background.
const FOUND: f64 = 0.5;
const BACKGROUND: f64 = 0.1;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// The right class, but IoU 0.1 to 0.5 only.
    Location,
    /// The place of an object of another class.
    Class,
    /// An object that a better detection has found.
    Duplicate,
    /// Nothing is there: no IoU above 0.1.
    Background,
    /// Neither the class nor the place.
    ClassAndLocation,
    /// An object that no detection comes near.
    Missed,
}

impl Mistake {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Class, Self::Location, Self::ClassAndLocation, Self::Duplicate, Self::Background, Self::Missed];
}

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub mistake: Mistake,
    /// The picture.
    pub image: usize,
    /// The detection, by its place among those given; `None` of a missed object.
    pub detection: Option<usize>,
    /// The object that was meant, or missed, by its place among the picture's.
    pub object: Option<usize>,
}

/// The analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorAnalysis {
    /// Mean average precision at IoU 0.5, at 101 recalls; a class without objects but with detections counts as 0.
    pub ap50: f64,
    /// By mistake, in the order of [`Mistake::ALL`]: how many, and the rise of `ap50` if they are repaired.
    pub costs: [(Mistake, usize, f64); 6],
    /// The rise if every wrong detection came behind all right ones.
    pub false_positives: f64,
    /// The rise if only what is found were to be found.
    pub false_negatives: f64,
    /// All mistakes, in the order of pictures and scores.
    pub errors: Vec<Error>,
}

/// A detection that counts for a class's curve.
#[derive(Clone, Copy)]
struct Entry {
    class: usize,
    ranked: Ranked,
}

/// What a repair makes of a mistake.
#[derive(Clone, Copy)]
enum Repair {
    /// The detection becomes right, for this class.
    Right(usize),
    /// The detection goes.
    Gone,
    /// One object less is to be found.
    Fewer,
}

struct Mended {
    error: Error,
    class: usize,
    score: f64,
    /// Whether it counts unless it is repaired.
    counts: bool,
    repair: Repair,
}

/// Analyses detections; see [`super::check`] for what they must be.
pub fn analyse(truths: &[Vec<Object>], classes: usize, detections: &[Detection]) -> ErrorAnalysis {
    let (mut counted, mut mended) = (Vec::new(), Vec::new());
    let mut objects = vec![0usize; classes];
    let mut found = vec![0usize; classes];
    let mut by_image: Vec<Vec<usize>> = vec![Vec::new(); truths.len()];
    for (i, detection) in detections.iter().enumerate() {
        by_image[detection.image].push(i);
    }
    for (image, (truth, mut indices)) in truths.iter().zip(by_image).enumerate() {
        for object in truth.iter().filter(|o| o.counts()) {
            objects[object.class] += 1;
        }
        indices.sort_by(|&a, &b| detections[b].score.total_cmp(&detections[a].score));
        indices.truncate(MOST);
        let picture = Picture::new(image, truth, detections, &indices);
        counted.extend(picture.counted());
        mended.extend(picture.mistakes());
    }
    let right: Vec<Entry> = counted.iter().filter(|e| e.ranked.hit).copied().collect();
    for entry in &right {
        found[entry.class] += 1;
    }
    let ap50 = mean_precision(&counted, &objects);
    let ap = |repaired: Option<Mistake>| {
        let (entries, objects) = repair(&mended, &right, &objects, repaired);
        mean_precision(&entries, &objects)
    };
    let rise = |value: f64| (value - ap50).max(0.0);
    let costs = Mistake::ALL.map(|mistake| {
        let count = mended.iter().filter(|m| m.error.mistake == mistake).count();
        (mistake, count, rise(ap(Some(mistake))))
    });
    let (entries, _) = repair(&mended, &right, &objects, None);
    let parted: Vec<Entry> =
        entries.iter().map(|e| Entry { ranked: Ranked { score: f64::from(e.ranked.hit), ..e.ranked }, ..*e }).collect();
    ErrorAnalysis {
        ap50,
        costs,
        false_positives: mean_precision(&parted, &objects) - ap50,
        false_negatives: mean_precision(&entries, &found) - ap50,
        errors: mended.into_iter().map(|m| m.error).collect(),
    }
}

/// What counts once one kind of mistake is repaired: wrong detections before right ones, where scores are equal.
fn repair(
    mended: &[Mended],
    right: &[Entry],
    objects: &[usize],
    repaired: Option<Mistake>,
) -> (Vec<Entry>, Vec<usize>) {
    let mut objects = objects.to_vec();
    let mut entries = Vec::with_capacity(mended.len() + right.len());
    for Mended { error, class, score, counts, repair } in mended {
        let entry = |class, hit| Entry { class, ranked: Ranked { score: *score, hit } };
        match (repaired == Some(error.mistake), repair) {
            (true, Repair::Right(class)) => entries.push(entry(*class, true)),
            (true, Repair::Gone) | (false, Repair::Fewer) => {}
            (true, Repair::Fewer) => objects[*class] -= 1,
            (false, _) if *counts => entries.push(entry(*class, false)),
            (false, _) => {}
        }
    }
    entries.extend_from_slice(right);
    (entries, objects)
}

/// The mean over classes that have objects or detections.
fn mean_precision(entries: &[Entry], objects: &[usize]) -> f64 {
    let levels: [f64; 101] = std::array::from_fn(|i| i as f64 / 100.0);
    let (mut sum, mut classes) = (0.0, 0);
    for (class, &objects) in objects.iter().enumerate() {
        let mut ranked: Vec<Ranked> = entries.iter().filter(|e| e.class == class).map(|e| e.ranked).collect();
        if ranked.is_empty() && objects == 0 {
            continue;
        }
        classes += 1;
        if objects > 0 {
            let precision = precision_at_levels(&rank(&mut ranked), objects, &levels);
            sum += precision.iter().sum::<f64>() / levels.len() as f64;
        }
    }
    if classes == 0 { 0.0 } else { sum / f64::from(classes) }
}

/// One picture's detections, held against its objects.
struct Picture<'a> {
    image: usize,
    truth: &'a [Object],
    detections: &'a [Detection],
    /// The detections that count, the best first.
    indices: &'a [usize],
    /// By detection and object: the overlap; 0 where the object does not count.
    overlaps: Vec<Vec<f64>>,
    /// By detection: whether it is right; `None` where it does not count.
    used: Vec<Option<bool>>,
    /// By object: whether it is found.
    taken: Vec<bool>,
}

impl<'a> Picture<'a> {
    fn new(image: usize, truth: &'a [Object], detections: &'a [Detection], indices: &'a [usize]) -> Self {
        let overlap = |d: usize, o: &Object| if o.counts() { detections[d].bounds.iou(&o.bounds) } else { 0.0 };
        let overlaps: Vec<Vec<f64>> = indices.iter().map(|&d| truth.iter().map(|o| overlap(d, o)).collect()).collect();
        let mut taken = vec![false; truth.len()];
        let mut used = Vec::with_capacity(indices.len());
        for (&d, overlaps) in indices.iter().zip(&overlaps) {
            let class = detections[d].class;
            let free = |o: usize| !taken[o] && truth[o].class == class;
            if let Some(object) = largest(overlaps, free).filter(|&o| overlaps[o] >= FOUND) {
                taken[object] = true;
                used.push(Some(true));
            } else {
                let bounds = &detections[d].bounds;
                let left_out = |o: &Object| !o.counts() && o.class == class && bounds.share_within(&o.bounds) > FOUND;
                used.push((!truth.iter().any(left_out)).then_some(false));
            }
        }
        Self { image, truth, detections, indices, overlaps, used, taken }
    }

    /// The detections that are not left out, the best first.
    fn counted(&self) -> Vec<Entry> {
        let of = |(&d, used): (&usize, &Option<bool>)| {
            let Detection { class, score, .. } = self.detections[d];
            used.map(|hit| Entry { class, ranked: Ranked { score, hit } })
        };
        self.indices.iter().zip(&self.used).filter_map(of).collect()
    }

    /// The wrong detections with their repairs, then the missed objects.
    fn mistakes(&self) -> Vec<Mended> {
        // By object that is not found: the best detection that was meant for it.
        let mut meant: Vec<Option<usize>> = vec![None; self.truth.len()];
        let wrong: Vec<(usize, Mistake, Option<usize>)> = (0..self.indices.len())
            .filter(|&at| self.used[at] != Some(true))
            .map(|at| {
                let (mistake, object) = self.mistake(at);
                (at, mistake, object)
            })
            .collect();
        for &(at, mistake, object) in &wrong {
            if let (Mistake::Class | Mistake::Location, Some(object)) = (mistake, object)
                && !self.taken[object]
            {
                // Detections come the best first.
                meant[object].get_or_insert(at);
            }
        }
        let mended = |&(at, mistake, object): &(usize, Mistake, Option<usize>)| {
            let d = self.indices[at];
            let repair = match object.filter(|&o| meant[o] == Some(at)) {
                Some(o) => Repair::Right(self.truth[o].class),
                None => Repair::Gone,
            };
            let error = Error { mistake, image: self.image, detection: Some(d), object };
            let Detection { class, score, .. } = self.detections[d];
            Mended { error, class, score, counts: self.used[at].is_some(), repair }
        };
        let mut all: Vec<Mended> = wrong.iter().map(mended).collect();
        for (o, object) in self.truth.iter().enumerate() {
            if object.counts() && !self.taken[o] && meant[o].is_none() {
                let error = Error { mistake: Mistake::Missed, image: self.image, detection: None, object: Some(o) };
                all.push(Mended { error, class: object.class, score: 0.0, counts: false, repair: Repair::Fewer });
            }
        }
        all
    }

    /// What is wrong with a detection, and the object that it is about.
    fn mistake(&self, at: usize) -> (Mistake, Option<usize>) {
        let (overlaps, class) = (&self.overlaps[at], self.detections[self.indices[at]].class);
        let same = |o: usize| self.truth[o].class == class;
        let overlap = |o: Option<usize>| o.map_or(0.0, |o| overlaps[o]);
        let own = largest(overlaps, same);
        // At just the threshold too, though only a detection that came too late can be there.
        if (BACKGROUND..=FOUND).contains(&overlap(own)) {
            return (Mistake::Location, own);
        }
        let other = largest(overlaps, |o| !same(o));
        if overlap(other) >= FOUND {
            return (Mistake::Class, other);
        }
        let taken = largest(overlaps, |o| same(o) && self.taken[o]);
        if overlap(taken) >= FOUND {
            return (Mistake::Duplicate, taken);
        }
        let any = largest(overlaps, |_| true);
        if overlap(any) <= BACKGROUND { (Mistake::Background, None) } else { (Mistake::ClassAndLocation, any) }
    }
}

/// The first of the largest overlaps among some objects.
fn largest(overlaps: &[f64], among: impl Fn(usize) -> bool) -> Option<usize> {
    let mut best: Option<usize> = None;
    for o in (0..overlaps.len()).filter(|&o| among(o)) {
        if best.is_none_or(|b| overlaps[o] > overlaps[b]) {
            best = Some(o);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounding_box::BoundingBox;

    fn found(x: f64, class: usize, score: f64) -> Detection {
        Detection { image: 0, class, bounds: BoundingBox::new(x, 0.0, 10.0, 10.0), score }
    }

    fn thing(x: f64, class: usize) -> Object {
        Object::new(class, BoundingBox::new(x, 0.0, 10.0, 10.0))
    }

    #[test]
    fn each_mistake_is_told() {
        let truth = vec![thing(0.0, 0), thing(50.0, 0), thing(100.0, 1), thing(150.0, 0), thing(200.0, 1)];
        let detections = [
            found(0.0, 0, 0.9),   // right
            found(1.0, 0, 0.8),   // once more
            found(55.0, 0, 0.7),  // 5 of 15
            found(101.0, 0, 0.6), // another's
            found(300.0, 0, 0.5), // nothing
            found(205.0, 0, 0.4), // neither
        ];
        let analysis = analyse(&[truth], 2, &detections);
        let told: Vec<(Mistake, Option<usize>, Option<usize>)> =
            analysis.errors.iter().map(|e| (e.mistake, e.detection, e.object)).collect();
        let expected = [
            (Mistake::Duplicate, Some(1), Some(0)),
            (Mistake::Location, Some(2), Some(1)),
            (Mistake::Class, Some(3), Some(2)),
            (Mistake::Background, Some(4), None),
            (Mistake::ClassAndLocation, Some(5), Some(4)),
            (Mistake::Missed, None, Some(3)),
            (Mistake::Missed, None, Some(4)),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn repairs_raise_precision_by_what_they_should() {
        // Of two objects of class 0 one is found; class 1 has a single object, which is found as class 0.
        let truth = vec![thing(0.0, 0), thing(50.0, 0), thing(100.0, 1)];
        let analysis = analyse(&[truth], 2, &[found(0.0, 0, 0.9), found(100.0, 0, 0.8)]);
        let half = 51.0 / 101.0;
        assert!((analysis.ap50 - half / 2.0).abs() < 1e-12);
        let cost = |mistake| analysis.costs.iter().find(|c| c.0 == mistake).unwrap().2;
        assert!((cost(Mistake::Class) - 0.5).abs() < 1e-12, "class 1 comes from 0 to 1");
        assert!((cost(Mistake::Missed) - (1.0 - half) / 2.0).abs() < 1e-12, "class 0 has but one object then");
        assert_eq!(cost(Mistake::Duplicate), 0.0);
    }

    #[test]
    fn nothing_gives_nothing() {
        let analysis = analyse(&[vec![], vec![]], 3, &[]);
        assert_eq!((analysis.ap50, analysis.errors.len()), (0.0, 0));
    }
}
