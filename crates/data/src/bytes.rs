//! Reading binary data files, gzipped or not (told by content), within a bound.

use crate::error::DataError;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes taken from one file: 4 GiB, a hundred times MNIST.
pub(crate) const MOST_BYTES: u64 = 4 << 30;

/// A file's content as a stream, and its length where that is known beforehand (it is not when gzipped).
pub(crate) struct Content {
    pub(crate) stream: Box<dyn Read>,
    pub(crate) length: Option<u64>,
}

pub(crate) fn open(path: &Path) -> Result<Content, DataError> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let length = file.metadata().map_err(|error| failed(path, error))?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let gzipped = reader.fill_buf().map_err(|error| failed(path, error))?.starts_with(&[0x1F, 0x8B]);
    Ok(if gzipped {
        Content { stream: Box::new(MultiGzDecoder::new(reader)), length: None }
    } else {
        Content { stream: Box::new(reader), length: Some(length) }
    })
}

pub(crate) fn failed(path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { path: path.to_owned(), doing: "reading", source }
}

/// Reads to the end, but never more than `most` bytes; memory grows with what is really there.
pub(crate) fn read_up_to(stream: &mut dyn Read, most: u64, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    stream.take(most).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    Ok(bytes)
}

/// A file's name for messages.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
