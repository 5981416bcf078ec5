//! Holding a split manifest against what is there: files that are gone, have changed or moved, and groups that are torn.

use crate::columns::{self, Column};
use crate::content::{self, Content};
use crate::error::DataError;
use crate::folders;
use crate::progress::Progress;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Rows of the manifest.
    pub rows: usize,
    /// Rows without a hash, of which only the file's presence was verified.
    pub without_hash: usize,
    /// What is wrong, in the order of the rows.
    pub faults: Vec<SplitFault>,
}

/// Something wrong with a split.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitFault {
    /// A file is not there, nor is any other with its content.
    Missing {
        /// The path in the manifest.
        path: String,
    },
    /// A file is not there, but another one that the manifest does not name has its content.
    Moved {
        /// The path in the manifest.
        path: String,
        /// Where it is now.
        to: PathBuf,
    },
    /// A file has other content.
    Changed {
        /// The path in the manifest.
        path: String,
    },
    /// A file is there but cannot be read.
    Unreadable {
        /// The path in the manifest.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// A file is in the manifest twice.
    Twice {
        /// The path in the manifest.
        path: String,
        /// The two lines.
        lines: [u64; 2],
    },
    /// Images that belong together are not.
    Torn {
        /// The group's name, or the content's hash.
        group: String,
        /// The parts that two of its images are in, with the folds if there are any.
        places: [String; 2],
        /// Their lines.
        lines: [u64; 2],
    },
}

impl SplitFault {
    /// What kind of fault it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Moved { .. } => "moved",
            Self::Changed { .. } => "changed",
            Self::Unreadable { .. } => "unreadable",
            Self::Twice { .. } => "twice",
            Self::Torn { .. } => "torn",
        }
    }
}

impl std::fmt::Display for SplitFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "{path} is not there, nor is its content under another name"),
            Self::Moved { path, to } => write!(f, "{path} is now {}", to.display()),
            Self::Changed { path } => write!(f, "{path} has changed: its SHA-256 is another"),
            Self::Unreadable { path, reason } => write!(f, "{path} cannot be read: {reason}"),
            Self::Twice { path, lines: [a, b] } => write!(f, "{path} is named twice, in lines {a} and {b}"),
            Self::Torn { group, places: [p, q], lines: [a, b] } => {
                write!(f, "{group} is torn: it is in {p} (line {a}) and in {q} (line {b})")
            }
        }
    }
}

struct Row {
    line: u64,
    path: String,
    place: String,
    group: String,
    hash: String,
}

