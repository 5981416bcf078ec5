//! `striate train`: a network on a data set, with a run directory.

mod lines;
mod outcome;
mod pipeline;
mod plan;
mod rates;
mod recipe_args;
mod tuning;

pub(super) use lines::stop_on_interrupt;
pub(super) use outcome::Done;
pub(super) use pipeline::size_for;

use super::data_args::{DataArgs, describe};
use super::memory_args::MemoryArgs;
use super::network_args::VariantArgs;
use super::{Machine, PrecisionArgs, augmentation, fast_in_bf16, folds};
use crate::diary::Diary;
use crate::progress::{Bar, remark};
use anyhow::Result;
use lines::Lines;
use plan::Plan;
use recipe_args::RecipeArgs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use striate_kernels::Cpu;
use striate_train::{Config, Job, Wishes, new_folder};
use tuning::TuningArgs;

/// What a run that goes on has from its configuration.
const RUN_OPTIONS: [&str; 46] = [
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
    "fold",
    "folds",
    "augment",
    "show_augmentation",
    "clean",
    "box_margin",
    "group_column",
    "find_lr",
    "label_smoothing",
    "class_weights",
    "balanced_sampling",
    "ema",
    "clip_norm",
    "accumulate",
    "patience",
    "no_decay",
    "from",
    "tune",
    "new_head",
    "bn",
    "backbone_lr",
    "layer_decay",
    "head_epochs",
    "unfreeze_every",
];

/// Train a network on your images, or on the built-in digits
#[derive(clap::Args)]
#[command(after_help = "\
DATA is told by its content:
  a folder with one folder of images per class, or with train, val and test folders of such
  a table: CSV, TSV or JSON lines with the columns path and label, and split, group, fold and sha256 if wanted; paths are \
relative to the table
  a folder or file of tar shards (WebDataset: 0017.jpg beside 0017.cls, .json or .txt), or of Parquet files (Hugging Face: \
image and label); parts are told by names like train-0000.tar; several files are named by 'shards/train-*.tar' in quotes
  a folder of VOC's (Annotations, JPEGImages, ImageSets) or COCO's annotations (annotations/instances_*.json): each box is a \
picture to classify
  a folder or file of MNIST's IDX or CIFAR-10's binary format
  digits, 1,797 real handwritten digits (UCI) inside the program

The network, its input size, the batch and the learning rate are chosen to fit the data unless they are given.

Classical pipelines, as --model hog+svm: features (raw, colour_histogram, hog, lbp, glcm, gabor, visual_words, \
patch_dictionary), then transforms if wanted (standardise, min_max, unit_length, pca), then one classifier (softmax_regression, \
linear_svm, rbf_svm, k_nearest, decision_tree, random_forest, gradient_boosting, naive_bayes, linear_discriminant; logistic, \
svm, rbf, knn, tree, forest, boosting, bayes and lda for short). They are fitted in one go on pictures of the images' own size, \
or of 64×64 (--imgsz) if that is large; options of training do not concern them.

Augmentation is a list of items with commas between. Every draw depends on the seed, the epoch and the image \
(of mixing, the batch) only.
  rrc=LEAST:MOST      a window of this share of the picture's area, resized to the input [0.35:1]
  shift=N[:reflect]   moved by up to N pixels; black moves in, or the picture mirrored [4]
  flip, vflip         mirrored left to right, turned upside down, in half of the cases
  affine=D:SCALE:SHEAR, rotate=D   turned by up to D degrees, scaled, sheared [10:0.15:0.2]
  jitter=B:C:S:HUE    brightness, contrast, saturation, hue; one number: for three [0.4:0.4:0.4:0]
  grey=SHARE, blur=SIGMA:SHARE     this share of images [0.1, 2:0.5]
  rand=N:M, trivial   RandAugment: N operations of strength M of 30 [2:9]; TrivialAugment
  erase=SHARE         a rectangle becomes noise in this share of images [0.25]
  mixup=A, cutmix=A   batches are mixed by a share from Beta(A, A) [0.2, 1]; of both, a lot takes one
light, standard and strong stand for lists that suit the pictures; a later item changes an earlier one of its name, and \
NAME=off takes it out: `standard,jitter=off,erase`. Where images are mixed, the training accuracy counts the class with the \
larger share.

