//! Networks as ONNX files, opset 17: NCHW, a batch of any size, weights as initialisers under their full names, so that a
//! file read again gives the same network. Dropout is left out, and auxiliary classifiers: the file predicts.

mod file;
mod layers;
mod spatial;

use super::wire::Message;
use crate::{Tensor, WeightsError};
use file::Initialiser;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use striate_graph::{AnyLayer, Graph, Node, NodeId, Shape};

/// What goes into an ONNX file beside the network.
#[derive(Clone, Debug, Default)]
pub struct OnnxOptions {
    /// Mean and deviation of each channel, in units of the full range: the graph then takes pixels of 0 to 255.
    pub preprocessing: Option<(Vec<f32>, Vec<f32>)>,
    /// Names and texts.
    pub metadata: Vec<(String, String)>,
}

/// A graph being written.
struct Exporter<'a> {
    graph: &'a Graph,
    tensors: &'a BTreeMap<String, Tensor>,
    nodes: Vec<Message>,
    initialisers: Vec<Initialiser<'a>>,
    /// What each node's output is called in the file.
    values: HashMap<NodeId, String>,
}

/// Writes a network with its parameters' values as an ONNX file, whole or not at all.
///
/// # Errors
/// If a layer has no operator in ONNX, with its node, or the file cannot be written.
pub fn write_onnx(
    path: &Path,
    graph: &Graph,
    tensors: &BTreeMap<String, Tensor>,
    options: &OnnxOptions,
) -> Result<(), WeightsError> {
    let wrong = |why: String| WeightsError::Content { path: path.to_path_buf(), why };
    let graph = graph.without_auxiliary();
    let exporter = Exporter::run(&graph, tensors, options).map_err(wrong)?;
    file::write(path, &exporter, options)
}

