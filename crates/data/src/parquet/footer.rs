//! Parquet's footer: which columns there are, and where the pieces of each begin.

use super::thrift::Value;
use crate::bytes;
use crate::error::DataError;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const MAGIC: &[u8; 4] = b"PAR1";
/// The longest footer that is read.
const LONGEST: u64 = 16 << 20;

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    ByteArray,
    /// 96-bit integers, arrays of fixed length: of no use here.
    Other,
}

impl Type {
    /// Whether values can be classes or groups.
    pub(super) fn tells_apart(self) -> bool {
        !matches!(self, Type::Float | Type::Double | Type::Other)
    }
}

/// A column that holds values.
#[derive(Debug)]
pub(super) struct Column {
    /// Its names from the outermost on: `image`, `bytes`.
    pub(super) path: Vec<String>,
    pub(super) kind: Type,
    /// The definition level of a value that is there.
    pub(super) defined: u32,
    /// Whether it holds lists.
    pub(super) repeated: bool,
}

/// The stretch of the file that holds one column of a group of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) codec: i64,
    pub(super) rows: u64,
}

#[derive(Debug)]
pub(super) struct Footer {
    pub(super) columns: Vec<Column>,
    /// For each group of rows, a chunk for each column.
    pub(super) groups: Vec<Vec<Chunk>>,
    /// What the writer noted under the key `huggingface`.
    pub(super) huggingface: Option<String>,
    pub(super) rows: u64,
}

/// What is wrong with a Parquet file.
pub(super) fn wrong(path: &Path, problem: &str) -> DataError {
    DataError::Format { file: path.display().to_string(), problem: problem.to_owned() }
}

/// Reads a file's footer.
pub(super) fn read(path: &Path) -> Result<Footer, DataError> {
    let failed = |error| bytes::failed(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let cut_short = || wrong(path, "does not end as a Parquet file does; it is cut short");
    let Some(end) = length.checked_sub(8).filter(|&end| end >= 4) else { return Err(cut_short()) };
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    file.read_exact(&mut tail).map_err(failed)?;
    if tail[4..] != *MAGIC {
        let encrypted = tail[4..] == *b"PARE";
        return Err(if encrypted { wrong(path, "is encrypted, which cannot be read") } else { cut_short() });
    }
    let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let Some(start) = end.checked_sub(size).filter(|_| size <= LONGEST) else {
        return Err(wrong(path, &format!("declares a footer of {size} bytes, but {length} bytes are all there is")));
    };
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut footer = Vec::new();
    file.take(size).read_to_end(&mut footer).map_err(failed)?;
    let damaged = || wrong(path, "has a damaged footer");
    let (footer, _) = Value::read(&footer).map_err(|_| damaged())?;
    let read = parse(&footer, start).ok_or_else(damaged)?;
    if read.rows > length {
        return Err(wrong(path, &format!("declares {} rows, more than its {length} bytes can hold", read.rows)));
    }
    Ok(read)
}

/// `end` is where the footer begins, behind all data.
fn parse(footer: &Value<'_>, end: u64) -> Option<Footer> {
    let columns = columns(footer.list(2))?;
    let mut rows = 0u64;
    let mut groups = Vec::new();
    for group in footer.list(4) {
        let of_group = u64::try_from(group.int(3)?).ok()?;
        rows = rows.checked_add(of_group)?;
        let chunks: Option<Vec<Chunk>> = group.list(1).iter().map(|column| chunk(column, of_group, end)).collect();
        groups.push(chunks.filter(|chunks| chunks.len() == columns.len())?);
    }
    let noted = footer.list(5).iter().find(|pair| pair.text(1) == Some("huggingface"));
    let huggingface = noted.and_then(|pair| pair.text(2)).map(str::to_owned);
    Some(Footer { columns, groups, huggingface, rows })
}

fn chunk(column: &Value<'_>, rows: u64, end: u64) -> Option<Chunk> {
    let meta = column.field(3)?;
    let data = meta.int(9)?;
    let dictionary = meta.int(11).filter(|&offset| offset > 0 && offset < data);
    let from = u64::try_from(dictionary.unwrap_or(data)).ok()?;
    let to = from.checked_add(u64::try_from(meta.int(7)?).ok()?)?;
    (from >= 4 && to <= end).then_some(Chunk { from, to, codec: meta.int(4)?, rows })
}

/// The columns that hold values; the schema is a tree, listed from the root, each node before its children.
fn columns(schema: &[Value<'_>]) -> Option<Vec<Column>> {
    let mut found = Vec::new();
    // For each open node: its path, levels, and how many of its children are still to come.
    let mut open: Vec<(Vec<String>, u32, bool, i64)> = vec![(Vec::new(), 0, false, schema.first()?.int(5)?)];
    for node in &schema[1..] {
        while open.last()?.3 == 0 {
            open.pop();
        }
        let (above, defined, repeated, left) = open.last_mut()?;
        *left -= 1;
        let repetition = node.int(3).unwrap_or(0);
        let path: Vec<String> = above.iter().cloned().chain([node.text(4)?.to_owned()]).collect();
        let (defined, repeated) = (*defined + u32::from(repetition != 0), *repeated || repetition == 2);
        match node.int(5).filter(|&children| children > 0) {
            Some(children) if open.len() < 32 => open.push((path, defined, repeated, children)),
            Some(_) => return None,
            None => {
                let kind = match node.int(1)? {
                    0 => Type::Boolean,
                    1 => Type::Int32,
                    2 => Type::Int64,
                    4 => Type::Float,
                    5 => Type::Double,
                    6 => Type::ByteArray,
                    _ => Type::Other,
                };
                found.push(Column { path, kind, defined, repeated });
            }
        }
    }
    open.iter().all(|(.., left)| *left == 0).then_some(found)
}
