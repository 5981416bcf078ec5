//! PASCAL VOC's folders (Everingham et al., IJCV 2010).
//!
//! `Annotations/*.xml` hold the boxes, `JPEGImages` the pictures; `ImageSets/Main/train.txt`, `val.txt` and `test.txt`, or
//! `trainval.txt` where there is no `train.txt`, list the parts by names without endings. Without lists all is one part. Boxes
//! count pixels from 1 and include both edges. Boxes of an object's parts (heads, hands) are passed over.

use super::boxes::Written;
use super::fault::Flaw;
use super::pictures::is_picture;
use super::raw::{Raw, RawObject, RawPicture};
use super::{Format, files_in, text_of};
use crate::error::{DetectError, counted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use striate_data::XmlElement;

/// An annotation's objects with the names of their classes.
struct Annotation {
    filename: Option<String>,
    size: Option<(u32, u32)>,
    objects: Vec<(String, RawObject)>,
}

/// A picture with its annotation.
struct Read {
    id: String,
    picture: PathBuf,
    file: PathBuf,
    annotation: Annotation,
}

/// Reads the folder that holds `Annotations`.
pub(super) fn read(root: &Path) -> Result<Raw, DetectError> {
    let mut raw = Raw::new(Format::Voc);
    let annotations: BTreeMap<String, PathBuf> = by_stem(files_in(&root.join("Annotations"))?, ending_is_xml);
    let pictures = pictures(root)?;
    let mut parts = parts(root, &mut raw)?;
    if parts.is_empty() {
        parts.push(("all".to_owned(), annotations.keys().cloned().collect()));
    } else {
        let listed: BTreeSet<&String> = parts.iter().flat_map(|(_, ids)| ids).collect();
        let unlisted = annotations.keys().filter(|id| !listed.contains(id)).count();
        if unlisted > 0 {
            raw.notes.push(format!("{} in no list of ImageSets/Main, passed over", counted(unlisted, "annotation")));
        }
    }
    let mut read: Vec<(String, Vec<Read>)> = Vec::new();
    for (name, ids) in parts {
        let mut part = Vec::new();
        for id in ids {
            let expected = root.join("Annotations").join(format!("{id}.xml"));
            let Some(file) = annotations.get(&id) else {
                let list = root.join("ImageSets/Main").join(format!("{name}.txt"));
                raw.fault(&list, id, Flaw::NoAnnotation(expected.display().to_string()));
                continue;
            };
            match text_of(file).and_then(|text| annotation(&text, file, &mut raw)) {
                Ok(annotation) => {
                    let by_name = annotation.filename.as_deref().and_then(|name| pictures.get(&stem(Path::new(name))));
                    if let Some(picture) = pictures.get(&id).or(by_name) {
                        part.push(Read { id, picture: picture.clone(), file: file.clone(), annotation });
                    } else {
                        let wanted = annotation.filename.unwrap_or_else(|| format!("{id}.*"));
                        raw.fault(file, "", Flaw::NoPicture(format!("{wanted} in JPEGImages")));
                    }
                }
                Err(problem) => raw.fault(file, "", Flaw::Unreadable(problem)),
            }
        }
        read.push((name, part));
    }
    let objects = read.iter().flat_map(|(_, part)| part).flat_map(|read| &read.annotation.objects);
    let names: BTreeSet<String> = objects.map(|(class, _)| class.clone()).collect();
    raw.classes = names.into_iter().collect();
    raw.class_numbers = (1..=raw.classes.len() as i64).collect();
    let classes = raw.classes.clone();
    let picture = |Read { id, picture, file, annotation }: Read| RawPicture {
        id,
        number: None,
        path: picture,
        annotation: file,
        declared: annotation.size,
        objects: annotation.objects.into_iter().map(|(class, object)| numbered(object, &class, &classes)).collect(),
    };
    raw.parts = read.into_iter().map(|(name, part)| (name, part.into_iter().map(picture).collect())).collect();
    Ok(raw)
}

fn numbered(object: RawObject, class: &String, classes: &[String]) -> RawObject {
    // Every class is among them, as they were gathered from the objects.
    RawObject { class: classes.binary_search(class).unwrap_or(0), ..object }
}

fn ending_is_xml(file: &Path) -> bool {
    file.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml"))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn by_stem(files: Vec<PathBuf>, wanted: impl Fn(&Path) -> bool) -> BTreeMap<String, PathBuf> {
    files.into_iter().filter(|file| wanted(file)).map(|file| (stem(&file), file)).collect()
}

/// The pictures by their names without ending.
fn pictures(root: &Path) -> Result<BTreeMap<String, PathBuf>, DetectError> {
    for folder in ["JPEGImages", "images", "Annotations"] {
        let folder = root.join(folder);
        if folder.is_dir() {
            let found = by_stem(files_in(&folder)?, is_picture);
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Err(DetectError::layout(root, "there are Annotations, but no pictures in JPEGImages beside them"))
}

/// The parts with the names that they list; what an earlier part lists is a fault in a later one.
fn parts(root: &Path, raw: &mut Raw) -> Result<Vec<(String, Vec<String>)>, DetectError> {
    let folder = root.join("ImageSets").join("Main");
    let train = if folder.join("train.txt").is_file() { "train" } else { "trainval" };
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    let mut parts = Vec::new();
    for name in [train, "val", "test"] {
        let file = folder.join(format!("{name}.txt"));
        // Without train.txt, what val.txt lists is a part of trainval.txt.
        if !file.is_file() || (train == "trainval" && name == "val") {
            continue;
        }
        let text = text_of(&file).map_err(|problem| DetectError::format(&file, problem))?;
        let mut ids = Vec::new();
        for (line, id) in (1..).zip(text.lines()).filter_map(|(n, line)| Some((n, line.split_whitespace().next()?))) {
            if let Some(other) = owners.get(id) {
                let flaw = Flaw::ListedTwice(format!("{other}.txt"));
                raw.fault(&file, format!("line {line} ({id})"), flaw);
            } else {
                owners.insert(id.to_owned(), name);
                ids.push(id.to_owned());
            }
        }
        parts.push((name.to_owned(), ids));
    }
    Ok(parts)
}

/// Reads an annotation; objects that cannot be used are faults.
fn annotation(text: &str, file: &Path, raw: &mut Raw) -> Result<Annotation, String> {
    let document = XmlElement::parse(text)?;
    if document.name != "annotation" {
        return Err(format!("it holds <{}> where <annotation> is expected", document.name));
    }
    let side =
        |name| document.child("size").and_then(|size| size.text_of(name)?.parse::<u32>().ok()).filter(|n| *n > 0);
    let mut objects = Vec::new();
    for (i, element) in (1..).zip(document.inside.iter().filter(|e| e.name == "object")) {
        let class = element.text_of("name").unwrap_or_default().to_owned();
        let place = if class.is_empty() { format!("object {i}") } else { format!("object {i} ({class})") };
        match object(element, &class) {
            Ok((written, difficult)) => {
                let object = RawObject { place, class: 0, written, difficult, crowd: false, area: None };
                objects.push((class, object));
            }
            Err(flaw) => raw.fault(file, place, flaw),
        }
    }
    let filename = document.text_of("filename").filter(|name| !name.is_empty()).map(str::to_owned);
    // Writers who do not know the size write 0, or nothing.
    Ok(Annotation { filename, size: side("width").zip(side("height")), objects })
}

fn object(element: &XmlElement, class: &str) -> Result<(Written, bool), Flaw> {
    if class.is_empty() {
        return Err(Flaw::Missing("<name>".to_owned()));
    }
    let difficult = match element.text_of("difficult").unwrap_or("0") {
        "" | "0" => false,
        "1" => true,
        other => return Err(Flaw::Mark { what: "<difficult>", found: other.to_owned() }),
    };
    let Some(bounds) = element.child("bndbox") else { return Err(Flaw::Missing("<bndbox>".to_owned())) };
    let mut edges = [0.0; 4];
    for (edge, name) in edges.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
        let Some(text) = bounds.text_of(name) else { return Err(Flaw::Missing(format!("<{name}>"))) };
        let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.is_finite());
        *edge = number.ok_or_else(|| Flaw::NotANumber { what: format!("<{name}>"), found: text.to_owned() })?;
    }
    Ok((Written::Edges(edges), difficult))
}
