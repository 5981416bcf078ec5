//! COCO's annotations (Lin et al., 2014, arXiv:1405.0312) as classification of boxes: each box is a picture.
//!
//! Files are `annotations/instances_<part>.json`, others of that form in the folder, or `<part>/_annotations.coco.json`.
//! Boxes are `[x, y, width, height]` in pixels from the upper left corner. Crowds, which are no single object, are left
//! out. Pictures are looked for in folders of the file's own name (`train2017`), in `images`, and beside the file. Boxes
//! of one picture are a group.

mod document;

use crate::assemble::{Item, Listed};
use crate::bytes;
use crate::class_names::ClassNames;
use crate::data_set::{DataSet, Part, SourceKind};
use crate::error::{DataError, LeftOut, counted};
use crate::folders::{self, Entries, extension, name};
use crate::open::OpenOptions;
use crate::progress::Progress;
use crate::recognise::InParts;
use crate::region::{Annotated, Cut, Region};
use crate::sample::{Sample, Source};
use document::{Document, Image};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The beginnings of names of COCO's files that hold no boxes of their own.
const OTHERS: [&str; 5] = ["captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_"];
/// As much of a file's beginning as tells what it is.
const BEGINNING: u64 = 64 << 10;

/// Whether the beginning of a JSON object is that of COCO's annotations: one of its lists is there.
pub(crate) fn is_coco(beginning: &str) -> bool {
    ["\"images\"", "\"annotations\"", "\"categories\""].iter().any(|key| {
        let behind = beginning.split_once(key).map(|(_, behind)| behind.trim_start());
        behind.and_then(|rest| rest.strip_prefix(':')).is_some_and(|rest| rest.trim_start().starts_with('['))
    })
}

