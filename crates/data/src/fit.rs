//! Bringing a picture to a network's size. Resizing is Pillow's antialiased bilinear, within one level.

use crate::ink;
use crate::picture::Picture;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

/// How a picture of another size is brought to a network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fit {
    /// Stretched to the size; the shape is not kept.
    Stretch,
    /// The shorter side is resized to `resize_to` (no less than the network's longer side), then the centre is cut out:
    /// what torchvision's `Resize` and `CenterCrop` do.
    Crop {
        /// The shorter side's length before cutting.
        resize_to: u32,
    },
    /// Scaled down to fit if larger, never up, and centred on the picture's own background: the median along its edge.
    Pad,
    /// Scaled up or down to fit and centred on the picture's own background.
    Letterbox,
    /// For drawings of a character: made bright on dark, cut out, scaled to fill, centred on black.
    /// What is brighter or darker than the edge's median, whichever has the larger contrast, is the ink; what has a
    /// quarter of that contrast decides the box; margins are 1/16. A blank picture becomes black.
    Ink {
        /// The drawing is first reduced to this many pixels on its longer side, if it has more: what was learnt from coarse
        /// drawings is then asked of coarse ones. 0: never.
        #[serde(default)]
        detail: u32,
    },
}

/// Brings `picture` to `width` × `height`; the number of channels stays, but for [`Fit::Ink`], which returns grey.
pub(crate) fn fit(picture: &Picture, width: u32, height: u32, rule: Fit) -> Picture {
    match rule {
        Fit::Stretch => resize(picture, width, height),
        Fit::Crop { resize_to } => crop(picture, width, height, resize_to),
        Fit::Pad if picture.width <= width && picture.height <= height => {
            centre(picture, width, height, &picture.border_median())
        }
        Fit::Pad | Fit::Letterbox => {
            let (w, h) = largest_within(picture.width, picture.height, width, height);
            centre(&resize(picture, w, h), width, height, &picture.border_median())
        }
        Fit::Ink { detail } => ink::extract(picture, width, height, detail),
    }
}

/// Antialiased bilinear resizing: each output pixel is the triangle-weighted mean of the input it covers.
pub(crate) fn resize(picture: &Picture, width: u32, height: u32) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture.clone();
    }
    let kind = if picture.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resized = Image::new(width, height, kind);
    let source = ImageRef::new(picture.width, picture.height, &picture.pixels, kind)
        .expect("a picture holds height · width · channels samples");
    Resizer::new().resize(&source, &mut resized, &options).expect("both images are of the same kind");
    Picture { width, height, channels: picture.channels, pixels: resized.into_vec() }
}

fn crop(picture: &Picture, width: u32, height: u32, resize_to: u32) -> Picture {
    let resized = resize_for_crop(picture, width, height, resize_to);
    let (x, y) = (half_to_even(resized.width - width), half_to_even(resized.height - height));
    resized.cut(x, y, width, height)
}

/// What [`Fit::Crop`] cuts from: at least `width` × `height`.
pub(crate) fn resize_for_crop(picture: &Picture, width: u32, height: u32, resize_to: u32) -> Picture {
    let short = resize_to.max(width).max(height);
    let cut = cut_to_bounded_shape(picture);
    let picture = cut.as_ref().unwrap_or(picture);
    let (w, h) = (u64::from(picture.width), u64::from(picture.height));
    let long = |a: u64, b: u64| (u64::from(short) * a / b) as u32;
    let (w, h) = if w <= h { (short, long(h, w)) } else { (long(w, h), short) };
    resize(picture, w, h)
}

/// Cuts a very long picture to 8 times its shorter side: the rest lies far outside the centre that is wanted, and
/// enlarging it would take memory without bound.
fn cut_to_bounded_shape(picture: &Picture) -> Option<Picture> {
    let [x, y, w, h] = bounded([picture.width, picture.height]);
    (w < picture.width || h < picture.height).then(|| picture.cut(x, y, w, h))
}

