//! The options of every verb that opens a data set, and the words about what was found in it.

use super::MOST_THREADS;
use crate::figures::thousands;
use crate::progress::{Bar, remark};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::path::PathBuf;
use striate_data::{Check, DataSet, LeftOut, Limits, LoaderOptions, OpenOptions};
use striate_train::Config;

/// How a data set is opened.
#[derive(clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Share of the training images held out for validation where the data has no such part [default: a sixth where
    /// there is a test part, else a fifth]
    #[arg(long, value_name = "SHARE")]
    pub val_share: Option<f64>,
    /// The fold that is the validation part, where the data is a table with a column `fold`
    #[arg(long, value_name = "K")]
    pub fold: Option<u32>,
    /// Whether image files are decoded whole before anything is begun, or only their headers read
    #[arg(long, value_enum, default_value = "full")]
    check: CheckName,
    #[command(flatten)]
    read: ReadArgs,
}

/// How the images of a data set are read.
#[derive(clap::Args)]
#[command(next_help_heading = "Data")]
pub struct ReadArgs {
    /// A cleaning manifest: a table with the columns path (relative to the data) and action (exclude or keep); what it
    /// excludes is left out
    #[arg(long, value_name = "FILE")]
    clean: Option<PathBuf>,
    /// Share of unreadable image files above which nothing is begun
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    max_unreadable: f64,
    /// The column of a table that says which images belong together: they stay on one side of every split [default: group]
    #[arg(long, value_name = "NAME")]
    group_column: Option<String>,
    /// How far boxes that are cut out of pictures (VOC, COCO) are widened on each side, as a share of their width and height
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    box_margin: f64,
    #[command(flatten)]
    decoding: DecodingArgs,
}

/// How images are decoded.
#[derive(clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DecodingArgs {
    /// Most pixels an image may have
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    max_pixels: u64,
    /// Threads that decode images; 0: all cores. Results do not depend on it
    #[arg(long, value_name = "W", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=MOST_THREADS))]
    workers: u16,
}

impl DecodingArgs {
    /// Decoding threads.
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.into(),
        }
    }

    /// Bounds on what is decoded.
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum CheckName {
    Full,
    Headers,
}

impl From<CheckName> for Check {
    fn from(name: CheckName) -> Check {
        match name {
            CheckName::Full => Check::Full,
            CheckName::Headers => Check::Headers,
        }
    }
}

/// Which images a run left out, and which it held for validation.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    /// The run's seed.
    pub seed: u64,
    /// The share that was drawn, where it was chosen.
    pub val_share: Option<f64>,
    /// The fold, from 1 where folds were drawn.
    pub fold: Option<u32>,
    /// How many folds were drawn.
    pub folds: Option<u32>,
    /// Its cleaning manifest.
    pub clean: Option<PathBuf>,
    /// The column of its groups.
    pub group_column: Option<String>,
    /// How far boxes were widened.
    pub box_margin: f64,
}

impl HeldOut {
    /// As a run's configuration has it.
    pub fn of(c: &Config) -> HeldOut {
        HeldOut {
            seed: c.seed,
            val_share: c.val_share,
            fold: c.fold,
            folds: c.folds,
            clean: c.clean.clone(),
            group_column: c.group_column.clone(),
            box_margin: c.box_margin,
        }
    }
}

impl DataArgs {
    /// Opens a data set with a progress bar, and says on stderr what is wrong with it.
    pub fn open(&self, spec: &str, seed: u64, val_share: Option<f64>) -> Result<DataSet> {
        self.open_fold(spec, seed, val_share, self.fold)
    }

    /// The same with this fold as the validation part.
    pub fn open_fold(&self, spec: &str, seed: u64, val_share: Option<f64>, fold: Option<u32>) -> Result<DataSet> {
        let check = self.check.into();
        let options = OpenOptions { seed, val_share, check, fold, ..self.read.options() };
        let data = DataSet::open(spec, &options, &Bar::new())?;
        warn(&data);
        Ok(data)
    }

