//! YOLO's text files: `data.yaml` names the classes and the parts; each picture has a text file of its name with a line a
//! box: class, centre x, centre y, width, height, the last four as shares of the picture.
//!
//! A part is a folder of pictures, a list of such, or a text file with a picture a line. Labels lie where the pictures do, with
//! the last folder called `images` called `labels`. A picture without such a file has no objects. Outlines (a class and three
//! or more points) become the boxes around them.

use super::boxes::Written;
use super::fault::Flaw;
use super::pictures::{ENDINGS, below};
use super::raw::{Raw, RawObject, RawPicture};
use super::yaml::{Value, parse};
use super::{Format, files_in, text_of};
use crate::error::{DetectError, counted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Reads the data set that a YAML file describes.
pub(super) fn read(file: &Path) -> Result<Raw, DetectError> {
    let wrong = |problem: String| DetectError::format(file, problem);
    let data = parse(&text_of(file).map_err(wrong)?).map_err(wrong)?;
    let mut raw = Raw::new(Format::Yolo);
    raw.classes = classes(&data).map_err(wrong)?;
    raw.class_numbers = (1..=raw.classes.len() as i64).collect();
    let root = root(file, &data);
    let mut without = 0;
    for (name, keys) in [("train", &["train"][..]), ("val", &["val", "valid"][..]), ("test", &["test"][..])] {
        let Some(value) = keys.iter().find_map(|key| data.get(*key)) else { continue };
        let places = match value {
            Value::Text(text) if text.is_empty() => continue,
            Value::Text(text) => vec![text.clone()],
            Value::List(list) => list.clone(),
            Value::Numbered(_) => return Err(wrong(format!("{name} must be a folder, a text file or a list of such"))),
        };
        let mut pictures = Vec::new();
        for place in places {
            let found = files_of(&root, file, &place)?;
            for path in found.pictures {
                pictures.extend(picture(path, &found.folder, &mut raw, &mut without));
            }
        }
        raw.parts.push((name.to_owned(), pictures));
    }
    orphans(&mut raw)?;
    if raw.parts.is_empty() {
        return Err(wrong("names no train, val or test".to_owned()));
    }
    if without > 0 {
        raw.notes.push(format!("{} without a file of labels, taken as without objects", counted(without, "picture")));
    }
    Ok(raw)
}

fn classes(data: &BTreeMap<String, Value>) -> Result<Vec<String>, String> {
    let names: Vec<String> = match data.get("names") {
        Some(Value::List(names)) => names.clone(),
        Some(Value::Numbered(names)) => {
            if let Some((expected, found)) = (0..).zip(names.keys()).find(|(expected, found)| expected != *found) {
                return Err(format!("names has no {expected}, but {found}; classes are numbered from 0 without gaps"));
            }
            names.values().cloned().collect()
        }
        _ => return Err("has no names, a list of the classes".to_owned()),
    };
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err("names must be a list of one class or more, none without a name".to_owned());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(format!("names has '{twice}' twice"));
    }
    match data.get("nc") {
        Some(Value::Text(nc)) if nc.parse() != Ok(names.len()) => {
            Err(format!("nc is {nc}, but names has {}", counted(names.len(), "class")))
        }
        _ => Ok(names),
    }
}

/// The folder that the parts' paths start from.
fn root(file: &Path, data: &BTreeMap<String, Value>) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new("."));
    match data.get("path") {
        // What does not exist was meant for another machine.
        Some(Value::Text(path)) if beside.join(path).is_dir() => beside.join(path),
        _ => beside.to_owned(),
    }
}

struct Files {
    /// The folder that names are given below.
    folder: PathBuf,
    pictures: Vec<PathBuf>,
}

fn files_of(root: &Path, file: &Path, place: &str) -> Result<Files, DetectError> {
    // Exports often write `../train/images` for what lies beside the file.
    let tried = [root.join(place), root.join(place.trim_start_matches("../"))];
    let Some(path) = tried.iter().find(|path| path.exists()) else {
        return Err(DetectError::format(file, format!("names {place}, and there is no {}", tried[0].display())));
    };
    if path.is_dir() {
        return Ok(Files { folder: path.clone(), pictures: below(path)? });
    }
    let text = text_of(path).map_err(|problem| DetectError::format(path, problem))?;
    let folder = path.parent().unwrap_or(root);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let picture = |line: &str| {
        let here = folder.join(line.trim_start_matches("./"));
        if here.is_file() { here } else { root.join(line.trim_start_matches("./")) }
    };
    Ok(Files { folder: folder.to_owned(), pictures: lines.map(picture).collect() })
}

