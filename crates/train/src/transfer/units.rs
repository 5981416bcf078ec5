//! The units in which a network is tuned and unfrozen. A unit is a stretch between two nodes that everything passes through:
//! a layer with weights and what follows it without, or a block of parallel paths (residual, inception) as a whole. A
//! depthwise convolution belongs to the pointwise one behind it. Dropout belongs to the unit that it comes before.

use super::Tune;
use crate::TrainError;
use striate_graph::{AnyLayer, Graph, Init, Node, NodeId};

/// A stretch of a network with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The node before it: a passage, or the network's input.
    pub before: NodeId,
    /// Its first node with weights.
    pub name: String,
}

fn weighs(node: &Node) -> bool {
    node.params.iter().any(|p| matches!(p.init, Init::Weights { .. }))
}

fn depthwise(node: &Node) -> bool {
    matches!(node.layer, AnyLayer::Conv(conv) if conv.groups > 1 && conv.groups == conv.out_channels)
}

fn pointwise(node: &Node) -> bool {
    matches!(node.layer, AnyLayer::Conv(conv) if conv.groups == 1 && conv.window.kernel == [1, 1])
}

/// The passage before a dropout, whose masks are drawn anew for every step of what is tuned.
fn before_dropout(graph: &Graph, mut id: NodeId) -> NodeId {
    while let (AnyLayer::Dropout(_), [only]) = (&graph.node(id).layer, &graph.node(id).inputs[..]) {
        id = *only;
    }
    id
}

/// A network's units, from its output to its input; for networks without auxiliary classifiers.
pub fn units(graph: &Graph) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut end = graph.output_id();
    // The weighted node of the last unit, if it is pointwise and alone.
    let mut lone_pointwise = false;
    let cuts = graph.passages().into_iter().rev().chain([graph.input_id()]);
    for cut in cuts {
        let within: Vec<&Node> =
            graph.nodes()[cut.index() + 1..=end.index()].iter().filter(|node| weighs(node)).collect();
        let Some(first) = within.first() else { continue };
        let (before, name) = (before_dropout(graph, cut), first.name.clone());
        match units.last_mut() {
            Some(unit) if lone_pointwise && within.len() == 1 && depthwise(first) => {
                (*unit, lone_pointwise) = (Unit { before, name }, false);
            }
            _ => {
                lone_pointwise = within.len() == 1 && pointwise(first);
                units.push(Unit { before, name });
            }
        }
        end = cut;
    }
    units
}

/// The node behind which a network is tuned; its input where all of it is.
///
/// # Errors
/// If it has fewer units, no such node, or nothing to tune behind it.
pub fn cut(graph: &Graph, tune: &Tune) -> Result<NodeId, TrainError> {
    let units = units(graph);
    let none = || TrainError::Setting(format!("`{}` has no weights to tune", graph.name()));
    match tune {
        Tune::All => Ok(graph.input_id()),
        Tune::Head => Ok(units.first().ok_or_else(none)?.before),
        Tune::Last(k) => {
            let unit = units.get(k - 1).ok_or_else(|| {
                let (name, count) = (graph.name(), units.len());
                TrainError::Setting(format!("--tune last:{k}: `{name}` has {count} layers and blocks; all tunes them"))
            })?;
            Ok(unit.before)
        }
        Tune::From(name) => {
            let node = graph.find(name)?;
            let passage = graph.passages().into_iter().rev().find(|p| *p < node).unwrap_or(graph.input_id());
            let trains = |n: &Node| n.params.iter().any(|p| p.trainable);
            if !graph.nodes()[passage.index() + 1..].iter().any(trains) {
                return Err(TrainError::Setting(format!("--tune from:{name}: no weights come behind it")));
            }
            Ok(before_dropout(graph, passage))
        }
    }
}

/// For each node, how many units are between it and the head: 0 for the head's own.
pub fn depth(graph: &Graph) -> Vec<usize> {
    let units = units(graph);
    let of = |id: NodeId| units.iter().position(|unit| unit.before < id);
    graph.ids().map(|id| of(id).unwrap_or(units.len().saturating_sub(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_zoo::{Options, build};

    fn names(model: &str) -> Vec<String> {
        let graph = build(model, &Options::default()).unwrap().without_auxiliary();
        units(&graph).into_iter().map(|unit| unit.name).collect()
    }

    fn cut_of(model: &str, tune: &str) -> Result<String, TrainError> {
        let graph = build(model, &Options::default()).unwrap().without_auxiliary();
        let id = cut(&graph, &tune.parse().unwrap())?;
        Ok(graph.node(id).name.clone())
    }

    #[test]
    fn layers_and_blocks_are_units() {
        let vgg = names("vgg16");
        assert_eq!((vgg.len(), &vgg[..4]), (16, &["fc8", "fc7", "fc6", "conv5_3"].map(String::from)[..]));
        // Eight residual blocks between the stem and the classifier.
        let resnet = names("resnet18");
        assert_eq!(resnet.len(), 10);
        assert_eq!((&*resnet[0], &*resnet[1], &*resnet[9]), ("fc", "layer4.1.conv1", "conv1"));
        // Thirteen separable convolutions.
        let mobilenet = names("mobilenet_v1_0.25");
        assert_eq!(mobilenet.len(), 15);
        assert_eq!((&*mobilenet[1], &*mobilenet[13], &*mobilenet[14]), ("conv_dw_13", "conv_dw_1", "conv1"));
        assert!(names("googlenet").len() >= 13, "nine inception modules, three convolutions, a classifier");
    }

    #[test]
    fn cuts_are_before_what_is_tuned() {
        assert_eq!(cut_of("vgg16", "all").unwrap(), "input");
        assert_eq!(cut_of("vgg16", "last:16").unwrap(), "input");
        // Dropout comes before fc8, and is drawn anew in every step.
        assert_eq!(cut_of("vgg16", "head").unwrap(), "relu7");
        assert_eq!(cut_of("vgg16", "from:fc8").unwrap(), "relu7");
        let block = cut_of("resnet18", "last:2").unwrap();
        assert_eq!(cut_of("resnet18", "from:layer4.1.conv1").unwrap(), block);
        assert_eq!(cut_of("resnet18", "from:layer4.1.conv2").unwrap(), block, "a block is tuned as a whole");
        let e = cut_of("vgg16", "last:17").unwrap_err().to_string();
        assert!(e.contains("16 layers and blocks"), "{e}");
        let e = cut_of("vgg16", "from:fc9").unwrap_err().to_string();
        assert!(e.contains("no node `fc9`; did you mean"), "{e}");
    }

    #[test]
    fn depths_count_units_from_the_head() {
        let graph = build("resnet18", &Options::default()).unwrap();
        let depth = depth(&graph);
        let of = |name: &str| depth[graph.find(name).unwrap().index()];
        assert_eq!([of("fc"), of("layer4.1.conv2"), of("layer4.0.conv1"), of("conv1")], [0, 1, 2, 9]);
    }
}
