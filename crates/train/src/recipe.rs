//! What a run does, in full: the user's wishes, completed by defaults that fit the data.
//!
//! The defaults: small grey images (digits, letters) train LeNet-5, everything else a residual network; networks with batch
//! normalisation are trained by SGD, others by AdamW. The batch shrinks with the data, so that an epoch has steps enough, and the epochs grow, so that the run has.

mod basis;

use crate::class_weights::class_weights;
use crate::transfer::{Origin, Start, Transfer, Tune};
use crate::{Curve, Economy, Emphasis, PrecisionWish, Rule, TrainError};
use basis::{Basis, basis};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use striate_data::{Augment, DataSet, Limits, Preprocessing, Subject, mean_std};
use striate_graph::{AnyLayer, Graph, Shape};
use striate_zoo::{Options, PaddingRule, Shortcut};

/// What the user asked for; `None` is left to the recipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// The architecture.
    pub model: Option<String>,
    /// The trained network to begin with, instead of an architecture.
    pub origin: Option<Origin>,
    /// Passes over the training images.
    pub epochs: Option<u32>,
    /// Images a step.
    pub batch: Option<usize>,
    /// The network's input height and width.
    pub image_size: Option<u32>,
    /// What the architecture leaves open: its width, shortcuts, padding and auxiliary classifiers; input, classes and
    /// resolution are the run's.
    pub variant: Options,
    /// How pictures are brought to that size.
    pub fit: Option<String>,
    /// The highest learning rate.
    pub learning_rate: Option<f64>,
    /// The optimiser's name.
    pub optimizer: Option<String>,
    /// The optimiser's weight decay.
    pub weight_decay: Option<f64>,
    /// The schedule's name.
    pub schedule: Option<String>,
    /// Epochs of linear warm-up.
    pub warmup: Option<f64>,
    /// How training images are changed: a list that [`Augment::parse`] reads, or the name of a preset.
    pub augment: Option<String>,
    /// Random translation in pixels.
    pub shift: Option<u32>,
    /// Random mirroring.
    pub flip: Option<bool>,
    /// The share of every target that all classes have alike.
    pub label_smoothing: Option<f64>,
    /// What each class counts: `none`, `balanced`, or a table's path.
    pub class_weights: Option<String>,
    /// Whether every class is drawn equally often.
    pub balanced_sampling: bool,
    /// How much of the average of the weights is kept a step.
    pub ema: Option<f64>,
    /// The largest norm of a step's gradients.
    pub clip_norm: Option<f64>,
    /// Batches a step.
    pub accumulate: Option<usize>,
    /// Epochs without a better one after which the run ends.
    pub patience: Option<u32>,
    /// Parameters that weight decay spares too: those whose names hold one of these.
    pub no_decay: Vec<String>,
    /// The share of images held out for validation, where it was chosen.
    pub val_share: Option<f64>,
    /// The fold of the data's own that is held for validation, where it was chosen.
    pub fold: Option<u32>,
    /// The manifest of what is left out of the data.
    pub clean: Option<PathBuf>,
    /// The column of a table that says which images belong together, where it was chosen.
    pub group_column: Option<String>,
    /// How far boxes that are cut out of pictures are widened.
    pub box_margin: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// How activations and their gradients are kept.
    pub precision: PrecisionWish,
}

/// A run in full, as `config.toml` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The architecture.
    pub model: String,
    /// The data set, as it was named.
    pub data: String,
    /// A hash of its contents.
    pub fingerprint: String,
    /// Passes over the training images.
    pub epochs: u32,
    /// Epochs of each extension of the run, behind those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<u32>,
    /// Images a step.
    pub batch: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Epochs of linear warm-up.
    pub warmup: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// The share of images held out for validation, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_share: Option<f64>,
    /// The fold that is held for validation, where there are folds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// How many folds were drawn by the seed; with a fold but without this, the data has folds of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// The manifest of what is left out of the data, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<PathBuf>,
    /// The column of a table that says which images belong together, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// How far boxes that are cut out of pictures are widened on each side, as a share of their width and height.
    #[serde(default, skip_serializing_if = "is_none")]
    pub box_margin: f64,
    /// The architecture's width multiplier α, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// The kind of its shortcuts, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// The rule of its padding, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<PaddingRule>,
    /// Whether it has its auxiliary classifiers, where that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auxiliary: Option<bool>,
    /// How activations and their gradients are kept.
    #[serde(default)]
    pub precision: PrecisionWish,
    /// Whether what is cheap is computed again in the backward sweep instead of being kept for it.
    #[serde(default)]
    pub recompute: bool,
    /// Parts that a batch is taken in: see [`crate::MicroBatches`].
    #[serde(default = "one")]
    pub micro_batches: usize,
    /// The share of every target that all classes have alike.
    #[serde(default, skip_serializing_if = "is_none")]
    pub label_smoothing: f64,
    /// What each class counts in the loss, in the order of the classes; none: 1 each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<f64>,
    /// Whether every class is drawn equally often.
    #[serde(default)]
    pub balanced_sampling: bool,
    /// How much of the average of the weights is kept a step, where an average is what is scored and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The largest norm of a step's gradients, if there is a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Epochs without a better one after which the run ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Parameters that weight decay spares, beside biases and normalisation: those whose names hold one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<String>,
    /// The optimiser.
    pub optimizer: Rule,
    /// How the learning rate moves.
    pub schedule: Curve,
    /// How a picture becomes the network's input.
    pub preprocessing: Preprocessing,
    /// Random changes to training images.
    pub augment: Augment,
    /// What the run begins with, where that is a trained network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_none(share: &f64) -> bool {
    *share == 0.0
}