Examples:
  striate train digits
  striate train photos/ --epochs 50
  striate train photos/ --find-lr rates.svg
  striate train photos/ --class-weights balanced --label-smoothing 0.1 --ema 0.999 --patience 10
  striate train photos/ --augment strong --show-augmentation sheet.png
  striate train labels.csv --fold 0
  striate train photos/ --folds 5
  striate train photos/ --from mobilenet.safetensors                  # its head made anew and trained, the rest frozen
  striate train photos/ --from resnet18.safetensors --tune last:2     # and the last block
  striate train photos/ --from resnet18.safetensors --tune all --head-epochs 3 --layer-decay 0.8
  striate train mnist/ --model lenet5 --epochs 12
  striate train photos/ --model hog+svm                    # features and a classifier, no network
  striate train cifar/ --model resnet20 --optimizer sgd --lr 0.1 --schedule cosine --warmup 1
  striate train photos/ --model resnet50 --batch 64 --memory-limit 4GB
  striate train --resume runs/train/resnet20               # where it was stopped, by whatever
  striate train --resume runs/train/resnet20 --epochs 50   # a finished run of 30 gets 20 more

--from begins with a trained network (`striate train` and `striate import` write such files): what is not tuned is frozen, runs \
forward only, and keeps no activations. Without augmentation its features are computed once, if they fit into a quarter of \
the memory, and an epoch trains on those. The network's preprocessing is its own; a layer for colours is made one for grey \
pictures where these are grey. Of networks with residual or inception blocks, last:K counts whole blocks.

