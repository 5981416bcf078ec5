//! Keras's networks of `keras.applications`, where they are not the zoo's own: what they call their weights, how their layers
//! differ, and how their values lie. Kernels are height, width, in, out there; of a depthwise one height, width, in,
//! multiplier; dense ones in, out, and behind a flattening their inputs are height, width, channels.

use super::table::{Library, Table};
use striate_graph::layers::{BatchNorm, Conv};
use striate_graph::{AnyLayer, Change, Graph, GraphError, Node, ParamSpec, Shape};

/// What Keras calls a parameter of a layer.
pub(super) fn weight_name(layer: &AnyLayer, p: &ParamSpec) -> &'static str {
    match (layer, p.name) {
        (AnyLayer::BatchNorm(_), "weight") => "gamma",
        (AnyLayer::BatchNorm(_), "bias") => "beta",
        (_, "running_mean") => "moving_mean",
        (_, "running_var") => "moving_variance",
        (_, "weight") => "kernel",
        _ => "bias",
    }
}

/// Names of all parameters by what each node is called.
fn names(graph: &Graph, called: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for node in graph.nodes().iter().filter(|n| !n.params.is_empty()) {
        let layer = called(&node.name)?;
        all.extend(node.params.iter().map(|p| format!("{layer}/{}", weight_name(&node.layer, p))));
    }
    Some(all)
}

/// VGG16 and VGG19.
pub(super) fn vgg(graph: &Graph) -> Option<Table> {
    let called = |node: &str| match node {
        "fc6" => Some("fc1".to_owned()),
        "fc7" => Some("fc2".to_owned()),
        "fc8" => Some("predictions".to_owned()),
        conv => {
            let (stage, i) = conv.strip_prefix("conv")?.split_once('_')?;
            Some(format!("block{stage}_conv{i}"))
        }
    };
    Some(Table {
        library: Library::Keras,
        graph: graph.clone(),
        names: names(graph, called)?,
        model: graph.name().into(),
        bgr: true,
    })
}

/// `ResNet50`, 101 and 152 of version 1: biases in convolutions, ε of 1.001·10⁻⁵, and strides on the first 1×1 convolution of a
/// block, where torchvision has them on its 3×3.
pub(super) fn resnet(graph: &Graph) -> Option<Table> {
    let bottleneck = |node: &Node| node.name.rsplit_once('.').is_some_and(|(_, layer)| layer == "conv3");
    if !graph.nodes().iter().any(bottleneck) || graph.find("fc").is_err() {
        return None;
    }
    let graph = keras_resnet(graph).ok()?;
    let called = |node: &str| match node {
        "conv1" => Some("conv1_conv".to_owned()),
        "bn1" => Some("conv1_bn".to_owned()),
        "fc" => Some("predictions".to_owned()),
        _ => {
            let mut parts = node.strip_prefix("layer")?.split('.');
            let stage: usize = parts.next()?.parse().ok()?;
            let block: usize = parts.next()?.parse().ok()?;
            let layer = parts.next()?;
            let (i, kind) = match (layer, parts.next()) {
                ("downsample", Some("0")) => ("0", "conv"),
                ("downsample", _) => ("0", "bn"),
                _ if layer.starts_with("conv") => (&layer[4..], "conv"),
                _ => (&layer[2..], "bn"),
            };
            Some(format!("conv{}_block{}_{i}_{kind}", stage + 1, block + 1))
        }
    };
    let names = names(&graph, called)?;
    Some(Table { library: Library::Keras, model: graph.name().into(), graph, names, bgr: true })
}

fn keras_resnet(graph: &Graph) -> Result<Graph, GraphError> {
    let strided = |block: &str| {
        graph.find(&format!("{block}.conv2")).is_ok_and(|id| match &graph.node(id).layer {
            AnyLayer::Conv(l) => l.window.stride != [1, 1],
            _ => false,
        })
    };
    graph.rewrite(|node| match &node.layer {
        AnyLayer::Conv(l) => {
            let stride = match node.name.rsplit_once('.') {
                Some((block, "conv1")) if strided(block) => [2, 2],
                Some((_, "conv2")) => [1, 1],
                _ => l.window.stride,
            };
            let mut conv = Conv { bias: true, ..*l };
            conv.window.stride = stride;
            Change::Replace(conv.into())
        }
        AnyLayer::BatchNorm(l) => Change::Replace(BatchNorm { epsilon: 1.001e-5, ..*l }.into()),
        _ => Change::Keep,
    })
}

