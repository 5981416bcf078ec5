//! Networks written and read again.

use super::*;
use crate::onnx::parse_onnx;
use striate_graph::layers::*;
use striate_graph::{Builder, Padding};
use striate_zoo::Options;

/// Some value for each of a network's parameters, positive where it is a variance.
fn filled(graph: &Graph) -> BTreeMap<String, Tensor> {
    let value = |i: usize| (i % 17) as f32 / 17.0 + 0.01;
    let of = |n: usize| (0..n).map(value).collect();
    graph.params().map(|(name, p)| (name, Tensor { shape: p.shape.clone(), values: of(p.len()) })).collect()
}

/// The network of a file of this network, and whether its values came back as they went.
fn again(graph: &Graph) -> Graph {
    let tensors = filled(graph);
    let bytes = onnx_bytes(graph, &tensors, &OnnxOptions::default()).unwrap();
    let model = parse_onnx(&bytes, None, None).unwrap_or_else(|e| panic!("{}: {e}", graph.name()));
    for (name, spec) in model.graph.params() {
        assert_eq!(model.tensors[&name].shape, spec.shape);
    }
    model.graph
}

/// A network as it predicts: without dropout, and without pools to the size that a map has.
fn predicting(graph: &Graph) -> Graph {
    let nothing: Vec<String> = graph
        .nodes()
        .iter()
        .filter(|n| {
            let same = n.inputs.first().is_some_and(|&i| graph.node(i).shape == n.shape);
            matches!(n.layer, AnyLayer::Dropout(_)) || matches!(n.layer, AnyLayer::AdaptiveAvgPool(_)) && same
        })
        .map(|n| n.name.clone())
        .collect();
    let change = |n: &Node| {
        if nothing.contains(&n.name) { striate_graph::Change::Remove } else { striate_graph::Change::Keep }
    };
    graph.without_auxiliary().rewrite(change).unwrap()
}

#[test]
fn networks_of_the_zoo_come_back_the_same() {
    // Those without the dense layers of hundreds of megabytes, and without what ONNX writes otherwise.
    for name in ["lenet5", "resnet20", "resnet110", "plain20", "mobilenet_v1_0.25", "resnet18", "resnet50"] {
        let graph = striate_zoo::build(name, &Options { classes: Some(7), ..Options::default() }).unwrap();
        assert_eq!(again(&graph), predicting(&graph), "{name}");
    }
}

#[test]
fn rounded_up_pools_come_back_as_padded_ones() {
    let graph = striate_zoo::build("googlenet", &Options { classes: Some(3), ..Options::default() }).unwrap();
    let read = again(&graph);
    let shapes = |g: &Graph| g.nodes().iter().map(|n| (n.name.clone(), n.shape)).collect::<Vec<_>>();
    assert_eq!(shapes(&read), shapes(&predicting(&graph)));
    let node = |name| read.node(read.find(name).unwrap()).layer.clone();
    let padding = Padding { bottom: 1, right: 1, ..Padding::default() };
    assert_eq!(node("maxpool1"), MaxPool::new(3).stride(2).padding(padding).into());
}

#[test]
fn old_networks_come_back_in_other_layers() {
    let graph = striate_zoo::build("lenet5_1998", &Options::default()).unwrap();
    let read = again(&graph);
    assert_eq!(read.output().shape, graph.output().shape);
    assert_eq!(read.output().layer, Rbf::new(10).into());
    let kinds: Vec<&str> = read.nodes().iter().map(|n| n.layer.kind()).collect();
    assert!(!kinds.contains(&"table_conv") && !kinds.contains(&"subsample"), "{kinds:?}");
}

#[test]
fn layers_come_back_one_by_one() {
    let map = Shape::new(9, 8, 6);
    let layers: Vec<AnyLayer> = vec![
        Conv::new(4, 3).stride(2).padding(Padding { top: 0, left: 1, bottom: 2, right: 1 }).groups(2).into(),
        Conv::new(6, 3).dilation(2).no_bias().into(),
        ConvTranspose::new(4, 3).stride(2).pad(1).output_padding(1).groups(2).into(),
        AvgPool::new(3).stride(2).pad(1).into(),
        AvgPool::new(3).stride(2).pad(1).exclude_padding().into(),
        MaxPool::new(3).stride(2).pad(1).into(),
        NormPool::l2(2).into(),
        LocalResponseNorm::new(5, 0.5, 0.75, 2.0).into(),
        LeakyRelu::new().slope(0.25).into(),
        Sigmoid.into(),
        Relu6.into(),
        Clip::new(-0.5, 2.0).into(),
        Clip { low: None, high: Some(1.0) }.into(),
        HardSwish.into(),
        HardSigmoid::new().into(),
        BatchNorm::new().epsilon(0.5).into(),
        ZeroPadShortcut::new(11, 2).into(),
        GlobalMaxPool.into(),
    ];
    for layer in layers {
        let mut g = Builder::new("one");
        let x = g.input(map);
        let y = g.add("layer", layer, x);
        let graph = g.finish(y).unwrap();
        assert_eq!(again(&graph), graph);
    }
}

#[test]
fn squeeze_and_excitation_comes_back() {
    let mut g = Builder::new("se");
    let x = g.input(Shape::new(5, 4, 6));
    let mut v = g.add("squeeze", GlobalAvgPool, x);
    v = g.add("reduce", Conv::new(3, 1), v);
    v = g.add("act", Relu, v);
    v = g.add("expand", Linear::new(6), v);
    v = g.add("gate", HardSigmoid::new(), v);
    let y = g.add("scale", Multiply, [x, v]);
    let graph = g.finish(y).unwrap();
    assert_eq!(again(&graph), graph);
}

#[test]
fn preprocessing_is_a_scale_and_a_shift() {
    let mut g = Builder::new("n");
    let x = g.input(Shape::new(2, 2, 2));
    let y = g.add("relu", Relu, x);
    let graph = g.finish(y).unwrap();
    let preprocessing = Some((vec![0.5, 0.25], vec![0.5, 0.25]));
    let options = OnnxOptions { preprocessing, metadata: vec![("striate".into(), "{}".into())] };
    let bytes = onnx_bytes(&graph, &BTreeMap::new(), &options).unwrap();
    let model = parse_onnx(&bytes, None, None).unwrap();
    assert_eq!(model.metadata, options.metadata);
    let value = |name: &str| model.tensors[name].values.clone();
    let near = |a: Vec<f32>, b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-7);
    // (v / 255 − mean) / std
    assert!(near(value("preprocessing.scaled.weight"), [1.0 / 127.5, 1.0 / 63.75]));
    assert!(near(value("preprocessing.shifted.bias"), [-1.0, -1.0]));
}

#[test]
fn what_onnx_has_not_is_named() {
    let mut g = Builder::new("n");
    let x = g.input(Shape::new(9, 9, 2));
    let y = g.add("odd", FractionalMaxPool::new(1.4), x);
    let graph = g.finish(y).unwrap();
    let e = onnx_bytes(&graph, &BTreeMap::new(), &OnnxOptions::default()).unwrap_err();
    assert_eq!(e, "node `odd` (fractional_max_pool) cannot be exported: ONNX has no operator for it");
}
