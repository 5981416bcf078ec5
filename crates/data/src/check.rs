//! Looking at every image file before it is trusted: fully decoded, or its header only.

use crate::content::{self, Content};
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
    /// The SHA-256 of its first `hashed` bytes: of all, or of those in which the header was looked for. `None` if it could
    /// not be read.
    pub(crate) hash: Option<Content>,
    pub(crate) hashed: u64,
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
        let seen = look_at(files[index], options.check, limits);
        progress.advance(1);
        seen
    });
    progress.finish();
    seen
}

/// Most headers lie in the first kilobytes; a file whose header does not is read whole.
const FIRST: u64 = 64 << 10;

fn look_at(path: &Path, check: Check, limits: Limits) -> Seen {
    let bytes = std::fs::metadata(path).map_or(0, |data| data.len());
    let most = match check {
        Check::Full => u64::MAX,
        Check::Headers => FIRST,
    };
    let (start, hash) = match read_start(path, most) {
        Ok(start) => {
            let hash = content::of_bytes(&start);
            (Ok(start), Some(hash))
        }
        Err(error) => (Err(DecodeError::from(error)), None),
    };
    let hashed = start.as_ref().map_or(0, Vec::len) as u64;
    let shape = start.and_then(|start| match check {
        Check::Full => decode_fully(&start, limits),
        Check::Headers => read_header(&start, path, limits),
    });
    Seen { bytes, hash, hashed, image: shape.map_err(|error| error.to_string()) }
}

fn read_start(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut start)?;
    Ok(start)
}

fn decode_fully(bytes: &[u8], limits: Limits) -> Result<Shape, DecodeError> {
    let picture = decode::decode(bytes, &limits)?;
    Ok(Shape { width: picture.width, height: picture.height, grey: picture.is_grey() })
}

fn read_header(start: &[u8], path: &Path, limits: Limits) -> Result<Shape, DecodeError> {
    let header = match decode::probe(start, &limits) {
        Err(DecodeError::Truncated { .. } | DecodeError::Broken { .. }) if start.len() as u64 == FIRST => {
            decode::probe(&std::fs::read(path)?, &limits)?
        }
        other => other?,
    };
    Ok(Shape { width: header.width, height: header.height, grey: header.channels == 1 })
}
