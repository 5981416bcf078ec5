//! `striate train`: a network on a data set, with a run directory.

use super::data_args::{DataArgs, describe, list};
use super::memory_args::{Budget, MemoryArgs, program};
use super::network_args::VariantArgs;
use super::{Machine, PrecisionArgs, fast_in_bf16, print_json, print_line};
use crate::figures::{duration, percent, thousands};
use crate::progress::{Bar, remark};
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use striate_data::{DataSet, LeftOut, LoaderOptions};
use striate_engine::Precision;
use striate_train::{
    Checkpoint, Config, Decision, Demand, EpochRow, Job, Model, Outcome, PrecisionWish, RunDir, Score, StepReport,
    Watch, Wishes,
};

/// What a run that goes on has from its configuration.
const RUN_OPTIONS: [&str; 22] = [
    "data",
    "model",
    "batch",
    "imgsz",
    "alpha",
    "shortcut",
    "padding",
    "no_heads",
    "lr",
    "optimizer",
    "weight_decay",
    "schedule",
    "warmup",
    "fit",
    "shift",
    "flip",
    "seed",
    "out",
    "name",
    "memory_limit",
    "precision",
    "val_share",
];

/// Train a network on a folder of images, or on the built-in digits
#[derive(clap::Args)]
#[command(after_help = "\
DATA is a folder with one folder of images per class, or with train, val and test folders of such; a folder or file of \
MNIST's IDX or CIFAR-10's binary format; or `digits`, 1,797 real handwritten digits (UCI) inside the program. \
The network, its input size, the batch and the learning rate are chosen to fit the data unless they are given.

Examples:
  striate train digits
  striate train photos/ --epochs 50
  striate train mnist/ --model lenet5 --epochs 12
  striate train cifar/ --model resnet20 --optimizer sgd --lr 0.1 --schedule cosine --warmup 1
  striate train photos/ --model resnet50 --batch 64 --memory-limit 4GB
  striate train --resume runs/train/resnet20               # where it was stopped, by whatever
  striate train --resume runs/train/resnet20 --epochs 50   # a finished run of 30 gets 20 more

