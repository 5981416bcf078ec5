//! Features as a Parquet file: the columns file, class and part, and a column a value, `f0`, `f1` and on.

use super::Table;
use std::io::{self, Write};
use striate_data::{ParquetKind, ParquetValues, ParquetWriter};

/// Bytes of the values in a group of rows, about.
const GROUP: usize = 64 << 20;

/// Writes the file.
pub(super) fn write(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<String> = (0..table.len).map(|i| format!("f{i}")).collect();
    let mut columns: Vec<(&str, ParquetKind)> = ["file", "class", "part"].map(|name| (name, ParquetKind::Text)).into();
    columns.extend(names.iter().map(|name| (name.as_str(), ParquetKind::Float)));
    let mut writer = ParquetWriter::new(out, &columns)?;
    let rows = (GROUP / (4 * table.len).max(1)).max(1);
    for first in (0..table.rows()).step_by(rows) {
        let group = first..(first + rows).min(table.rows());
        let texts =
            |of: &dyn Fn(usize) -> String| ParquetValues::Text(group.clone().map(|row| Some(of(row))).collect());
        let mut values = vec![
            texts(&|row| table.files[row].clone()),
            texts(&|row| table.class(row).to_owned()),
            texts(&|row| table.parts[row].to_owned()),
        ];
        let column = |i: usize| group.clone().map(|row| Some(table.row(row)[i])).collect();
        values.extend((0..table.len).map(|i| ParquetValues::Float(column(i))));
        writer.write(&values)?;
    }
    writer.finish()?;
    Ok(())
}