/// Whether a tensor of this shape can be turned into a parameter of that one.
pub(super) fn fits(parameter: &[usize], shape: &[usize]) -> bool {
    match (parameter, shape) {
        (&[n], &[m]) => n == m,
        (&[o, i, h, w], &[kh, kw, c, m]) => [h, w] == [kh, kw] && ([c, m] == [i, o] || depthwise(o, i, c, m)),
        // Also a 1×1 convolution, which a dense layer on one pixel is.
        (&[o, i], &[c, m] | &[1, 1, c, m]) => [c, m] == [i, o],
        _ => false,
    }
}

/// Whether kernels of one input each have the shape that Keras gives them: each of c channels has m.
fn depthwise(o: usize, i: usize, c: usize, m: usize) -> bool {
    i == 1 && c > 1 && c * m == o
}

/// A weight's values in PyTorch's order, if its shape is that of a parameter. `map`: the map that was flattened before a
/// dense layer.
pub(super) fn turned(spec: &ParamSpec, shape: &[usize], values: &[f32], map: Option<Shape>) -> Option<Vec<f32>> {
    if !fits(&spec.shape, shape) {
        return None;
    }
    match (&spec.shape[..], shape) {
        (&[o, i, h, w], &[_, kw, c, m]) => {
            let depthwise = depthwise(o, i, c, m);
            let at = |o: usize, i: usize, y: usize, x: usize| {
                let (c, m, from, to) = if depthwise { (c, m, o / m, o % m) } else { (c, m, i, o) };
                values[((y * kw + x) * c + from) * m + to]
            };
            let mut out = Vec::with_capacity(values.len());
            for o in 0..o {
                for i in 0..i {
                    for y in 0..h {
                        out.extend((0..w).map(|x| at(o, i, y, x)));
                    }
                }
            }
            Some(out)
        }
        (&[o, i], &[.., m]) => {
            let map = map.filter(|s| s.len() == i).unwrap_or(Shape::vector(i));
            let pixels = map.h * map.w;
            let from = |i: usize| (i % pixels) * map.c + i / pixels;
            Some((0..o).flat_map(|o| (0..i).map(move |i| (o, i))).map(|(o, i)| values[from(i) * m + o]).collect())
        }
        _ => Some(values.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_turned_value_by_value() {
        let spec = |shape: &[usize]| ParamSpec::weight(shape.to_vec(), 1, 1);
        // Value hwio stands for itself.
        let values: Vec<f32> = (0..2 * 3 * 4 * 5).map(|v| v as f32).collect();
        let out = turned(&spec(&[5, 4, 2, 3]), &[2, 3, 4, 5], &values, None).unwrap();
        let at = |o: usize, i: usize, h: usize, w: usize| out[((o * 4 + i) * 2 + h) * 3 + w];
        assert_eq!(at(4, 2, 1, 0), ((3 * 4 + 2) * 5 + 4) as f32);
        let deep = turned(&spec(&[4, 1, 2, 3]), &[2, 3, 4, 1], &values[..24], None).unwrap();
        assert_eq!(deep[(2 * 2 + 1) * 3 + 2], ((3 + 2) * 4 + 2) as f32);
        assert_eq!(turned(&spec(&[5, 4, 2, 3]), &[3, 2, 4, 5], &values, None), None);
    }

    #[test]
    fn dense_layers_behind_maps_take_channels_first() {
        // A map of 2×1×3 and one unit: input (h, w, c) has weight 100·h + c.
        let values = [0.0, 1.0, 2.0, 100.0, 101.0, 102.0];
        let spec = ParamSpec::weight(vec![1, 6], 6, 1);
        let out = turned(&spec, &[6, 1], &values, Some(Shape::new(2, 1, 3))).unwrap();
        assert_eq!(out, [0.0, 100.0, 1.0, 101.0, 2.0, 102.0]);
        assert_eq!(turned(&spec, &[6, 1], &values, None).unwrap(), values);
    }
}
