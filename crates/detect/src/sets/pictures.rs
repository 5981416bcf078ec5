//! Pictures looked at: whether they are there, can be read, and how large they are.

use super::OpenOptions;
use super::fault::Flaw;
use crate::propose::in_parallel;
use std::io::Read;
use std::path::{Path, PathBuf};
use striate_data::{DecodeError, Limits, Progress, probe, read};
use striate_kernels::Cpu;

/// Endings of the picture formats that can be read.
pub(super) const ENDINGS: &[&str] =
    &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "pnm", "ppm", "pgm", "pbm", "pam"];

/// Whether a file's name is that of a picture.
pub(super) fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// The pictures in a folder and below, sorted.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>, crate::error::DetectError> {
    let mut found: Vec<PathBuf> = super::files_in(folder)?.into_iter().filter(|f| is_picture(f)).collect();
    for inner in super::folders_in(folder)? {
        // Links could lead back to where they are.
        if !inner.is_symlink() {
            found.extend(below(&inner)?);
        }
    }
    Ok(found)
}

/// What was seen of a picture.
pub(super) struct Look {
    size: Result<(u32, u32), Flaw>,
    /// Whether the size is the upright picture's; a header tells the stored one's.
    upright: bool,
}

impl Look {
    /// The size that boxes are held against.
    pub(super) fn size_for(&self, declared: Option<(u32, u32)>) -> Result<(u32, u32), Flaw> {
        let found = self.size.clone()?;
        match declared {
            None => Ok(found),
            Some(declared) if declared == found => Ok(found),
            // The picture may be one that its EXIF data turn.
            Some(declared) if !self.upright && (declared.1, declared.0) == found => Ok(declared),
            Some(declared) => Err(Flaw::OtherSize { declared, found }),
        }
    }
}

/// Looks at all pictures, in parallel and in order.
pub(super) fn look(files: &[&Path], options: &OpenOptions, cpu: &Cpu, progress: &dyn Progress) -> Vec<Look> {
    progress.start("looking at pictures", files.len() as u64);
    let looks = in_parallel(cpu, files.len(), |i| {
        let size = if options.decode { decoded(files[i], options.limits) } else { header(files[i], options.limits) };
        progress.advance(1);
        Look { size: size.map_err(|e| flaw(&e, files[i])), upright: options.decode }
    });
    progress.finish();
    looks
}

fn flaw(error: &DecodeError, file: &Path) -> Flaw {
    match error {
        DecodeError::Io(e) if e.kind() == std::io::ErrorKind::NotFound => Flaw::NoPicture(file.display().to_string()),
        other => Flaw::BadPicture(other.to_string()),
    }
}

fn decoded(file: &Path, limits: Limits) -> Result<(u32, u32), DecodeError> {
    let picture = read(file, &limits)?;
    Ok((picture.width, picture.height))
}

fn header(file: &Path, limits: Limits) -> Result<(u32, u32), DecodeError> {
    const FIRST: u64 = 64 << 10;
    let mut start = Vec::new();
    std::fs::File::open(file)?.take(FIRST).read_to_end(&mut start)?;
    let found = match probe(&start, &limits) {
        Err(_) if start.len() as u64 == FIRST => probe(&std::fs::read(file)?, &limits)?,
        other => other?,
    };
    Ok((found.width, found.height))
}
