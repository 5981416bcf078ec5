//! `striate compare`: hand-made features and classical classifiers beside a network, on the same images.

mod bout;
mod contender;
mod distortions;
mod ground;
mod network;
mod outcome;
mod report;
mod statistics;
mod words;

use super::data_args::{DataArgs, describe};
use super::train::{size_for, stop_on_interrupt};
use super::{Machine, print_json, print_line, write_text};
use crate::figures::thousands;
use crate::progress::remark;
use crate::report::command_line;
use anyhow::{Context, Result, bail};
use bout::Bout;
use contender::{Contender, variants};
use ground::{Extent, Ground};
use outcome::{Comparison, Crossing, Method, Pair};
use statistics::mcnemar;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;
use striate_classic::{Recipe, Size};
use striate_data::DataSet;
use striate_kernels::Cpu;
use striate_train::{Attempt, Config, Wishes, new_folder};

/// Compare a network with hand-made features on your images
#[derive(clap::Args)]
#[command(after_help = "\
Every method learns from the same images, 10, 30, 100, … of each class and all, and is tested on the same others: the test part, \
or where there is none the validation part. Pipelines choose their settings by cross-validation among the images at hand. The \
network follows the recipe of `striate train`, with as many epochs as there is time for. What learnt from most images is tested on \
shifted, turned, scaled, noisy, blurred and pale images too.

Pipelines are features, transforms and a classifier joined by +, as for `striate train --model`.

Examples:
  striate compare digits --quick
  striate compare photos/
  striate compare mnist/ --minutes 30 --pipelines hog+svm,hog+rbf,raw+knn
  striate compare cifar/ --model resnet20 --minutes 60

The folder runs/compare/<data> gets report.html, comparison.json and models/, one file a method, for `predict` and `eval`. With \
--json the content of comparison.json goes to stdout: {\"methods\": [{\"name\", \"network\", \"points\": [{\"images\", \
\"accuracy\", \"interval\", \"seconds\", …}], \"robustness\", …}], \"pairs\", \"crossing\", …}. Times, and with them the epochs that \
there is time for, differ between machines; everything else follows from the seed.")]
pub struct Args {
    /// The data set: as for `striate train`
    data: String,
    /// The pipelines [default: some that suit the images' size and colour]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pipelines: Vec<String>,
    /// The network [default: as `striate train` would choose]
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// How long it may take, about; four tenths of it are the network's
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    minutes: f64,
    /// In a minute or so: at most 100 images a class, 1,000 test images, fewer pipelines
    #[arg(long, conflicts_with = "minutes")]
    quick: bool,
    /// Parts that the images at hand are cut into to choose settings
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=20))]
    folds: u32,
    /// Width and height that pictures are brought to [default: their own up to 40 pixels, else 64]
    #[arg(long, value_name = "S")]
    imgsz: Option<u32>,
    /// The seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
    /// The folder's name [default: the data set's]
    #[arg(long)]
    name: Option<String>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

/// Seconds of `--quick`, which leaves time to read and to tell.
const QUICK: f64 = 60.0;

/// Pipelines for grey and for colour images; the first few for `--quick`.
const GREY: [&str; 6] = ["raw+logistic", "raw+knn", "hog+svm", "hog+rbf", "raw+forest", "patches+svm"];
const COLOUR: [&str; 6] = ["raw+logistic", "colour+forest", "hog+svm", "hog+rbf", "hog+lbp+colour+svm", "patches+svm"];
const QUICK_PIPELINES: usize = 4;

