//! Putting a data set together from references to pictures: what can be read, which classes there are, what is held for
//! validation. For sources that list their pictures, as tables, shards and annotations do.

use crate::check::{self, Referred, Seen};
use crate::class_names::ClassNames;
use crate::clean::Cleaning;
use crate::content;
use crate::data_set::{DataSet, Part, SourceKind};
use crate::error::{self, DataError, LeftOut};
use crate::fingerprint::Fingerprint;
use crate::open::{self, OpenOptions, Parts};
use crate::progress::Progress;
use crate::sample::{Sample, Source};
use crate::split::Split;
use std::path::PathBuf;
use std::sync::Arc;

/// One picture as its source lists it.
pub(crate) struct Item {
    /// Its label is an index into [`Listed::classes`].
    pub(crate) sample: Sample,
    pub(crate) part: Part,
    /// The SHA-256 of its content, where the source says it.
    pub(crate) sha256: Option<[u8; 32]>,
}

/// Everything that a source lists.
pub(crate) struct Listed {
    /// What was opened.
    pub(crate) path: PathBuf,
    /// The folder that names in the fingerprint are relative to.
    pub(crate) root: PathBuf,
    pub(crate) kind: SourceKind,
    pub(crate) classes: ClassNames,
    pub(crate) items: Vec<Item>,
    /// What is listed, but cannot be used.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) ignored_files: usize,
    pub(crate) warnings: Vec<String>,
}

impl Listed {
    pub(crate) fn new(path: PathBuf, root: PathBuf, kind: SourceKind) -> Self {
        let (items, left_out, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, root, kind, classes: ClassNames::default(), items, left_out, ignored_files: 0, warnings }
    }

    /// Looks at every picture and puts the data set together.
    pub(crate) fn into_data_set(
        mut self,
        options: &OpenOptions,
        progress: &dyn Progress,
    ) -> Result<DataSet, DataError> {
        if self.items.is_empty() {
            return Err(self.nothing_usable());
        }
        self.clean(options)?;
        let referred: Vec<Referred<'_>> =
            self.items.iter().map(|item| Referred { source: &item.sample.source, expected: item.sha256 }).collect();
        let seen = check::look_at_sources(&referred, options, progress);
        drop(referred);
        self.leave_out_unreadable(&seen, options.max_unreadable_share)?;
        let fingerprint = self.fingerprint(&seen);
        let typical = open::typical(&seen);
        let items = std::mem::take(&mut self.items);
        let file = |i: usize| match &items[i].sample.source {
            Source::File(path) => Some(path),
            _ => None,
        };
        let mut contents = content::of_seen(&seen, file);
        let mut readable = seen.iter().map(|seen| seen.image.is_ok());
        contents.retain(|_| readable.next().is_some_and(|readable| readable));
        let kept = items.into_iter().zip(&seen).filter(|(_, seen)| seen.image.is_ok()).map(|(item, _)| item);
        let kept: Vec<Item> = kept.collect();
        let labels = self.labels(&kept)?;
        let mut parts = [Split::default(), Split::default(), Split::default()];
        let mut copies = [Vec::new(), Vec::new(), Vec::new()];
        for (Item { mut sample, part, .. }, content) in kept.into_iter().zip(contents) {
            sample.label = labels[sample.label as usize].ok_or_else(|| self.untrained(sample.label, part))?;
            parts[part as usize].samples.push(sample);
            copies[part as usize].push(content);
        }
        let classes = self.classes.renamed(&labels);
        let Parts { train, val, val_drawn, test } = Parts::draw(parts, &copies, options, &mut self.warnings);
        open::warn_of_gaps(&classes, &val, "validation", &mut self.warnings);
        if let Some(test) = &test {
            open::warn_of_gaps(&classes, test, "test", &mut self.warnings);
        }
        Ok(DataSet {
            name: open::display_name(&self.path),
            source: open::absolute(&self.path),
            train: Arc::new(train),
            val: Arc::new(val),
            test: test.map(Arc::new),
            left_out: self.left_out,
            warnings: self.warnings,
            ignored_files: self.ignored_files,
            kind: self.kind,
            val_drawn,
            classes,
            typical,
            fingerprint,
        })
    }

