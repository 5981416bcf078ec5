//! A picture's regions: its objects' own boxes, then its proposals, and what each is of.

use crate::bounding_box::BoundingBox;
use crate::detection::Object;

/// What a region is of, by the object that it overlaps most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    /// The object's place among those that count; `None` if it overlaps none.
    pub(super) object: Option<usize>,
    /// The IoU with it.
    pub(super) overlap: f64,
}

/// The regions of a picture.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    /// Objects that count, as they are annotated.
    pub(super) objects: Vec<Object>,
    /// What is neither an example of its class nor of background: difficult objects and crowds.
    ignored: Vec<BoundingBox>,
    /// The objects' boxes, in order, then proposals.
    pub(super) boxes: Vec<BoundingBox>,
    /// Of each box.
    pub(super) best: Vec<Best>,
}

/// Regions that overlap what is ignored by so much are examples of nothing but an object that they overlap too.
const TOUCHES: f64 = 0.3;

impl Regions {
    pub(super) fn new(annotated: &[Object], proposals: &[BoundingBox]) -> Self {
        let objects: Vec<Object> = annotated.iter().filter(|o| o.counts()).cloned().collect();
        let ignored = annotated.iter().filter(|o| !o.counts()).map(|o| o.bounds).collect();
        let boxes: Vec<BoundingBox> = objects.iter().map(|o| o.bounds).chain(proposals.iter().copied()).collect();
        let best = boxes.iter().map(|b| best(&objects, b)).collect();
        Self { objects, ignored, boxes, best }
    }

    /// The class of the object that a region is of, if it overlaps it by as much as `least`.
    pub(super) fn class(&self, region: usize, least: f64) -> Option<usize> {
        let Best { object, overlap } = self.best[region];
        object.filter(|_| overlap >= least).map(|object| self.objects[object].class)
    }

    /// Whether a region is of nothing that there is: it overlaps every object by less than `below`.
    pub(super) fn is_background(&self, region: usize, below: f64) -> bool {
        self.best[region].overlap < below && !self.touches_ignored(region)
    }

    /// Whether a region is no example of a class: it overlaps every object of it by less than `below`.
    pub(super) fn is_negative(&self, region: usize, class: usize, below: f64) -> bool {
        let bounds = &self.boxes[region];
        let near = |o: &Object| o.class == class && o.bounds.iou(bounds) >= below;
        !self.objects.iter().any(near) && !self.touches_ignored(region)
    }

    fn touches_ignored(&self, region: usize) -> bool {
        self.ignored.iter().any(|b| b.iou(&self.boxes[region]) >= TOUCHES)
    }
}

fn best(objects: &[Object], bounds: &BoundingBox) -> Best {
    let mut best = Best { object: None, overlap: 0.0 };
    for (i, object) in objects.iter().enumerate() {
        let overlap = object.bounds.iou(bounds);
        if overlap > best.overlap {
            best = Best { object: Some(i), overlap };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_of_what_they_overlap_most() {
        let square = |x: f64| BoundingBox::new(x, 0.0, 10.0, 10.0);
        let crowd = Object { crowd: true, ..Object::new(0, square(100.0)) };
        let annotated = [Object::new(1, square(0.0)), crowd, Object::new(0, square(8.0))];
        // 5 overlaps the first by 5/15 and the second by 7/13; 16 the second by 2/18.
        let regions = Regions::new(&annotated, &[square(5.0), square(16.0), square(102.0), square(50.0)]);
        assert_eq!((regions.objects.len(), regions.boxes.len()), (2, 6));
        assert_eq!([0, 1].map(|r| regions.class(r, 1.0)), [Some(1), Some(0)], "objects are their own regions");
        assert_eq!((regions.class(2, 0.5), regions.class(2, 0.6)), (Some(0), None));
        assert_eq!([2, 3, 4, 5].map(|r| regions.is_background(r, 0.5)), [false, true, false, true]);
        assert_eq!([0, 1].map(|c| regions.is_negative(2, c, 0.3)), [false, false]);
        assert_eq!([0, 1].map(|c| regions.is_negative(3, c, 0.3)), [true, true]);
        assert!(!regions.is_negative(4, 1, 0.3), "what is near a crowd is no example");
        assert_eq!(regions.best[5], Best { object: None, overlap: 0.0 });
    }
}
