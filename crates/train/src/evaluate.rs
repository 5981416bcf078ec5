//! Running a trained network: probabilities of images, and its score on a part of a data set.

use crate::{Confusion, Model, Predictions, Score, Tally, TrainError};
use std::sync::Arc;
use striate_data::{Batch, LeftOut, Loader, LoaderOptions, Preprocessing, Split};
use striate_engine::{Parameters, Precision, Request, Session};
use striate_graph::Graph;
use striate_kernels::{Cpu, Targets, cross_entropy, softmax};

/// A network planned for prediction, with room for a batch.
#[derive(Debug)]
pub struct Evaluator {
    session: Session,
    cpu: Arc<Cpu>,
    batch: usize,
    room: Vec<f32>,
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
        Ok(Evaluator { session, cpu, batch, room })
    }

    /// The most images at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The classes' probabilities for `n` preprocessed images (NHWC): `n` rows of as many values as there are classes.
    ///
    /// # Errors
    /// If the images or parameters are not the network's.
    pub fn probabilities(&mut self, p: &Parameters, images: &[f32], n: usize) -> Result<&[f32], TrainError> {
        let logits = self.session.forward(p, images, n, 0)?;
        let classes = logits.len() / n;
        softmax(&self.cpu, logits, classes, &mut self.room[..n * classes]);
        Ok(&self.room[..n * classes])
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
        self.walk(p, split, preprocessing, options, progress, |_, _| {})
    }

    /// The score as of [`Evaluator::score`], and what the network made of each image.
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
    ) -> Result<(Evaluation, Predictions), TrainError> {
        let mut predictions = Predictions::new(self.session.graph().output().shape.len());
        let gather = |batch: &Batch, logits: &[f32]| predictions.add(logits, &batch.labels, &batch.indices);
        let evaluation = self.walk(p, split, preprocessing, options, progress, gather)?;
        Ok((evaluation, predictions))
    }

    /// Takes a part through the network; `hear` is told every batch's logits.
    fn walk(
        &mut self,
        p: &Parameters,
        split: &Arc<Split>,
        preprocessing: &Preprocessing,
        options: &LoaderOptions,
        mut progress: impl FnMut(usize) -> bool,
        mut hear: impl FnMut(&Batch, &[f32]),
    ) -> Result<Evaluation, TrainError> {
        let classes = self.session.graph().output().shape.len();
        let (mut tally, mut confusion, mut failed) = (Tally::default(), Confusion::new(classes), Vec::new());
        let options = LoaderOptions { batch: self.batch, shuffle: false, augment: None, ..options.clone() };
        let mut loader = Loader::new(split.clone(), preprocessing.clone(), options);
        while let Some(mut batch) = loader.next() {
            failed.append(&mut batch.failed);
            if !batch.is_empty() {
                let logits = self.session.forward(p, &batch.images, batch.len(), 0)?;
                let dlogits = &mut self.room[..logits.len()];
                let loss = cross_entropy(&self.cpu, logits, classes, Targets::single(&batch.labels), dlogits);
                for (&truth, prediction) in batch.labels.iter().zip(tally.add(logits, &batch.labels, loss)) {
                    confusion.add(truth as usize, prediction);
                }
                hear(&batch, logits);
            }
            let go_on = progress(tally.images());
            loader.recycle(batch);
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

impl Model {
    /// Plans the model for prediction, with activations kept so.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn evaluator(&self, cpu: Arc<Cpu>, batch: usize, precision: Precision) -> Result<Evaluator, TrainError> {
        Evaluator::keeping(self.graph.clone(), cpu, batch, precision)
    }
}