    /// Leaves out what a cleaning manifest excludes, by the names that the fingerprint has.
    fn clean(&mut self, options: &OpenOptions) -> Result<(), DataError> {
        let Some(file) = &options.clean else { return Ok(()) };
        let cleaning = Cleaning::read(file)?;
        let before = self.items.len();
        let items = std::mem::take(&mut self.items);
        self.items = items.into_iter().filter(|item| !cleaning.excludes(&self.relative(item))).collect();
        let excluded = before - self.items.len();
        self.warnings.extend((excluded > 0).then(|| cleaning.said(excluded)));
        self.warnings.extend(cleaning.warning());
        if self.items.is_empty() { Err(self.nothing_usable()) } else { Ok(()) }
    }

    /// An item's name within the folder.
    fn relative(&self, item: &Item) -> String {
        let (root, name) = (self.root.display().to_string(), item.sample.name());
        name.strip_prefix(&root).map_or(name.as_str(), |rest| rest.trim_start_matches(['/', '\\'])).to_owned()
    }

    fn nothing_usable(&self) -> DataError {
        match self.left_out.first() {
            Some(first) => DataError::NoneReadable { tried: self.left_out.len(), first: first.clone() },
            None => DataError::NoImages { path: self.path.clone(), found: " in it".to_owned() },
        }
    }

    /// Adds what cannot be read to what is left out; all of that together must be tolerated.
    fn leave_out_unreadable(&mut self, seen: &[Seen], tolerated: f64) -> Result<(), DataError> {
        let files = self.items.len() + self.left_out.len();
        for (item, seen) in self.items.iter().zip(seen) {
            if let Err(reason) = &seen.image {
                self.left_out.push(LeftOut { path: item.sample.name().into(), reason: reason.clone() });
            }
        }
        if self.left_out.len() as f64 > tolerated * files as f64 {
            let left_out = std::mem::take(&mut self.left_out);
            return Err(DataError::TooManyUnreadable { left_out, files, tolerated });
        }
        Ok(())
    }

    /// Over everything listed, readable or not, so that a quick look gives the same as a thorough one.
    fn fingerprint(&self, seen: &[Seen]) -> String {
        let mut hash = Fingerprint::new();
        for (item, seen) in self.items.iter().zip(seen) {
            let relative = self.relative(item);
            let relative = match &item.sample.source {
                Source::Cut(cut) if cut.margin > 0.0 => format!("{relative}+{}", cut.margin),
                _ => relative,
            };
            hash.add_file(item.part, &relative, seen.bytes, self.classes.name(item.sample.label));
        }
        hash.finish()
    }

    /// For each class as listed its place among those that have training images, in the order of the names.
    fn labels(&mut self, kept: &[Item]) -> Result<Vec<Option<u32>>, DataError> {
        let mut trained = vec![false; self.classes.len()];
        for item in kept.iter().filter(|item| item.part == Part::Train) {
            trained[item.sample.label as usize] = true;
        }
        let names = |has_images: bool| -> Vec<String> {
            let of = (0..).zip(&trained).filter(|(_, trained)| **trained == has_images);
            of.map(|(label, _)| self.classes.name(label).to_owned()).collect()
        };
        let (with, without) = (names(true), names(false));
        match with.as_slice() {
            [] => {
                let problem = "there are no training images".to_owned();
                return Err(DataError::Layout { path: self.path.clone(), problem });
            }
            [class] => {
                let (class, hint) = (class.clone(), String::new());
                return Err(DataError::OneClass { path: self.path.clone(), class, hint });
            }
            _ => {}
        }
        if !without.is_empty() {
            let classes = error::quoted(&without, 10);
            self.warnings.push(format!("there are no training images of {classes}, so they are left out"));
        }
        if with.len() > 100 && with.len() * 2 > kept.len() {
            let (classes, images) = (with.len(), kept.len());
            self.warnings.push(format!("there are {classes} classes for {images} images: are their labels classes?"));
        }
        Ok(self.classes.places(&trained))
    }

    fn untrained(&self, label: u32, part: Part) -> DataError {
        let class = self.classes.name(label);
        let problem = format!(
            "the {} part has images of class '{class}', the training part has none; add some, or leave these out",
            part.name()
        );
        DataError::Layout { path: self.path.clone(), problem }
    }
}
