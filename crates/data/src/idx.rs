//! MNIST's IDX files (Y. `LeCun`, C. Cortes, C. Burges): big-endian, magic 0x00000803 for images and 0x00000801 for labels.
//!
//! `train-…` is trained on (a validation part is drawn from it), `t10k-…` is the test part. Names may have a dot for
//! the dash before `idx`, a prefix (EMNIST's), and `.gz`. Classes are the labels that occur, named by their numbers.

use crate::bytes::{self, MOST_BYTES, file_name};
use crate::data_set::{DataSet, SourceKind};
use crate::error::DataError;
use crate::memory::{Contents, Labelled};
use crate::open::{OpenOptions, absolute, display_name};
use crate::sample::MemoryImages;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// Whether a file's name is one of MNIST's.
pub(crate) fn is_idx_name(path: &Path) -> bool {
    let name = plain_name(path);
    name.ends_with("images-idx3-ubyte") || name.ends_with("labels-idx1-ubyte")
}

/// The name in lower case, without `.gz`, with dashes for dots.
fn plain_name(path: &Path) -> String {
    let name = file_name(path).to_lowercase().replace('.', "-");
    name.strip_suffix("-gz").map(str::to_owned).unwrap_or(name)
}

/// Opens the IDX files among `files`, all of which lie in the folder `root`.
pub(crate) fn open_folder(root: &Path, files: &[PathBuf], options: &OpenOptions) -> Result<DataSet, DataError> {
    let train = read_pair(root, files, "train")?.ok_or_else(|| DataError::Layout {
        path: root.to_owned(),
        problem: "there are IDX files, but no train-images-idx3-ubyte".to_owned(),
    })?;
    let test = match read_pair(root, files, "t10k")? {
        Some(test) => Some(test),
        None => read_pair(root, files, "test")?,
    };
    let ignored = files.iter().filter(|file| !is_idx_name(file)).count();
    data_set(root, train, test, ignored, options)
}

/// Opens one images file and the labels file beside it.
pub(crate) fn open_file(images: &Path, options: &OpenOptions) -> Result<DataSet, DataError> {
    let name = file_name(images);
    if !name.to_lowercase().contains("images") {
        let problem = "is not an images file; give the one whose name has 'images-idx3' in it".to_owned();
        return Err(DataError::Format { file: name, problem });
    }
    let labels = images.with_file_name(name.replace("images", "labels").replace("idx3", "idx1"));
    data_set(images, read_labelled(images, &labels)?, None, 0, options)
}

fn data_set(
    root: &Path,
    mut train: Labelled,
    mut test: Option<Labelled>,
    ignored_files: usize,
    options: &OpenOptions,
) -> Result<DataSet, DataError> {
    let mut found = train.labels.clone();
    found.sort_unstable();
    found.dedup();
    for labelled in [Some(&mut train), test.as_mut()].into_iter().flatten() {
        for label in &mut labelled.labels {
            *label = found.binary_search(label).map_err(|_| DataError::Format {
                file: labelled.images.name.clone(),
                problem: format!("its labels have class {label}, which no training image has"),
            })? as u32;
        }
    }
    Contents {
        name: display_name(root),
        source: absolute(root),
        kind: SourceKind::Idx,
        classes: found.iter().map(u32::to_string).collect(),
        train,
        test,
        ignored_files,
        warnings: Vec::new(),
    }
    .into_data_set(options)
}

/// The images and labels of the part called `part`, or `None` if neither file is there.
fn read_pair(root: &Path, files: &[PathBuf], part: &str) -> Result<Option<Labelled>, DataError> {
    let images = find(root, files, &format!("{part}-images-idx3-ubyte"))?;
    let labels = find(root, files, &format!("{part}-labels-idx1-ubyte"))?;
    match (images, labels) {
        (None, None) => Ok(None),
        (Some(images), Some(labels)) => read_labelled(images, labels).map(Some),
        (images, _) => {
            let missing = if images.is_none() { "images-idx3" } else { "labels-idx1" };
            let problem = format!("{part}-{missing}-ubyte is missing beside its counterpart");
            Err(DataError::Layout { path: root.to_owned(), problem })
        }
    }
}

fn find<'a>(root: &Path, files: &'a [PathBuf], ending: &str) -> Result<Option<&'a PathBuf>, DataError> {
    let found: Vec<&PathBuf> = files.iter().filter(|file| plain_name(file).ends_with(ending)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        [one, other, ..] => Err(DataError::Layout {
            path: root.to_owned(),
            problem: format!("both {} and {} are there; keep one of them", file_name(one), file_name(other)),
        }),
    }
}

fn read_labelled(images_path: &Path, labels_path: &Path) -> Result<Labelled, DataError> {
    let ([images, height, width], pixels) = read_idx(images_path, IMAGES)?;
    let ([_], labels) = read_idx(labels_path, LABELS)?;
    if images as usize != labels.len() {
        let problem = format!("holds {images} images, but {} holds {} labels", file_name(labels_path), labels.len());
        return Err(DataError::Format { file: file_name(images_path), problem });
    }
    let images = MemoryImages { name: file_name(images_path), width, height, channels: 1, pixels };
    Ok(Labelled { images, labels: labels.into_iter().map(u32::from).collect() })
}

/// The `N` sizes and the bytes of a file that must begin with `magic`.
///
/// The declared size is held against the real one before anything of it is allocated; where that is unknown (gzip),
/// memory grows with what is really there.
fn read_idx<const N: usize>(path: &Path, magic: u32) -> Result<([u32; N], Vec<u8>), DataError> {
    let bad = |problem: String| DataError::Format { file: file_name(path), problem };
    let mut content = bytes::open(path)?;
    let header_length = 4 * (1 + N as u64);
    let header = bytes::read_up_to(&mut content.stream, header_length, path)?;
    if (header.len() as u64) < header_length {
        return Err(bad(format!("ends within its header of {header_length} bytes, after {}", header.len())));
    }
    let number = |i: usize| u32::from_be_bytes(std::array::from_fn(|byte| header[4 * i + byte]));
    if number(0) != magic {
        let kind = if magic == IMAGES { "images" } else { "labels" };
        let found = number(0);
        return Err(bad(format!("begins with {found:#010x}, but an IDX file of {kind} begins with {magic:#010x}")));
    }
    let sizes: [u32; N] = std::array::from_fn(|i| number(i + 1));
    let text = describe(&sizes);
    let declared = sizes.iter().try_fold(1u64, |product, &n| product.checked_mul(u64::from(n)));
    let Some(declared) = declared.filter(|&n| n <= MOST_BYTES) else {
        return Err(bad(format!("header declares {text}, more than the 4 GiB that are read at most")));
    };
    if declared == 0 {
        return Err(bad(format!("header declares {text}: there is nothing in it")));
    }
    let differs = |found: String| bad(format!("header declares {text} ({declared} bytes) but the file holds {found}"));
    if let Some(rest) = content.length.map(|length| length - header_length).filter(|&rest| rest != declared) {
        return Err(differs(rest.to_string()));
    }
    let data = bytes::read_up_to(&mut content.stream, declared + 1, path)?;
    match (data.len() as u64).cmp(&declared) {
        Ordering::Less => Err(differs(data.len().to_string())),
        Ordering::Greater => Err(differs("more".to_owned())),
        Ordering::Equal => Ok((sizes, data)),
    }
}

fn describe(sizes: &[u32]) -> String {
    match sizes {
        [count, height, width] => format!("{count} images of {width}×{height}"),
        [count] => format!("{count} labels"),
        _ => format!("{sizes:?}"),
    }
}
