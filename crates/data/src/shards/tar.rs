//! The files in a tar archive and where their bytes are (POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU's long names and sizes).
//!
//! An archive is a row of 512-byte headers, each followed by its file's bytes, filled up to 512; two blocks of zeros end it.
//! Sizes are held against the archive's length before anything is read.

use crate::bytes;
use crate::error::DataError;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

const BLOCK: u64 = 512;
/// The longest record of a name or of pax attributes that is read.
const LONGEST_RECORD: u64 = 1 << 20;

/// A plain file in an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Reads an archive's headers one after the other.
pub(super) struct Archive<'a> {
    path: &'a Path,
    stream: BufReader<File>,
    length: u64,
    /// Where the next header begins.
    at: u64,
}

/// Whether a file that begins so is a tar archive: its first header's check sum is right.
pub(crate) fn is_tar(beginning: &[u8]) -> bool {
    beginning.first_chunk::<{ BLOCK as usize }>().is_some_and(|header| header[0] != 0 && sum_is_right(header))
}

/// The sum of a header's bytes, those of the sum itself taken as spaces; some old writers added them with a sign.
fn sum_is_right(header: &[u8; BLOCK as usize]) -> bool {
    let taken = |(i, &byte): (usize, &u8)| if (148..156).contains(&i) { b' ' } else { byte };
    let plain: u64 = header.iter().enumerate().map(|pair| u64::from(taken(pair))).sum();
    let signed: i64 = header.iter().enumerate().map(|pair| i64::from(taken(pair) as i8)).sum();
    number(&header[148..156]).is_some_and(|declared| declared == plain || declared as i64 == signed)
}

/// Octal text, or a big-endian number whose first bit is set (GNU).
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let value = field.iter().skip(1).try_fold(u64::from(field[0] & 0x7F), |value, &byte| {
            value.checked_mul(256).map(|value| value | u64::from(byte))
        });
        return value;
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// A text that ends at its first zero.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

impl<'a> Archive<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let failed = |error| bytes::failed(path, error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { path, stream: BufReader::new(file), length, at: 0 })
    }

    /// Whether the archive ended without its end mark.
    pub(super) fn ended_early(&self) -> bool {
        self.at + BLOCK > self.length
    }

    /// The next plain file; folders, links and the like are passed over.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, DataError> {
        let (mut long_path, mut long_size) = (None, None);
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header[156];
            let size = match (number(&header[124..136]), long_size) {
                // Pax gives the size of the file, not that of the records in between.
                (Some(_), Some(size)) if !matches!(kind, b'x' | b'g' | b'L' | b'K') => size,
                (Some(size), _) => size,
                (None, _) => return Err(self.wrong("the header's size is no number")),
            };
            let offset = self.at;
            let whole = size.div_ceil(BLOCK).checked_mul(BLOCK).and_then(|size| offset.checked_add(size));
            // The last file's filling may be missing, but nothing of the file itself.
            let end = whole.filter(|_| offset + size <= self.length).ok_or_else(|| {
                let (there, name) = (self.length - offset, text(&header[..100]));
                self.wrong(&format!("'{name}' has {size} bytes, but only {there} are there; the archive is cut short"))
            })?;
            self.at = end;
            match kind {
                b'L' => long_path = Some(text(&self.record(offset, size)?)),
                b'x' => {
                    let record = self.record(offset, size)?;
                    for (key, value) in pax(&record) {
                        match key {
                            b"path" => long_path = Some(String::from_utf8_lossy(value).into_owned()),
                            b"size" => long_size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok()),
                            _ => {}
                        }
                    }
                }
                b'0' | b'7' | 0 => {
                    let path = long_path.take().unwrap_or_else(|| short_path(&header));
                    if !path.ends_with('/') {
                        return Ok(Some(Entry { path, offset, length: size }));
                    }
                    long_size = None;
                }
                b'g' | b'K' => {}
                _ => (long_path, long_size) = (None, None),
            }
        }
    }

    /// The next header; `None` at the end.
    fn header(&mut self) -> Result<Option<[u8; BLOCK as usize]>, DataError> {
        if self.ended_early() {
            return Ok(None);
        }
        let mut header = [0; BLOCK as usize];
        self.seek(self.at)?;
        self.stream.read_exact(&mut header).map_err(|error| bytes::failed(self.path, error))?;
        if header.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !sum_is_right(&header) {
            return Err(self.wrong("there is no header where one must be; the archive is damaged"));
        }
        self.at += BLOCK;
        Ok(Some(header))
    }

    fn seek(&mut self, to: u64) -> Result<(), DataError> {
        let here = self.stream.stream_position().map_err(|error| bytes::failed(self.path, error))?;
        // Both are below the file's length, which fits in 63 bits. A step within the buffer keeps it.
        self.stream.seek_relative(to as i64 - here as i64).map_err(|error| bytes::failed(self.path, error))
    }

    /// The bytes of a record between headers.
    fn record(&mut self, offset: u64, size: u64) -> Result<Vec<u8>, DataError> {
        if size > LONGEST_RECORD {
            return Err(self.wrong("a name or an attribute is longer than 1 MiB"));
        }
        self.bytes(offset, size)
    }

    /// A stretch of the archive; the caller bounds its length.
    pub(super) fn bytes(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, DataError> {
        self.seek(offset)?;
        let mut found = Vec::new();
        self.stream.by_ref().take(length).read_to_end(&mut found).map_err(|error| bytes::failed(self.path, error))?;
        Ok(found)
    }

    fn wrong(&self, problem: &str) -> DataError {
        DataError::Format { file: self.path.display().to_string(), problem: format!("at byte {}: {problem}", self.at) }
    }
}

/// The name, behind ustar's prefix if there is one.
fn short_path(header: &[u8; BLOCK as usize]) -> String {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    // GNU's headers have times where ustar's have the prefix.
    let is_ustar = header[257..263] == *b"ustar\0";
    if is_ustar && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// Pax attributes: `length key=value\n`, the length being that of all of it.
fn pax(record: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = record;
    let mut found = Vec::new();
    while let Some(space) = rest.iter().position(|&byte| byte == b' ') {
        let length = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(length) = length.filter(|&length| length > space + 1 && length <= rest.len()) else { break };
        let attribute = &rest[space + 1..length - 1];
        if let Some(equals) = attribute.iter().position(|&byte| byte == b'=') {
            found.push((&attribute[..equals], &attribute[equals + 1..]));
        }
        rest = &rest[length..];
    }
    found
}
