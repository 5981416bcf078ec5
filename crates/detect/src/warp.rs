//! Regions cut out for a network of a fixed input size, as R-CNN does (Girshick et al. 2014, arXiv:1311.2524, appendix A).
//!
//! A region is widened by so much of its surroundings that `context` pixels of the result, on each side, are context, and
//! then stretched to the square; what lies beyond the picture is filled with the mean colour. Edges are rounded to whole
//! pixels before and after scaling, as in the authors' code, and pixels are interpolated bilinearly without smoothing.

use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use serde::{Deserialize, Serialize};
use striate_data::Picture;

/// How a region comes to be a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// It is stretched, whatever its shape (D in the paper, which found it best).
    #[default]
    Warp,
    /// The tightest square around it, with what lies in there (B in the paper).
    Square,
}

/// How regions are cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warp {
    /// Pixels on a side of the result.
    pub side: u32,
    /// Pixels of the result, on each side, that are context; 16 in the paper.
    pub context: u32,
    /// How a region comes to be a square.
    pub shape: Shape,
    /// The colour beyond the picture, as many samples as the picture has channels.
    pub fill: Vec<u8>,
}

impl Warp {
    /// The paper's: warped, 16 pixels of context.
    pub fn new(side: u32, fill: Vec<u8>) -> Self {
        Self { side, context: 16, shape: Shape::Warp, fill }
    }

    /// Cuts a region out of a picture.
    ///
    /// # Errors
    /// If context leaves no room in the square, the fill has not one sample a channel, or the region has no area.
    pub fn cut(&self, picture: &Picture, region: &BoundingBox) -> Result<Picture, DetectError> {
        let wrong = |option, value, expected| Err(DetectError::Option { option, value, expected });
        if self.side == 0 || self.context.saturating_mul(2) >= self.side {
            return wrong("context", self.context.to_string(), "below half of the side");
        }
        if self.fill.len() != usize::from(picture.channels) {
            return wrong("fill", format!("of {} samples", self.fill.len()), "of one sample a channel");
        }
        if !region.is_finite() || region.width <= 0.0 || region.height <= 0.0 {
            return wrong("a region", region.to_string(), "a box with an area");
        }
        let mut out = Picture::filled(self.side, self.side, &self.fill);
        let (columns, rows) = self.axes(picture, region);
        paste_resized(picture, &columns, &rows, &mut out);
        Ok(out)
    }

    /// Where the result's columns and rows come from.
    fn axes(&self, picture: &Picture, region: &BoundingBox) -> (Axis, Axis) {
        let scale = f64::from(self.side) / f64::from(self.side - 2 * self.context);
        let (mut half_w, mut half_h) = (region.width / 2.0, region.height / 2.0);
        let (x, y) = (region.x + half_w, region.y + half_h);
        if self.shape == Shape::Square {
            half_w = half_w.max(half_h);
            half_h = half_w;
        }
        (
            Axis::new(x - half_w * scale, x + half_w * scale, picture.width, self.side),
            Axis::new(y - half_h * scale, y + half_h * scale, picture.height, self.side),
        )
    }
}

/// One axis: pixels `from..to` of the picture become `length` pixels of the result, from `offset` on.
#[derive(Debug, PartialEq, Eq)]
struct Axis {
    from: i64,
    to: i64,
    offset: u32,
    length: u32,
}

impl Axis {
    fn new(start: f64, end: f64, size: u32, side: u32) -> Self {
        // Far beyond any picture, so that nothing overflows.
        let whole = |v: f64| v.round().clamp(-1e9, 1e9) as i64;
        let first = whole(start);
        let last = whole(end).max(first + 1);
        let (from, to) = (first.max(0), last.min(i64::from(size)));
        if to <= from {
            return Self { from: 0, to: 0, offset: 0, length: 0 };
        }
        let scale = f64::from(side) / (last - first) as f64;
        let offset = (((from - first) as f64 * scale).round() as u32).min(side - 1);
        let length = (((to - from) as f64 * scale).round() as u32).clamp(1, side - offset);
        Self { from, to, offset, length }
    }

    /// For each pixel of the result: the pixel before its centre, the one behind, and the share of the latter.
    fn taps(&self) -> Vec<(usize, usize, f32)> {
        let count = self.to - self.from;
        let tap = |i: u32| {
            let place = (f64::from(i) + 0.5) * count as f64 / f64::from(self.length) - 0.5;
            let place = place.clamp(0.0, (count - 1) as f64);
            let before = place.floor();
            let behind = (before as i64 + 1).min(count - 1);
            ((self.from + before as i64) as usize, (self.from + behind) as usize, (place - before) as f32)
        };
        (0..self.length).map(tap).collect()
    }
}

