//! What is kept of one image once it was read: a few hundred bytes, whatever its size.

use super::fault::Fault;
use super::looks::Looks;
use crate::decode::{self, DecodeError, Limits};
use crate::sample::{Sample, Source};
use crate::stored::Stored;
use sha2::{Digest, Sha256};
use std::io::ErrorKind;

/// One image as read.
pub(super) struct Record {
    /// The file's length; the pixels' where it is in memory or a box.
    pub(super) bytes: u64,
    pub(super) image: Result<Image, Trouble>,
}

/// A readable image.
pub(super) struct Image {
    /// SHA-256 of the file's bytes; of size and pixels where it is in memory.
    pub(super) content: [u8; 32],
    /// `None` where it is in memory.
    pub(super) stored: Option<Stored>,
    pub(super) looks: Looks,
}

/// Why an image cannot be read.
pub(super) struct Trouble {
    pub(super) fault: Fault,
    /// Reads on from the file's name.
    pub(super) reason: String,
}

/// Reads an image once; its bytes and pixels are gone when this returns.
pub(super) fn read(sample: &Sample, limits: Limits) -> Record {
    // Boxes of one picture share its file: each is judged by its own pixels.
    let encoded = if matches!(sample.source, Source::Cut(_)) { Ok(None) } else { sample.source.encoded() };
    let (bytes, image) = match encoded {
        Ok(Some(bytes)) => (bytes.len() as u64, of_file(&bytes, limits)),
        Err(error) => (0, Err(error.into())),
        Ok(None) => match sample.read(&limits) {
            Ok(picture) => {
                let mut content = Sha256::new();
                content.update(picture.width.to_le_bytes());
                content.update(picture.height.to_le_bytes());
                content.update(&picture.pixels);
                let image = Image { content: content.finalize().into(), stored: None, looks: Looks::of(&picture) };
                (picture.pixels.len() as u64, Ok(image))
            }
            Err(error) => (0, Err(error)),
        },
    };
    Record { bytes, image: image.map_err(|error| Trouble { fault: fault(&error), reason: error.to_string() }) }
}

fn of_file(bytes: &[u8], limits: Limits) -> Result<Image, DecodeError> {
    let (picture, stored) = decode::decode_noting(bytes, limits)?;
    Ok(Image { content: Sha256::digest(bytes).into(), stored: Some(stored), looks: Looks::of(&picture) })
}

fn fault(error: &DecodeError) -> Fault {
    match error {
        DecodeError::Io(error) if error.kind() == ErrorKind::PermissionDenied => Fault::NoPermission,
        DecodeError::Empty => Fault::EmptyFile,
        DecodeError::NotAnImage { .. } => Fault::NotAnImage,
        DecodeError::TooLarge { .. } => Fault::TooLarge,
        DecodeError::Truncated { .. } => Fault::Truncated,
        DecodeError::Unsupported { .. } => Fault::Unsupported,
        DecodeError::Io(_)
        | DecodeError::NoPixels { .. }
        | DecodeError::Broken { .. }
        | DecodeError::OutsidePicture { .. }
        | DecodeError::OtherSize { .. } => Fault::Damaged,
    }
}