/// Images at most this high and wide count as small.
const SMALL: u32 = 40;
/// Photographs are cropped in many sizes from this size on.
const LARGE: u32 = 64;
/// Below this number of epochs photographs are changed lightly.
const FEW_EPOCHS: u32 = 10;
/// Images that the mean and deviation are taken over.
const SAMPLED: usize = 500;

impl Config {
    /// Completes the wishes for this data, all but the mean and deviation of its images: see [`Config::measure`].
    ///
    /// # Errors
    /// If a wish cannot be met.
    pub fn choose(data: &DataSet, wishes: &Wishes) -> Result<Config, TrainError> {
        let images = data.train.len();
        let typical = data.typical;
        let small = typical.width.max(typical.height) <= SMALL;
        let drawing = small && typical.channels == 1;
        let default = if drawing { "lenet5" } else { "resnet20" };
        let Basis { model, preprocessing, graph, transfer } = basis(data, wishes, default)?;
        let tune = transfer.as_ref().map(|t| &t.tune);

        let normalised = graph.nodes().iter().any(|n| matches!(n.layer, AnyLayer::BatchNorm(_)));
        let optimizer =
            wishes.optimizer.as_deref().unwrap_or(if normalised && tune.is_none() { "sgd" } else { "adamw" });
        let mut optimizer = named(Rule::named, Rule::NAMES, "optimiser", optimizer)?;
        if let Some(decay) = wishes.weight_decay {
            *optimizer.weight_decay_mut() = positive("--weight-decay", decay, true)?;
        }
        let schedule = wishes.schedule.as_deref().unwrap_or("one-cycle");
        let schedule = named(Curve::named, Curve::NAMES, "schedule", schedule)?;
        if schedule == Curve::OneCycle && wishes.warmup.is_some() {
            let why = "the one-cycle schedule rises by itself: leave --warmup away, or choose --schedule cosine";
            return Err(TrainError::Setting(why.into()));
        }
        let accumulate = at_least_one("--accumulate", wishes.accumulate.unwrap_or(1))?;
        let batch = at_least_one("--batch", wishes.batch.unwrap_or_else(|| batch(images)))?;
        let batch =
            batch.checked_mul(accumulate).ok_or_else(|| TrainError::Setting("--accumulate is too large".into()))?;
        if wishes.patience.is_some() && data.val.is_empty() {
            let why = "--patience asks for epochs that get no better on held-out images, and none are held out";
            return Err(TrainError::Setting(why.into()));
        }
        if let Some(name) =
            wishes.no_decay.iter().find(|name| graph.clone().spare_from_decay(|n| n.contains(*name)) == 0)
        {
            let why = format!("--no-decay: no parameter's name of {model} holds `{name}`");
            return Err(TrainError::Setting(why));
        }
        let rate = match optimizer {
            // What was learnt before would be lost at the rates that learning from nothing takes.
            Rule::AdamW { .. } if tune.is_some_and(|tune| *tune != Tune::Head) => 1e-3,
            Rule::Sgd { .. } if tune.is_some() => 0.01 * batch.min(128) as f64 / 128.0,
            Rule::AdamW { .. } => 3e-3,
            // He et al. 2015 take 0.1 for 128 images; fewer make a noisier gradient (Goyal et al. 2017, arXiv:1706.02677).
            Rule::Sgd { .. } => 0.1 * batch.min(128) as f64 / 128.0,
        };
        let epochs = at_least_one("--epochs", wishes.epochs.unwrap_or_else(|| epochs(images, tune)))?;
        let subject = match typical.width.max(typical.height).min(preprocessing.width) {
            _ if drawing => Subject::Drawing,
            LARGE.. => Subject::Photograph,
            _ => Subject::Small,
        };
        let augment = augment(wishes, subject, preprocessing.width, epochs, tune)?;
        Ok(Config {
            model,
            data: data.source.clone(),
            fingerprint: data.fingerprint.clone(),
            epochs,
            extensions: Vec::new(),
            batch,
            learning_rate: positive("--lr", wishes.learning_rate.unwrap_or(rate), false)?,
            warmup: positive("--warmup", wishes.warmup.unwrap_or(0.0), true)?,
            seed: wishes.seed,
            val_share: wishes.val_share,
            fold: wishes.fold,
            folds: None,
            clean: wishes.clean.clone(),
            group_column: wishes.group_column.clone(),
            box_margin: wishes.box_margin,
            alpha: wishes.variant.width,
            shortcut: wishes.variant.shortcut,
            padding: wishes.variant.padding,
            auxiliary: wishes.variant.auxiliary,
            precision: wishes.precision,
            recompute: false,
            micro_batches: accumulate,
            label_smoothing: share("--label-smoothing", wishes.label_smoothing.unwrap_or(0.0))?,
            class_weights: class_weights(wishes.class_weights.as_deref().unwrap_or("none"), data)?,
            balanced_sampling: wishes.balanced_sampling,
            ema: wishes.ema.map(|decay| share("--ema", decay)).transpose()?,
            clip_norm: wishes.clip_norm.map(|norm| positive("--clip-norm", norm, false)).transpose()?,
            patience: wishes.patience,
            no_decay: wishes.no_decay.clone(),
            optimizer,
            schedule,
            preprocessing,
            augment,
            transfer,
        })
    }