/// Verifies that the files of a manifest are there and unchanged, and that no group or content is in two places. Files that
/// are gone are looked for, by content, among the images in `data`, or below the folder that holds all of the manifest's.
///
/// # Errors
/// If the manifest cannot be read or has no column `path` or `sha256`, or `data` cannot be listed.
pub fn verify(
    manifest: &Path,
    data: Option<&Path>,
    workers: usize,
    progress: &dyn Progress,
) -> Result<Verification, DataError> {
    let rows = read(manifest)?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let files: Vec<PathBuf> = rows.iter().map(|row| folder.join(&row.path)).collect();
    let contents = content::of_files(&borrowed(&files), workers, progress);
    let gone = |content: &std::io::Result<Content>| {
        content.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    let mut elsewhere = HashMap::new();
    if contents.iter().any(gone) {
        elsewhere = unlisted(data, &files, workers, progress)?;
    }
    let mut faults = Vec::new();
    for (row, content) in rows.iter().zip(&contents) {
        let path = row.path.clone();
        match content {
            Ok(content) if !row.hash.is_empty() && content::hex(content) != row.hash => {
                faults.push(SplitFault::Changed { path });
            }
            Ok(_) => {}
            Err(_) if gone(content) => {
                let found = elsewhere.get_mut(&row.hash).and_then(Vec::pop);
                faults.push(
                    found.map_or(SplitFault::Missing { path: path.clone() }, |to| SplitFault::Moved { path, to }),
                );
            }
            Err(error) => faults.push(SplitFault::Unreadable { path, reason: error.to_string() }),
        }
    }
    faults.extend(twice(&rows));
    faults.extend(torn(&rows));
    let without_hash = rows.iter().filter(|row| row.hash.is_empty()).count();
    Ok(Verification { rows: rows.len(), without_hash, faults })
}

fn read(manifest: &Path) -> Result<Vec<Row>, DataError> {
    let column = |name, needed| Column { name, needed };
    let columns = [
        column("path", true),
        column("sha256", true),
        column("split", false),
        column("fold", false),
        column("group", false),
    ];
    let mut rows = Vec::new();
    columns::each_row(manifest, &columns, |line, [path, hash, split, fold, group]| {
        let hash = hash.trim().to_lowercase();
        if path.is_empty() {
            return Err("the path is empty".to_owned());
        }
        if !hash.is_empty() && (hash.len() != 64 || hash.bytes().any(|b| !b.is_ascii_hexdigit())) {
            return Err(format!("'{hash}' is no SHA-256, which has 64 hexadecimal digits"));
        }
        let place = if fold.is_empty() { split.to_owned() } else { format!("fold {fold}") };
        rows.push(Row { line, path: path.to_owned(), place, group: group.to_owned(), hash });
        Ok(())
    })?;
    Ok(rows)
}

fn borrowed(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

/// The images that are there but not among `files`, by their hashes.
fn unlisted(
    data: Option<&Path>,
    files: &[PathBuf],
    workers: usize,
    progress: &dyn Progress,
) -> Result<HashMap<String, Vec<PathBuf>>, DataError> {
    let Some(folder) = data.map(Path::to_owned).or_else(|| holding_all(files)) else { return Ok(HashMap::new()) };
    let known: HashSet<PathBuf> = files.iter().filter_map(|file| std::fs::canonicalize(file).ok()).collect();
    let mut images = folders::images_below(&folder)?;
    images.retain(|image| !known.contains(&folders::real_path(image)));
    let contents = content::of_files(&borrowed(&images), workers, progress);
    let mut by_hash: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for (image, content) in images.into_iter().zip(contents).rev() {
        if let Ok(content) = content {
            by_hash.entry(content::hex(&content)).or_default().push(image);
        }
    }
    Ok(by_hash)
}

/// The deepest folder above all files that is there.
fn holding_all(files: &[PathBuf]) -> Option<PathBuf> {
    let mut folder = files.first()?.parent()?.to_owned();
    while !files.iter().all(|file| file.starts_with(&folder)) || !(folder.is_dir() || folder.as_os_str().is_empty()) {
        folder.pop().then_some(())?;
    }
    Some(if folder.as_os_str().is_empty() { ".".into() } else { folder })
}

fn twice(rows: &[Row]) -> Vec<SplitFault> {
    let mut lines = HashMap::new();
    let again = |row: &Row| {
        let first = *lines.entry(row.path.clone()).or_insert(row.line);
        (first != row.line).then(|| SplitFault::Twice { path: row.path.clone(), lines: [first, row.line] })
    };
    rows.iter().filter_map(again).collect()
}

/// Groups, and contents, with images in two places; each is told once.
fn torn(rows: &[Row]) -> Vec<SplitFault> {
    let mut first: BTreeMap<String, &Row> = BTreeMap::new();
    let mut told = HashSet::new();
    let mut faults = Vec::new();
    for row in rows {
        let group = (!row.group.is_empty()).then(|| format!("group '{}'", row.group));
        let content = (!row.hash.is_empty()).then(|| format!("the picture with SHA-256 {}…", &row.hash[..16]));
        for key in group.into_iter().chain(content) {
            let other = *first.entry(key.clone()).or_insert(row);
            if other.place != row.place && told.insert(key.clone()) {
                let places = [other.place.clone(), row.place.clone()];
                faults.push(SplitFault::Torn { group: key, places, lines: [other.line, row.line] });
            }
        }
    }
    faults
}
