//! Split manifests: a table with the columns `path,label,split,group,fold,sha256`. Paths are relative to the manifest's folder,
//! with `/` between names.

use super::outcome::Splitting;
use crate::content;
use crate::error::DataError;
use crate::folders::real_path;
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The columns, in order.
const COLUMNS: [&str; 6] = ["path", "label", "split", "group", "fold", "sha256"];

/// Writes a split as the manifest that will be the file `manifest`; `write` is given the text and has to put it there.
///
/// # Errors
/// If an image has a path that a table cannot hold (one that is not UTF-8, or on another drive); what `write` says.
pub fn write_manifest<E: From<DataError>>(
    split: &Splitting,
    manifest: &Path,
    write: impl FnOnce(&str) -> Result<(), E>,
) -> Result<(), E> {
    let mut paths = Relative::to(manifest.parent().unwrap_or(Path::new("")));
    let mut text = csv::Writer::from_writer(Vec::new());
    let failed = |source: csv::Error| DataError::Io {
        path: manifest.to_owned(),
        doing: "writing the manifest",
        source: io::Error::other(source),
    };
    text.write_record(COLUMNS).map_err(failed)?;
    for image in &split.images {
        let place = &split.places[image.place];
        let fold = place.fold.map_or_else(String::new, |fold| fold.to_string());
        let (path, label) = (paths.of(&image.file)?, &split.classes[image.label as usize]);
        let hash = content::hex(&image.content);
        let row = [&path, label, place.part.name(), &image.group_name, &fold, &hash];
        text.write_record(row).map_err(failed)?;
    }
    let bytes = text.into_inner().map_err(|error| failed(error.into_error().into()))?;
    write(&String::from_utf8_lossy(&bytes))
}

/// Paths as seen from a folder.
struct Relative {
    folder: PathBuf,
    /// The real paths of folders that were met.
    real: HashMap<PathBuf, PathBuf>,
}

impl Relative {
    fn to(folder: &Path) -> Self {
        Self { folder: real_folder(folder), real: HashMap::new() }
    }

    /// The path of a file. Links to folders are followed, so that `..` means what it says; a link to a file is kept.
    fn of(&mut self, file: &Path) -> Result<String, DataError> {
        let cannot = |problem: &str| DataError::Layout { path: file.to_owned(), problem: problem.to_owned() };
        let parent = file.parent().unwrap_or(Path::new(""));
        let real = self.real.entry(parent.to_owned()).or_insert_with(|| real_folder(parent));
        let (mut names, mut base) = (real.components().peekable(), self.folder.components().peekable());
        while let (Some(a), Some(b)) = (names.peek(), base.peek())
            && a == b
        {
            names.next();
            base.next();
        }
        let up = base.map(|_| Some(".."));
        let down = names.map(|name| match name {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let name = file.file_name().and_then(|name| name.to_str());
        let names: Option<Vec<&str>> = up.chain(down).chain([name]).collect();
        let names = names.ok_or_else(|| {
            cannot("a table cannot hold this path, which is not UTF-8 or on another drive than the table; rename it")
        })?;
        Ok(names.join("/"))
    }
}

/// A folder without links. The empty path is the current one.
fn real_folder(folder: &Path) -> PathBuf {
    real_path(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_manifest_to_the_image() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["data/cat", "splits/deep"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let image = dir.path().join("data/cat/1.jpg");
        for (folder, path) in [
            ("data", "cat/1.jpg"),
            ("data/cat", "1.jpg"),
            ("", "data/cat/1.jpg"),
            ("splits/deep", "../../data/cat/1.jpg"),
            ("splits/../data", "cat/1.jpg"),
        ] {
            let found = Relative::to(&dir.path().join(folder)).of(&image).unwrap();
            assert_eq!(found, path, "from {folder}");
        }
        assert_eq!(Relative::to(Path::new("")).of(Path::new("x.png")).unwrap(), "x.png");
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_astray() {
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("far/away/data")).unwrap();
        std::fs::create_dir_all(dir.path().join("here")).unwrap();
        symlink(dir.path().join("far/away"), dir.path().join("here/link")).unwrap();
        std::fs::write(dir.path().join("far/away/data/1.jpg"), "").unwrap();
        let path = Relative::to(&dir.path().join("here")).of(&dir.path().join("here/link/data/1.jpg")).unwrap();
        assert!(dir.path().join("here").join(&path).exists(), "{path}");
        let path = Relative::to(&dir.path().join("here/link")).of(&dir.path().join("here/link/data/1.jpg")).unwrap();
        assert_eq!(path, "data/1.jpg");
        let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff.jpg"));
        assert!(Relative::to(dir.path()).of(&odd).unwrap_err().to_string().contains("not UTF-8"));
    }
}
