//! Data sets of boxes from one format to another.
//!
//! Pictures are linked, or copied where the file system cannot link, or left where they are. Their names lose their folders:
//! `a/b.jpg` becomes `a_b.jpg`, and names that would be the same get a number. What a format cannot say is told: VOC and YOLO
//! know no crowds (difficult objects in VOC, left out in YOLO), YOLO no difficult objects (ordinary ones there).

use super::write::{annotations, picture_folder};
use super::{BoxSet, Format};
use crate::error::{DetectError, counted};
use std::collections::HashSet;
use std::path::Path;

/// What becomes of the pictures' files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PictureFiles {
    /// Hard links, or copies where there can be none.
    #[default]
    Link,
    /// Copies.
    Copy,
    /// Nothing: annotations only.
    LeaveOut,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// Pictures, with or without objects.
    pub pictures: usize,
    /// Objects.
    pub objects: usize,
    /// What the format cannot say.
    pub notes: Vec<String>,
}

/// A picture's new name.
#[derive(Debug, PartialEq)]
pub(super) struct Placed {
    /// With its ending.
    pub(super) file: String,
    /// Without.
    pub(super) stem: String,
}

/// Writes a data set into a folder, which must be empty or not yet there.
///
/// # Errors
/// If the folder has something in it, or a file cannot be written.
pub fn convert(set: &BoxSet, format: Format, out: &Path, pictures: PictureFiles) -> Result<Conversion, DetectError> {
    std::fs::create_dir_all(out).map_err(DetectError::io(out, "making the folder"))?;
    let mut inside = std::fs::read_dir(out).map_err(DetectError::io(out, "listing the folder"))?;
    if inside.next().is_some() {
        return Err(DetectError::layout(out, "is not empty; give a new folder"));
    }
    let placed = names(set, format);
    for (part, placed) in set.parts.iter().zip(&placed) {
        let folder = out.join(picture_folder(format, &part.name));
        for (picture, name) in part.pictures.iter().zip(placed) {
            place(&picture.path, &folder.join(&name.file), pictures)?;
        }
    }
    annotations(set, format, out, &placed, pictures)?;
    let objects = || set.parts.iter().flat_map(|part| &part.pictures).flat_map(|picture| &picture.objects);
    let crowds = objects().filter(|o| o.crowd).count();
    let difficult = objects().filter(|o| o.difficult && !o.crowd).count();
    let mut notes = Vec::new();
    let mut note = |count: usize, what: &str| {
        if count > 0 {
            notes.push(format!("{} {what}", counted(count, "box")));
        }
    };
    let mut lost = 0;
    match format {
        Format::Voc => note(crowds, "around crowds written as difficult: VOC knows no crowds"),
        Format::Coco => {}
        Format::Yolo => {
            note(crowds, "around crowds left out: YOLO knows none");
            note(difficult, "marked as difficult written as ordinary ones: YOLO knows no others");
            lost = crowds;
        }
    }
    let pictures = set.parts.iter().map(|part| part.pictures.len()).sum();
    Ok(Conversion { pictures, objects: objects().count() - lost, notes })
}

/// New names, unique within a folder of pictures, and within all of VOC.
fn names(set: &BoxSet, format: Format) -> Vec<Vec<Placed>> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut all = Vec::new();
    for part in &set.parts {
        if format != Format::Voc {
            taken.clear();
        }
        let mut placed = Vec::new();
        for picture in &part.pictures {
            let flat: String = picture.id.replace(['/', '\\'], "_");
            let ending = picture.path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            let numbered = (2..).map(|n: u32| format!("{flat}_{n}"));
            let free = |name: &String| !taken.contains(&name.to_lowercase());
            let stem = std::iter::once(flat.clone()).chain(numbered).find(free).unwrap_or(flat);
            taken.insert(stem.to_lowercase());
            placed.push(Placed { file: format!("{stem}{ending}"), stem });
        }
        all.push(placed);
    }
    all
}

fn place(from: &Path, to: &Path, how: PictureFiles) -> Result<(), DetectError> {
    if how == PictureFiles::LeaveOut {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(DetectError::io(folder, "making the folder"))?;
    }
    // A link to a link would point from the wrong folder.
    let real = std::fs::canonicalize(from).map_err(DetectError::io(from, "reading"))?;
    if how == PictureFiles::Link && std::fs::hard_link(&real, to).is_ok() {
        return Ok(());
    }
    std::fs::copy(&real, to).map(|_| ()).map_err(DetectError::io(to, "copying a picture here"))
}
