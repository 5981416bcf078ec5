//! `striate runs compare`: what differs between runs, in their settings and in what came of them.

use super::object;
use crate::commands::{print_json, print_line, print_table, write_text};
use crate::figures::{duration, percent};
use crate::plot::{Panel, figure};
use anyhow::{Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_train::{EpochRow, Run};

/// Show what differs between runs
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate runs compare lenet5 lenet52
  striate runs compare runs/train/a runs/train/b runs/train/c --svg curves.svg

A run is its folder, or its name below runs/train. With --json: {\"runs\": [as of `striate runs --json`, …], \"settings\": \
{name: [a value or null a run, …]}} with the settings that differ, or all with --all.")]
pub struct Args {
    /// The runs
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Also the settings in which they agree
    #[arg(long)]
    all: bool,
    /// Draw their curves into this SVG file; `-` prints it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
}

/// A figure of a run, told in one word.
type Figure = (&'static str, fn(&Run) -> Option<String>);

/// What came of a run, line by line.
const FIGURES: [Figure; 9] = [
    ("epochs", |r| Some(format!("{}/{}", r.rows.len(), r.planned))),
    ("state", |r| Some(r.state.name().into())),
    ("best accuracy", |r| r.best().map(|b| percent(b.accuracy()))),
    ("in epoch", |r| r.best().map(|b| b.epoch.to_string())),
    ("its loss", |r| r.best().map(|b| format!("{:.4}", b.val_loss.unwrap_or(b.train_loss)))),
    ("last training loss", |r| r.rows.last().map(|b| format!("{:.4}", b.train_loss))),
    ("last training accuracy", |r| r.rows.last().map(|b| percent(b.train_accuracy))),
    ("images per second", |r| {
        let n = r.rows.len().max(1) as f64;
        (!r.rows.is_empty()).then(|| format!("{:.0}", r.rows.iter().map(|b| b.images_per_second).sum::<f64>() / n))
    }),
    ("time", |r| Some(duration(r.seconds()))),
];

impl Args {
    /// Compares.
    pub fn run(&self) -> Result<ExitCode> {
        let runs = self.runs.iter().map(|given| Ok(Run::read(&place(given))?)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = self.runs.iter().map(|r| r.display().to_string()).collect();
        if let Some(twice) = (1..runs.len()).find(|&i| runs[..i].iter().any(|r| r.path == runs[i].path)) {
            bail!("{} is given twice", names[twice]);
        }
        let settings = self.settings(&runs);
        if let Some(file) = &self.svg {
            write_text(file, &curves(&names, &runs))?;
        }
        if self.json {
            let of = |(name, values): &(String, Vec<Option<String>>)| (name.clone(), json!(values));
            let map: serde_json::Map<_, _> = settings.iter().map(of).collect();
            print_json(&json!({ "runs": runs.iter().map(object).collect::<Vec<_>>(), "settings": map }))?;
        } else if self.svg.as_deref() != Some(Path::new("-")) {
            table(&names, &runs, &settings)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The settings' names with each run's value; those that differ, unless all are wanted.
    fn settings(&self, runs: &[Run]) -> Vec<(String, Vec<Option<String>>)> {
        let mut names: Vec<&str> = runs.iter().flat_map(|r| r.settings.iter().map(|(name, _)| name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        let values = |name: &str| runs.iter().map(|r| r.setting(name).map(str::to_owned)).collect::<Vec<_>>();
        let all = names.into_iter().map(|name| (name.to_owned(), values(name)));
        all.filter(|(_, values)| self.all || values.iter().any(|v| *v != values[0])).collect()
    }
}

/// A run's folder, or the one of that name where `striate train` makes them.
fn place(given: &Path) -> PathBuf {
    let usual = Path::new("runs/train").join(given);
    if !given.exists() && usual.is_dir() { usual } else { given.to_owned() }
}

fn table(names: &[String], runs: &[Run], settings: &[(String, Vec<Option<String>>)]) -> Result<()> {
    let header: Vec<&str> = [""].into_iter().chain(names.iter().map(String::as_str)).collect();
    let row = |name: &str, values: Vec<Option<String>>| {
        let values = values.into_iter().map(|v| v.unwrap_or_else(|| "–".into()));
        [name.to_owned()].into_iter().chain(values).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = settings.iter().map(|(name, values)| row(name, values.clone())).collect();
    if rows.is_empty() {
        print_line("their settings are the same")?;
    }
    rows.extend(FIGURES.iter().map(|(name, of)| row(name, runs.iter().map(of).collect())));
    print_table(&header, &rows)
}

/// The runs' curves, a line a run.
fn curves(names: &[String], runs: &[Run]) -> String {
    let panel = |title: &str, y: &str, of: fn(&EpochRow) -> Option<f64>| Panel {
        title: title.into(),
        x: "epoch".into(),
        y: y.into(),
        log: false,
        lines: runs
            .iter()
            .map(|run| run.rows.iter().filter_map(|r| Some((f64::from(r.epoch), of(r)?))).collect())
            .collect(),
    };
    let panels = [
        panel("Validation accuracy", "share of images recognised", |r| r.val_accuracy),
        panel("Validation loss", "cross-entropy in nats", |r| r.val_loss),
        panel("Training loss", "cross-entropy in nats", |r| Some(r.train_loss)),
        panel("Learning rate", "at the end of the epoch", |r| Some(r.learning_rate)),
    ];
    figure("", names, &panels)
}
