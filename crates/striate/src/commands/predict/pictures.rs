//! The pictures below some folders, one after the other in the order of their names: only the names in the folders on the way
//! are kept, not those of all pictures.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Endings of the picture formats that can be read; in folders, other files are passed over.
const ENDINGS: &[&str] =
    &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "pnm", "ppm", "pgm", "pbm", "pam"];

/// Files that were named, and the pictures of folders and below. Links to folders are not followed.
pub struct Pictures<'a> {
    named: std::slice::Iter<'a, PathBuf>,
    /// The folder at hand last, those that it is in before.
    open: Vec<Folder>,
    empty: fn(&Path),
}

struct Folder {
    path: PathBuf,
    entries: std::vec::IntoIter<PathBuf>,
    /// Whether there was a picture in it or below.
    found: bool,
}

impl<'a> Pictures<'a> {
    /// Of these files and folders; `empty` hears of folders without pictures.
    pub fn new(paths: &'a [PathBuf], empty: fn(&Path)) -> Pictures<'a> {
        Pictures { named: paths.iter(), open: Vec::new(), empty }
    }

    fn enter(&mut self, path: PathBuf) -> Result<()> {
        let list = || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(&path)?.map(|e| Ok(e?.path())).collect() };
        let mut entries = list().with_context(|| format!("{}: cannot be listed", path.display()))?;
        entries.sort();
        self.open.push(Folder { path, entries: entries.into_iter(), found: false });
        Ok(())
    }

    fn step(&mut self) -> Result<Option<PathBuf>> {
        loop {
            let Some(folder) = self.open.last_mut() else {
                match self.named.next() {
                    None => return Ok(None),
                    Some(folder) if folder.is_dir() => self.enter(folder.clone())?,
                    Some(file) => return Ok(Some(file.clone())),
                }
                continue;
            };
            match folder.entries.next() {
                Some(entry) if entry.is_dir() && !entry.is_symlink() => self.enter(entry)?,
                Some(entry) if is_picture(&entry) => {
                    folder.found = true;
                    return Ok(Some(entry));
                }
                Some(_) => {}
                None => self.leave(),
            }
        }
    }

    fn leave(&mut self) {
        let Some(folder) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(outer) if folder.found => outer.found = true,
            _ if !folder.found => (self.empty)(&folder.path),
            _ => {}
        }
    }
}

fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|x| ENDINGS.iter().any(|known| x.eq_ignore_ascii_case(known)))
}

impl Iterator for Pictures<'_> {
    type Item = Result<PathBuf>;

    /// The next picture, or why a folder cannot be listed.
    fn next(&mut self) -> Option<Result<PathBuf>> {
        self.step().transpose()
    }
}
