//! Layers that move a window over a map, or see all of it.

use super::{Exporter, Message, int, ints, operator};
use striate_graph::layers::{AdaptiveAvgPool, AvgPool, ConvTranspose, NormPool, TableConv};
use striate_graph::{AnyLayer, Node, NodeId, Shape, Window};

impl Exporter<'_> {
    /// Adds a layer of windows.
    pub(super) fn window(&mut self, node: &Node, x: &str, output: &str) -> Result<(), String> {
        let shape = self.input_shape(node);
        match &node.layer {
            AnyLayer::Conv(l) => {
                let parameters = self.weight_and_bias(node)?;
                self.convolution(node, "Conv", x, &parameters, &attributes(&l.window, l.groups), output);
            }
            AnyLayer::ConvTranspose(l) => {
                let parameters = self.weight_and_bias(node)?;
                let mut all = attributes(&l.window, l.groups);
                let ConvTranspose { output_padding, .. } = *l;
                all.push(ints("output_padding", output_padding));
                self.convolution(node, "ConvTranspose", x, &parameters, &all, output);
            }
            AnyLayer::TableConv(l) => self.table_conv(node, l, x, output)?,
            AnyLayer::Subsample(l) => {
                let cells = l.window.kernel[0] * l.window.kernel[1];
                let weight = &self.values_of(node, "weight")?.values;
                let kernels = weight.iter().flat_map(|w| std::iter::repeat_n(*w, cells)).collect();
                let sides = vec![shape.c, 1, l.window.kernel[0], l.window.kernel[1]];
                let weight = self.floats(&format!("{}.weight", node.name), sides, kernels);
                let parameters = [weight, self.parameter(node, "bias")?];
                self.convolution(node, "Conv", x, &parameters, &attributes(&l.window, shape.c), output);
            }
            AnyLayer::MaxPool(l) => self.plain(node, "MaxPool", x, output, &pooling(&l.window, shape, node.shape)),
            AnyLayer::AvgPool(l) => {
                let all = averaging(l, shape, node.shape)?;
                self.plain(node, "AveragePool", x, output, &all);
            }
            AnyLayer::NormPool(l) => {
                let NormPool { window, p } = *l;
                if p.fract() != 0.0 {
                    return Err(format!("ONNX takes whole norms, not {p}"));
                }
                let mut all = pooling(&window, shape, node.shape);
                all.push(int("p", p as i64));
                self.plain(node, "LpPool", x, output, &all);
            }
            AnyLayer::AdaptiveAvgPool(l) => self.plain(node, "AveragePool", x, output, &adaptive(*l, shape)?),
            AnyLayer::GlobalAvgPool(_) => self.global(node, "GlobalAveragePool", x, output),
            AnyLayer::GlobalMaxPool(_) => self.global(node, "GlobalMaxPool", x, output),
            _ => return Err("ONNX has no operator for it".into()),
        }
        Ok(())
    }

    fn convolution(
        &mut self,
        node: &Node,
        op: &str,
        x: &str,
        parameters: &[String],
        attributes: &[Message],
        output: &str,
    ) {
        // A vector is a map of one pixel.
        let mut from = x.to_owned();
        if self.is_flat(node.inputs[0]) {
            from = self.unflattened(&format!("{}/map", node.name), x, self.input_shape(node).c);
        }
        let inputs: Vec<&str> = [from.as_str()].into_iter().chain(parameters.iter().map(String::as_str)).collect();
        if node.shape.is_vector() && self.is_flat(node.inputs[0]) {
            let map = format!("{}/flat", node.name);
            self.nodes.push(operator(op, &node.name, &inputs, &[&map], attributes));
            self.nodes.push(operator("Flatten", &map, &[&map], &[output], &[int("axis", 1)]));
        } else {
            self.nodes.push(operator(op, &node.name, &inputs, &[output], attributes));
        }
    }

    pub(super) fn unflattened(&mut self, name: &str, x: &str, c: usize) -> String {
        let sides = self.ints(&format!("{name}.sides"), vec![0, c as i64, 1, 1]);
        self.nodes.push(operator("Reshape", name, &[x, &sides], &[name], &[]));
        name.to_owned()
    }

    /// Whether a node's output has two axes in the file: it, or what its values passed through, made vectors.
    pub(super) fn is_flat(&self, mut id: NodeId) -> bool {
        loop {
            let node = self.graph.node(id);
            match node.layer {
                AnyLayer::Flatten(_)
                | AnyLayer::Linear(_)
                | AnyLayer::Rbf(_)
                | AnyLayer::GlobalAvgPool(_)
                | AnyLayer::GlobalMaxPool(_) => return true,
                AnyLayer::Input(_) => return node.shape.is_vector(),
                _ if !node.shape.is_vector() => return false,
                _ => id = node.inputs[0],
            }
        }
    }

    /// A vector with two axes, made if it has four.
    pub(super) fn flattened(&mut self, node: &Node, x: &str) -> String {
        if self.is_flat(node.inputs[0]) {
            return x.to_owned();
        }
        let flat = format!("{}/vector", node.name);
        self.nodes.push(operator("Flatten", &flat, &[x], &[&flat], &[int("axis", 1)]));
        flat
    }

    /// A table's kernels among zeros.
    fn table_conv(&mut self, node: &Node, l: &TableConv, x: &str, output: &str) -> Result<(), String> {
        let maps = self.input_shape(node).c;
        let cells = l.window.kernel[0] * l.window.kernel[1];
        let table = &self.values_of(node, "weight")?.values;
        let mut full = vec![0.0; l.connections.len() * maps * cells];
        let rows = l.connections.iter().enumerate();
        let places = rows.flat_map(|(o, row)| row.iter().map(move |i| o * maps + i));
        for (kernel, place) in table.chunks_exact(cells).zip(places) {
            full[place * cells..][..cells].copy_from_slice(kernel);
        }
        let sides = vec![l.connections.len(), maps, l.window.kernel[0], l.window.kernel[1]];
        let mut parameters = vec![self.floats(&format!("{}.weight", node.name), sides, full)];
        if l.bias {
            parameters.push(self.parameter(node, "bias")?);
        }
        self.convolution(node, "Conv", x, &parameters, &attributes(&l.window, 1), output);
        Ok(())
    }

    /// A pool over the whole map, then a vector of it.
    fn global(&mut self, node: &Node, op: &str, x: &str, output: &str) {
        let map = format!("{}/map", node.name);
        self.nodes.push(operator(op, &node.name, &[x], &[&map], &[]));
        self.nodes.push(operator("Flatten", &map, &[&map], &[output], &[int("axis", 1)]));
    }
}

