//! `striate cortex neocognitron eval`.

use super::{fitting, read_all, read_network, recognise, scored};
use crate::commands::data_args::DataArgs;
use crate::commands::{Machine, print_json, print_line, print_table};
use crate::figures::percent;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Score a Neocognitron on a data set's test images
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate cortex neocognitron eval runs/cortex/neocognitron/neocognitron.safetensors mnist/
  striate cortex neocognitron eval neocognitron.safetensors mnist/ --interpolate

With --json: {\"accuracy\", \"error\", \"images\", \"part\", \"silent\", \"seconds\", \"confusion\": [[count, …], …]}, rows by true class.")]
pub struct Args {
    /// The network's file
    model: PathBuf,
    /// The data set
    data: String,
    /// Decides what is held out where the data has no test part; as in training
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Score by vectors between those of the last layer's planes, as Fukushima did from 2007 on
    #[arg(long)]
    interpolate: bool,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Scores and prints.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let (mut network, _) = read_network(&cpu, &self.model)?;
        network.interpolate(self.interpolate);
        let data = fitting(self.data_args.open(&self.data, self.seed, self.data_args.val_share)?, &network)?;
        let (split, part) = scored(&data);
        let (pictures, labels) = read_all(split, 0..split.len())?;
        let start = Instant::now();
        let found = recognise(&cpu, &network, &pictures);
        let seconds = start.elapsed().as_secs_f64();
        let classes = network.classes.len();
        let mut confusion = vec![vec![0_usize; classes]; classes];
        let mut silent = 0;
        for (found, label) in found.iter().zip(&labels) {
            match found {
                Some(class) => confusion[*label as usize][*class as usize] += 1,
                None => silent += 1,
            }
        }
        let right: usize = (0..classes).map(|c| confusion[c][c]).sum();
        let accuracy = right as f64 / labels.len() as f64;
        if self.json {
            let object = json!({
                "accuracy": accuracy, "error": 1.0 - accuracy, "images": labels.len(), "part": part,
                "silent": silent, "seconds": seconds, "confusion": confusion,
            });
            print_json(&object)?;
            return Ok(ExitCode::SUCCESS);
        }
        let n = labels.len();
        print_line(&format!(
            "{} of {n} {part} images right, {silent} not answered, {seconds:.1} s",
            percent(accuracy)
        ))?;
        let row = |c: usize| {
            let shown: usize = labels.iter().filter(|l| **l as usize == c).count();
            let share = confusion[c][c] as f64 / shown.max(1) as f64;
            let wrong = (0..classes).filter(|o| *o != c).max_by_key(|o| confusion[c][*o]);
            let wrong = wrong.filter(|o| confusion[c][*o] > 0);
            let mistaken = wrong.map_or_else(String::new, |o| format!("{} ×{}", network.classes[o], confusion[c][o]));
            vec![network.classes[c].clone(), shown.to_string(), percent(share), mistaken]
        };
        print_table(&["class", "images", "right", "most often taken for"], &(0..classes).map(row).collect::<Vec<_>>())?;
        Ok(ExitCode::SUCCESS)
    }
}
