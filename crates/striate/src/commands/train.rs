//! `striate train`: a network on a data set, with a run directory.

use super::data_args::{DataArgs, describe, list};
use super::network_args::VariantArgs;
use super::results::{AT_ONCE, Part, Results};
use super::{Machine, must_fit, print_json, print_line};
use crate::diary::Diary;
use crate::figures::{bytes, duration, percent, thousands};
use crate::progress::{Bar, remark};
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use striate_data::{DataSet, LeftOut};
use striate_engine::{Memory, Request};
use striate_train::{Config, EpochRow, Job, Model, Outcome, Run, RunDir, Score, StepReport, Watch, Wishes};

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

The run's folder, runs/train/<name>, holds config.toml, run.json (command, machine, state), metrics.csv, \
weights/{best,last}.safetensors and TensorBoard's event files; and when all epochs are done report.html, MODEL_CARD.md, \
confusion.csv and predictions.csv of the best epoch (`striate report` writes them for a run that was stopped). \
With --json the last line on stdout is {\"accuracy\", \"top5\", \"loss\", \"images\", \"part\", \"seconds\", \"run\", \"model\", …}: \
the score of the best epoch on the validation images; `test` beside it, where the data has a test part.")]
pub struct Args {
    /// The data set
    data: String,
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
    /// For TensorBoard, a point every N steps too, in the run's folder steps/ [default: one an epoch]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    event_steps: Option<u64>,
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
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Trains.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let data = self.data_args.open(&self.data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let stop = stop_on_interrupt()?;
        let mut config = Config::choose(&data, &self.wishes())?;
        announce(&config, &data)?;
        remark("measuring the images' mean and deviation");
        config.measure(&data, self.data_args.limits(), self.data_args.workers())?;
        let mut run = RunDir::create(&self.out, self.name.as_deref().unwrap_or(&config.model))?;
        remark(&format!("run {}", run.path().display()));
        let job = Job {
            config: &config,
            data: &data,
            cpu: cpu.clone(),
            workers: self.data_args.workers(),
            limits: self.data_args.limits(),
            stop: &stop,
        };
        let diary = Diary::begin(run.path(), &cpu, self.event_steps)?;
        let mut watch = Lines { bar: Bar::new(), epochs: config.epochs, diary };
        let outcome = striate_train::train(&job, &mut run, &mut watch);
        watch.bar.end();
        watch.diary.end(&outcome)?;
        let outcome = outcome?;
        let whole = outcome.best_epoch > 0 && !outcome.stopped;
        let test = if whole { self.test(&outcome, &data, cpu.clone())? } else { None };
        if whole && let Err(e) = self.leave(&outcome, test, &job, &run) {
            remark(&format!("warning: the run has no report: {e:#}"));
        }
        self.report(&outcome, test, &data, &run)?;
        Ok(if outcome.stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
        }
    }

    /// The best weights' score on the test part, which nothing was chosen by.
    fn test(&self, outcome: &Outcome, data: &DataSet, cpu: Arc<striate_kernels::Cpu>) -> Result<Option<Score>> {
        let Some(test) = &data.test else { return Ok(None) };
        let model = Model::read(&outcome.model)?;
        let mut evaluator = model.evaluator(cpu, 64)?;
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

    /// Leaves the report, the model card and the tables of the best weights in the run's folder.
    fn leave(&self, outcome: &Outcome, test: Option<Score>, job: &Job<'_>, run: &RunDir) -> Result<()> {
        let (data, model) = (job.data, Model::read(&outcome.model)?);
        let mut evaluator = model.evaluator(job.cpu.clone(), job.config.batch.min(AT_ONCE))?;
        let part = Part::judging(data, &self.data);
        let (scored, ..) = part.score(&mut evaluator, &model, &self.data_args.loading())?;
        let run = Run::read(run.path())?;
        let limits = self.data_args.limits();
        let results = Results { run: &run, model: &model, file: &outcome.model, data: Some(data), test, limits };
        let report = results.write(&scored)?;
        remark(&format!("report {}", report.display()));
        Ok(())
    }

    fn report(&self, o: &Outcome, test: Option<Score>, data: &DataSet, run: &RunDir) -> Result<()> {
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
        say(format!("model {} ({})", o.model.display(), duration(o.seconds)))?;
        if self.json {
            print_json(&json!({
                "accuracy": o.score.accuracy, "top5": o.score.top5, "loss": o.score.loss, "images": o.score.images,
                "part": if data.val.is_empty() { "train" } else { "val" }, "test": test,
                "best_epoch": o.best_epoch, "epochs": o.epochs, "stopped": o.stopped,
                "seconds": o.seconds, "run": run.path().to_string_lossy(), "model": o.model.to_string_lossy(),
            }))?;
        }
        Ok(())
    }
}

/// Says what will be done.
fn announce(c: &Config, data: &DataSet) -> Result<()> {
    let graph = striate_zoo::build(&c.model, &c.options(data.classes.len()))?;
    let memory = Memory::of(&graph, &Request::train(&graph, c.batch.min(data.train.len())))?;
    let parameters = graph.parameter_count();
    let (count, macs) = (thousands(parameters as u64), thousands(graph.multiply_adds()));
    remark(&format!("{}: {count} parameters, {macs} multiply-adds an image, input {}", c.model, c.input()));
    let optimizer = match c.optimizer {
        striate_train::Rule::Sgd { .. } => "sgd",
        striate_train::Rule::AdamW { .. } => "adamw",
    };
    let need = memory.total() + 12 * parameters;
    must_fit(need)?;
    let need = bytes(need);
    let (epochs, batch, lr, seed) = (c.epochs, c.batch, c.learning_rate, c.seed);
    remark(&format!(
        "{epochs} epochs, batch {batch}, {optimizer} at up to {lr}, seed {seed}; the network takes {need}"
    ));
    Ok(())
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
struct Lines {
    bar: Bar,
    epochs: u32,
    diary: Diary,
}

impl Watch for Lines {
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
        self.diary.step(r).into_iter().for_each(|complaint| self.bar.line(&complaint));
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
        self.diary.epoch(row).into_iter().for_each(|complaint| self.bar.line(&complaint));
    }

    fn left_out(&mut self, files: &[LeftOut]) {
        self.bar.line(&format!("warning: {} images became unreadable and are left out:", files.len()));
        list(files);
    }
}
