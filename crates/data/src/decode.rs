//! Bytes to pictures. The format is told by the content, never by the file's name.
//!
//! * 16-bit samples are rounded to 8; a palette is looked up; of an animation the first frame is taken.
//! * Transparency is composited onto white.
//! * Pictures are turned upright where the file carries an EXIF orientation.
//! * Colour profiles are not applied, as in torchvision.
//! * A file that is cut short is an error, also where a lenient decoder would fill in grey.

use crate::picture::Picture;
use crate::stored::{self, Stored};
use crate::{jpeg, truncation};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, error::ImageError, metadata::Orientation};
use std::io::Cursor;
use std::path::Path;

/// Bounds that are checked against a file's header before anything is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels (width × height) that a picture may have.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 100_000_000 }
    }
}

impl Limits {
    /// Whether a picture of this size is within bounds.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] and [`DecodeError::NoPixels`].
    pub fn check(&self, width: u64, height: u64) -> Result<(), DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::NoPixels { width, height });
        }
        if width.saturating_mul(height) > self.max_pixels {
            return Err(DecodeError::TooLarge { width, height, limit: self.max_pixels });
        }
        Ok(())
    }
}

/// What a file's header declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format's name: "JPEG", "PNG", …
    pub format: &'static str,
    /// Pixels in a stored row, before any turning.
    pub width: u32,
    /// Stored rows.
    pub height: u32,
    /// 1 if the file declares grey, else 3.
    pub channels: u8,
}

/// Why a file could not be decoded; reads on from the file's name: "cat.jpg is cut short: …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The operating system could not read the file.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file has no bytes.
    #[error("is empty (0 bytes)")]
    Empty,
    /// The content is of no image format that is read here.
    #[error("is not an image that can be read (JPEG, PNG, BMP, GIF, TIFF, WebP, PNM): it {found}")]
    NotAnImage {
        /// What it is or starts with, as a verb and its object.
        found: String,
    },
    /// The picture would have more pixels than allowed.
    #[error(
        "declares {width}×{height} = {} pixels, more than the limit of {}; shrink the image or raise the limit",
        millions(width.saturating_mul(*height)), millions(*limit)
    )]
    TooLarge {
        /// The declared width.
        width: u64,
        /// The declared height.
        height: u64,
        /// The limit.
        limit: u64,
    },
    /// The picture would have no pixels.
    #[error("declares {width}×{height} pixels, so there is nothing in it")]
    NoPixels {
        /// The declared width.
        width: u64,
        /// The declared height.
        height: u64,
    },
    /// The file ends before the picture does.
    #[error("is a {format} file that is cut short: {detail}")]
    Truncated {
        /// The format.
        format: &'static str,
        /// What is missing.
        detail: String,
    },
    /// A variant of the format that is not read.
    #[error("is a {format} file of a kind that is not supported: {what}")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// The variant.
        what: String,
    },
    /// A box of a picture lies beyond it.
    #[error("lies outside of its picture of {width}×{height} pixels")]
    OutsidePicture {
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
    },
    /// A box was drawn in a picture of another size, so it would be cut out in the wrong place.
    #[error(
        "is in a picture of {width}×{height} pixels, but the annotation is made for {}×{}; correct the annotation",
        declared.0, declared.1
    )]
    OtherSize {
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
        /// The width and height that the annotation declares.
        declared: (u32, u32),
    },
    /// The file breaks its format.
    #[error("is a damaged {format} file: {detail}")]
    Broken {
        /// The format.
        format: &'static str,
        /// The decoder's reason.
        detail: String,
    },
}

/// `400 million`, or the plain number below a million.
fn millions(n: u64) -> String {
    match n {
        0..1_000_000 => n.to_string(),
        _ if n.is_multiple_of(1_000_000) => format!("{} million", n / 1_000_000),
        _ => format!("{:.1} million", n as f64 / 1e6),
    }
}

/// Reads and decodes a file.
///
/// # Errors
/// See [`DecodeError`]; the message reads on from the file's name.
pub fn read(path: &Path, limits: &Limits) -> Result<Picture, DecodeError> {
    decode(&std::fs::read(path)?, limits)
}

/// Decodes a whole file's bytes.
///
/// ```
/// use striate_data::{Limits, decode};
/// let picture = decode(b"P2 2 1 255 0 255", &Limits::default())?;
/// assert_eq!((picture.width, picture.height, picture.channels), (2, 1, 1));
/// assert_eq!(picture.pixels, [0, 255]);
/// # Ok::<(), striate_data::DecodeError>(())
/// ```
///
/// # Errors
/// See [`DecodeError`]. Bytes can never cause a panic.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, DecodeError> {
    decode_noting(bytes, *limits).map(|(picture, _)| picture)
}

/// Decodes a whole file's bytes, and tells what the picture does not show of how it was stored.
pub(crate) fn decode_noting(bytes: &[u8], limits: Limits) -> Result<(Picture, Stored), DecodeError> {
    let format = tell_format(bytes)?;
    contain(name_of(format), || match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, limits),
        _ => decode_with_image(bytes, format, limits),
    })
}

/// Whether bytes, of which the first 64 are enough, begin like an image that is read here.
pub(crate) fn begins_like_an_image(bytes: &[u8]) -> bool {
    tell_format(bytes).is_ok()
}