The run's folder, runs/train/<name>, holds config.toml, metrics.csv, weights/{best,last}.safetensors and checkpoint/. \
Epochs that a run is extended by are a cycle of their own: their learning rate falls from a fifth of the highest to 0 along half \
a cosine, or stays what it was last where the schedule does not end at 0. A run whose loss is no longer a number is taken \
back to its last checkpoint and goes on at half the rate, three times at most. \
With --json the last line on stdout is {\"accuracy\", \"top5\", \"loss\", \"images\", \"part\", \"seconds\", \"run\", \"model\", …}: \
the score of the best epoch on the validation images; `test` beside it, where the data has a test part; `memory`, \
what was expected and what was measured, in bytes.")]
pub struct Args {
    /// The data set
    #[arg(required_unless_present = "resume")]
    data: Option<String>,
    /// Go on with a run where it was stopped, to the bit as if it never had been; with --epochs, to that many epochs in all
    #[arg(long, value_name = "RUN", conflicts_with_all = RUN_OPTIONS)]
    resume: Option<PathBuf>,
    /// Seconds between checkpoints, beside those at the end of every epoch
    #[arg(long, value_name = "S", default_value_t = 300)]
    checkpoint_every: u64,
    /// The architecture (`striate models` lists them) [default: by the size and colour of the images]
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// Passes over the training images [default: 10 to 100, by their number]
    #[arg(short, long, value_name = "N")]
    epochs: Option<u32>,
    /// Images a step [default: 16 to 128, by the number of images]
    #[arg(short, long, value_name = "B")]
    batch: Option<usize>,
    /// Height and width of the network's input [default: by the size of the images]
    #[arg(long, value_name = "S")]
    imgsz: Option<u32>,
    #[command(flatten)]
    variant: VariantArgs,
    /// The highest learning rate [default: 0.003 for adamw; 0.1 for sgd at batch 128, less for smaller]
    #[arg(long, value_name = "X")]
    lr: Option<f64>,
    /// The optimiser: sgd (momentum 0.9, Nesterov) or adamw [default: by the architecture]
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Weight decay; biases and normalisation are spared [default: 0.0005 for sgd, 0.01 for adamw]
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// How the learning rate moves: one-cycle, cosine, step (a tenth at 50 % and 75 %) or constant [default: one-cycle]
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Epochs over which the learning rate rises linearly at first [default: 0; not with one-cycle, which rises by itself]
    #[arg(long, value_name = "EPOCHS")]
    warmup: Option<f64>,
    /// How pictures are brought to the network's size: stretch, crop, pad, letterbox, ink [default: by the images]
    #[arg(long, value_name = "RULE")]
    fit: Option<String>,
    /// Random shift of training images by up to this many pixels [default: an eighth of the input, a 16th for grey ones]
    #[arg(long, value_name = "PIXELS")]
    shift: Option<u32>,
    /// Random mirroring of training images [default: true for photographs]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    flip: Option<bool>,
    /// The seed of everything random: the same seed gives the same weights, to the bit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Where the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/train")]
    out: PathBuf,
    /// The run's name [default: the architecture's]
    #[arg(long)]
    name: Option<String>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

/// What is about to be done.
struct Plan {
    data: DataSet,
    config: Config,
    run: RunDir,
    budget: Budget,
    resume: Option<Checkpoint>,
}

/// Batches that are in memory at once: the one in use, and those that are made ahead.
fn batches() -> usize {
    1 + LoaderOptions::default().ahead
}

/// A picture takes this many times its pixels while it is decoded, brought to size and changed by lot.
const COPIES: usize = 3;

impl Args {
    /// Trains.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let stop = stop_on_interrupt()?;
        let Plan { data, config, mut run, budget, resume } = match (&self.resume, &self.data) {
            (Some(path), _) => self.go_on(path)?,
            (None, Some(data)) => self.begin(data)?,
            (None, None) => unreachable!("the command line asks for one of them"),
        };
        remark(&format!("run {}", run.path().display()));
        let job = Job {
            config: &config,
            data: &data,
            cpu: cpu.clone(),
            workers: self.data_args.workers(),
            limits: self.data_args.limits(),
            stop: &stop,
            fast_in_bf16: fast_in_bf16(&cpu),
            resume,
            checkpoint_every: Duration::from_secs(self.checkpoint_every),
        };
        let mut watch = Lines { bar: Bar::new(), epochs: config.total_epochs(), precision: &self.precision };
        let outcome = striate_train::train(&job, &mut run, &mut watch);
        watch.bar.end();
        let outcome = outcome?;
        let scored = outcome.best_epoch > 0 && !outcome.stopped;
        let test = if scored { self.test(&outcome, &data, cpu, &config)? } else { None };
        self.report(&outcome, test, &data, &run, &budget)?;
        Ok(if outcome.stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// A new run.
    fn begin(&self, data: &str) -> Result<Plan> {
        let data = self.data_args.open(data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let mut config = Config::choose(&data, &self.wishes())?;
        Args::announce(&config, &data)?;
        let budget = self.make_fit(&config, &data, false)?;
        config.save(budget.choice.economy);
        remark("measuring the images' mean and deviation");
        config.measure(&data, self.data_args.limits(), self.data_args.workers())?;
        let run = RunDir::create(&self.out, self.name.as_deref().unwrap_or(&config.model))?;
        Ok(Plan { data, config, run, budget, resume: None })
    }

    /// A run that exists, from its last checkpoint on.
    fn go_on(&self, path: &Path) -> Result<Plan> {
        let run = RunDir::open(path)?;
        let mut config: Config = run.config()?;
        let checkpoint = Checkpoint::read(&run.checkpoints(), |e| remark(&format!("warning: {e}")))?;
        let data = self.data_args.open(&config.data, config.seed, config.val_share)?;
        describe(&data);
        if data.fingerprint != config.fingerprint {
            anyhow::bail!(
                "{}: the data {} are not those that the run was begun with (their fingerprint is {}, not {}): its epochs \
                 would not be what they were",
                path.display(),
                config.data,
                data.fingerprint,
                config.fingerprint
            );
        }
        let planned = config.total_epochs();
        config.extend(self.epochs.unwrap_or(planned))?;
        let (done, all) = (checkpoint.progress.epoch - 1, config.total_epochs());
        if done >= all {
            anyhow::bail!("{}: all {all} epochs are done; --epochs N, above {all}, extends the run", path.display());
        }
        Args::announce(&config, &data)?;
        if all > planned {
            remark(&format!(
                "extended by {} epochs: a cycle of their own, whose learning rate falls from a fifth of the highest, or stays",
                all - planned
            ));
        }
        let budget = self.make_fit(&config, &data, true)?;
        remark(&format!("goes on in epoch {}, after {} steps", done + 1, thousands(checkpoint.progress.steps)));
        Ok(Plan { data, config, run, budget, resume: Some(checkpoint) })
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            model: self.model.clone(),
            epochs: self.epochs,
            batch: self.batch,
            image_size: self.imgsz,
            variant: self.variant.complete(striate_zoo::Options::default()),
            fit: self.fit.clone(),
            learning_rate: self.lr,
            optimizer: self.optimizer.clone(),
            weight_decay: self.weight_decay,
            schedule: self.schedule.clone(),
            warmup: self.warmup,
            shift: self.shift,
            flip: self.flip,
            val_share: self.data_args.val_share,
            seed: self.seed,
            precision: self.precision.wish(),
        }
    }

    /// Says what will be done.
    fn announce(c: &Config, data: &DataSet) -> Result<()> {
        let graph = striate_zoo::build(&c.model, &c.options(data.classes.len()))?;
        let (count, macs) = (thousands(graph.parameter_count() as u64), thousands(graph.multiply_adds()));
        remark(&format!("{}: {count} parameters, {macs} multiply-adds an image, input {}", c.model, c.input()));
        let optimizer = match c.optimizer {
            striate_train::Rule::Sgd { .. } => "sgd",
            striate_train::Rule::AdamW { .. } => "adamw",
        };
        let (epochs, batch, lr, seed) = (c.total_epochs(), c.batch, c.learning_rate, c.seed);
        remark(&format!("{epochs} epochs, batch {batch}, {optimizer} at up to {lr}, seed {seed}"));
        Ok(())
    }

    /// What the run takes, and how it is made to fit into memory: as it was before, for one that goes on.
    fn make_fit(&self, c: &Config, data: &DataSet, goes_on: bool) -> Result<Budget> {
        let graph = striate_zoo::build(&c.model, &c.options(data.classes.len()))?;
        let picture = data.typical.width as usize * data.typical.height as usize * usize::from(data.typical.channels);
        let demand = Demand {
            graph: &graph,
            rule: c.optimizer,
            batch: c.batch.min(data.train.len()).max(1),
            // What is checked may go on in f32.
            precision: if c.precision == PrecisionWish::Bf16 { Precision::Bf16 } else { Precision::F32 },
            algorithm: None,
            scores: !data.val.is_empty(),
            batches: batches(),
            pictures: COPIES * self.data_args.workers() * picture,
            program: program(),
        };
        let budget = if goes_on {
            let need = demand.need(c.economy())?;
            let mut budget = self.memory.must_fit(need)?;
            budget.choice.economy = c.economy();
            budget
        } else {
            self.memory.choose(&demand)?
        };
        budget.announce(&graph, demand.batch);
        Ok(budget)
    }

    /// The best weights' score on the test part, which nothing was chosen by.
    fn test(
        &self,
        outcome: &Outcome,
        data: &DataSet,
        cpu: Arc<striate_kernels::Cpu>,
        config: &Config,
    ) -> Result<Option<Score>> {
        let Some(test) = &data.test else { return Ok(None) };
        let model = Model::read(&outcome.model)?;
        let bf16 = model.card.trained.as_ref().is_some_and(|t| t.precision.is_some());
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        // No more at once than were scored in training: there is memory for that.
        let images = config.economy().images(config.batch).min(64);
        let mut evaluator = model.evaluator(cpu, images, precision)?;
        let (p, loading) = (&model.card.preprocessing, self.data_args.loading());
        let bar = Bar::new();
        bar.begin("scoring test images", test.len() as u64);
        let evaluation = evaluator.score(&model.parameters, test, p, &loading, |done| {
            bar.at(done as u64, String::new);
            true
        })?;
        bar.end();
        Ok(Some(evaluation.score))
    }

    fn report(&self, o: &Outcome, test: Option<Score>, data: &DataSet, run: &RunDir, budget: &Budget) -> Result<()> {
        let part = if data.val.is_empty() { "training" } else { "validation" };
        if o.stopped {
            remark(&format!(
                "stopped after {} of {} epochs; the newest weights are {}",
                o.epochs,
                o.planned,
                run.last().display()
            ));
        }
        let say = |line: String| {
            if self.json {
                remark(&line);
                return Ok(());
            }
            print_line(&line)
        };
        if o.best_epoch > 0 {
            let (accuracy, n) = (percent(o.score.accuracy), thousands(o.score.images as u64));
            say(format!(
                "best epoch {}: {accuracy} of {n} {part} images right, loss {:.4}",
                o.best_epoch, o.score.loss
            ))?;
        }
        if let Some(test) = test {
            let (accuracy, n) = (percent(test.accuracy), thousands(test.images as u64));
            say(format!("test: {accuracy} of {n} images right, loss {:.4}", test.loss))?;
        }
        remark(&budget.told());
        say(format!("model {} ({})", o.model.display(), duration(o.seconds)))?;
        if self.json {
            print_json(&json!({
                "accuracy": o.score.accuracy, "top5": o.score.top5, "loss": o.score.loss, "images": o.score.images,
                "part": if data.val.is_empty() { "train" } else { "val" }, "test": test,
                "best_epoch": o.best_epoch, "epochs": o.epochs, "stopped": o.stopped,
                "seconds": o.seconds, "run": run.path().to_string_lossy(), "model": o.model.to_string_lossy(),
                "memory": budget.object(),
            }))?;
        }
        Ok(())
    }
}

/// Interrupts nearer to the first than this are the same one: some senders signal a process and its group.
const ONE_INTERRUPT: Duration = Duration::from_secs(1);

/// A flag that the first Ctrl-C (or SIGTERM) raises; a later one ends the program at once.
pub(super) fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (raised, mut first) = (stop.clone(), None::<Instant>);
    ctrlc::set_handler(move || match first {
        Some(first) if first.elapsed() >= ONE_INTERRUPT => std::process::exit(130),
        Some(_) => {}
        None => {
            first = Some(Instant::now());
            raised.store(true, Ordering::Relaxed);
            remark("stopping after this step; again to stop at once");
        }
    })?;
    Ok(stop)
}

/// A line an epoch, and a bar or a line now and then within.
struct Lines<'a> {
    bar: Bar,
    epochs: u32,
    precision: &'a PrecisionArgs,
}