/// Bilinear interpolation: of two rows each is first interpolated along, then between them.
fn paste_resized(picture: &Picture, columns: &Axis, rows: &Axis, out: &mut Picture) {
    let channels = usize::from(picture.channels);
    let (xs, ys) = (columns.taps(), rows.taps());
    let row = |y: usize| &picture.pixels[y * picture.stride()..(y + 1) * picture.stride()];
    let stride = out.stride();
    for (i, &(top, bottom, down)) in ys.iter().enumerate() {
        let (top, bottom) = (row(top), row(bottom));
        let start = (rows.offset as usize + i) * stride + columns.offset as usize * channels;
        let line = &mut out.pixels[start..start + xs.len() * channels];
        for (pixel, &(left, right, along)) in line.chunks_exact_mut(channels).zip(&xs) {
            for (c, value) in pixel.iter_mut().enumerate() {
                let between = |line: &[u8]| {
                    let (a, b) = (f32::from(line[left * channels + c]), f32::from(line[right * channels + c]));
                    a + (b - a) * along
                };
                let (a, b) = (between(top), between(bottom));
                *value = (a + (b - a) * down + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel's level is its column times 10.
    fn ramp(width: u32, height: u32) -> Picture {
        let pixels = (0..height).flat_map(|_| (0..width).map(|x| (x * 10) as u8)).collect();
        Picture { width, height, channels: 1, pixels }
    }

    #[test]
    fn regions_without_context_are_resized() {
        let warp = Warp { context: 0, ..Warp::new(4, vec![0]) };
        let cut = warp.cut(&ramp(20, 6), &BoundingBox::new(4.0, 1.0, 4.0, 2.0)).unwrap();
        assert_eq!(cut.pixels[..4], [40, 50, 60, 70], "columns as they are");
        // Twice as wide: centres at 4 + (i + 0.5)·2 − 0.5.
        let cut = warp.cut(&ramp(20, 6), &BoundingBox::new(4.0, 1.0, 8.0, 2.0)).unwrap();
        assert_eq!(cut.pixels[..4], [45, 65, 85, 105]);
    }

    #[test]
    fn context_is_what_lies_around_or_the_mean() {
        // A quarter on each side is context: 4 pixels of the region in the middle of 8.
        let warp = Warp { context: 2, ..Warp::new(8, vec![255]) };
        let cut = warp.cut(&ramp(20, 20), &BoundingBox::new(4.0, 4.0, 4.0, 4.0)).unwrap();
        assert_eq!(cut.pixels[..8], [20, 30, 40, 50, 60, 70, 80, 90]);
        // At the corner two rows and columns lie beyond the picture.
        let cut = warp.cut(&ramp(20, 20), &BoundingBox::new(0.0, 0.0, 4.0, 4.0)).unwrap();
        assert_eq!(cut.pixels[..16], [255; 16]);
        assert_eq!(cut.pixels[16..24], [255, 255, 0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn squares_keep_the_shape() {
        let picture = ramp(20, 20);
        let warp = Warp { context: 0, shape: Shape::Square, ..Warp::new(8, vec![255]) };
        let cut = warp.cut(&picture, &BoundingBox::new(4.0, 8.0, 8.0, 2.0)).unwrap();
        assert_eq!(cut.pixels[..8], [40, 50, 60, 70, 80, 90, 100, 110]);
        assert_eq!(cut.pixels[56..], cut.pixels[..8]);
    }

    #[test]
    fn any_region_and_picture_pass() {
        let far = [
            BoundingBox::new(-500.0, -500.0, 3.0, 3.0),
            BoundingBox::new(0.2, 0.2, 0.1, 0.1),
            BoundingBox::new(-1e12, -1e12, 2e12, 2e12),
            BoundingBox::new(5.0, 5.0, 1e9, 1e-9),
        ];
        for region in far {
            let cut = Warp::new(40, vec![9]).cut(&ramp(10, 10), &region).unwrap();
            assert_eq!(cut.pixels.len(), 1600, "{region}");
        }
        let e = Warp::new(32, vec![9]).cut(&ramp(10, 10), &far[0]).unwrap_err();
        assert_eq!(e.to_string(), "context is 16, but must be below half of the side");
        assert!(Warp::new(40, vec![9]).cut(&ramp(10, 10), &BoundingBox::new(0.0, 0.0, 0.0, 1.0)).is_err());
    }
}
