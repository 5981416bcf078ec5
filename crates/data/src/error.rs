//! What can go wrong with a data set. Each message says where, what was expected, what was found, what to do.

use std::path::PathBuf;

/// A file that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// Why it could not be used, as half a sentence: "is cut short: …".
    pub reason: String,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

/// Why a data set could not be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is nothing at the path.
    #[error("{}: there is no such file or folder{}", path.display(), did_you_mean(near))]
    NotFound {
        /// The path as given.
        path: PathBuf,
        /// Names beside it that look alike.
        near: Vec<String>,
    },
    /// The operating system refused.
    #[error("{}: {doing} failed: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a noun: "reading", "listing the folder".
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder's shape is none that is understood, or contradicts itself.
    #[error("{}: {problem}", path.display())]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The folder holds no image.
    #[error("{}: no images found{found}\n{LAYOUTS}", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// What was found instead; empty, or starts with a space.
        found: String,
    },
    /// There is nothing to tell apart.
    #[error(
        "{}: only one class, '{class}', has images, and telling classes apart needs two or more{hint}",
        path.display()
    )]
    OneClass {
        /// The folder.
        path: PathBuf,
        /// The only class.
        class: String,
        /// What may be meant; empty, or starts with "; ".
        hint: String,
    },
    /// A validation or test class that training does not have.
    #[error(
        "{}: class '{class}' is not among the training classes{}; add training images of it or remove this folder",
        path.display(), did_you_mean(near)
    )]
    UnknownClass {
        /// The class folder.
        path: PathBuf,
        /// The class.
        class: String,
        /// Training classes that look alike.
        near: Vec<String>,
    },
    /// More files are unreadable than the options tolerate.
    #[error("{}", too_many_unreadable(left_out, *files, *tolerated))]
    TooManyUnreadable {
        /// The unreadable files, in order of their paths.
        left_out: Vec<LeftOut>,
        /// How many image files there are.
        files: usize,
        /// The share of them that may be unreadable, 0 to 1.
        tolerated: f64,
    },
    /// A binary file breaks its format.
    #[error("{file}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The data set has classes that a model does not know.
    #[error(
        "the data set has classes that the model does not know: {}; the model knows {}",
        quoted(unknown, 10),
        quoted(known, 10)
    )]
    ModelClasses {
        /// The data set's classes that are missing from the model.
        unknown: Vec<String>,
        /// The model's classes.
        known: Vec<String>,
    },
    /// An option has a value that cannot be meant.
    #[error("{option} is {value}, but must be {expected}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value found.
        value: String,
        /// The values that can be.
        expected: &'static str,
    },
    /// A pattern that is to name the groups of images cannot.
    #[error("the pattern '{pattern}' {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it, as a verb and the rest.
        problem: String,
    },
    /// None of the images that were tried could be read.
    #[error("none of {tried} images could be read; the first: {first}")]
    NoneReadable {
        /// How many were tried.
        tried: usize,
        /// The first failure.
        first: LeftOut,
    },
}

/// What is understood as a data set; shown where nothing of it is found.
const LAYOUTS: &str = "Understood are:\n  \
    FOLDER/train/<class>/*.jpg, with val/ (or valid/, validation/) and test/ beside train/ if there are any\n  \
    FOLDER/<class>/*.jpg, from which a validation part is drawn\n  \
    a table of paths and labels: CSV, TSV or JSON lines with path and label (and split, group, fold, sha256)\n  \
    tar shards with images and .cls, .json or .txt of the same names (WebDataset), one file, a folder or 'a-*.tar'\n  \
    Parquet files with image and label (Hugging Face), one file, a folder or a pattern\n  \
    a folder with VOC's Annotations and JPEGImages, or COCO's annotations: each box is a picture\n  \
    a folder with MNIST's files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…; .gz or not)\n  \
    a folder with CIFAR-10's binary files (data_batch_1.bin, …, test_batch.bin; .gz or not)\n  \
    digits, the built-in set\n\
    Images are JPEG, PNG, BMP, GIF, TIFF, WebP or PNM files.";

pub(crate) fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// `'a', 'b' and 3 more`.
pub(crate) fn quoted(names: &[String], most: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(|name| format!("'{name}'")).collect();
    let more = names.len().saturating_sub(most);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn too_many_unreadable(left_out: &[LeftOut], files: usize, tolerated: f64) -> String {
    let share = left_out.len() as f64 / files.max(1) as f64;
    let mut text = format!(
        "{} of {files} image files ({:.1} %) cannot be used, more than the tolerated {:.1} %; \
         repair or remove them, or tolerate more:",
        left_out.len(),
        share * 100.0,
        tolerated * 100.0
    );
    let shown = left_out.iter().take(10).map(ToString::to_string);
    let more = left_out.len().saturating_sub(10);
    let more = (more > 0).then(|| format!("and {more} more"));
    for line in shown.chain(more) {
        text.push_str("\n  ");
        text.push_str(&line);
    }
    text
}

/// `1 file`, `2 files`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Up to three of `names` that look like `name`, the most alike first.
pub(crate) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lower = name.to_lowercase();
    let alike = |other: &str| {
        let other = other.to_lowercase();
        let edits = strsim::osa_distance(&lower, &other);
        let few = edits <= 1 + lower.len() / 5 && edits < lower.len().min(other.len());
        let score = strsim::jaro_winkler(&lower, &other);
        (few || score > 0.85).then_some(score)
    };
    let mut scored: Vec<(f64, &str)> =
        names.filter(|other| *other != name).filter_map(|other| Some((alike(other)?, other))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, other)| other.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_are_recognised() {
        let names = ["dog", "cat", "horse", "Truck"];
        for (typed, meant) in [("dgo", "dog"), ("cats", "cat"), ("hrose", "horse"), ("truck", "Truck")] {
            assert_eq!(near(typed, names.into_iter()), [meant]);
        }
        assert!(near("x", names.into_iter()).is_empty());
        assert!(near("aeroplane", names.into_iter()).is_empty());
    }
}
