//! Scoring a model image by image, and what that leaves in a run's folder: `report.html`, `MODEL_CARD.md`, `confusion.csv`,
//! `predictions.csv`.

use super::write_text;
use crate::pipeline_model::PipelineModel;
use crate::progress::Bar;
use crate::report::{About, Files, Scored, Subject, card, command_line, page};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use striate_data::{Batch, DataSet, LeftOut, Limits, LoaderOptions, Split};
use striate_engine::Parameters;
use striate_kernels::Cpu;
use striate_train::{Evaluator, Model, Run, Score, read_predictions, write_confusion, write_predictions};

/// The name of the predictions' table in a run's folder.
const PREDICTIONS: &str = "predictions.csv";

/// The most images at once for a run's results. The batch is the run's where that is smaller; sums round by it.
pub const AT_ONCE: usize = 64;

/// A part of a data set, to be scored.
pub struct Part<'a> {
    /// The data set.
    pub data: &'a DataSet,
    /// How it was named on the command line.
    pub spec: &'a str,
    /// The images.
    pub split: Arc<Split>,
    /// Which they are: training, validation, test, all.
    pub name: &'static str,
}

impl Part<'_> {
    /// The images that a run's epochs are judged by: those held out, or those trained on where none are.
    pub fn judging<'a>(data: &'a DataSet, spec: &'a str) -> Part<'a> {
        let (split, name) = if data.val.is_empty() { (&data.train, "training") } else { (&data.val, "validation") };
        Part { data, spec, split: split.clone(), name }
    }

    /// Scores them, with a progress bar. The files that could not be read are told beside.
    pub fn score(
        &self,
        evaluator: &mut Evaluator,
        model: &Model,
        loading: &LoaderOptions,
    ) -> Result<(Scored, Score, Vec<LeftOut>)> {
        self.score_hearing(evaluator, model, loading, |_, _| {})
    }

    /// The same; `hear` is told every batch with its logits, of every image a row for each of its views.
    pub fn score_hearing(
        &self,
        evaluator: &mut Evaluator,
        model: &Model,
        loading: &LoaderOptions,
        hear: impl FnMut(&Batch, &[f32]),
    ) -> Result<(Scored, Score, Vec<LeftOut>)> {
        let bar = Bar::new();
        bar.begin(&format!("scoring {} images", self.name), self.split.len() as u64);
        let (parameters, p): (&Parameters, _) = (&model.parameters, &model.card.preprocessing);
        let progress = |done| {
            bar.at(done as u64, String::new);
            true
        };
        let (e, predictions) = evaluator.examine(parameters, &self.split, p, loading, progress, hear)?;
        bar.end();
        let folders = vec![self.data.source.clone(), self.spec.to_owned()];
        let files = Files::Split(self.split.clone(), folders);
        let unreadable = e.failed.len();
        let scored = Scored { part: self.name, predictions, confusion: e.confusion, files, unreadable };
        Ok((scored, e.score, e.failed))
    }

    /// Scores them by a classical pipeline, likewise.
    pub fn score_pipeline(
        &self,
        cpu: &Cpu,
        model: &PipelineModel,
        loading: &LoaderOptions,
    ) -> Result<(Scored, Vec<LeftOut>)> {
        let what = format!("scoring {} images", self.name);
        let (predictions, failed) = model.judge(cpu, &self.split, &what, loading.limits, loading.workers)?;
        let files = Files::Split(self.split.clone(), vec![self.data.source.clone(), self.spec.to_owned()]);
        let (confusion, unreadable) = (predictions.confusion(), failed.len());
        Ok((Scored { part: self.name, predictions, confusion, files, unreadable }, failed))
    }
}

/// A run whose results are written.
pub struct Results<'a> {
    /// The run.
    pub run: &'a Run,
    /// What its folder keeps of it: its best network, or its pipeline.
    pub about: About<'a>,
    /// That model's file.
    pub file: &'a Path,
    /// The data set, if it is there.
    pub data: Option<&'a DataSet>,
    /// The score on the test part, if there is one.
    pub test: Option<Score>,
    /// Bounds on the pictures that are shown.
    pub limits: Limits,
}

impl Results<'_> {
    /// Writes everything into the run's folder; returns the report's path.
    pub fn write(self, scored: &Scored) -> Result<PathBuf> {
        let folder = &self.run.path;
        let classes = self.about.classes;
        write_confusion(&folder.join("confusion.csv"), &scored.confusion, classes)?;
        write_predictions(&folder.join(PREDICTIONS), &scored.predictions, classes, |i| scored.files.name(i))?;
        let command = command_line();
        let subject = Subject {
            about: self.about,
            file: self.file,
            scored,
            data: self.data,
            run: Some(self.run),
            test: self.test,
            command: &command,
            limits: self.limits,
        };
        write_text(&folder.join("MODEL_CARD.md"), &card(&subject))?;
        let report = folder.join("report.html");
        write_text(&report, &page(&subject))?;
        Ok(report)
    }
}

/// What a run's `predictions.csv` tells of the images that its epochs were judged by.
pub fn recorded(run: &Path, classes: &[String], part: &'static str) -> Result<Scored> {
    let (names, predictions) = read_predictions(&run.join(PREDICTIONS), classes)?;
    let confusion = predictions.confusion();
    Ok(Scored { part, predictions, confusion, files: Files::Names(names), unreadable: 0 })
}