    /// Opens a run's data set, with the images held out that the run had held out.
    pub fn reopen(&self, spec: &str, held: &HeldOut) -> Result<DataSet> {
        let check = self.check.into();
        let given = self.read.options();
        let margin = if given.box_margin > 0.0 { given.box_margin } else { held.box_margin };
        let clean = given.clean.clone().or_else(|| held.clean.clone());
        let group_column = given.group_column.clone().or_else(|| held.group_column.clone());
        let (fold, val_share) = match held.folds {
            Some(_) => (None, Some(0.0)),
            None => (self.fold.or(held.fold), self.val_share.or(held.val_share)),
        };
        let options =
            OpenOptions { seed: held.seed, val_share, check, fold, clean, group_column, box_margin: margin, ..given };
        let data = DataSet::open(spec, &options, &Bar::new())?;
        warn(&data);
        let (Some(folds), Some(fold)) = (held.folds, held.fold) else { return Ok(data) };
        let sets = data.folds(folds, held.seed, self.limits(), self.workers(), &Bar::new())?;
        let set = (1..).zip(sets).find(|(number, _)| *number == fold).map(|(_, set)| set);
        set.with_context(|| format!("{spec}: fold {fold} of {folds} cannot be"))
    }

    /// The cleaning manifest, if there is one.
    pub fn clean(&self) -> Option<PathBuf> {
        self.read.clean.clone()
    }

    /// The column of a table's groups, if it is another than `group`.
    pub fn group_column(&self) -> Option<String> {
        self.read.group_column.clone()
    }

    /// How far boxes are widened.
    pub fn box_margin(&self) -> f64 {
        self.read.box_margin
    }

    /// Decoding threads.
    pub fn workers(&self) -> usize {
        self.read.decoding.workers()
    }

    /// Bounds on what is decoded.
    pub fn limits(&self) -> Limits {
        self.read.decoding.limits()
    }

    /// How batches are loaded.
    pub fn loading(&self) -> LoaderOptions {
        LoaderOptions { workers: self.workers(), limits: self.limits(), ..LoaderOptions::default() }
    }
}

impl ReadArgs {
    /// How a data set is opened of which nothing is drawn.
    pub fn open_whole(&self, spec: &str) -> Result<DataSet> {
        let options = OpenOptions { val_share: Some(0.0), ..self.options() };
        let data = DataSet::open(spec, &options, &Bar::new())?;
        warn(&data);
        Ok(data)
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            max_unreadable_share: self.max_unreadable,
            max_pixels: self.decoding.max_pixels,
            workers: self.workers(),
            clean: self.clean.clone(),
            group_column: self.group_column.clone(),
            box_margin: self.box_margin,
            ..OpenOptions::default()
        }
    }

    /// Bounds on what is decoded.
    pub fn limits(&self) -> Limits {
        self.decoding.limits()
    }

    /// Threads that read and decode.
    pub fn workers(&self) -> usize {
        self.decoding.workers()
    }
}

/// Most names that one warning lists.
const LISTED: usize = 10;

/// Says what is in a data set.
pub fn describe(data: &DataSet) {
    let t = data.typical;
    let kind = if t.channels == 1 { "grey" } else { "colour" };
    let count = |n: usize| thousands(n as u64);
    let test = data.test.as_ref().map(|t| format!(" and {} test", count(t.len()))).unwrap_or_default();
    let (classes, name) = (data.classes.len(), &data.name);
    let (train, val) = (count(data.train.len()), count(data.val.len()));
    let (w, h) = (t.width, t.height);
    remark(&format!(
        "{name}: {train} training, {val} validation{test} images of {classes} classes, typically {w}×{h} {kind}"
    ));
}

/// Says what is wrong with a data set.
fn warn(data: &DataSet) {
    let count = |n: usize| thousands(n as u64);
    if data.ignored_files > 0 {
        remark(&format!("note: {} other files were passed over", count(data.ignored_files)));
    }
    for warning in &data.warnings {
        remark(&format!("warning: {warning}"));
    }
    if !data.left_out.is_empty() {
        remark(&format!("warning: {} image files are left out:", count(data.left_out.len())));
        list(&data.left_out);
    }
}

/// Lists files with the reasons, the first few.
pub fn list(files: &[LeftOut]) {
    for file in files.iter().take(LISTED) {
        remark(&format!("  {file}"));
    }
    if files.len() > LISTED {
        remark(&format!("  … and {} more", files.len() - LISTED));
    }
}

/// Names the images that could not be scored.
pub fn tell_failed(failed: &[LeftOut]) {
    if !failed.is_empty() {
        remark(&format!("warning: {} images could not be read and are not counted:", failed.len()));
        list(failed);
    }
}
