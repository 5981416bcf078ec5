//! Changes that a picture may undergo between training and use: shift, rotation, scale, noise, blur and contrast, each in three
//! strengths. What moves in from outside continues the edge.

use striate_data::Picture;
use striate_kernels::{hash, normal};

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distortion {
    /// By a share of the side, in one of four directions.
    Shift,
    /// By degrees about the centre, to either side.
    Rotation,
    /// By a factor about the centre.
    Scale,
    /// Gaussian, of a deviation that is a share of the range of levels.
    Noise,
    /// Gaussian, of a deviation that is a share of the side.
    Blur,
    /// To a share of each level's distance from the picture's mean.
    Contrast,
}

impl Distortion {
    /// Every kind.
    pub const ALL: [Distortion; 6] = [
        Distortion::Shift,
        Distortion::Rotation,
        Distortion::Scale,
        Distortion::Noise,
        Distortion::Blur,
        Distortion::Contrast,
    ];

    /// Its name, and what its strengths are measured in where shares are told in hundredths.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Distortion::Shift => ("shift", "% of the side"),
            Distortion::Rotation => ("rotation", "degrees"),
            Distortion::Scale => ("scale", "% of the size"),
            Distortion::Noise => ("noise", "% of the levels' range"),
            Distortion::Blur => ("blur", "% of the side"),
            Distortion::Contrast => ("contrast", "% that is left"),
        }
    }

    /// Three strengths, the mildest first.
    pub fn strengths(self) -> [f64; 3] {
        match self {
            Distortion::Shift | Distortion::Noise => [0.05, 0.1, 0.2],
            Distortion::Rotation => [10.0, 20.0, 40.0],
            Distortion::Scale => [0.9, 0.75, 0.6],
            Distortion::Blur => [0.02, 0.04, 0.08],
            Distortion::Contrast => [0.5, 0.25, 0.1],
        }
    }

    /// The picture with this change. `place` decides what is drawn by lot.
    pub fn of(self, picture: &Picture, strength: f64, place: usize) -> Picture {
        let lot = hash(0x6469, place as u64);
        let (w, h) = (f64::from(picture.width), f64::from(picture.height));
        match self {
            Distortion::Shift => {
                let (x, y) = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)][(lot % 4) as usize];
                let (x, y) = ((x * strength * w).round(), (y * strength * h).round());
                moved(picture, [1.0, 0.0, 0.0, 1.0], [x, y])
            }
            Distortion::Rotation => {
                let (sin, cos) = (if lot.is_multiple_of(2) { strength } else { -strength }).to_radians().sin_cos();
                moved(picture, [cos, -sin, sin, cos], [0.0, 0.0])
            }
            Distortion::Scale => moved(picture, [1.0 / strength, 0.0, 0.0, 1.0 / strength], [0.0, 0.0]),
            Distortion::Noise => {
                let change =
                    |(i, v): (usize, &u8)| level(f64::from(*v) + 255.0 * strength * f64::from(normal(lot, i as u64)));
                let pixels = picture.pixels.iter().enumerate().map(change).collect();
                Picture { pixels, ..*picture }
            }
            Distortion::Blur => blurred(picture, strength * w.min(h)),
            Distortion::Contrast => {
                let sum: f64 = picture.pixels.iter().map(|&v| f64::from(v)).sum();
                let mean = sum / picture.pixels.len().max(1) as f64;
                let pixels = picture.pixels.iter().map(|&v| level(mean + strength * (f64::from(v) - mean))).collect();
                Picture { pixels, ..*picture }
            }
        }
    }
}

fn level(v: f64) -> u8 {
    v.round().clamp(0.0, 255.0) as u8
}

/// The picture whose pixel at p from the centre is the old one's at `map`·p − `shift`, between pixels by their distances.
fn moved(picture: &Picture, [a, b, c, d]: [f64; 4], [x_shift, y_shift]: [f64; 2]) -> Picture {
    let (w, h, channels) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let (x_mid, y_mid) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..h {
        for x in 0..w {
            let (dx, dy) = (x as f64 - x_mid, y as f64 - y_mid);
            let from_x = (a * dx + b * dy + x_mid - x_shift).clamp(0.0, w as f64 - 1.0);
            let from_y = (c * dx + d * dy + y_mid - y_shift).clamp(0.0, h as f64 - 1.0);
            let (left, top) = (from_x as usize, from_y as usize);
            let (right, bottom) = ((left + 1).min(w - 1), (top + 1).min(h - 1));
            let (u, v) = (from_x - left as f64, from_y - top as f64);
            for channel in 0..channels {
                let at = |y: usize, x: usize| f64::from(picture.pixels[(y * w + x) * channels + channel]);
                let upper = at(top, left) * (1.0 - u) + at(top, right) * u;
                let lower = at(bottom, left) * (1.0 - u) + at(bottom, right) * u;
                pixels.push(level(upper * (1.0 - v) + lower * v));
            }
        }
    }
    Picture { pixels, ..*picture }
}

