//! `striate predict`: what a model takes pictures for.

mod output;
mod pictures;
mod pipeline;
mod predictor;
mod row;
mod table;

use super::data_args::DecodingArgs;
use super::memory_args::{Limit, MemoryArgs, limit, program};
use super::view_args::ViewArgs;
use super::{Machine, PrecisionArgs, fast_in_bf16, must_fit_to_predict, print_json, print_line};
use crate::figures::{bytes, duration, thousands};
use crate::pipeline_model::PipelineModel;
use crate::progress::{Bar, remark};
use anyhow::{Context, Result, bail};
use output::{Begun, Done, Existing, Output};
pub(super) use pictures::Pictures;
use predictor::Predictor;
use row::{Judge, Row};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use striate_data::{LoaderOptions, sha256_of_file};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{KnownBy, Model, PrecisionWish, Reading, precision_name};

/// Say what a model takes pictures for
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate predict best.safetensors cat.jpg dog.png
  striate predict best.safetensors photos/          every picture in the folder and below
  striate predict best.safetensors *.jpg --top 1 --json
  striate predict best.safetensors photos/ --out results.csv
  striate predict best.safetensors photos/ --out results.csv --resume
  striate predict best.safetensors cat.jpg --crops 10
  striate predict best.safetensors satellite.jpg --full-size --memory-limit 1GB

Where the model is calibrated (`striate train` does it with the held-out images, `striate calibrate` later), probabilities are \
those at its temperature, and an image whose score lies below its threshold is answered with `unknown`, the likeliest classes \
beside it. --no-calibration takes the network as it is; --unknown-below sets another threshold. With --crops or --flip, the \
score is that of the mean probabilities, or the mean energy.

With --out there is a row an image, in the order of the paths, with the columns path, class, probability, unknown, class_2, \
probability_2, … (as many as --top) and error, which says why a picture could not be read; that never ends the work, and the exit \
code is 0. `class` is the likeliest class, also of unknown images. JSON lines have predictions: [{\"class\", \"index\", \
\"probability\"}, …] instead of columns. Memory does not grow with the number of images. Rows are in the file as soon as they are \
made; after a kill, the same command with --resume cuts off a last half row, predicts what is missing (new pictures, too; but \
not again what could not be read), and leaves the same file as if it had never been interrupted. What the rows were made with is \
kept beside, in results.csv.state: with another model, or other options, it is not resumed. Rows of a Parquet file wait in \
results.parquet.rows until all are there.

With --full-size pictures keep their size, whatever the network was trained on: networks that end in a global or adaptive \
pooling (ResNet, GoogLeNet, MobileNet, VGG, …) take any. Large ones go through the network in bands of rows that overlap, \
with the same answer as if they went through whole. Things should be about as large in pixels as in training.

With --json: a line per image, {\"file\", \"unknown\", \"predictions\": [{\"class\", \"index\", \"probability\"}, …]}. An unreadable \
picture is named on stderr and passed over; the exit code is then 1. With --out: {\"out\", \"images\", \"already\", \
\"unreadable\", \"unknown\", \"seconds\"}, where `images` are all rows, `already` those that were there, and the others count the \
new ones.")]
#[allow(clippy::struct_excessive_bools)] // Flags of the command line.
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Pictures, or folders of pictures
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// How many of the likeliest classes to tell
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Write a table: .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on with the table where it was interrupted, or begin it
    #[arg(long, requires = "out", conflicts_with = "overwrite")]
    resume: bool,
    /// Begin the table anew if it is there
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// The network's own probabilities, and no image unknown
    #[arg(long)]
    no_calibration: bool,
    /// Images with a lower score are unknown, instead of the model's threshold: a probability from 0 to 1, or an energy where
    /// the model tells unknown images by that
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    unknown_below: Option<f64>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Pictures at their own size, not brought to that of the training images
    #[arg(long, conflicts_with_all = ["batch", "crops", "flip"])]
    full_size: bool,
    /// With --full-size, the most memory that the process may take: 2GB, 512MiB, or 80% of what is free [default: a
    /// gigabyte beside the model and the picture, or half of what is free if that is less]
    #[arg(long, value_name = "SIZE", value_parser = limit, requires = "full_size")]
    memory_limit: Option<Limit>,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    views: ViewArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    decoding: DecodingArgs,
}

/// Bytes that a picture of its own size takes at most, unless it is said otherwise.
const FULL_SIZE: usize = 1_000_000_000;

/// About so many files are named ahead of the network.
const AHEAD: usize = 4096;

/// What tells classes.
enum Teller {
    Network(Box<Model>),
    Pipeline(Box<PipelineModel>),
}

/// What has been done.
#[derive(Default)]
struct Tally {
    images: u64,
    unreadable: u64,
    unknown: u64,
}

