//! From files to rows: pictures are read ahead of the network by worker threads, and their rows come in order.

use super::row::{Judge, Row};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::Arc;
use striate_data::{Loader, LoaderOptions, Sample, Source, Split};
use striate_train::{Evaluator, Model};

/// A network that is ready to predict.
pub struct Predictor {
    /// The model.
    pub model: Model,
    /// Planned for as many images as go through at once.
    pub evaluator: Evaluator,
    /// How pictures are read, so many a batch.
    pub loading: LoaderOptions,
    /// How logits become rows.
    pub judge: Judge,
}

impl Predictor {
    /// Predicts files; `take` is handed the rows of a batch, in order, those of unreadable files among them.
    pub fn predict(&mut self, files: &[PathBuf], mut take: impl FnMut(&[Row]) -> Result<()>) -> Result<()> {
        let samples = files.iter().map(|f| Sample::new(Source::File(f.clone()), 0)).collect();
        let (split, preprocessing) = (Arc::new(Split { samples }), self.model.card.preprocessing.clone());
        let mut loader = Loader::new(split, preprocessing, self.loading.clone());
        let views = self.loading.views.count();
        let (each, mut first) = (views * self.judge.classes.len(), 0);
        while let Some(batch) = loader.next() {
            let count = batch.len() * views;
            let logits: &[f32] = if batch.is_empty() {
                &[]
            } else {
                self.evaluator.logits(&self.model.parameters, &batch.images, count)?
            };
            let (mut seen, mut failed) = (logits.chunks_exact(each), batch.failed.iter());
            let mut read = batch.indices.iter().copied().peekable();
            let end = first + batch.len() + batch.failed.len();
            // What is missing among the read ones was left out, in the same order.
            let row = |index: usize| match read.next_if_eq(&index) {
                Some(_) => seen.next().map(|logits| self.judge.row(&files[index], logits)),
                None => failed.next().map(|file| Row::failed(&files[index], &file.reason)),
            };
            let rows: Vec<Row> = (first..end).filter_map(row).collect();
            take(&rows)?;
            first = end;
            loader.recycle(batch);
        }
        Ok(())
    }
}
