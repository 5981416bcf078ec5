//! Matching by order and shapes, where no table knows the names.

use super::table::{Library, Table};
use super::{Match, MatchReport, Trial, fits, parameters};
use crate::{ForeignTensor, ForeignWeights};
use striate_graph::{AnyLayer, Graph, Node, Shape};
use striate_zoo::{Architecture, Choice, Options, PaddingRule};

/// The network with the file's tensors in order, if there are as many as it has parameters and all shapes agree.
pub(super) fn trial(
    architecture: &'static Architecture,
    weights: &ForeignWeights,
    side: Option<usize>,
) -> Option<Trial> {
    let keras = weights.format.is_keras();
    if !keras && !weights.format.in_order() {
        return None;
    }
    let last = |t: &&ForeignTensor| t.shape.len() > 1;
    let classifier = weights.tensors.iter().rfind(last)?;
    let classes = if keras { classifier.shape.last() } else { classifier.shape.first() };
    let published = architecture.input;
    let input = Shape { h: side.unwrap_or(published.h), w: side.unwrap_or(published.w), c: published.c };
    let padding = (keras && architecture.takes.contains(&Choice::Padding)).then_some(PaddingRule::Keras);
    let auxiliary = architecture.takes.contains(&Choice::Auxiliary).then_some(false);
    let options = Options { classes: classes.copied(), input: Some(input), padding, auxiliary, ..Options::default() };
    let graph = architecture.build(&options).ok()?;
    if graph.params().count() != weights.tensors.len() {
        return None;
    }
    let pairs = if keras { by_kind(&graph, weights)? } else { (0..weights.tensors.len()).collect() };
    let mut report = MatchReport { by: "order and shapes".into(), ..MatchReport::default() };
    for ((node, spec), &index) in parameters(&graph).zip(&pairs) {
        let tensor = &weights.tensors[index];
        if !fits(spec, tensor, keras) {
            return None;
        }
        let (parameter, shape) = (node.param_name(spec), spec.shape.clone());
        report.matched.push(Match { parameter, tensor: tensor.name.clone(), shape });
    }
    report
        .remarks
        .push("its names are not known: order and shapes agree, which does not prove that it is this network".into());
    let library = if keras { Library::Keras } else { Library::Torch(None) };
    let names = Vec::new();
    let table = Table { library, model: graph.name().into(), graph, names, bgr: keras && architecture.family == "VGG" };
    Some(Trial { architecture, table, pairs, report })
}

/// A layer's kind, as far as files tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Conv,
    Depthwise,
    Dense,
    Norm,
}

impl Kind {
    fn of_node(node: &Node) -> Kind {
        match &node.layer {
            AnyLayer::BatchNorm(_) => Kind::Norm,
            AnyLayer::Conv(l) if l.groups > 1 => Kind::Depthwise,
            AnyLayer::Linear(_) => Kind::Dense,
            _ => Kind::Conv,
        }
    }

    /// Of what a file calls a layer and holds of it.
    fn of_layer(name: &str, first: &ForeignTensor) -> Kind {
        match first.shape.len() {
            1 => Kind::Norm,
            2 => Kind::Dense,
            _ if name.contains("depthwise") || name.contains("_dw") => Kind::Depthwise,
            _ => Kind::Conv,
        }
    }
}

/// The tensors' indices in the network's order: the n-th layer of a kind has the weights of the file's n-th.
fn by_kind(graph: &Graph, weights: &ForeignWeights) -> Option<Vec<usize>> {
    let mut layers: Vec<(Kind, Vec<usize>)> = Vec::new();
    let mut last = None;
    for (index, tensor) in weights.tensors.iter().enumerate() {
        let (layer, _) = tensor.name.rsplit_once('/')?;
        if last == Some(layer) {
            layers.last_mut()?.1.push(index);
        } else {
            layers.push((Kind::of_layer(layer, tensor), vec![index]));
            last = Some(layer);
        }
    }
    let mut ordered = Vec::new();
    for node in graph.nodes().iter().filter(|n| !n.params.is_empty()) {
        let kind = Kind::of_node(node);
        // A convolution of one pixel may stand for a dense layer.
        let place = layers.iter().position(|(k, _)| *k == kind);
        let place = place.or_else(|| layers.iter().position(|(k, _)| kind == Kind::Dense && *k == Kind::Conv))?;
        let (_, indices) = layers.remove(place);
        if indices.len() != node.params.len() {
            return None;
        }
        ordered.extend(indices);
    }
    Some(ordered)
}
