//! JPEG (ITU-T T.81) by `zune-jpeg`, strictly: a file whose compressed data ends early is an error, not a grey patch.
//! Four-channel files are taken as inverted CMYK or YCCK, as Adobe writes them and Pillow reads them.

use crate::decode::{DecodeError, Header, Limits};
use crate::picture::Picture;
use crate::stored::{Peculiarity, Stored};
use image::metadata::Orientation;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

const FORMAT: &str = "JPEG";

type Decoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

/// Size and channels, from the headers alone.
pub(crate) fn probe(bytes: &[u8], limits: Limits) -> Result<Header, DecodeError> {
    open(bytes, limits).map(|(_, header)| header)
}

/// Decodes a whole file and turns it upright.
pub(crate) fn decode(bytes: &[u8], limits: Limits) -> Result<(Picture, Stored), DecodeError> {
    let (mut decoder, header) = open(bytes, limits)?;
    find_end_of_image(bytes)?;
    let pixels = decoder.decode().map_err(explain)?;
    let expected = header.width as usize * header.height as usize * usize::from(header.channels);
    if pixels.len() != expected {
        let detail = format!("{} samples were decoded where {expected} were declared", pixels.len());
        return Err(DecodeError::Broken { format: FORMAT, detail });
    }
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let cmyk = matches!(decoder.input_colorspace(), Some(ColorSpace::CMYK | ColorSpace::YCCK));
    let peculiarities = if cmyk { vec![Peculiarity::Cmyk] } else { Vec::new() };
    let picture = Picture { width: header.width, height: header.height, channels: header.channels, pixels };
    Ok((picture.upright(orientation), Stored { format: FORMAT, orientation, peculiarities }))
}

/// Reads the headers, checks the size and sets the colours to come out: grey stays grey, all else becomes RGB.
fn open(bytes: &[u8], limits: Limits) -> Result<(Decoder<'_>, Header), DecodeError> {
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    // A file that ends within its tables is cut short, whatever the decoder makes of it.
    decoder.decode_headers().map_err(|error| find_end_of_image(bytes).err().unwrap_or_else(|| explain(error)))?;
    let (width, height) = decoder.dimensions().unwrap_or((0, 0));
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let header =
        Header { format: FORMAT, width: width as u32, height: height as u32, channels: if grey { 1 } else { 3 } };
    limits.check(u64::from(header.width), u64::from(header.height))?;
    let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    Ok((decoder, header))
}

fn explain(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::Unsupported(what) => DecodeError::Unsupported { format: FORMAT, what: format!("{what:?}") },
        DecodeErrors::ExhaustedData => {
            DecodeError::Truncated { format: FORMAT, detail: "the data ends early".to_owned() }
        }
        other => DecodeError::Broken { format: FORMAT, detail: format!("{other:?}").trim().to_owned() },
    }
}

/// Walks from segment to segment and through the compressed data to the end-of-image marker.
///
/// Segments are stepped over by their length, so the marker of a thumbnail inside one does not count.
fn find_end_of_image(bytes: &[u8]) -> Result<(), DecodeError> {
    let cut = || DecodeError::Truncated {
        format: FORMAT,
        detail: format!("no end-of-image marker in its {} bytes", bytes.len()),
    };
    let mut at = 2;
    loop {
        let Some(skip) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xFF)) else {
            return Err(cut());
        };
        at += skip + 1;
        match *bytes.get(at).ok_or_else(cut)? {
            0xD9 => return Ok(()),
            // A fill byte: the marker's code is still to come.
            0xFF => {}
            // A stuffed zero, TEM, a restart or a start of image: no length follows.
            0x00 | 0x01 | 0xD0..=0xD8 => at += 1,
            // Any other segment; compressed data may follow it, and is searched for the next marker.
            _ => {
                let length = bytes.get(at + 1..at + 3).ok_or_else(cut)?;
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_behind_a_thumbnail_and_stuffed_bytes() {
        // An APP1 segment that holds an end-of-image marker, then data with a stuffed FF and a restart.
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 1, 1];
        bytes.extend([0xFF, 0xDA, 0, 2, 5, 0xFF, 0x00, 7, 0xFF, 0xD0, 9]);
        assert!(find_end_of_image(&bytes).is_err());
        bytes.extend([0xFF, 0xFF, 0xD9]);
        assert!(find_end_of_image(&bytes).is_ok());
    }
}