/// The files of annotations in a folder: in `annotations`, else at the top, else in the folders of parts.
pub(crate) fn files(top: &Entries) -> Result<Vec<PathBuf>, DataError> {
    let mut places: Vec<Vec<PathBuf>> = Vec::new();
    let mut in_parts = Vec::new();
    for folder in &top.folders {
        if name(folder).eq_ignore_ascii_case("annotations") {
            places.push(folders::entries(folder)?.files);
        } else if Part::named(&name(folder)).is_some() {
            in_parts.push(folder.join("_annotations.coco.json"));
        }
    }
    in_parts.retain(|file| file.is_file());
    places.extend([top.files.clone(), in_parts]);
    for files in places {
        let mut found = Vec::new();
        for file in files.into_iter().filter(|file| extension(file) == "json") {
            let start = bytes::read_up_to(&mut bytes::open(&file)?.stream, BEGINNING, &file)?;
            let other = OTHERS.iter().any(|other| name(&file).starts_with(other));
            if !other && is_coco(&String::from_utf8_lossy(&start)) {
                found.push(file);
            }
        }
        if found.iter().any(|file| name(file).starts_with("instances_")) {
            found.retain(|file| name(file).starts_with("instances_"));
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Opens files of annotations; `root` is the folder that they and the pictures are in.
pub(crate) fn open(
    root: &Path,
    files: &InParts,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let path = match files.as_slice() {
        [(only, _)] => only.clone(),
        _ => root.to_owned(),
    };
    let mut listed = Listed::new(path, root.to_owned(), SourceKind::CocoBoxes);
    let mut crowds = 0;
    progress.start("reading annotations", files.len() as u64);
    for (file, part) in files {
        let document = Document::read(file)?;
        if listed.items.is_empty() {
            listed.classes = ClassNames::declared(document.class_names(file)?);
        }
        crowds += add(document, root, file, *part, options, &mut listed)?;
        progress.advance(1);
    }
    progress.finish();
    if crowds > 0 {
        listed.warnings.push(format!("{} of crowds left out", counted(crowds, "box")));
    }
    listed.into_data_set(options, progress)
}

/// Adds a document's boxes; returns how many are of crowds.
fn add(
    document: Document,
    root: &Path,
    file: &Path,
    part: Part,
    options: &OpenOptions,
    listed: &mut Listed,
) -> Result<usize, DataError> {
    let folder = picture_folder(root, file, &document.images)?;
    let categories = document.categories_by_id(file)?;
    let mut pictures: HashMap<i64, (Arc<Annotated>, Arc<str>)> = HashMap::new();
    for Image { id, file_name, width, height } in document.images {
        let source = Source::File(folder.join(&file_name));
        let size = width.zip(height).filter(|&(width, height)| width > 0 && height > 0);
        pictures.insert(id, (Arc::new(Annotated { source, size }), file_name.into()));
    }
    let mut crowds = 0;
    let mut boxes = document.annotations;
    // Boxes of one picture together, so that it is decoded once when it is checked; else as the file has them.
    boxes.sort_by_key(|annotation| annotation.image_id);
    for annotation in boxes {
        let id = annotation.id.map_or_else(|| "without id".to_owned(), |id| id.to_string());
        let mut leave_out = |path: String, reason: String| listed.left_out.push(LeftOut { path: path.into(), reason });
        let of_file = || format!("{}[annotation {id}]", file.display());
        if annotation.iscrowd != 0 {
            crowds += 1;
            continue;
        }
        let Some((picture, group)) = pictures.get(&annotation.image_id) else {
            leave_out(of_file(), format!("is of image {}, which the file does not list", annotation.image_id));
            continue;
        };
        let Some(class) = categories.get(&annotation.category_id) else {
            leave_out(of_file(), format!("is of category {}, which the file does not list", annotation.category_id));
            continue;
        };
        let Some([x, y, w, h]) = annotation.bbox else {
            leave_out(of_file(), "has no box of four numbers".to_owned());
            continue;
        };
        let ((left, right), (top, bottom)) = (edges(x, w), edges(y, h));
        let region = Region { left, top, right, bottom };
        let cut = Cut { picture: Arc::clone(picture), region, margin: options.box_margin as f32 };
        // Also where one is no number.
        if !(w > 0.0 && h > 0.0) {
            leave_out(of_file(), format!("is no box: it is {w} wide and {h} high"));
            continue;
        }
        let label = listed.classes.number(class);
        let sample = Sample { group: Some(Arc::clone(group)), ..Sample::new(Source::Cut(cut), label) };
        listed.items.push(Item { sample, part, sha256: None });
    }
    Ok(crowds)
}

/// The first pixel of a stretch and the one behind its last, at least one pixel long.
fn edges(from: f64, length: f64) -> (i32, i32) {
    let whole = |place: f64| place.clamp(-1e9, 1e9) as i32;
    let (first, end) = (whole(from.round()), whole((from + length).round()));
    if end > first { (first, end) } else { (whole(from.floor()), whole(from.floor()) + 1) }
}

/// The folder in which the pictures are: the first that holds the first of them.
fn picture_folder(root: &Path, file: &Path, images: &[Image]) -> Result<PathBuf, DataError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let own = stem.rsplit_once('_').map_or(stem.as_str(), |(_, own)| own);
    let beside = file.parent().unwrap_or(root);
    let above = beside.parent().unwrap_or(root);
    let mut folders = Vec::new();
    for folder in [root, above] {
        folders.extend([folder.join(own), folder.join("images").join(own), folder.join("images")]);
    }
    folders.extend([beside.to_owned(), root.to_owned(), above.to_owned()]);
    folders.dedup();
    // Some of the pictures may be missing.
    let tried = || images.iter().take(100);
    let found = folders.iter().find(|folder| tried().any(|image| folder.join(&image.file_name).is_file()));
    match (found, images.first()) {
        (Some(folder), _) => Ok(folder.clone()),
        (None, None) => {
            Err(DataError::Format { file: file.display().to_string(), problem: "lists no images".to_owned() })
        }
        (None, Some(first)) => {
            let tried: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            let name = &first.file_name;
            let problem = format!("its first picture, {name}, is in none of {}", tried.join(", "));
            Err(DataError::Format { file: file.display().to_string(), problem })
        }
    }
}
