//! Boxes as annotations give them, brought to pixels and held against their pictures.

use super::fault::Flaw;
use crate::bounding_box::BoundingBox;

/// A box as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Written {
    /// VOC: `xmin`, `ymin`, `xmax`, `ymax`, counted from 1, both edges inside.
    Edges([f64; 4]),
    /// COCO: the corner's x and y, width, height.
    CornerSize([f64; 4]),
    /// YOLO: the centre's x and y, width and height, as shares of the picture.
    Shares([f64; 4]),
}

/// A box that can be used.
#[derive(Debug, PartialEq)]
pub(super) struct Usable {
    pub(super) bounds: BoundingBox,
    /// What was cut off, if that is a fault.
    pub(super) beyond: Option<Flaw>,
    /// Whether a pixel or less was cut off, which is usual where writers count from 0 or round.
    pub(super) trimmed: bool,
}

/// How far a box may reach beyond its picture without that being a fault, in pixels.
const USUAL: f64 = 1.0;

impl Written {
    /// Holds the box against a picture of this size.
    pub(super) fn within(self, width: u32, height: u32) -> Result<Usable, Flaw> {
        let bounds = self.in_pixels(width, height)?;
        if bounds.width <= 0.0 || bounds.height <= 0.0 {
            return Err(Flaw::NoArea { width: bounds.width, height: bounds.height });
        }
        let picture = (width, height);
        let Some(clipped) = bounds.clipped(width, height) else {
            return Err(Flaw::Outside { bounds: rounded(&bounds), picture });
        };
        let beyond =
            (-bounds.x).max(-bounds.y).max(bounds.right() - f64::from(width)).max(bounds.bottom() - f64::from(height));
        let fault = (beyond > USUAL).then(|| Flaw::Beyond { bounds: rounded(&bounds), picture });
        Ok(Usable { bounds: clipped, trimmed: fault.is_none() && clipped != bounds, beyond: fault })
    }

    fn in_pixels(self, width: u32, height: u32) -> Result<BoundingBox, Flaw> {
        match self {
            Self::Edges([left, top, right, bottom]) => {
                if right < left || bottom < top {
                    return Err(Flaw::Turned { left, right, top, bottom });
                }
                // Equal edges would be a box of one pixel by VOC's rule; those who write them mean none.
                if right == left || bottom == top {
                    return Err(Flaw::NoArea { width: right - left, height: bottom - top });
                }
                Ok(BoundingBox::between(left - 1.0, top - 1.0, right, bottom))
            }
            Self::CornerSize([x, y, w, h]) if w < 0.0 || h < 0.0 => {
                Err(Flaw::Turned { left: x, right: x + w, top: y, bottom: y + h })
            }
            Self::CornerSize([x, y, w, h]) => Ok(BoundingBox::new(x, y, w, h)),
            Self::Shares([x, y, w, h]) => {
                let names = ["the centre's x", "the centre's y", "the width", "the height"];
                for (what, found) in names.into_iter().zip([x, y, w, h]) {
                    if !(0.0..=1.0).contains(&found) {
                        return Err(Flaw::NotAShare { what, found });
                    }
                }
                let relative = BoundingBox::new(x - w / 2.0, y - h / 2.0, w, h);
                Ok(snapped(relative.scaled(f64::from(width), f64::from(height))))
            }
        }
    }
}

/// Edges that are whole pixels but for rounding become whole, so that sets converted there and back stay the same.
fn snapped(b: BoundingBox) -> BoundingBox {
    let snap = |v: f64| if (v - v.round()).abs() < 1e-6 { v.round() } else { v };
    let (left, top, right, bottom) = (snap(b.x), snap(b.y), snap(b.right()), snap(b.bottom()));
    BoundingBox::between(left, top, right, bottom)
}

/// A box for people: at most two places.
fn rounded(b: &BoundingBox) -> String {
    let two = |v: f64| (v * 100.0).round() / 100.0;
    BoundingBox::new(two(b.x), two(b.y), two(b.width), two(b.height)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_to_write_a_box() {
        let expected = BoundingBox::new(2.0, 1.0, 4.0, 3.0);
        for written in [
            Written::Edges([3.0, 2.0, 6.0, 4.0]),
            Written::CornerSize([2.0, 1.0, 4.0, 3.0]),
            Written::Shares([4.0 / 7.0, 2.5 / 9.0, 4.0 / 7.0, 3.0 / 9.0]),
        ] {
            let usable = written.within(7, 9).unwrap();
            assert_eq!((usable.bounds, usable.beyond, usable.trimmed), (expected, None, false), "{written:?}");
        }
    }

    #[test]
    fn a_pixel_beyond_is_usual_and_more_is_a_fault() {
        let usable = Written::Edges([0.0, 1.0, 4.0, 4.0]).within(10, 10).unwrap();
        assert_eq!((usable.bounds, usable.trimmed), (BoundingBox::new(0.0, 0.0, 4.0, 4.0), true));
        assert_eq!(usable.beyond, None);
        let usable = Written::CornerSize([5.0, 5.0, 10.0, 2.0]).within(10, 10).unwrap();
        assert_eq!(usable.bounds.width, 5.0);
        let told = usable.beyond.unwrap().to_string();
        assert_eq!(told, "the box, 10×2 at (5, 5), reaches beyond its picture of 10×10 pixels");
    }
}
