//! Bars and edges, light or dark, at rest or moving.

use super::coverage::coverage;
use super::field::towards;
use super::{Field, check_contrast, check_finite};
use crate::CortexError;
use crate::error::positive;

/// A bar on the mean grey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Of the long axis, in degrees.
    pub orientation: f64,
    /// Along the orientation, in degrees of visual field.
    pub length: f64,
    /// Across it.
    pub width: f64,
    /// Above 0 for light bars, below for dark ones.
    pub contrast: f64,
    /// Where its middle is at time 0: (x, y).
    pub middle: [f64; 2],
    /// Degrees per second in the direction 90° from the orientation.
    pub speed: f64,
}

impl Bar {
    pub(super) fn check(&self) -> Result<(), CortexError> {
        positive("the bar's length", self.length)?;
        positive("the bar's width", self.width)?;
        check_finite("the bar's orientation", self.orientation)?;
        check_finite("the bar's speed", self.speed)?;
        self.middle.iter().try_for_each(|m| check_finite("the bar's place", *m))?;
        check_contrast(self.contrast)
    }

    pub(super) fn render(&self, field: &Field, t: f64) -> Vec<f64> {
        let corners = rectangle(self.orientation, self.middle, self.speed * t, [self.length, self.width]);
        coverage(field, &corners).into_iter().map(|share| self.contrast * share).collect()
    }
}

/// A straight edge: the contrast on the side that it comes from, its negative on the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Of the edge, in degrees.
    pub orientation: f64,
    /// Of the side behind the edge.
    pub contrast: f64,
    /// How far it is from the middle at time 0, in its direction.
    pub position: f64,
    /// Degrees per second in the direction 90° from the orientation.
    pub speed: f64,
}

impl Edge {
    pub(super) fn check(&self) -> Result<(), CortexError> {
        check_finite("the edge's orientation", self.orientation)?;
        check_finite("the edge's place", self.position)?;
        check_finite("the edge's speed", self.speed)?;
        check_contrast(self.contrast)
    }

    pub(super) fn render(&self, field: &Field, t: f64) -> Vec<f64> {
        // A rectangle that reaches beyond the field on all other sides.
        let far = 4.0 * field.degrees();
        let front = (self.position + self.speed * t).clamp(-far, far);
        let corners = rectangle(self.orientation, [0.0; 2], front - far, [2.0 * far, 2.0 * far]);
        coverage(field, &corners).into_iter().map(|share| self.contrast * (2.0 * share - 1.0)).collect()
    }
}

/// The corners of a rectangle whose middle was moved `moved` in its direction; `size` is (along, across) the orientation.
fn rectangle(orientation: f64, middle: [f64; 2], moved: f64, size: [f64; 2]) -> [[f64; 2]; 4] {
    let (along, across) = (towards(orientation), towards(orientation + 90.0));
    let corner = |u: f64, v: f64| [0, 1].map(|i| middle[i] + (moved + v) * across[i] + u * along[i]);
    let (u, v) = (size[0] / 2.0, size[1] / 2.0);
    [corner(-u, -v), corner(u, -v), corner(u, v), corner(-u, v)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lying_bar_moves_up() {
        let field = Field::new(4.0, 4).unwrap();
        let bar = Bar { orientation: 0.0, length: 2.0, width: 1.0, contrast: -0.5, middle: [0.0, -0.5], speed: 1.0 };
        assert_eq!(bar.render(&field, 0.0)[8..12], [0.0, -0.5, -0.5, 0.0], "the third row from the top");
        let half = bar.render(&field, 0.5);
        assert!(half[5] + 0.25 < 1e-12 && (half[9] + 0.25).abs() < 1e-12, "between two rows");
        assert!((bar.render(&field, 1.0)[5] + 0.5).abs() < 1e-12);
    }

    #[test]
    fn an_edge_is_bright_behind_and_dark_before_it() {
        let field = Field::new(4.0, 4).unwrap();
        let edge = Edge { orientation: 90.0, contrast: 1.0, position: 0.0, speed: 1.0 };
        // Standing edges move to the left; what is behind lies on the right.
        let close = |found: &[f64], expected: [f64; 4]| found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9);
        assert!(close(&edge.render(&field, 0.0)[..4], [-1.0, -1.0, 1.0, 1.0]));
        assert!(close(&edge.render(&field, 0.5)[..4], [-1.0, 0.0, 1.0, 1.0]));
    }
}
