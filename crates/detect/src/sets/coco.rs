//! COCO's annotations (Lin et al. 2014, arXiv:1405.0312): one JSON file a part, with images, annotations and categories.
//!
//! Files are looked for in `annotations`, else in the folder itself, else as `_annotations.coco.json` in its folders; a part's
//! name is what is said of train, val or test in the file's or the folder's. Pictures are looked for in folders of
//! the file's own name (`train2017`), in `images`, and beside the file. A mark `ignore` makes an object difficult: converters
//! from VOC write it so. Classes are in the order of the categories' numbers.

use super::boxes::Written;
use super::fault::Flaw;
use super::raw::{Raw, RawObject, RawPicture};
use super::{Format, files_in, folders_in};
use crate::error::DetectError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Document {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    #[serde(default)]
    width: Option<u32>,
    #[serde(default)]
    height: Option<u32>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    id: Option<i64>,
    image_id: i64,
    category_id: i64,
    #[serde(default)]
    bbox: Option<serde_json::Value>,
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    iscrowd: Option<serde_json::Value>,
    #[serde(default)]
    ignore: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// The beginnings of names of COCO's own files that hold no boxes.
const OTHERS: [&str; 5] = ["captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_"];

/// The files of annotations in a folder.
pub(super) fn files(root: &Path, top: &[PathBuf]) -> Result<Vec<PathBuf>, DetectError> {
    let mut places = Vec::new();
    if root.join("annotations").is_dir() {
        places.push(files_in(&root.join("annotations"))?);
    }
    places.push(top.to_vec());
    let beside = folders_in(root)?.into_iter().map(|folder| folder.join("_annotations.coco.json"));
    places.push(beside.filter(|file| file.is_file()).collect());
    for mut files in places {
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let json = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
            json && !OTHERS.iter().any(|other| name.starts_with(other)) && begins_like_coco(file)
        });
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Ok(Vec::new())
}

/// Whether one of COCO's three lists begins in the file's first part.
fn begins_like_coco(file: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(file).and_then(|f| f.take(64 << 10).read_to_end(&mut start));
    let text = String::from_utf8_lossy(&start);
    read.is_ok() && ["\"images\"", "\"annotations\"", "\"categories\""].iter().any(|key| text.contains(key))
}

