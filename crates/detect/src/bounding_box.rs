//! Boxes in pictures, and how much two of them overlap.
//!
//! A box is the upper left corner, the width and the height, in pixels from the picture's upper left corner, so that the
//! pixel in column `x` reaches from `x` to `x + 1`. VOC's boxes, whose edges count pixels from 1 and are both inside, become
//! such boxes with `x = xmin − 1` and `width = xmax − xmin + 1`; COCO's are such boxes.

use serde::{Deserialize, Serialize};

/// A box by its corner and size; `width` and `height` are above zero in boxes that data sets and detectors give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// The left edge.
    pub x: f64,
    /// The top edge.
    pub y: f64,
    /// From the left edge to the right one.
    pub width: f64,
    /// From the top edge to the bottom one.
    pub height: f64,
}

impl BoundingBox {
    /// The box with these sizes at this corner.
    pub const fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width, height }
    }

    /// The box between these edges.
    pub fn between(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self::new(left, top, right - left, bottom - top)
    }

    /// The right edge.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// The bottom edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// Width times height.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// The area that both boxes cover.
    pub fn intersection(&self, other: &Self) -> f64 {
        let width = self.right().min(other.right()) - self.x.max(other.x);
        let height = self.bottom().min(other.bottom()) - self.y.max(other.y);
        if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
    }

    /// The share of the area that both boxes cover in what at least one covers, 0 to 1.
    ///
    /// ```
    /// use striate_detect::BoundingBox;
    /// let (a, b) = (BoundingBox::new(0.0, 0.0, 2.0, 2.0), BoundingBox::new(1.0, 0.0, 2.0, 2.0));
    /// assert_eq!(a.iou(&b), 2.0 / 6.0);
    /// ```
    pub fn iou(&self, other: &Self) -> f64 {
        let both = self.intersection(other);
        if both > 0.0 { both / (self.area() + other.area() - both) } else { 0.0 }
    }

    /// The share of this box's own area that `region` covers, 0 to 1: how COCO compares with regions of many objects.
    pub fn share_within(&self, region: &Self) -> f64 {
        let both = self.intersection(region);
        if both > 0.0 { both / self.area() } else { 0.0 }
    }

    /// The part of the box that lies in a picture of this size; `None` if that has no area, or the box is not finite.
    pub fn clipped(&self, width: u32, height: u32) -> Option<Self> {
        let (right, bottom) = (self.right().min(f64::from(width)), self.bottom().min(f64::from(height)));
        // `max` and `min` pass over what is no number.
        if !self.is_finite() {
            return None;
        }
        let (left, top) = (self.x.max(0.0), self.y.max(0.0));
        // As it was where nothing is cut off: subtracting edges would round.
        if left == self.x && top == self.y && right == self.right() && bottom == self.bottom() {
            return (self.width > 0.0 && self.height > 0.0).then_some(*self);
        }
        (right > left && bottom > top).then(|| Self::between(left, top, right, bottom))
    }

    /// The box in a picture that is so many times as wide and high.
    #[must_use]
    pub fn scaled(&self, horizontally: f64, vertically: f64) -> Self {
        Self::new(self.x * horizontally, self.y * vertically, self.width * horizontally, self.height * vertically)
    }

    /// Whether all four numbers are finite.
    pub fn is_finite(&self) -> bool {
        [self.x, self.y, self.width, self.height].iter().all(|v| v.is_finite())
    }
}

impl std::fmt::Display for BoundingBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{} at ({}, {})", self.width, self.height, self.x, self.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlaps_of_known_boxes() {
        let a = BoundingBox::new(10.0, 10.0, 10.0, 10.0);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&BoundingBox::new(15.0, 15.0, 10.0, 10.0)), 25.0 / 175.0);
        assert_eq!(a.iou(&BoundingBox::new(20.0, 10.0, 5.0, 5.0)), 0.0, "they share an edge only");
        assert_eq!(BoundingBox::new(12.0, 12.0, 4.0, 2.0).share_within(&a), 1.0);
        // VOC's devkit for [1 1 10 10] and [6 6 15 15]: 5·5 pixels of 100 + 100 − 25.
        assert_eq!(
            BoundingBox::between(0.0, 0.0, 10.0, 10.0).iou(&BoundingBox::between(5.0, 5.0, 15.0, 15.0)),
            25.0 / 175.0
        );
    }

    #[test]
    fn clipping_keeps_what_lies_inside() {
        let inside = BoundingBox::new(0.1, 0.2, 0.3, 0.4);
        assert_eq!(inside.clipped(1, 1), Some(inside));
        assert_eq!(BoundingBox::new(-2.0, 3.0, 4.0, 4.0).clipped(10, 5), Some(BoundingBox::new(0.0, 3.0, 2.0, 2.0)));
        assert_eq!(BoundingBox::new(10.0, 0.0, 4.0, 4.0).clipped(10, 5), None);
        assert_eq!(BoundingBox::new(1.0, 1.0, 0.0, 4.0).clipped(10, 5), None);
        assert_eq!(BoundingBox::new(1.0, 1.0, f64::NAN, 4.0).clipped(10, 5), None);
    }

    proptest! {
        #[test]
        fn iou_is_symmetric_and_a_share(a in prop::array::uniform4(0.1..50.0f64), b in prop::array::uniform4(0.1..50.0f64)) {
            let a = BoundingBox::new(a[0], a[1], a[2], a[3]);
            let b = BoundingBox::new(b[0], b[1], b[2], b[3]);
            prop_assert!((a.iou(&b) - b.iou(&a)).abs() < 1e-12);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&a.iou(&b)));
            prop_assert!(a.iou(&b) <= a.share_within(&b) + 1e-12);
        }
    }
}
