//! The folder of results: sheets, arrays and `explain.json`, and the same figures on stdout.

use crate::commands::{print_json, print_line};
use crate::progress::{Bar, remark};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_explain::{Array, Sheet};
use striate_train::new_folder;
use striate_weights::write_atomic;

/// The file of all figures.
const JSON: &str = "explain.json";

/// What a run writes.
pub struct Results {
    method: String,
    model: PathBuf,
    /// The folder that was asked for.
    out: Option<PathBuf>,
    /// The folder, once there is something in it.
    folder: Option<PathBuf>,
    names: HashSet<String>,
    files: Vec<String>,
    entries: Vec<Value>,
    bar: Bar,
    done: usize,
    json: bool,
    failed: bool,
}

impl Results {
    /// Results go into the folder that was asked for, which may be there but may hold no results yet, or into a new one. It is
    /// made once there is something to write.
    pub fn new(method: &str, model: &Path, out: Option<&Path>, json: bool) -> Result<Results> {
        let before = out.map(|out| out.join(JSON)).filter(|before| before.exists());
        if let Some(before) = before {
            anyhow::bail!("{} is there already: name another folder", before.display());
        }
        Ok(Results {
            method: method.to_owned(),
            model: model.to_owned(),
            out: out.map(Path::to_owned),
            folder: None,
            names: HashSet::new(),
            files: Vec::new(),
            entries: Vec::new(),
            bar: Bar::new(),
            done: 0,
            json,
            failed: false,
        })
    }

    /// Shows progress over so many pieces of work.
    pub fn begin(&mut self, what: &str, total: usize) {
        self.bar.begin(what, total as u64);
        self.done = 0;
    }

    /// One more of them is done.
    pub fn step(&mut self) {
        self.at(self.done + 1);
    }

    /// So many of them are done.
    pub fn at(&mut self, done: usize) {
        self.done = done;
        self.bar.at(done as u64, String::new);
    }

    /// A name for a picture's or layer's files that no other has.
    pub fn name(&mut self, of: &str) -> String {
        let plain: String =
            of.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        let plain = if plain.is_empty() { "picture".to_owned() } else { plain };
        let mut names = (1..).map(|n| if n == 1 { plain.clone() } else { format!("{plain}_{n}") });
        let name = names.find(|name| !self.names.contains(name)).unwrap_or_default();
        self.names.insert(name.clone());
        name
    }

    /// Writes a sheet as `NAME.png` and `NAME.svg`.
    pub fn sheet(&mut self, name: &str, sheet: &Sheet) -> Result<()> {
        self.file(&format!("{name}.png"), &sheet.to_png())?;
        self.file(&format!("{name}.svg"), sheet.to_svg().as_bytes())
    }

    /// Writes an array as `NAME.npy`.
    pub fn array(&mut self, name: &str, array: &Array) -> Result<()> {
        self.file(&format!("{name}.npy"), &array.to_npy())
    }

    fn folder(&mut self) -> Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let folder = match self.out.take() {
            Some(out) => {
                std::fs::create_dir_all(&out).with_context(|| format!("{}: cannot be made", out.display()))?;
                out
            }
            None => new_folder(Path::new("runs/explain"), &self.method)?,
        };
        self.folder = Some(folder.clone());
        Ok(folder)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomic(&self.folder()?.join(name), |out| out.write_all(bytes))?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// Adds figures, and says them in a line where no JSON was asked for.
    pub fn entry(&mut self, entry: Value, line: &str) -> Result<()> {
        self.entries.push(entry);
        let mut printed = Ok(());
        if !self.json && !line.is_empty() {
            self.bar.suspend(|| printed = print_line(line));
        }
        printed
    }

    /// Names a picture that could not be read; the run goes on and fails in the end.
    pub fn failed(&mut self, why: &str) {
        self.bar.line(&format!("error: {why}"));
        self.failed = true;
    }

    /// Writes the JSON, and says where all of it is.
    pub fn finish(mut self) -> Result<ExitCode> {
        self.bar.end();
        let (folder, entries) = (self.folder()?, std::mem::take(&mut self.entries));
        let all = json!({
            "method": self.method,
            "model": self.model.to_string_lossy(),
            "folder": folder.to_string_lossy(),
            "files": self.files,
            "results": entries,
        });
        let text = serde_json::to_string_pretty(&all)?;
        self.file(JSON, text.as_bytes())?;
        if self.json {
            print_json(&all)?;
        } else {
            remark(&format!("written to {}", folder.display()));
        }
        Ok(if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
