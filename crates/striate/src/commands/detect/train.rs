//! `striate detect train`: an R-CNN on a data set of boxes.

use super::backbone::BackboneArgs;
use super::open::BoxArgs;
use super::propose::ModeName;
use crate::commands::train::stop_on_interrupt;
use crate::commands::{Machine, must_fit, print_json, print_line};
use crate::figures::duration;
use crate::progress::Bar;
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use striate_data::{Limits, Progress};
use striate_detect::propose::Strategies;
use striate_detect::rcnn::{
    Backbone, Classifier, FineTune, Job, RegionOptions, Regression, TrainOptions, Watch, train,
};
use striate_train::{Rule, Stepper};

/// Train an R-CNN on your boxes
#[derive(clap::Args)]
#[command(after_help = "\
Selective search proposes regions. A network is fine-tuned to tell what they are of, a linear support vector machine a class \
judges its features, and a ridge regression moves the boxes (Girshick et al. 2014). The settings are the paper's; a network of \
random weights (an architecture's name as --backbone) learns 2,000 steps at up to 0.1, one that was trained before (a model \
file) the paper's 70,000 at 0.001, unless --steps and --lr say otherwise.

Examples:
  striate detect train bccd/ --backbone resnet20 --imgsz 48
  striate detect train voc2007/ --part trainval --backbone imagenet.safetensors --steps 5000
  striate detect train bccd/ --judge softmax --name softmax      the same features, judged by the network itself
  striate detect train bccd/ --no-regression --name unmoved
  striate detect train bccd/ --shared-features --name shared

Each step leaves its result in the folder. The same command goes on where it was stopped, and another one with other settings \
takes from there whatever its own settings do not change. With --json: one object with model, folder, classes, seconds by step \
(null where the result was there).")]
#[allow(clippy::struct_excessive_bools)] // Switches that do not depend on each other.
pub struct Args {
    /// A data set of boxes
    data: PathBuf,
    #[command(flatten)]
    backbone: BackboneArgs,
    /// The part to learn from
    #[arg(long, value_name = "NAME", default_value = "train")]
    part: String,
    /// The folder for what each step leaves, and the detector [default: runs/detect/<backbone>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The detector's name in that folder
    #[arg(long, value_name = "NAME", default_value = "detector")]
    name: String,
    /// Steps of fine-tuning
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// The highest learning rate of fine-tuning
    #[arg(long, value_name = "LR")]
    lr: Option<f64>,
    /// Take the network's features as they are
    #[arg(long, conflicts_with_all = ["steps", "lr"])]
    no_fine_tuning: bool,
    /// What judges regions
    #[arg(long, value_enum, default_value = "svm")]
    judge: JudgeName,
    /// The C of the support vector machines [default: 0.001]
    #[arg(long, value_name = "C")]
    svm_c: Option<f64>,
    /// The node that is judged [default: the input of the last layer]
    #[arg(long, value_name = "NODE")]
    features: Option<String>,
    /// Leave boxes where they were proposed
    #[arg(long)]
    no_regression: bool,
    /// The λ of the regressors [default: 1000]
    #[arg(long, value_name = "X")]
    lambda: Option<f64>,
    /// The node whose activations move boxes [default: the last map]
    #[arg(long, value_name = "NODE")]
    pooled: Option<String>,
    /// How regions are proposed
    #[arg(long, value_enum, default_value = "fast")]
    mode: ModeName,
    /// Compute features once for the whole picture and pool regions from them (SPP-net, Fast R-CNN), instead of warping each
    #[arg(long)]
    shared_features: bool,
    /// Pixels of context around regions, of the network's input [default: 16 of 227]
    #[arg(long, value_name = "N")]
    context: Option<u32>,
    /// Regions at once where nothing is learnt
    #[arg(short, long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// The seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Clone, Copy, ValueEnum)]
enum JudgeName {
    Svm,
    Softmax,
}

/// Draws a bar, prints lines, and hears of interrupts.
struct Told {
    bar: Bar,
    stop: Arc<AtomicBool>,
}

impl Progress for Told {
    fn start(&self, what: &str, total: u64) {
        self.bar.begin(what, total);
    }

    fn advance(&self, n: u64) {
        Progress::advance(&self.bar, n);
    }

    fn finish(&self) {
        self.bar.end();
    }
}

impl Watch for Told {
    fn say(&self, line: &str) {
        self.bar.line(line);
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Args {
    /// Trains.
    pub fn run(&self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let set = self.boxes.open(&self.data, &cpu)?;
        let part = set.part(Some(&self.part))?;
        let (backbone, pretrained) = self.backbone.make(set.classes.len(), self.seed)?;
        let options = self.options(&backbone, pretrained);
        if let Some(tune) = &options.fine_tune {
            let rule = Rule::Sgd { momentum: tune.momentum, nesterov: false, weight_decay: tune.weight_decay };
            let request = Stepper::request(&backbone.graph, tune.batch(), &[]);
            must_fit(Stepper::need(&backbone.graph, rule, &request)?)?;
        }
        let usual = || PathBuf::from("runs/detect").join(self.backbone.name());
        let folder = self.out.clone().unwrap_or_else(usual);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
        let told = Told { bar: Bar::new(), stop: stop_on_interrupt()? };
        let limits = Limits { max_pixels: self.boxes.max_pixels };
        let job =
            Job { set: &set, part, backbone, options: &options, limits, folder: &folder, cpu: &cpu, watch: &told };
        let trained = train(job)?;
        let model = folder.join(format!("{}.safetensors", self.name));
        trained.detector.write(&model)?;
        if self.json {
            let seconds: Map<String, Value> =
                trained.steps.iter().map(|(name, seconds)| ((*name).to_owned(), json!(seconds))).collect();
            let (model, folder) = (model.to_string_lossy(), folder.to_string_lossy());
            print_json(&json!({ "model": model, "folder": folder, "classes": set.classes, "seconds": seconds }))?;
            return Ok(ExitCode::SUCCESS);
        }
        for (name, seconds) in &trained.steps {
            let words = seconds.map_or_else(|| "was there".to_owned(), duration);
            print_line(&format!("{name}: {words}"))?;
        }
        print_line(&format!("{}: an R-CNN for {}", model.display(), set.classes.join(", ")))?;
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self, backbone: &Backbone, pretrained: bool) -> TrainOptions {
        let mut regions = RegionOptions::for_side(backbone.side());
        regions.propose.strategies = Strategies::of(self.mode.into());
        regions.shared = self.shared_features;
        regions.context = self.context.unwrap_or(regions.context);
        let usual = if pretrained { FineTune::paper() } else { FineTune::from_scratch() };
        let tune = FineTune {
            steps: self.steps.unwrap_or(usual.steps),
            learning_rate: self.lr.unwrap_or(usual.learning_rate),
            ..usual
        };
        let mut options = TrainOptions::new(regions, (!self.no_fine_tuning).then_some(tune));
        options.features.clone_from(&self.features);
        options.pooled.clone_from(&self.pooled);
        options.classifier = match self.judge {
            JudgeName::Svm => Classifier::Svm,
            JudgeName::Softmax => Classifier::Softmax,
        };
        options.mining.c = self.svm_c.unwrap_or(options.mining.c);
        let usual = Regression::default();
        let regression = Regression { lambda: self.lambda.unwrap_or(usual.lambda), ..usual };
        options.regression = (!self.no_regression).then_some(regression);
        options.batch = self.batch as usize;
        options.seed = self.seed;
        options
    }
}
