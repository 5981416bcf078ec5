//! A table of predictions on disk that a killed process can go on with: the rows grow in the file, and beside it `….state` says
//! what they are made with. A Parquet file cannot grow: its rows grow in `….rows` as JSON lines until they are all there.

use super::row::Row;
use super::table::{Lines, columns, each_row};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use striate_data::{ParquetKind, ParquetValues, ParquetWriter};
use striate_weights::write_atomic;

/// What becomes of a table that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is done.
    Refused,
    /// Its rows stay, and what is missing is added.
    Resumed,
    /// It goes.
    Overwritten,
}

/// A table that is being written.
pub struct Output {
    path: PathBuf,
    rows: PathBuf,
    file: File,
    lines: Lines,
    /// Classes a row, of a Parquet file.
    parquet: Option<usize>,
}

/// The pictures that have rows already: 16 bytes of each path's hash, and how often it is there.
#[derive(Default)]
pub struct Done {
    paths: HashMap<[u8; 16], u32>,
    /// How many rows there were.
    pub rows: u64,
}

/// How a table was found.
pub enum Begun {
    /// It is to be written.
    Open(Output, Done),
    /// It is a Parquet file that is finished.
    Whole,
}

impl Done {
    fn add(&mut self, path: &str) {
        *self.paths.entry(hash(path)).or_default() += 1;
        self.rows += 1;
    }

    /// Whether the picture has a row; each row counts once.
    pub fn take(&mut self, path: &Path) -> bool {
        let Some(count) = self.paths.get_mut(&hash(&path.to_string_lossy())).filter(|count| **count > 0) else {
            return false;
        };
        *count -= 1;
        true
    }
}

fn hash(path: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(path.as_bytes())[..16]);
    short
}

/// The path with more behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl Output {
    /// Begins a table, or goes on with one; its kind is told by the path's ending. `made_with` is what its rows are made with,
    /// which may not change; `top` is how many classes a row has.
    pub fn begin(path: &Path, top: usize, made_with: &Map<String, Value>, existing: Existing) -> Result<Begun> {
        let (lines, parquet) = kind(path, top)?;
        let rows = if parquet.is_some() { beside(path, ".rows") } else { path.to_owned() };
        let state = beside(path, ".state");
        let shown = path.display();
        let there = path.exists() || rows.exists();
        if there && existing == Existing::Refused {
            let what = if path.exists() { "is there already" } else { "has rows already, but is not finished" };
            bail!("{shown}: {what}; --resume goes on with it, --overwrite begins it anew");
        }
        if there && existing == Existing::Resumed {
            agree(path, &state, made_with)?;
            if !rows.exists() {
                return Ok(Begun::Whole);
            }
            let (output, done) = Output { path: path.to_owned(), file: lock(&rows)?, rows, lines, parquet }.go_on()?;
            return Ok(Begun::Open(output, done));
        }
        if rows.exists() {
            lock(&rows)?;
        }
        // Rows go before their state does, so that none can be taken for what it is not.
        [&rows, &path.to_owned()].into_iter().try_for_each(|file| remove(file))?;
        write_atomic(&state, |out| writeln!(out, "{}", Value::Object(made_with.clone())))?;
        let mut output = Output { path: path.to_owned(), file: lock(&rows)?, rows, lines, parquet };
        output.put(&lines.header()?)?;
        Ok(Begun::Open(output, Done::default()))
    }

    /// Cuts off a row that is not whole, and tells which pictures have one.
    fn go_on(mut self) -> Result<(Output, Done)> {
        let failed = || format!("{}: cannot be read", self.rows.display());
        let whole = self.lines.whole(&self.file).with_context(failed)?;
        self.file.set_len(whole).with_context(failed)?;
        self.file.seek(SeekFrom::Start(whole)).with_context(failed)?;
        let mut done = Done::default();
        if whole == 0 {
            let header = self.lines.header()?;
            self.put(&header)?;
        } else {
            self.lines.each_path(&self.rows, whole, |path| done.add(path))?;
        }
        Ok((self, done))
    }

    /// Adds rows; they are in the system's hands when this returns.
    pub fn write(&mut self, rows: &[Row]) -> Result<()> {
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend(self.lines.row(row)?);
        }
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.rows.display();
        self.file.write_all(bytes).with_context(|| format!("{path}: cannot be written; --resume goes on with it"))
    }

    /// Ends the table.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().with_context(|| format!("{}: cannot be written", self.rows.display()))?;
        let Some(top) = self.parquet else { return Ok(()) };
        let rows = BufReader::new(File::open(&self.rows).with_context(|| self.rows.display().to_string())?);
        write_atomic(&self.path, |out| to_parquet(rows, out, top).map_err(io::Error::other))?;
        remove(&self.rows)
    }
}

