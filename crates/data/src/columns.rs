//! Columns of a comma- or tab-separated file, found by the names in its first row. Errors name the line.

use crate::error::{self, DataError};
use csv::{Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A column that is looked for, and whether the file must have it.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) needed: bool,
}

/// Gives `take` these columns of every row, with the number of the row's first line; what the file or a short row lacks is
/// empty.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Format`] for what is no table or lacks a column that is needed, and whatever `take` says
/// about a row.
pub(crate) fn each_row<const N: usize>(
    path: &Path,
    columns: &[Column; N],
    mut take: impl FnMut(u64, [&str; N]) -> Result<(), String>,
) -> Result<(), DataError> {
    let (mut reader, header) = open(path)?;
    let mut places = [None; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = header.iter().position(|name| name == column.name);
        if place.is_none() && column.needed {
            return Err(missing(path, column.name, &header));
        }
    }
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(path, &error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let row = places.map(|place| place.and_then(|place| record.get(place)).unwrap_or_default());
        take(line, row).map_err(|problem| at_line(path, line, problem))?;
    }
    Ok(())
}

/// The names of the columns, without spaces around them and in lower case.
fn open(path: &Path) -> Result<(Reader<BufReader<File>>, Vec<String>), DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), doing: "reading", source };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let first = file.fill_buf().map_err(io)?;
    let first_line = first.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let delimiter = if first_line.contains(&b'\t') { b'\t' } else { b',' };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file);
    let header = reader.headers().map_err(|error| broken(path, &error))?;
    let names = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_lowercase()).collect();
    Ok((reader, names))
}

fn missing(path: &Path, column: &str, header: &[String]) -> DataError {
    let near = error::near(column, header.iter().map(String::as_str));
    let meant = if near.is_empty() { String::new() } else { format!("; is {} meant?", error::quoted(&near, 3)) };
    let problem =
        format!("a column '{column}' is expected, and the first line names {}{meant}", error::quoted(header, 10));
    DataError::Format { file: path.display().to_string(), problem }
}

fn broken(path: &Path, error: &csv::Error) -> DataError {
    DataError::Format { file: path.display().to_string(), problem: error.to_string() }
}

fn at_line(path: &Path, line: u64, problem: String) -> DataError {
    DataError::Format { file: format!("{}, line {line}", path.display()), problem }
}
