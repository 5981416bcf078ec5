//! The network of an R-CNN: one output for the background and one for each class, and the nodes that are read.

use crate::error::DetectError;
use std::collections::HashSet;
use std::sync::Arc;
use striate_data::Preprocessing;
use striate_engine::{Parameters, Scheme};
use striate_graph::layers::Linear;
use striate_graph::{AnyLayer, Change, Graph, NodeId};
use striate_train::Model;

/// The network that a detector begins with.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// The network, with one output more than there are classes.
    pub graph: Arc<Graph>,
    /// Its parameters.
    pub parameters: Parameters,
    /// How regions become its input; the input is square.
    pub preprocessing: Preprocessing,
}

impl Backbone {
    /// A network of random weights, without its auxiliary classifiers.
    ///
    /// # Errors
    /// If its input is not square or not the preprocessing's, or it has not one output more than `classes`.
    pub fn fresh(graph: &Graph, preprocessing: Preprocessing, classes: usize, seed: u64) -> Result<Self, DetectError> {
        let graph = graph.without_auxiliary();
        let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), seed);
        Self { graph: Arc::new(graph), parameters, preprocessing }.checked(classes)
    }

    /// A trained network whose last layer is made anew, with random weights, for these classes and the background.
    ///
    /// # Errors
    /// If its input is not square, or it does not end in a linear layer.
    pub fn of_model(model: &Model, classes: usize, seed: u64) -> Result<Self, DetectError> {
        let old = model.graph.without_auxiliary();
        let (head, linear) = head(&old)?;
        let name = old.node(head).name.clone();
        let graph = old.rewrite(|node| {
            let layer = Linear { out_features: classes + 1, ..linear };
            if node.name == name { Change::Replace(layer.into()) } else { Change::Keep }
        })?;
        let mut parameters = Parameters::init(&graph, Scheme::for_graph(&graph), seed);
        let node = graph.node(graph.find(&name)?);
        let anew: HashSet<String> = node.params.iter().map(|spec| node.param_name(spec)).collect();
        let kept: HashSet<String> = graph.params().map(|(name, _)| name).filter(|name| !anew.contains(name)).collect();
        for (name, _, values) in model.parameters.iter().filter(|(name, ..)| kept.contains(*name)) {
            parameters.set(name, values)?;
        }
        let preprocessing = model.card.preprocessing.clone();
        Self { graph: Arc::new(graph), parameters, preprocessing }.checked(classes)
    }

    fn checked(self, classes: usize) -> Result<Self, DetectError> {
        let (input, output) = (self.graph.input().shape, self.graph.output().shape);
        let network = |why: String| DetectError::Network { network: self.graph.name().to_owned(), why };
        if input.h != input.w {
            return Err(network(format!("takes images of {input}; regions are warped to squares")));
        }
        let p = &self.preprocessing;
        if (p.height as usize, p.width as usize, p.channels as usize) != (input.h, input.w, input.c) {
            let (h, w, c) = (p.height, p.width, p.channels);
            return Err(network(format!("takes images of {input}, and they are prepared as {h}×{w}×{c}")));
        }
        if output.len() != classes + 1 {
            return Err(network(format!("answers {output}; {classes} classes and the background are {}", classes + 1)));
        }
        Ok(self)
    }

    /// Pixels on a side of its input.
    pub fn side(&self) -> u32 {
        self.preprocessing.width
    }
}

/// The last layer with weights, which tells the classes apart.
fn head(graph: &Graph) -> Result<(NodeId, Linear), DetectError> {
    let network = |why: String| DetectError::Network { network: graph.name().to_owned(), why };
    let Some(&last) = graph.classifier().last() else { return Err(network("has no layer with weights".to_owned())) };
    match graph.node(last).layer {
        AnyLayer::Linear(linear) => Ok((last, linear)),
        ref other => {
            let (name, kind) = (&graph.node(last).name, other.kind());
            Err(network(format!("tells classes apart by `{name}`, a layer of kind {kind}; it must be a linear one")))
        }
    }
}

/// The nodes that are read beside the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readout {
    /// Whose activations are judged.
    pub(super) features: NodeId,
    /// Whose activations move boxes.
    pub(super) pooled: NodeId,
}

impl Readout {
    /// The nodes of these names, or the usual ones.
    pub(super) fn of(graph: &Graph, features: Option<&str>, pooled: Option<&str>) -> Result<Self, DetectError> {
        let features = match features {
            Some(name) => graph.find(name)?,
            None => graph.node(head(graph)?.0).inputs[0],
        };
        let pooled = if let Some(name) = pooled {
            graph.find(name)?
        } else {
            let is_map = |id: &NodeId| !graph.node(*id).shape.is_vector();
            graph.passages().into_iter().rfind(is_map).unwrap_or(features)
        };
        Ok(Self { features, pooled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_data::Fit;
    use striate_graph::layers::{Conv, Dropout, GlobalAvgPool, Relu};
    use striate_graph::{Builder, Shape};
    use striate_train::Card;

    fn network(input: Shape) -> Graph {
        let mut g = Builder::new("small");
        let x = g.input(input);
        let x = g.add("conv", Conv::new(4, 3).pad(1), x);
        let x = g.add("relu", Relu, x);
        let x = g.add("pool", GlobalAvgPool, x);
        let x = g.add("drop", Dropout::new(0.5), x);
        let x = g.add("fc", Linear::new(3), x);
        g.finish(x).unwrap()
    }

    fn model(input: Shape) -> Model {
        let graph = Arc::new(network(input));
        let parameters = Parameters::init(&graph, Scheme::He, 7);
        let preprocessing = Preprocessing::new(input.w as u32, input.h as u32, 3, Fit::Stretch);
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let card =
            Card { classes, preprocessing, trained: None, calibration: None, licence: None, striate: "0".to_owned() };
        Model { graph, parameters, card }
    }

    #[test]
    fn a_models_last_layer_is_made_anew_and_the_rest_stays() {
        let model = model(Shape::new(8, 8, 3));
        // As many outputs as before: three classes, or two and the background.
        for classes in [2, 5] {
            let backbone = Backbone::of_model(&model, classes, 1).unwrap();
            assert_eq!(backbone.graph.output().shape, Shape::vector(classes + 1));
            assert_eq!(backbone.parameters.get("conv.weight"), model.parameters.get("conv.weight"));
            assert_ne!(backbone.parameters.get("fc.weight"), model.parameters.get("fc.weight"));
        }
    }

    #[test]
    fn what_is_read_is_before_the_last_layer_and_the_last_map() {
        let graph = network(Shape::new(8, 8, 3));
        let readout = Readout::of(&graph, None, None).unwrap();
        assert_eq!(graph.node(readout.features).name, "drop");
        assert_eq!(graph.node(readout.pooled).name, "relu");
        let named = Readout::of(&graph, Some("relu"), Some("pool")).unwrap();
        assert_eq!((named.features, named.pooled), (graph.find("relu").unwrap(), graph.find("pool").unwrap()));
        assert!(Readout::of(&graph, Some("fc7"), None).is_err());
    }

    #[test]
    fn networks_that_do_not_fit_are_named() {
        let refused = Backbone::of_model(&model(Shape::new(8, 9, 3)), 2, 1).unwrap_err().to_string();
        assert!(refused.contains("`small`") && refused.contains("squares"), "{refused}");
        let preprocessing = Preprocessing::new(8, 8, 3, Fit::Stretch);
        let refused = Backbone::fresh(&network(Shape::new(8, 8, 3)), preprocessing, 3, 1).unwrap_err().to_string();
        assert!(refused.contains("3 classes and the background are 4"), "{refused}");
    }
}
