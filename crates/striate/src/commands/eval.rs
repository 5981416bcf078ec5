//! `striate eval`: a model's score on a data set.

use super::data_args::{DataArgs, tell_failed};
use super::parts::{Opened, Part};
use super::results;
use super::view_args::ViewArgs;
use super::{
    Machine, PrecisionArgs, fast_in_bf16, must_fit_to_predict, print_json, print_line, print_table, write_text,
};
use crate::figures::{percent, thousands};
use crate::pipeline_model::PipelineModel;
use crate::progress::remark;
use crate::report::{About, Scored, Subject, command_line, page};
use anyhow::{Result, bail};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use striate_data::{DataSet, LoaderOptions, Split};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{
    BINS, ClassScore, Model, PrecisionWish, Score, Trained, Trial, TrialScore, choose_precision, wilson,
    write_predictions,
};

/// Score a model on a data set
#[derive(clap::Args)]
#[command(after_help = "\
Without --part, the test images are scored if the data has some; else the validation images of the data that the model \
was trained on, or of a data set with a validation folder; else all images.

Examples:
  striate eval runs/train/lenet5/weights/best.safetensors digits
  striate eval best.safetensors photos/ --part all --json
  striate eval best.safetensors photos/ --crops 10
  striate eval best.safetensors photos/ --report report.html --predictions predictions.csv

