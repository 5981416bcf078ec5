//! The colour spaces of selective search, each brought to channels between 0 and 1 (Uijlings et al. 2013, §3.2).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use striate_data::Picture;

/// How colours are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourSpace {
    /// Red, green, blue.
    Rgb,
    /// Hue, saturation, value; hue as a share of the circle.
    Hsv,
    /// CIE L*a*b* of sRGB under D65: L/100, (a + 128)/255, (b + 128)/255.
    Lab,
    /// The shares of red and green in the sum, and intensity; black has shares of a third.
    Rgi,
    /// Hue alone.
    Hue,
    /// Intensity alone: the mean of red, green and blue.
    Intensity,
}

impl ColourSpace {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("rgb", Self::Rgb),
        ("hsv", Self::Hsv),
        ("lab", Self::Lab),
        ("rgi", Self::Rgi),
        ("h", Self::Hue),
        ("i", Self::Intensity),
    ];

    fn channels(self) -> usize {
        if matches!(self, Self::Hue | Self::Intensity) { 1 } else { 3 }
    }
}

impl FromStr for ColourSpace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        found.map(|(_, space)| space).ok_or_else(|| format!("expected one of {}", names()))
    }
}

impl fmt::Display for ColourSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, space)| space == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A picture's channels one after the other, values 0 to 1.
pub(super) struct Planes {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: Vec<Vec<f64>>,
}

impl Planes {
    /// The channels of a picture in red, green and blue.
    pub(super) fn new(picture: &Picture, space: ColourSpace) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let mut channels = vec![Vec::with_capacity(width * height); space.channels()];
        let linear: Vec<f64> = (0..=255u8).map(|v| to_linear(f64::from(v) / 255.0)).collect();
        for pixel in picture.pixels.chunks_exact(3) {
            let colour = match space {
                ColourSpace::Rgb => [share(pixel[0]), share(pixel[1]), share(pixel[2])],
                ColourSpace::Hsv => hsv(pixel),
                ColourSpace::Lab => lab([pixel[0], pixel[1], pixel[2]].map(|v| linear[usize::from(v)])),
                ColourSpace::Rgi => rgi(pixel),
                ColourSpace::Hue => [hsv(pixel)[0], 0.0, 0.0],
                ColourSpace::Intensity => [rgi(pixel)[2], 0.0, 0.0],
            };
            for (channel, value) in channels.iter_mut().zip(colour) {
                channel.push(value);
            }
        }
        Self { width, height, channels }
    }

    /// The channels of a grey picture, or of a coloured one as it is.
    pub(super) fn as_stored(picture: &Picture) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let count = usize::from(picture.channels);
        let channel = |c| picture.pixels.iter().skip(c).step_by(count).map(|&v| share(v)).collect();
        Self { width, height, channels: (0..count).map(channel).collect() }
    }
}

fn share(v: u8) -> f64 {
    f64::from(v) / 255.0
}

fn hsv(pixel: &[u8]) -> [f64; 3] {
    let [r, g, b] = [share(pixel[0]), share(pixel[1]), share(pixel[2])];
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let spread = most - least;
    if spread == 0.0 {
        return [0.0, 0.0, most];
    }
    let sixths = if most == r {
        (g - b) / spread
    } else if most == g {
        2.0 + (b - r) / spread
    } else {
        4.0 + (r - g) / spread
    };
    [(sixths / 6.0).rem_euclid(1.0), spread / most, most]
}

fn rgi(pixel: &[u8]) -> [f64; 3] {
    let [r, g, b] = [share(pixel[0]), share(pixel[1]), share(pixel[2])];
    let sum = r + g + b;
    if sum == 0.0 { [1.0 / 3.0, 1.0 / 3.0, 0.0] } else { [r / sum, g / sum, sum / 3.0] }
}

fn to_linear(v: f64) -> f64 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.412_453 * r + 0.357_580 * g + 0.180_423 * b) / 0.950_47);
    let y = f(0.212_671 * r + 0.715_160 * g + 0.072_169 * b);
    let z = f((0.019_334 * r + 0.119_193 * g + 0.950_227 * b) / 1.088_83);
    [(1.16 * y - 0.16).clamp(0.0, 1.0), (500.0 * (x - y) + 128.0) / 255.0, (200.0 * (y - z) + 128.0) / 255.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(colour: [u8; 3], space: ColourSpace) -> Vec<f64> {
        Planes::new(&Picture::filled(1, 1, &colour), space).channels.concat()
    }

    fn close(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= within), "{found:?} for {expected:?}");
    }

    #[test]
    fn known_colours() {
        close(&seen([255, 0, 0], ColourSpace::Hsv), &[0.0, 1.0, 1.0], 1e-12);
        close(&seen([0, 128, 128], ColourSpace::Hsv), &[0.5, 1.0, 128.0 / 255.0], 1e-12);
        close(&seen([51, 0, 102], ColourSpace::Hue), &[0.75], 1e-12);
        close(&seen([7, 7, 7], ColourSpace::Hsv), &[0.0, 0.0, 7.0 / 255.0], 1e-12);
        // CIE's values of sRGB red under D65: L 53.24, a 80.09, b 67.20.
        let red = [53.24 / 100.0, (80.09 + 128.0) / 255.0, (67.20 + 128.0) / 255.0];
        close(&seen([255, 0, 0], ColourSpace::Lab), &red, 1e-4);
        close(&seen([255, 255, 255], ColourSpace::Lab), &[1.0, 128.0 / 255.0, 128.0 / 255.0], 1e-4);
        close(&seen([0, 0, 0], ColourSpace::Rgi), &[1.0 / 3.0, 1.0 / 3.0, 0.0], 1e-12);
        close(&seen([30, 60, 10], ColourSpace::Rgi), &[0.3, 0.6, 100.0 / 765.0], 1e-12);
        close(&seen([30, 60, 10], ColourSpace::Intensity), &[100.0 / 765.0], 1e-12);
    }

    #[test]
    fn every_colour_stays_within_bounds_and_every_name_is_read() {
        for (name, space) in ColourSpace::ALL {
            assert_eq!(name.parse(), Ok(space));
            assert_eq!(space.to_string(), name);
            for i in 0..512u32 {
                let level = |digit: u32| (i / digit % 8 * 36) as u8;
                let colour = seen([level(1), level(8), level(64)], space);
                assert!(colour.iter().all(|v| (0.0..=1.0).contains(v)), "{name} of {i}: {colour:?}");
            }
        }
    }
}