/// The bytes that [`write_onnx`] would write.
///
/// # Errors
/// If a layer has no operator in ONNX, with its node.
pub fn onnx_bytes(graph: &Graph, tensors: &BTreeMap<String, Tensor>, options: &OnnxOptions) -> Result<Vec<u8>, String> {
    let graph = graph.without_auxiliary();
    let exporter = Exporter::run(&graph, tensors, options)?;
    let mut bytes = Vec::new();
    file::put(&mut bytes, &exporter, options).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// The output's name.
const OUTPUT: &str = "output";

impl<'a> Exporter<'a> {
    fn run(
        graph: &'a Graph,
        tensors: &'a BTreeMap<String, Tensor>,
        options: &OnnxOptions,
    ) -> Result<Exporter<'a>, String> {
        let (nodes, initialisers, values) = (Vec::new(), Vec::new(), HashMap::new());
        let mut exporter = Exporter { graph, tensors, nodes, initialisers, values };
        for (id, node) in graph.ids().zip(graph.nodes()) {
            let told = |why: String| format!("node `{}` ({}) cannot be exported: {why}", node.name, node.layer.kind());
            if id == graph.input_id() {
                let value = exporter.prepared(node, options).map_err(told)?;
                exporter.values.insert(id, value);
                continue;
            }
            let inputs: Vec<String> = node.inputs.iter().map(|i| exporter.values[i].clone()).collect();
            // What computes nothing has no node, unless it is the answer.
            if exporter.is_nothing(node) {
                exporter.values.insert(id, inputs[0].clone());
                continue;
            }
            let output = if id == graph.output_id() { OUTPUT.to_owned() } else { value_name(&node.name) };
            exporter.layer(node, &inputs, &output).map_err(told)?;
            exporter.values.insert(id, output);
        }
        let last = &exporter.values[&graph.output_id()];
        if last != OUTPUT {
            let node = operator("Identity", "", &[last], &[OUTPUT], &[]);
            exporter.nodes.push(node);
        }
        Ok(exporter)
    }

    fn is_nothing(&self, node: &Node) -> bool {
        let input = node.inputs.first().map(|&i| self.graph.node(i).shape);
        match node.layer {
            AnyLayer::Dropout(_) => true,
            AnyLayer::AdaptiveAvgPool(_) | AnyLayer::Flatten(_) => input == Some(node.shape),
            _ => false,
        }
    }

    /// The input, with preprocessing behind it where that is asked for.
    fn prepared(&mut self, node: &Node, options: &OnnxOptions) -> Result<String, String> {
        let input = node.name.clone();
        let Some((mean, std)) = &options.preprocessing else { return Ok(input) };
        let c = node.shape.c;
        if mean.len() != c || std.len() != c {
            return Err(format!("there are {} means and {} deviations for {c} channels", mean.len(), std.len()));
        }
        let scale = std.iter().map(|s| 1.0 / (255.0 * s)).collect();
        let shift = mean.iter().zip(std).map(|(m, s)| -m / s).collect();
        let sides = if node.shape.is_vector() { vec![c] } else { vec![c, 1, 1] };
        let (scaled, shifted) = ("preprocessing.scaled", "preprocessing.shifted");
        self.floats("preprocessing.scale", sides.clone(), scale);
        self.floats("preprocessing.shift", sides, shift);
        self.nodes.push(operator("Mul", "preprocessing.scaled", &[&input, "preprocessing.scale"], &[scaled], &[]));
        self.nodes.push(operator("Add", "preprocessing.shifted", &[scaled, "preprocessing.shift"], &[shifted], &[]));
        Ok(shifted.into())
    }

    /// The values of a node's parameter.
    fn values_of(&self, node: &Node, name: &str) -> Result<&'a Tensor, String> {
        let full = format!("{}.{name}", node.name);
        self.tensors.get(&full).ok_or_else(|| format!("there are no values for `{full}`"))
    }

    /// A node's parameter as an initialiser, as it is; its name.
    fn parameter(&mut self, node: &Node, name: &str) -> Result<String, String> {
        let (tensor, full) = (self.values_of(node, name)?, format!("{}.{name}", node.name));
        let shape = tensor.shape.clone();
        self.initialisers.push(Initialiser {
            name: full.clone(),
            shape,
            values: file::Values::Floats(Cow::Borrowed(&tensor.values)),
        });
        Ok(full)
    }

    /// A node's weight and, if there is one, bias.
    fn weight_and_bias(&mut self, node: &Node) -> Result<Vec<String>, String> {
        node.params.iter().map(|p| self.parameter(node, p.name)).collect()
    }

    /// An initialiser of floats.
    fn floats(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) -> String {
        let values = file::Values::Floats(Cow::Owned(values));
        self.initialisers.push(Initialiser { name: name.to_owned(), shape, values });
        name.to_owned()
    }

    /// An initialiser of whole numbers in a row.
    fn ints(&mut self, name: &str, values: Vec<i64>) -> String {
        let shape = vec![values.len()];
        self.initialisers.push(Initialiser { name: name.to_owned(), shape, values: file::Values::Ints(values) });
        name.to_owned()
    }

    /// The shape of a node's first input.
    fn input_shape(&self, node: &Node) -> Shape {
        node.inputs.first().map_or(node.shape, |&i| self.graph.node(i).shape)
    }
}

/// The name of a node's output, which must not be the graph's.
fn value_name(name: &str) -> String {
    if name == OUTPUT { format!("{name}/value") } else { name.to_owned() }
}

/// A node of an operator.
fn operator(op: &str, name: &str, inputs: &[&str], outputs: &[&str], attributes: &[Message]) -> Message {
    let mut node = Message::default();
    for input in inputs {
        node = node.bytes(1, input);
    }
    for output in outputs {
        node = node.bytes(2, output);
    }
    node = node.bytes(3, name).bytes(4, op);
    attributes.iter().fold(node, |node, attribute| node.bytes(5, attribute))
}

/// An attribute of a whole number.
fn int(name: &str, value: i64) -> Message {
    Message::default().bytes(1, name).int(3, value).int(20, 2)
}

/// An attribute of a float.
fn float(name: &str, value: f32) -> Message {
    Message::default().bytes(1, name).float(2, value).int(20, 1)
}

/// An attribute of whole numbers.
fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Message {
    Message::default().bytes(1, name).ints(8, values.into_iter().map(|v| v as i64)).int(20, 7)
}

#[cfg(test)]
mod tests;