The interval is Wilson's, 95 %. The top-5 error is ImageNet's: the share of images whose class is not among the five likeliest. \
The calibration error is the expected one over 15 bins of the predicted class's probability.
Accuracy, loss, calibration error and Brier score are those of the network's own probabilities (with --crops or --flip, of their \
means). Of a calibrated model (`striate calibrate`) it is told beside what its temperature makes of calibration error and loss \
(accuracy stays), how many images are not unknown (coverage), and how many of these are right. Its threshold was chosen for \
single looks.
With --json: {\"accuracy\", \"interval\": [from, to], \"top5\", \"top5_error\", \"loss\", \"images\", \"part\", \"views\", \"seconds\", \
\"macro_f1\", \"ece\", \"brier\", \"calibration\": {\"temperature\", \"ece_before\", \"ece_after\", \"loss_after\", \"unknown\", \
\"coverage\", \"accuracy\"}, \"recall\", \"precision\", \"f1\": {class: share}, \"confusion\", …}")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// The data set: as for `striate train`; its classes must be among the model's
    data: String,
    /// Which images
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Write a page with confusions, classes, mistakes with their pictures and calibration: whole in itself, HTML
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a table of what the model made of each image, CSV
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    views: ViewArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Scores the model.
    pub fn run(self) -> Result<ExitCode> {
        let start = Instant::now();
        if let Some(model) = PipelineModel::read(&self.model)? {
            return self.pipeline(&model, start);
        }
        let (cpu, model) = (self.machine.cpu()?, Model::read(&self.model)?);
        must_fit_to_predict(&model.graph, self.batch as usize, Precision::F32)?;
        let (opened, part, split) = self.open(&model.card.classes, model.card.trained.as_ref())?;
        let data = &opened.data;
        let images = results::Part { data, spec: &self.data, split, name: part.spelt() };
        let precision = self.decide(&cpu, &model, data)?;
        let mut evaluator = model.evaluator(cpu, self.batch as usize, precision)?;
        let mut trial = model.card.calibration.as_ref().map(Trial::new);
        let (scored, score, failed) =
            images.score_hearing(&mut evaluator, &model, &self.loading(), |batch, logits| {
                if let Some(trial) = &mut trial {
                    trial.add(logits, &batch.labels, model.card.classes.len());
                }
            })?;
        let seconds = start.elapsed().as_secs_f64();
        self.write(&scored, About::network(&model), data)?;
        tell_failed(&failed);
        let trial = trial.map(|trial| trial.score());
        self.tell(&Outcome { about: &About::network(&model), part, score, scored: &scored, trial, seconds })
    }

    /// Scores a classical pipeline.
    fn pipeline(&self, model: &PipelineModel, start: Instant) -> Result<ExitCode> {
        if self.views.views().count() > 1 {
            bail!("{}: --crops and --flip are for networks, and this is a classical pipeline", self.model.display());
        }
        let cpu = self.machine.cpu()?;
        let (opened, part, split) = self.open(&model.card.classes, Some(&model.card.trained))?;
        let images = results::Part { data: &opened.data, spec: &self.data, split, name: part.spelt() };
        let (scored, failed) = images.score_pipeline(&cpu, model, &self.data_args.loading())?;
        let seconds = start.elapsed().as_secs_f64();
        self.write(&scored, model.about(), &opened.data)?;
        tell_failed(&failed);
        let score = scored.predictions.score();
        self.tell(&Outcome { about: &model.about(), part, score, scored: &scored, trial: None, seconds })
    }

    /// The data set, the part that is scored, and its images.
    fn open(&self, classes: &[String], trained: Option<&Trained>) -> Result<(Opened, Part, Arc<Split>)> {
        let opened = Opened::for_trained(classes, trained, &self.model, &self.data, &self.data_args)?;
        let part = self.part.unwrap_or_else(|| opened.unseen());
        if opened.same && part == Part::All {
            remark("warning: among these images are those that the model was trained on");
        }
        let split = opened.images(part)?;
        Ok((opened, part, split))
    }

    fn tell(&self, outcome: &Outcome<'_>) -> Result<ExitCode> {
        if self.json {
            self.print_json(outcome)?;
        } else {
            print(outcome)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// How images are loaded.
    fn loading(&self) -> LoaderOptions {
        LoaderOptions { views: self.views.views(), ..self.data_args.loading() }
    }

    /// What to compute in; with `auto` on a machine that is fast in bf16, by the scores of the validation images in both.
    fn decide(&self, cpu: &Arc<Cpu>, model: &Model, data: &DataSet) -> Result<Precision> {
        let fast = fast_in_bf16(cpu);
        let mut decision = self.precision.wish().first(fast, false);
        if self.precision.wish() == PrecisionWish::Auto && fast && !data.val.is_empty() {
            let (split, name) = (data.val.clone(), Part::Val.spelt());
            let part = results::Part { data, spec: &self.data, split, name };
            let score = |precision| {
                let mut evaluator = model.evaluator(cpu.clone(), self.batch as usize, precision)?;
                part.score(&mut evaluator, model, &self.data_args.loading()).map(|(_, score, _)| score)
            };
            decision = choose_precision(fast, Some([score(Precision::F32)?, score(Precision::Bf16)?]));
        }
        self.precision.tell(&decision);
        Ok(decision.precision)
    }

    /// Writes the files that are asked for.
    fn write(&self, scored: &Scored, about: About<'_>, data: &DataSet) -> Result<()> {
        if let Some(file) = &self.predictions {
            write_predictions(file, &scored.predictions, about.classes, |i| scored.files.name(i))?;
        }
        let Some(file) = &self.report else { return Ok(()) };
        let (limits, command) = (self.data_args.limits(), command_line());
        let (run, test, data) = (None, None, Some(data));
        let subject = Subject { about, file: &self.model, scored, data, run, test, command: &command, limits };
        write_text(file, &page(&subject))
    }

    fn print_json(&self, outcome: &Outcome<'_>) -> Result<()> {
        let (s, scored, classes) = (outcome.score, outcome.scored, outcome.about.classes);
        let confusion = &scored.confusion;
        let (scores, c) = (confusion.scores(), scored.predictions.calibration(BINS));
        let (low, high) = wilson(scored.predictions.right() as u64, s.images as u64);
        let by_class = |of: fn(&ClassScore) -> Option<f64>| -> serde_json::Map<_, _> {
            classes.iter().zip(&scores).map(|(class, score)| (class.clone(), json!(of(score)))).collect()
        };
        let matrix: Vec<_> = (0..classes.len()).map(|i| confusion.row(i)).collect();
        let calibration = outcome.about.calibration.zip(outcome.trial).map(|(card, trial)| {
            json!({
                "temperature": card.temperature, "ece_before": c.ece, "ece_after": trial.ece, "loss_after": trial.loss,
                "unknown": card.unknown, "coverage": trial.coverage, "accuracy": trial.accuracy,
            })
        });
        print_json(&json!({
            "accuracy": s.accuracy, "interval": [low, high], "top5": s.top5, "top5_error": 1.0 - s.top5, "loss": s.loss,
            "images": s.images, "part": outcome.part.short(), "views": self.views.views().count(),
            "seconds": outcome.seconds, "run": null, "model": self.model.to_string_lossy(),
            "macro_f1": confusion.macro_means().f1, "ece": c.ece, "brier": c.brier, "calibration": calibration,
            "recall": by_class(ClassScore::recall), "precision": by_class(ClassScore::precision),
            "f1": by_class(ClassScore::f1), "confusion": matrix, "unreadable": scored.unreadable,
        }))
    }
}

/// What came of it.
struct Outcome<'a> {
    about: &'a About<'a>,
    part: Part,
    score: Score,
    scored: &'a Scored,
    /// What calibrated answers are worth, if the model is calibrated.
    trial: Option<TrialScore>,
    seconds: f64,
}

