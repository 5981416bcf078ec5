//! What `striate summary` says of a network, computed once for the table and the object.

use anyhow::Result;
use striate_engine::{Memory, Precision, Request};
use striate_graph::{Graph, Node, ReceptiveField, Totals};

/// A network with its figures at a batch and in a number format.
pub struct Analysis<'a> {
    pub graph: &'a Graph,
    pub batch: usize,
    pub precision: Precision,
    pub totals: Totals,
    pub layers: Vec<LayerFigures<'a>>,
    /// The names of the layers that are its classifier.
    pub classifier: Vec<&'a str>,
    /// Bytes that predicting takes beside the weights.
    pub predict_bytes: usize,
    /// Bytes that training takes beside the weights: with a gradient and a momentum for each.
    pub train_bytes: usize,
    /// The same if what is cheap is computed again.
    pub least_train_bytes: usize,
}

/// Bytes of an activation.
fn value_bytes(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::Bf16 => 2,
    }
}

/// A layer with its figures.
pub struct LayerFigures<'a> {
    pub node: &'a Node,
    pub inputs: Vec<&'a str>,
    /// For one image.
    pub multiply_adds: u64,
    /// Of a training step on one image.
    pub training_multiply_adds: u64,
    /// Of its output, for the batch.
    pub activation_bytes: usize,
    pub field: ReceptiveField,
    /// How its window makes its size.
    pub formula: Option<String>,
    /// Whether it belongs to an auxiliary classifier.
    pub auxiliary: bool,
}

impl<'a> Analysis<'a> {
    /// Computes the figures. In bf16 activations and their gradients take two bytes; parameters, their gradients and momenta
    /// take four all the same.
    pub fn new(graph: &'a Graph, batch: usize, precision: Precision) -> Result<Analysis<'a>> {
        let of = |request: Request| Memory::of(graph, &Request { precision, ..request }).map(|m| m.total());
        let predict_bytes = of(Request::predict(batch))?;
        let trained = 8 * graph.parameter_count();
        let train = |recompute| of(Request { recompute, ..Request::train(graph, batch) }).map(|bytes| bytes + trained);
        let (train_bytes, least_train_bytes) = (train(false)?, train(true)?);
        let (training, predicting) = (graph.training_multiply_adds(), graph.predicting());
        let fields = graph.receptive_fields();
        let layers = graph.nodes().iter().enumerate().map(|(i, node)| LayerFigures {
            node,
            inputs: node.inputs.iter().map(|&id| graph.node(id).name.as_str()).collect(),
            multiply_adds: graph.node_multiply_adds(node),
            training_multiply_adds: training[i],
            activation_bytes: batch * node.shape.len() * value_bytes(precision),
            field: fields[i],
            formula: graph.size_formula(node),
            auxiliary: !predicting[i],
        });
        Ok(Analysis {
            batch,
            precision,
            totals: graph.totals(),
            layers: layers.collect(),
            classifier: graph.classifier().into_iter().map(|id| graph.node(id).name.as_str()).collect(),
            predict_bytes,
            train_bytes,
            least_train_bytes,
            graph,
        })
    }

    /// Trained values, auxiliary classifiers' too.
    pub fn trainable(&self) -> usize {
        self.totals.parameters + self.totals.auxiliary_parameters
    }

    /// All values that a file holds.
    pub fn total(&self) -> usize {
        self.trainable() + self.totals.statistics
    }

    /// Bytes of all values, in memory and in a file.
    pub fn weights_bytes(&self) -> usize {
        4 * self.total()
    }

    /// Of a step at the batch.
    pub fn training_multiply_adds(&self) -> u64 {
        self.totals.training_multiply_adds.saturating_mul(self.batch as u64)
    }
}