impl Watch for Lines<'_> {
    fn precision(&mut self, decision: &Decision) {
        self.bar.suspend(|| self.precision.tell(decision));
    }

    fn step(&mut self, r: &StepReport) {
        if r.step == 1 {
            self.bar.begin(&format!("epoch {}/{}", r.epoch, self.epochs), r.steps);
        }
        self.bar.at(r.step, || {
            let (loss, accuracy, speed) = (r.score.loss, percent(r.score.accuracy), r.images_per_second);
            format!("loss {loss:.3} acc {accuracy} {speed:.0} images/s, run left {}", duration(r.seconds_left))
        });
        if r.step == r.steps {
            self.bar.end();
        }
    }

    fn epoch(&mut self, row: &EpochRow, best: bool) {
        let width = self.epochs.to_string().len();
        let val = match (row.val_loss, row.val_accuracy, row.val_top5) {
            (Some(loss), Some(accuracy), Some(top5)) => {
                format!("  val loss {loss:.4} acc {} top5 {}", percent(accuracy), percent(top5))
            }
            _ => String::new(),
        };
        let (loss, accuracy, speed) = (row.train_loss, percent(row.train_accuracy), row.images_per_second);
        let (epoch, epochs, lr, star) = (row.epoch, self.epochs, row.learning_rate, if best { " *" } else { "" });
        let left = row.seconds / f64::from(epoch) * f64::from(epochs - epoch);
        self.bar.line(&format!(
            "epoch {epoch:width$}/{epochs}  loss {loss:.4} acc {accuracy}{val}  lr {lr:.2e}  {speed:.0} images/s  left {}{star}",
            duration(left)
        ));
    }

    fn note(&mut self, what: &str) {
        self.bar.line(what);
    }

    fn left_out(&mut self, files: &[LeftOut]) {
        self.bar.line(&format!("warning: {} images became unreadable and are left out:", files.len()));
        list(files);
    }
}
