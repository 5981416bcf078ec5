//! Where a picture lies in a network's input, so that what is found there can be shown on the picture itself.

use crate::fit::{Fit, bounded, half_to_even, largest_within};
use crate::ink;
use crate::picture::Picture;
use crate::preprocess::Preprocessing;

/// The map from a picture to a network's input, each way along x and y. Coordinates count pixels from the upper left
/// corner; the middle of the first pixel is at ½.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Pixels of the input for one of the picture: x, y.
    pub scale: [f64; 2],
    /// Where the picture's corner comes to lie in the input: x, y.
    pub offset: [f64; 2],
}

impl Placement {
    /// The point of the input that a point (x, y) of the picture becomes; outside the input if it was cut off.
    pub fn to_input(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.scale[0] * x + self.offset[0], self.scale[1] * y + self.offset[1]]
    }

    /// The point of the picture that becomes (x, y) of the input; outside the picture if it was padded there.
    pub fn to_picture(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.offset[0]) / self.scale[0], (y - self.offset[1]) / self.scale[1]]
    }
}

impl Preprocessing {
    /// Where a picture lies in the input that [`fit`](Self::fit) makes of it. `None` if nothing of it is there: a drawing
    /// without ink.
    pub fn placement(&self, picture: &Picture) -> Option<Placement> {
        let (w, h, width, height) = (picture.width, picture.height, self.width, self.height);
        // The part of the picture that is kept, and the part of the input that it is resized to.
        let whole = [0.0, 0.0, f64::from(w), f64::from(h)];
        let centred = |w: u32, h: u32| [(width - w) / 2, (height - h) / 2, w, h].map(f64::from);
        let (from, to) = match self.fit {
            Fit::Stretch => (whole, [0, 0, width, height].map(f64::from)),
            Fit::Crop { resize_to } => {
                let cut = bounded([w, h]);
                let short = resize_to.max(width).max(height);
                let long = |a: u32, b: u32| (u64::from(short) * u64::from(a) / u64::from(b)) as u32;
                let [_, _, w, h] = cut;
                let (w, h) = if w <= h { (short, long(h, w)) } else { (long(w, h), short) };
                let (x, y) = (half_to_even(w - width), half_to_even(h - height));
                (cut.map(f64::from), [-f64::from(x), -f64::from(y), f64::from(w), f64::from(h)])
            }
            Fit::Pad if w <= width && h <= height => (whole, centred(w, h)),
            Fit::Pad | Fit::Letterbox => {
                let (w, h) = largest_within(w, h, width, height);
                (whole, centred(w, h))
            }
            Fit::Ink { detail } => {
                let place = ink::place(picture)?;
                let (mut w, mut h) = (place[2] as u32, place[3] as u32);
                if detail > 0 && w.max(h) > detail {
                    (w, h) = largest_within(w, h, detail, detail);
                }
                let (w, h) = largest_within(w, h, width, height);
                (place.map(|v| v as f64), centred(w, h))
            }
        };
        let scale = [to[2] / from[2], to[3] / from[3]];
        Some(Placement { scale, offset: [to[0] - scale[0] * from[0], to[1] - scale[1] * from[1]] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Black with one bright block of 8×8 pixels whose middle is at (x, y).
    fn spot(w: u32, h: u32, x: u32, y: u32) -> Picture {
        let mut picture = Picture::filled(w, h, &[0]);
        picture.paste(&Picture::filled(8, 8, &[255]), x - 4, y - 4);
        picture
    }

    /// The middle of what is bright.
    fn middle(picture: &Picture) -> [f64; 2] {
        let (mut sum, mut at) = (0.0, [0.0; 2]);
        for y in 0..picture.height {
            for x in 0..picture.width {
                let v = f64::from(picture.pixel(x, y)[0]);
                sum += v;
                at[0] += v * (f64::from(x) + 0.5);
                at[1] += v * (f64::from(y) + 0.5);
            }
        }
        at.map(|v| v / sum)
    }

    #[test]
    fn a_spot_is_found_where_the_placement_says() {
        for fit in [Fit::Stretch, Fit::Crop { resize_to: 40 }, Fit::Pad, Fit::Letterbox, Fit::Ink { detail: 0 }] {
            for (w, h, x, y) in [(64, 48, 30, 20), (48, 64, 20, 40), (30, 28, 12, 18), (97, 33, 50, 13)] {
                let (picture, p) = (spot(w, h, x, y), Preprocessing::new(32, 36, 1, fit));
                let [u, v] = p.placement(&picture).unwrap().to_input([f64::from(x), f64::from(y)]);
                let [found_u, found_v] = middle(&p.fit(&picture));
                let near = (u - found_u).abs() < 0.3 && (v - found_v).abs() < 0.3;
                assert!(near, "{fit:?} of {w}×{h}: ({u}, {v}), but it is at ({found_u}, {found_v})");
            }
        }
    }

    #[test]
    fn both_ways_are_one() {
        let p = Preprocessing::new(32, 36, 1, Fit::Letterbox);
        let placement = p.placement(&Picture::filled(100, 50, &[7])).unwrap();
        let [x, y] = placement.to_picture(placement.to_input([12.5, 40.0]));
        assert!((x - 12.5).abs() < 1e-9 && (y - 40.0).abs() < 1e-9);
        assert_eq!(placement, Placement { scale: [0.32, 0.32], offset: [0.0, 10.0] });
    }

    #[test]
    fn an_empty_sheet_is_nowhere() {
        let p = Preprocessing::new(8, 8, 1, Fit::Ink { detail: 0 });
        assert_eq!(p.placement(&Picture::filled(20, 20, &[9])), None);
    }
}
