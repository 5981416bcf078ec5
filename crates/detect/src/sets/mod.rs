//! Data sets of boxes: VOC's folders, COCO's JSON, YOLO's text; read, checked, converted.
//!
//! [`BoxSet::open`] tells which of the three a path is. Every box is held against its picture; what is wrong is a [`Fault`]
//! with its place, and what became of it follows from its kind: a box or a picture is left out, or a box is cut off at
//! its picture's edges. Nothing is left out without a fault. Pictures without boxes are part of a set.

mod boxes;
mod coco;
mod convert;
mod fault;
mod pictures;
mod raw;
mod results;
mod voc;
mod write;
mod yaml;
mod yolo;

pub use convert::{Conversion, PictureFiles, convert};
pub use fault::{Consequence, Fault, Flaw};
pub use results::{read_results, write_results};

use crate::detection::Object;
use crate::error::DetectError;
use std::path::{Path, PathBuf};
use striate_data::{Limits, Progress};
use striate_kernels::Cpu;

/// How a data set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PASCAL VOC: `Annotations/*.xml`, `JPEGImages`, `ImageSets/Main/*.txt`.
    Voc,
    /// COCO: JSON files with images, annotations and categories.
    Coco,
    /// YOLO: `data.yaml`, and a text file a picture with a line a box.
    Yolo,
}

impl Format {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] = [("voc", Self::Voc), ("coco", Self::Coco), ("yolo", Self::Yolo)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// A picture with its objects.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotatedPicture {
    /// Its name in the data set: the file's path below its folder, without the ending.
    pub id: String,
    /// Its number in COCO's sense: the file's own, or 1, 2, … through all parts.
    pub number: i64,
    /// The file.
    pub path: PathBuf,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The objects that could be used, in order.
    pub objects: Vec<Object>,
}

/// The pictures of one part of a data set: `train`, `val`, `test`, or `all` where nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The pictures, in order.
    pub pictures: Vec<AnnotatedPicture>,
}

/// A data set of boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxSet {
    /// How it is stored.
    pub format: Format,
    /// The folder or file as given.
    pub path: PathBuf,
    /// The classes' names: in the order of COCO's or YOLO's numbers; of VOC, sorted.
    pub classes: Vec<String>,
    /// Each class's number in COCO's sense.
    pub class_numbers: Vec<i64>,
    /// The parts that have pictures.
    pub parts: Vec<Part>,
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<Fault>,
    /// What may be worth knowing.
    pub notes: Vec<String>,
}

/// How a data set is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Decode every picture rather than read its header: finds damage, and sizes of pictures that EXIF turns.
    pub decode: bool,
    /// Bounds that pictures are held to.
    pub limits: Limits,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { decode: true, limits: Limits::default() }
    }
}

impl BoxSet {
    /// Opens a data set: a folder of any of the three kinds, or a JSON or YAML file.
    ///
    /// # Errors
    /// If the path holds nothing of the kind, a file that describes the whole set cannot be read, or not one picture can
    /// be used. Everything else that is wrong is a fault.
    pub fn open(path: &Path, options: &OpenOptions, cpu: &Cpu, progress: &dyn Progress) -> Result<Self, DetectError> {
        let raw = match recognise(path)? {
            Found::Voc(root) => voc::read(&root)?,
            Found::Coco(root, files) => coco::read(&root, &files)?,
            Found::Yolo(file) => yolo::read(&file)?,
        };
        raw.finish(path, options, cpu, progress)
    }

    /// The part of this name, or the only one.
    ///
    /// # Errors
    /// If there is no such part, with those that there are; `None` picks the only part, else `test`, else `val`.
    pub fn part(&self, name: Option<&str>) -> Result<&Part, DetectError> {
        let named = |name: &str| self.parts.iter().find(|part| part.name == name);
        let found = match (name, self.parts.as_slice()) {
            (Some(name), _) => named(name),
            (None, [only]) => Some(only),
            (None, _) => named("test").or_else(|| named("val")),
        };
        found.ok_or_else(|| {
            let there: Vec<&str> = self.parts.iter().map(|part| part.name.as_str()).collect();
            let asked = name.unwrap_or("test or val");
            DetectError::layout(&self.path, format!("has no part {asked}; its parts are {}", there.join(", ")))
        })
    }

