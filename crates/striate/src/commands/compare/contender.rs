//! A method that takes part in a comparison: a classical pipeline with the settings that cross-validation chooses from, or a
//! network by the recipe that `striate train` would choose.

use super::ground::{Ground, Subset};
use super::network::{self, Network};
use crate::pipeline_model::{Card, PipelineModel};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use striate_classic::{
    CrossValidation, Description, Examples, Labelled, LinearDiscriminant, LinearSvm, MethodKind, Pipeline, RbfSvm,
    Recipe, SoftmaxRegression,
};
use striate_data::Split;
use striate_kernels::Cpu;
use striate_train::{Trained, Wishes};

/// A method before it learns.
pub enum Contender {
    /// A pipeline: the recipe first, then what else may be chosen.
    Pipeline(Vec<Recipe>),
    /// A network.
    Network(Box<Wishes>),
}

/// A method that has learnt.
pub enum Learnt {
    /// A pipeline.
    Pipeline(Box<Pipeline>),
    /// A network.
    Network(Box<Network>),
}

/// How settings were chosen.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Choice {
    /// What was chosen, in words; empty where there was nothing to choose.
    pub settings: String,
    /// Settings that were compared.
    pub candidates: usize,
    /// Folds that were completed.
    pub folds: usize,
    /// Images that they were compared on.
    pub images: usize,
    /// The share of held-out images that the choice told.
    pub accuracy: Option<f64>,
    /// What that took.
    pub seconds: f64,
}

/// What learning took.
pub struct Effort {
    /// How settings were chosen.
    pub choice: Choice,
    /// Seconds for the features of the training images; none for networks, which learn theirs.
    pub features_seconds: Option<f64>,
    /// Seconds for everything but the choice of settings.
    pub seconds: f64,
    /// Epochs, and how many the recipe would have taken.
    pub epochs: Option<[u32; 2]>,
    /// Figures that the classifier sees of an image.
    pub features: Option<usize>,
}

/// Images that settings are compared on, at most.
const COMPARED: usize = 2000;

/// A recipe with other settings of its classifier, the usual ones first; without probabilities, which cost four fits instead
/// of one.
pub fn variants(recipe: &Recipe) -> Vec<Recipe> {
    let of = |method| Recipe { method, ..recipe.clone() };
    match recipe.method {
        MethodKind::SoftmaxRegression(m) => {
            [1.0, 0.01, 0.1, 10.0].map(|c| of(MethodKind::SoftmaxRegression(SoftmaxRegression { c, ..m }))).to_vec()
        }
        MethodKind::LinearSvm(m) => {
            [1.0, 0.01, 0.1, 10.0].map(|c| of(MethodKind::LinearSvm(LinearSvm { c, folds: 0, ..m }))).to_vec()
        }
        MethodKind::RbfSvm(m) => {
            [1.0, 10.0, 100.0].map(|c| of(MethodKind::RbfSvm(RbfSvm { c, folds: 0, ..m }))).to_vec()
        }
        MethodKind::KNearest(m) => {
            [5, 1, 3, 9].map(|k| of(MethodKind::KNearest(striate_classic::KNearest { k, ..m }))).to_vec()
        }
        MethodKind::LinearDiscriminant(m) => [m.shrinkage, 0.1, 0.5]
            .map(|shrinkage| of(MethodKind::LinearDiscriminant(LinearDiscriminant { shrinkage })))
            .to_vec(),
        _ => vec![recipe.clone()],
    }
}

/// What of a classifier's settings was chosen, in words.
fn settings(method: &MethodKind) -> String {
    match method {
        MethodKind::SoftmaxRegression(m) => format!("c = {}", m.c),
        MethodKind::LinearSvm(m) => format!("c = {}", m.c),
        MethodKind::RbfSvm(m) => format!("c = {}", m.c),
        MethodKind::KNearest(m) => format!("k = {}", m.k),
        MethodKind::LinearDiscriminant(m) => format!("shrinkage {}", m.shrinkage),
        _ => String::new(),
    }
}

/// What a fit may take, and how settings are chosen.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Parts of the images for cross-validation.
    pub folds: usize,
    /// Seconds for it.
    pub tuning: f64,
    /// Seconds for a network's training.
    pub training: f64,
    /// Of everything drawn by lot.
    pub seed: u64,
    /// Raised when all is to end.
    pub stop: &'a AtomicBool,
}

