//! Pictures moved sideways, up and down: what padding and cutting a part of the old size gives.

use crate::picture::Picture;
use crate::seeded::Lots;
use serde::{Deserialize, Serialize};

/// What moves in where a picture moves away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// Zeros.
    #[default]
    Black,
    /// The picture mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

impl Border {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(super) fn is_black(&self) -> bool {
        *self == Self::Black
    }
}

/// Moved by up to `pixels` along either axis.
pub(super) fn drawn(picture: &Picture, lots: &mut Lots, pixels: u32, border: Border) -> Picture {
    let (dx, dy) = (lots.around_zero(pixels), lots.around_zero(pixels));
    match border {
        Border::Black => shifted(picture, dx, dy),
        Border::Reflect => reflected(picture, dx, dy),
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

/// Moved right by `dx` and down by `dy`; the mirrored picture moves in.
fn reflected(picture: &Picture, dx: i64, dy: i64) -> Picture {
    let (stride, channels) = (picture.stride(), usize::from(picture.channels));
    let (w, h) = (picture.width as usize, picture.height as usize);
    let columns: Vec<usize> = (0..w).map(|x| mirrored(x as i64 - dx, w) * channels).collect();
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..h {
        let row = &picture.pixels[mirrored(y as i64 - dy, h) * stride..][..stride];
        for &x in &columns {
            pixels.extend_from_slice(&row[x..x + channels]);
        }
    }
    Picture { pixels, ..*picture }
}

/// The place among `n` that `at` falls on when they are mirrored at both ends, again and again.
pub(super) fn mirrored(at: i64, n: usize) -> usize {
    let last = n as i64 - 1;
    if last == 0 {
        return 0;
    }
    let within = at.rem_euclid(2 * last);
    within.min(2 * last - within) as usize
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
    fn shifts_bring_the_mirrored_picture_in() {
        // Padded by reflection, rows are 3 2 [1 2 3] 2 1: a shift to the right by two begins two earlier.
        assert_eq!(reflected(&picture(), 2, 0).pixels, [3, 2, 1, 6, 5, 4]);
        assert_eq!(reflected(&picture(), -1, 0).pixels, [2, 3, 2, 5, 6, 5]);
        assert_eq!(reflected(&picture(), 0, 1).pixels, [4, 5, 6, 1, 2, 3]);
        assert_eq!(reflected(&picture(), 0, 0), picture());
        assert_eq!(reflected(&picture(), 400, -800), picture(), "whole periods");
        let colour = Picture { width: 2, height: 1, channels: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(reflected(&colour, 1, 5).pixels, [4, 5, 6, 1, 2, 3]);
        assert_eq!(reflected(&Picture::filled(1, 1, &[7]), 3, 3).pixels, [7]);
    }
}
