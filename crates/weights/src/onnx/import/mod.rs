//! ONNX graphs as networks. ONNX counts axes N, C, H, W; activations here are NHWC without the N, so that what only turns or
//! joins axes changes how a value is looked at and computes nothing. Each operator becomes one layer where there is one;
//! scales and shifts by constants become depthwise 1×1 convolutions. What has no layer is refused with its node.

mod arithmetic;
mod constants;
mod shapes;
mod weights;
mod windows;

use super::beside::Beside;
use super::proto::{Array, Data, Model, Node};
use crate::Tensor;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;
use striate_graph::layers::{Conv, Input, Softmax};
use striate_graph::{AnyLayer, Builder, Change, Graph, NodeId, Padding, Shape};

/// A network that was read from an ONNX file.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    /// The network; it gives logits, a last softmax being left to whoever asks.
    pub graph: Graph,
    /// A tensor for each of its parameters.
    pub tensors: BTreeMap<String, Tensor>,
    /// The file's metadata.
    pub metadata: Vec<(String, String)>,
    /// What is to be known about how it was read.
    pub notes: Vec<String>,
}

/// How ONNX looks at a node's output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Axes {
    /// N, C, H, W.
    Nchw,
    /// N, H, W, C.
    Nhwc,
    /// N and features. `hwc`: they are a map of this shape in the order height, width, channels, while the node has them
    /// channels first.
    Flat { hwc: Option<Shape> },
}

/// A node's output.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    id: NodeId,
    axes: Axes,
}

/// What a name of the ONNX graph stands for.
#[derive(Clone, Debug)]
enum Value {
    Place(Place),
    Constant(Array),
    /// A map with zeros around it that nothing has asked for yet.
    Padded(Place, Padding),
    /// Every so-many-th pixel of a map.
    Strided(Place, usize),
    /// A vector as a matrix of one row.
    Row(Place),
    /// A vector less each row of a matrix.
    Difference(Place, Array),
    /// The squared length of each row of that.
    Distance(Place, Array),
    /// One channel of a map, without its axis.
    Channel(Place),
}

struct Importer<'m> {
    builder: Builder,
    nodes: &'m [Node],
    values: HashMap<&'m str, Value>,
    /// Who takes each value, by index.
    users: HashMap<&'m str, Vec<usize>>,
    /// Nodes that an earlier one has taken in.
    done: HashSet<usize>,
    /// The names of the network's nodes, and how often each was asked for.
    names: HashMap<String, usize>,
    tensors: BTreeMap<String, Tensor>,
    opset: i64,
    /// Values that may still be copied: constants may be used often, but not by the gigabyte.
    room: usize,
    /// Nodes whose output is never negative.
    rectified: HashSet<usize>,
    notes: Vec<String>,
}

/// Reads a network. `folder`: where the file lies, for values that are beside it; `side`: the input's height and width, where
/// the file leaves them open.
///
/// # Errors
/// If the bytes are no ONNX file, or its graph computes what networks here cannot, with the node.
pub fn parse_onnx(bytes: &[u8], folder: Option<&Path>, side: Option<usize>) -> Result<OnnxModel, String> {
    let beside = Beside::new(folder);
    let Model { opset, domains, graph, metadata, .. } =
        Model::read(bytes, &beside).map_err(|why| format!("is not an ONNX file that can be read: {why}"))?;
    if opset < 7 {
        return Err(format!("is of opset {opset}; from 7 on it can be read"));
    }
    let constants: HashSet<&str> = graph.initialisers.iter().map(|(name, _)| name.as_str()).collect();
    let mut inputs = graph.inputs.iter().filter(|i| !constants.contains(i.name.as_str()));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return Err(format!("has {} inputs; networks have one", graph.inputs.len()));
    };
    let [output] = &graph.outputs[..] else {
        return Err(format!("has {} outputs; networks have one", graph.outputs.len()));
    };
    let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|name| users.entry(name).or_default().push(i));
    }
    let name = if graph.name.is_empty() { "onnx" } else { &graph.name };
    let mut importer = Importer {
        builder: Builder::new(name),
        nodes: &graph.nodes,
        values: HashMap::new(),
        users,
        done: HashSet::new(),
        names: HashMap::new(),
        tensors: BTreeMap::new(),
        opset,
        room: bytes.len() + beside.held() + (1 << 16),
        rectified: HashSet::new(),
        notes: Vec::new(),
    };
    for (name, array) in &graph.initialisers {
        importer.values.insert(name, Value::Constant(array.clone()));
    }
    let sides = input.sides.as_deref().ok_or("does not say its input's shape")?;
    let input_place = importer.input(&input.name, sides, side)?;
    importer.values.insert(&input.name, Value::Place(input_place));
    for (i, node) in graph.nodes.iter().enumerate() {
        if !importer.done.contains(&i) {
            importer.node(node).map_err(|why| told(node, &why, &domains))?;
        }
    }
    let place = importer.place(&output.name).map_err(|why| format!("its output: {why}"))?;
    importer.finish(place, metadata)
}