/// Reads files of annotations.
pub(super) fn read(root: &Path, files: &[PathBuf]) -> Result<Raw, DetectError> {
    let mut raw = Raw::new(Format::Coco);
    let mut documents = Vec::new();
    for file in files {
        let stream = std::fs::File::open(file).map_err(DetectError::io(file, "reading"))?;
        let document: Document = serde_json::from_reader(BufReader::with_capacity(1 << 16, stream))
            .map_err(|e| DetectError::format(file, format!("is not as COCO's annotations are: {e}")))?;
        documents.push((file, document));
    }
    let numbers = categories(&documents)?;
    raw.class_numbers = numbers.keys().copied().collect();
    raw.classes = numbers.into_values().collect();
    for (file, document) in documents {
        let mut name = part_name(file);
        // Two files of one part stay two parts.
        if raw.parts.iter().any(|(other, _)| *other == name) {
            name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        let pictures = pictures(root, file, document, &mut raw)?;
        raw.parts.push((name, pictures));
    }
    let order = |name: &str| ["train", "val", "test"].iter().position(|known| *known == name);
    raw.parts.sort_by_key(|(name, _)| order(name).unwrap_or(usize::MAX));
    Ok(raw)
}

/// The categories' names by number, over all files.
fn categories(documents: &[(&PathBuf, Document)]) -> Result<BTreeMap<i64, String>, DetectError> {
    let mut names: BTreeMap<i64, String> = BTreeMap::new();
    for (file, document) in documents {
        let mut here = BTreeSet::new();
        for Category { id, name } in &document.categories {
            if !here.insert(id) {
                return Err(DetectError::format(file, format!("has two categories with the id {id}")));
            }
            let before = names.insert(*id, name.clone());
            if let Some(before) = before.filter(|before| before != name) {
                let problem = format!("calls category {id} '{name}', and a file before it '{before}'");
                return Err(DetectError::format(file, problem));
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.values().find(|name| !seen.insert(*name)) {
            return Err(DetectError::format(file, format!("has two categories called '{twice}'")));
        }
    }
    Ok(names)
}

fn part_name(file: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = text(file.file_stem());
    let folder = text(file.parent().and_then(Path::file_name));
    let said = if stem == "_annotations.coco" { folder } else { stem };
    let word = ["train", "val", "test"].into_iter().find(|word| said.contains(word));
    word.unwrap_or("all").to_owned()
}

fn pictures(root: &Path, file: &Path, document: Document, raw: &mut Raw) -> Result<Vec<RawPicture>, DetectError> {
    let folder = picture_folder(root, file, &document.images)?;
    let mut pictures: Vec<RawPicture> = Vec::with_capacity(document.images.len());
    let mut places: HashMap<i64, usize> = HashMap::new();
    for Image { id, file_name, width, height } in document.images {
        if places.contains_key(&id) {
            raw.fault(file, file_name, Flaw::SamePictureId(id));
            continue;
        }
        places.insert(id, pictures.len());
        pictures.push(RawPicture {
            id: Path::new(&file_name).with_extension("").to_string_lossy().into_owned(),
            number: Some(id),
            path: folder.join(&file_name),
            annotation: file.to_owned(),
            declared: width.zip(height).filter(|(w, h)| *w > 0 && *h > 0),
            objects: Vec::new(),
        });
    }
    let classes: HashMap<i64, usize> = raw.class_numbers.iter().copied().zip(0..).collect();
    for (i, annotation) in (1..).zip(document.annotations) {
        let place = annotation.id.map_or_else(|| format!("annotation at place {i}"), |id| format!("annotation {id}"));
        let Some(&picture) = places.get(&annotation.image_id) else {
            raw.fault(file, place, Flaw::UnknownPicture(annotation.image_id));
            continue;
        };
        match object(&annotation, &classes, raw, place.clone()) {
            Ok(object) => pictures[picture].objects.push(object),
            Err(flaw) => raw.fault(file, place, flaw),
        }
    }
    Ok(pictures)
}

fn object(annotation: &Annotation, classes: &HashMap<i64, usize>, raw: &Raw, place: String) -> Result<RawObject, Flaw> {
    let Some(&class) = classes.get(&annotation.category_id) else {
        let declared = format!("the categories are {:?}", raw.class_numbers);
        return Err(Flaw::UnknownClass { found: annotation.category_id.to_string(), declared });
    };
    let Some(bounds) = &annotation.bbox else { return Err(Flaw::Missing("bbox".to_owned())) };
    let numbers: Option<Vec<f64>> =
        bounds.as_array().and_then(|all| all.iter().map(serde_json::Value::as_f64).collect());
    let Some([x, y, w, h]) = numbers.and_then(|numbers| <[f64; 4]>::try_from(numbers).ok()) else {
        return Err(Flaw::NotANumber {
            what: "bbox, which should be four numbers,".to_owned(),
            found: bounds.to_string(),
        });
    };
    let mark = |what, value: &Option<serde_json::Value>| match value {
        None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => Ok(false),
        Some(serde_json::Value::Bool(true)) => Ok(true),
        Some(other) => match other.as_i64() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(Flaw::Mark { what, found: other.to_string() }),
        },
    };
    let (crowd, difficult) = (mark("iscrowd", &annotation.iscrowd)?, mark("ignore", &annotation.ignore)?);
    let area = annotation.area.filter(|area| *area > 0.0);
    Ok(RawObject { place, class, written: Written::CornerSize([x, y, w, h]), difficult, crowd, area })
}

/// The folder in which the pictures are: the first that holds one of the first hundred.
fn picture_folder(root: &Path, file: &Path, images: &[Image]) -> Result<PathBuf, DetectError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let own = stem.rsplit_once('_').map_or(stem.as_str(), |(_, own)| own);
    let beside = file.parent().unwrap_or(root);
    let above = beside.parent().unwrap_or(root);
    let mut folders = Vec::new();
    for folder in [root, above] {
        folders.extend([folder.join(own), folder.join("images").join(own), folder.join("images")]);
    }
    folders.extend([beside.to_owned(), root.to_owned(), above.to_owned()]);
    let holds = |folder: &&PathBuf| images.iter().take(100).any(|image| folder.join(&image.file_name).is_file());
    let Some(first) = images.first() else { return Err(DetectError::format(file, "lists no images")) };
    folders.iter().find(holds).cloned().ok_or_else(|| {
        let tried: BTreeSet<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let tried: Vec<String> = tried.into_iter().collect();
        let problem = format!("its first picture, {}, is in none of {}", first.file_name, tried.join(", "));
        DetectError::format(file, problem)
    })
}
