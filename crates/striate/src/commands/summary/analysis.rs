//! What `striate summary` says of a network, computed once for the table and the object.

use crate::commands::Precision;
use anyhow::Result;
use striate_engine::{Memory, Request};
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
    /// Computes the figures. In bf16 they are an estimate: activations and weights of 2 bytes in the buffers of f32; work
    /// space, and the gradient and momentum of each parameter, as they are.
    pub fn new(graph: &'a Graph, batch: usize, precision: Precision) -> Result<Analysis<'a>> {
        let of = |request: &Request| Memory::of(graph, request);
        let (predict, train) = (of(&Request::predict(batch))?, of(&Request::train(graph, batch))?);
        let beside_weights = |m: Memory| m.buffers * precision.bytes() / 4 + m.scratch + m.prepared;
        let (training, predicting) = (graph.training_multiply_adds(), graph.predicting());
        let fields = graph.receptive_fields();
        let layers = graph.nodes().iter().enumerate().map(|(i, node)| LayerFigures {
            node,
            inputs: node.inputs.iter().map(|&id| graph.node(id).name.as_str()).collect(),
            multiply_adds: graph.node_multiply_adds(node),
            training_multiply_adds: training[i],
            activation_bytes: batch * node.shape.len() * precision.bytes(),
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
            predict_bytes: beside_weights(predict),
            train_bytes: beside_weights(train) + 8 * graph.parameter_count(),
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
        self.total() * self.precision.bytes()
    }

    /// Of a step at the batch.
    pub fn training_multiply_adds(&self) -> u64 {
        self.totals.training_multiply_adds.saturating_mul(self.batch as u64)
    }
}
