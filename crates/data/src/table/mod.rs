//! Tables of paths and labels: CSV, TSV and the like, or JSON lines, gzipped or not.
//!
//! Needed are a path (relative to the table's folder, or absolute) and a label, a name or a number. `split` puts a row into
//! a part, `fold` into a fold, `group` keeps rows together when a part is drawn, `sha256` says what the file's content is.

mod columns;
mod delimited;
mod json_lines;
mod listing;

use crate::bytes;
use crate::data_set::DataSet;
use crate::error::DataError;
use crate::open::OpenOptions;
use crate::progress::Progress;
use columns::Fields;
use listing::Listing;
use std::io::Read;
use std::path::Path;

/// The longest line that is read: 1 MiB.
const LONGEST_LINE: u64 = 1 << 20;

/// One row, from whichever form of table.
pub(crate) struct Row {
    /// The line that it begins in, from 1.
    line: u64,
    fields: Fields,
}

/// Opens a table whose fields are divided by commas, semicolons, tabs or bars.
pub(crate) fn open_delimited(
    path: &Path,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let mut listing = Listing::new(path, options);
    delimited::read(path, bytes::open(path)?.stream, &mut listing)?;
    listing.finish()?.into_data_set(options, progress)
}

/// Opens a table with one JSON object a line.
pub(crate) fn open_json_lines(
    path: &Path,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let mut listing = Listing::new(path, options);
    json_lines::read(path, bytes::open(path)?.stream, &mut listing)?;
    listing.finish()?.into_data_set(options, progress)
}

/// What is wrong with a table's line.
fn wrong(path: &Path, line: u64, problem: &str) -> DataError {
    DataError::Format { file: path.display().to_string(), problem: format!("line {line}: {problem}") }
}

/// Fails once more than the longest line has been read since the last [`Bounded::renew`], so that a file without line ends
/// is not taken into memory.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R> Bounded<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: 0 }
    }

    /// The reader that uses this reads ahead by its buffer, so that a line may take as much again.
    fn renew(&mut self) {
        self.left = 2 * LONGEST_LINE;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.left as usize);
        if most == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("a row is longer than 1 MiB; is a quote not closed?"));
        }
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}