    /// Sets the preprocessing's mean and deviation to those of the training images; a trained network keeps its own.
    ///
    /// # Errors
    /// If no image can be read.
    pub fn measure(&mut self, data: &DataSet, limits: Limits, workers: usize) -> Result<(), TrainError> {
        if self.transfer.is_some() {
            return Ok(());
        }
        let (mean, std) = mean_std(&data.train, &self.preprocessing, SAMPLED, &limits, workers)?;
        self.preprocessing = self.preprocessing.clone().normalised_by(mean, std);
        Ok(())
    }

    /// Epochs in all.
    pub fn total_epochs(&self) -> u32 {
        self.extensions.iter().fold(self.epochs, |sum, epochs| sum.saturating_add(*epochs))
    }

    /// Plans the run to end after `epochs` instead.
    ///
    /// # Errors
    /// If that is before its present end.
    pub fn extend(&mut self, epochs: u32) -> Result<(), TrainError> {
        let planned = self.total_epochs();
        match epochs.checked_sub(planned) {
            Some(0) => {}
            Some(more) => self.extensions.push(more),
            None => {
                return Err(TrainError::Setting(format!(
                    "the run is planned for {planned} epochs, which --epochs {epochs} would cut short: its learning rates would \
                     not be those of its plan"
                )));
            }
        }
        Ok(())
    }

    /// The network for so many classes, with weight decay where the run has it.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn graph(&self, classes: usize) -> Result<Graph, TrainError> {
        if let Some(transfer) = &self.transfer {
            return Ok(Arc::unwrap_or_clone(Start::read(self, transfer, classes)?.graph));
        }
        let mut graph = striate_zoo::build(&self.model, &self.options(classes))?;
        if !self.no_decay.is_empty() {
            graph.spare_from_decay(|name| self.no_decay.iter().any(|piece| name.contains(piece)));
        }
        Ok(graph)
    }

    /// How its labels become targets.
    pub fn emphasis(&self) -> Emphasis {
        let class_weights = self.class_weights.iter().map(|w| *w as f32).collect();
        Emphasis { class_weights, smoothing: self.label_smoothing as f32 }
    }

    /// How its steps save memory.
    pub fn economy(&self) -> Economy {
        Economy { recompute: self.recompute, micro_batches: self.micro_batches }
    }

    /// Makes its steps save memory so.
    pub fn save(&mut self, economy: Economy) {
        (self.recompute, self.micro_batches) = (economy.recompute, economy.micro_batches);
    }

    /// What the network is built with for so many classes.
    pub fn options(&self, classes: usize) -> Options {
        Options {
            input: Some(self.input()),
            classes: Some(classes),
            width: self.alpha,
            resolution: None,
            shortcut: self.shortcut,
            padding: self.padding,
            auxiliary: self.auxiliary,
        }
    }

    /// The network's input.
    pub fn input(&self) -> Shape {
        input(&self.preprocessing)
    }
}