fn print(outcome: &Outcome<'_>) -> Result<()> {
    let (s, scored, classes) = (outcome.score, outcome.scored, outcome.about.classes);
    let (confusion, c) = (&scored.confusion, scored.predictions.calibration(BINS));
    let (low, high) = wilson(scored.predictions.right() as u64, s.images as u64);
    print_line(&format!(
        "{} of {} {} images right (95 %: {} to {}), top-5 error {}, loss {:.4}",
        percent(s.accuracy),
        thousands(s.images as u64),
        outcome.part.short(),
        percent(low),
        percent(high),
        percent(1.0 - s.top5),
        s.loss
    ))?;
    print_line(&format!(
        "mean F1 {}, calibration error {}, Brier score {:.4}",
        percent(confusion.macro_means().f1),
        percent(c.ece),
        c.brier
    ))?;
    if let Some((card, trial)) = outcome.about.calibration.zip(outcome.trial) {
        print_line(&calibrated(card.temperature, c.ece, trial))?;
    }
    let scores = confusion.scores();
    let row = |(i, class): (usize, &String)| {
        let wrong = confusion.row(i).iter().enumerate().filter(|&(j, &n)| j != i && n > 0);
        let most = wrong.max_by_key(|&(j, &n)| (n, usize::MAX - j));
        let taken_for = most.map(|(j, n)| format!("{} ({n})", classes[j])).unwrap_or_default();
        let share = |share: Option<f64>| share.map(percent).unwrap_or_default();
        let s = scores[i];
        vec![class.clone(), thousands(s.support), share(s.recall()), share(s.precision()), share(s.f1()), taken_for]
    };
    let rows: Vec<_> = classes.iter().enumerate().map(row).filter(|r| r[1] != "0").collect();
    print_table(&["class", "images", "right", "precision", "F1", "most often taken for"], &rows)
}

/// What calibrated answers are worth, in a line.
fn calibrated(temperature: f64, before: f64, trial: TrialScore) -> String {
    let mut text = format!(
        "at the model's temperature {temperature:.3}: calibration error {} instead of {}, loss {:.4}",
        percent(trial.ece),
        percent(before),
        trial.loss
    );
    if let Some(coverage) = trial.coverage {
        text += &format!("; {} unknown", percent(1.0 - coverage));
        text += &trial.accuracy.map(|a| format!(", {} of the others right", percent(a))).unwrap_or_default();
    }
    text
}
