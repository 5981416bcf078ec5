//! What an image holds, as SHA-256: of its file's bytes, or of its pixels where it has no file of its own.

use crate::check::Seen;
use crate::decode::Limits;
use crate::progress::Progress;
use crate::sample::{Sample, Source};
use crate::workers;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A SHA-256.
pub(crate) type Content = [u8; 32];

pub(crate) fn of_bytes(bytes: &[u8]) -> Content {
    Sha256::digest(bytes).into()
}

/// Of a file, which is read piece by piece.
pub(crate) fn of_file(path: &Path) -> io::Result<Content> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().into())
}

/// In hexadecimal, as `sha256sum` prints it.
pub(crate) fn hex(content: &Content) -> String {
    content.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

/// The SHA-256 of a file's bytes in hexadecimal, as `sha256sum` prints it.
///
/// # Errors
///
/// If the file cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    of_file(path).map(|content| hex(&content))
}

/// Of each file, in parallel.
pub(crate) fn of_files(files: &[&Path], workers: usize, progress: &dyn Progress) -> Vec<io::Result<Content>> {
    progress.start("hashing images", files.len() as u64);
    let contents = workers::map_in_order(files.len(), workers, |index| {
        let content = of_file(files[index]);
        progress.advance(1);
        content
    });
    progress.finish();
    contents
}

/// Of a sample: of its file, or of its pixels where it has no file of its own.
pub(crate) fn of_sample(sample: &Sample, limits: Limits) -> Option<Content> {
    if let Source::File(path) = &sample.source {
        return of_file(path).ok();
    }
    let picture = sample.read(&limits).ok()?;
    let mut hash = Sha256::new();
    for number in [picture.width, picture.height, u32::from(picture.channels)] {
        hash.update(number.to_le_bytes());
    }
    hash.update(&picture.pixels);
    Some(hash.finalize().into())
}

/// The contents of files that were looked at. Of those whose beginnings only were read, the ones that are equally long and
/// begin alike are read whole now, and the others are told apart by their beginnings: the same files come out as copies of
/// each other however they were looked at.
pub(crate) fn of_seen<'a>(seen: &[Seen], file: impl Fn(usize) -> Option<&'a PathBuf>) -> Vec<Option<Content>> {
    let part = |seen: &Seen| (seen.bytes > seen.hashed).then_some((seen.bytes, seen.hash?));
    let mut alike: HashMap<(u64, Content), usize> = HashMap::new();
    for key in seen.iter().filter_map(part) {
        *alike.entry(key).or_default() += 1;
    }
    let content = |(i, seen): (usize, &Seen)| match part(seen) {
        Some(key) if alike[&key] > 1 => of_file(file(i)?).ok(),
        _ => seen.hash,
    };
    seen.iter().enumerate().map(content).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::open::{Check, OpenOptions};
    use crate::progress::Silent;

    #[test]
    fn hashes_are_what_other_tools_print() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&of_bytes(b"abc")), abc);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("abc"), "abc").unwrap();
        assert_eq!(hex(&of_file(&dir.path().join("abc")).unwrap()), abc);
    }

    /// A grey picture of 300×300 pixels, more bytes than are read for a header, with this last pixel.
    fn picture(last: u8) -> Vec<u8> {
        let mut bytes = b"P5\n300 300\n255\n".to_vec();
        bytes.extend(vec![128; 300 * 300 - 1]);
        bytes.push(last);
        bytes
    }

    #[test]
    fn copies_are_the_same_however_files_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = (0..5).map(|i| dir.path().join(format!("{i}.pgm"))).collect();
        let small = b"P5\n1 1\n255\n\x07".to_vec();
        for (file, bytes) in files.iter().zip([picture(1), small.clone(), picture(2), picture(1), small]) {
            std::fs::write(file, bytes).unwrap();
        }
        let files: Vec<&PathBuf> = files.iter().collect();
        for check in [Check::Full, Check::Headers] {
            let options = OpenOptions { check, workers: 2, ..OpenOptions::default() };
            let seen = check::look_at_all(&files, &options, &Silent);
            let contents = of_seen(&seen, |i| Some(files[i]));
            let first = |i: usize| contents.iter().position(|other| *other == contents[i]).unwrap();
            assert_eq!((0..5).map(first).collect::<Vec<_>>(), [0, 1, 2, 0, 1], "{check:?}");
        }
    }
}
