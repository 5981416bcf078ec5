//! A data set as its files state it, and what remains of it once pictures and boxes have been looked at.

use super::boxes::Written;
use super::fault::{Fault, Flaw};
use super::{AnnotatedPicture, BoxSet, Format, OpenOptions, Part, pictures};
use crate::detection::Object;
use crate::error::{DetectError, counted};
use std::path::{Path, PathBuf};
use striate_data::Progress;
use striate_kernels::Cpu;

/// An object as it is written.
pub(super) struct RawObject {
    /// Where it stands: `object 3 (dog)`, `line 2`.
    pub(super) place: String,
    pub(super) class: usize,
    pub(super) written: Written,
    pub(super) difficult: bool,
    pub(super) crowd: bool,
    pub(super) area: Option<f64>,
}

/// A picture as it is annotated.
pub(super) struct RawPicture {
    pub(super) id: String,
    /// Its own number, if it has one.
    pub(super) number: Option<i64>,
    pub(super) path: PathBuf,
    /// The file that describes it.
    pub(super) annotation: PathBuf,
    pub(super) declared: Option<(u32, u32)>,
    pub(super) objects: Vec<RawObject>,
}

/// A data set as its files state it.
pub(super) struct Raw {
    pub(super) format: Format,
    pub(super) classes: Vec<String>,
    pub(super) class_numbers: Vec<i64>,
    pub(super) parts: Vec<(String, Vec<RawPicture>)>,
    pub(super) faults: Vec<Fault>,
    pub(super) notes: Vec<String>,
}

impl Raw {
    pub(super) fn new(format: Format) -> Self {
        let (classes, class_numbers) = (Vec::new(), Vec::new());
        Self { format, classes, class_numbers, parts: Vec::new(), faults: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn fault(&mut self, path: &Path, place: impl Into<String>, flaw: Flaw) {
        self.faults.push(Fault { path: path.to_owned(), place: place.into(), flaw });
    }

    /// Looks at pictures and boxes.
    pub(super) fn finish(
        mut self,
        path: &Path,
        options: &OpenOptions,
        cpu: &Cpu,
        progress: &dyn Progress,
    ) -> Result<BoxSet, DetectError> {
        let parts = std::mem::take(&mut self.parts);
        let files: Vec<&Path> = parts.iter().flat_map(|(_, all)| all.iter().map(|p| p.path.as_path())).collect();
        let mut looked = pictures::look(&files, options, cpu, progress).into_iter();
        let (mut kept, mut number, mut trimmed) = (Vec::new(), 0, 0);
        for (name, all) in parts {
            let mut part = Part { name, pictures: Vec::new() };
            for raw in all {
                number += 1;
                let Some(look) = looked.next() else { break };
                let number = raw.number.unwrap_or(number);
                part.pictures.extend(self.finish_picture(raw, number, &look, &mut trimmed));
            }
            kept.push(part);
        }
        kept.retain(|part| !part.pictures.is_empty());
        if kept.is_empty() {
            let first = self.faults.first().map_or(String::new(), |fault| format!("; the first fault: {fault}"));
            return Err(DetectError::layout(path, format!("not one annotated picture can be used{first}")));
        }
        if trimmed > 0 {
            self.notes.push(format!("{} a pixel or less beyond the picture, cut off there", counted(trimmed, "box")));
        }
        let empty = kept.iter().flat_map(|p| &p.pictures).filter(|p| p.objects.is_empty()).count();
        if empty > 0 {
            self.notes.push(format!("{} without objects", counted(empty, "picture")));
        }
        let Self { format, classes, class_numbers, faults, notes, .. } = self;
        Ok(BoxSet { format, path: path.to_owned(), classes, class_numbers, parts: kept, faults, notes })
    }

    fn finish_picture(
        &mut self,
        raw: RawPicture,
        number: i64,
        look: &pictures::Look,
        trimmed: &mut usize,
    ) -> Option<AnnotatedPicture> {
        let (width, height) = match look.size_for(raw.declared) {
            Ok(size) => size,
            Err(flaw) => {
                self.fault(&raw.annotation, &raw.id, flaw);
                return None;
            }
        };
        let mut objects: Vec<Object> = Vec::new();
        let mut places: Vec<String> = Vec::new();
        for RawObject { place, class, written, difficult, crowd, area } in raw.objects {
            let usable = match written.within(width, height) {
                Ok(usable) => usable,
                Err(flaw) => {
                    self.fault(&raw.annotation, place, flaw);
                    continue;
                }
            };
            let same = |o: &Object| o.class == class && o.bounds == usable.bounds && o.crowd == crowd;
            if let Some(first) = objects.iter().position(same) {
                self.fault(&raw.annotation, place, Flaw::Repeated(places[first].clone()));
                continue;
            }
            *trimmed += usize::from(usable.trimmed);
            if let Some(flaw) = usable.beyond {
                self.fault(&raw.annotation, place.as_str(), flaw);
            }
            objects.push(Object { class, bounds: usable.bounds, difficult, crowd, area });
            places.push(place);
        }
        Some(AnnotatedPicture { id: raw.id, number, path: raw.path, width, height, objects })
    }
}
