//! CIFAR's binary files (Krizhevsky, 2009): a label byte and 32×32 red, then green, then blue levels a record.
//!
//! Files whose names hold `test` are the test part, all others are trained on. Class names come from
//! `batches.meta.txt`; CIFAR-100 (told by `fine_label_names.txt`) has a coarse label byte before the fine one.

use crate::bytes::{self, MOST_BYTES, file_name};
use crate::data_set::{DataSet, SourceKind};
use crate::error::DataError;
use crate::memory::{Contents, Labelled};
use crate::open::{OpenOptions, absolute, display_name};
use crate::sample::MemoryImages;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const CIFAR_10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const NAMES_10: &str = "batches.meta.txt";
const NAMES_100: &str = "fine_label_names.txt";

/// What a folder's side files say about its records.
struct Variant {
    classes: Vec<String>,
    /// Label bytes before the pixels; the last one counts.
    label_bytes: usize,
}

/// Whether a file's name is one of CIFAR's.
pub(crate) fn is_cifar_name(path: &Path) -> bool {
    let name = file_name(path).to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Path::new(name).extension().is_some_and(|extension| extension == "bin")
}

/// Opens the binary files among `files`, all of which lie in the folder `root`.
pub(crate) fn open_folder(root: &Path, files: &[PathBuf], options: &OpenOptions) -> Result<DataSet, DataError> {
    let (binary, others): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|file| is_cifar_name(file));
    let is_test = |file: &&&PathBuf| file_name(file).to_lowercase().contains("test");
    let test: Vec<&PathBuf> = binary.iter().filter(is_test).copied().collect();
    let train: Vec<&PathBuf> = binary.iter().filter(|file| !is_test(file)).copied().collect();
    if train.is_empty() {
        let problem = "there is a test file, but none to train on (data_batch_1.bin, …)".to_owned();
        return Err(DataError::Layout { path: root.to_owned(), problem });
    }
    let ignored = others.iter().filter(|file| ![NAMES_10, NAMES_100].contains(&file_name(file).as_str())).count();
    data_set(root, root, &train, &test, ignored, options)
}

/// Opens one binary file.
pub(crate) fn open_file(file: &Path, options: &OpenOptions) -> Result<DataSet, DataError> {
    let folder = file.parent().unwrap_or(file);
    data_set(file, folder, &[&file.to_owned()], &[], 0, options)
}

fn data_set(
    root: &Path,
    folder: &Path,
    train: &[&PathBuf],
    test: &[&PathBuf],
    ignored_files: usize,
    options: &OpenOptions,
) -> Result<DataSet, DataError> {
    let variant = variant(folder)?;
    Contents {
        name: display_name(root),
        source: absolute(root),
        kind: SourceKind::CifarBinary,
        train: read_all(train, &variant)?,
        test: if test.is_empty() { None } else { Some(read_all(test, &variant)?) },
        classes: variant.classes,
        ignored_files,
        warnings: Vec::new(),
    }
    .into_data_set(options)
}

fn variant(folder: &Path) -> Result<Variant, DataError> {
    for (file, label_bytes) in [(NAMES_100, 2), (NAMES_10, 1)] {
        let path = folder.join(file);
        if path.is_file() {
            let text = bytes::read_up_to(&mut bytes::open(&path)?.stream, 1 << 20, &path)?;
            let text = String::from_utf8_lossy(&text);
            let classes = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
            return Ok(Variant { classes, label_bytes });
        }
    }
    Ok(Variant { classes: CIFAR_10.map(str::to_owned).to_vec(), label_bytes: 1 })
}

fn read_all(files: &[&PathBuf], variant: &Variant) -> Result<Labelled, DataError> {
    let name = files.iter().map(|file| file_name(file)).collect::<Vec<_>>().join("+");
    let images = MemoryImages { name, width: SIDE as u32, height: SIDE as u32, channels: 3, pixels: Vec::new() };
    let mut all = Labelled { images, labels: Vec::new() };
    for file in files {
        read(file, variant, &mut all)?;
    }
    Ok(all)
}

/// Appends a file's records, planes turned into pixels.
fn read(path: &Path, variant: &Variant, all: &mut Labelled) -> Result<(), DataError> {
    let bad = |problem: String| DataError::Format { file: file_name(path), problem };
    let record = variant.label_bytes + 3 * PLANE;
    let bytes = bytes::read_up_to(&mut bytes::open(path)?.stream, MOST_BYTES, path)?;
    if bytes.is_empty() || bytes.len() % record != 0 {
        let found = bytes.len();
        let kind = if variant.label_bytes == 1 { "CIFAR-10" } else { "CIFAR-100" };
        return Err(bad(format!(
            "holds {found} bytes, but {kind} records are {record} bytes each; \
             something is missing or this is another format"
        )));
    }
    let count = bytes.len() / record;
    all.labels.reserve_exact(count);
    all.images.pixels.reserve_exact(count * 3 * PLANE);
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (labels, planes) = record.split_at(variant.label_bytes);
        let label = labels[variant.label_bytes - 1];
        if usize::from(label) >= variant.classes.len() {
            let classes = variant.classes.len();
            return Err(bad(format!(
                "record {index} has label {label}, but there are {classes} classes (0 to {})",
                classes.saturating_sub(1)
            )));
        }
        all.labels.push(u32::from(label));
        all.images.pixels.extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
    }
    Ok(())
}
