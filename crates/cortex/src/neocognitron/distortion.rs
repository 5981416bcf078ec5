//! A picture shifted, scaled, turned and made noisy: what tolerance is measured with.

use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::normal;

/// What is done to a picture; the default does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// To the right and downwards, in pixels.
    pub shift: [f32; 2],
    /// The size, as a share of the original's.
    pub scale: f32,
    /// Counter-clockwise, in degrees.
    pub angle: f32,
    /// The deviation of normal noise, as a share of the full range.
    pub noise: f32,
}

impl Default for Distortion {
    fn default() -> Self {
        Self { shift: [0.0; 2], scale: 1.0, angle: 0.0, noise: 0.0 }
    }
}

impl Distortion {
    /// The distorted picture, of the same size; what comes from beyond its edge has the level of the median along the edge's
    /// first row. Sampled bilinearly. The noise depends on `seed` alone.
    #[must_use]
    pub fn apply(&self, picture: &Picture, seed: u64) -> Picture {
        let grey = picture.to_grey();
        let (w, h) = (grey.width as usize, grey.height as usize);
        let mut first: Vec<u8> = grey.pixels[..w].to_vec();
        first.sort_unstable();
        let beyond = f32::from(first[w / 2]);
        let level = |x: isize, y: isize| match (usize::try_from(x), usize::try_from(y)) {
            (Ok(x), Ok(y)) if x < w && y < h => f32::from(grey.pixels[y * w + x]),
            _ => beyond,
        };
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let (middle_x, middle_y) = ((w as f32 - 1.0) / 2.0, (h as f32 - 1.0) / 2.0);
        let pixel = |i: usize| {
            let (x, y) = ((i % w) as f32 - middle_x - self.shift[0], (i / w) as f32 - middle_y - self.shift[1]);
            let from_x = (cos * x - sin * y) / self.scale + middle_x;
            let from_y = (sin * x + cos * y) / self.scale + middle_y;
            let (x0, y0) = (from_x.floor(), from_y.floor());
            let (fx, fy) = (from_x - x0, from_y - y0);
            let at = |dx: isize, dy: isize| level(x0 as isize + dx, y0 as isize + dy);
            let top = at(0, 0) * (1.0 - fx) + at(1, 0) * fx;
            let bottom = at(0, 1) * (1.0 - fx) + at(1, 1) * fx;
            let noise = if self.noise > 0.0 { 255.0 * self.noise * normal(seed, i as u64) } else { 0.0 };
            (top * (1.0 - fy) + bottom * fy + noise).round().clamp(0.0, 255.0) as u8
        };
        Picture { pixels: (0..w * h).map(pixel).collect(), ..grey }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { width: 5, height: 5, channels: 1, pixels: (0..25).map(|i| if i == 13 { 200 } else { 0 }).collect() }
    }

    #[test]
    fn whole_shifts_and_quarter_turns_move_pixels() {
        assert_eq!(Distortion::default().apply(&picture(), 0), picture());
        // Pixel 13 is (3, 2).
        let moved = Distortion { shift: [-2.0, 1.0], ..Distortion::default() }.apply(&picture(), 0);
        assert_eq!(moved.pixels.iter().position(|v| *v == 200), Some(3 * 5 + 1));
        // One to the right of the middle comes to one above it.
        let turned = Distortion { angle: 90.0, ..Distortion::default() }.apply(&picture(), 0);
        assert_eq!(turned.pixels.iter().position(|v| *v > 198), Some(5 + 2));
        let large = Distortion { scale: 2.0, ..Distortion::default() }.apply(&picture(), 0);
        assert_eq!(large.pixels[14], 200, "twice as far from the middle");
    }

    #[test]
    fn noise_is_drawn_by_the_seed() {
        let noisy =
            |seed| Distortion { noise: 0.2, ..Distortion::default() }.apply(&Picture::filled(9, 9, &[128]), seed);
        assert_eq!(noisy(1), noisy(1));
        assert_ne!(noisy(1), noisy(2));
    }
}
