//! Training of an R-CNN, step by step; steps whose results lie in the run's folder are not repeated.

use super::extract::Extractor;
use super::features::Features;
use super::fine_tune::fine_tune;
use super::gallery::Gallery;
use super::mining::{Positives, machines};
use super::model::{Judge, Rcnn};
use super::network::{Backbone, Readout};
use super::options::{Classifier, RegionOptions, TrainOptions};
use super::regions::Regions;
use super::regressors::regressors;
use super::stages::{Stage, digest};
use super::windows::Windows;
use super::{Watch, proposals};
use crate::detection::Object;
use crate::error::DetectError;
use crate::sets::{BoxSet, Part};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use striate_data::Limits;
use striate_engine::Parameters;
use striate_graph::Graph;
use striate_kernels::{Cpu, hash};
use striate_weights::{StateFile, TensorRef};

/// A detector to be trained.
pub struct Job<'a> {
    /// The data set.
    pub set: &'a BoxSet,
    /// The part that is learnt from.
    pub part: &'a Part,
    /// The network that it begins with.
    pub backbone: Backbone,
    /// How.
    pub options: &'a TrainOptions,
    /// Bounds that pictures are held to.
    pub limits: Limits,
    /// Where results of steps are kept; made if it is not there.
    pub folder: &'a Path,
    /// What computes.
    pub cpu: &'a Arc<Cpu>,
    /// Who hears how it goes.
    pub watch: &'a dyn Watch,
}

/// What training gives.
pub struct Trained {
    /// The detector.
    pub detector: Rcnn,
    /// Each step's name and seconds; `None` where its result was there.
    pub steps: Vec<(&'static str, Option<f64>)>,
}

/// Trains a detector.
///
/// # Errors
/// If a setting cannot be meant, a file cannot be read or written, no region is of an object, or training is told to end.
pub fn train(job: Job<'_>) -> Result<Trained, DetectError> {
    let Job { set, part, backbone, options, limits, folder, cpu, watch } = job;
    options.check(backbone.side())?;
    if !part.pictures.iter().any(|p| p.objects.iter().any(Object::counts)) {
        return Err(DetectError::layout(&set.path, format!("part {} has no object to learn from", part.name)));
    }
    let windows = Windows::new(&options.regions, &backbone.preprocessing);
    let gallery = Gallery::new(part, &windows, limits);
    let readout = Readout::of(&backbone.graph, options.features.as_deref(), options.pooled.as_deref())?;
    let mut steps = Steps { folder, watch, done: Vec::new() };

    let stage = Stage::new(folder, "proposals", key_of_pictures(part, options)?);
    let there = stage.read()?.map(|file| proposals::restore(&stage, file, part.pictures.len())).transpose()?;
    let proposed = steps
        .take("proposals", there, || proposals::make(&stage, part, &options.regions.propose, limits, cpu, watch))?;
    let pairs = part.pictures.iter().zip(&proposed);
    let regions: Vec<Regions> = pairs.map(|(picture, boxes)| Regions::new(&picture.objects, boxes)).collect();

    let key = format!("{} {}", stage.key(), key_of_network(&backbone, part, options)?);
    let (graph, preprocessing) = (backbone.graph.clone(), backbone.preprocessing.clone());
    let parameters = match &options.fine_tune {
        None => backbone.parameters,
        Some(tune) => {
            let stage = Stage::new(folder, "network", key.clone());
            let there = stage.read()?.map(|file| restored(&graph, &stage, file)).transpose()?;
            steps.take("fine-tuning", there, || {
                let tuned = fine_tune(backbone, tune, &regions, (&gallery, &windows), cpu, options.seed, watch)?;
                let tensors = tuned.iter().map(|(name, spec, values)| TensorRef { name, shape: &spec.shape, values });
                stage.write(&Value::Null, &tensors.collect::<Vec<_>>())?;
                Ok(tuned)
            })?
        }
    };

    let [judged, pooled] = [readout.features, readout.pooled].map(|id| graph.node(id).name.clone());
    let overlap = options.regression.unwrap_or_default().overlap;
    let shared = options.regions.shared;
    let features = Features::new(folder, format!("{key} {judged} {pooled} {overlap} {shared}"), overlap);
    let machines_judge = options.classifier == Classifier::Svm;
    if machines_judge || options.regression.is_some() {
        let missing: Vec<usize> = (0..regions.len()).filter(|&image| !features.has(image)).collect();
        let there = missing.is_empty().then_some(());
        steps.take("features", there, || {
            let mut extractor = Extractor::new((&graph, &parameters), &windows, readout, cpu, options.batch, shared)?;
            watch.start("reading regions", missing.len() as u64);
            for &image in &missing {
                if watch.stops() {
                    watch.finish();
                    return Err(DetectError::Stopped);
                }
                features.extract(image, &regions[image], &gallery, &mut extractor)?;
                watch.advance(1);
            }
            watch.finish();
            Ok(())
        })?;
    }
    let judge = if machines_judge {
        let found = steps.take("support vector machines", None, || {
            let positives = Positives::gather(set.classes.len(), &regions, &features, watch)?;
            machines(positives, &regions, &features, &options.mining, (cpu, options.seed), watch)
        })?;
        for (name, _) in set.classes.iter().zip(&found).filter(|(_, machine)| machine.is_none()) {
            watch.say(&format!("note: {name} has no examples in part {}, and will not be found", part.name));
        }
        Judge::Svm(found)
    } else {
        Judge::Softmax
    };
    let make = |settings| regressors(set.classes.len(), &regions, &features, settings, cpu, watch);
    let regressors = match &options.regression {
        None => None,
        Some(settings) => Some(steps.take("regressors", None, || make(settings))?),
    };
    let detector = Rcnn {
        classes: set.classes.clone(),
        graph,
        parameters,
        preprocessing,
        regions: options.regions.clone(),
        features: judged,
        pooled,
        judge,
        regressors,
        trained: json!({
            "data": set.path.display().to_string(), "part": part.name, "pictures": part.pictures.len(),
            "seed": options.seed, "fine_tuned": options.fine_tune, "regression": options.regression,
            "mining": machines_judge.then_some(options.mining),
        }),
    };
    Ok(Trained { detector, steps: steps.done })
}

/// The steps as they are done.
struct Steps<'a> {
    folder: &'a Path,
    watch: &'a dyn Watch,
    done: Vec<(&'static str, Option<f64>)>,
}

impl Steps<'_> {
    /// What a step leaves: as it is there, or made.
    fn take<T>(
        &mut self,
        name: &'static str,
        there: Option<T>,
        make: impl FnOnce() -> Result<T, DetectError>,
    ) -> Result<T, DetectError> {
        if let Some(there) = there {
            self.watch.say(&format!("{name}: taken from {}", self.folder.display()));
            self.done.push((name, None));
            return Ok(there);
        }
        let begun = Instant::now();
        let made = make()?;
        self.done.push((name, Some(begun.elapsed().as_secs_f64())));
        Ok(made)
    }
}