    /// The objects of each picture of a part.
    pub fn truths(part: &Part) -> Vec<Vec<Object>> {
        part.pictures.iter().map(|picture| picture.objects.clone()).collect()
    }

    /// How many faults left a picture or an object out.
    pub fn losses(&self) -> usize {
        self.faults.iter().filter(|fault| fault.flaw.consequence() != Consequence::Mended).count()
    }
}

/// Whether a path looks like a data set of boxes.
pub fn is_box_set(path: &Path) -> bool {
    recognise(path).is_ok()
}

/// Where a data set's files are.
enum Found {
    Voc(PathBuf),
    Coco(PathBuf, Vec<PathBuf>),
    Yolo(PathBuf),
}

fn recognise(path: &Path) -> Result<Found, DetectError> {
    let ending = |file: &Path, of: &str| file.extension().is_some_and(|e| e.eq_ignore_ascii_case(of));
    if path.is_file() {
        let root = path.parent().unwrap_or(Path::new(".")).to_owned();
        return match path {
            _ if ending(path, "json") => Ok(Found::Coco(root, vec![path.to_owned()])),
            _ if ending(path, "yaml") || ending(path, "yml") => Ok(Found::Yolo(path.to_owned())),
            _ => {
                Err(DetectError::format(path, "is neither COCO's .json nor YOLO's .yaml; give such a file or a folder"))
            }
        };
    }
    let top = files_in(path)?;
    if path.join("Annotations").is_dir() && files_in(&path.join("Annotations"))?.iter().any(|f| ending(f, "xml")) {
        return Ok(Found::Voc(path.to_owned()));
    }
    let coco = coco::files(path, &top)?;
    if !coco.is_empty() {
        return Ok(Found::Coco(path.to_owned(), coco));
    }
    let yaml: Vec<&PathBuf> = top.iter().filter(|f| ending(f, "yaml") || ending(f, "yml")).collect();
    match yaml.as_slice() {
        [only] => return Ok(Found::Yolo((*only).clone())),
        [] => {}
        several => {
            if let Some(data) = several.iter().find(|f| f.file_stem().is_some_and(|stem| stem == "data")) {
                return Ok(Found::Yolo((*data).clone()));
            }
            return Err(DetectError::layout(path, "has several YAML files and none is data.yaml; give the file"));
        }
    }
    // Archives often hold the data set as their only folder.
    match folders_in(path)?.as_slice() {
        [only] => recognise(only),
        _ => Err(DetectError::layout(path, NONE_FOUND)),
    }
}

/// What is said where nothing is found.
const NONE_FOUND: &str = "no boxes found. Understood are:\n  \
    VOC: FOLDER/Annotations/*.xml, JPEGImages and, for parts, ImageSets/Main/{train,val,test}.txt\n  \
    COCO: FOLDER/annotations/instances_*.json, or such a file\n  \
    YOLO: FOLDER/data.yaml, with images/ and labels/ beside it, or such a file";

/// A folder's files, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DetectError> {
    Ok(listed(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

/// A folder's folders, sorted; hidden ones left out.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, DetectError> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    Ok(listed(folder)?.into_iter().filter(|path| path.is_dir() && !hidden(path)).collect())
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, DetectError> {
    let entries = std::fs::read_dir(folder).map_err(DetectError::io(folder, "listing the folder"))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// The largest file that describes one picture.
const LARGEST: u64 = 16 << 20;

/// A text file of at most [`LARGEST`] bytes.
fn text_of(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("it cannot be read: {e}");
    let size = std::fs::metadata(path).map_err(cannot)?.len();
    if size > LARGEST {
        return Err(format!("it has {size} bytes, and {LARGEST} are the most"));
    }
    String::from_utf8(std::fs::read(path).map_err(cannot)?).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod planted_faults;
#[cfg(test)]
mod tests;
