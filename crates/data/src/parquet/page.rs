//! Parquet's pages: where they are, how they are packed, and their bytes unpacked.

use super::footer::Chunk;
use super::thrift::{Value, Wrong};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest page header that is read: writers may put the least and greatest value into it.
const LONGEST_HEADER: u64 = 16 << 20;
/// The largest page that is unpacked: 1 GiB.
const LARGEST: u64 = 1 << 30;

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dictionary,
    /// Levels and values packed together.
    Data,
    /// Levels, of this many bytes for repetition and definition, before the values, which are packed if `true`.
    DataV2(u32, u32, bool),
    Index,
}

/// A page in its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) kind: Kind,
    /// Where its bytes begin, behind the header.
    pub(super) offset: u64,
    packed: u64,
    unpacked: u64,
    pub(super) values: u64,
    pub(super) encoding: i64,
    pub(super) codec: i64,
}

impl Page {
    /// Where the next page's header begins.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.packed
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The page whose header begins at `at` in `chunk`.
pub(super) fn at(file: &mut File, chunk: &Chunk, at: u64) -> io::Result<Page> {
    let mut length = 256;
    loop {
        let there = chunk.to.saturating_sub(at).min(LONGEST_HEADER);
        file.seek(SeekFrom::Start(at))?;
        let mut start = Vec::new();
        file.by_ref().take(length.min(there)).read_to_end(&mut start)?;
        match Value::read(&start) {
            Ok((header, read)) => {
                let page = parse(&header, at + read as u64, chunk.codec);
                let page = page.ok_or_else(|| damaged("a page has a header without what it needs"))?;
                let within = page.offset.checked_add(page.packed).is_some_and(|end| end <= chunk.to);
                let sensible = within && page.unpacked <= LARGEST && page.values <= chunk.rows;
                return if sensible { Ok(page) } else { Err(damaged("a page declares more than there is")) };
            }
            Err(Wrong::EndsEarly) if length < there => length *= 8,
            Err(_) => return Err(damaged("a page has a damaged header")),
        }
    }
}

fn parse(header: &Value<'_>, offset: u64, codec: i64) -> Option<Page> {
    let size = |number| header.int(number).and_then(|size| u64::try_from(size).ok());
    let (unpacked, packed) = (size(2)?, size(3)?);
    let (kind, values, encoding) = match header.int(1)? {
        0 => {
            let data = header.field(5)?;
            (Kind::Data, data.int(1)?, data.int(2)?)
        }
        2 => {
            let data = header.field(7)?;
            (Kind::Dictionary, data.int(1)?, data.int(2)?)
        }
        3 => {
            let data = header.field(8)?;
            let length = |number| data.int(number).and_then(|length| u32::try_from(length).ok());
            let packed = data.field(7) != Some(&Value::Bool(false));
            (Kind::DataV2(length(6)?, length(5)?, packed), data.int(1)?, data.int(4)?)
        }
        _ => (Kind::Index, 0, 0),
    };
    Some(Page { kind, offset, packed, unpacked, values: u64::try_from(values).ok()?, encoding, codec })
}

/// A page's bytes, unpacked.
pub(super) fn read(file: &mut File, page: &Page) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(page.offset))?;
    let mut packed = Vec::new();
    file.by_ref().take(page.packed).read_to_end(&mut packed)?;
    if packed.len() as u64 != page.packed {
        return Err(damaged("the file has become shorter"));
    }
    let levels = match page.kind {
        Kind::DataV2(_, _, false) => return exact(packed, page.unpacked),
        Kind::DataV2(repetition, definition, true) => repetition as usize + definition as usize,
        _ => 0,
    };
    let Some(unpacked) = page.unpacked.checked_sub(levels as u64).filter(|_| levels <= packed.len()) else {
        return Err(damaged("a page is shorter than its levels"));
    };
    let values = unpack(&packed[levels..], unpacked, page.codec)?;
    if levels == 0 {
        return Ok(values);
    }
    packed.truncate(levels);
    packed.extend(values);
    Ok(packed)
}

fn unpack(packed: &[u8], length: u64, codec: i64) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    match codec {
        0 => unpacked.extend_from_slice(packed),
        // Nothing becomes more than 64 times as long by Snappy, whose copies are of up to 64 bytes.
        1 if packed.len() as u64 * 64 >= length => {
            let declared = snap::raw::decompress_len(packed).map_err(|_| damaged("a page is no Snappy data"))?;
            if declared as u64 == length {
                let mut decoder = snap::raw::Decoder::new();
                unpacked = decoder.decompress_vec(packed).map_err(|_| damaged("a page is damaged Snappy data"))?;
            }
        }
        1 => {}
        2 => MultiGzDecoder::new(packed).take(length + 1).read_to_end(&mut unpacked).map(|_| ())?,
        6 => unpacked = zstd(packed, length)?,
        _ => {
            let name = match codec {
                3 => "LZO",
                4 => "Brotli",
                5 | 7 => "LZ4",
                _ => "an unknown method",
            };
            return Err(damaged(&format!(
                "pages are packed by {name}; write the file with Snappy, gzip, Zstandard or none"
            )));
        }
    }
    exact(unpacked, length)
}

fn zstd(packed: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let unpack = || -> io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
        let decoder = decoder.map_err(|_| damaged("a page is no Zstandard data"))?;
        decoder.take(length + 1).read_to_end(&mut unpacked)?;
        Ok(unpacked)
    };
    // A panic inside the decoder is this page's failure.
    catch_unwind(AssertUnwindSafe(unpack)).unwrap_or_else(|_| Err(damaged("a page is damaged Zstandard data")))
}

fn exact(bytes: Vec<u8>, length: u64) -> io::Result<Vec<u8>> {
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged("a page unpacks to another size than declared")) }
}
