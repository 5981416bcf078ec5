//! A trained detector, and its file: safetensors with a description and a checksum, which holds all that prediction needs.

use super::linear_svm::Linear;
use super::network::Readout;
use super::options::{Classifier, RegionOptions};
use crate::error::DetectError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use striate_data::Preprocessing;
use striate_engine::Parameters;
use striate_graph::Graph;
use striate_weights::{StateFile, Tensor, TensorRef};

/// What says how sure a detector is that a region is of a class.
#[derive(Clone, Debug, PartialEq)]
pub enum Judge {
    /// A machine a class; its margin is the score. `None` for classes that had no examples.
    Svm(Vec<Option<Linear>>),
    /// The network's own probability.
    Softmax,
}

/// An R-CNN, ready to be used.
#[derive(Clone, Debug)]
pub struct Rcnn {
    /// The classes' names.
    pub classes: Vec<String>,
    /// The network; its output 0 is the background.
    pub graph: Arc<Graph>,
    /// Its parameters.
    pub parameters: Parameters,
    /// How regions become its input.
    pub preprocessing: Preprocessing,
    /// How regions come about.
    pub regions: RegionOptions,
    /// The node that is judged.
    pub features: String,
    /// The node that moves boxes.
    pub pooled: String,
    /// What judges.
    pub judge: Judge,
    /// Each class's four regressors, or none; a class without examples has none of its own.
    pub regressors: Option<Vec<Option<[Linear; 4]>>>,
    /// How it was trained, in words and figures of whoever trained it.
    pub trained: Value,
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Description {
    detector: String,
    version: u32,
    network: Value,
    classes: Vec<String>,
    preprocessing: Preprocessing,
    regions: RegionOptions,
    features: String,
    pooled: String,
    classifier: Classifier,
    /// Which classes have a machine, and which have regressors.
    judged: Vec<bool>,
    moved: Option<Vec<bool>>,
    trained: Value,
}

const NAME: &str = "r-cnn";
const VERSION: u32 = 1;

impl Rcnn {
    /// What judges.
    pub fn classifier(&self) -> Classifier {
        if self.judge == Judge::Softmax { Classifier::Softmax } else { Classifier::Svm }
    }

    /// The score from which people would take a detection as one: a margin of 0, or a probability of a half.
    pub fn usual_threshold(&self) -> f64 {
        if self.judge == Judge::Softmax { 0.5 } else { 0.0 }
    }

    /// The score below which detections matter to nobody, not even to average precision.
    pub fn least_threshold(&self) -> f64 {
        if self.judge == Judge::Softmax { 0.01 } else { -1.5 }
    }

