//! A detector at work: regions proposed, read, judged, moved, and of those that overlap the best.

use super::extract::{Extractor, Reading};
use super::model::{Judge, Rcnn};
use super::windows::Windows;
use crate::bounding_box::BoundingBox;
use crate::box_regression::regressed;
use crate::detection::Detection;
use crate::error::DetectError;
use crate::propose::propose;
use crate::suppression::{Decay, suppress, suppress_softly};
use std::sync::Arc;
use std::time::Instant;
use striate_data::Picture;
use striate_kernels::Cpu;

/// What becomes of boxes of one class that overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suppression {
    /// The best stays, and those go that overlap it by more than this; 0.3 in the paper.
    Hard(f64),
    /// The others' scores are lowered: only for scores from 0 to 1.
    Soft(Decay),
}

/// What is asked of a detector.
#[derive(Clone, Debug, PartialEq)]
pub struct FindOptions {
    /// The least score of each class.
    pub thresholds: Vec<f64>,
    /// What becomes of boxes that overlap.
    pub suppression: Suppression,
    /// The most detections of a picture, the best.
    pub most: usize,
}

/// Where the time of a picture goes, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    /// Proposing regions.
    pub proposing: f64,
    /// Warping them, or pooling them from shared features.
    pub warping: f64,
    /// The network.
    pub network: f64,
    /// Judging, moving, suppressing.
    pub judging: f64,
    /// Regions, for the sake of figures per region.
    pub regions: usize,
}

/// A detector planned for a machine.
pub struct Finder<'a> {
    detector: &'a Rcnn,
    windows: Windows,
    extractor: Extractor<'a>,
    cpu: Arc<Cpu>,
}

/// A region that scored enough.
struct Candidate {
    class: usize,
    bounds: BoundingBox,
    score: f64,
}

impl<'a> Finder<'a> {
    /// Plans the network for up to `batch` regions at once.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn new(detector: &'a Rcnn, cpu: &Arc<Cpu>, batch: usize) -> Result<Self, DetectError> {
        let windows = Windows::new(&detector.regions, &detector.preprocessing);
        let (readout, shared) = (detector.readout()?, detector.regions.shared);
        let extractor = Extractor::new((&detector.graph, &detector.parameters), &windows, readout, cpu, batch, shared)?;
        Ok(Self { detector, windows, extractor, cpu: cpu.clone() })
    }

    /// What there is in a picture, the surest first, as of image 0; and where the time went.
    ///
    /// # Errors
    /// If the detector's settings do not fit its network.
    pub fn find(&mut self, picture: &Picture, options: &FindOptions) -> Result<(Vec<Detection>, Seconds), DetectError> {
        let begun = Instant::now();
        let proposals = propose(picture, &self.detector.regions.propose, &self.cpu)?;
        let proposing = begun.elapsed().as_secs_f64();
        let boxes: Vec<BoundingBox> = proposals.iter().map(|p| p.bounds).collect();
        let begun = Instant::now();
        let mut candidates = Vec::new();
        if !boxes.is_empty() {
            let prepared = self.windows.prepare(picture);
            let (detector, size) = (self.detector, (picture.width, picture.height));
            self.extractor.read(&prepared, &boxes, |reading| {
                judge(detector, reading, &boxes[reading.region], size, options, &mut candidates);
            })?;
        }
        let mut found = Vec::new();
        for class in 0..self.detector.classes.len() {
            let least = options.thresholds.get(class).copied().unwrap_or(f64::INFINITY);
            found.extend(remaining(&candidates, class, options.suppression, least));
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(options.most);
        let [warping, network] = self.extractor.take_seconds();
        let judging = begun.elapsed().as_secs_f64() - warping - network;
        Ok((found, Seconds { proposing, warping, network, judging, regions: boxes.len() }))
    }
}

/// Adds the classes that a region scores enough for.
fn judge(
    detector: &Rcnn,
    reading: &Reading<'_>,
    bounds: &BoundingBox,
    (width, height): (u32, u32),
    options: &FindOptions,
    candidates: &mut Vec<Candidate>,
) {
    let largest = reading.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = reading.logits.iter().map(|l| f64::from(l - largest).exp()).sum();
    for (class, least) in options.thresholds.iter().take(detector.classes.len()).enumerate() {
        let score = match &detector.judge {
            Judge::Svm(machines) => machines[class].as_ref().map(|machine| machine.of(reading.features)),
            Judge::Softmax => Some(f64::from(reading.logits[class + 1] - largest).exp() / sum),
        };
        let Some(score) = score.filter(|score| score.is_finite() && score >= least) else { continue };
        let regressors = detector.regressors.as_ref().and_then(|all| all[class].as_ref());
        let moved = match regressors {
            Some(four) => regressed(bounds, &std::array::from_fn(|k| four[k].of(reading.pooled))),
            None => *bounds,
        };
        if let Some(bounds) = moved.clipped(width, height) {
            candidates.push(Candidate { class, bounds, score });
        }
    }
}

/// What remains of a class's candidates.
fn remaining(candidates: &[Candidate], class: usize, suppression: Suppression, least: f64) -> Vec<Detection> {
    let own: Vec<&Candidate> = candidates.iter().filter(|c| c.class == class).collect();
    let boxes: Vec<BoundingBox> = own.iter().map(|c| c.bounds).collect();
    let scores: Vec<f64> = own.iter().map(|c| c.score).collect();
    let kept: Vec<(usize, f64)> = match suppression {
        Suppression::Hard(overlap) => suppress(&boxes, &scores, overlap).into_iter().map(|i| (i, scores[i])).collect(),
        Suppression::Soft(decay) => suppress_softly(&boxes, &scores, decay, least),
    };
    kept.into_iter().map(|(i, score)| Detection { image: 0, class, bounds: boxes[i], score }).collect()
}
