//! What there is in a picture, and what a detector says there is.

use crate::bounding_box::BoundingBox;

/// An object of a picture, as an annotation has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its class, an index into the data set's classes.
    pub class: usize,
    /// Where it is.
    pub bounds: BoundingBox,
    /// Whether it is so hard to see that neither finding nor missing it counts (VOC).
    pub difficult: bool,
    /// Whether the box is around many objects that are not told apart (COCO); what is found there does not count.
    pub crowd: bool,
    /// The area that COCO sorts it by size with: of its outline, where there is one, instead of its box.
    pub area: Option<f64>,
}

impl Object {
    /// An ordinary object.
    pub fn new(class: usize, bounds: BoundingBox) -> Self {
        Self { class, bounds, difficult: false, crowd: false, area: None }
    }

    /// Whether it counts when detections are judged.
    pub fn counts(&self) -> bool {
        !self.difficult && !self.crowd
    }

    /// The area that it is sorted by size with.
    pub fn area(&self) -> f64 {
        self.area.unwrap_or_else(|| self.bounds.area())
    }
}

/// An object as a detector sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The picture, by its place among those that are judged.
    pub image: usize,
    /// Its class.
    pub class: usize,
    /// Where it is.
    pub bounds: BoundingBox,
    /// How sure the detector is; more is surer. Finite.
    pub score: f64,
}
