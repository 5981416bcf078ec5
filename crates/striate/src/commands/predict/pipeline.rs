//! Predicting by a classical pipeline: pictures are read, described and told some at a time.

use super::row::{Judge, Row};
use crate::pipeline_model::{PipelineModel, read};
use anyhow::Result;
use std::path::PathBuf;
use striate_data::{LoaderOptions, Sample, Source};
use striate_kernels::Cpu;

/// Predicts files; `take` is handed the rows of a batch, in order, those of unreadable files among them.
pub fn predict(
    cpu: &Cpu,
    model: &PipelineModel,
    judge: &Judge,
    loading: &LoaderOptions,
    mut files: impl Iterator<Item = Result<PathBuf>>,
    mut take: impl FnMut(&[Row]) -> Result<()>,
) -> Result<()> {
    let classes = model.card.classes.len();
    loop {
        let batch = files.by_ref().take(loading.batch).collect::<Result<Vec<PathBuf>>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        let samples: Vec<Sample> = batch.iter().map(|f| Sample::new(Source::File(f.clone()), 0)).collect();
        let (mut pictures, mut failed) = (Vec::new(), Vec::new());
        for read in read(&samples, model.pipeline.size(), loading.limits, loading.workers) {
            failed.push(read.map(|picture| pictures.push(picture)).err());
        }
        let logits = if pictures.is_empty() { Vec::new() } else { model.logits(cpu, &pictures)? };
        let mut told = logits.chunks_exact(classes);
        let row = |(file, failed): (&PathBuf, &Option<striate_data::LeftOut>)| match failed {
            Some(left_out) => Some(Row::failed(file, &left_out.reason)),
            None => told.next().map(|logits| judge.row(file, logits)),
        };
        let rows: Vec<Row> = batch.iter().zip(&failed).filter_map(row).collect();
        take(&rows)?;
    }
}
