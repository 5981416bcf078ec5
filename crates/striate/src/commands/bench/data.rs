//! `striate bench data`: how fast images come out of a data set, next to how fast a network trains on them, and who waits
//! for whom when both run at once.

use super::check_seconds;
use crate::commands::{MOST_THREADS, Machine, data_args, must_fit, print_json, print_line, print_table};
use crate::figures::{bytes, peak_memory, percent};
use crate::progress::{Bar, remark};
use crate::timing::Measurement;
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate_data::{Batch, Check, DataSet, LeftOut, Loader, LoaderOptions, OpenOptions, StageTimes};
use striate_engine::{Memory, Parameters, Precision, Request, Scheme};
use striate_graph::Graph;
use striate_kernels::Cpu;
use striate_train::{Config, Economy, Stepper, Wishes};

/// What is measured.
#[derive(clap::Args)]
#[command(after_help = "\
DATA, and the network, input and batch chosen for it, are as for `striate train`. Measured are the images on their own (listed, \
read, decoded, resized, changed by lot, put into batches), the network's training step on its own, and both at once, \
as in training, where they share the cores.

Examples:
  striate bench data photos/
  striate bench data photos/ --model resnet18 --workers 1
  striate bench data photos/ --augment strong
  striate bench data digits --json

With --json: one object with images_per_second of the images, of `training` and of both `together`; microseconds an image \
and worker for each stage; and `waits`, which is \"network\" or \"workers\".")]
pub struct Args {
    /// The data set
    data: String,
    /// The architecture [default: the one that `train` would choose]
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// Images a step [default: as `train` would choose]
    #[arg(short, long, value_name = "B")]
    batch: Option<usize>,
    /// Height and width of the network's input [default: as `train` would choose]
    #[arg(long, value_name = "S")]
    imgsz: Option<u32>,
    /// How images are changed, as for `train` [default: as `train` would choose]
    #[arg(long, value_name = "LIST")]
    augment: Option<String>,
    /// Threads that decode images ahead of the network; 0: all cores
    #[arg(long, value_name = "W", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=MOST_THREADS))]
    workers: u16,
    /// Seconds for each of the three measurements
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// A data set, and what a training run would do with it.
struct Run<'a> {
    data: &'a DataSet,
    config: Config,
    graph: Arc<Graph>,
    cpu: Arc<Cpu>,
    batch: usize,
    workers: usize,
    seconds: f64,
}

/// What came out of the loader.
#[derive(Default)]
struct Flow {
    images: usize,
    seconds: f64,
    /// Seconds in which the loader was waited for.
    waited: f64,
    stages: StageTimes,
    failed: Vec<LeftOut>,
}

/// Batches that are taken at least.
const LEAST: usize = 3;