fn input(p: &Preprocessing) -> Shape {
    Shape::new(p.height as usize, p.width as usize, p.channels as usize)
}

/// Unless another is asked for, the standard list for what the pictures show, or the light one where photographs are seen
/// only a few times: too little of them would be. The features of a head that is trained alone are computed
/// once where images stay as they are, and so they do.
fn augment(
    wishes: &Wishes,
    subject: Subject,
    width: u32,
    epochs: u32,
    tune: Option<&Tune>,
) -> Result<Augment, TrainError> {
    let default = match tune {
        Some(Tune::Head) => "none",
        _ if subject == Subject::Photograph && epochs < FEW_EPOCHS => "light",
        _ => "standard",
    };
    let list = wishes.augment.as_deref().unwrap_or(default);
    let mut augment =
        Augment::parse(list, subject, width).map_err(|e| TrainError::Setting(format!("--augment: {e}")))?;
    if let Some(pixels) = wishes.shift {
        augment.shift(pixels);
    }
    if let Some(flip) = wishes.flip {
        augment.flip(flip);
    }
    Ok(augment)
}

/// About 1.2 million images seen, but 10 epochs at least and 100 at most; a tenth of that for a trained network, where a head
/// alone is soon trained.
fn epochs(images: usize, tune: Option<&Tune>) -> u32 {
    let of = |seen: usize, least, most| (seen / images.max(1)).clamp(least, most) as u32;
    match tune {
        None => of(1_200_000, 10, 100),
        Some(Tune::Head) => of(120_000, 10, 50),
        Some(_) => of(120_000, 5, 30),
    }
}

/// A power of two between 16 and 128 that leaves some thirty steps an epoch.
fn batch(images: usize) -> usize {
    (images / 30).next_power_of_two().clamp(16, 128)
}

fn named<T>(by_name: impl Fn(&str) -> Option<T>, names: &[&str], what: &str, name: &str) -> Result<T, TrainError> {
    by_name(name)
        .ok_or_else(|| TrainError::Setting(format!("no {what} is named `{name}`; there are {}", names.join(", "))))
}

fn positive(option: &str, value: f64, or_zero: bool) -> Result<f64, TrainError> {
    if value.is_finite() && (value > 0.0 || (or_zero && value == 0.0)) {
        return Ok(value);
    }
    let range = if or_zero { "0 or more" } else { "more than 0" };
    Err(TrainError::Setting(format!("{option} must be {range}, not {value}")))
}

/// From 0 to below 1.
fn share(option: &str, value: f64) -> Result<f64, TrainError> {
    if (0.0..1.0).contains(&value) {
        return Ok(value);
    }
    Err(TrainError::Setting(format!("{option} must be 0 or more and less than 1, not {value}")))
}

