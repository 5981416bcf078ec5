//! Which kind of data set a path holds, told by content and, in folders, by the layout.

use crate::data_set::DataSet;
use crate::data_set::Part;
use crate::error::{DataError, counted};
use crate::folders::{self, Entries, extension, name};
use crate::progress::Progress;
use crate::{bytes, coco, open::OpenOptions, parquet, shards, table, voc};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// As much of a file's beginning as tells what it is.
const BEGINNING: u64 = 64 << 10;

/// What a single file is.
enum Content {
    Delimited,
    JsonLines,
    Coco,
    Tar,
    Parquet,
}

/// Files of one kind with the part that each is of.
pub(crate) type InParts = Vec<(PathBuf, Part)>;

/// Opens a folder that holds annotations of boxes, or gives `None` if it is none.
pub(crate) fn open_annotated(
    root: &Path,
    top: &Entries,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<DataSet>, DataError> {
    if let Some(voc) = voc::root(root, top) {
        return voc::open(&voc, options, progress).map(Some);
    }
    let files = coco::files(top)?;
    if files.is_empty() {
        return Ok(None);
    }
    coco::open(root, &in_parts(&files, &mut Vec::new()), options, progress).map(Some)
}

/// Opens the shards in a folder in which there are no class folders with images, or gives `None` if it has none.
pub(crate) fn open_shards(
    root: &Path,
    top: &Entries,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<Option<DataSet>, DataError> {
    let of = |files: &[PathBuf], wanted: &str| -> Vec<PathBuf> {
        files.iter().filter(|file| extension(file) == wanted).cloned().collect()
    };
    for wanted in ["parquet", "tar"] {
        let mut files = of(&top.files, wanted);
        if files.is_empty() {
            let mut from: Vec<&PathBuf> = Vec::new();
            for folder in &top.folders {
                let inside = of(&folders::entries(folder)?.files, wanted);
                if !inside.is_empty() {
                    from.push(folder);
                    files.extend(inside);
                }
            }
            if from.len() > 1 && !from.iter().all(|folder| Part::named(&name(folder)).is_some()) {
                let names: Vec<String> = from.iter().map(|folder| name(folder)).collect();
                let problem = format!("there are .{wanted} files in {}; give one of these folders", names.join(", "));
                return Err(DataError::Layout { path: root.to_owned(), problem });
            }
        }
        if !files.is_empty() {
            return open_files(root, &files, options, progress).map(Some);
        }
    }
    match top.files.iter().find(|file| is_gzipped_tar(file)) {
        Some(file) => Err(shards::gzipped(file)),
        None => Ok(None),
    }
}

/// Opens a single file by its content.
pub(crate) fn open_file(path: &Path, options: &OpenOptions, progress: &dyn Progress) -> Result<DataSet, DataError> {
    open_files(path, &[path.to_owned()], options, progress)
}

/// Opens files that are of one kind; `path` is what was asked for.
pub(crate) fn open_files(
    path: &Path,
    files: &[PathBuf],
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let mut warnings = Vec::new();
    let parts = in_parts(files, &mut warnings);
    let [first, ..] = files else {
        return Err(DataError::NoImages { path: path.to_owned(), found: String::new() });
    };
    let mut set = match (content(first)?, files.len()) {
        (Content::Tar, _) => shards::open(path, &parts, options, progress)?,
        (Content::Parquet, _) => parquet::open(path, &parts, options, progress)?,
        (Content::Coco, 1) => coco::open(first.parent().unwrap_or(first), &parts, options, progress)?,
        (Content::Delimited, 1) => table::open_delimited(path, options, progress)?,
        (Content::JsonLines, 1) => table::open_json_lines(path, options, progress)?,
        (_, files) => {
            let problem = format!("it stands for {}, which must be tar or Parquet files", counted(files, "file"));
            return Err(DataError::Layout { path: path.to_owned(), problem });
        }
    };
    set.warnings.append(&mut warnings);
    Ok(set)
}

/// The part of each file by its name, else by its folder's. Files of no part beside others that have one are passed over;
/// where all are of the same, or of none, they are trained on.
fn in_parts(files: &[PathBuf], warnings: &mut Vec<String>) -> InParts {
    let part = |file: &PathBuf| {
        let stem = name(file).rsplit_once('.').map_or_else(String::new, |(stem, _)| stem.to_owned());
        Part::in_name(&stem).or_else(|| Part::named(&name(file.parent()?)))
    };
    let parts: Vec<Option<Part>> = files.iter().map(part).collect();
    let several = parts.iter().flatten().any(|part| parts.iter().flatten().any(|other| other != part));
    if !several {
        return files.iter().map(|file| (file.clone(), Part::Train)).collect();
    }
    let mut known = Vec::new();
    for (file, part) in files.iter().zip(parts) {
        match part {
            Some(part) => known.push((file.clone(), part)),
            None => warnings.push(format!("{} was passed over: it is neither train, val nor test", file.display())),
        }
    }
    known
}

fn is_gzipped_tar(path: &Path) -> bool {
    let inner = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    extension(path) == "tgz" || extension(path) == "gz" && extension(Path::new(&inner)) == "tar"
}

/// The beginning of a file, unpacked if it is gzipped, and whether it is.
fn beginning(path: &Path) -> Result<(Vec<u8>, bool), DataError> {
    let mut raw = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read(&mut raw)).map_err(|error| bytes::failed(path, error))?;
    let start = bytes::read_up_to(&mut bytes::open(path)?.stream, BEGINNING, path)?;
    Ok((start, read == 2 && raw == [0x1F, 0x8B]))
}

fn content(path: &Path) -> Result<Content, DataError> {
    let (start, gzipped) = beginning(path)?;
    let unknown = |found: &str| Err(DataError::NoImages { path: path.to_owned(), found: found.to_owned() });
    if start.starts_with(b"PAR1") && !gzipped {
        return Ok(Content::Parquet);
    }
    if shards::is_tar(&start) {
        return if gzipped { Err(shards::gzipped(path)) } else { Ok(Content::Tar) };
    }
    if start.is_empty() {
        return unknown("; the file is empty");
    }
    if image::guess_format(&start).is_ok() {
        return unknown(" to learn from in this single picture; give a folder");
    }
    if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
        return unknown("; it is text in UTF-16: save it as UTF-8");
    }
    if start.contains(&0) {
        return unknown(" in this single file, whose content is none that is known; give a folder");
    }
    let text = String::from_utf8_lossy(&start);
    match text.trim_start_matches('\u{FEFF}').trim_start().chars().next() {
        Some('{') if coco::is_coco(&text) => Ok(Content::Coco),
        Some('{') => Ok(Content::JsonLines),
        Some('[') => unknown("; it is one JSON list: write its entries as JSON lines, one a line"),
        Some('<') => {
            unknown("; it is XML: for VOC's annotations give the folder that holds Annotations and JPEGImages")
        }
        _ => Ok(Content::Delimited),
    }
}

/// A table beside folders that make no data set by themselves: perhaps the one that is meant.
pub(crate) fn table_among(files: &[PathBuf]) -> Option<&PathBuf> {
    files.iter().find(|file| ["csv", "tsv", "jsonl", "ndjson"].contains(&extension(file).as_str()))
}