/// The fine-tuned parameters as they were written.
fn restored(graph: &Graph, stage: &Stage, file: StateFile) -> Result<Parameters, DetectError> {
    let mut parameters = Parameters::zeros(graph);
    if file.tensors.len() != parameters.iter().len() {
        return Err(stage.wrong("holds another network's parameters"));
    }
    for (name, tensor) in file.tensors {
        parameters.set(&name, tensor.values)?;
    }
    Ok(parameters)
}

/// What proposals depend on: the pictures' names and sizes, and how boxes are proposed.
fn key_of_pictures(part: &Part, options: &TrainOptions) -> Result<String, DetectError> {
    let name = |p: &crate::sets::AnnotatedPicture| format!("{} {}×{}", p.path.display(), p.width, p.height);
    let names: Vec<String> = part.pictures.iter().map(name).collect();
    Ok(format!("{:016x} {}", digest(&names.join("\n")), json(&options.regions.propose)?))
}

/// What features depend on beside: the objects, the network, how regions come into it and how it was fine-tuned.
fn key_of_network(backbone: &Backbone, part: &Part, options: &TrainOptions) -> Result<String, DetectError> {
    let objects: Vec<String> = part.pictures.iter().map(|p| format!("{:?}", p.objects)).collect();
    let floats = backbone.parameters.iter().flat_map(|(.., values)| values);
    let weights = floats.fold(0, |sum, v| hash(sum, u64::from(v.to_bits())));
    let described = [
        digest(&backbone.graph.to_json()),
        weights,
        digest(&objects.join("\n")),
        digest(&json(&backbone.preprocessing)?),
        options.seed,
    ];
    // Whether features are shared matters to what comes after fine-tuning only.
    let regions = RegionOptions { shared: false, ..options.regions.clone() };
    Ok(format!("{described:x?} {} {}", json(&regions)?, json(&options.fine_tune)?))
}

fn json(value: &impl serde::Serialize) -> Result<String, DetectError> {
    serde_json::to_string(value).map_err(|e| DetectError::Option {
        option: "a setting",
        value: e.to_string(),
        expected: "one that can be written",
    })
}