/// Whether a place is there twice.
fn repeated(places: &[Place]) -> bool {
    let mut seen = HashSet::new();
    !places.iter().all(|p| seen.insert(p.id.index()))
}

/// An error with its node.
fn told(node: &Node, why: &str, domains: &[String]) -> String {
    let name = [&node.name, node.outputs.first().unwrap_or(&node.op)].into_iter().find(|n| !n.is_empty());
    let foreign = if domains.contains(&node.domain) { format!("{}.", node.domain) } else { String::new() };
    format!("its node `{}` ({foreign}{}): {why}", name.map_or("", |n| n), node.op)
}

impl<'m> Importer<'m> {
    /// The node that takes the images.
    fn input(&mut self, name: &str, sides: &[Option<usize>], side: Option<usize>) -> Result<Place, String> {
        let (axes, shape) = match *sides {
            [_, Some(features)] => (Axes::Flat { hwc: None }, Shape::vector(features)),
            [_, a, b, c] => {
                let (axes, c, h, w) = if self.turned(name) { (Axes::Nhwc, c, a, b) } else { (Axes::Nchw, a, b, c) };
                let c = c.ok_or_else(|| format!("its input `{name}` does not say how many channels it has"))?;
                let (Some(h), Some(w)) = (h.or(side), w.or(side)) else {
                    return Err(format!("its input `{name}` leaves height and width open: say which (`--imgsz`)"));
                };
                (axes, Shape::new(h, w, c))
            }
            _ => return Err(format!("its input `{name}` has {} sides; images have four", sides.len())),
        };
        AnyLayer::from(Input::new(shape)).infer(&[]).map_err(|e| e.to_string())?;
        if shape.len() > 1 << 28 {
            return Err(format!("its input `{name}` is {shape}, larger than any image"));
        }
        self.names.insert("input".into(), 1);
        Ok(Place { id: self.builder.input(shape), axes })
    }

    /// Whether an input's channels are last: what follows, but for scales and shifts, turns it from NHWC to NCHW. Whatever
    /// else ONNX computes of maps takes channels first.
    fn turned(&self, input: &str) -> bool {
        let mut name = input;
        for _ in self.nodes {
            let users = self.users.get(name).map(Vec::as_slice).unwrap_or_default();
            let turns =
                |i: &usize| self.nodes[*i].op == "Transpose" && self.nodes[*i].ints("perm") == Some(&[0, 3, 1, 2]);
            match users {
                [] => return false,
                _ if users.iter().all(turns) => return true,
                [one]
                    if matches!(self.nodes[*one].op.as_str(), "Add" | "Sub" | "Mul" | "Div" | "Cast" | "Identity") =>
                {
                    let Some(output) = self.nodes[*one].outputs.first() else { return false };
                    name = output;
                }
                _ => return false,
            }
        }
        false
    }