/// How rows grow, and how many classes a row of a Parquet file has.
fn kind(path: &Path, top: usize) -> Result<(Lines, Option<usize>)> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" => Ok((Lines::Csv(top), None)),
        "jsonl" | "ndjson" => Ok((Lines::Json, None)),
        "parquet" => Ok((Lines::Json, Some(top))),
        _ => bail!("{}: what is written is told by its ending: .csv, .jsonl or .parquet", path.display()),
    }
}

/// Opens the file for writing, which no other process may do meanwhile.
fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.with_context(|| format!("{}: cannot be written", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!("{}: another process is writing it", path.display()),
        // Where there are no locks, there is no one to ask.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("{}: cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// Fails if what is there was made with anything else.
fn agree(path: &Path, state: &Path, made_with: &Map<String, Value>) -> Result<()> {
    let anew = "--overwrite begins it anew";
    let (path, file) = (path.display(), state.display());
    let text = fs::read_to_string(state);
    let text = text.with_context(|| format!("{path}: {file} does not say what its rows were made with; {anew}"))?;
    let before: Map<String, Value> =
        serde_json::from_str(&text).with_context(|| format!("{file}: is damaged; {anew}"))?;
    for (name, now) in made_with {
        let then = before.get(name).unwrap_or(&Value::Null);
        if then != now {
            bail!("{path}: its rows were made with {name} {then}, which is {now} now; {anew}");
        }
    }
    Ok(())
}

/// Makes a Parquet file of JSON lines, group by group.
fn to_parquet(rows: impl io::BufRead, out: &mut dyn Write, top: usize) -> Result<()> {
    /// Rows of a group.
    const GROUP: usize = 1 << 14;
    let names = columns(top);
    let kind = |name: &String| match name.as_str() {
        "unknown" => ParquetKind::Flag,
        name if name.starts_with("probability") => ParquetKind::Float,
        _ => ParquetKind::Text,
    };
    let columns: Vec<(&str, ParquetKind)> = names.iter().map(|name| (name.as_str(), kind(name))).collect();
    let mut writer = ParquetWriter::new(out, &columns)?;
    let mut group = Vec::new();
    each_row(rows, |line, row| {
        group.push(row.with_context(|| format!("line {line} is no row of predictions"))?);
        if group.len() == GROUP {
            writer.write(&values(&group, top))?;
            group.clear();
        }
        Ok(())
    })?;
    writer.write(&values(&group, top))?;
    writer.finish()?;
    Ok(())
}

/// The columns of some rows.
fn values(rows: &[Row], top: usize) -> Vec<ParquetValues> {
    let text = |of: &dyn Fn(&Row) -> Option<String>| ParquetValues::Text(rows.iter().map(of).collect());
    let float = |of: &dyn Fn(&Row) -> Option<f32>| ParquetValues::Float(rows.iter().map(of).collect());
    let mut columns = vec![
        text(&|row| Some(row.path.clone())),
        text(&|row| row.class.clone()),
        float(&|row| row.probability),
        ParquetValues::Flag(rows.iter().map(|row| row.unknown).collect()),
    ];
    for place in 1..top {
        columns.push(text(&|row| row.predictions.get(place).map(|p| p.class.clone())));
        columns.push(float(&|row| row.predictions.get(place).map(|p| p.probability)));
    }
    columns.push(text(&|row| row.error.clone()));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted() {
        let mut done = Done::default();
        for path in ["a.jpg", "b.jpg", "a.jpg"] {
            done.add(path);
        }
        let taken = ["a.jpg", "c.jpg", "a.jpg", "a.jpg", "b.jpg"].map(|path| done.take(Path::new(path)));
        assert_eq!((taken, done.rows), ([true, false, true, false, true], 3));
    }

    #[test]
    fn only_one_process_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let begin = |existing| Output::begin(&path, 1, &Map::new(), existing);
        let Begun::Open(first, _) = begin(Existing::Refused).unwrap() else { panic!("a new table is open") };
        let e = begin(Existing::Resumed).err().unwrap();
        assert!(e.to_string().ends_with("another process is writing it"), "{e}");
        drop(first);
        assert!(begin(Existing::Resumed).is_ok());
    }
}
