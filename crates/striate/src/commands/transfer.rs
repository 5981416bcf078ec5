//! `striate transfer`: the ways of transfer learning side by side on the user's own data.

mod method;
mod page;
mod shares;
mod summary;

use super::data_args::{DataArgs, describe};
use super::train::stop_on_interrupt;
use super::{Machine, fast_in_bf16, print_json, print_line, print_table, write_text};
use crate::figures::{bytes, duration, percent, thousands};
use crate::progress::{Bar, remark};
use anyhow::{Result, ensure};
use method::{METHODS, Method};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use striate_data::{DataSet, LeftOut, LoaderOptions, Split};
use striate_engine::{Parameters, Precision, Scheme};
use striate_kernels::Cpu;
use striate_train::transfer::Start;
use striate_train::{Config, Demand, EpochRow, Job, Model, Need, RunDir, StepReport, TrainError, Watch, new_folder};
use summary::{Summary, Trial};

/// Compare the ways of transfer learning on your images
#[derive(clap::Args)]
#[command(after_help = "\
The ways, on the same images held out and for as many images seen:
  scratch    the network from random weights, all of it trained
  features   the frozen network's features, computed once, and a linear classifier on them
  head       a new last layer, trained on images that are changed by lot
  last       that and the last layer or block (--last K: more of them)
  all        all layers, what was trained before at a tenth of the rate

Each is trained on several shares of the training images, the smaller ones being parts of the larger, and several times, with \
other parts, orders and changes by lot. Accuracy is that of the last epoch on the test images, or on those held out where there \
are none; no epoch is chosen by them. Intervals hold the mean in 95 % of cases (Student's t over the seeds; of one seed, \
Wilson's over the images).

Examples:
  striate transfer photos/ --weights mobilenet.safetensors
  striate transfer photos/ --weights resnet18.safetensors --shares 10,100 --seeds 5 --epochs 20
  striate transfer photos/ --weights resnet18.safetensors --ways features,head,all --json

The folder, runs/transfer/<name>, holds report.html, transfer.json and trials.csv. With --json: the contents of transfer.json, \
{\"ways\": [{\"way\", \"share\", \"images\", \"accuracy\", \"low\", \"high\", \"seconds\", \"memory\", \"trials\"}, …], \
\"recommendation\": {\"way\", \"why\"}, …}.")]
pub struct Args {
    /// The data set
    data: String,
    /// The trained network, a model file
    #[arg(long, value_name = "MODEL")]
    weights: PathBuf,
    /// The ways to compare, of scratch, features, head, last, all
    #[arg(long, value_name = "WAYS", value_delimiter = ',', value_parser = method::named, default_value = "scratch,features,head,last,all")]
    ways: Vec<&'static Method>,
    /// Layers or blocks from the end that the way `last` tunes
    #[arg(long, value_name = "K", default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..))]
    last: u16,
    /// Shares of the training images, in percent
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [5.0, 10.0, 25.0, 50.0, 100.0])]
    shares: Vec<f64>,
    /// How often each is trained
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,
    /// Passes over all training images; smaller shares are seen as many images, but five times as many passes at most
    /// [default: 5 to 30, by the number of images]
    #[arg(short, long, value_name = "N")]
    epochs: Option<u32>,
    /// Images a step [default: 16 to 128, by the number of images]
    #[arg(short, long, value_name = "B")]
    batch: Option<usize>,
    /// How training images are changed, as for `striate train`; features are those of unchanged ones
    #[arg(long, value_name = "LIST")]
    augment: Option<String>,
    /// Decides the split and the first of the seeds
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1 << 62))]
    seed: u64,
    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/transfer")]
    out: PathBuf,
    /// The folder's name [default: the data's]
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

/// Epochs of a small share, as a multiple of those of all images, at most.
const MOST_EPOCHS: u32 = 5;

/// What all trials have in common.
struct Bench<'a> {
    args: &'a Args,
    cpu: Arc<Cpu>,
    data: DataSet,
    /// What is scored.
    held: Arc<Split>,
    model: Model,
    batch: usize,
    epochs: u32,
    work: PathBuf,
    stop: Arc<AtomicBool>,
}

/// Hears of the steps of one trial.
struct Quiet<'a> {
    bar: &'a Bar,
}

impl Watch for Quiet<'_> {
    fn step(&mut self, r: &StepReport) {
        if r.epoch == 1 && r.step == 1 {
            self.bar.begin("steps", r.steps);
        }
        self.bar.at(r.step, || format!("epoch {}", r.epoch));
    }
    fn epoch(&mut self, _: &EpochRow, _: bool) {}
    // Opening the data has named what cannot be read.
    fn left_out(&mut self, _: &[LeftOut]) {}
    fn note(&mut self, _: &str) {}
}