The run's folder, runs/train/<name>, holds config.toml, run.json (command, machine, state), metrics.csv, \
weights/{best,last}.safetensors, checkpoint/ and TensorBoard's event files; and when all epochs are done report.html, \
MODEL_CARD.md, confusion.csv and predictions.csv of the best epoch (`striate report` writes them for a run that was stopped). \
Epochs that a run is extended by are a cycle of their own: their learning rate falls from a fifth of the highest to 0 along half \
a cosine, or stays what it was last where the schedule does not end at 0. A run whose loss is no longer a number is taken \
back to its last checkpoint and goes on at half the rate, three times at most. \
With --json the last line on stdout is {\"accuracy\", \"top5\", \"loss\", \"images\", \"part\", \"seconds\", \"run\", \"model\", …}: \
the score of the best epoch on the validation images; `test` beside it, where the data has a test part; `memory`, \
what was expected and what was measured, in bytes; `calibration`, as of `striate calibrate`, which is done at the end with the \
held-out images and kept in the best model. With --folds, the runs are fold1, fold2, … in that folder, folds.json there \
sums them up, and --json prints it: {\"folds\": [{\"fold\", \"accuracy\", …}, …], \"mean\": {\"accuracy\", \"top5\", \"loss\"}, \
\"deviation\": {…}, …}.")]
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
    /// The architecture (`striate models` lists them), or a classical pipeline: features, transforms and a classifier joined
    /// by + [default: by the size and colour of the images]
    #[arg(short, long, value_name = "NAME", conflicts_with = "from")]
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
    /// How the learning rate moves: one-cycle, cosine, step (a tenth at 50 % and 75 %), plateau (a tenth after six
    /// epochs without a lower loss) or constant [default: one-cycle]
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Epochs over which the learning rate rises linearly at first [default: 0; not with one-cycle, which rises by itself]
    #[arg(long, value_name = "EPOCHS")]
    warmup: Option<f64>,
    /// How pictures are brought to the network's size: stretch, crop, pad, letterbox, ink [default: by the images]
    #[arg(long, value_name = "RULE")]
    fit: Option<String>,
    /// How training images are changed: none, light, standard, strong, or a list, see below [default: standard; light for
    /// photographs over fewer than 10 epochs]
    #[arg(long, value_name = "LIST")]
    augment: Option<String>,
    /// Write training images as the network would see them, beside their pictures, into a PNG file, and end
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "augmentation.png")]
    show_augmentation: Option<PathBuf>,
    /// Try learning rates from 0.000001 to 10 in a short training, draw the loss against them into an SVG file, say which would
    /// serve as --lr, and end
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "rates.svg")]
    find_lr: Option<PathBuf>,
    /// Random shift of training images by up to this many pixels, whatever the list says
    #[arg(long, value_name = "PIXELS")]
    shift: Option<u32>,
    /// Random mirroring of training images, whatever the list says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    flip: Option<bool>,
    /// The seed of everything random: the same seed gives the same weights, to the bit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Train so many times, each time with another part of the images for validation: classes keep their shares, and copies
    /// of a picture stay together
    #[arg(long, value_name = "K", conflicts_with_all = ["fold", "val_share"])]
    folds: Option<u32>,
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
    recipe: RecipeArgs,
    #[command(flatten)]
    tuning: TuningArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Trains.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(recipe) = self.model.as_deref().filter(|name| name.contains('+')) {
            return self.pipeline(recipe, &self.machine.cpu()?);
        }
        if let (Some(file), Some(data)) = (&self.show_augmentation, &self.data) {
            let data = self.data_args.open(data, self.seed, self.data_args.val_share)?;
            let config = Config::choose(&data, &self.wishes()?)?;
            augmentation::show(&config, &data, self.data_args.limits(), file)?;
            return Ok(ExitCode::SUCCESS);
        }
        let cpu = self.machine.cpu()?;
        if let (Some(file), Some(data)) = (&self.find_lr, &self.data) {
            return self.find_rate(data, file, &cpu);
        }
        let plan = match (&self.resume, &self.data) {
            (Some(path), _) => self.go_on(path)?,
            (None, Some(data)) if self.folds.is_some() => return self.run_folds(data, &cpu),
            (None, Some(data)) => self.begin(data)?,
            (None, None) => unreachable!("the command line asks for one of them"),
        };
        // Until here an interrupt ends the program at once: nothing is lost.
        let stop = stop_on_interrupt()?;
        let done = self.train(plan, &cpu, &stop)?;
        self.report(&done)?;
        Ok(if done.outcome.stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Trains on each fold in turn.
    fn run_folds(&self, data: &str, cpu: &Arc<Cpu>) -> Result<ExitCode> {
        let count = self.folds.unwrap_or_default();
        let whole = self.data_args.open(data, self.seed, Some(0.0))?;
        let (limits, workers) = (self.data_args.limits(), self.data_args.workers());
        let sets = whole.folds(count, self.seed, limits, workers, &Bar::new())?;
        describe(&sets[0]);
        let mut config = Config::choose(&sets[0], &self.wishes()?)?;
        let start = self.start(&mut config, &sets[0], false)?;
        Args::announce(&config, &sets[0], start.as_ref())?;
        let budget = self.make_fit(&config, &sets[0], start.as_ref(), false)?;
        drop(start);
        config.save(budget.choice.economy);
        let stop = stop_on_interrupt()?;
        let folder = new_folder(&self.out, self.name.as_deref().unwrap_or(&config.model))?;
        folds::run(&folder, sets, self.json, |fold, data| {
            let config = Config { fold: Some(fold), folds: Some(count), ..config.clone() };
            let plan = self.begin_run(data, config, budget.clone(), &folder, &format!("fold{fold}"))?;
            self.train(plan, cpu, &stop)
        })
    }

    /// One run.
    fn train(&self, plan: Plan, cpu: &Arc<Cpu>, stop: &AtomicBool) -> Result<Done> {
        let Plan { data, config, mut run, budget, resume } = plan;
        remark(&format!("run {}", run.path().display()));
        let job = Job {
            config: &config,
            data: &data,
            cpu: cpu.clone(),
            workers: self.data_args.workers(),
            limits: self.data_args.limits(),
            stop,
            fast_in_bf16: fast_in_bf16(cpu),
            resume,
            checkpoint_every: Duration::from_secs(self.checkpoint_every),
        };
        let diary = Diary::begin(run.path(), cpu, self.event_steps)?;
        let mut watch =
            Lines { bar: Bar::new(), epochs: config.total_epochs(), precision: &self.precision, diary, computed: 0 };
        let outcome = striate_train::train(&job, &mut run, &mut watch);
        watch.bar.end();
        watch.diary.end(&outcome)?;
        self.finish(outcome?, &job, run, &budget)
    }

    fn wishes(&self) -> Result<Wishes> {
        let mut wishes = Wishes {
            model: self.model.clone(),
            origin: self.tuning.origin()?,
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
            augment: self.augment.clone(),
            shift: self.shift,
            flip: self.flip,
            val_share: self.data_args.val_share,
            fold: self.data_args.fold,
            clean: self.data_args.clean(),
            group_column: self.data_args.group_column(),
            box_margin: self.data_args.box_margin(),
            seed: self.seed,
            precision: self.precision.wish(),
            ..Wishes::default()
        };
        self.recipe.add_to(&mut wishes);
        Ok(wishes)
    }
}
