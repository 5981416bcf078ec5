//! Whether a file ends where its own structure says, for formats whose decoders may stop once they have the pixels.

use crate::decode::DecodeError;
use image::ImageFormat;

/// Refuses a file that is shorter than it declares. Formats without such a declaration are left to their decoder.
pub(crate) fn check(bytes: &[u8], format: ImageFormat) -> Result<(), DecodeError> {
    match format {
        ImageFormat::Png => png(bytes),
        ImageFormat::WebP => webp(bytes),
        ImageFormat::Bmp => bmp(bytes),
        ImageFormat::Gif => gif(bytes),
        _ => Ok(()),
    }
}

fn cut(format: &'static str, detail: String) -> Result<(), DecodeError> {
    Err(DecodeError::Truncated { format, detail })
}

pub(crate) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Chunks (length, name, data, check sum) must lead to a whole IEND.
fn png(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut at = 8usize;
    while let (Some(length), Some(name)) = (number::<4>(bytes, at), number::<4>(bytes, at + 4)) {
        let end = at.saturating_add(12).saturating_add(u32::from_be_bytes(length) as usize);
        if end > bytes.len() {
            break;
        }
        if &name == b"IEND" {
            return Ok(());
        }
        at = end;
    }
    cut("PNG", format!("no end chunk in its {} bytes", bytes.len()))
}

/// The RIFF header declares the file's length less 8.
fn webp(bytes: &[u8]) -> Result<(), DecodeError> {
    let declared = number::<4>(bytes, 4).map_or(0, |n| u64::from(u32::from_le_bytes(n)) + 8);
    if declared > bytes.len() as u64 {
        return cut("WebP", format!("{declared} bytes are declared and {} are there", bytes.len()));
    }
    Ok(())
}

/// The file header declares the file's length; some writers leave it 0.
fn bmp(bytes: &[u8]) -> Result<(), DecodeError> {
    let declared = number::<4>(bytes, 2).map_or(0, |n| u64::from(u32::from_le_bytes(n)));
    if declared > bytes.len() as u64 {
        return cut("BMP", format!("{declared} bytes are declared and {} are there", bytes.len()));
    }
    Ok(())
}

/// Blocks must lead through the first frame's data to its terminator; what follows it is not needed.
fn gif(bytes: &[u8]) -> Result<(), DecodeError> {
    match gif_first_frame_end(bytes) {
        Some(_) => Ok(()),
        None => cut("GIF", format!("the first frame does not end within its {} bytes", bytes.len())),
    }
}

/// The position behind the first frame's data.
pub(crate) fn gif_first_frame_end(bytes: &[u8]) -> Option<usize> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3usize << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            // An extension: its label, then sub-blocks.
            0x21 => at = skip_sub_blocks(bytes, at + 2)?,
            // An image: nine bytes of descriptor, perhaps a colour table, the code size, then sub-blocks.
            0x2C => return skip_sub_blocks(bytes, at + 11 + table(*bytes.get(at + 9)?)),
            _ => return None,
        }
    }
}

/// The position behind the empty block that ends a run of sub-blocks.
pub(crate) fn skip_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