/// Reads the header only: format, size, channels. `bytes` may be the beginning of the file.
///
/// # Errors
/// See [`DecodeError`].
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Header, DecodeError> {
    let format = tell_format(bytes)?;
    contain(name_of(format), || {
        if format == ImageFormat::Jpeg {
            return jpeg::probe(bytes, *limits);
        }
        let decoder = open(bytes, format, *limits)?;
        let (width, height) = decoder.dimensions();
        let channels = if decoder.color_type().has_color() { 3 } else { 1 };
        Ok(Header { format: name_of(format), width, height, channels })
    })
}

/// Runs a decoder so that a panic inside it is this file's failure and does not end the program.
fn contain<T>(format: &'static str, work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(DecodeError::Broken { format, detail: "the decoder gave up on its content".to_owned() })
    })
}

fn tell_format(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    match image::guess_format(bytes) {
        Ok(format) if format.reading_enabled() => Ok(format),
        Ok(format) => Err(DecodeError::NotAnImage { found: format!("is {format:?}; convert it to PNG or JPEG") }),
        Err(_) if bytes.get(4..8) == Some(b"ftyp") => {
            Err(DecodeError::NotAnImage { found: "is HEIF or a video; convert it to PNG or JPEG".to_owned() })
        }
        Err(_) => Err(DecodeError::NotAnImage { found: format!("begins with {}", beginning(bytes)) }),
    }
}

/// The first bytes for people: as text if they are, else in hexadecimal.
fn beginning(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(16)];
    if start.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        format!("the text {:?}", String::from_utf8_lossy(start))
    } else {
        let hex: Vec<String> = start.iter().take(8).map(|b| format!("{b:02x}")).collect();
        format!("the bytes {}", hex.join(" "))
    }
}

fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        _ => "image",
    }
}

fn open(bytes: &[u8], format: ImageFormat, limits: Limits) -> Result<impl ImageDecoder, DecodeError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut bounds = image::Limits::no_limits();
    // Four 16-bit samples a pixel and as much again for the decoder's own work.
    bounds.max_alloc = Some(limits.max_pixels.saturating_mul(16).saturating_add(64 << 20));
    reader.limits(bounds);
    let decoder = reader.into_decoder().map_err(|error| explain(format, error))?;
    let (width, height) = decoder.dimensions();
    limits.check(u64::from(width), u64::from(height))?;
    Ok(decoder)
}

fn decode_with_image(bytes: &[u8], format: ImageFormat, limits: Limits) -> Result<(Picture, Stored), DecodeError> {
    let mut decoder = open(bytes, format, limits)?;
    truncation::check(bytes, format)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let cmyk = stored::is_cmyk(decoder.original_color_type());
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| explain(format, error))?;
    let peculiarities = stored::peculiarities(bytes, format, &decoded, cmyk);
    let picture = to_picture(decoded, name_of(format))?;
    Ok((picture.upright(orientation), Stored { format: name_of(format), orientation, peculiarities }))
}

fn explain(format: ImageFormat, error: ImageError) -> DecodeError {
    let format = name_of(format);
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format, detail: "the data ends early".to_owned() }
        }
        ImageError::Unsupported(what) => DecodeError::Unsupported { format, what: what.to_string() },
        other => DecodeError::Broken { format, detail: other.to_string() },
    }
}

/// To 8 bits, transparency composited onto white.
fn to_picture(decoded: DynamicImage, format: &'static str) -> Result<Picture, DecodeError> {
    let (width, height) = (decoded.width(), decoded.height());
    let (channels, pixels) = match decoded {
        DynamicImage::ImageLuma8(p) => (1, p.into_raw()),
        DynamicImage::ImageRgb8(p) => (3, p.into_raw()),
        DynamicImage::ImageLumaA8(p) => (1, onto_white::<1>(&p)),
        DynamicImage::ImageRgba8(p) => (3, onto_white::<3>(&p)),
        DynamicImage::ImageLuma16(p) => (1, to_8_bits(&p)),
        DynamicImage::ImageRgb16(p) => (3, to_8_bits(&p)),
        DynamicImage::ImageLumaA16(p) => (1, onto_white::<1>(&to_8_bits(&p))),
        DynamicImage::ImageRgba16(p) => (3, onto_white::<3>(&to_8_bits(&p))),
        _ => {
            let what =
                "samples are floating point, whose range is not defined; convert them to 8 or 16 bits".to_owned();
            return Err(DecodeError::Unsupported { format, what });
        }
    };
    Ok(Picture { width, height, channels, pixels })
}

/// 0–65535 to 0–255, rounded.
fn to_8_bits(samples: &[u16]) -> Vec<u8> {
    samples.iter().map(|&v| ((u32::from(v) + 128) / 257) as u8).collect()
}

/// Drops the alpha that follows each pixel's `N` samples, blending with white by it.
fn onto_white<const N: usize>(samples: &[u8]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(samples.len() / (N + 1) * N);
    for pixel in samples.chunks_exact(N + 1) {
        let alpha = u32::from(pixel[N]);
        pixels.extend(pixel[..N].iter().map(|&v| ((u32::from(v) * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    pixels
}
