//! Weights made here under other libraries' names.

use super::*;
use crate::Format;
use striate_zoo::{Options, PaddingRule};

fn tensor(name: &str, shape: &[usize], first: usize) -> ForeignTensor {
    let n: usize = shape.iter().product();
    ForeignTensor { name: name.into(), shape: shape.to_vec(), values: (first..first + n).map(|v| v as f32).collect() }
}

fn weights(format: Format, tensors: Vec<ForeignTensor>) -> ForeignWeights {
    ForeignWeights { format, tensors, notes: Vec::new(), extra: None }
}

/// A network's weights under a library's names; values count through all.
fn published(network: &str, library: &str, options: &Options) -> ForeignWeights {
    let architecture = striate_zoo::find(network).unwrap();
    let graph = architecture.build(options).unwrap();
    let names = architecture.checkpoint(library).unwrap().names(&graph);
    let mut first = 0;
    let of = |((_, p), name): ((String, &ParamSpec), String)| {
        first += p.len();
        tensor(&name, &p.shape, first - p.len())
    };
    weights(Format::TorchZip, graph.params().zip(names).map(of).collect())
}

fn refused(weights: &ForeignWeights, wish: Wish<'_>) -> String {
    match_zoo(weights.clone(), wish).map(|i| i.architecture.name).unwrap_err()
}

#[test]
fn networks_are_known_by_their_names() {
    for (network, library) in [
        ("resnet20", "akamaster"),
        ("resnet18", "torchvision"),
        ("googlenet", "torchvision"),
        ("mobilenet_v1", "timm"),
        ("mobilenet_v1_1.25", "timm"),
    ] {
        let found = match_zoo(published(network, library, &Options::default()), Wish::default()).unwrap();
        assert_eq!((found.architecture.name, found.library), (network, Some(library)));
        let n = found.graph.params().count();
        assert_eq!(found.report.summary(), format!("{n} of {n} parameters by {library}'s names"));
        assert_eq!(found.tensors.len(), n);
    }
}

#[test]
fn classes_follow_the_file() {
    let options = Options { classes: Some(5), ..Options::default() };
    let found = match_zoo(published("resnet18", "torchvision", &options), Wish::default()).unwrap();
    assert_eq!((found.graph.output().shape.len(), found.classes), (5, None));
    let found = match_zoo(published("resnet20", "akamaster", &Options::default()), Wish::default()).unwrap();
    assert_eq!(found.classes.unwrap()[3], "cat");
}

#[test]
fn auxiliary_classifiers_may_be_absent() {
    let options = Options { auxiliary: Some(false), ..Options::default() };
    let found = match_zoo(published("googlenet", "torchvision", &options), Wish::default()).unwrap();
    assert!(found.graph.auxiliary().is_empty());
}

#[test]
fn what_wraps_names_is_passed_over() {
    let mut file = published("resnet18", "torchvision", &Options::default());
    file.tensors.iter_mut().for_each(|t| t.name = format!("module.model.{}", t.name));
    let found = match_zoo(file.clone(), Wish::default()).unwrap();
    assert!(found.report.remarks.iter().any(|r| r.contains("`model.`")), "{:?}", found.report.remarks);
}

#[test]
fn nothing_is_left_as_it_happens_to_be() {
    let mut file = published("resnet20", "akamaster", &Options::default());
    file.tensors.retain(|t| !t.name.contains("layer2.1.bn2"));
    let e = refused(&file, Wish::default());
    assert!(e.contains("resnet20 is nearest, and lacks 4 of"), "{e}");
    assert!(e.contains("`layer2.1.bn2.weight`"), "{e}");
    let mut file = published("resnet20", "akamaster", &Options::default());
    file.tensors[0].shape = vec![16, 3, 9, 1];
    let e = refused(&file, Wish::default());
    assert!(e.contains("`conv1.weight` is [16, 3, 3, 3], but the file's `conv1.weight` is [16, 3, 9, 1]"), "{e}");
    // A deep network that lacks a few of its own is not taken for a shallow one that has a part of its names.
    let mut file = published("resnet56", "akamaster", &Options::default());
    file.tensors.retain(|t| !t.name.contains("layer3.8.bn2"));
    let e = refused(&file, Wish::default());
    assert!(e.contains("resnet56 is nearest, and lacks 4 of"), "{e}");
    let other = weights(Format::Npz, vec![tensor("a", &[3], 0), tensor("b", &[3, 3], 0)]);
    assert!(refused(&other, Wish::default()).contains("no network that is known; among them are `a`, `b`"));
    let none = Wish { architecture: Some("resnet19"), ..Wish::default() };
    assert!(refused(&file, none).contains("did you mean"), "{}", refused(&file, none));
}

