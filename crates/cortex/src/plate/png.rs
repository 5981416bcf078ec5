//! PNG files, and animated ones (APNG), which every browser plays.

use super::Rgb;
use crate::CortexError;
use png::{BitDepth, ColorType, Encoder};

/// An image in colour, rows from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// width · height colours.
    pub pixels: Vec<Rgb>,
}

impl Image {
    /// An image of one colour.
    pub fn filled(width: usize, height: usize, colour: Rgb) -> Self {
        Self { width, height, pixels: vec![colour; width * height] }
    }

    /// An image of values, row by row, each made a colour.
    pub fn of<T: Copy>(width: usize, values: &[T], colour: impl Fn(T) -> Rgb) -> Self {
        Self { width, height: values.len() / width.max(1), pixels: values.iter().map(|v| colour(*v)).collect() }
    }

    /// Every pixel as a square of `times`².
    #[must_use]
    pub fn enlarged(&self, times: usize) -> Self {
        let (width, height) = (self.width * times, self.height * times);
        let pixel = |i: usize| self.pixels[i / width / times * self.width + i % width / times];
        Self { width, height, pixels: (0..width * height).map(pixel).collect() }
    }

    /// Copies an image to (x, y); what does not fit is left out.
    pub fn paste(&mut self, other: &Self, x: usize, y: usize) {
        for (row, from) in other.pixels.chunks_exact(other.width.max(1)).enumerate().take(self.height.saturating_sub(y))
        {
            let n = other.width.min(self.width.saturating_sub(x));
            let start = (y + row) * self.width + x;
            self.pixels[start..start + n].copy_from_slice(&from[..n]);
        }
    }

    /// Sets a pixel; nothing where there is none.
    pub fn set(&mut self, x: usize, y: usize, colour: Rgb) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = colour;
        }
    }
}

/// The image as the bytes of a PNG file.
///
/// # Errors
/// The image has no pixels.
pub fn encode(image: &Image) -> Result<Vec<u8>, CortexError> {
    animation(std::slice::from_ref(image), 1)
}

/// Images of one size as the bytes of an animated PNG file, `delay` hundredths of a second each, for ever. One image is a plain
/// file.
///
/// # Errors
/// No images, no pixels, or different sizes.
pub fn animation(images: &[Image], delay: u16) -> Result<Vec<u8>, CortexError> {
    let Some(first) = images.first() else { return Err(CortexError::value("the number of images", 0, "1 or more")) };
    if let Some(other) = images.iter().find(|i| (i.width, i.height) != (first.width, first.height)) {
        let found = format!("{}×{}", other.width, other.height);
        return Err(CortexError::value("an image's size", found, format!("{}×{}", first.width, first.height)));
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, first.width as u32, first.height as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    if images.len() > 1 {
        encoder.set_animated(images.len() as u32, 0)?;
        encoder.set_frame_delay(delay, 100)?;
    }
    let mut writer = encoder.write_header()?;
    for image in images {
        writer.write_image_data(image.pixels.as_flattened())?;
    }
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_data::{Limits, decode};

    #[test]
    fn files_are_read_back() {
        let mut image = Image::filled(3, 2, [1, 2, 3]);
        image.set(2, 1, [200, 100, 0]);
        image.set(3, 0, [9; 3]);
        let picture = decode(&encode(&image).unwrap(), &Limits::default()).unwrap();
        assert_eq!(picture.pixels, image.pixels.as_flattened());
        let film = animation(&[image.clone(), Image::filled(3, 2, [0; 3])], 10).unwrap();
        assert!(film.windows(4).any(|w| w == b"acTL"));
        assert_eq!(decode(&film, &Limits::default()).unwrap().pixels, image.pixels.as_flattened(), "the first frame");
        assert!(animation(&[image, Image::filled(2, 2, [0; 3])], 10).is_err());
        assert!(animation(&[], 10).is_err() && encode(&Image::filled(0, 0, [0; 3])).is_err());
    }

    #[test]
    fn enlarging_and_pasting_move_pixels() {
        let large = Image::of(2, &[0.0, 1.0], |v: f64| [v as u8; 3]).enlarged(2);
        assert_eq!((large.width, large.height), (4, 2));
        assert_eq!(large.pixels.iter().map(|p| p[0]).collect::<Vec<_>>(), [0, 0, 1, 1, 0, 0, 1, 1]);
        let mut sheet = Image::filled(3, 3, [7; 3]);
        sheet.paste(&large, 1, 2);
        assert_eq!(sheet.pixels[6..], [[7; 3], [0; 3], [0; 3]]);
    }
}
