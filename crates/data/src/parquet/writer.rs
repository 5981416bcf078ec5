//! Tables written as Parquet files (Apache Parquet 2, the parts that every reader knows): flat columns, each value of which
//! may be missing, plain encoding, not packed, a page a column and group of rows.

use super::structure::{Structure, varint};
use std::io::{self, Write};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// 32-bit floating point.
    Float,
    /// True or false.
    Flag,
}

impl Kind {
    /// The format's number.
    fn number(self) -> i32 {
        match self {
            Kind::Flag => 0,
            Kind::Float => 4,
            Kind::Text => 6,
        }
    }
}

/// The values of a column in a group of rows; `None` where a row has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of a column of texts.
    Text(Vec<Option<String>>),
    /// Of a column of floats.
    Float(Vec<Option<f32>>),
    /// Of a column of flags.
    Flag(Vec<Option<bool>>),
}

impl Values {
    fn kind(&self) -> Kind {
        match self {
            Values::Text(_) => Kind::Text,
            Values::Float(_) => Kind::Float,
            Values::Flag(_) => Kind::Flag,
        }
    }

    fn len(&self) -> usize {
        match self {
            Values::Text(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Flag(values) => values.len(),
        }
    }

    /// A page's content: which rows have a value, and the values.
    fn page(&self) -> Vec<u8> {
        let mut bytes = match self {
            Values::Text(values) => levels(values),
            Values::Float(values) => levels(values),
            Values::Flag(values) => levels(values),
        };
        match self {
            Values::Text(values) => {
                for text in values.iter().flatten() {
                    bytes.extend((text.len() as u32).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
            Values::Float(values) => bytes.extend(values.iter().flatten().flat_map(|v| v.to_le_bytes())),
            Values::Flag(values) => {
                let flags: Vec<bool> = values.iter().flatten().copied().collect();
                let byte = |eight: &[bool]| (0..).zip(eight).fold(0u8, |byte, (i, &flag)| byte | (u8::from(flag) << i));
                bytes.extend(flags.chunks(8).map(byte));
            }
        }
        bytes
    }
}

/// Definition levels, 1 where there is a value: their length, then runs of equal ones.
fn levels<T>(values: &[Option<T>]) -> Vec<u8> {
    let mut runs = Vec::new();
    for run in values.chunk_by(|a, b| a.is_some() == b.is_some()) {
        varint(&mut runs, (run.len() as u64) << 1);
        runs.push(u8::from(run[0].is_some()));
    }
    let mut bytes = (runs.len() as u32).to_le_bytes().to_vec();
    bytes.append(&mut runs);
    bytes
}

/// A Parquet file that is being written.
///
/// ```
/// use striate_data::{ParquetKind, ParquetValues, ParquetWriter};
/// let mut writer = ParquetWriter::new(Vec::new(), &[("file", ParquetKind::Text), ("sure", ParquetKind::Float)])?;
/// let files = vec![Some("a.jpg".into()), Some("b.jpg".into())];
/// writer.write(&[ParquetValues::Text(files), ParquetValues::Float(vec![Some(0.9), None])])?;
/// let bytes = writer.finish()?;
/// assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    at: u64,
    columns: Vec<(String, Kind)>,
    groups: Vec<Structure>,
    rows: u64,
}

const MAGIC: &[u8; 4] = b"PAR1";

impl<W: Write> Writer<W> {
    /// A file with columns of these names.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn new(mut out: W, columns: &[(&str, Kind)]) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let columns = columns.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect();
        Ok(Self { out, at: MAGIC.len() as u64, columns, groups: Vec::new(), rows: 0 })
    }

    /// Adds a group of rows: for each column its values. Groups of some ten thousand rows are good to read.
    ///
    /// # Errors
    /// If the columns are others than the file has, of different lengths or beyond 2 GB, or cannot be written.
    pub fn write(&mut self, columns: &[Values]) -> io::Result<()> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
        if !columns.iter().map(Values::kind).eq(self.columns.iter().map(|(_, kind)| *kind)) {
            return Err(wrong("a group of rows has other columns than the file"));
        }
        let rows = columns.first().map_or(0, Values::len);
        if columns.iter().any(|column| column.len() != rows) {
            return Err(wrong("the columns of a group of rows have different lengths"));
        }
        if rows == 0 {
            return Ok(());
        }
        let (begin, mut chunks) = (self.at, Vec::new());
        for (values, (name, kind)) in columns.iter().zip(&self.columns) {
            let page = values.page();
            let size = i32::try_from(page.len()).map_err(|_| wrong("a column of a group of rows is beyond 2 GB"))?;
            // Plain values; levels in runs (the format's RLE).
            let about = Structure::new().int(1, rows as i32).int(2, 0).int(3, 3).int(4, 3);
            let header = Structure::new().int(1, 0).int(2, size).int(3, size).structure(5, about).end();
            self.out.write_all(&header)?;
            self.out.write_all(&page)?;
            let (from, length) = (self.at, (header.len() + page.len()) as u64);
            self.at += length;
            let meta = Structure::new()
                .int(1, kind.number())
                .ints(2, &[0, 3])
                .texts(3, &[name])
                .int(4, 0)
                .long(5, rows as u64)
                .long(6, length)
                .long(7, length)
                .long(9, from);
            chunks.push(Structure::new().long(2, from).structure(3, meta));
        }
        self.rows += rows as u64;
        self.groups.push(Structure::new().structures(1, chunks).long(2, self.at - begin).long(3, rows as u64));
        Ok(())
    }

    /// Writes what the file ends with.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let column = |(name, kind): &(String, Kind)| {
            let schema = Structure::new().int(1, kind.number()).int(3, 1).text(4, name);
            // The text's old and new mark of UTF-8.
            let text = || Structure::new().structure(1, Structure::new());
            if *kind == Kind::Text { schema.int(6, 0).structure(10, text()) } else { schema }
        };
        let root = Structure::new().text(4, "schema").int(5, self.columns.len() as i32);
        let schema = [root].into_iter().chain(self.columns.iter().map(column)).collect();
        let footer = Structure::new()
            .int(1, 2)
            .structures(2, schema)
            .long(3, self.rows)
            .structures(4, self.groups)
            .text(6, concat!("striate ", env!("CARGO_PKG_VERSION")))
            .end();
        self.out.write_all(&footer)?;
        self.out.write_all(&(footer.len() as u32).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{column, footer, footer::Type};
    use super::*;
    use std::fs::{self, File};

    /// Every value of a column as our own reader has it.
    fn read(path: &std::path::Path, index: usize) -> Vec<Option<Vec<u8>>> {
        let footer = footer::read(path).unwrap();
        let mut values = Vec::new();
        let mut file = File::open(path).unwrap();
        column::each(&mut file, &footer, index, |value| values.push(value.map(<[u8]>::to_vec))).unwrap();
        values
    }

    /// Columns of `rows` rows, counted from `from`, with gaps of every pattern.
    fn group(from: usize, rows: usize) -> [Values; 3] {
        let gap = |i: usize, every: usize| i.is_multiple_of(every);
        let text = |i: usize| (!gap(i, 5)).then(|| "é".repeat(i % 4) + &i.to_string());
        let float = |i: usize| (i % 100 < 40).then_some(i as f32 / 7.0);
        let flag = |i: usize| (!gap(i, 3)).then_some(i % 4 == 1);
        let all = from..from + rows;
        [
            Values::Text(all.clone().map(text).collect()),
            Values::Float(all.clone().map(float).collect()),
            Values::Flag(all.map(flag).collect()),
        ]
    }

    fn write(path: &std::path::Path, groups: &[[Values; 3]]) {
        let columns = [("file", Kind::Text), ("probability", Kind::Float), ("unknown", Kind::Flag)];
        let mut writer = Writer::new(File::create(path).unwrap(), &columns).unwrap();
        for group in groups {
            writer.write(group).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn our_reader_reads_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        write(&path, &[group(0, 700), group(700, 0), group(700, 1), group(701, 299)]);
        let footer = footer::read(&path).unwrap();
        let columns: Vec<_> = footer.columns.iter().map(|c| (c.path.join("."), c.kind, c.defined)).collect();
        let named = |name: &str, kind| (name.to_owned(), kind, 1);
        assert_eq!(
            columns,
            [named("file", Type::ByteArray), named("probability", Type::Float), named("unknown", Type::Boolean)]
        );
        assert_eq!((footer.rows, footer.groups.len()), (1000, 3), "an empty group is none");
        let [Values::Text(texts), Values::Float(floats), Values::Flag(flags)] = group(0, 1000) else { panic!() };
        assert_eq!(read(&path, 0), texts.into_iter().map(|t| t.map(String::into_bytes)).collect::<Vec<_>>());
        assert_eq!(read(&path, 1), floats.into_iter().map(|f| f.map(|f| f.to_le_bytes().into())).collect::<Vec<_>>());
        assert_eq!(read(&path, 2), flags.into_iter().map(|f| f.map(|f| vec![u8::from(f)])).collect::<Vec<_>>());
    }

    #[test]
    fn a_table_without_rows_is_a_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        write(&path, &[]);
        let footer = footer::read(&path).unwrap();
        assert_eq!((footer.rows, footer.columns.len(), footer.groups.len()), (0, 3, 0));
        assert!(read(&path, 1).is_empty());
        assert!(fs::read(&path).unwrap().ends_with(b"PAR1"));
    }

    #[test]
    fn groups_of_another_shape_are_refused() {
        let mut writer = Writer::new(Vec::new(), &[("a", Kind::Float), ("b", Kind::Flag)]).unwrap();
        let (floats, flags) = (Values::Float(vec![None]), Values::Flag(vec![None, None]));
        let message = |result: io::Result<()>| result.unwrap_err().to_string();
        assert!(message(writer.write(&[flags.clone(), floats.clone()])).contains("other columns"));
        assert!(message(writer.write(&[floats, flags])).contains("different lengths"));
    }
}
