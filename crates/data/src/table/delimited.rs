//! Rows of text with a header: CSV (RFC 4180) and its kin. Which character divides fields is told by the header.

use super::columns::{self, Fields};
use super::{Bounded, Row, listing::Listing, wrong};
use crate::bytes;
use crate::error::DataError;
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use std::io::{Cursor, Read};
use std::path::Path;

/// What may divide fields.
const DIVIDERS: [u8; 4] = *b",\t;|";
/// As much of the beginning as is searched for the header.
const BEGINNING: u64 = 64 << 10;

/// Adds every row of `stream` to `listing`.
pub(super) fn read(path: &Path, mut stream: impl Read, listing: &mut Listing<'_>) -> Result<(), DataError> {
    let beginning = bytes::read_up_to(&mut stream, BEGINNING, path)?;
    // A byte-order mark, as Excel writes.
    let start = if beginning.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let (divider, header) = header(path, &beginning[start..])?;
    let names: Vec<&str> = header.iter().collect();
    let line = header.position().map_or(1, csv::Position::line);
    let of = columns::assign_grouped(&names, listing.group_column(), "column").map_err(|e| wrong(path, line, &e))?;
    if !columns::are_enough(&of) {
        let problem = columns::missing(&names, "column");
        return Err(wrong(path, line, &format!("{problem}; the first line must name the columns: path, label")));
    }
    for (name, _) in names.iter().zip(&of).filter(|(_, column)| column.is_none()) {
        listing.pass_over_column(name);
    }
    let whole = Cursor::new(&beginning[start..]).chain(stream);
    let mut rows = reader(divider).from_reader(Bounded::new(whole));
    let mut record = StringRecord::new();
    loop {
        rows.get_mut().renew();
        if !rows.read_record(&mut record).map_err(|error| explain(path, error, header.len()))? {
            return Ok(());
        }
        let line = record.position().map_or(0, csv::Position::line);
        let mut fields = Fields::default();
        for (text, column) in record.iter().zip(&of) {
            if let Some(column) = column {
                fields.set(*column, text);
            }
        }
        listing.add(&Row { line, fields })?;
    }
}

fn reader(divider: u8) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(divider).trim(Trim::All);
    builder
}

/// The divider by which the first line has the columns that are needed, else the most columns; and that line.
fn header(path: &Path, beginning: &[u8]) -> Result<(u8, StringRecord), DataError> {
    let mut best: Option<(u8, StringRecord)> = None;
    for divider in DIVIDERS {
        let mut rows = reader(divider).from_reader(beginning);
        let header = rows.headers().map_err(|error| explain(path, error, 0))?.clone();
        let rank = |header: &StringRecord| {
            (columns::are_enough(&columns::assign(&header.iter().collect::<Vec<_>>())), header.len())
        };
        if best.as_ref().is_none_or(|(_, other)| rank(&header) > rank(other)) {
            best = Some((divider, header));
        }
    }
    best.ok_or_else(|| wrong(path, 1, "there is no header"))
}

fn explain(path: &Path, error: csv::Error, columns: usize) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) => bytes::failed(path, error),
        ErrorKind::Utf8 { .. } => wrong(path, line, "it is not UTF-8; save the table as UTF-8"),
        ErrorKind::UnequalLengths { len, .. } => {
            let hint = "; put fields that contain the divider in quotes";
            wrong(path, line, &format!("it has {len} fields, but the header has {columns} columns{hint}"))
        }
        _ => wrong(path, line, "it cannot be read as fields of text"),
    }
}