fn at_least_one<T: PartialOrd + From<u8> + std::fmt::Display>(option: &str, value: T) -> Result<T, TrainError> {
    if value >= T::from(1) {
        Ok(value)
    } else {
        Err(TrainError::Setting(format!("{option} must be at least 1, not {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_data::{Fit, OpenOptions, Silent, SourceKind, Typical};

    fn choose(wishes: &Wishes) -> Result<Config, TrainError> {
        let data = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
        Config::choose(&data, wishes)
    }

    #[test]
    fn digits_get_a_network_that_fits_them() {
        let c = choose(&Wishes::default()).unwrap();
        assert_eq!((c.model.as_str(), c.input()), ("lenet5", Shape::new(32, 32, 1)));
        assert_eq!(c.preprocessing.fit, Fit::Ink { detail: 10 });
        assert_eq!(c.augment.to_string(), "affine=10:0.15:0.2,shift=2", "a mirrored digit is another sign");
    }

    #[test]
    fn augmentation_fits_what_the_pictures_show() {
        let with = |side, channels, wishes: &Wishes| {
            let mut data = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
            (data.kind, data.typical) = (SourceKind::ClassFolders, Typical { width: side, height: side, channels });
            Config::choose(&data, wishes).unwrap().augment.to_string()
        };
        let none = Wishes::default();
        assert_eq!(with(400, 3, &none), "rrc=0.35:1,flip,jitter=0.2");
        assert_eq!(with(400, 1, &none), "rrc=0.35:1,flip,jitter=0.2", "grey photographs are photographs");
        assert_eq!(with(400, 3, &Wishes { epochs: Some(9), ..none.clone() }), "rrc=0.6:1,flip");
        assert_eq!(with(32, 3, &none), "shift=4,flip");
        assert_eq!(with(32, 3, &Wishes { image_size: Some(224), ..none.clone() }), "shift=28,flip");
        assert_eq!(with(400, 3, &Wishes { image_size: Some(32), ..none.clone() }), "shift=4,flip");
        let asked = |augment: &str, shift, flip| {
            with(32, 3, &Wishes { augment: Some(augment.into()), shift, flip, ..Wishes::default() })
        };
        assert_eq!(asked("none", None, None), "none");
        assert_eq!(asked("standard,erase=0.5", Some(0), Some(false)), "erase=0.5");
        assert_eq!(asked("shift=4:reflect", Some(3), Some(true)), "shift=3:reflect,flip");
        assert_eq!(asked("vflip,mixup", Some(3), None), "vflip,shift=3,mixup=0.2");
    }

    #[test]
    fn configurations_of_before_are_read() {
        let c = choose(&Wishes { augment: Some("strong".into()), ..Wishes::default() }).unwrap();
        let written = toml::to_string(&c).unwrap();
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), c);
        let mut table: toml::Table = toml::from_str(&written).unwrap();
        let old = "[[steps]]\nstep = \"shift\"\npixels = 4\n\n[[steps]]\nstep = \"flip\"\n";
        table["augment"] = toml::from_str::<toml::Table>(old).unwrap().into();
        let read: Config = toml::from_str(&table.to_string()).unwrap();
        assert_eq!(read, Config { augment: Augment::new(4, true), ..c });
    }

    #[test]
    fn the_configuration_survives_toml() {
        let c = choose(&Wishes::default()).unwrap();
        assert_eq!(toml::from_str::<Config>(&toml::to_string(&c).unwrap()).unwrap(), c);
    }

    #[test]
    fn what_an_architecture_leaves_open_is_recorded() {
        let plain = choose(&Wishes { model: Some("resnet20".into()), ..Wishes::default() }).unwrap();
        assert!(!toml::to_string(&plain).unwrap().contains("shortcut"));
        let variant = Options { shortcut: Some(Shortcut::B), ..Options::default() };
        let c = choose(&Wishes { model: Some("resnet20".into()), variant, ..Wishes::default() }).unwrap();
        let written = toml::to_string(&c).unwrap();
        assert!(written.lines().any(|l| l == "shortcut = \"b\""), "{written}");
        let read: Config = toml::from_str(&written).unwrap();
        let count = |c: &Config| striate_zoo::build(&c.model, &c.options(10)).unwrap().parameter_count();
        // Two projections with batch normalisation: 16 to 32 and 32 to 64 channels.
        assert_eq!(count(&read), count(&plain) + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64);
        let e = choose(&Wishes { variant, ..Wishes::default() }).unwrap_err().to_string();
        assert!(e.contains("`lenet5` has no shortcuts to choose"), "{e}");
    }

    #[test]
    fn wishes_that_cannot_be_are_refused_by_name() {
        let refused = |wishes: Wishes| choose(&wishes).unwrap_err().to_string();
        let none = Wishes::default;
        assert!(refused(Wishes { epochs: Some(0), ..none() }).contains("--epochs must be at least 1"));
        assert!(refused(Wishes { batch: Some(0), ..none() }).contains("--batch"));
        assert!(refused(Wishes { learning_rate: Some(-1.0), ..none() }).contains("--lr must be more than 0"));
        assert!(refused(Wishes { learning_rate: Some(f64::NAN), ..none() }).contains("--lr"));
        assert!(refused(Wishes { optimizer: Some("adam".into()), ..none() }).contains("there are sgd, adamw"));
        assert!(refused(Wishes { schedule: Some("cos".into()), ..none() }).contains("cosine"));
        assert!(refused(Wishes { warmup: Some(1.0), ..none() }).contains("--schedule cosine"));
        assert!(
            refused(Wishes { augment: Some("flp".into()), ..none() }).contains("--augment: `flp` is no augmentation")
        );
        assert!(refused(Wishes { image_size: Some(0), ..none() }).contains("--imgsz"));
        assert!(refused(Wishes { model: Some("lenet6".into()), ..none() }).contains("did you mean `lenet5`?"));
    }
}