/// Where a picture's labels are.
fn labels_of(picture: &Path) -> PathBuf {
    let mut parts: Vec<&std::ffi::OsStr> = picture.iter().collect();
    if let Some(images) = parts.iter().rposition(|part| *part == "images") {
        parts[images] = std::ffi::OsStr::new("labels");
    }
    parts.iter().collect::<PathBuf>().with_extension("txt")
}

fn picture(path: PathBuf, folder: &Path, raw: &mut Raw, without: &mut usize) -> Option<RawPicture> {
    let annotation = labels_of(&path);
    let id = path.strip_prefix(folder).unwrap_or(&path).with_extension("").to_string_lossy().into_owned();
    let mut objects = Vec::new();
    let text = if annotation.is_file() {
        text_of(&annotation)
    } else {
        *without += 1;
        Ok(String::new())
    };
    let text = match text {
        Ok(text) => text,
        Err(problem) => {
            raw.fault(&annotation, "", Flaw::Unreadable(problem));
            return None;
        }
    };
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {number}");
        match object(line, &raw.classes, place.clone()) {
            Ok(object) => objects.push(object),
            Err(flaw) => raw.fault(&annotation, place, flaw),
        }
    }
    Some(RawPicture { id, number: None, path, annotation, declared: None, objects })
}

fn object(line: &str, classes: &[String], place: String) -> Result<RawObject, Flaw> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let outline = fields.len() >= 7 && fields.len() % 2 == 1;
    if fields.len() != 5 && !outline {
        return Err(Flaw::Fields(fields.len()));
    }
    let not_a_number = |what: &str, found: &str| Flaw::NotANumber { what: what.to_owned(), found: found.to_owned() };
    // Some writers print the class as `0.0`.
    let class: f64 = fields[0].parse().map_err(|_| not_a_number("the class", fields[0]))?;
    if class.fract() != 0.0 || class < 0.0 || class >= classes.len() as f64 {
        let declared = format!("the classes are 0 to {}", classes.len() - 1);
        return Err(Flaw::UnknownClass { found: fields[0].to_owned(), declared });
    }
    let mut numbers = Vec::with_capacity(fields.len() - 1);
    for field in &fields[1..] {
        let number: Option<f64> = field.parse().ok().filter(|n: &f64| n.is_finite());
        numbers.push(number.ok_or_else(|| not_a_number("a place", field))?);
    }
    let shares = if outline { around(&numbers)? } else { [numbers[0], numbers[1], numbers[2], numbers[3]] };
    let written = Written::Shares(shares);
    Ok(RawObject { place, class: class as usize, written, difficult: false, crowd: false, area: None })
}

/// The box around an outline's points.
fn around(points: &[f64]) -> Result<[f64; 4], Flaw> {
    if let Some(found) = points.iter().find(|v| !(0.0..=1.0).contains(*v)) {
        return Err(Flaw::NotAShare { what: "a point of the outline", found: *found });
    }
    let reach = |start: usize| {
        let along = points.iter().skip(start).step_by(2);
        along.fold((1.0f64, 0.0f64), |(least, most), v| (least.min(*v), most.max(*v)))
    };
    let ((left, right), (top, bottom)) = (reach(0), reach(1));
    Ok([left.midpoint(right), top.midpoint(bottom), right - left, bottom - top])
}

/// Files of labels whose pictures are not there.
fn orphans(raw: &mut Raw) -> Result<(), DetectError> {
    let pictures = || raw.parts.iter().flat_map(|(_, pictures)| pictures);
    let known: BTreeSet<&Path> = pictures().map(|p| p.annotation.as_path()).collect();
    let of_pictures: BTreeSet<&Path> = pictures().filter_map(|p| p.path.parent()).collect();
    // Beside pictures lie other texts too.
    let folders: BTreeSet<&Path> = known.iter().filter_map(|file| file.parent()).collect();
    let mut found = Vec::new();
    for folder in folders.into_iter().filter(|folder| folder.is_dir() && !of_pictures.contains(folder)) {
        let files = files_in(folder)?;
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "txt") && !known.contains(f.as_path())) {
            if !has_picture(file) {
                found.push(file.clone());
            }
        }
    }
    for file in found {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        raw.fault(&file, "", Flaw::NoPicture(format!("{stem}.*")));
    }
    Ok(())
}

/// Whether a picture of the name lies where a file of labels says, though no part has it.
fn has_picture(labels: &Path) -> bool {
    let mut parts: Vec<&std::ffi::OsStr> = labels.iter().collect();
    if let Some(at) = parts.iter().rposition(|part| *part == "labels") {
        parts[at] = std::ffi::OsStr::new("images");
    }
    let path = parts.iter().collect::<PathBuf>();
    ENDINGS.iter().any(|ending| path.with_extension(ending).is_file())
}
