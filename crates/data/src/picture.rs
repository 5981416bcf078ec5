//! A decoded picture: 8 bits a sample, rows from the top, channels innermost, grey or red-green-blue.

use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{ExtendedColorType, ImageEncoder};

/// A decoded picture.
///
/// `pixels` holds `height · width · channels` samples, rows from the top, channels innermost. Width and height are at
/// least 1; `channels` is 1 (grey) or 3 (red, green, blue).
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 for grey, 3 for red-green-blue.
    pub channels: u8,
    /// The samples.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// A picture of one level everywhere.
    ///
    /// ```
    /// let black = striate_data::Picture::filled(4, 2, &[0, 0, 0]);
    /// assert_eq!((black.channels, black.pixels.len()), (3, 24));
    /// ```
    pub fn filled(width: u32, height: u32, level: &[u8]) -> Self {
        let pixels = level.repeat(width as usize * height as usize);
        Self { width, height, channels: level.len() as u8, pixels }
    }

    /// Samples in a row.
    pub fn stride(&self) -> usize {
        self.width as usize * usize::from(self.channels)
    }

    /// The samples of the pixel in column `x` of row `y`.
    pub fn pixel(&self, x: u32, y: u32) -> &[u8] {
        let channels = usize::from(self.channels);
        let start = y as usize * self.stride() + x as usize * channels;
        &self.pixels[start..start + channels]
    }

    /// Whether every pixel is grey, whatever the number of channels.
    pub fn is_grey(&self) -> bool {
        self.channels == 1 || self.pixels.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2])
    }

    /// The picture in grey: luma by ITU-R BT.601, rounded as Pillow's `L` mode does.
    #[must_use]
    pub fn to_grey(&self) -> Self {
        if self.channels == 1 {
            return self.clone();
        }
        let pixels = self.pixels.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect();
        Self { channels: 1, pixels, ..*self }
    }

    /// The picture in three channels; a grey one is copied into each.
    #[must_use]
    pub fn to_colour(&self) -> Self {
        if self.channels == 3 {
            return self.clone();
        }
        let pixels = self.pixels.iter().flat_map(|&v| [v, v, v]).collect();
        Self { channels: 3, pixels, ..*self }
    }

    /// The part of `width` × `height` pixels whose upper left corner is (`x`, `y`); it must lie inside.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn cut(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let channels = usize::from(self.channels);
        let length = width as usize * channels;
        let mut pixels = Vec::with_capacity(length * height as usize);
        for row in y..y + height {
            let start = row as usize * self.stride() + x as usize * channels;
            pixels.extend_from_slice(&self.pixels[start..start + length]);
        }
        Self { width, height, channels: self.channels, pixels }
    }

    /// Copies `other`, of the same channels, so that its upper left corner comes to (`x`, `y`); it must fit.
    ///
    /// # Panics
    /// If it does not.
    pub fn paste(&mut self, other: &Self, x: u32, y: u32) {
        let (stride, length) = (self.stride(), other.stride());
        let first = y as usize * stride + x as usize * usize::from(self.channels);
        for (row, from) in other.pixels.chunks_exact(length).enumerate() {
            let start = first + row * stride;
            self.pixels[start..start + length].copy_from_slice(from);
        }
    }

    /// The picture as a PNG file.
    ///
    /// # Panics
    /// If there are not `height · width · channels` samples.
    pub fn to_png(&self) -> Vec<u8> {
        let mut png = Vec::new();
        let colours = if self.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        PngEncoder::new(&mut png)
            .write_image(&self.pixels, self.width, self.height, colours)
            .expect("a picture holds height · width · channels samples");
        png
    }

    /// The median of each channel along the picture's edge: its background, where it has one.
    pub(crate) fn border_median(&self) -> Vec<u8> {
        let (w, h) = (self.width, self.height);
        let mut counts = vec![[0u32; 256]; usize::from(self.channels)];
        let mut count = |x, y| {
            for (count, &v) in counts.iter_mut().zip(self.pixel(x, y)) {
                count[usize::from(v)] += 1;
            }
        };
        (0..w).for_each(|x| count(x, 0));
        (1..h).for_each(|y| count(0, y));
        if h > 1 {
            (1..w).for_each(|x| count(x, h - 1));
        }
        if w > 1 {
            (1..h.saturating_sub(1)).for_each(|y| count(w - 1, y));
        }
        counts.iter().map(median_of_counts).collect()
    }

    /// The picture turned upright, `orientation` being the one its file declares.
    pub(crate) fn upright(self, orientation: Orientation) -> Self {
        use Orientation as O;
        let (w, h) = (self.width, self.height);
        let sideways = matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH);
        let (width, height) = if sideways { (h, w) } else { (w, h) };
        // Where the pixel (x, y) of the upright picture lies in the stored one.
        let stored = |x: u32, y: u32| match orientation {
            O::NoTransforms => (x, y),
            O::FlipHorizontal => (w - 1 - x, y),
            O::Rotate180 => (w - 1 - x, h - 1 - y),
            O::FlipVertical => (x, h - 1 - y),
            O::Rotate90FlipH => (y, x),
            O::Rotate90 => (y, h - 1 - x),
            O::Rotate270FlipH => (w - 1 - y, h - 1 - x),
            O::Rotate270 => (w - 1 - y, x),
        };
        if orientation == O::NoTransforms {
            return self;
        }
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = stored(x, y);
                pixels.extend_from_slice(self.pixel(from_x, from_y));
            }
        }
        Self { width, height, channels: self.channels, pixels }
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}×{}×{})", self.width, self.height, self.channels)
    }
}

/// Pillow's fixed-point luma: (19595 R + 38470 G + 7471 B + 32768) / 65536.
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// The lower median of levels given by how often each occurs.
fn median_of_counts(counts: &[u32; 256]) -> u8 {
    let half = counts.iter().sum::<u32>().div_ceil(2);
    let mut seen = 0;
    for (level, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= half {
            return level as u8;
        }
    }
    255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn border_median_ignores_the_middle_and_counts_corners_once() {
        let mut picture = Picture::filled(3, 3, &[7]);
        picture.pixels[4] = 200;
        assert_eq!(picture.border_median(), [7]);
        assert_eq!(Picture { width: 1, height: 3, channels: 1, pixels: vec![1, 2, 3] }.border_median(), [2]);
        assert_eq!(Picture { width: 3, height: 1, channels: 1, pixels: vec![3, 2, 1] }.border_median(), [2]);
        assert_eq!(Picture::filled(1, 1, &[9, 8, 7]).border_median(), [9, 8, 7]);
    }

    #[test]
    fn a_quarter_turn_four_times_is_nothing() {
        let picture = Picture { width: 3, height: 2, channels: 1, pixels: (0..6).collect() };
        let turned = picture.clone().upright(Orientation::Rotate90);
        assert_eq!((turned.width, turned.height, turned.pixels.as_slice()), (2, 3, &[3, 0, 4, 1, 5, 2][..]));
        let back = (0..4).fold(picture.clone(), |p, _| p.upright(Orientation::Rotate90));
        assert_eq!(back, picture);
    }
}
