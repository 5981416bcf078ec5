//! `striate calibrate`: what a model's probabilities are worth, measured on held-out images and kept in its file.

use super::data_args::{DataArgs, list};
use super::parts::Opened;
use super::results::{self, AT_ONCE};
use super::{Machine, must_fit_to_predict, print_json, print_line};
use crate::progress::remark;
use crate::report::in_words;
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_train::{Calibrated, KnownBy, Logits, Model};

/// The share of recognised images that is kept by default.
pub const KEEP: f64 = 0.95;

/// Make a model's probabilities fit how often it is right, and let it say "unknown"
#[derive(clap::Args)]
#[command(after_help = "\
`striate train` does the same at its end, where images are held out; this is for models without it, for weights from elsewhere, \
and for another score or share. The images are those that were held out in training; of data that the model was not trained on, \
the validation part, or everything where there is none.

One temperature, from 0.05 to 20, is fitted: the one at which all logits, divided by it, give the least cross-entropy (Guo et \
al. 2017). The order of the classes stays as it is, and so does the accuracy. Where every image is recognised, the temperature is \
1: how often the network errs is then not known.

An image is unknown if its score lies below a threshold. The score is the highest probability at that temperature \
(max-probability), or T · ln Σ exp(z / T) of its logits z (energy: Liu et al. 2020). The threshold is chosen so that --keep of the \
recognised images lie above it; with fewer than 20 images it is rough.

The model's file is replaced as a whole or not at all, and its weights stay as they are to the bit.

Examples:
  striate calibrate best.safetensors photos/
  striate calibrate best.safetensors photos/ --score energy --keep 0.99 --out careful.safetensors

With --json: {\"temperature\", \"unknown\": {\"score\", \"threshold\", \"kept\"}, \"images\", \"ece_before\", \"ece_after\", \
\"rough\", \"part\", \"model\"}; `kept` is the share of the recognised images at or above the threshold.")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// The data set: as for `striate train`; its classes must be among the model's
    data: String,
    /// What tells known images from unknown ones
    #[arg(long, value_enum, default_value = "max-probability")]
    score: ScoreName,
    /// The share of recognised images that is kept, above 0 and up to 1
    #[arg(long, value_name = "SHARE", default_value_t = KEEP, value_parser = share)]
    keep: f64,
    /// Where the calibrated model is written [default: in place of MODEL]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = AT_ONCE as u32, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScoreName {
    MaxProbability,
    Energy,
}

impl From<ScoreName> for KnownBy {
    fn from(name: ScoreName) -> KnownBy {
        match name {
            ScoreName::MaxProbability => KnownBy::MaxProbability,
            ScoreName::Energy => KnownBy::Energy,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "expected a share above 0 and up to 1".into())
}

impl Args {
    /// Calibrates the model.
    pub fn run(self) -> Result<ExitCode> {
        let (cpu, mut model) = (self.machine.cpu()?, Model::read(&self.model)?);
        let (batch, precision) = (self.batch as usize, model.trained_in());
        must_fit_to_predict(&model.graph, batch, precision)?;
        let opened = Opened::for_model(&model, &self.model, &self.data, &self.data_args)?;
        let part = opened.held_out();
        let split = opened.images(part).context("calibrating takes images that the model was not trained on")?;
        let mut logits = Logits::new(model.card.classes.len(), split.len());
        let images = results::Part { data: &opened.data, spec: &self.data, split, name: part.spelt() };
        let mut evaluator = model.evaluator(cpu, batch, precision)?;
        let (_, _, failed) =
            images.score_hearing(&mut evaluator, &model, &self.data_args.loading(), |batch, rows| {
                logits.add(rows, &batch.labels, &batch.indices);
            })?;
        if !failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are not counted:", failed.len()));
            list(&failed);
        }
        let calibrated = Calibrated::fit(&logits, self.score.into(), self.keep);
        let calibrated =
            calibrated.context("the network's answers are not numbers, so nothing can be fitted to them")?;
        model.card.calibration = Some(calibrated.clone());
        let out = self.out.as_ref().unwrap_or(&self.model);
        model.write(out)?;
        if self.json {
            let mut object = json!(calibrated);
            object["rough"] = json!(calibrated.is_rough());
            object["part"] = json!(part.short());
            object["model"] = json!(out.to_string_lossy());
            print_json(&object)?;
        } else {
            print_line(&in_words(&calibrated))?;
            print_line(&format!("model {}", out.display()))?;
        }
        warn(&calibrated);
        Ok(ExitCode::SUCCESS)
    }
}

/// Says where a calibration is not to be relied on.
pub fn warn(c: &Calibrated) {
    if c.is_rough() {
        let n = c.images;
        remark(&format!("note: temperature and threshold are rough: {n} held-out images are few"));
    }
    if c.unknown.is_none() {
        remark("note: no held-out image was recognised, so there is no threshold for unknown images");
    }
}
