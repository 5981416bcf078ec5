//! One column of a Parquet file: where its pages are, and the rows in them.

use super::footer::{Chunk, Column, Footer};
use super::page::{self, Kind, Page, damaged};
use super::values::{self, Rows, Values};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A page of data, the row that it begins with, and its dictionary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) first: u64,
    pub(super) page: Page,
    pub(super) dictionary: Option<Page>,
}

/// Where the pages of a column are, in order.
pub(super) fn pages(file: &mut File, footer: &Footer, index: usize) -> io::Result<Vec<Placed>> {
    let mut placed = Vec::new();
    let mut first = 0;
    for group in &footer.groups {
        let end = first + group[index].rows;
        add_chunk(file, &group[index], first, &mut placed)?;
        first = end;
    }
    Ok(placed)
}

fn add_chunk(file: &mut File, chunk: &Chunk, mut first: u64, placed: &mut Vec<Placed>) -> io::Result<()> {
    let (end, mut at, mut dictionary) = (first + chunk.rows, chunk.from, None);
    while first < end {
        if at >= chunk.to {
            return Err(damaged("a column has fewer values than rows"));
        }
        let page = page::at(file, chunk, at)?;
        at = page.end();
        match page.kind {
            Kind::Dictionary => dictionary = Some(page),
            Kind::Index => {}
            Kind::Data | Kind::DataV2(..) => {
                if page.values > end - first {
                    return Err(damaged("a column has more values than rows"));
                }
                if page.values > 0 {
                    placed.push(Placed { first, page, dictionary });
                }
                first += page.values;
            }
        }
    }
    Ok(())
}

/// The values of a dictionary page.
pub(super) fn dictionary(file: &mut File, page: &Page, column: &Column) -> io::Result<Values> {
    values::dictionary(page::read(file, page)?, page, column)
}

/// The rows of a page.
pub(super) fn rows(
    file: &mut File,
    placed: &Placed,
    column: &Column,
    dictionary: Option<&Arc<Values>>,
) -> io::Result<Rows> {
    values::rows(page::read(file, &placed.page)?, &placed.page, column, dictionary)
}

/// Reads a whole column, row by row, for columns of small values.
pub(super) fn each(
    file: &mut File,
    footer: &Footer,
    index: usize,
    mut on: impl FnMut(Option<&[u8]>),
) -> io::Result<()> {
    let column = &footer.columns[index];
    let mut last: Option<(u64, Arc<Values>)> = None;
    for placed in pages(file, footer, index)? {
        if let Some(page) = placed.dictionary.filter(|page| last.as_ref().is_none_or(|(at, _)| *at != page.offset)) {
            last = Some((page.offset, Arc::new(dictionary(file, &page, column)?)));
        }
        let dictionary = last.as_ref().filter(|_| placed.dictionary.is_some()).map(|(_, values)| values);
        let rows = rows(file, &placed, column, dictionary)?;
        (0..placed.page.values as usize).for_each(|row| on(rows.get(row)));
    }
    Ok(())
}
