//! What a table's rows list: pictures with their labels, parts, groups and folds.

use super::columns::Column;
use super::{Row, wrong};
use crate::assemble::{Item, Listed};
use crate::data_set::{Part, SourceKind};
use crate::error::{DataError, quoted};
use crate::open::OpenOptions;
use crate::sample::{Sample, Source};
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most columns that are named as passed over; JSON lines can have others on every line.
const MOST_NAMED: usize = 100;

pub(super) struct Listing<'a> {
    path: &'a Path,
    folder: PathBuf,
    /// The fold that is held for validation, if any.
    fold: Option<u32>,
    /// The column that says what belongs together, where that is not `group`.
    group_column: Option<String>,
    listed: Listed,
    /// Where each picture was listed first: its line, and its place in `listed.items`.
    seen: HashMap<PathBuf, (u64, usize)>,
    groups: HashSet<Arc<str>>,
    folds: BTreeSet<u32>,
    repeated: usize,
    passed_over: BTreeSet<String>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(path: &'a Path, options: &OpenOptions) -> Self {
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self {
            path,
            fold: options.fold,
            group_column: options.group_column.clone(),
            listed: Listed::new(path.to_owned(), folder.clone(), SourceKind::Table),
            folder,
            seen: HashMap::new(),
            groups: HashSet::new(),
            folds: BTreeSet::new(),
            repeated: 0,
            passed_over: BTreeSet::new(),
        }
    }

    pub(super) fn group_column(&self) -> Option<&str> {
        self.group_column.as_deref()
    }

    /// Notes a column that says nothing to us.
    pub(super) fn pass_over_column(&mut self, name: &str) {
        if self.passed_over.len() < MOST_NAMED && !self.passed_over.contains(name) {
            self.passed_over.insert(name.to_owned());
        }
    }

    pub(super) fn add(&mut self, row: &Row) -> Result<(), DataError> {
        let item = self.item(row).map_err(|problem| wrong(self.path, row.line, &problem))?;
        let Source::File(path) = &item.sample.source else { return Ok(()) };
        match self.seen.entry(path.clone()) {
            Entry::Vacant(entry) => {
                entry.insert((row.line, self.listed.items.len()));
                self.listed.items.push(item);
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (line, place) = *entry.get();
                let earlier = &self.listed.items[place];
                let class = |item: &Item| self.listed.classes.name(item.sample.label).to_owned();
                let (now, before) = match (earlier.sample.label == item.sample.label, earlier.part == item.part) {
                    (true, true) => {
                        self.repeated += 1;
                        return Ok(());
                    }
                    (false, _) => (class(&item), class(earlier)),
                    (true, false) => (item.part.name().to_owned(), earlier.part.name().to_owned()),
                };
                let problem = format!("{} is '{now}' here, but '{before}' in line {line}", path.display());
                Err(wrong(self.path, row.line, &format!("{problem}; each picture has one label and one part")))
            }
        }
    }

    fn item(&mut self, row: &Row) -> Result<Item, String> {
        let field = |column| row.fields.get(column);
        let path = field(Column::Path).ok_or("the path is empty")?;
        let label = field(Column::Label).ok_or("the label is empty; give one, or remove the row")?;
        let part = match field(Column::Split) {
            None => Part::Train,
            Some(name) => {
                Part::named(name).ok_or_else(|| format!("the split is '{name}', but must be train, val or test"))?
            }
        };
        let fold = match field(Column::Fold) {
            None => None,
            Some(text) => {
                Some(text.parse::<u32>().map_err(|_| format!("the fold is '{text}', but must be a number from 0"))?)
            }
        };
        self.folds.extend(fold);
        // Folds divide what is not kept for the test.
        let part = match (self.fold, part) {
            (None, part) | (Some(_), part @ Part::Test) => part,
            (Some(held), _) => {
                if fold == Some(held) {
                    Part::Val
                } else {
                    Part::Train
                }
            }
        };
        let sha256 = field(Column::Sha256).map(from_hex).transpose()?;
        let group = field(Column::Group).map(|name| {
            let group = self.groups.get(name).map_or_else(|| name.into(), Arc::clone);
            self.groups.insert(Arc::clone(&group));
            group
        });
        let label = self.listed.classes.number(label);
        let sample = Sample { group, ..Sample::new(Source::File(self.folder.join(path)), label) };
        Ok(Item { sample, part, sha256 })
    }

    /// Everything that was listed, with remarks on what was not used.
    pub(super) fn finish(mut self) -> Result<Listed, DataError> {
        let folds: Vec<String> = self.folds.iter().map(u32::to_string).collect();
        if let Some(fold) = self.fold.filter(|fold| !self.folds.contains(fold)) {
            let found =
                if folds.is_empty() { "no folds".to_owned() } else { format!("the folds {}", folds.join(", ")) };
            let problem = format!("fold {fold} is to be held for validation, but the table has {found}");
            return Err(DataError::Layout { path: self.path.to_owned(), problem });
        }
        let warnings = &mut self.listed.warnings;
        let has_val = self.listed.items.iter().any(|item| item.part == Part::Val);
        if self.fold.is_none() && !folds.is_empty() && !has_val {
            let folds = folds.join(", ");
            warnings.push(format!("the folds {folds} are not used: none was chosen for validation"));
        }
        if !self.passed_over.is_empty() {
            let names: Vec<String> = self.passed_over.into_iter().collect();
            warnings.push(format!("not used of the table: {}", quoted(&names, 10)));
        }
        if self.repeated > 0 {
            warnings
                .push(format!("repeated in the table and left out: {}", crate::error::counted(self.repeated, "row")));
        }
        Ok(self.listed)
    }
}

fn from_hex(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let mut pairs = digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?));
    let whole = digits.len() == 64 && bytes.iter_mut().all(|byte| pairs.next().flatten().map(|b| *byte = b).is_some());
    if whole { Ok(bytes) } else { Err(format!("the SHA-256 is '{text}', but must be 64 hexadecimal digits")) }
}
