//! The column of images in a Parquet file, read row by row; pages that were unpacked last are kept for the next rows.

use super::column::{self, Placed};
use super::footer::Column;
use super::page::{Page, damaged};
use super::values::{Rows, Values};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of unpacked pages that are kept for all files of a data set.
const KEPT: usize = 256 << 20;

/// The images of one Parquet file.
#[derive(Debug)]
pub struct Images {
    path: PathBuf,
    /// Tells this file's pages from others' in the cache.
    number: usize,
    column: Column,
    pages: Vec<Placed>,
    cache: Arc<Cache>,
}

impl Images {
    pub(super) fn new(path: PathBuf, number: usize, column: Column, pages: Vec<Placed>, cache: Arc<Cache>) -> Self {
        Self { path, number, column, pages, cache }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the image file in a row, counted from 0.
    ///
    /// # Errors
    /// If the file cannot be read, or the row has none.
    pub fn bytes(&self, row: u64) -> io::Result<Vec<u8>> {
        let after = self.pages.partition_point(|placed| placed.first <= row);
        let placed = after.checked_sub(1).map(|index| &self.pages[index]);
        let placed = placed.ok_or_else(|| damaged("there is no such row"))?;
        let rows = self.rows(placed)?;
        let bytes = rows.get((row - placed.first) as usize).ok_or_else(|| damaged("the row holds no picture"))?;
        Ok(bytes.to_vec())
    }

    fn rows(&self, placed: &Placed) -> io::Result<Arc<Rows>> {
        let key = (self.number, placed.page.offset);
        if let Some(Unpacked::Rows(rows)) = self.cache.get(key) {
            return Ok(rows);
        }
        let mut file = File::open(&self.path)?;
        let dictionary = placed.dictionary.map(|page| self.dictionary(&mut file, &page)).transpose()?;
        let rows = Arc::new(column::rows(&mut file, placed, &self.column, dictionary.as_ref())?);
        self.cache.keep(key, Unpacked::Rows(Arc::clone(&rows)));
        Ok(rows)
    }

    fn dictionary(&self, file: &mut File, page: &Page) -> io::Result<Arc<Values>> {
        let key = (self.number, page.offset);
        if let Some(Unpacked::Dictionary(values)) = self.cache.get(key) {
            return Ok(values);
        }
        let values = Arc::new(column::dictionary(file, page, &self.column)?);
        self.cache.keep(key, Unpacked::Dictionary(Arc::clone(&values)));
        Ok(values)
    }
}

type Key = (usize, u64);

#[derive(Clone, Debug)]
enum Unpacked {
    Rows(Arc<Rows>),
    Dictionary(Arc<Values>),
}

impl Unpacked {
    fn size(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.size(),
            Self::Dictionary(values) => values.size(),
        }
    }
}

/// Pages by file and place, the oldest given up first.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    pages: HashMap<Key, Unpacked>,
    order: VecDeque<Key>,
    size: usize,
}

impl Cache {
    fn get(&self, key: Key) -> Option<Unpacked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pages.get(&key).cloned()
    }

    fn keep(&self, key: Key, page: Unpacked) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if page.size() > KEPT || kept.pages.contains_key(&key) {
            return;
        }
        kept.size += page.size();
        kept.pages.insert(key, page);
        kept.order.push_back(key);
        while kept.size > KEPT {
            let Some(oldest) = kept.order.pop_front() else { return };
            let freed = kept.pages.remove(&oldest).map_or(0, |page| page.size());
            kept.size -= freed;
        }
    }
}
