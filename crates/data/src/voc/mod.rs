//! PASCAL VOC's folders (Everingham et al., IJCV 2010) as classification of boxes: each object's box is a picture.
//!
//! `Annotations/*.xml` hold the boxes, `JPEGImages` the pictures, `ImageSets/Main/{train,val,test}.txt` the parts, or
//! `trainval.txt` what a validation part is drawn from; without such lists every annotation is trained on. Boxes count
//! pixels from 1 and include both edges. Objects marked as difficult, which need their surroundings to be told, are left
//! out. Boxes of one picture are a group.

mod annotation;

use crate::assemble::{Item, Listed};
use crate::bytes;
use crate::data_set::{DataSet, Part, SourceKind};
use crate::error::{DataError, LeftOut, counted};
use crate::folders::{self, Entries, extension, name};
use crate::open::OpenOptions;
use crate::progress::Progress;
use crate::region::{Annotated, Cut, Region};
use crate::sample::{Sample, Source};
use annotation::Annotation;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest annotation that is read.
const LARGEST: u64 = 16 << 20;

/// The folder with `Annotations`: this one, or the only one in it.
pub(crate) fn root(root: &Path, top: &Entries) -> Option<PathBuf> {
    let holds = |folders: &[PathBuf]| folders.iter().any(|folder| name(folder) == "Annotations" && holds_xml(folder));
    if holds(&top.folders) {
        return Some(root.to_owned());
    }
    match top.folders.as_slice() {
        [only] if holds(&folders::entries(only).ok()?.folders) => Some(only.clone()),
        _ => None,
    }
}

fn holds_xml(folder: &Path) -> bool {
    folders::entries(folder).is_ok_and(|inside| inside.files.iter().any(|file| extension(file) == "xml"))
}

/// Opens a folder that [`root`] found.
pub(crate) fn open(root: &Path, options: &OpenOptions, progress: &dyn Progress) -> Result<DataSet, DataError> {
    let mut listed = Listed::new(root.to_owned(), root.to_owned(), SourceKind::VocBoxes);
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in folders::entries(&root.join("Annotations"))?.files {
        if extension(&file) == "xml" {
            files.insert(stem(&file), file);
        } else {
            listed.ignored_files += 1;
        }
    }
    let pictures = pictures(root)?;
    let parts = parts(root)?;
    let wanted: Vec<(Part, &String)> = if parts.is_empty() {
        files.keys().map(|id| (Part::Train, id)).collect()
    } else {
        parts.iter().map(|(id, part)| (*part, id)).collect()
    };
    let (mut difficult, mut empty) = (0, 0);
    progress.start("reading annotations", wanted.len() as u64);
    for (part, id) in wanted {
        progress.advance(1);
        let Some(file) = files.get(id) else {
            let reason = "is listed in ImageSets/Main, but has no annotation".to_owned();
            listed.left_out.push(LeftOut { path: root.join("Annotations").join(format!("{id}.xml")), reason });
            continue;
        };
        match read(file) {
            Ok(annotation) => {
                difficult += annotation.objects.iter().filter(|object| object.difficult).count();
                empty += usize::from(annotation.objects.is_empty());
                add(annotation, file, part, &pictures, options, &mut listed);
            }
            Err(reason) => listed.left_out.push(LeftOut { path: file.clone(), reason }),
        }
    }
    progress.finish();
    let mut remark = |count: usize, noun: &str, why: &str| {
        if count > 0 {
            listed.warnings.push(format!("{} {why}", counted(count, noun)));
        }
    };
    remark(difficult, "box", "marked as difficult and left out");
    remark(empty, "picture", "without boxes");
    if !parts.is_empty() {
        let unlisted = files.keys().filter(|id| !parts.contains_key(*id)).count();
        remark(unlisted, "annotation", "in none of the lists in ImageSets/Main, and passed over");
    }
    listed.into_data_set(options, progress)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The pictures by their names without extension.
fn pictures(root: &Path) -> Result<HashMap<String, PathBuf>, DataError> {
    for folder in ["JPEGImages", "images", "Annotations"] {
        let folder = root.join(folder);
        if folder.is_dir() {
            let files = folders::entries(&folder)?.files.into_iter().filter(|file| folders::is_image(file));
            let found: HashMap<String, PathBuf> = files.map(|file| (stem(&file), file)).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    let problem = "there are Annotations, but no pictures in JPEGImages beside them".to_owned();
    Err(DataError::Layout { path: root.to_owned(), problem })
}

/// The part of each picture that is listed in one; none where there are no lists.
fn parts(root: &Path) -> Result<BTreeMap<String, Part>, DataError> {
    let folder = root.join("ImageSets").join("Main");
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let train = if folder.join("train.txt").is_file() { "train" } else { "trainval" };
    for (list, part) in [(train, Part::Train), ("val", Part::Val), ("test", Part::Test)] {
        let path = folder.join(format!("{list}.txt"));
        if !path.is_file() || (train == "trainval" && part == Part::Val) {
            continue;
        }
        let text = bytes::read_up_to(&mut bytes::open(&path)?.stream, LARGEST, &path)?;
        for (line, id) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
            let Some(id) = id.split_whitespace().next() else { continue };
            if let Some(other) = parts.insert(id.to_owned(), part).filter(|other| *other != part) {
                let (file, other) = (path.display().to_string(), other.name());
                let problem = format!("line {line}: {id} is listed in {other}.txt too; each picture is of one part");
                return Err(DataError::Format { file, problem });
            }
        }
    }
    Ok(parts)
}

fn read(file: &Path) -> Result<Annotation, String> {
    let unreadable = |error: DataError| match error {
        DataError::Io { source, .. } => format!("cannot be read: {source}"),
        other => other.to_string(),
    };
    let mut content = bytes::open(file).map_err(unreadable)?;
    let text = bytes::read_up_to(&mut content.stream, LARGEST, file).map_err(unreadable)?;
    let text = String::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    Annotation::parse(&text).map_err(|problem| format!("is no annotation that can be read: {problem}"))
}

/// Adds an annotation's boxes.
fn add(
    annotation: Annotation,
    file: &Path,
    part: Part,
    pictures: &HashMap<String, PathBuf>,
    options: &OpenOptions,
    listed: &mut Listed,
) {
    let by_name = annotation.filename.as_deref().and_then(|name| pictures.get(&stem(Path::new(name))));
    let Some(picture) = pictures.get(&stem(file)).or(by_name) else {
        let reason = "has no picture of its name in JPEGImages".to_owned();
        listed.left_out.push(LeftOut { path: file.to_owned(), reason });
        return;
    };
    let group: Arc<str> = stem(file).into();
    let picture = Arc::new(Annotated { source: Source::File(picture.clone()), size: annotation.size });
    for object in annotation.objects.into_iter().filter(|object| !object.difficult) {
        let [left, top, right, bottom] = object.edges.map(|edge| edge.round().clamp(-1e9, 1e9) as i32);
        let region = Region { left: left - 1, top: top - 1, right, bottom };
        let cut = Cut { picture: Arc::clone(&picture), region, margin: options.box_margin as f32 };
        if right <= left || bottom <= top {
            let reason = format!("is no box: its edges are {left} to {right} and {top} to {bottom}");
            listed.left_out.push(LeftOut { path: cut.name().into(), reason });
            continue;
        }
        let label = listed.classes.number(&object.name);
        let sample = Sample { group: Some(Arc::clone(&group)), ..Sample::new(Source::Cut(cut), label) };
        listed.items.push(Item { sample, part, sha256: None });
    }
}
