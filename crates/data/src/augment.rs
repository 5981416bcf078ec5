//! Changes drawn by lot that make a training image a little different in every epoch.
//!
//! They act on the 8-bit picture at the network's size, before it is normalised; draws depend on the seed, the epoch and
//! the sample's index only, so the number of workers does not matter. A further kind is one more [`Step`].

use crate::picture::Picture;
use crate::seeded::Lots;
use serde::{Deserialize, Serialize};

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Moved by up to this many pixels each way, both axes on their own; black moves in, as where images are padded with
    /// zeros and cut (He et al., 2015, §4.2, with 4 pixels).
    Shift {
        /// The most pixels along either axis.
        pixels: u32,
    },
    /// Mirrored left to right in half of the cases.
    Flip,
    /// Turned, scaled and sheared about the centre (Simard, Steinkraus, Platt 2003); black moves in.
    Affine {
        /// The most that it is turned by, in degrees, either way.
        degrees: f64,
        /// The most that each axis grows or shrinks by on its own, as a share of its length.
        scale: f64,
        /// The most that a row moves sideways for each row of height, either way.
        shear: f64,
    },
}

/// Steps that are taken one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Augment {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Augment {
    /// Shifts by up to `shift` pixels (0: none), then perhaps mirrors.
    pub fn new(shift: u32, flip: bool) -> Self {
        let shift = (shift > 0).then_some(Step::Shift { pixels: shift });
        Self { steps: shift.into_iter().chain(flip.then_some(Step::Flip)).collect() }
    }

    /// Changes the sample with this index as in this epoch.
    #[must_use]
    pub fn apply(&self, picture: Picture, seed: u64, epoch: u64, index: usize) -> Picture {
        let draw = |picture, (number, step): (usize, &Step)| {
            let mut lots = Lots::new(seed, &[AUGMENT, epoch, index as u64, number as u64]);
            step.apply(picture, &mut lots)
        };
        self.steps.iter().enumerate().fold(picture, draw)
    }
}

/// Keeps these draws apart from others of the same seed.
const AUGMENT: u64 = 2;

impl Step {
    fn apply(self, picture: Picture, lots: &mut Lots) -> Picture {
        match self {
            Self::Shift { pixels } => {
                let (dx, dy) = (lots.around_zero(pixels), lots.around_zero(pixels));
                shifted(&picture, dx, dy)
            }
            Self::Flip if lots.coin() => mirrored(picture),
            Self::Flip => picture,
            Self::Affine { degrees, scale, shear } => {
                let (sin, cos) = (lots.within(degrees)).to_radians().sin_cos();
                let (wide, high) = (1.0 + lots.within(scale), 1.0 + lots.within(scale));
                let shear = lots.within(shear);
                // Where a pixel of the result comes from: the inverse of turning, scaling and shearing.
                warped(&picture, [[cos / wide, (sin + shear * cos) / wide], [-sin / high, (cos - shear * sin) / high]])
            }
        }
    }
}

/// Moved right by `dx` and down by `dy`; black moves in.
fn shifted(picture: &Picture, dx: i64, dy: i64) -> Picture {
    let mut moved = Picture::filled(picture.width, picture.height, &vec![0; usize::from(picture.channels)]);
    let overlap = |d: i64, size: u32| u64::from(size).saturating_sub(d.unsigned_abs()) as u32;
    let (w, h) = (overlap(dx, picture.width), overlap(dy, picture.height));
    if w > 0 && h > 0 {
        let part = picture.cut((-dx).max(0) as u32, (-dy).max(0) as u32, w, h);
        moved.paste(&part, dx.max(0) as u32, dy.max(0) as u32);
    }
    moved
}

/// Each pixel of the result lies, from the centre, at `from` times its own place in `picture`; read bilinearly.
fn warped(picture: &Picture, from: [[f64; 2]; 2]) -> Picture {
    let (w, h, channels) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let (centre_x, centre_y) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..h {
        for x in 0..w {
            let (dx, dy) = (x as f64 - centre_x, y as f64 - centre_y);
            let at_x = centre_x + from[0][0] * dx + from[0][1] * dy;
            let at_y = centre_y + from[1][0] * dx + from[1][1] * dy;
            let (left, top) = (at_x.floor(), at_y.floor());
            let (right_share, below_share) = (at_x - left, at_y - top);
            let level = |x: f64, y: f64, c: usize| {
                let inside = x >= 0.0 && y >= 0.0 && x < w as f64 && y < h as f64;
                if inside { f64::from(picture.pixels[(y as usize * w + x as usize) * channels + c]) } else { 0.0 }
            };
            for c in 0..channels {
                let row = |y: f64| level(left, y, c) * (1.0 - right_share) + level(left + 1.0, y, c) * right_share;
                pixels.push((row(top) * (1.0 - below_share) + row(top + 1.0) * below_share).round() as u8);
            }
        }
    }
    Picture { pixels, ..*picture }
}

fn mirrored(mut picture: Picture) -> Picture {
    let (stride, channels) = (picture.stride(), usize::from(picture.channels));
    for row in picture.pixels.chunks_exact_mut(stride) {
        row.reverse();
        // Whole rows are reversed by samples, so each pixel's channels must be turned back.
        row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { width: 3, height: 2, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] }
    }

    #[test]
    fn shifts_bring_black_in() {
        assert_eq!(shifted(&picture(), 1, 0).pixels, [0, 1, 2, 0, 4, 5]);
        assert_eq!(shifted(&picture(), -2, 1).pixels, [0, 0, 0, 3, 0, 0]);
        assert_eq!(shifted(&picture(), 0, -1).pixels, [4, 5, 6, 0, 0, 0]);
        assert_eq!(shifted(&picture(), 3, 0).pixels, [0; 6]);
        assert_eq!(shifted(&picture(), 100, -100).pixels, [0; 6]);
    }

    #[test]
    fn a_warp_turns_and_scales_about_the_centre() {
        let square = Picture { width: 3, height: 3, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6, 7, 8, 9] };
        assert_eq!(warped(&square, [[1.0, 0.0], [0.0, 1.0]]), square);
        let quarter_turn = [[0.0, 1.0], [-1.0, 0.0]];
        assert_eq!(warped(&square, quarter_turn).pixels, [7, 4, 1, 8, 5, 2, 9, 6, 3]);
        assert_eq!(warped(&square, [[3.0, 0.0], [0.0, 3.0]]).pixels, [0, 0, 0, 0, 5, 0, 0, 0, 0]);
        let half = warped(&square, [[0.5, 0.0], [0.0, 0.5]]).pixels;
        assert_eq!((half[3], half[4], half[1]), (5, 5, 4), "between 4 and 5, 5 itself, between 2 and 5");
    }

    #[test]
    fn a_mirror_keeps_colours() {
        let colour = Picture { width: 2, height: 1, channels: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(mirrored(colour).pixels, [4, 5, 6, 1, 2, 3]);
        assert_eq!(mirrored(picture()).pixels, [3, 2, 1, 6, 5, 4]);
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_index_only() {
        let augment = Augment::new(2, true);
        let draw = |seed, epoch, index| augment.apply(picture(), seed, epoch, index).pixels;
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        let distinct = |draws: Vec<Vec<u8>>| draws.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(distinct((0..50).map(|i| draw(i, 0, 0)).collect()) > 5);
        assert!(distinct((0..50).map(|i| draw(0, i, 0)).collect()) > 5);
        assert!(distinct((0..50).map(|i| draw(0, 0, i as usize)).collect()) > 5);
        assert_eq!(Augment::new(0, false).apply(picture(), 1, 1, 1), picture());
    }
}
