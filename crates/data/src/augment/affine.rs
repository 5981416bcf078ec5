//! Affine maps of pictures, read bilinearly; black lies around them.
//!
//! Places are fixed-point numbers with 32 bits of fraction, of which the weights take 12: a level is off by less than an
//! eighth before it is rounded, and the same on every machine.

use crate::picture::Picture;
use crate::seeded::Lots;

/// Bits of fraction of a place, and of a weight.
const PLACE: u32 = 32;
const WEIGHT: u32 = 12;

/// Where each pixel of a result comes from: from the picture's centre, at `by` times its own place, plus `plus` pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Rows: horizontally, vertically. Columns: times the horizontal, times the vertical place.
    pub(super) by: [[f64; 2]; 2],
    /// Horizontally, vertically.
    pub(super) plus: [f64; 2],
}

impl Origin {
    /// Of a picture turned counter-clockwise, as torchvision's `rotate` does.
    pub(super) fn turned(degrees: f64) -> Self {
        let (sin, cos) = libm::sincos(degrees.to_radians());
        Self { by: [[cos, -sin], [sin, cos]], plus: [0.0; 2] }
    }
}

/// Turned by up to `degrees`, each axis scaled by up to `scale`, sheared by up to `shear`.
pub(super) fn drawn(picture: &Picture, lots: &mut Lots, degrees: f64, scale: f64, shear: f64) -> Picture {
    let (sin, cos) = libm::sincos(lots.within(degrees).to_radians());
    let (wide, high) = (1.0 + lots.within(scale), 1.0 + lots.within(scale));
    let shear = lots.within(shear);
    // The inverse of turning, scaling and shearing.
    let by = [[cos / wide, (sin + shear * cos) / wide], [-sin / high, (cos - shear * sin) / high]];
    warped(picture, Origin { by, plus: [0.0; 2] })
}

/// The picture whose pixels come from these places.
pub(super) fn warped(picture: &Picture, from: Origin) -> Picture {
    let pixels = if picture.channels == 1 { walk::<1>(picture, from) } else { walk::<3>(picture, from) };
    Picture { pixels, ..*picture }
}

fn walk<const CHANNELS: usize>(picture: &Picture, Origin { by, plus }: Origin) -> Vec<u8> {
    let (w, h) = (picture.width as usize, picture.height as usize);
    let (pixels, _) = picture.pixels.as_chunks::<CHANNELS>();
    let (centre_x, centre_y) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let fixed = |place: f64| (place * (1_i64 << PLACE) as f64).round_ties_even() as i64;
    let step = (fixed(by[0][0]), fixed(by[1][0]));
    let share = |place: i64| (place >> (PLACE - WEIGHT)) as u32 & ((1 << WEIGHT) - 1);
    let level = |x: i64, y: i64| {
        let inside = x >= 0 && y >= 0 && x < w as i64 && y < h as i64;
        if inside { pixels[y as usize * w + x as usize] } else { [0; CHANNELS] }
    };
    let mut warped = Vec::with_capacity(picture.pixels.len());
    for y in 0..h {
        let dy = y as f64 - centre_y;
        let first = |axis: usize, centre: f64| centre - by[axis][0] * centre_x + by[axis][1] * dy + plus[axis];
        let (mut at_x, mut at_y) = (fixed(first(0, centre_x)), fixed(first(1, centre_y)));
        for _ in 0..w {
            let (left, top) = (at_x >> PLACE, at_y >> PLACE);
            let (right, below) = (share(at_x), share(at_y));
            let whole = left >= 0 && top >= 0 && left + 1 < w as i64 && top + 1 < h as i64;
            let corners = if whole {
                let corner = top as usize * w + left as usize;
                [pixels[corner], pixels[corner + 1], pixels[corner + w], pixels[corner + w + 1]]
            } else {
                [level(left, top), level(left + 1, top), level(left, top + 1), level(left + 1, top + 1)]
            };
            for c in 0..CHANNELS {
                let [a, b, d, e] = corners.map(|pixel| u32::from(pixel[c]));
                let (upper, lower) = (a * ((1 << WEIGHT) - right) + b * right, d * ((1 << WEIGHT) - right) + e * right);
                // At most 255 · 2²⁴ + 2²³, which 32 bits hold.
                let sum = upper * ((1 << WEIGHT) - below) + lower * below;
                warped.push(((sum + (1 << (2 * WEIGHT - 1))) >> (2 * WEIGHT)) as u8);
            }
            (at_x, at_y) = (at_x.wrapping_add(step.0), at_y.wrapping_add(step.1));
        }
    }
    warped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warp_turns_and_scales_about_the_centre() {
        let square = Picture { width: 3, height: 3, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6, 7, 8, 9] };
        let by = |by: [[f64; 2]; 2]| warped(&square, Origin { by, plus: [0.0; 2] });
        assert_eq!(by([[1.0, 0.0], [0.0, 1.0]]), square);
        let quarter_turn = [[0.0, 1.0], [-1.0, 0.0]];
        assert_eq!(by(quarter_turn).pixels, [7, 4, 1, 8, 5, 2, 9, 6, 3]);
        assert_eq!(by([[3.0, 0.0], [0.0, 3.0]]).pixels, [0, 0, 0, 0, 5, 0, 0, 0, 0]);
        let half = by([[0.5, 0.0], [0.0, 0.5]]).pixels;
        assert_eq!((half[3], half[4], half[1]), (5, 5, 4), "between 4 and 5, 5 itself, between 2 and 5");
        assert_eq!(warped(&square, Origin::turned(90.0)).pixels, [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        let moved = Origin { by: [[1.0, 0.0], [0.0, 1.0]], plus: [1.0, -1.0] };
        assert_eq!(warped(&square, moved).pixels, [0, 0, 0, 2, 3, 0, 5, 6, 0]);
    }

    #[test]
    fn full_white_stays_white_between_pixels() {
        let white = Picture::filled(9, 7, &[255, 255, 255]);
        let nearly = warped(&white, Origin { by: [[0.7, 0.1], [-0.1, 0.7]], plus: [0.0; 2] });
        assert_eq!(nearly, white);
    }
}