#[test]
fn what_nothing_takes_is_told() {
    let mut file = published("resnet20", "akamaster", &Options::default());
    file.tensors.push(tensor("head2.weight", &[3, 3], 0));
    let found = match_zoo(file.clone(), Wish::default()).unwrap();
    assert!(found.report.summary().ends_with("nothing takes `head2.weight`"), "{}", found.report.summary());
}

#[test]
fn unknown_names_are_matched_by_order() {
    let mut file = published("resnet20", "akamaster", &Options::default());
    file.tensors.iter_mut().enumerate().for_each(|(i, t)| t.name = format!("w{i}"));
    let e = refused(&file, Wish::default());
    // Plain networks have the same parameters.
    assert!(e.contains("several networks by order and shapes, resnet20 and plain20"), "{e}");
    let wish = Wish { architecture: Some("resnet20"), ..Wish::default() };
    let found = match_zoo(file.clone(), wish).unwrap();
    assert_eq!(found.report.by, "order and shapes");
    // The last of all values, statistics included: 269,722 trained ones and twice the 688 normalised channels.
    assert_eq!(found.tensors["linear.bias"].values[9], (269_722 + 2 * 688 - 1) as f32);
}

#[test]
fn kerass_mobilenet_is_padded_and_turned_as_kerass() {
    let options = Options { padding: Some(PaddingRule::Keras), ..Options::default() };
    let graph = striate_zoo::build("mobilenet_v1_0.25", &options).unwrap();
    let names = striate_zoo::find("mobilenet_v1_0.25").unwrap().checkpoint("keras").unwrap().names(&graph);
    let shape = |p: &ParamSpec| match (&p.shape[..], p.name) {
        (&[o, 1, h, w], _) => vec![h, w, o, 1],
        (&[o, i, h, w], _) => vec![h, w, i, o],
        (&[o, i], _) => vec![1, 1, i, o],
        (other, _) => other.to_vec(),
    };
    let file = graph.params().zip(names).map(|((_, p), name)| tensor(&name, &shape(p), 0)).collect();
    let found = match_zoo(weights(Format::KerasHdf5, file), Wish::default()).unwrap();
    assert_eq!((found.architecture.name, found.library), ("mobilenet_v1_0.25", Some("keras")));
    assert_eq!(found.graph, graph);
    // Filter 2, input 1, row 0, column 2 of height, width, in, out.
    let conv1 = &found.tensors["conv1.weight"];
    assert_eq!(conv1.values[((2 * 3 + 1) * 3) * 3 + 2], ((2 * 3 + 1) * 8 + 2) as f32);
    assert_eq!(found.preprocessing.mean, [0.5; 3]);
}

#[test]
fn kerass_resnets_have_their_strides_elsewhere() {
    let graph = striate_zoo::build("resnet50", &Options::default()).unwrap();
    let table = keras::resnet(&graph).unwrap();
    let of = |name: &str| table.graph.node(table.graph.find(name).unwrap());
    let stride = |name: &str| match &of(name).layer {
        AnyLayer::Conv(l) => l.window.stride,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [stride("layer2.0.conv1"), stride("layer2.0.conv2"), stride("layer1.0.conv1")],
        [[2, 2], [1, 1], [1, 1]]
    );
    // 25,636,712 is Keras's own count of ResNet50; the gathered statistics are 53,120 of them.
    assert_eq!(table.graph.parameter_count() + table.graph.statistic_count(), 25_636_712);
    assert!(table.names.contains(&"conv3_block1_0_bn/moving_variance".to_owned()));
    assert_eq!(table.names.last().unwrap(), "predictions/bias");
}