    /// One node.
    fn node(&mut self, node: &'m Node) -> Result<(), String> {
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            return Err("operators of this set cannot be read".into());
        }
        let Some(output) = node.outputs.first() else { return Ok(()) };
        let value = match constants::fold(self, node)? {
            Some(constant) => Value::Constant(constant),
            None => self.operator(node)?,
        };
        self.values.insert(output, value);
        Ok(())
    }

    /// An operator on what is not constant.
    fn operator(&mut self, node: &'m Node) -> Result<Value, String> {
        if node.inputs.is_empty() {
            return Err("it takes nothing".into());
        }
        match node.op.as_str() {
            "Conv" | "ConvTranspose" => self.convolution(node),
            "MaxPool" | "AveragePool" | "LpPool" => self.pool(node),
            "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceMax" => self.global_pool(node),
            "Gemm" | "MatMul" => self.linear(node),
            "BatchNormalization" => self.batch_norm(node),
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Neg" | "ReduceSumSquare" => self.arithmetic(node),
            "Identity" | "Dropout" | "Cast" => self.first(node).cloned(),
            "Relu" | "Sigmoid" | "Tanh" | "LeakyRelu" | "PRelu" | "Clip" | "Softmax" | "LRN" | "HardSwish"
            | "HardSigmoid" => self.activation(node),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            "Transpose" => self.transpose(node),
            "Concat" => self.concat(node),
            "Pad" => self.pad(node),
            "Slice" => self.slice(node),
            "Gather" => self.gather(node),
            "Resize" | "Upsample" => self.resize(node),
            _ => Err("no layer computes this operator".into()),
        }
    }

    /// The value of a node's first input.
    fn first(&self, node: &Node) -> Result<&Value, String> {
        self.value(node.inputs.first().map_or("", String::as_str))
    }

    fn value(&self, name: &str) -> Result<&Value, String> {
        self.values.get(name).ok_or_else(|| format!("its input `{name}` is not computed before it"))
    }

    /// The constant of this name.
    fn constant(&self, name: &str) -> Option<&Array> {
        match self.values.get(name) {
            Some(Value::Constant(array)) => Some(array),
            _ => None,
        }
    }

    /// A node's input as a constant of floats.
    fn floats(&self, node: &Node, input: usize) -> Result<(Vec<usize>, Rc<Vec<f32>>), String> {
        let name = node.inputs.get(input).filter(|n| !n.is_empty()).ok_or("an input is missing")?;
        match self.constant(name) {
            Some(Array { shape, data: Data::Floats(values) }) => Ok((shape.clone(), values.clone())),
            _ => Err(format!("its input `{name}` must be constant numbers")),
        }
    }

    /// A node's input as whole numbers that are known.
    fn ints(&self, node: &Node, input: usize) -> Option<Vec<i64>> {
        match self.constant(node.inputs.get(input)?) {
            Some(Array { data: Data::Ints(values), .. }) => Some(values.clone()),
            _ => None,
        }
    }

    /// What a name stands for, computed.
    fn place(&mut self, name: &str) -> Result<Place, String> {
        let place = match self.value(name)?.clone() {
            Value::Place(place) => return Ok(place),
            Value::Constant(_) => return Err(format!("its input `{name}` is constant")),
            Value::Padded(place, padding) => self.each_channel(place, Conv::new(1, 1).padding(padding), 1.0)?,
            Value::Strided(place, stride) => self.each_channel(place, Conv::new(1, 1).stride(stride), 1.0)?,
            Value::Channel(_) => return Err(format!("its input `{name}` is one channel without its axis")),
            _ => return Err(format!("its input `{name}` is a matrix, which only distances to codes are made of")),
        };
        if let Some(value) = self.values.get_mut(name) {
            *value = Value::Place(place);
        }
        Ok(place)
    }

    /// A depthwise convolution of one weight everywhere, which moves pixels.
    fn each_channel(&mut self, place: Place, conv: Conv, weight: f32) -> Result<Place, String> {
        let c = self.shape(place).c;
        let conv = Conv { out_channels: c, ..conv.groups(c).no_bias() };
        let [kh, kw] = conv.window.kernel;
        let values = self.filled(c.saturating_mul(kh * kw), weight)?;
        let name = self.unique("pixels");
        self.add(&name, conv, &[place], &[values], place.axes)
    }

    /// So many equal values, if there is room for them.
    fn filled(&mut self, n: usize, value: f32) -> Result<Vec<f32>, String> {
        self.reserve(n)?;
        Ok(vec![value; n])
    }

    fn reserve(&mut self, n: usize) -> Result<(), String> {
        let left = self.room.checked_sub(n).ok_or("its weights would be many times what the file holds")?;
        self.room = left;
        Ok(())
    }

    fn shape(&self, place: Place) -> Shape {
        self.builder.shape(place.id)
    }

    /// A place that must be a map in ONNX's order.
    fn map(&mut self, name: &str) -> Result<Place, String> {
        let place = self.place(name)?;
        match place.axes {
            Axes::Nchw => Ok(place),
            other => Err(format!("it takes a map N, C, H, W, not {other:?}")),
        }
    }

    /// Adds a layer with its parameters' values, in the layer's order.
    fn add(
        &mut self,
        name: &str,
        layer: impl Into<AnyLayer>,
        inputs: &[Place],
        values: &[Vec<f32>],
        axes: Axes,
    ) -> Result<Place, String> {
        let layer = layer.into();
        let shapes: Vec<Shape> = inputs.iter().map(|&p| self.shape(p)).collect();
        let fitted = layer.infer(&shapes).map_err(|why| why.to_string())?;
        if fitted.h.saturating_mul(fitted.w).saturating_mul(fitted.c) > 1 << 32 {
            return Err(format!("it makes {fitted} of each image"));
        }
        let specs = layer.params(&shapes);
        if specs.len() != values.len() {
            return Err(format!("its layer has {} parameters, but {} are given", specs.len(), values.len()));
        }
        for (spec, values) in specs.iter().zip(values) {
            if spec.len() != values.len() {
                let (found, shape) = (values.len(), &spec.shape);
                return Err(format!("its {} has {found} values, but the network takes {shape:?}", spec.name));
            }
            let tensor = Tensor { shape: spec.shape.clone(), values: values.clone() };
            self.tensors.insert(format!("{name}.{}", spec.name), tensor);
        }
        self.names.entry(name.to_owned()).or_insert(1);
        let ids: Vec<NodeId> = inputs.iter().map(|p| p.id).collect();
        Ok(Place { id: self.builder.add(name, layer, ids), axes })
    }

    /// A name for a node of the network: that of its weight without `.weight`, else its own.
    fn name(&mut self, node: &Node) -> String {
        let weight = node.inputs.get(1).filter(|n| self.constant(n).is_some()).and_then(|n| n.strip_suffix(".weight"));
        let candidates = [weight, Some(node.name.as_str()), node.outputs.first().map(String::as_str)];
        let mut named = candidates.into_iter().flatten().filter(|n| !n.is_empty());
        let plain = |n: &str| {
            let fine = |c: char| if c.is_alphanumeric() || ".-_/".contains(c) { c } else { '_' };
            n.trim_start_matches('/').chars().take(200).map(fine).collect::<String>()
        };
        let first = named.next().map_or_else(|| node.op.to_lowercase(), plain);
        self.unique(if first.is_empty() { "node" } else { &first })
    }

    /// The name itself, or with a number if it is taken.
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.names.contains_key(&unique) {
            let asked = self.names.entry(name.to_owned()).or_insert(1);
            *asked += 1;
            unique = format!("{name}_{asked}");
        }
        unique
    }

    /// The only node that takes a value, and its index.
    fn only_user(&self, name: &str) -> Option<(usize, &'m Node)> {
        match self.users.get(name).map(Vec::as_slice) {
            Some([only]) => Some((*only, &self.nodes[*only])),
            _ => None,
        }
    }

    /// The finished network.
    fn finish(self, output: Place, metadata: Vec<(String, String)>) -> Result<OnnxModel, String> {
        let Importer { builder, mut tensors, mut notes, .. } = self;
        let mut graph = builder.finish(output.id).map_err(|e| e.to_string())?.without_auxiliary();
        let last = graph.output().clone();
        if last.layer == Softmax::new().into() {
            let removed = graph.rewrite(|n| if n.name == last.name { Change::Remove } else { Change::Keep });
            graph = removed.map_err(|e| e.to_string())?;
            notes.push(format!("its last softmax, `{}`, is left out: networks give logits", last.name));
        }
        if let Axes::Flat { hwc: Some(map) } = output.axes
            && !map.is_vector()
        {
            notes.push(format!("its answer is a map of {map} in a row, channels last; here channels come first"));
        }
        let asked: HashSet<String> = graph.params().map(|(name, _)| name).collect();
        tensors.retain(|name, _| asked.contains(name));
        Ok(OnnxModel { graph, tensors, metadata, notes })
    }
}