impl Args {
    /// Compares.
    pub fn run(self) -> Result<ExitCode> {
        if !(self.minutes > 0.0 && self.minutes <= 10_000.0) {
            bail!("--minutes must be more than 0 and at most 10000, not {}", self.minutes);
        }
        let cpu = self.machine.cpu()?;
        let data = self.data_args.open(&self.data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let size = size_for(&data, self.imgsz)?;
        let contenders = self.contenders(&data, size)?;
        let (per_class, tested) = if self.quick { (100, 1000) } else { (usize::MAX, usize::MAX) };
        let (limits, workers) = (self.data_args.limits(), self.data_args.workers());
        let ground = Ground::read(data, size, Extent { per_class, tested }, self.seed, limits, workers)?;
        self.check_folds(&ground)?;
        let name = self.name.as_deref().unwrap_or(&ground.data.name);
        let folder = new_folder(&self.out, name)?;
        let models = folder.join("models");
        std::fs::create_dir(&models).with_context(|| models.display().to_string())?;
        remark(&format!("comparison {}", folder.display()));
        let stop = stop_on_interrupt()?;
        let begun = Instant::now();
        let bout = Bout {
            cpu: cpu.clone(),
            ground: &ground,
            contenders: &contenders,
            folds: self.folds as usize,
            seed: self.seed,
            budget: self.budget(),
            changed: if self.quick { 300 } else { 1000 },
            stop: &stop,
        };
        let mut all = bout.run()?;
        bout.change(&mut all)?;
        let methods = bout.write(all, &models);
        let stopped = stop.load(Ordering::Relaxed);
        let comparison = self.comparison(&ground, methods, &cpu, begun.elapsed().as_secs_f64(), stopped);
        let (page, json) = (folder.join("report.html"), folder.join("comparison.json"));
        write_text(&page, &report::page(&comparison))?;
        write_text(&json, &serde_json::to_string_pretty(&comparison)?)?;
        if self.json {
            print_json(&comparison)?;
            remark(&format!("report {}", page.display()));
        } else {
            report::print(&comparison)?;
            print_line(&format!("\nreport {}", page.display()))?;
        }
        Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn budget(&self) -> f64 {
        if self.quick { QUICK } else { 60.0 * self.minutes }
    }

    /// Who takes part, the network last.
    fn contenders(&self, data: &DataSet, size: Size) -> Result<Vec<Contender>> {
        let usual: &[&str] = if size.channels == 1 { &GREY } else { &COLOUR };
        let usual = if self.quick { &usual[..QUICK_PIPELINES] } else { usual };
        let asked: Vec<&str> = self.pipelines.iter().map(String::as_str).collect();
        let names = if asked.is_empty() { usual } else { &asked };
        let mut all = Vec::new();
        for name in names {
            all.push(Contender::Pipeline(variants(&Recipe::parse(name, size)?)));
        }
        let small = (data.typical.width as usize, data.typical.height as usize) == (size.width, size.height);
        let wishes = Wishes {
            model: self.model.clone(),
            // Pictures that were made smaller are as large as the network sees them.
            image_size: (!small).then_some(size.width as u32),
            seed: self.seed,
            ..Wishes::default()
        };
        let model = Config::choose(data, &wishes)?.model;
        all.push(Contender::Network(Box::new(Wishes { model: Some(model), ..wishes })));
        Ok(all)
    }

    /// Every class must have as many images as there are folds.
    fn check_folds(&self, ground: &Ground) -> Result<()> {
        let (fewest, folds) = (ground.fewest(), self.folds as usize);
        if fewest < folds {
            bail!(
                "a class of {} has {} training images, and settings are chosen in {folds} folds: each needs an image of every class; \
                 add images, leave the class out, or lower --folds",
                ground.data.name,
                thousands(fewest as u64)
            );
        }
        Ok(())
    }

    fn comparison(&self, ground: &Ground, methods: Vec<Method>, cpu: &Cpu, seconds: f64, stopped: bool) -> Comparison {
        let labels: Vec<u32> = ground.test.samples.iter().map(|s| s.label).collect();
        let mut pairs = Vec::new();
        for network in methods.iter().filter(|m| m.network) {
            for pipeline in methods.iter().filter(|m| !m.network) {
                let both = network.points.iter().rev().find_map(|p| Some((p, pipeline.at(p.per_class)?)));
                let Some((own, other)) = both else { continue };
                pairs.push(Pair {
                    network: network.name.clone(),
                    pipeline: pipeline.name.clone(),
                    per_class: own.per_class,
                    test: mcnemar(&labels, &own.told, &other.told),
                });
            }
        }
        let attempt = Attempt::begin(command_line(), cpu);
        Comparison {
            data: ground.data.name.clone(),
            source: ground.data.source.clone(),
            fingerprint: ground.data.fingerprint.clone(),
            classes: ground.data.classes.clone(),
            size: [ground.size.width, ground.size.height, ground.size.channels],
            tested: labels.len(),
            part: ground.part,
            unreadable: ground.unreadable,
            seed: self.seed,
            folds: self.folds as usize,
            budget: self.budget(),
            seconds,
            stopped,
            machine: format!("{}, {} threads, {}", attempt.processor, attempt.threads, attempt.isa),
            command: attempt.command,
            crossing: Crossing::of(&methods),
            methods,
            pairs,
        }
    }
}
