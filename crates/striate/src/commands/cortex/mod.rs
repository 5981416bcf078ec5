//! `striate cortex`: experiments on the cells that Hubel and Wiesel found, and the Neocognitron.

mod experiment;
mod filters;
mod neocognitron;
mod see;

use anyhow::{Result, bail};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_data::{Limits, Picture, read};

/// The visual cortex: experiments with its cells, what they see, and the Neocognitron
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  striate cortex experiment simple                 a session with a simple cell: tuning, spikes, receptive field
  striate cortex experiment direction --film       the same with a direction-selective cell, and an animation
  striate cortex see photo.jpg                     orientations and what columns of cells answer to a picture
  striate cortex filters best.safetensors          Gabors in a trained network, simple-like and complex-like units
  striate cortex neocognitron train mnist/         Fukushima's network learns 3,000 digits
  striate cortex neocognitron first                the network of 1980 learns five digits without a teacher

With --json each of them says on stdout what it found, as JSON.")]
pub enum Cortex {
    Experiment(experiment::Args),
    See(see::Args),
    Filters(filters::Args),
    #[command(subcommand)]
    Neocognitron(neocognitron::Verb),
}

impl Cortex {
    /// Does it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Cortex::Experiment(args) => args.run(),
            Cortex::See(args) => args.run(),
            Cortex::Filters(args) => args.run(),
            Cortex::Neocognitron(verb) => verb.run(),
        }
    }
}

/// Reads one picture; an error begins with its file.
fn picture(file: &Path) -> Result<Picture> {
    read(file, &Limits::default()).map_err(|e| anyhow::anyhow!("{} {e}", file.display()))
}

/// The pictures of a file or of a folder, by their names' order.
fn pictures(path: &Path) -> Result<(Vec<PathBuf>, Vec<Picture>)> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
        files = entries.into_iter().filter(|f| f.is_file() && !hidden(f)).collect();
        files.sort();
    }
    if files.is_empty() {
        bail!("{}: no pictures in this folder", path.display());
    }
    let pictures = files.iter().map(|f| picture(f)).collect::<Result<Vec<_>>>()?;
    Ok((files, pictures))
}

fn hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'))
}