impl Args {
    /// Measures and prints.
    pub fn run(&self) -> Result<ExitCode> {
        check_seconds(self.seconds)?;
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.into(),
        };
        let begun = Instant::now();
        let options = OpenOptions { check: Check::Headers, workers, ..OpenOptions::default() };
        let data = DataSet::open(&self.data, &options, &Bar::new())?;
        let listing = begun.elapsed().as_secs_f64();
        data_args::describe(&data);
        if data.train.is_empty() {
            anyhow::bail!("{} has no image to train on", data.name);
        }
        let wishes = Wishes {
            model: self.model.clone(),
            batch: self.batch,
            image_size: self.imgsz,
            augment: self.augment.clone(),
            ..Wishes::default()
        };
        let config = Config::choose(&data, &wishes)?;
        let graph = Arc::new(striate_zoo::build(&config.model, &config.options(data.classes.len()))?);
        let batch = config.batch.min(data.train.len());
        let memory = Memory::of(&graph, &Request::train(&graph, batch))?;
        must_fit(memory.total() + 12 * graph.parameter_count())?;
        let cpu = self.machine.cpu()?;
        let run = Run { data: &data, config, graph, cpu, batch, workers, seconds: self.seconds };
        remark("measuring the images on their own");
        let alone = run.images(|_| Ok(()))?;
        if alone.images == 0 {
            let first = alone.failed.first().map(|f| format!("; the first: {f}")).unwrap_or_default();
            anyhow::bail!("none of {} images could be read{first}", alone.failed.len());
        }
        if !alone.failed.is_empty() {
            remark(&format!("warning: {} images could not be read:", alone.failed.len()));
            data_args::list(&alone.failed);
        }
        remark(&format!("measuring the training step of {}", run.config.model));
        let training = run.training()?;
        remark("measuring both at once");
        let together = run.together()?;
        self.report(&run, listing, &alone, training, &together)?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, run: &Run<'_>, listing: f64, alone: &Flow, training: f64, together: &Flow) -> Result<()> {
        let (images, workers, threads) = (alone.speed(), run.workers, run.cpu.threads());
        let files = run.data.train.len() + run.data.val.len() + run.data.test.as_ref().map_or(0, |t| t.len());
        let stages = alone.stages.per_image();
        let workers_wait = images >= training;
        let waiting = together.waited / together.seconds;
        let (peak, input) = (peak_memory(), run.config.input());
        if self.json {
            let stages: serde_json::Map<_, _> =
                stages.iter().map(|(n, us)| (format!("{n}_us"), (*us).into())).collect();
            return print_json(&json!({
                "engine": "striate", "mode": "data", "data": run.data.source, "images": files, "model": run.config.model,
                "batch": run.batch, "size": input.h, "augment": run.config.augment.to_string(), "workers": workers, "threads": threads,
                "listing_seconds": listing, "images_per_second": images, "stages": stages,
                "training": { "images_per_second": training },
                "together": { "images_per_second": together.speed(), "network_waits": waiting },
                "waits": if workers_wait { "workers" } else { "network" },
                "peak_rss_mb": peak.map(|b| b as f64 / f64::from(1 << 20)),
            }));
        }
        let rows: Vec<Vec<String>> = stages.iter().map(|(name, us)| vec![(*name).into(), format!("{us:.1}")]).collect();
        print_line(&format!("{files} images listed, and their headers read, in {listing:.2} s\n"))?;
        print_table(&["stage", "µs an image and worker"], &rows)?;
        let (model, batch) = (&run.config.model, run.batch);
        print_line(&format!("\naugmentation: {}", run.config.augment))?;
        print_line(&format!("images alone, {workers} workers: {images:.0} images/s"))?;
        print_line(&format!(
            "training {model} {input} alone at batch {batch}, {threads} threads: {training:.0} images/s"
        ))?;
        let speed = together.speed();
        print_line(&format!("both at once: {speed:.0} images/s; the network waits {} of the time", percent(waiting)))?;
        print_line(&format!("{} of memory at most\n", peak.map_or("an unknown amount".into(), bytes)))?;
        print_line(&if workers_wait {
            let times = images / training;
            format!("The workers wait for the network: images come {times:.1} times as fast as it trains on them.")
        } else {
            let times = training / images;
            format!("The network waits for its images: it could train on {times:.1} times as many as come.")
        })
    }
}

impl Run<'_> {
    /// Takes batches as training does, epoch after epoch, and hands them on until the time is over.
    fn images(&self, mut take: impl FnMut(&Batch) -> Result<()>) -> Result<Flow> {
        let (start, mut flow, mut batches) = (Instant::now(), Flow::default(), 0);
        let end = Duration::from_secs_f64(self.seconds);
        for epoch in 1.. {
            let options = LoaderOptions {
                batch: self.batch,
                shuffle: true,
                epoch,
                drop_last: self.data.train.len() % self.batch == 1 && self.batch > 1,
                augment: Some(self.config.augment.clone()),
                workers: self.workers,
                timed: true,
                ..LoaderOptions::default()
            };
            let mut loader = Loader::new(self.data.train.clone(), self.config.preprocessing.clone(), options);
            loop {
                let asked = Instant::now();
                let Some(mut batch) = loader.next() else { break };
                flow.waited += asked.elapsed().as_secs_f64();
                flow.images += batch.len();
                flow.stages += batch.times;
                if epoch == 1 {
                    flow.failed.append(&mut batch.failed);
                }
                if !batch.is_empty() {
                    take(&batch)?;
                }
                loader.recycle(batch);
                batches += 1;
                if batches >= LEAST && start.elapsed() >= end {
                    flow.seconds = start.elapsed().as_secs_f64();
                    return Ok(flow);
                }
            }
        }
        Ok(flow)
    }

    /// Images a second of the training step, on images in memory.
    fn training(&self) -> Result<f64> {
        let (graph, cpu, batch, seconds) = (&self.graph, &self.cpu, self.batch, self.seconds);
        let (precision, economy) = (Precision::F32, Economy::NONE);
        let m = Measurement { graph, cpu, batch, seconds, nodes: false, algorithm: None, precision, economy };
        Ok(m.train()?.speed())
    }

    /// The loader and the training step at once.
    fn together(&self) -> Result<Flow> {
        let parameters = Parameters::init(&self.graph, Scheme::for_graph(&self.graph), self.config.seed);
        let rule = self.config.optimizer;
        let mut stepper = Stepper::new(self.graph.clone(), self.cpu.clone(), parameters, rule, self.batch)?;
        // The first step touches the memory; a small rate keeps the weights in range on any images.
        let zeros = vec![0.0; self.batch * self.graph.input().shape.len()];
        stepper.step(&zeros, &vec![0; self.batch], 1e-6, 0)?;
        self.images(|batch| {
            stepper.step(&batch.images, &batch.labels, 1e-6, 0)?;
            Ok(())
        })
    }
}

impl Flow {
    /// Images a second.
    fn speed(&self) -> f64 {
        self.images as f64 / self.seconds
    }
}
