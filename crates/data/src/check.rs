//! Looking at every image file before it is trusted: fully decoded, or its header only.

use crate::decode::{self, DecodeError, Limits};
use crate::open::{Check, OpenOptions};
use crate::progress::Progress;
use crate::sample::Source;
use crate::workers;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// A picture that something refers to, and the SHA-256 that it is said to have, if any.
pub(crate) struct Referred<'a> {
    pub(crate) source: &'a Source,
    pub(crate) expected: Option<[u8; 32]>,
}

/// As [`look_at_all`], wherever the pictures are. A picture whose boxes follow one another is looked at once for them all.
/// Content is held against the hash that is expected only where files are decoded entirely.
pub(crate) fn look_at_sources(all: &[Referred<'_>], options: &OpenOptions, progress: &dyn Progress) -> Vec<Seen> {
    let limits = Limits { max_pixels: options.max_pixels };
    let runs = runs(all);
    progress.start("checking images", all.len() as u64);
    let seen = workers::map_in_order(runs.len(), options.workers, |index| {
        let run = &all[runs[index].clone()];
        let seen = look_at_picture(run, options.check, limits);
        progress.advance(run.len() as u64);
        seen
    });
    progress.finish();
    seen.into_iter().flatten().collect()
}

/// Neighbours that are boxes of the same picture.
fn runs(all: &[Referred<'_>]) -> Vec<Range<usize>> {
    let together = |a: &Referred<'_>, b: &Referred<'_>| match (a.source, b.source) {
        (Source::Cut(a), Source::Cut(b)) => Arc::ptr_eq(&a.picture, &b.picture),
        _ => false,
    };
    let mut from = 0;
    let lengths = all.chunk_by(together).map(<[_]>::len);
    lengths.map(|length| (from..from + length, from += length).0).collect()
}

/// One picture, or the boxes of one.
fn look_at_picture(run: &[Referred<'_>], check: Check, limits: Limits) -> Vec<Seen> {
    let whole = match run[0].source {
        Source::Cut(cut) => &cut.picture.source,
        source => source,
    };
    let (bytes, shape) = match (whole, check) {
        (Source::File(path), Check::Headers) => {
            let bytes = std::fs::metadata(path).map_or(0, |data| data.len());
            (bytes, read_header(path, limits).map_err(|error| error.to_string()))
        }
        _ => match whole.encoded() {
            Ok(encoded) => {
                let encoded = encoded.unwrap_or_default();
                (encoded.len() as u64, shape(&encoded, check, limits, run[0].expected))
            }
            Err(error) => (0, Err(DecodeError::from(error).to_string())),
        },
    };
    let of_box = |referred: &Referred<'_>| match (&shape, referred.source) {
        (Ok(Shape { width, height, grey }), Source::Cut(cut)) => {
            // A header does not tell the size of a picture that is stored lying on its side.
            let place = cut.place(*width, *height).or_else(|error| match check {
                Check::Headers => cut.place(*height, *width).map_err(|_| error),
                Check::Full => Err(error),
            });
            place.map(|[_, _, width, height]| Shape { width, height, grey: *grey }).map_err(|error| error.to_string())
        }
        _ => shape.clone(),
    };
    run.iter().map(|referred| Seen { bytes, image: of_box(referred) }).collect()
}

fn shape(encoded: &[u8], check: Check, limits: Limits, expected: Option<[u8; 32]>) -> Result<Shape, String> {
    let shape = match check {
        Check::Full => decode::decode(encoded, &limits).map(|picture| {
            let grey = picture.is_grey();
            Shape { width: picture.width, height: picture.height, grey }
        }),
        Check::Headers => decode::probe(encoded, &limits).map(|header| {
            let grey = header.channels == 1;
            Shape { width: header.width, height: header.height, grey }
        }),
    };
    match expected {
        Some(expected) if check == Check::Full && Sha256::digest(encoded)[..] != expected => {
            Err("is not the picture that the table means: its SHA-256 is another".to_owned())
        }
        _ => shape.map_err(|error| error.to_string()),
    }
}