impl Contender {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Contender::Pipeline(recipes) => recipes[0].to_string(),
            Contender::Network(wishes) => wishes.model.clone().unwrap_or_default(),
        }
    }

    /// Whether it is a network.
    pub fn is_network(&self) -> bool {
        matches!(self, Contender::Network(_))
    }

    /// By what power of the number of images its fit grows, about.
    pub fn growth(&self) -> i32 {
        match self {
            Contender::Pipeline(r) if matches!(r[0].method, MethodKind::RbfSvm(_)) => 2,
            _ => 1,
        }
    }

    /// Learns from these images; `None` if it was to end before it was done.
    pub fn learn(
        &self,
        cpu: &Arc<Cpu>,
        ground: &Ground,
        subset: &Subset,
        terms: Terms<'_>,
    ) -> Result<Option<(Learnt, Effort)>> {
        let recipes = match self {
            Contender::Pipeline(recipes) => recipes,
            Contender::Network(wishes) => return network::learn(cpu, ground, subset, wishes, terms),
        };
        let (recipe, choice) = choose(cpu, recipes, ground, subset, terms)?;
        if terms.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (begun, pictures) = (Instant::now(), &*subset.split);
        let (description, rows) = Description::learn(cpu, &recipe, ground.size, pictures, terms.seed)?;
        let features_seconds = Some(begun.elapsed().as_secs_f64());
        let features = Some(rows.columns());
        let data = Labelled::new(&rows, &subset.labels, ground.data.classes.len())?;
        let pipeline = Pipeline::classify(cpu, recipe, description, &data, terms.seed)?;
        let seconds = begun.elapsed().as_secs_f64();
        let effort = Effort { choice, features_seconds, seconds, epochs: None, features };
        Ok(Some((Learnt::Pipeline(Box::new(pipeline)), effort)))
    }
}

/// The recipe that cross-validation chooses.
fn choose(
    cpu: &Cpu,
    recipes: &[Recipe],
    ground: &Ground,
    subset: &Subset,
    terms: Terms<'_>,
) -> Result<(Recipe, Choice)> {
    let classes = ground.data.classes.len();
    let fewer = if subset.labels.len() > COMPARED {
        ground.subset((COMPARED / classes).max(terms.folds))
    } else {
        ground.subset(subset.per_class)
    };
    // Neighbours must be found in every fold.
    let learning = fewer.labels.len() * (terms.folds - 1) / terms.folds;
    let fits = |r: &&Recipe| !matches!(r.method, MethodKind::KNearest(m) if m.k > learning);
    let mut possible: Vec<Recipe> = recipes.iter().filter(fits).cloned().collect();
    if possible.is_empty() {
        possible.push(recipes[0].clone());
    }
    let mut choice = Choice {
        settings: settings(&possible[0].method),
        candidates: possible.len(),
        folds: 0,
        images: fewer.labels.len(),
        accuracy: None,
        seconds: 0.0,
    };
    if possible.len() == 1 {
        return Ok((possible.swap_remove(0), choice));
    }
    let (begun, limit) = (Instant::now(), Duration::from_secs_f64(terms.tuning));
    let go_on = || begun.elapsed() < limit && !terms.stop.load(Ordering::Relaxed);
    let examples = Examples { pictures: &*fewer.split, labels: &fewer.labels, classes };
    let compared = CrossValidation { folds: terms.folds, size: ground.size, seed: terms.seed };
    let found = compared.compare(cpu, &possible, examples, &go_on)?;
    let recipe = possible.swap_remove(found.best);
    choice.settings = settings(&recipe.method);
    choice.folds = found.folds;
    choice.accuracy = found.accuracies.map(|a| a[found.best]);
    choice.seconds = begun.elapsed().as_secs_f64();
    Ok((recipe, choice))
}

impl Learnt {
    /// A class for each image of a part.
    pub fn tell(&self, cpu: &Arc<Cpu>, split: &Arc<Split>) -> Result<Vec<u32>> {
        match self {
            Learnt::Pipeline(pipeline) => Ok(pipeline.predict(cpu, &**split)?),
            Learnt::Network(network) => network.tell(cpu, split),
        }
    }

    /// Writes its model file; returns how many bytes it has.
    pub fn write(self, path: &Path, ground: &Ground, trained: Trained) -> Result<u64> {
        match self {
            Learnt::Pipeline(pipeline) => {
                let card = Card {
                    classes: ground.data.classes.clone(),
                    trained,
                    licence: None,
                    striate: env!("CARGO_PKG_VERSION").into(),
                };
                PipelineModel { pipeline: *pipeline, card }.write(path)?;
            }
            Learnt::Network(network) => network.write(path, ground, trained)?,
        }
        Ok(std::fs::metadata(path)?.len())
    }
}