impl Args {
    /// Compares.
    pub fn run(self) -> Result<ExitCode> {
        let shares = self.checked_shares()?;
        let cpu = self.machine.cpu()?;
        let data = self.data_args.open(&self.data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let (held, part) = match &data.test {
            Some(test) => (test.clone(), "test"),
            None => (data.val.clone(), "validation"),
        };
        ensure!(!held.is_empty(), "{}: no images are held out that the ways could be compared on", data.name);
        let folder = new_folder(&self.out, self.name.as_deref().unwrap_or(&plain(&data.name)))?;
        let mut bench = Bench {
            model: Model::read(&self.weights)?,
            batch: self.batch.unwrap_or(0),
            epochs: 0,
            work: folder.join("work"),
            stop: stop_on_interrupt()?,
            args: &self,
            cpu,
            data,
            held,
        };
        bench.plan()?;
        let (mut trials, planned) = (Vec::new(), shares.len() * self.ways.len() * self.seeds as usize);
        remark(&format!(
            "{planned} trials: {} ways, {} shares, {} seeds; {} epochs of batches of {}, scored on {} {part} images",
            self.ways.len(),
            shares.len(),
            self.seeds,
            bench.epochs,
            bench.batch,
            thousands(bench.held.len() as u64)
        ));
        // The largest share first: what matters most is there first.
        'all: for &share in shares.iter().rev() {
            for seed in 0..self.seeds {
                for &method in &self.ways {
                    let Some(trial) = bench.trial(method, share, self.seed + u64::from(seed))? else { break 'all };
                    let (accuracy, took) = (percent(trial.accuracy), duration(trial.seconds));
                    let percents = shares::words(share);
                    trials.push(trial);
                    remark(&format!(
                        "{}/{planned} {} on {percents}, seed {seed}: {accuracy} in {took}",
                        trials.len(),
                        method.name
                    ));
                }
            }
        }
        if bench.work.exists() {
            std::fs::remove_dir_all(&bench.work)?;
        }
        ensure!(!trials.is_empty(), "stopped before the first trial was done");
        let summary = Summary::of(&trials, &self.ways, part, trials.len() == planned);
        self.leave(&folder, &bench, &trials, &summary)?;
        Ok(if summary.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn checked_shares(&self) -> Result<Vec<f64>> {
        let mut shares = Vec::new();
        for &percent in &self.shares {
            ensure!(
                percent > 0.0 && percent <= 100.0,
                "--shares: each must be more than 0 and at most 100, not {percent}"
            );
            shares.push(percent / 100.0);
        }
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        Ok(shares)
    }

    /// Writes the files, and says what came of it.
    fn leave(&self, folder: &Path, bench: &Bench<'_>, trials: &[Trial], summary: &Summary) -> Result<()> {
        let mut object = summary.object();
        object["data"] = self.data.clone().into();
        object["weights"] = self.weights.to_string_lossy().into();
        object["fingerprint"] = bench.data.fingerprint.clone().into();
        object["epochs"] = bench.epochs.into();
        object["batch"] = bench.batch.into();
        object["seed"] = self.seed.into();
        object["seeds"] = self.seeds.into();
        object["folder"] = folder.to_string_lossy().into();
        write_text(&folder.join("transfer.json"), &(serde_json::to_string_pretty(&object)? + "\n"))?;
        write_text(&folder.join("trials.csv"), &summary::csv(trials))?;
        let facts = vec![
            ("data", format!("{}, {} training images", bench.data.name, thousands(bench.data.train.len() as u64))),
            ("fingerprint", bench.data.fingerprint.clone()),
            ("network", bench.model.graph.name().to_owned()),
            ("weights", self.weights.display().to_string()),
            ("epochs, batch", format!("{} over all images, {}", bench.epochs, bench.batch)),
            ("seeds", format!("{} from {}", self.seeds, self.seed)),
            ("machine", format!("{} threads, {}", bench.cpu.threads(), bench.cpu.isa().name())),
        ];
        let report = folder.join("report.html");
        write_text(&report, &page::page(&bench.data.name, summary, &facts))?;
        remark(&format!("report {}", report.display()));
        if self.json {
            return print_json(&object);
        }
        let rows: Vec<Vec<String>> = summary
            .full()
            .map(|cell| {
                let (low, high) = (percent(cell.low), percent(cell.high));
                vec![
                    cell.method.name.into(),
                    percent(cell.accuracy),
                    format!("{low} – {high}"),
                    duration(cell.seconds),
                    bytes(cell.memory),
                ]
            })
            .collect();
        print_table(&["way", "accuracy", "95 % interval", "time", "memory"], &rows)?;
        print_line(&summary.recommendation.why)
    }
}

/// A data set's name as a folder's.
fn plain(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    if plain.trim_matches('.').is_empty() { "transfer".into() } else { plain }
}

impl Bench<'_> {
    /// Fills in the batch and the epochs that the recipe chooses for all images.
    fn plan(&mut self) -> Result<()> {
        let config =
            self.config(&METHODS[METHODS.len() - 1], &self.data, &self.args.weights, self.args.epochs, self.args.seed)?;
        (self.batch, self.epochs) = (config.batch, config.epochs);
        std::fs::create_dir_all(&self.work)?;
        Ok(())
    }

    fn config(&self, method: &Method, data: &DataSet, from: &Path, epochs: Option<u32>, seed: u64) -> Result<Config> {
        let batch = (self.batch > 0).then_some(self.batch);
        let augment = self.args.augment.clone();
        let mut config =
            method.config(data, from, (self.args.last.into(), &self.model.graph), (epochs, batch, augment, seed))?;
        if let Some(transfer) = config.transfer.as_mut().filter(|_| method.keeps) {
            transfer.kept_features = usize::MAX >> 1;
        }
        Ok(config)
    }

    /// Trains once; `None` if it was stopped.
    fn trial(&self, method: &'static Method, share: f64, seed: u64) -> Result<Option<Trial>> {
        let train = shares::part(&self.data.train, self.data.classes.len(), share, seed);
        let images = train.len();
        let most = self.epochs.saturating_mul(MOST_EPOCHS);
        let epochs = ((f64::from(self.epochs) / share).ceil() as u32).min(most).max(1);
        let data = DataSet { train: Arc::new(train), val: Arc::default(), test: None, ..self.data.clone() };
        let scratch = self.work.join("scratch.safetensors");
        let from = if method.random {
            let parameters = Parameters::init(&self.model.graph, Scheme::for_graph(&self.model.graph), seed);
            Model { parameters, ..self.model.clone() }.write(&scratch)?;
            &scratch
        } else {
            &self.args.weights
        };
        let config = self.config(method, &data, from, Some(epochs), seed)?;
        let memory = Self::need(&config, &data)?.total();
        let mut run = RunDir::create(&self.work, "run")?;
        let (bar, limits) = (Bar::new(), self.args.data_args.limits());
        let job = Job {
            config: &config,
            data: &data,
            cpu: self.cpu.clone(),
            workers: self.args.data_args.workers(),
            limits,
            stop: &self.stop,
            fast_in_bf16: fast_in_bf16(&self.cpu),
            resume: None,
            checkpoint_every: Duration::MAX,
        };
        let mut watch = Quiet { bar: &bar };
        let outcome = striate_train::train(&job, &mut run, &mut watch);
        bar.end();
        let outcome = match outcome {
            Err(e @ TrainError::Diverged { .. }) => {
                remark(&format!(
                    "warning: {} on {} images, seed {seed}: {e}; not counted as right",
                    method.name, images
                ));
                None
            }
            other => Some(other?),
        };
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (mut accuracy, mut loss, mut scored) = (0.0, f64::NAN, self.held.len());
        if outcome.is_some() {
            let model = Model::read(&run.last())?;
            let mut evaluator = model.evaluator(self.cpu.clone(), self.batch, Precision::F32)?;
            let loading = self.args.data_args.loading();
            let e = evaluator.score(&model.parameters, &self.held, &model.card.preprocessing, &loading, |_| true)?;
            (accuracy, loss, scored) = (e.score.accuracy, e.score.loss, e.score.images);
        }
        std::fs::remove_dir_all(run.path())?;
        let seconds = outcome.map_or(0.0, |o| o.seconds);
        Ok(Some(Trial { method, share, seed, images, epochs, accuracy, loss, scored, seconds, memory }))
    }

    /// What a trial takes, beside the program.
    fn need(config: &Config, data: &DataSet) -> Result<Need> {
        let Some(transfer) = &config.transfer else { return Ok(Need::default()) };
        let start = Start::read(config, transfer, data.classes.len())?;
        let (frozen, tuned) = start.parts(transfer)?;
        let kept =
            if transfer.kept_features > 0 { start.features(transfer, data.train.len(), usize::MAX)? } else { 0 };
        let demand = Demand {
            graph: &tuned,
            rule: config.optimizer,
            batch: config.batch.min(data.train.len()).max(1),
            precision: Precision::F32,
            algorithm: None,
            scores: false,
            clips: false,
            averages: false,
            parts: 1,
            batches: 1 + LoaderOptions::default().ahead,
            pictures: 0,
            program: 0,
            frozen: frozen.as_ref().map(|frozen| (frozen, transfer.batch_norm)),
            kept,
        };
        let need = demand.need(config.economy())?;
        super::must_fit(need.total())?;
        Ok(need)
    }
}
