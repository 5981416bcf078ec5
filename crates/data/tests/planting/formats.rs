//! Files of kinds that an encoder does not write by itself.

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Frame, ImageFormat, RgbImage};
use std::io::Cursor;

/// A picture as a file; JPEGs in high quality.
pub fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    if format == ImageFormat::Jpeg {
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 92)).unwrap();
    } else {
        picture.write_to(&mut bytes, format).unwrap();
    }
    bytes.into_inner()
}

/// A JPEG that says that it lies on its side: an APP1 segment with one EXIF entry, orientation 6, behind the first marker.
pub fn exif_turned(jpeg: &[u8]) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01".to_vec();
    // Tag 0x0112, type SHORT, one value, 6; no further directory.
    exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

/// A BMP of 8 bits a pixel with a palette of 3 bits red, 3 bits green and 2 bits blue.
pub fn indexed_bmp(picture: &RgbImage) -> Vec<u8> {
    let (w, h) = picture.dimensions();
    let stride = (w as usize).next_multiple_of(4);
    let start = 14 + 40 + 4 * 256u32;
    let mut bytes = b"BM".to_vec();
    for number in [start + (stride as u32) * h, 0, start, 40, w, h] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([1, 0, 8, 0]);
    for number in [0u32, 0, 2835, 2835, 256, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for i in 0..=255u8 {
        bytes.extend([(i & 3) * 85, ((i >> 2) & 7) * 36, (i >> 5) * 36, 0]);
    }
    for y in (0..h).rev() {
        let row = (0..w).map(|x| {
            let [r, g, b] = picture.get_pixel(x, y).0;
            (r >> 5) << 5 | (g >> 5) << 2 | b >> 6
        });
        bytes.extend(row);
        bytes.resize(bytes.len() + stride - w as usize, 0);
    }
    bytes
}

/// A GIF of the picture and its mirror image.
pub fn two_frames(picture: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for frame in [picture.to_rgba8(), picture.fliph().to_rgba8()] {
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    bytes
}