/// A Gaussian along rows, then along columns.
fn blurred(picture: &Picture, sigma: f64) -> Picture {
    let (w, h, channels) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let reach = (3.0 * sigma).ceil().max(1.0) as isize;
    let taps: Vec<f64> = (-reach..=reach).map(|d| (-((d * d) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = taps.iter().sum();
    let pass = |from: &[f64], length: usize, step: usize, place: &dyn Fn(usize) -> usize| -> Vec<f64> {
        let one = |i: usize| {
            let (at, base) = (place(i), i - place(i) * step);
            let near = taps.iter().zip(-reach..).map(|(tap, d)| {
                let to = at.saturating_add_signed(d).min(length - 1);
                tap * from[base + to * step]
            });
            near.sum::<f64>() / sum
        };
        (0..from.len()).map(one).collect()
    };
    let levels: Vec<f64> = picture.pixels.iter().map(|&v| f64::from(v)).collect();
    let rows = pass(&levels, w, channels, &|i| i / channels % w);
    let both = pass(&rows, h, w * channels, &|i| i / channels / w);
    Picture { pixels: both.into_iter().map(level).collect(), ..*picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(w: u32, h: u32, channels: u8) -> Picture {
        let count = w as usize * h as usize * usize::from(channels);
        Picture { width: w, height: h, channels, pixels: (0..count).map(|i| (i * 7 % 251) as u8).collect() }
    }

    #[test]
    fn a_map_that_changes_nothing_changes_nothing() {
        for picture in [ramp(7, 5, 1), ramp(4, 6, 3), ramp(1, 1, 1)] {
            assert_eq!(moved(&picture, [1.0, 0.0, 0.0, 1.0], [0.0, 0.0]), picture);
            assert_eq!(Distortion::Contrast.of(&picture, 1.0, 0), picture);
            assert_eq!(Distortion::Rotation.of(&picture, 0.0, 3), picture);
            assert_eq!(Distortion::Scale.of(&picture, 1.0, 3), picture);
        }
    }

    #[test]
    fn a_shift_moves_whole_pixels_and_a_half_turn_turns_round() {
        let picture = ramp(6, 4, 1);
        let right = moved(&picture, [1.0, 0.0, 0.0, 1.0], [2.0, 0.0]);
        assert_eq!(right.pixels[2..6], picture.pixels[..4]);
        assert_eq!(right.pixels[..2], [picture.pixels[0]; 2], "the edge goes on");
        let turned = Distortion::Rotation.of(&picture, 180.0, 0);
        let reversed: Vec<u8> = picture.pixels.iter().rev().copied().collect();
        assert!(turned.pixels.iter().zip(&reversed).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn strengths_are_what_they_say() {
        let flat = Picture::filled(64, 64, &[128]);
        assert_eq!(Distortion::Blur.of(&flat, 0.08, 0), flat);
        let noisy = Distortion::Noise.of(&flat, 0.1, 1);
        let square = |v: &u8| (f64::from(*v) - 128.0).powi(2);
        let deviation = (noisy.pixels.iter().map(square).sum::<f64>() / 4096.0).sqrt();
        // Of 25.5, known from 4096 draws to within 1.1 %: four of those.
        assert!((deviation - 25.5).abs() < 1.2, "{deviation}");
        // A single point becomes a Gaussian of the stated deviation.
        let mut point = Picture::filled(41, 41, &[0]);
        point.pixels[20 * 41 + 20] = 255;
        let spread = Distortion::Blur.of(&point, 2.0 / 41.0, 0);
        let expected = 255.0 / (2.0 * std::f64::consts::PI * 4.0);
        assert!((f64::from(spread.pixels[20 * 41 + 20]) - expected).abs() < 1.0);
        let half = Distortion::Contrast.of(&ramp(8, 8, 1), 0.5, 0);
        let range = |p: &Picture| p.pixels.iter().max().unwrap() - p.pixels.iter().min().unwrap();
        assert!(range(&half).abs_diff(range(&ramp(8, 8, 1)) / 2) <= 1);
    }
}
