//! Parquet files with a picture in every row, as Hugging Face's data sets are kept: `image: struct<bytes, path>` (or bytes
//! alone) and a label, a number or a name.
//!
//! Of the format (Apache Parquet 2) is read what such files use: plain and dictionary encoding, both kinds of data pages,
//! packed by Snappy, gzip, Zstandard or not. Class names come from the `huggingface` entry of the footer. A row's picture
//! is unpacked when it is asked for. What is written (`writer.rs`) are tables of flat columns.

mod column;
mod features;
mod footer;
mod images;
mod page;
mod structure;
mod thrift;
mod values;
mod writer;

use crate::assemble::{Item, Listed};
use crate::class_names::ClassNames;
use crate::data_set::{DataSet, Part, SourceKind};
use crate::error::{DataError, counted, quoted};
use crate::open::OpenOptions;
use crate::progress::Progress;
use crate::recognise::InParts;
use crate::sample::{Sample, Source};
use features::Roles;
use footer::{Footer, Type, wrong};
use images::Cache;
pub use images::Images;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
pub use writer::{Kind, Values, Writer};

/// Opens Parquet files; `path` is what was asked for.
pub(crate) fn open(
    path: &Path,
    files: &InParts,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let folder = files.first().and_then(|(file, _)| file.parent()).unwrap_or(path);
    let mut listing = Listing {
        listed: Listed::new(path.to_owned(), folder.to_owned(), SourceKind::Parquet),
        cache: Arc::default(),
        names: None,
        unlabelled: 0,
    };
    progress.start("listing Parquet files", files.len() as u64);
    for (number, (file, part)) in files.iter().enumerate() {
        listing.add(file, number, *part)?;
        progress.advance(1);
    }
    progress.finish();
    if listing.unlabelled > 0 {
        let rows = counted(listing.unlabelled, "row");
        listing.listed.warnings.push(format!("{rows} without a label left out"));
    }
    listing.listed.into_data_set(options, progress)
}

struct Listing {
    listed: Listed,
    cache: Arc<Cache>,
    /// The classes' names that the first file declares, if it does.
    names: Option<Vec<String>>,
    unlabelled: usize,
}

impl Listing {
    /// Adds the rows of a file.
    fn add(&mut self, path: &Path, number: usize, part: Part) -> Result<(), DataError> {
        let mut footer = footer::read(path)?;
        let roles = features::roles(&footer).map_err(|problem| wrong(path, &problem))?;
        self.agree(path, number, features::class_names(&footer, &roles))?;
        if number == 0 {
            self.listed.warnings.extend(roles.warnings.iter().cloned());
        }
        let failed = |error: std::io::Error| wrong(path, &error.to_string());
        let mut file = File::open(path).map_err(failed)?;
        let labels = self.labels(path, &mut file, &footer, &roles)?;
        let mut groups: Vec<Option<Arc<str>>> = Vec::new();
        if let Some(index) = roles.group {
            let kind = footer.columns[index].kind;
            column::each(&mut file, &footer, index, |value| groups.push(text(value, kind).map(Into::into)))
                .map_err(failed)?;
        }
        let pages = column::pages(&mut file, &footer, roles.image).map_err(failed)?;
        let column = footer.columns.swap_remove(roles.image);
        let images = Arc::new(Images::new(path.to_owned(), number, column, pages, Arc::clone(&self.cache)));
        for (row, label) in (0..).zip(labels) {
            let Some(label) = label else {
                self.unlabelled += 1;
                continue;
            };
            let group = groups.get(row as usize).cloned().flatten();
            let sample = Sample { group, ..Sample::new(Source::Parquet(Arc::clone(&images), row), label) };
            self.listed.items.push(Item { sample, part, sha256: None });
        }
        Ok(())
    }

    /// All files must name the same classes as the first does.
    fn agree(&mut self, path: &Path, number: usize, names: Option<Vec<String>>) -> Result<(), DataError> {
        if number == 0 {
            self.listed.classes = names.clone().map_or_else(ClassNames::default, ClassNames::declared);
            self.names = names;
        } else if self.names != names {
            let of = |names: Option<&Vec<String>>| names.map_or_else(|| "none".to_owned(), |names| quoted(names, 5));
            let (here, before) = (of(names.as_ref()), of(self.names.as_ref()));
            return Err(wrong(path, &format!("names the classes {here}, but the files before name {before}")));
        }
        Ok(())
    }

    /// Each row's class, or `None` without one: null, empty, or −1 as Hugging Face writes it.
    fn labels(
        &mut self,
        path: &Path,
        file: &mut File,
        footer: &Footer,
        roles: &Roles,
    ) -> Result<Vec<Option<u32>>, DataError> {
        let kind = footer.columns[roles.label].kind;
        let names = self.names.clone();
        let classes = &mut self.listed.classes;
        let mut labels = Vec::new();
        let mut problem = None;
        column::each(file, footer, roles.label, |value| {
            let label =
                text(value, kind).filter(|label| !label.is_empty() && (label != "-1" || kind == Type::ByteArray));
            let name = match (&names, label) {
                (Some(names), Some(label)) if kind != Type::ByteArray => {
                    let name = label.parse().ok().and_then(|number: usize| names.get(number));
                    if name.is_none() {
                        let row = labels.len();
                        problem.get_or_insert(format!(
                            "row {row} has label {label}, but there are {} classes",
                            names.len()
                        ));
                    }
                    name.cloned()
                }
                (_, label) => label,
            };
            labels.push(name.map(|name| classes.number(&name)));
        })
        .map_err(|error| wrong(path, &error.to_string()))?;
        match problem {
            Some(problem) => Err(wrong(path, &problem)),
            None => Ok(labels),
        }
    }
}

/// A small value as text.
fn text(value: Option<&[u8]>, kind: Type) -> Option<String> {
    let value = value?;
    match kind {
        Type::Int32 => Some(i32::from_le_bytes(value.try_into().ok()?).to_string()),
        Type::Int64 => Some(i64::from_le_bytes(value.try_into().ok()?).to_string()),
        Type::Boolean => Some((value == [1]).to_string()),
        Type::ByteArray => Some(String::from_utf8_lossy(value).trim().to_owned()),
        Type::Float | Type::Double | Type::Other => None,
    }
}
