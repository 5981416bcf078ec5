//! The verbs, one file each. Adding one: a file with its arguments and `run`, and a line in [`Command`].

mod augmentation;
mod bench;
mod calibrate;
mod compare;
mod cortex;
mod cost;
mod data_args;
mod detect;
mod doctor;
mod eval;
mod explain;
mod export;
mod features;
mod folds;
mod golden;
mod gradients;
mod import;
mod memory_args;
mod models;
mod network_args;
mod parts;
mod predict;
mod report;
mod results;
mod runs;
mod split;
mod summary;
mod train;
mod transfer;
mod view_args;

use crate::figures::{available_memory, bytes};
use crate::progress::remark;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use striate_engine::{Memory, Precision, Request};
use striate_graph::Graph;
use striate_kernels::{Bf16, Cpu};
use striate_train::{Decision, PrecisionWish, precision_name};
use striate_weights::write_atomic;

/// What to do.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // One value a process.
pub enum Command {
    Train(train::Args),
    Transfer(transfer::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Import(import::Args),
    Export(export::Args),
    Features(features::Args),
    Explain(explain::Args),
    Calibrate(calibrate::Args),
    Report(report::Args),
    Runs(runs::Args),
    Models(models::Args),
    Compare(compare::Args),
    Split(split::Args),
    Summary(summary::Args),
    Doctor(doctor::Args),
    #[command(subcommand)]
    Cost(cost::Cost),
    #[command(subcommand)]
    Detect(detect::Detect),
    #[command(subcommand)]
    Bench(bench::Bench),
    #[command(subcommand)]
    Cortex(cortex::Cortex),
    Gradients(gradients::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Command::Train(args) => args.run(),
            Command::Transfer(args) => args.run(),
            Command::Eval(args) => args.run(),
            Command::Predict(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Features(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Calibrate(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Runs(args) => args.run(),
            Command::Models(args) => args.run(),
            Command::Compare(args) => args.run(),
            Command::Split(args) => args.run(),
            Command::Summary(args) => args.run(),
            Command::Doctor(args) => args.run(),
            Command::Cost(cost) => cost.run(),
            Command::Detect(detect) => detect.run(),
            Command::Bench(bench) => bench.run(),
            Command::Cortex(cortex) => cortex.run(),
            Command::Gradients(args) => args.run(),
        }
    }
}

/// What verbs that run a network compute in.
#[derive(clap::Args)]
pub struct PrecisionArgs {
    /// How activations are kept: f32; bf16, half as long (parameters and all sums stay f32); or auto: bf16 where this
    /// machine is fast at it and the accuracy on held-out images does not suffer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "f32")]
    precision: PrecisionName,
}

/// A precision on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrecisionName {
    F32,
    Bf16,
    Auto,
}

impl PrecisionArgs {
    /// What is wished for.
    pub fn wish(&self) -> PrecisionWish {
        match self.precision {
            PrecisionName::F32 => PrecisionWish::F32,
            PrecisionName::Bf16 => PrecisionWish::Bf16,
            PrecisionName::Auto => PrecisionWish::Auto,
        }
    }

    /// Says what was decided, where that is not as it always was.
    pub fn tell(&self, decision: &Decision) {
        if self.precision != PrecisionName::F32 {
            remark(&format!("{}: {}", precision_name(decision.precision), decision.why));
        }
    }
}

/// Reads a precision that figures are stated for.
pub fn precision(text: &str) -> Result<Precision, String> {
    let all = [Precision::F32, Precision::Bf16];
    all.into_iter().find(|p| precision_name(*p) == text).ok_or_else(|| "expected f32 or bf16".into())
}

/// Whether this machine computes faster in bf16: on matrix tiles.
pub fn fast_in_bf16(cpu: &Cpu) -> bool {
    cpu.bf16() == Bf16::Amx
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
pub fn must_fit_to_predict(graph: &Graph, batch: usize, precision: Precision) -> Result<()> {
    let memory = Memory::of(graph, &Request { precision, ..Request::predict(batch) })?;
    must_fit(memory.total())
}

/// The name with an ending behind it, whatever points it has already.
fn ending(stem: &OsStr, ending: &str) -> PathBuf {
    let mut name = stem.to_owned();
    name.push(".");
    name.push(ending);
    name.into()
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
