//! The verbs, one file each. Adding one: a file with its arguments and `run`, and a line in [`Command`].

mod bench;
mod cost;
mod data_args;
mod eval;
mod golden;
mod gradients;
mod models;
mod network_args;
mod predict;
mod report;
mod results;
mod runs;
mod summary;
mod train;

use crate::figures::{available_memory, bytes};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use striate_engine::{Memory, Request};
use striate_graph::Graph;
use striate_kernels::Cpu;
use striate_weights::write_atomic;

/// What to do.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // One value a process.
pub enum Command {
    Train(train::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Report(report::Args),
    Runs(runs::Args),
    Models(models::Args),
    Summary(summary::Args),
    #[command(subcommand)]
    Cost(cost::Cost),
    #[command(subcommand)]
    Bench(bench::Bench),
    Gradients(gradients::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Command::Train(args) => args.run(),
            Command::Eval(args) => args.run(),
            Command::Predict(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Runs(args) => args.run(),
            Command::Models(args) => args.run(),
            Command::Summary(args) => args.run(),
            Command::Cost(cost) => cost.run(),
            Command::Bench(bench) => bench.run(),
            Command::Gradients(args) => args.run(),
        }
    }
}

/// A number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    Bf16,
}

impl Precision {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Bf16 => 2,
        }
    }

    /// Whether figures in it are estimates, as the engine does not compute in it yet.
    pub fn is_estimate(self) -> bool {
        self != Precision::F32
    }
}

/// The most threads that can be asked for; starting many more would only stall the machine.
const MOST_THREADS: i64 = 1024;

/// What every verb that computes takes.
#[derive(clap::Args)]
pub struct Machine {
    /// Threads that compute; 0: all cores. Results do not depend on it
    #[arg(long, default_value_t = 0, value_name = "T", value_parser = clap::value_parser!(u16).range(..=MOST_THREADS))]
    pub threads: u16,
}

impl Machine {
    /// The thread pool.
    pub fn cpu(&self) -> Result<Arc<Cpu>> {
        Ok(Arc::new(Cpu::new(self.threads.into())?))
    }
}

/// Fails if this many bytes are more than the machine has free.
pub fn must_fit(need: usize) -> Result<()> {
    match available_memory() {
        Some(free) if free < need => {
            anyhow::bail!(
                "the network takes {}, and {} are free: lower the batch or the image size",
                bytes(need),
                bytes(free)
            )
        }
        _ => Ok(()),
    }
}

/// Fails if predicting so many images at once takes more than the machine has free.
pub fn must_fit_to_predict(graph: &Graph, batch: usize) -> Result<()> {
    let memory = Memory::of(graph, &Request::predict(batch))?;
    must_fit(memory.total())
}

/// Prints a line of JSON on stdout.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print_line(&serde_json::to_string(value)?)
}

/// Prints a line on stdout.
pub fn print_line(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// Writes a text into the file that was asked for, whole or not at all; prints it on stdout for `-`.
pub fn write_text(file: &Path, text: &str) -> Result<()> {
    if file == Path::new("-") {
        return print_line(text.trim_end());
    }
    write_atomic(file, |out| out.write_all(text.as_bytes()))?;
    Ok(())
}

/// Prints a table on stdout: columns as wide as their contents, numbers to the right.
pub fn print_table(header: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let columns = header.len();
    let cells = |column: usize| rows.iter().map(move |r| r[column].as_str());
    let widths: Vec<usize> =
        (0..columns).map(|c| cells(c).chain([header[c]]).map(|s| s.chars().count()).max().unwrap_or(0)).collect();
    // A figure, with its unit if it has one, or the word that stands for one. "69.0 % top-1" is text.
    let figure = |s: &str| s.starts_with(|c: char| c.is_ascii_digit() || c == '-') && s.split(' ').count() <= 2;
    let number = |s: &str| s.is_empty() || s == "whole" || figure(s);
    let right: Vec<bool> = (0..columns).map(|c| cells(c).all(number) && cells(c).any(|s| !s.is_empty())).collect();
    let mut out = std::io::stdout().lock();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| -> Result<()> {
        let padded = cells.enumerate().map(|(c, text)| {
            let width = widths[c];
            if right[c] { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        Ok(())
    };
    line(&mut header.iter().copied())?;
    rows.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}
