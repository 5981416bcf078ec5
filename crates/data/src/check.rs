//! Looking at every image file before it is trusted: fully decoded, or its header only.

use crate::decode::{self, DecodeError, Limits};
use crate::open::{Check, OpenOptions};
use crate::progress::Progress;
use crate::workers;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file as found.
pub(crate) struct Seen {
    /// Its length, 0 if it cannot be told.
    pub(crate) bytes: u64,
    /// What is in it, or why it cannot be used.
    pub(crate) image: Result<Shape, String>,
}

/// A readable image's size and whether it has colour.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) grey: bool,
}

/// Looks at all files, in parallel; results are in the order of `files`. Holds one picture a worker at a time.
pub(crate) fn look_at_all(files: &[&PathBuf], options: &OpenOptions, progress: &dyn Progress) -> Vec<Seen> {
    let limits = Limits { max_pixels: options.max_pixels };
    progress.start("checking images", files.len() as u64);
    let seen = workers::map_in_order(files.len(), options.workers, |index| {
        let path = files[index];
        let bytes = std::fs::metadata(path).map_or(0, |data| data.len());
        let shape = match options.check {
            Check::Full => decode_fully(path, limits),
            Check::Headers => read_header(path, limits),
        };
        progress.advance(1);
        Seen { bytes, image: shape.map_err(|error| error.to_string()) }
    });
    progress.finish();
    seen
}

fn decode_fully(path: &Path, limits: Limits) -> Result<Shape, DecodeError> {
    let picture = decode::read(path, &limits)?;
    Ok(Shape { width: picture.width, height: picture.height, grey: picture.is_grey() })
}

/// Most headers lie in the first kilobytes; a file whose header does not is read whole.
fn read_header(path: &Path, limits: Limits) -> Result<Shape, DecodeError> {
    const FIRST: u64 = 64 << 10;
    let mut start = Vec::new();
    File::open(path)?.take(FIRST).read_to_end(&mut start)?;
    let header = match decode::probe(&start, &limits) {
        Err(DecodeError::Truncated { .. } | DecodeError::Broken { .. }) if start.len() as u64 == FIRST => {
            decode::probe(&std::fs::read(path)?, &limits)?
        }
        other => other?,
    };
    Ok(Shape { width: header.width, height: header.height, grey: header.channels == 1 })
}
