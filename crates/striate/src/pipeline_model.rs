//! A classical pipeline as a model: its file, which has the form of a network's (`striate_weights::PipelineFile`), and what it
//! makes of images.

use crate::figures::thousands;
use crate::progress::Bar;
use crate::report::About;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::path::Path;
use striate_classic::{Extract, Pictures, Pipeline, Size};
use striate_data::{LeftOut, Limits, Picture, Sample, Split};
use striate_kernels::Cpu;
use striate_train::{Predictions, Trained};
use striate_weights::PipelineFile;

/// Pictures that are read, or told, at once.
const AT_ONCE: usize = 1024;

/// A pipeline ready to be used.
pub struct PipelineModel {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// What else belongs to it.
    pub card: Card,
}

/// What its file says beside the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The classes' names, in the order of its answers.
    pub classes: Vec<String>,
    /// How it was trained: in one epoch.
    pub trained: Trained,
    /// The licence of what was learnt, if one is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The version of Striate that wrote the file.
    pub striate: String,
}

impl PipelineModel {
    /// Writes its file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let pipeline = serde_json::to_value(&self.pipeline)?;
        let Value::Object(details) = serde_json::to_value(&self.card)? else {
            anyhow::bail!("a description that is no object")
        };
        Ok(PipelineFile { pipeline, details }.write(path)?)
    }

    /// Reads a model file; `None` where it is a network's.
    pub fn read(path: &Path) -> Result<Option<PipelineModel>> {
        let Some(file) = PipelineFile::read(path)? else { return Ok(None) };
        let wrong = |what: &str| format!("{}: its {what} cannot be read", path.display());
        let pipeline: Pipeline = serde_json::from_value(file.pipeline).with_context(|| wrong("pipeline"))?;
        let card: Card = serde_json::from_value(Value::Object(file.details)).with_context(|| wrong("description"))?;
        let (classes, named) = (pipeline.classifier().classes(), card.classes.len());
        if classes != named {
            anyhow::bail!("{}: it names {named} classes for a pipeline that tells {classes}", path.display());
        }
        Ok(Some(PipelineModel { pipeline, card }))
    }

    /// For reports.
    pub fn about(&self) -> About<'_> {
        let (pipeline, size) = (&self.pipeline, self.pipeline.size());
        let kind = if size.channels == 1 { "grey" } else { "colour" };
        let lengths = pipeline.description().extractors().iter().map(|e| e.len(size).unwrap_or(0));
        About {
            name: pipeline.recipe().to_string(),
            classes: &self.card.classes,
            trained: Some(&self.card.trained),
            calibration: None,
            licence: self.card.licence.as_deref(),
            striate: &self.card.striate,
            facts: vec![
                ("recipe", pipeline.recipe().to_string()),
                ("features an image", thousands(lengths.sum::<usize>() as u64)),
                ("what the classifier sees of it", thousands(pipeline.classifier().inputs() as u64)),
                ("input", format!("{}×{} pixels, {kind}", size.width, size.height)),
            ],
            epochs: false,
        }
    }

    /// The probabilities of every class for pictures, as logarithms, row by row; of scores where the classifier knows no
    /// probabilities, which then are no more than an order.
    pub fn logits(&self, cpu: &Cpu, pictures: &dyn Pictures) -> Result<Vec<f32>> {
        /// Less than this counts as this, so that there are no infinities.
        const LEAST: f32 = 1e-7;
        let rows = self.pipeline.features(cpu, pictures)?;
        let classifier = self.pipeline.classifier();
        Ok(match classifier.probabilities(cpu, &rows)? {
            Some(p) => p.values().iter().map(|p| p.max(LEAST).ln()).collect(),
            None => classifier.scores(cpu, &rows)?.values().to_vec(),
        })
    }

    /// What it makes of every image of a part, with a progress bar; the files that could not be read are told beside.
    pub fn judge(
        &self,
        cpu: &Cpu,
        split: &Split,
        what: &str,
        limits: Limits,
        workers: usize,
    ) -> Result<(Predictions, Vec<LeftOut>)> {
        let (mut predictions, mut failed) = (Predictions::new(self.card.classes.len()), Vec::new());
        each_piece(split, self.pipeline.size(), what, limits, workers, |mut images| {
            failed.append(&mut images.failed);
            if !images.pictures.is_empty() {
                predictions.add(&self.logits(cpu, &images.pictures)?, &images.labels, &images.places);
            }
            Ok(())
        })?;
        some_read(predictions.images.len(), &failed)?;
        Ok((predictions, failed))
    }
}

