//! `striate runs`: the runs in a folder, and runs side by side.

mod compare;

use super::{print_json, print_line, print_table};
use crate::figures::{date, duration, percent, shortened};
use crate::progress::remark;
use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_train::{EpochRow, Run, State, find_runs};

/// List the runs in a folder, or compare some
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  striate runs                                            all runs below runs/
  striate runs --sort accuracy --limit 5                  the five best
  striate runs elsewhere/ --model resnet20 --state finished
  striate runs compare lenet5 lenet52 --svg curves.svg    what differs in settings and in what came of it

The accuracy is that of the best epoch on the validation images, or of the last on the training images where none are held \
out (marked with t). With --json: one object a line, {\"run\", \"model\", \"data\", \"epochs\", \"planned\", \"accuracy\", \
\"best_epoch\", \"loss\", \"seconds\", \"state\", \"started\"}"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(clap::Subcommand)]
enum Verb {
    Compare(compare::Args),
}

#[derive(clap::Args)]
struct List {
    /// The folder; runs are looked for in it and below
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// By what they are sorted: names rise, everything else begins with the best or the newest
    #[arg(long, value_enum, value_name = "KEY", default_value = "name")]
    sort: Key,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Only so many of them
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only those of this architecture
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only those on data whose path holds this
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateName>,
    /// One JSON object a line on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Key {
    Name,
    Accuracy,
    Loss,
    Epochs,
    Seconds,
    Started,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateName {
    Running,
    Finished,
    Stopped,
    Failed,
}

impl StateName {
    fn is(self, state: State) -> bool {
        let own = match self {
            StateName::Running => State::Running,
            StateName::Finished => State::Finished,
            StateName::Stopped => State::Stopped,
            StateName::Failed => State::Failed,
        };
        own == state
    }
}

impl Args {
    /// Lists or compares.
    pub fn run(self) -> Result<ExitCode> {
        match self.verb {
            Some(Verb::Compare(args)) => args.run(),
            None => self.list.run(),
        }
    }
}

impl List {
    fn run(&self) -> Result<ExitCode> {
        if !self.folder.is_dir() {
            bail!("{}: there is no such folder; `striate train` makes runs/train", self.folder.display());
        }
        let (mut runs, wrong) = find_runs(&self.folder)?;
        for e in &wrong {
            remark(&format!("warning: {e}"));
        }
        let found = runs.len();
        runs.retain(|run| self.keeps(run));
        runs.sort_by(|a, b| self.order(a, b));
        if self.reverse {
            runs.reverse();
        }
        runs.truncate(self.limit.unwrap_or(usize::MAX));
        if self.json {
            runs.iter().try_for_each(|run| print_json(&object(run)))?;
        } else if runs.is_empty() {
            let why = if found > 0 { "is left by these filters" } else { "is in this folder" };
            print_line(&format!("{}: no run {why}", self.folder.display()))?;
        } else {
            let rows: Vec<_> = runs.iter().map(|run| self.row(run)).collect();
            print_table(&["run", "model", "data", "epochs", "best", "in epoch", "took", "state", "began"], &rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn keeps(&self, run: &Run) -> bool {
        let has = |wish: &Option<String>, setting: &str, fits: fn(&str, &str) -> bool| {
            wish.as_ref().is_none_or(|wish| run.setting(setting).is_some_and(|value| fits(value, wish)))
        };
        has(&self.model, "model", |value, wish| value == wish)
            && has(&self.data, "data", |value, wish| value.contains(wish))
            && self.state.is_none_or(|state| state.is(run.state))
    }

    /// Runs without a figure come last.
    fn order(&self, a: &Run, b: &Run) -> Ordering {
        let best = |of: &dyn Fn(&Run) -> Option<f64>| {
            let value = |run| of(run).unwrap_or(f64::NEG_INFINITY);
            value(b).total_cmp(&value(a))
        };
        let by = match self.sort {
            Key::Name => Ordering::Equal,
            Key::Accuracy => best(&|r| r.best().map(EpochRow::accuracy)),
            Key::Loss => best(&|r| r.best().map(|row| -row.val_loss.unwrap_or(row.train_loss))),
            Key::Epochs => best(&|r| Some(r.rows.len() as f64)),
            Key::Seconds => best(&|r| Some(r.seconds())),
            Key::Started => best(&|r| r.started().map(|t| t as f64)),
        };
        by.then_with(|| a.path.cmp(&b.path))
    }

    fn row(&self, run: &Run) -> Vec<String> {
        let name = run.path.strip_prefix(&self.folder).ok().filter(|p| !p.as_os_str().is_empty());
        let data = run.setting("data").map(|d| Path::new(d).file_name().map_or(d.into(), |n| n.to_string_lossy()));
        let best = run.best();
        let mark = |held_out: bool| if held_out { "" } else { " t" };
        vec![
            name.unwrap_or(&run.path).display().to_string(),
            run.setting("model").unwrap_or_default().to_owned(),
            shortened(&data.unwrap_or_default(), 24),
            format!("{}/{}", run.rows.len(), run.planned),
            best.map(|b| percent(b.accuracy()) + mark(b.val_accuracy.is_some())).unwrap_or_default(),
            best.map(|b| b.epoch.to_string()).unwrap_or_default(),
            duration(run.seconds()),
            run.state.name().to_owned(),
            run.started().map(date).unwrap_or_default(),
        ]
    }
}

/// A run for other programs.
fn object(run: &Run) -> Value {
    let best = run.best();
    json!({
        "run": run.path.to_string_lossy(), "model": run.setting("model"), "data": run.setting("data"),
        "epochs": run.rows.len(), "planned": run.planned, "accuracy": best.map(EpochRow::accuracy),
        "best_epoch": best.map(|b| b.epoch), "loss": best.map(|b| b.val_loss.unwrap_or(b.train_loss)),
        "held_out": best.map(|b| b.val_accuracy.is_some()), "seconds": run.seconds(), "state": run.state.name(),
        "started": run.started(),
    })
}
