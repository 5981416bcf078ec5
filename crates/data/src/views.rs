//! Several looks at one picture, whose answers are averaged (Krizhevsky, Sutskever and Hinton 2012, §4.1): windows of the
//! network's size in the four corners and in the middle of a larger picture, and their mirror images.
//!
//! The larger picture is that which [`Fit::Crop`] cuts its middle from. For all other rules it is the picture brought by the
//! rule to 8/7 of the network's size (256 for 224).

use crate::augment::mirrored;
use crate::fit::{self, Fit, half_to_even};
use crate::picture::Picture;
use crate::preprocess::Preprocessing;

/// How often, and where, a picture is looked at. The default is once, as its preprocessing says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Views {
    /// In the four corners and in the middle.
    pub five: bool,
    /// Each of them mirrored left to right, too.
    pub mirrored: bool,
}

impl Views {
    /// How many they are: 1, 2, 5 or 10.
    pub fn count(self) -> usize {
        (if self.five { 5 } else { 1 }) * (if self.mirrored { 2 } else { 1 })
    }
}

/// 8/7 of a side, to the nearest pixel.
fn larger(side: u32) -> u32 {
    (8 * side + 3) / 7
}

impl Preprocessing {
    /// The looks at a picture at the network's size and channels, still in 8 bits: upper left, upper right, lower left, lower
    /// right, middle; then the same mirrored.
    #[must_use]
    pub fn views(&self, picture: &Picture, views: Views) -> Vec<Picture> {
        let mut all = if views.five { self.five(picture) } else { vec![self.fit(picture)] };
        if views.mirrored {
            all.extend_from_within(..);
            let half = all.len() / 2;
            all = all.into_iter().enumerate().map(|(i, view)| if i < half { view } else { mirrored(view) }).collect();
        }
        all
    }

    fn five(&self, picture: &Picture) -> Vec<Picture> {
        let (width, height) = (self.width, self.height);
        let whole = self.in_channels(picture, |picture| match self.fit {
            Fit::Crop { resize_to } => fit::resize_for_crop(picture, width, height, resize_to),
            rule => fit::fit(picture, larger(width), larger(height), rule),
        });
        let (right, below) = (whole.width - width, whole.height - height);
        let middle = (half_to_even(right), half_to_even(below));
        let corners = [(0, 0), (right, 0), (0, below), (right, below), middle];
        corners.into_iter().map(|(x, y)| whole.cut(x, y, width, height)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Views = Views { five: true, mirrored: false };
    const TEN: Views = Views { five: true, mirrored: true };

    /// A colour picture whose pixels tell their column, their row and nothing else.
    fn map(width: u32, height: u32) -> Picture {
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 7])).collect();
        Picture { width, height, channels: 3, pixels }
    }

    /// The column and row that the corner pixels of a view come from: upper left, lower right.
    fn corners(view: &Picture) -> [(u8, u8); 2] {
        let at = |x, y| (view.pixel(x, y)[0], view.pixel(x, y)[1]);
        [at(0, 0), at(view.width - 1, view.height - 1)]
    }

    #[test]
    fn windows_lie_in_the_corners_and_in_the_middle() {
        // The shorter side is 16 already, so nothing is resized; 12 × 10 windows leave 12 columns and 6 rows.
        let p = Preprocessing::new(12, 10, 3, Fit::Crop { resize_to: 16 });
        let views = p.views(&map(24, 16), FIVE);
        let found: Vec<_> = views.iter().map(corners).collect();
        let window = |x: u8, y: u8| [(x, y), (x + 11, y + 9)];
        assert_eq!(found, [window(0, 0), window(12, 0), window(0, 6), window(12, 6), window(6, 3)]);
        assert!(views.iter().all(|v| (v.width, v.height, v.channels) == (12, 10, 3)));
        assert_eq!(views[4], p.fit(&map(24, 16)), "the middle is what the rule gives");
    }

    #[test]
    fn mirror_images_come_behind() {
        let p = Preprocessing::new(12, 10, 3, Fit::Crop { resize_to: 16 });
        let views = p.views(&map(24, 16), TEN);
        assert_eq!((views.len(), TEN.count(), FIVE.count()), (10, 10, 5));
        for (view, mirror) in views[..5].iter().zip(&views[5..]) {
            for y in 0..10 {
                for x in 0..12 {
                    assert_eq!(view.pixel(x, y), mirror.pixel(11 - x, y));
                }
            }
        }
        let flip = Views { five: false, mirrored: true };
        let two = p.views(&map(24, 16), flip);
        assert_eq!((two.len(), flip.count()), (2, 2));
        assert_eq!(two[0], p.fit(&map(24, 16)));
        assert_eq!(corners(&two[1]), [(17, 3), (6, 12)], "columns run backwards");
    }

    #[test]
    fn other_rules_cut_from_eight_sevenths_of_the_size() {
        assert_eq!([7, 14, 32, 224, 1].map(larger), [8, 16, 37, 256, 1]);
        // A picture of that size already is not resized: 16 of 14, so windows move by two pixels.
        for rule in [Fit::Stretch, Fit::Letterbox, Fit::Pad] {
            let p = Preprocessing::new(14, 14, 3, rule);
            let found: Vec<_> = p.views(&map(16, 16), FIVE).iter().map(|v| corners(v)[0]).collect();
            assert_eq!(found, [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)], "{rule:?}");
        }
        // A small drawing is padded to 16, and the middle of that is what padding to 14 gives.
        let p = Preprocessing::new(14, 14, 3, Fit::Pad);
        assert_eq!(p.views(&map(8, 6), FIVE)[4], p.fit(&map(8, 6)));
    }

    #[test]
    fn every_rule_gives_views_of_the_networks_shape() {
        for rule in [Fit::Stretch, Fit::Crop { resize_to: 0 }, Fit::Pad, Fit::Letterbox, Fit::Ink { detail: 4 }] {
            for (channels, (w, h)) in [(1, (1, 1)), (3, (3, 40)), (1, (40, 3)), (3, (9, 9))] {
                let p = Preprocessing::new(9, 5, channels, rule);
                for picture in [map(w, h), map(w, h).to_grey()] {
                    let views = p.views(&picture, TEN);
                    assert_eq!(views.len(), 10);
                    assert!(views.iter().all(|v| (v.width, v.height, v.channels) == (9, 5, channels)), "{rule:?}");
                    assert_eq!(p.views(&picture, Views::default()), [p.fit(&picture)]);
                }
            }
        }
    }
}
