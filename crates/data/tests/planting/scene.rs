//! Made-up pictures with structure: shapes of many sizes and colours over a slope, no two alike.

use super::formats::encoded;
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// `SplitMix64` (Steele, Lea, Flood, 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((((z ^ (z >> 31)) >> 32) * u64::from(n)) >> 32) as u32
    }
}

/// The picture of this number.
pub fn scene(number: u64, width: u32, height: u32) -> RgbImage {
    let mut draws = Draws(number.wrapping_mul(0x1234_5678_9ABC_DEF1));
    let mut picture = RgbImage::new(width, height);
    let mut colour = |most| std::array::from_fn::<u32, 3, _>(|_| draws.below(most));
    let (from, to) = (colour(200), colour(200));
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        *pixel = Rgb(std::array::from_fn(|c| ((from[c] * (width - x) + to[c] * x) / width + 20) as u8));
    }
    for _ in 0..14 {
        let (cx, cy) = (draws.below(width) as i32, draws.below(height) as i32);
        let (rx, ry) = (2 + draws.below(width / 4) as i32, 2 + draws.below(height / 4) as i32);
        let (round, colour) = (draws.below(2) == 1, [0; 3].map(|_: u8| 20 + draws.below(220) as u8));
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (dx, dy) = (x as i32 - cx, y as i32 - cy);
            let ellipse = dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry;
            if if round { ellipse } else { dx.abs() <= rx && dy.abs() <= ry } {
                *pixel = Rgb(colour);
            }
        }
    }
    picture
}

/// A data set without a fault: three classes, of each 60 training, 12 validation and 12 test images as JPEG and PNG in turn.
pub fn clean_set(root: &Path) {
    let mut number = 0;
    for (part, each) in [("train", 60), ("val", 12), ("test", 12)] {
        for class in ["apples", "boats", "clouds"] {
            let folder = root.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..each {
                number += 1;
                let picture = scene(number, 60 + i % 5, 48).into();
                let (format, ending) = if i % 2 == 0 { (ImageFormat::Jpeg, "jpg") } else { (ImageFormat::Png, "png") };
                fs::write(folder.join(format!("{i:02}.{ending}")), encoded(&picture, format)).unwrap();
            }
        }
    }
}
