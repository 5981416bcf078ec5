//! `striate cortex neocognitron`: Fukushima's networks.

mod eval;
mod first;
mod predict;
mod show;
mod tolerance;
mod train;

use crate::progress::Bar;
use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;
use serde_json::{Map, Value};
use std::path::Path;
use std::process::ExitCode;
use striate_cortex::neocognitron::Neocognitron;
use striate_data::{DataSet, Limits, Picture, Split};
use striate_kernels::Cpu;

/// Fukushima's Neocognitron: learn digits, recognise them, and show how
#[derive(Subcommand)]
pub enum Verb {
    Train(train::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Show(show::Args),
    Tolerance(tolerance::Args),
    First(first::Args),
}

impl Verb {
    /// Does it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Verb::Train(args) => args.run(),
            Verb::Eval(args) => args.run(),
            Verb::Predict(args) => args.run(),
            Verb::Show(args) => args.run(),
            Verb::Tolerance(args) => args.run(),
            Verb::First(args) => args.run(),
        }
    }
}

/// Reads a network's file.
fn read_network(cpu: &Cpu, file: &Path) -> Result<(Neocognitron, Map<String, Value>)> {
    let bytes = std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    Neocognitron::from_bytes(cpu, &bytes).map_err(|e| anyhow!("{}: {e}", file.display()))
}

/// The first `most` pictures with their labels, taken from the classes by turns, so that each class has as many.
fn by_turns(split: &Split, classes: usize, most: usize) -> Result<(Vec<Picture>, Vec<u32>)> {
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (i, sample) in split.samples.iter().enumerate() {
        of[sample.label as usize].push(i);
    }
    let longest = of.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| of.iter().filter_map(move |class| class.get(turn).copied()));
    read_all(split, turns.take(most))
}

/// Pictures with their labels, in this order.
fn read_all(split: &Split, which: impl Iterator<Item = usize>) -> Result<(Vec<Picture>, Vec<u32>)> {
    let (mut pictures, mut labels) = (Vec::new(), Vec::new());
    for i in which {
        let sample = &split.samples[i];
        let picture = sample.read(&Limits::default()).map_err(|e| anyhow!("{} {e}", sample.name()))?;
        pictures.push(picture);
        labels.push(sample.label);
    }
    if pictures.is_empty() {
        bail!("there are no pictures in this part of the data");
    }
    Ok((pictures, labels))
}

/// Pictures that are recognised at once.
const AT_ONCE: usize = 64;

/// The classes of pictures, with a progress bar.
fn recognise(cpu: &Cpu, network: &Neocognitron, pictures: &[Picture]) -> Vec<Option<u32>> {
    let bar = Bar::new();
    bar.begin("recognising", pictures.len() as u64);
    let mut found = Vec::with_capacity(pictures.len());
    for some in pictures.chunks(AT_ONCE) {
        found.extend(network.recognise_all(cpu, some));
        bar.at(found.len() as u64, String::new);
    }
    bar.end();
    found
}

/// The part that a network is scored on: the test part if there is one, else the validation part.
fn scored(data: &DataSet) -> (&Split, &'static str) {
    match &data.test {
        Some(test) => (test, "test"),
        None => (&data.val, "val"),
    }
}

/// The labels as a network's classes count them.
fn fitting(data: DataSet, network: &Neocognitron) -> Result<DataSet> {
    Ok(data.with_classes(&network.classes)?)
}

/// Reads so many numbers with commas between them.
fn numbers<const N: usize>(text: &str) -> Result<[f32; N], String> {
    let all: Result<Vec<f32>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    let all = all.ok().filter(|all| all.iter().all(|n| n.is_finite()));
    all.and_then(|all| all.try_into().ok()).ok_or_else(|| format!("expected {N} numbers with commas between them"))
}
