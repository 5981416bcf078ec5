//! Running a trained network: logits of images, and its score on a part of a data set.

use crate::transfer::{Backbone, Feed};
use crate::{Confusion, Model, Predictions, Reading, Score, Tally, TrainError};
use std::sync::Arc;
use striate_data::{Batch, LeftOut, LoaderOptions, Preprocessing, Split};
use striate_engine::{Parameters, Precision, Request, Session};
use striate_graph::Graph;
use striate_kernels::{Cpu, Targets, cross_entropy};

/// A network planned for prediction, with room for a batch.
#[derive(Debug)]
pub struct Evaluator {
    session: Session,
    cpu: Arc<Cpu>,
    batch: usize,
    room: Vec<f32>,
    /// Logits of more images than go through at once.
    gathered: Vec<f32>,
}

/// A network's score on a part of a data set.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Loss and accuracy.
    pub score: Score,
    /// True against predicted classes.
    pub confusion: Confusion,
    /// Images that could not be read and were left out.
    pub failed: Vec<LeftOut>,
}

impl Evaluator {
    /// Plans the network for up to `batch` images at once.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(graph: Arc<Graph>, cpu: Arc<Cpu>, batch: usize) -> Result<Evaluator, TrainError> {
        Evaluator::keeping(graph, cpu, batch, Precision::F32)
    }

    /// Like [`Evaluator::new`], with activations kept so.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub fn keeping(
        graph: Arc<Graph>,
        cpu: Arc<Cpu>,
        batch: usize,
        precision: Precision,
    ) -> Result<Evaluator, TrainError> {
        let outputs = graph.output().shape.len();
        let session = Session::new(graph, cpu.clone(), &Request { precision, ..Request::predict(batch) })?;
        let room = vec![0.0; batch * outputs];
        Ok(Evaluator { session, cpu, batch, room, gathered: Vec::new() })
    }

    /// The most images at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The logits of `n` preprocessed images (NHWC), however many: `n` rows of as many values as there are classes.
    ///
    /// # Errors
    /// If the images or parameters are not the network's.
    pub fn logits(&mut self, p: &Parameters, images: &[f32], n: usize) -> Result<&[f32], TrainError> {
        forward(&mut self.session, &mut self.gathered, p, images, (n, self.batch))
    }

    /// The score on a part of a data set, image by image once. `progress` hears how many images are done, and ends the work
    /// early by returning false.
    ///
    /// # Errors
    /// If the images or parameters are not the network's, or no image could be read.
    pub fn score(
        &mut self,
        p: &Parameters,
        split: &Arc<Split>,
        preprocessing: &Preprocessing,
        options: &LoaderOptions,
        progress: impl FnMut(usize) -> bool,
    ) -> Result<Evaluation, TrainError> {
        let (feed, views) = (self.feed(split, preprocessing, options), options.views.count());
        self.walk(p, (feed, None, views), progress, |_, _, _| {})
    }

    /// The score as of [`Evaluator::score`], and what the network made of each image. `hear` is told every batch with its
    /// logits, of every image as many rows as it has views. Where it has several, it is judged by the mean of their
    /// probabilities.
    ///
    /// # Errors
    /// As [`Evaluator::score`].
    pub fn examine(
        &mut self,
        p: &Parameters,
        split: &Arc<Split>,
        preprocessing: &Preprocessing,
        options: &LoaderOptions,
        progress: impl FnMut(usize) -> bool,
        mut hear: impl FnMut(&Batch, &[f32]),
    ) -> Result<(Evaluation, Predictions), TrainError> {
        let mut predictions = Predictions::new(self.session.graph().output().shape.len());
        let gather = |batch: &Batch, logits: &[f32], views: &[f32]| {
            predictions.add(logits, &batch.labels, &batch.indices);
            hear(batch, views);
        };
        let (feed, views) = (self.feed(split, preprocessing, options), options.views.count());
        let evaluation = self.walk(p, (feed, None, views), progress, gather)?;
        Ok((evaluation, predictions))
    }

    /// The score of what comes behind a frozen part, which makes features of images, or has made them.
    pub(crate) fn score_behind(
        &mut self,
        p: &Parameters,
        feed: Feed,
        backbone: Option<&mut Backbone>,
        progress: impl FnMut(usize) -> bool,
    ) -> Result<Evaluation, TrainError> {
        self.walk(p, (feed, backbone, 1), progress, |_, _, _| {})
    }

    /// Images in order, of which as many come at a time as can be seen from all sides at once.
    fn feed(&self, split: &Arc<Split>, preprocessing: &Preprocessing, options: &LoaderOptions) -> Feed {
        let batch = (self.batch / options.views.count()).max(1);
        let options = LoaderOptions { batch, shuffle: false, augment: None, ..options.clone() };
        Feed::new(None, split, preprocessing, options)
    }

    /// Takes a part through the network; `hear` is told every batch with its logits, an image a row, and those of all views.
    fn walk(
        &mut self,
        p: &Parameters,
        (mut feed, mut backbone, views): (Feed, Option<&mut Backbone>, usize),
        mut progress: impl FnMut(usize) -> bool,
        mut hear: impl FnMut(&Batch, &[f32], &[f32]),
    ) -> Result<Evaluation, TrainError> {
        let classes = self.session.graph().output().shape.len();
        let (mut tally, mut confusion, mut failed) = (Tally::default(), Confusion::new(classes), Vec::new());
        let mut averaged = Vec::new();
        while let Some(mut batch) = feed.next() {
            failed.append(&mut batch.failed);
            if !batch.is_empty() {
                if let Some(backbone) = backbone.as_mut().filter(|_| !feed.is_kept()) {
                    backbone.take(&mut batch, false)?;
                }
                let count = (batch.len() * views, self.batch);
                let seen = forward(&mut self.session, &mut self.gathered, p, &batch.images, count)?;
                let logits: &[f32] = if views == 1 {
                    seen
                } else {
                    averaged.clear();
                    seen.chunks_exact(views * classes)
                        .for_each(|image| averaged.extend(Reading::PLAIN.logarithms(image, classes)));
                    &averaged
                };
                let dlogits = &mut self.room[..logits.len()];
                let loss = cross_entropy(&self.cpu, logits, classes, Targets::single(&batch.labels), dlogits);
                for (&truth, prediction) in batch.labels.iter().zip(tally.add(logits, &batch.labels, loss)) {
                    confusion.add(truth as usize, prediction);
                }
                hear(&batch, logits, seen);
            }
            let go_on = progress(tally.images());
            feed.recycle(batch);
            if !go_on {
                break;
            }
        }
        if tally.images() == 0 {
            return Err(TrainError::Setting("not one image could be read, so there is no score".into()));
        }
        Ok(Evaluation { score: tally.score(), confusion, failed })
    }
}

/// The logits of `n` images, at most `batch` of which go through at once.
fn forward<'a>(
    session: &'a mut Session,
    gathered: &'a mut Vec<f32>,
    p: &Parameters,
    images: &[f32],
    (n, batch): (usize, usize),
) -> Result<&'a [f32], TrainError> {
    if n <= batch {
        return Ok(session.forward(p, images, n, 0)?);
    }
    gathered.clear();
    let each = images.len() / n;
    for part in images.chunks(batch * each) {
        gathered.extend_from_slice(session.forward(p, part, part.len() / each, 0)?);
    }
    Ok(gathered)
}

impl Model {
    /// Plans the model for prediction, with activations kept so.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn evaluator(&self, cpu: Arc<Cpu>, batch: usize, precision: Precision) -> Result<Evaluator, TrainError> {
        Evaluator::keeping(self.graph.clone(), cpu, batch, precision)
    }
}
