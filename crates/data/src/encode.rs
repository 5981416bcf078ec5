//! Pictures to files, for reports.

use crate::fit;
use crate::picture::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

impl Picture {
    /// The picture as a JPEG file of a quality from 1 to 100; `None` if a side is longer than JPEG's 65,535.
    ///
    /// ```
    /// let grey = striate_data::Picture::filled(5, 3, &[128]);
    /// let bytes = grey.to_jpeg(90).ok_or("too long")?;
    /// assert_eq!(striate_data::decode(&bytes, &striate_data::Limits::default())?, grey);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_jpeg(&self, quality: u8) -> Option<Vec<u8>> {
        let colour = if self.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
        encoder.write_image(&self.pixels, self.width, self.height, colour).ok()?;
        Some(bytes)
    }

    /// The picture scaled down, in its shape, so that no side is longer than `side`; never up.
    ///
    /// ```
    /// let wide = striate_data::Picture::filled(400, 100, &[7]);
    /// let small = wide.shrunk(100);
    /// assert_eq!((small.width, small.height), (100, 25));
    /// assert_eq!(wide.shrunk(4000), wide);
    /// ```
    #[must_use]
    pub fn shrunk(&self, side: u32) -> Picture {
        let side = side.max(1);
        if self.width.max(self.height) <= side {
            return self.clone();
        }
        let (width, height) = fit::largest_within(self.width, self.height, side, side);
        fit::resize(self, width, height)
    }

    /// The picture enlarged, each pixel a square of `times` × `times`.
    ///
    /// ```
    /// let two = striate_data::Picture { width: 2, height: 1, channels: 1, pixels: vec![1, 2] };
    /// assert_eq!(two.enlarged(2).pixels, [1, 1, 2, 2, 1, 1, 2, 2]);
    /// ```
    #[must_use]
    pub fn enlarged(&self, times: u32) -> Picture {
        let (times, channels) = (times.max(1) as usize, usize::from(self.channels));
        let mut pixels = Vec::with_capacity(self.pixels.len() * times * times);
        for row in self.pixels.chunks_exact(self.stride()) {
            let wide: Vec<u8> = row.chunks_exact(channels).flat_map(|pixel| pixel.repeat(times)).collect();
            pixels.extend(wide.repeat(times));
        }
        let [width, height] = [self.width, self.height].map(|side| side * times as u32);
        Picture { width, height, channels: self.channels, pixels }
    }
}
