//! What a file holds beyond the picture that is decoded from it: its format, and what was dropped or converted.

use crate::truncation::{gif_first_frame_end, number, skip_sub_blocks};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageFormat};

/// How a picture was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The format's name: "JPEG", "PNG", …
    pub(crate) format: &'static str,
    /// How the stored rows are turned to be upright.
    pub(crate) orientation: Orientation,
    /// What was converted; mostly nothing.
    pub(crate) peculiarities: Vec<Peculiarity>,
}

/// Something that the decoded picture no longer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peculiarity {
    /// Four inks instead of three lights.
    Cmyk,
    /// Pixels that let the background through, composited onto white.
    Transparent,
    /// Colours looked up in a table; GIF's, which always are, do not count.
    Palette,
    /// 16 bits a sample, rounded to 8.
    SixteenBit,
    /// Further frames or pages, of which the first was taken.
    Frames,
}

pub(crate) fn is_cmyk(colour: ExtendedColorType) -> bool {
    matches!(colour, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16)
}

/// What is peculiar about a whole file of any format but JPEG.
pub(crate) fn peculiarities(bytes: &[u8], format: ImageFormat, decoded: &DynamicImage, cmyk: bool) -> Vec<Peculiarity> {
    let deep = matches!(
        decoded,
        DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
            | DynamicImage::ImageRgb16(_)
            | DynamicImage::ImageRgba16(_)
    );
    let all = [
        (cmyk, Peculiarity::Cmyk),
        (is_transparent(decoded), Peculiarity::Transparent),
        (has_palette(bytes, format), Peculiarity::Palette),
        (deep, Peculiarity::SixteenBit),
        (has_more_frames(bytes, format).unwrap_or(false), Peculiarity::Frames),
    ];
    all.into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
}

/// Whether a pixel is not opaque; an alpha channel that is full everywhere changes nothing.
fn is_transparent(decoded: &DynamicImage) -> bool {
    match decoded {
        DynamicImage::ImageLumaA8(p) => p.pixels().any(|p| p.0[1] < u8::MAX),
        DynamicImage::ImageRgba8(p) => p.pixels().any(|p| p.0[3] < u8::MAX),
        DynamicImage::ImageLumaA16(p) => p.pixels().any(|p| p.0[1] < u16::MAX),
        DynamicImage::ImageRgba16(p) => p.pixels().any(|p| p.0[3] < u16::MAX),
        _ => false,
    }
}

/// PNG's colour type 3; BMP's with up to 8 bits a pixel.
fn has_palette(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Png => bytes.get(25) == Some(&3),
        ImageFormat::Bmp => number::<2>(bytes, 28).is_some_and(|bits| u16::from_le_bytes(bits) <= 8),
        _ => false,
    }
}

/// A second frame (GIF, APNG, WebP) or page (TIFF); `None` where the file does not get that far.
fn has_more_frames(bytes: &[u8], format: ImageFormat) -> Option<bool> {
    match format {
        ImageFormat::Gif => gif_frames(bytes),
        ImageFormat::Png => png_frames(bytes),
        ImageFormat::WebP => Some(&number::<4>(bytes, 12)? == b"VP8X" && bytes.get(20)? & 0x02 != 0),
        ImageFormat::Tiff => tiff_pages(bytes),
        _ => Some(false),
    }
}

/// Another image descriptor behind the first frame, with extensions between.
fn gif_frames(bytes: &[u8]) -> Option<bool> {
    let mut at = gif_first_frame_end(bytes)?;
    while *bytes.get(at)? == 0x21 {
        at = skip_sub_blocks(bytes, at + 2)?;
    }
    Some(bytes[at] == 0x2C)
}

/// A chunk acTL, which stands before the first IDAT, that declares more than one.
fn png_frames(bytes: &[u8]) -> Option<bool> {
    let mut at = 8usize;
    loop {
        let (length, name) = (number::<4>(bytes, at)?, number::<4>(bytes, at + 4)?);
        match &name {
            b"acTL" => return Some(u32::from_be_bytes(number::<4>(bytes, at + 8)?) > 1),
            b"IDAT" => return Some(false),
            _ => at = at.checked_add(12)?.checked_add(u32::from_be_bytes(length) as usize)?,
        }
    }
}

/// A directory behind the first. `BigTIFF`'s look different and are not followed.
fn tiff_pages(bytes: &[u8]) -> Option<bool> {
    let little = bytes.starts_with(b"II");
    let two = |at| {
        let bytes = number::<2>(bytes, at)?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let four = |at| {
        let bytes = number::<4>(bytes, at)?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    if two(2)? != 42 {
        return Some(false);
    }
    let first = four(4)? as usize;
    let next = first.checked_add(2 + 12 * usize::from(two(first)?))?;
    Some(four(next)? != 0)
}
