//! A trained network with all that it takes to use it: graph, parameters, classes, preprocessing, and how it came to be.

use crate::transfer::Tuned;
use crate::{Calibrated, Reading, Score, TrainError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use striate_data::Preprocessing;
use striate_engine::{Parameters, Precision, Tensors};
use striate_graph::{Graph, ParamSpec};
use striate_weights::{ModelFile, TensorRef, write_model};

/// A network ready to be used.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network.
    pub graph: Arc<Graph>,
    /// Its parameters' values.
    pub parameters: Parameters,
    /// What else belongs to it.
    pub card: Card,
}

/// What a model file says of its model beside the network: the `details` of its metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The classes' names, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// How a picture becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How it was trained; absent for weights from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<Trained>,
    /// How far its probabilities can be taken at their word; absent until it was measured on held-out images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibrated>,
    /// The licence of the weights, if one is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The version of Striate that wrote the file.
    pub striate: String,
}

/// How a model was trained, and with what result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// The data set, as it was named.
    pub data: String,
    /// A hash of the data set's contents.
    pub fingerprint: String,
    /// Training images.
    pub images: usize,
    /// Epochs behind these weights.
    pub epoch: u32,
    /// Epochs planned.
    pub epochs: u32,
    /// The seed of everything random.
    pub seed: u64,
    /// The share of images held out for validation, where it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_share: Option<f64>,
    /// What it computed in, where that was not f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// The fold that was held out, where there were folds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// How many folds were drawn by the seed; with a fold but without this, the data has folds of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// The score on the images held out for validation, or on the training images where none are; absent for weights of an
    /// unfinished epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// What was tuned, of a network that began with another's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<Tuned>,
}

impl Card {
    /// Writes the model file of a network with these parameters, whole or not at all, from where they lie.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, graph: &Graph, parameters: &Parameters, path: &Path) -> Result<(), TrainError> {
        self.write_tensors(graph, parameters.iter(), path)
    }

    /// The same of values that lie in parts: full names, specifications, values.
    pub(crate) fn write_tensors<'t>(
        &self,
        graph: &Graph,
        parameters: impl Iterator<Item = (&'t str, &'t ParamSpec, &'t [f32])>,
        path: &Path,
    ) -> Result<(), TrainError> {
        let details = match serde_json::to_value(self) {
            Ok(Value::Object(details)) => details,
            other => return Err(contradiction(path, format!("its description has no JSON form: {other:?}"))),
        };
        let tensors = parameters.map(|(name, spec, values)| TensorRef { name, shape: &spec.shape, values });
        Ok(write_model(path, graph, &details, tensors)?)
    }
}

impl Model {
    /// What it was trained in; f32 where nothing is said.
    pub fn trained_in(&self) -> Precision {
        let bf16 = self.card.trained.as_ref().is_some_and(|t| t.precision.is_some());
        if bf16 { Precision::Bf16 } else { Precision::F32 }
    }

    /// How its logits are read: calibrated, if it is.
    pub fn reading(&self) -> Reading {
        self.card.calibration.as_ref().map_or(Reading::PLAIN, Calibrated::reading)
    }

    /// Writes the model file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        self.card.write(&self.graph, &self.parameters, path)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// What is wrong with it, with its name.
    pub fn read(path: &Path) -> Result<Model, TrainError> {
        let file = ModelFile::read(path)?;
        let card: Card = serde_json::from_value(Value::Object(file.details))
            .map_err(|e| contradiction(path, format!("its description cannot be read: {e}")))?;
        let (input, output) = (file.graph.input().shape, file.graph.output().shape);
        let p = &card.preprocessing;
        if (p.height as usize, p.width as usize, p.channels as usize) != (input.h, input.w, input.c) {
            let (h, w, c) = (p.height, p.width, p.channels);
            return Err(contradiction(
                path,
                format!("it prepares {h}×{w}×{c} images for a network that takes {input}"),
            ));
        }
        if !output.is_vector() || output.c != card.classes.len() {
            let n = card.classes.len();
            return Err(contradiction(path, format!("it names {n} classes for a network that answers {output}")));
        }
        if let Some(fault) = card.calibration.as_ref().and_then(Calibrated::fault) {
            return Err(contradiction(path, fault));
        }
        let mut parameters = Tensors::zeros(&file.graph);
        for (name, tensor) in file.tensors {
            parameters.set(&name, tensor.values)?;
        }
        Ok(Model { graph: Arc::new(file.graph), parameters, card })
    }
}

fn contradiction(path: &Path, why: String) -> TrainError {
    TrainError::Model { path: path.to_path_buf(), why }
}