/// A convolution's attributes.
fn attributes(window: &Window, groups: usize) -> Vec<Message> {
    let p = window.padding;
    vec![
        ints("kernel_shape", window.kernel),
        ints("strides", window.stride),
        ints("dilations", window.dilation),
        ints("pads", [p.top, p.left, p.bottom, p.right]),
        int("group", groups as i64),
    ]
}

/// A pool's attributes. Sizes that are rounded up become padding that ends where the last window does.
fn pooling(window: &Window, x: Shape, y: Shape) -> Vec<Message> {
    let p = window.padding;
    let end = |i: usize, x: usize, y: usize, before: usize, declared: usize| {
        let reach = (y - 1) * window.stride[i] + window.kernel[i];
        if window.ceil { reach.saturating_sub(x + before).max(declared) } else { declared }
    };
    let (bottom, right) = (end(0, x.h, y.h, p.top, p.bottom), end(1, x.w, y.w, p.left, p.right));
    vec![
        ints("kernel_shape", window.kernel),
        ints("strides", window.stride),
        ints("pads", [p.top, p.left, bottom, right]),
    ]
}

fn averaging(l: &AvgPool, x: Shape, y: Shape) -> Result<Vec<Message>, String> {
    let padded = l.window.padding != striate_graph::Padding::default();
    if l.window.ceil && l.include_padding && padded {
        return Err("it counts its padding and rounds up, which ONNX's runtimes do differently".into());
    }
    let mut all = pooling(&l.window, x, y);
    // Where sizes are rounded up, padding stands for what no window reaches, which is not counted.
    all.push(int("count_include_pad", i64::from(l.include_padding && !l.window.ceil)));
    Ok(all)
}

/// An average to a size that divides the map's.
fn adaptive(l: AdaptiveAvgPool, x: Shape) -> Result<Vec<Message>, String> {
    let [h, w] = l.output;
    if !x.h.is_multiple_of(h) || !x.w.is_multiple_of(w) {
        return Err(format!("ONNX averages {}×{} to {h}×{w} only where that divides it", x.h, x.w));
    }
    let kernel = [x.h / h, x.w / w];
    Ok(vec![ints("kernel_shape", kernel), ints("strides", kernel)])
}