impl Args {
    /// Predicts.
    pub fn run(self) -> Result<ExitCode> {
        let (start, cpu) = (Instant::now(), self.machine.cpu()?);
        let model = match PipelineModel::read(&self.model)? {
            Some(pipeline) => Teller::Pipeline(Box::new(pipeline)),
            None => Teller::Network(Box::new(Model::read(&self.model)?)),
        };
        let judge = self.judge(&model)?;
        let precision = self.decide(&cpu, &model);
        let without = |folder: &Path| remark(&format!("warning: {}: no pictures in this folder", folder.display()));
        let mut total = 0u64;
        for picture in Pictures::new(&self.images, without) {
            picture?;
            total += 1;
        }
        let (mut output, mut done) = match &self.out {
            None => (None, Done::default()),
            Some(path) => match Output::begin(path, judge.top, &self.made_with(&judge, precision)?, self.existing())? {
                Begun::Open(output, done) => (Some(output), done),
                Begun::Whole => {
                    remark(&format!("{}: is finished; --overwrite begins it anew", path.display()));
                    return Ok(ExitCode::SUCCESS);
                }
            },
        };
        let (already, mut tally, bar) = (done.rows, Tally::default(), Bar::new());
        if output.is_some() {
            bar.begin("predicting", total);
        }
        let take = |rows: &[Row]| -> Result<()> {
            tally.images += rows.len() as u64;
            tally.unreadable += rows.iter().filter(|row| row.error.is_some()).count() as u64;
            tally.unknown += rows.iter().filter(|row| row.unknown == Some(true)).count() as u64;
            let Some(output) = &mut output else { return rows.iter().try_for_each(|row| self.print(row)) };
            output.write(rows)?;
            bar.at(already + tally.images, || estimate(tally.images, total.saturating_sub(already), start));
            Ok(())
        };
        let files = Pictures::new(&self.images, |_| {});
        let missing = files.filter(|file| !file.as_ref().is_ok_and(|file| done.take(file)));
        match model {
            Teller::Pipeline(model) => pipeline::predict(&cpu, &model, &judge, &self.loading(), missing, take)?,
            Teller::Network(model) if self.full_size => {
                self.at_full_size(&cpu, *model, &judge, precision, missing, take)?;
            }
            Teller::Network(model) => self.predict(cpu, *model, judge, precision, (missing, total), take)?,
        }
        bar.end();
        match output {
            None => Ok(if tally.unreadable > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }),
            Some(output) => {
                output.finish()?;
                self.sum_up(&tally, already, start)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// How logits become answers.
    fn judge(&self, model: &Teller) -> Result<Judge> {
        let (classes, calibration, calibrated) = match model {
            Teller::Network(m) => (&m.card.classes, m.card.calibration.as_ref(), m.reading()),
            Teller::Pipeline(_) if self.full_size || self.views.views().count() > 1 => {
                let name = self.model.display();
                bail!("{name}: --full-size, --crops and --flip are for networks, and this is a classical pipeline")
            }
            Teller::Pipeline(m) => (&m.card.classes, None, Reading::PLAIN),
        };
        let calibration = calibration.filter(|_| !self.no_calibration);
        let reading = calibration.map_or(Reading::PLAIN, |_| calibrated);
        let chosen = calibration.and_then(|c| c.unknown).map(|unknown| unknown.threshold);
        let threshold = self.unknown_below.or(chosen);
        let possible = |x: f64| x.is_finite() && (reading.known_by == KnownBy::Energy || (0.0..=1.0).contains(&x));
        if let Some(x) = self.unknown_below.filter(|&x| !possible(x)) {
            bail!("--unknown-below is {x}, but the score is a probability: from 0 to 1 is possible");
        }
        let classes = classes.clone();
        Ok(Judge { reading, threshold, top: (self.top as usize).min(classes.len()), classes })
    }

    fn existing(&self) -> Existing {
        match (self.resume, self.overwrite) {
            (true, _) => Existing::Resumed,
            (_, true) => Existing::Overwritten,
            _ => Existing::Refused,
        }
    }

    /// All that rows depend on, beside the pictures.
    fn made_with(&self, judge: &Judge, precision: Precision) -> Result<Map<String, Value>> {
        let (views, reading) = (self.views.views(), judge.reading);
        let model = sha256_of_file(&self.model).with_context(|| format!("{}: cannot be read", self.model.display()))?;
        let object = json!({
            "model": model, "top": judge.top, "batch": self.batch, "full_size": self.full_size,
            "five_windows": views.five, "mirrored": views.mirrored, "precision": precision_name(precision),
            "temperature": reading.temperature, "known_by": reading.known_by.name(), "unknown_below": judge.threshold,
            "max_pixels": self.decoding.limits().max_pixels,
        });
        let Value::Object(object) = object else { unreachable!("an object is written above") };
        Ok(object)
    }

    /// What to compute in. There are no held-out images here; a model that was trained in bf16 was checked on some then.
    fn decide(&self, cpu: &Cpu, model: &Teller) -> Precision {
        let Teller::Network(model) = model else { return Precision::F32 };
        let trained = model.card.trained.as_ref().is_some_and(|t| t.precision.as_deref() == Some("bf16"));
        let mut decision = self.precision.wish().first(fast_in_bf16(cpu), trained);
        if decision.precision == Precision::Bf16 && self.precision.wish() == PrecisionWish::Auto {
            decision.why += ", and the model was trained in it";
        }
        self.precision.tell(&decision);
        decision.precision
    }

    /// How pictures are read for a pipeline.
    fn loading(&self) -> LoaderOptions {
        let (batch, workers, limits) = (self.batch as usize, self.decoding.workers(), self.decoding.limits());
        LoaderOptions { batch, workers, limits, ..LoaderOptions::default() }
    }

    /// Predicts pictures at the network's size, of which there are `total` in all.
    fn predict(
        &self,
        cpu: Arc<Cpu>,
        model: Model,
        judge: Judge,
        precision: Precision,
        (files, total): (impl Iterator<Item = Result<PathBuf>>, u64),
        mut take: impl FnMut(&[Row]) -> Result<()>,
    ) -> Result<()> {
        let views = self.views.views();
        let all = usize::try_from(total).unwrap_or(usize::MAX).saturating_mul(views.count());
        let at_once = (self.batch as usize).min(all.max(1));
        must_fit_to_predict(&model.graph, at_once, precision)?;
        let evaluator = model.evaluator(cpu, at_once, precision)?;
        let batch = (at_once / views.count()).max(1);
        let (workers, limits) = (self.decoding.workers(), self.decoding.limits());
        let loading = LoaderOptions { batch, views, workers, limits, ..LoaderOptions::default() };
        let mut predictor = Predictor { model, evaluator, loading, judge };
        let (mut ahead, most) = (Vec::new(), batch * (AHEAD / batch).max(1));
        for file in files {
            ahead.push(file?);
            if ahead.len() == most {
                predictor.predict(&ahead, &mut take)?;
                ahead.clear();
            }
        }
        predictor.predict(&ahead, take)
    }

    /// Predicts pictures one by one, at their own size.
    fn at_full_size(
        &self,
        cpu: &Arc<Cpu>,
        mut model: Model,
        judge: &Judge,
        precision: Precision,
        files: impl Iterator<Item = Result<PathBuf>>,
        mut take: impl FnMut(&[Row]) -> Result<()>,
    ) -> Result<()> {
        for file in files {
            let file = file?;
            let row = match striate_data::read(&file, &self.decoding.limits()) {
                Ok(picture) => {
                    let seen = model.at_full_size(cpu, &picture, precision, self.full_size_limit()?)?;
                    let (w, h, memory) = (picture.width, picture.height, bytes(seen.memory));
                    let bands = if seen.bands > 1 { format!("in {} bands", seen.bands) } else { "whole".into() };
                    if self.out.is_none() {
                        remark(&format!("{}: {w}×{h} pixels {bands}, {memory} of memory", file.display()));
                    }
                    judge.row(&file, &seen.logits)
                }
                Err(e) => Row::failed(&file, &e.to_string()),
            };
            take(&[row])?;
        }
        Ok(())
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

    /// Tells of a picture on stdout, or of one that could not be read on stderr.
    fn print(&self, row: &Row) -> Result<()> {
        match &row.error {
            Some(why) => {
                remark(&format!("error: {} {why}", row.path));
                Ok(())
            }
            None if self.json => print_json(&row.object()),
            None => print_line(&row.line()),
        }
    }

    /// Says what a table holds.
    fn sum_up(&self, tally: &Tally, already: u64, start: Instant) -> Result<()> {
        let out = self.out.as_deref().unwrap_or(Path::new("")).display().to_string();
        let (images, seconds) = (already + tally.images, start.elapsed().as_secs_f64());
        if tally.unreadable > 0 {
            let n = thousands(tally.unreadable);
            remark(&format!("warning: {n} images could not be read; the column error says why"));
        }
        if self.json {
            return print_json(&json!({
                "out": out, "images": images, "already": already, "unreadable": tally.unreadable,
                "unknown": tally.unknown, "seconds": seconds,
            }));
        }
        let before = if already > 0 { format!(", {} of them before", thousands(already)) } else { String::new() };
        let unknown = if tally.unknown > 0 { format!(", {} unknown", thousands(tally.unknown)) } else { String::new() };
        print_line(&format!("{out}: {} images{before}{unknown} ({})", thousands(images), duration(seconds)))
    }
}

/// How fast it goes, and how long it will take.
fn estimate(done: u64, all: u64, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    let speed = done as f64 / seconds.max(1e-9);
    let left = all.saturating_sub(done) as f64 / speed.max(1e-9);
    format!("{speed:.0} images/s, {} left", duration(left))
}
