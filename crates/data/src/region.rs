//! A box cut out of a picture, as annotations of objects give it.

use crate::decode::DecodeError;
use crate::picture::Picture;
use crate::sample::Source;
use std::sync::Arc;

/// A box by its edges, in pixels from the picture's upper left corner; `right` and `bottom` lie just outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first column.
    pub left: i32,
    /// The first row.
    pub top: i32,
    /// The column behind the last.
    pub right: i32,
    /// The row behind the last.
    pub bottom: i32,
}

/// A picture that is annotated with boxes.
#[derive(Debug)]
pub struct Annotated {
    /// Where its pixels are.
    pub source: Source,
    /// The width and height that its annotation is made for, where it says so.
    pub size: Option<(u32, u32)>,
}

/// One box of a picture.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The picture, shared by its boxes.
    pub picture: Arc<Annotated>,
    /// The box as annotated; it may reach beyond the picture, and is then clipped.
    pub region: Region,
    /// How far the cut goes beyond the box on each side, as a share of the box's width or height.
    pub margin: f32,
}

impl Cut {
    /// A name for messages: the picture's with the box's corner and size.
    pub fn name(&self) -> String {
        let Region { left, top, right, bottom } = self.region;
        format!(
            "{}[{left},{top} {}×{}]",
            self.picture.source.name(),
            right.saturating_sub(left),
            bottom.saturating_sub(top)
        )
    }

    /// The column, row, width and height of the cut in a picture of this size.
    ///
    /// # Errors
    /// If nothing of the box lies in the picture, or the annotation is made for a picture of another size.
    pub fn place(&self, width: u32, height: u32) -> Result<[u32; 4], DecodeError> {
        if let Some(declared) = self.picture.size.filter(|size| *size != (width, height)) {
            return Err(DecodeError::OtherSize { width, height, declared });
        }
        let Region { left, top, right, bottom } = self.region;
        let inside = |from: i32, to: i32, size: u32| clip(from, to, 0.0, size).is_some();
        if !inside(left, right, width) || !inside(top, bottom, height) {
            return Err(DecodeError::OutsidePicture { width, height });
        }
        let (x, y) = (clip(left, right, self.margin, width), clip(top, bottom, self.margin, height));
        let ((x, w), (y, h)) = x.zip(y).ok_or(DecodeError::OutsidePicture { width, height })?;
        Ok([x, y, w, h])
    }

    /// Cuts the box out of its decoded picture.
    ///
    /// # Errors
    /// As [`Cut::place`].
    pub fn cut(&self, picture: &Picture) -> Result<Picture, DecodeError> {
        let [x, y, width, height] = self.place(picture.width, picture.height)?;
        Ok(picture.cut(x, y, width, height))
    }
}

/// The first pixel and the length of what is left of `from..to`, with the margin, in `0..size`.
fn clip(from: i32, to: i32, margin: f32, size: u32) -> Option<(u32, u32)> {
    let (from, to) = (i64::from(from), i64::from(to));
    let beyond = ((to - from) as f64 * f64::from(margin)).round() as i64;
    let first = from.saturating_sub(beyond).clamp(0, i64::from(size));
    let last = to.saturating_add(beyond).clamp(0, i64::from(size));
    (last > first).then_some((first as u32, (last - first) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(region: [i32; 4], margin: f32, size: Option<(u32, u32)>) -> Cut {
        let [left, top, right, bottom] = region;
        let picture = Arc::new(Annotated { source: Source::File("a.png".into()), size });
        Cut { picture, region: Region { left, top, right, bottom }, margin }
    }

    #[test]
    fn boxes_are_clipped_and_widened() {
        assert_eq!(cut([2, 3, 6, 5], 0.0, None).place(10, 8).unwrap(), [2, 3, 4, 2]);
        assert_eq!(cut([2, 3, 6, 5], 0.5, None).place(10, 8).unwrap(), [0, 2, 8, 4]);
        assert_eq!(cut([-5, -1, 3, 99], 0.0, None).place(10, 8).unwrap(), [0, 0, 3, 8]);
        assert_eq!(cut([i32::MIN, 0, i32::MAX, 1], 1e9, None).place(10, 8).unwrap(), [0, 0, 10, 8]);
        let picture = Picture { width: 3, height: 2, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        let part = cut([1, 0, 9, 9], 0.0, Some((3, 2))).cut(&picture).unwrap();
        assert_eq!((part.width, part.height, part.pixels), (2, 2, vec![2, 3, 5, 6]));
    }

    #[test]
    fn boxes_elsewhere_are_refused() {
        let message = |cut: &Cut| format!("{} {}", cut.name(), cut.place(10, 8).unwrap_err());
        let outside = cut([10, 0, 12, 4], 1.0, None);
        assert_eq!(message(&outside), "a.png[10,0 2×4] lies outside of its picture of 10×8 pixels");
        let turned = cut([0, 0, 2, 2], 0.0, Some((8, 10)));
        assert!(
            message(&turned).contains("of 10×8 pixels, but the annotation is made for 8×10"),
            "{}",
            message(&turned)
        );
    }
}
