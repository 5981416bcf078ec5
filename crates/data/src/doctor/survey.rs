//! Which images a data set has, found without giving up: what opening would refuse is noted as a fault here.
//!
//! Folders are walked by the rules of `folders.rs`. Everything else is opened as for training, headers only.

use super::fault::Fault;
use super::report::{Case, Place};
use super::walk::Walk;
use crate::data_set::{DataSet, Part};
use crate::error::DataError;
use crate::folders::{self, Entries, Layout};
use crate::open::{self, Check, OpenOptions};
use crate::progress::Silent;
use crate::sample::{Sample, Source};
use crate::split::Split;
use crate::{cifar, idx, recognise};
use std::path::{Path, PathBuf};

/// An image of the data set.
pub(super) struct Found {
    /// Relative to the data set, with `/` between names; or as in [`Sample::name`].
    pub(super) path: String,
    pub(super) part: Part,
    /// Its label is an index into the survey's classes.
    pub(super) sample: Sample,
}

/// What a data set consists of.
pub(super) struct Survey {
    pub(super) name: String,
    /// Whether images lie in parts, else all of them count as training images.
    pub(super) has_parts: bool,
    /// Sorted, where they come from folders; also of folders without images.
    pub(super) classes: Vec<String>,
    pub(super) images: Vec<Found>,
    pub(super) passed_over: usize,
    pub(super) faults: Vec<(Fault, Case)>,
}

impl Survey {
    /// The part's name, where there are parts.
    pub(super) fn part_name(&self, part: Part) -> Option<&'static str> {
        self.has_parts.then(|| part.name())
    }

    /// Where an image lies, for a case.
    pub(super) fn place(&self, image: usize, excess: bool) -> Place {
        let found = &self.images[image];
        Place {
            path: found.path.clone(),
            part: self.part_name(found.part),
            class: self.classes.get(found.sample.label as usize).cloned(),
            image: Some(image),
            excess,
        }
    }
}

/// Finds the images of `spec`, which is anything that [`DataSet::open`] takes.
pub(super) fn survey(spec: &str, options: &OpenOptions) -> Result<Survey, DataError> {
    let path = Path::new(spec);
    if path.is_dir() && spec != crate::digits::NAME {
        let top = folders::entries(path)?;
        if !top.files.iter().any(|file| idx::is_idx_name(file) || cifar::is_cifar_name(file)) {
            return of_any_folder(path, &top, options);
        }
    }
    let data = DataSet::open(spec, options, &Silent)?;
    let root = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    Ok(of_data_set(&data, root))
}

/// How a source that is no folder of images is opened: as it is, without drawing a validation part.
pub(super) fn opening(max_pixels: u64, workers: usize) -> OpenOptions {
    OpenOptions {
        val_share: Some(0.0),
        max_unreadable_share: 1.0,
        max_pixels,
        check: Check::Headers,
        workers,
        ..OpenOptions::default()
    }
}

/// As opening recognises them: annotations first, and shards where no class folder holds an image.
fn of_any_folder(path: &Path, top: &Entries, options: &OpenOptions) -> Result<Survey, DataError> {
    if let Some(data) = recognise::open_annotated(path, top, options, &Silent)? {
        return Ok(of_data_set(&data, path));
    }
    let survey = of_folder(path);
    if survey.as_ref().map_or(true, |survey| survey.images.is_empty())
        && let Some(data) = recognise::open_shards(path, top, options, &Silent)?
    {
        return Ok(of_data_set(&data, path));
    }
    survey
}

fn of_data_set(data: &DataSet, root: &Path) -> Survey {
    let parts = [(Part::Train, Some(&data.train)), (Part::Val, Some(&data.val)), (Part::Test, data.test.as_ref())];
    let samples = |(part, split): (Part, Option<&std::sync::Arc<Split>>)| {
        let samples = split.map_or_else(Vec::new, |split| split.samples.clone());
        samples.into_iter().map(move |sample| (part, sample)).collect::<Vec<_>>()
    };
    let found = |(part, sample): (Part, Sample)| {
        let path = match &sample.source {
            Source::File(path) => relative(root, path),
            _ => sample.name(),
        };
        Found { path, part, sample }
    };
    let images: Vec<Found> = parts.into_iter().flat_map(samples).map(found).collect();
    let faults = data.left_out.iter().map(|file| {
        let path = relative(root, &file.path);
        let place = Place { path, part: None, class: None, image: None, excess: true };
        (Fault::Damaged, Case::at(place, &file.reason))
    });
    Survey {
        name: data.name.clone(),
        has_parts: images.iter().any(|image| image.part != Part::Train),
        classes: data.classes.clone(),
        faults: faults.collect(),
        passed_over: data.ignored_files,
        images,
    }
}

/// The path below `root`, with `/` between names; as it is if it lies elsewhere.
pub(super) fn relative(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

fn of_folder(root: &Path) -> Result<Survey, DataError> {
    let mut walk = Walk::new(root);
    let top = walk.entries(root).unwrap_or_default();
    let layout = Layout::of(&top);
    let by_parts = layout.as_ref().map_or(true, |layout| layout.by_parts);
    if let Err(problem) = layout.and_then(|layout| layout.check(root)) {
        walk.note(Fault::Layout, Case::about(problem.to_string()));
    }
    walk.by_parts = by_parts;
    walk.outside(&top.files);
    if by_parts {
        for folder in &top.folders {
            let Some(part) = folders::part(folder) else {
                walk.note_folder(Fault::OutsideParts, folder, "");
                continue;
            };
            let inside = walk.entries(folder).unwrap_or_default();
            walk.outside(&inside.files);
            inside.folders.iter().for_each(|class| walk.class(part, class));
        }
    } else {
        top.folders.iter().for_each(|class| walk.class(Part::Train, class));
    }
    let (folders, passed_over, faults) = walk.finish();
    let mut classes: Vec<String> = folders.iter().map(|folder| folder.class.clone()).collect();
    classes.sort();
    classes.dedup();
    let mut images = Vec::new();
    for folder in folders {
        let label = classes.binary_search(&folder.class).unwrap_or_default() as u32;
        images.extend(folder.files.into_iter().map(|file: PathBuf| Found {
            path: relative(root, &file),
            part: folder.part,
            sample: Sample::new(Source::File(file), label),
        }));
    }
    images.sort_by_key(|image| image.part);
    if images.is_empty() && faults.is_empty() {
        return Err(open::no_images(root, &top, passed_over));
    }
    Ok(Survey { name: open::display_name(root), has_parts: by_parts, classes, images, passed_over, faults })
}