/// The picture in so many channels, where that loses nothing; as it is where it would.
fn in_channels(picture: Picture, channels: usize) -> Picture {
    match (channels, picture.channels) {
        (3, 1) => picture.to_colour(),
        (1, 3) if picture.is_grey() => picture.to_grey(),
        _ => picture,
    }
}

/// Images of a part, brought to a size.
#[derive(Default)]
pub struct Images {
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Their classes.
    pub labels: Vec<u32>,
    /// Their places in the part.
    pub places: Vec<usize>,
    /// The files that could not be read.
    pub failed: Vec<LeftOut>,
}

/// Reads a part's images with a progress bar, and brings them to a size.
pub fn read_all(split: &Split, size: Size, what: &str, limits: Limits, workers: usize) -> Result<Images> {
    let mut all = Images::default();
    each_piece(split, size, what, limits, workers, |mut images| {
        all.pictures.append(&mut images.pictures);
        all.labels.append(&mut images.labels);
        all.places.append(&mut images.places);
        all.failed.append(&mut images.failed);
        Ok(())
    })?;
    some_read(all.pictures.len(), &all.failed)?;
    Ok(all)
}

/// Fails if there is not one image.
fn some_read(images: usize, failed: &[LeftOut]) -> Result<()> {
    if images > 0 {
        return Ok(());
    }
    let first = failed.first().map(|f| format!("; the first: {f}")).unwrap_or_default();
    anyhow::bail!("none of {} images could be read{first}", failed.len())
}

/// Reads a part piece by piece, with a progress bar.
fn each_piece(
    split: &Split,
    size: Size,
    what: &str,
    limits: Limits,
    workers: usize,
    mut take: impl FnMut(Images) -> Result<()>,
) -> Result<()> {
    let bar = Bar::new();
    bar.begin(what, split.len() as u64);
    for (piece, samples) in split.samples.chunks(AT_ONCE).enumerate() {
        let mut images = Images::default();
        for (place, read) in read(samples, size, limits, workers).into_iter().enumerate() {
            match read {
                Ok(picture) => {
                    images.pictures.push(picture);
                    images.labels.push(samples[place].label);
                    images.places.push(piece * AT_ONCE + place);
                }
                Err(left_out) => images.failed.push(left_out),
            }
        }
        take(images)?;
        bar.at((piece * AT_ONCE + samples.len()) as u64, String::new);
    }
    bar.end();
    Ok(())
}

/// Some images, each brought to a size; those that cannot be read, or lose colour by it, with the reason.
pub fn read(samples: &[Sample], size: Size, limits: Limits, workers: usize) -> Vec<Result<Picture, LeftOut>> {
    let one = |sample: &Sample| {
        let left_out = |reason| LeftOut { path: sample.name().into(), reason };
        let picture = sample.read(&limits).map_err(|e| left_out(e.to_string()))?;
        let picture = in_channels(picture, size.channels);
        size.fit(&picture).map(Cow::into_owned).map_err(|e| left_out(format!("cannot be taken: {e}")))
    };
    let pieces = samples.chunks(samples.len().div_ceil(workers.max(1)).max(1));
    let read: Vec<Vec<Result<Picture, LeftOut>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            pieces.map(|piece| scope.spawn(move || piece.iter().map(one).collect::<Vec<_>>())).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    read.into_iter().flatten().collect()
}
