//! Looking at every image file before it is trusted: fully decoded, or its header only.

use crate::content::{self, Content};
use crate::decode::{self, DecodeError, Limits};
use crate::open::{Check, OpenOptions};
use crate::progress::Progress;
use crate::sample::Source;
use crate::workers;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let seen = match (whole, check) {
        (Source::File(path), Check::Headers) => look_at(path, check, limits),
        _ => match whole.encoded() {
            Ok(encoded) => {
                let encoded = encoded.unwrap_or_default();
                let (hash, bytes) = (content::of_bytes(&encoded), encoded.len() as u64);
                let image = shape(&encoded, check, limits, run[0].expected.map(|expected| expected == hash));
                Seen { bytes, hash: Some(hash), hashed: bytes, image }
            }
            Err(error) => {
                let image = Err(DecodeError::from(error).to_string());
                Seen { bytes: 0, hash: None, hashed: 0, image }
            }
        },
    };
    // The boxes of a picture belong together by their group, and are no copies of one another.
    let Seen { bytes, hash, hashed, image: shape } = seen;
    let hash = if matches!(run[0].source, Source::Cut(_)) { None } else { hash };
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
    run.iter().map(|referred| Seen { bytes, hash, hashed, image: of_box(referred) }).collect()
}

fn shape(encoded: &[u8], check: Check, limits: Limits, as_expected: Option<bool>) -> Result<Shape, String> {
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
    match as_expected {
        Some(false) if check == Check::Full => {
            Err("is not the picture that the table means: its SHA-256 is another".to_owned())
        }
        _ => shape.map_err(|error| error.to_string()),
    }
}