/// The middle of a picture of this size that is no more than 8 times as long as wide: x, y, width, height.
pub(crate) fn bounded([w, h]: [u32; 2]) -> [u32; 4] {
    const LONGEST: u32 = 8;
    let (to_w, to_h) = (w.min(h.saturating_mul(LONGEST)), h.min(w.saturating_mul(LONGEST)));
    [(w - to_w) / 2, (h - to_h) / 2, to_w, to_h]
}

/// n / 2, halves rounded to the even neighbour: Python's `round`, by which torchvision places its crop.
pub(crate) fn half_to_even(n: u32) -> u32 {
    if n % 4 == 3 { n / 2 + 1 } else { n / 2 }
}

/// The largest size of shape `w` : `h` within `width` × `height`.
pub(crate) fn largest_within(w: u32, h: u32, width: u32, height: u32) -> (u32, u32) {
    let scale = (f64::from(width) / f64::from(w)).min(f64::from(height) / f64::from(h));
    let side = |n: u32, most: u32| ((f64::from(n) * scale).round() as u32).clamp(1, most);
    (side(w, width), side(h, height))
}

/// The picture in the middle of a larger one of the level `background`; an odd remainder goes right and below.
pub(crate) fn centre(picture: &Picture, width: u32, height: u32, background: &[u8]) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture.clone();
    }
    let mut canvas = Picture::filled(width, height, background);
    canvas.paste(picture, (width - picture.width) / 2, (height - picture.height) / 2);
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_pictures_are_padded_on_their_own_background() {
        let mut picture = Picture::filled(3, 3, &[9]);
        picture.pixels[4] = 200;
        let padded = fit(&picture, 6, 5, Fit::Pad);
        assert_eq!((padded.width, padded.height), (6, 5));
        let inked: Vec<usize> = (0..30).filter(|&i| padded.pixels[i] == 200).collect();
        assert_eq!(inked, [2 * 6 + 2], "an odd remainder goes right and below");
        assert!(padded.pixels.iter().all(|&v| v == 9 || v == 200));
    }

    #[test]
    fn a_letterbox_keeps_the_shape_both_ways() {
        let wide = Picture::filled(40, 10, &[50, 60, 70]);
        assert_eq!(fit(&wide, 20, 20, Fit::Letterbox), Picture::filled(20, 20, &[50, 60, 70]));
        assert_eq!(largest_within(40, 10, 20, 20), (20, 5));
        assert_eq!(largest_within(4, 8, 20, 20), (10, 20));
        assert_eq!(largest_within(100_000, 1, 20, 20), (20, 1), "never without pixels");
    }

    #[test]
    fn a_crop_of_a_needle_takes_no_memory() {
        let needle = Picture::filled(1, 1_000_000, &[77]);
        assert_eq!(fit(&needle, 32, 32, Fit::Crop { resize_to: 40 }), Picture::filled(32, 32, &[77]));
    }

    #[test]
    fn halves_go_to_the_even_neighbour_as_in_python() {
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(half_to_even), [0, 0, 1, 2, 2, 2, 3, 4]);
    }

    proptest! {
        /// Every rule gives the size asked for, whatever the picture's.
        #[test]
        fn every_rule_gives_the_size(
            (w, h) in (1u32..60, 1u32..60),
            (width, height) in (1u32..40, 1u32..40),
            resize_to in 0u32..60,
            colour in any::<bool>(),
        ) {
            let channels = if colour { 3 } else { 1 };
            let pixels = (0..w * h * channels).map(|i| (i * 37 % 251) as u8).collect();
            let picture = Picture { width: w, height: h, channels: channels as u8, pixels };
            for rule in [Fit::Stretch, Fit::Crop { resize_to }, Fit::Pad, Fit::Letterbox, Fit::Ink { detail: 4 }] {
                let fitted = fit(&picture, width, height, rule);
                prop_assert_eq!((fitted.width, fitted.height), (width, height));
                prop_assert_eq!(fitted.pixels.len(), (width * height) as usize * usize::from(fitted.channels));
            }
        }
    }
}
