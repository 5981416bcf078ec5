//! What each layer is in ONNX, but for windows over maps.

use super::{Exporter, Message, float, int, ints, operator};
use striate_graph::layers::{Clip, LocalResponseNorm, Rbf, ScaledTanh, Softmax, ZeroPadShortcut};
use striate_graph::{AnyLayer, Node};

impl Exporter<'_> {
    /// Adds a layer's operators, the last of which gives `output`.
    pub(super) fn layer(&mut self, node: &Node, inputs: &[String], output: &str) -> Result<(), String> {
        let x = inputs[0].as_str();
        let all: Vec<&str> = inputs.iter().map(String::as_str).collect();
        match &node.layer {
            AnyLayer::Relu(_) => self.plain(node, "Relu", x, output, &[]),
            AnyLayer::Sigmoid(_) => self.plain(node, "Sigmoid", x, output, &[]),
            AnyLayer::Tanh(_) => self.plain(node, "Tanh", x, output, &[]),
            AnyLayer::LeakyRelu(l) => self.plain(node, "LeakyRelu", x, output, &[float("alpha", l.slope)]),
            AnyLayer::Relu6(_) => self.clip(node, Clip::new(0.0, 6.0), x, output),
            AnyLayer::Clip(l) => self.clip(node, *l, x, output),
            AnyLayer::HardSwish(_) => self.plain(node, "HardSwish", x, output, &[]),
            AnyLayer::HardSigmoid(l) => {
                self.plain(node, "HardSigmoid", x, output, &[float("alpha", l.slope), float("beta", l.offset)]);
            }
            AnyLayer::Multiply(_) => {
                let mut by = inputs[1].clone();
                // A vector for each map's channels is a map of one pixel.
                if self.is_flat(node.inputs[1]) && !self.is_flat(node.inputs[0]) {
                    by = self.unflattened(&format!("{}/by", node.name), &by, node.shape.c);
                }
                self.nodes.push(operator("Mul", &node.name, &[x, &by], &[output], &[]));
            }
            AnyLayer::ScaledTanh(l) => self.scaled_tanh(node, *l, x, output),
            AnyLayer::Softmax(l) => self.softmax(node, *l, x, output),
            AnyLayer::Flatten(_) => self.plain(node, "Flatten", x, output, &[int("axis", 1)]),
            AnyLayer::Concat(_) => self.nodes.push(operator("Concat", &node.name, &all, &[output], &[int("axis", 1)])),
            AnyLayer::Add(_) => {
                let op = if all.len() == 2 { "Add" } else { "Sum" };
                self.nodes.push(operator(op, &node.name, &all, &[output], &[]));
            }
            AnyLayer::Linear(_) => {
                let (x, parameters) = (self.flattened(node, x), self.weight_and_bias(node)?);
                let inputs: Vec<&str> = [&x].into_iter().chain(&parameters).map(String::as_str).collect();
                self.nodes.push(operator("Gemm", &node.name, &inputs, &[output], &[int("transB", 1)]));
            }
            AnyLayer::BatchNorm(l) => {
                let parameters = self.weight_and_bias(node)?;
                let inputs: Vec<&str> = [x].into_iter().chain(parameters.iter().map(String::as_str)).collect();
                let attributes = [float("epsilon", l.epsilon)];
                self.nodes.push(operator("BatchNormalization", &node.name, &inputs, &[output], &attributes));
            }
            AnyLayer::LocalResponseNorm(l) => return self.local_response_norm(node, *l, x, output),
            AnyLayer::ZeroPadShortcut(l) => self.zero_pad_shortcut(node, *l, x, output),
            AnyLayer::Rbf(l) => return self.rbf(node, *l, x, output),
            _ => return self.window(node, x, output),
        }
        Ok(())
    }

    /// An operator of one input.
    pub(super) fn plain(&mut self, node: &Node, op: &str, x: &str, output: &str, attributes: &[Message]) {
        self.nodes.push(operator(op, &node.name, &[x], &[output], attributes));
    }

    fn clip(&mut self, node: &Node, l: Clip, x: &str, output: &str) {
        let mut bound = |value: Option<f32>| {
            let Some(value) = value else { return String::new() };
            let name = format!("striate.{value:?}");
            if !self.initialisers.iter().any(|i| i.name == name) {
                self.floats(&name, Vec::new(), vec![value]);
            }
            name
        };
        let (low, high) = (bound(l.low), bound(l.high));
        self.nodes.push(operator("Clip", &node.name, &[x, &low, &high], &[output], &[]));
    }

    /// x times a number.
    fn times(&mut self, name: &str, x: &str, factor: f32, output: &str) {
        let by = self.floats(&format!("{name}.factor"), Vec::new(), vec![factor]);
        self.nodes.push(operator("Mul", name, &[x, &by], &[output], &[]));
    }

    fn scaled_tanh(&mut self, node: &Node, l: ScaledTanh, x: &str, output: &str) {
        let (inner, outer) = (format!("{}/inner", node.name), format!("{}/tanh", node.name));
        self.times(&inner, x, l.slope, &inner);
        self.nodes.push(operator("Tanh", &outer, &[&inner], &[&outer], &[]));
        self.times(&node.name, &outer, l.amplitude, output);
    }

    fn softmax(&mut self, node: &Node, l: Softmax, x: &str, output: &str) {
        let mut from = x.to_owned();
        if l.temperature != 1.0 {
            from = format!("{}/cooled", node.name);
            let name = from.clone();
            self.times(&name, x, 1.0 / l.temperature, &name);
        }
        self.nodes.push(operator("Softmax", &node.name, &[&from], &[output], &[int("axis", 1)]));
    }

    /// ONNX divides α by the size, and centres even windows otherwise.
    fn local_response_norm(&mut self, node: &Node, l: LocalResponseNorm, x: &str, output: &str) -> Result<(), String> {
        if l.size.is_multiple_of(2) {
            return Err(format!("its window of {} channels is even, and ONNX's starts elsewhere", l.size));
        }
        let size = l.size as f32;
        let attributes =
            [int("size", l.size as i64), float("alpha", l.alpha * size), float("beta", l.beta), float("bias", l.k)];
        self.plain(node, "LRN", x, output, &attributes);
        Ok(())
    }

    /// Every so-many-th pixel, then zeros in the new channels, half before and half behind.
    fn zero_pad_shortcut(&mut self, node: &Node, l: ZeroPadShortcut, x: &str, output: &str) {
        let c = self.input_shape(node).c;
        let mut from = x.to_owned();
        if l.stride > 1 {
            from = format!("{}/pixels", node.name);
            let stride = l.stride as i64;
            let lists = [("starts", [0, 0]), ("ends", [i64::MAX; 2]), ("axes", [2, 3]), ("steps", [stride; 2])];
            let lists = lists.map(|(name, values)| self.ints(&format!("{}.{name}", node.name), values.to_vec()));
            let [starts, ends, axes, steps] = &lists;
            self.nodes.push(operator("Slice", &from, &[x, starts, ends, axes, steps], &[&from], &[]));
        }
        let missing = l.out_channels - c;
        let (before, behind) = ((missing / 2) as i64, missing.div_ceil(2) as i64);
        let pads = self.ints(&format!("{}.pads", node.name), vec![0, before, 0, 0, 0, behind, 0, 0]);
        self.nodes.push(operator("Pad", &node.name, &[&from, &pads], &[output], &[]));
    }

    /// −Σ (x − w)² for each code w.
    fn rbf(&mut self, node: &Node, l: Rbf, x: &str, output: &str) -> Result<(), String> {
        let codes = self.values_of(node, "weight")?;
        let features = self.input_shape(node).c;
        let weight = self.floats(&format!("{}.weight", node.name), vec![1, l.classes, features], codes.values.clone());
        let axes = self.ints(&format!("{}.axes", node.name), vec![1]);
        let x = self.flattened(node, x);
        let [row, difference, distance] = ["row", "difference", "distance"].map(|n| format!("{}/{n}", node.name));
        self.nodes.push(operator("Unsqueeze", &row, &[&x, &axes], &[&row], &[]));
        self.nodes.push(operator("Sub", &difference, &[&row, &weight], &[&difference], &[]));
        let attributes = [ints("axes", [2]), int("keepdims", 0)];
        self.nodes.push(operator("ReduceSumSquare", &distance, &[&difference], &[&distance], &attributes));
        self.nodes.push(operator("Neg", &node.name, &[&distance], &[output], &[]));
        Ok(())
    }
}
