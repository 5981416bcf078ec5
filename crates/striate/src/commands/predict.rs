//! `striate predict`: what a model takes pictures for.

use super::memory_args::{Limit, MemoryArgs, limit, program};
use super::{Machine, PrecisionArgs, fast_in_bf16, must_fit_to_predict, print_json, print_line};
use crate::figures::{bytes, percent};
use crate::progress::remark;
use anyhow::{Context, Result};
use serde::Serialize;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use striate_data::{Limits, Loader, LoaderOptions, Sample, Source, Split};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{Model, PrecisionWish};

/// Say what a model takes pictures for
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate predict best.safetensors cat.jpg dog.png
  striate predict best.safetensors photos/          every picture in the folder and below
  striate predict best.safetensors *.jpg --top 1 --json
  striate predict best.safetensors satellite.jpg --full-size --memory-limit 1GB

With --full-size pictures keep their size, whatever the network was trained on: networks that end in a global or adaptive \
pooling (ResNet, GoogLeNet, MobileNet, VGG, …) take any. Large ones go through the network in bands of rows that overlap, \
with the same answer as if they went through whole. Things should be about as large in pixels as in training.

With --json: a line per image, {\"file\", \"predictions\": [{\"class\", \"index\", \"probability\"}, …]}. \
An unreadable picture is named on stderr and passed over; the exit code is then 1.")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Pictures, or folders of pictures
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// How many of the likeliest classes to tell
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Most pixels an image may have
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    max_pixels: u64,
    /// Pictures at their own size, not brought to that of the training images
    #[arg(long, conflicts_with = "batch")]
    full_size: bool,
    /// With --full-size, the most memory that the process may take: 2GB, 512MiB, or 80% of what is free [default: a
    /// gigabyte beside the model and the picture, or half of what is free if that is less]
    #[arg(long, value_name = "SIZE", value_parser = limit, requires = "full_size")]
    memory_limit: Option<Limit>,
    /// One JSON object a line on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
}

/// Bytes that a picture of its own size takes at most, unless it is said otherwise.
const FULL_SIZE: usize = 1_000_000_000;

#[derive(Serialize)]
struct Line<'a> {
    file: Cow<'a, str>,
    predictions: Vec<Prediction<'a>>,
}

#[derive(Serialize)]
struct Prediction<'a> {
    class: &'a str,
    index: usize,
    probability: f32,
}

impl Args {
    /// Predicts.
    pub fn run(self) -> Result<ExitCode> {
        let (cpu, model) = (self.machine.cpu()?, Model::read(&self.model)?);
        let mut files = Vec::new();
        for path in &self.images {
            collect(path, &mut files)?;
        }
        let precision = self.decide(&cpu, &model);
        if self.full_size {
            return self.at_full_size(&cpu, model, &files, precision);
        }
        let batch = (self.batch as usize).min(files.len().max(1));
        must_fit_to_predict(&model.graph, batch, precision)?;
        let mut evaluator = model.evaluator(cpu, batch, precision)?;
        let samples = files.iter().map(|f| Sample::new(Source::File(f.clone()), 0)).collect();
        let limits = Limits { max_pixels: self.max_pixels };
        let options = LoaderOptions { batch, limits, ..LoaderOptions::default() };
        let loader = Loader::new(Arc::new(Split { samples }), model.card.preprocessing.clone(), options);
        let classes = model.card.classes.len();
        let mut failed = 0;
        for batch in loader {
            for left_out in &batch.failed {
                remark(&format!("error: {left_out}"));
                failed += 1;
            }
            if batch.is_empty() {
                continue;
            }
            let probabilities = evaluator.probabilities(&model.parameters, &batch.images, batch.len())?;
            for (&index, row) in batch.indices.iter().zip(probabilities.chunks_exact(classes)) {
                let predictions = top(row, &model.card.classes, self.top as usize);
                self.print(&Line { file: files[index].to_string_lossy(), predictions })?;
            }
        }
        Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// What to compute in. There are no held-out images here; a model that was trained in bf16 was checked on some then.
    fn decide(&self, cpu: &Cpu, model: &Model) -> Precision {
        let trained = model.card.trained.as_ref().is_some_and(|t| t.precision.as_deref() == Some("bf16"));
        let mut decision = self.precision.wish().first(fast_in_bf16(cpu), trained);
        if decision.precision == Precision::Bf16 && self.precision.wish() == PrecisionWish::Auto {
            decision.why += ", and the model was trained in it";
        }
        self.precision.tell(&decision);
        decision.precision
    }

    /// Predicts pictures one by one, at their own size.
    fn at_full_size(
        &self,
        cpu: &Arc<Cpu>,
        mut model: Model,
        files: &[PathBuf],
        precision: Precision,
    ) -> Result<ExitCode> {
        let limits = Limits { max_pixels: self.max_pixels };
        let mut failed = 0;
        for file in files {
            let picture = match striate_data::read(file, &limits) {
                Ok(picture) => picture,
                Err(e) => {
                    remark(&format!("error: {} {e}", file.display()));
                    failed += 1;
                    continue;
                }
            };
            let seen = model.at_full_size(cpu, &picture, precision, self.full_size_limit()?)?;
            let (w, h, memory) = (picture.width, picture.height, bytes(seen.memory));
            let bands = if seen.bands > 1 { format!("in {} bands", seen.bands) } else { "whole".into() };
            remark(&format!("{}: {w}×{h} pixels {bands}, {memory} of memory", file.display()));
            let predictions = top(&seen.probabilities, &model.card.classes, self.top as usize);
            self.print(&Line { file: file.to_string_lossy(), predictions })?;
        }
        Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Bytes that a picture may take beside what the process has now.
    fn full_size_limit(&self) -> Result<usize> {
        let now = program();
        let free = MemoryArgs { memory_limit: None }.limit(now)?.map_or(usize::MAX, |limit| limit - now);
        if self.memory_limit.is_none() {
            return Ok(FULL_SIZE.min(free / 2));
        }
        let limit = MemoryArgs { memory_limit: self.memory_limit }.limit(now)?;
        Ok(limit.unwrap_or(usize::MAX).saturating_sub(now))
    }

    fn print(&self, line: &Line<'_>) -> Result<()> {
        if self.json {
            return print_json(line);
        }
        let named = |p: &Prediction<'_>| format!("{} {}", p.class, percent(f64::from(p.probability)));
        let all: Vec<_> = line.predictions.iter().map(named).collect();
        print_line(&format!("{}: {}", line.file, all.join(", ")))?;
        Ok(())
    }
}

/// The likeliest classes, in order; of equal ones the first.
fn top<'a>(probabilities: &[f32], classes: &'a [String], count: usize) -> Vec<Prediction<'a>> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    let of = |index: usize| Prediction { class: &classes[index], index, probability: probabilities[index] };
    order.into_iter().take(count).map(of).collect()
}

/// Endings of the picture formats that can be read; in folders, other files are passed over.
const ENDINGS: &[&str] =
    &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "pnm", "ppm", "pgm", "pbm", "pam"];

/// Adds a file, or the pictures of a folder and below, in order.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{}: cannot be listed", path.display()))?;
    let mut entries = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    let before = files.len();
    for entry in entries {
        let picture = |e: &Path| e.extension().is_some_and(|x| ENDINGS.iter().any(|k| x.eq_ignore_ascii_case(k)));
        if (entry.is_dir() && !entry.is_symlink()) || picture(&entry) {
            collect(&entry, files)?;
        }
    }
    if files.len() == before {
        remark(&format!("warning: {}: no pictures in this folder", path.display()));
    }
    Ok(())
}
