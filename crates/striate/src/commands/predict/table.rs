//! Rows as lines of a file that grows: CSV, or JSON lines. What a killed process left is whole up to its last whole row.

use super::row::Row;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// With a header, and so many classes a row.
    Csv(usize),
    /// An object a line.
    Json,
}

/// The columns of a table with so many classes a row; those of Parquet files too.
pub fn columns(top: usize) -> Vec<String> {
    let more = (2..=top).flat_map(|place| [format!("class_{place}"), format!("probability_{place}")]);
    let first = ["path", "class", "probability", "unknown"].map(String::from);
    first.into_iter().chain(more).chain(["error".to_owned()]).collect()
}

impl Lines {
    /// What a file begins with.
    pub fn header(self) -> Result<Vec<u8>> {
        match self {
            Lines::Csv(top) => record(&columns(top)),
            Lines::Json => Ok(Vec::new()),
        }
    }

    /// A row, with the end of its line.
    pub fn row(self, row: &Row) -> Result<Vec<u8>> {
        match self {
            Lines::Csv(top) => record(&cells(row, top)),
            Lines::Json => {
                let mut line = serde_json::to_vec(row)?;
                line.push(b'\n');
                Ok(line)
            }
        }
    }

    /// How many bytes of a file are whole rows, the header one of them.
    pub fn whole(self, file: impl Read) -> std::io::Result<u64> {
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (mut at, mut whole, mut quoted) = (0u64, 0, false);
        loop {
            let bytes = reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(whole);
            }
            for &byte in bytes {
                at += 1;
                match byte {
                    // Quotes within a quoted cell are doubled, which changes nothing; JSON writes no line end within a line.
                    b'"' if self != Lines::Json => quoted = !quoted,
                    b'\n' if !quoted => whole = at,
                    _ => {}
                }
            }
            let length = bytes.len();
            reader.consume(length);
        }
    }

    /// Hands out the path of every row of a file, which is `path`, of `whole` bytes.
    pub fn each_path(self, path: &Path, whole: u64, mut on: impl FnMut(&str)) -> Result<()> {
        let file = File::open(path).with_context(|| path.display().to_string())?.take(whole);
        let wrong = |line: u64, why: &str| format!("{}: line {line} {why}; --overwrite begins it anew", path.display());
        match self {
            Lines::Json => each_row(BufReader::new(file), |line, row| {
                on(&row.with_context(|| wrong(line, "is no row of predictions"))?.path);
                Ok(())
            }),
            Lines::Csv(top) => {
                let mut reader = csv::Reader::from_reader(file);
                let (found, meant) = (reader.headers()?.iter().collect::<Vec<_>>().join(","), columns(top).join(","));
                if whole > 0 && found != meant {
                    bail!(wrong(1, &format!("has the columns {found} and not {meant}")));
                }
                let mut record = csv::StringRecord::new();
                loop {
                    let line = reader.position().line();
                    match reader.read_record(&mut record) {
                        Ok(true) => on(record.get(0).unwrap_or_default()),
                        Ok(false) => return Ok(()),
                        Err(_) => bail!(wrong(line, "is no row of predictions")),
                    }
                }
            }
        }
    }
}

/// Every row of JSON lines with its line's number, or what is wrong with it.
pub fn each_row(lines: impl BufRead, mut on: impl FnMut(u64, serde_json::Result<Row>) -> Result<()>) -> Result<()> {
    for (number, line) in (1..).zip(lines.lines()) {
        on(number, serde_json::from_str(&line?))?;
    }
    Ok(())
}

fn record(cells: &[String]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    Ok(writer.into_inner()?)
}

fn cells(row: &Row, top: usize) -> Vec<String> {
    let number = |value: Option<f32>| value.map(|v| v.to_string()).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let flag = row.unknown.map(|unknown| unknown.to_string()).unwrap_or_default();
    let more = (1..top).flat_map(|place| {
        let prediction = row.predictions.get(place);
        [prediction.map(|p| p.class.clone()).unwrap_or_default(), number(prediction.map(|p| p.probability))]
    });
    let first = [row.path.clone(), text(&row.class), number(row.probability), flag];
    first.into_iter().chain(more).chain([text(&row.error)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::row::Prediction;
    use super::*;

    fn rows() -> Vec<Row> {
        let prediction = |class: &str, probability| Prediction { class: class.into(), index: 0, probability };
        let good = Row {
            path: "a, \"b\"\nc.jpg".into(),
            class: Some("ant\n".into()),
            probability: Some(0.1),
            unknown: Some(true),
            predictions: vec![prediction("ant\n", 0.1), prediction("γ", 1e-12)],
            error: None,
        };
        let failed = Row::failed(Path::new("d.jpg"), "is cut short:\n\"half\"");
        vec![good.clone(), failed, Row { path: "e.jpg".into(), ..good }]
    }

    #[test]
    fn a_row_is_a_line() {
        let all = rows();
        let text = |lines: Lines, row| String::from_utf8(lines.row(row).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(Lines::Csv(2).header().unwrap()).unwrap(),
            "path,class,probability,unknown,class_2,probability_2,error\n"
        );
        assert_eq!(text(Lines::Csv(2), &all[2]), "e.jpg,\"ant\n\",0.1,true,γ,0.000000000001,\n");
        assert_eq!(text(Lines::Csv(1), &all[1]), "d.jpg,,,,\"is cut short:\n\"\"half\"\"\"\n");
        assert_eq!(serde_json::from_str::<Row>(&text(Lines::Json, &all[0])).unwrap(), all[0]);
    }

    #[test]
    fn wherever_a_file_ends_its_whole_rows_are_known() {
        for lines in [Lines::Csv(2), Lines::Json] {
            let mut bytes = lines.header().unwrap();
            let mut ends = vec![bytes.len()];
            for row in rows() {
                bytes.extend(lines.row(&row).unwrap());
                ends.push(bytes.len());
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            for cut in 0..=bytes.len() {
                let last = ends.iter().rev().find(|&&end| end <= cut).copied().unwrap_or(0);
                let whole = lines.whole(&bytes[..cut]).unwrap();
                assert_eq!(whole as usize, last, "{lines:?} cut at {cut}");
                std::fs::write(file.path(), &bytes[..cut]).unwrap();
                let mut paths = Vec::new();
                lines.each_path(file.path(), whole, |path| paths.push(path.to_owned())).unwrap();
                let there = ends.iter().skip(1).filter(|&&end| end <= cut).count();
                assert_eq!(paths, rows().into_iter().map(|r| r.path).take(there).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn lines_of_another_kind_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |lines: Lines, text: &str| {
            std::fs::write(file.path(), text).unwrap();
            let e = lines.each_path(file.path(), text.len() as u64, |_| {}).unwrap_err();
            format!("{e:#}")
        };
        assert!(
            refused(Lines::Csv(1), "file,class\na,b\n").contains("line 1 has the columns file,class and not path,")
        );
        let header = columns(1).join(",");
        assert!(refused(Lines::Csv(1), &format!("{header}\na,b\n")).contains("line 2 is no row"));
        assert!(refused(Lines::Json, "{}\n").contains("line 1 is no row of predictions"));
    }
}