    pub(super) fn readout(&self) -> Result<Readout, DetectError> {
        Readout::of(&self.graph, Some(&self.features), Some(&self.pooled))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DetectError> {
        let judged = match &self.judge {
            Judge::Svm(machines) => machines.iter().map(Option::is_some).collect(),
            Judge::Softmax => Vec::new(),
        };
        let moved = self.regressors.as_ref().map(|all| all.iter().map(Option::is_some).collect());
        let unwritten = |e: serde_json::Error| DetectError::format(path, format!("cannot be described: {e}"));
        let description = Description {
            detector: NAME.to_owned(),
            version: VERSION,
            network: serde_json::from_str(&self.graph.to_json()).map_err(unwritten)?,
            classes: self.classes.clone(),
            preprocessing: self.preprocessing.clone(),
            regions: self.regions.clone(),
            features: self.features.clone(),
            pooled: self.pooled.clone(),
            classifier: self.classifier(),
            judged,
            moved,
            trained: self.trained.clone(),
        };
        let mut linear: Vec<(String, &Linear)> = Vec::new();
        if let Judge::Svm(machines) = &self.judge {
            let machines = machines.iter().enumerate();
            linear.extend(machines.filter_map(|(c, m)| Some((format!("svm/{c}"), m.as_ref()?))));
        }
        for (class, four) in self.regressors.iter().flatten().enumerate() {
            let four = four.iter().flatten().enumerate();
            linear.extend(four.map(|(k, regressor)| (format!("regression/{class}/{k}"), regressor)));
        }
        // The bias stands behind the weights.
        let rows: Vec<(String, Vec<f32>)> =
            linear.into_iter().map(|(name, l)| (name, [l.weight.as_slice(), &[l.bias]].concat())).collect();
        let shapes: Vec<[usize; 1]> = rows.iter().map(|(_, row)| [row.len()]).collect();
        let own = rows.iter().zip(&shapes).map(|((name, values), shape)| TensorRef { name, shape, values });
        let names: Vec<String> = self.parameters.iter().map(|(name, ..)| format!("network/{name}")).collect();
        let network = self.parameters.iter().zip(&names);
        let network = network.map(|((_, spec, values), name)| TensorRef { name, shape: &spec.shape, values });
        let tensors: Vec<TensorRef<'_>> = own.chain(network).collect();
        StateFile::write(path, &serde_json::to_value(&description).map_err(unwritten)?, &tensors)?;
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, with its name.
    pub fn read(path: &Path) -> Result<Self, DetectError> {
        let wrong = |problem: String| DetectError::format(path, problem);
        let file = StateFile::read(path)
            .map_err(|e| wrong(format!("is no detector, which `striate detect train` writes ({e})")))?;
        if file.description["detector"] != NAME {
            return Err(wrong("is no detector: `striate detect train` writes such".to_owned()));
        }
        let read: Description = serde_json::from_value(file.description)
            .map_err(|e| wrong(format!("its description cannot be read: {e}")))?;
        if read.version > VERSION {
            return Err(wrong(format!("has version {}; this program reads up to version {VERSION}", read.version)));
        }
        let mut tensors = file.tensors;
        let graph = Graph::from_json(&read.network.to_string()).map_err(|e| wrong(e.to_string()))?;
        let input = graph.input().shape;
        let p = &read.preprocessing;
        if (p.height as usize, p.width as usize, p.channels as usize) != (input.h, input.w, input.c)
            || input.h != input.w
        {
            let (h, w, c) = (p.height, p.width, p.channels);
            return Err(wrong(format!("prepares {h}×{w}×{c} regions for a network that takes {input}")));
        }
        read.regions.check(p.width).map_err(|e| wrong(e.to_string()))?;
        let parameters = parameters(&graph, &mut tensors).map_err(wrong)?;
        let readout =
            Readout::of(&graph, Some(&read.features), Some(&read.pooled)).map_err(|e| wrong(e.to_string()))?;
        let count = read.classes.len();
        let lengths = [readout.features, readout.pooled].map(|id| graph.node(id).shape.len());
        let output = graph.output().shape.len();
        if output != count + 1 {
            return Err(wrong(format!("has {count} classes for a network that answers {output}")));
        }
        let mut linear = |name: String, length: usize| linear(&mut tensors, &name, length).map_err(wrong);
        let judge = match read.classifier {
            Classifier::Softmax => Judge::Softmax,
            Classifier::Svm => {
                let machine = |(c, is): (usize, &bool)| is.then(|| linear(format!("svm/{c}"), lengths[0])).transpose();
                Judge::Svm(read.judged.iter().take(count).enumerate().map(machine).collect::<Result<_, _>>()?)
            }
        };
        let mut four = |class: usize| -> Result<[Linear; 4], DetectError> {
            let mut one = |k: usize| linear(format!("regression/{class}/{k}"), lengths[1]);
            Ok([one(0)?, one(1)?, one(2)?, one(3)?])
        };
        let regressors = match read.moved {
            None => None,
            Some(moved) => {
                let of_class = |(c, is): (usize, &bool)| is.then(|| four(c)).transpose();
                Some(moved.iter().take(count).enumerate().map(of_class).collect::<Result<Vec<_>, _>>()?)
            }
        };
        let judges = match &judge {
            Judge::Svm(machines) => machines.len(),
            Judge::Softmax => count,
        };
        if judges != count || regressors.as_ref().is_some_and(|r| r.len() != count) {
            return Err(wrong(format!("has {count} classes and machines or regressors for others")));
        }
        Ok(Self {
            classes: read.classes,
            graph: Arc::new(graph),
            parameters,
            preprocessing: read.preprocessing,
            regions: read.regions,
            features: read.features,
            pooled: read.pooled,
            judge,
            regressors,
            trained: read.trained,
        })
    }
}

/// The network's parameters; nothing is allocated before all are found to be there.
fn parameters(graph: &Graph, tensors: &mut BTreeMap<String, Tensor>) -> Result<Parameters, String> {
    for (name, spec) in graph.params() {
        match tensors.get(&format!("network/{name}")) {
            Some(tensor) if tensor.shape == spec.shape => {}
            Some(tensor) => {
                return Err(format!("`network/{name}` is {:?} where {:?} is expected", tensor.shape, spec.shape));
            }
            None => return Err(format!("lacks the tensor `network/{name}`")),
        }
    }
    let mut parameters = Parameters::zeros(graph);
    for (name, _) in graph.params() {
        if let Some(tensor) = tensors.remove(&format!("network/{name}")) {
            parameters.set(&name, tensor.values).map_err(|e| e.to_string())?;
        }
    }
    Ok(parameters)
}

/// Weights and, behind them, the bias.
fn linear(tensors: &mut BTreeMap<String, Tensor>, name: &str, length: usize) -> Result<Linear, String> {
    let mut weight = tensors.remove(name).ok_or_else(|| format!("lacks the tensor `{name}`"))?.values;
    if weight.len() != length + 1 {
        return Err(format!("`{name}` has {} values where {} are expected", weight.len(), length + 1));
    }
    let bias = weight.pop().unwrap_or(0.0);
    Ok(Linear { weight, bias })
}
