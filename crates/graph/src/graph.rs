//! The finished network: nodes in the order they are computed, each with its layer, inputs, shape and parameters.

use crate::{AnyLayer, GraphError, ParamSpec, Shape};

/// A node's place in its graph; inputs always come before the nodes that use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The node's index in [`Graph::nodes`].
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A named layer in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The full name, scopes included: `layer1.0.conv1`.
    pub name: String,
    /// What it computes.
    pub layer: AnyLayer,
    /// Whose outputs it takes.
    pub inputs: Vec<NodeId>,
    /// The shape of its output for one image.
    pub shape: Shape,
    /// Its parameters, in the layer's order.
    pub params: Vec<ParamSpec>,
}

impl Node {
    /// A parameter's full name, as in a checkpoint: `layer1.0.conv1.weight`.
    pub fn param_name(&self, spec: &ParamSpec) -> String {
        format!("{}.{}", self.name, spec.name)
    }
}

/// An auxiliary classifier: a second answer in the middle of the network whose loss is added while training, so that the
/// layers before it learn faster (Szegedy et al. 2014, arXiv:1409.4842, section 5). Predicting does without.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auxiliary {
    /// The node whose activations are the head's answer.
    pub node: NodeId,
    /// What its loss weighs beside the network's own.
    pub weight: f32,
}

/// A network. Built by [`crate::Builder`]; never empty, never inconsistent.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(crate) name: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: NodeId,
    pub(crate) auxiliary: Vec<Auxiliary>,
}

impl Graph {
    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All nodes, inputs before users.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The identities of all nodes, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The identity of [`Graph::input`].
    pub fn input_id(&self) -> NodeId {
        NodeId(0)
    }

    /// The node that takes the images: always the first.
    pub fn input(&self) -> &Node {
        &self.nodes[0]
    }

    /// The node whose activations are the network's answer.
    pub fn output(&self) -> &Node {
        self.node(self.output)
    }

    /// The identity of [`Graph::output`].
    pub fn output_id(&self) -> NodeId {
        self.output
    }

    /// The auxiliary classifiers, in the order they were declared; most networks have none.
    pub fn auxiliary(&self) -> &[Auxiliary] {
        &self.auxiliary
    }

    /// For each node, whether the output depends on it: false for auxiliary classifiers, which only train.
    pub fn predicting(&self) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        needed[self.output.0] = true;
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if needed[i] {
                node.inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        needed
    }

    /// The network without what only trains: its auxiliary classifiers.
    pub fn without_auxiliary(&self) -> Graph {
        let mut nodes: Vec<Node> = Vec::new();
        let mut moved = vec![NodeId(0); self.nodes.len()];
        // The input stays, whatever depends on it: a network always has one.
        let kept = self.predicting().into_iter().enumerate().filter(|&(i, needed)| needed || i == 0);
        for (i, _) in kept {
            moved[i] = NodeId(nodes.len());
            let node = &self.nodes[i];
            nodes.push(Node { inputs: node.inputs.iter().map(|input| moved[input.0]).collect(), ..node.clone() });
        }
        Graph { name: self.name.clone(), nodes, output: moved[self.output.0], auxiliary: Vec::new() }
    }

    /// The node of this name.
    ///
    /// # Errors
    /// [`GraphError::NoSuchNode`], with the nearest name there is.
    pub fn find(&self, name: &str) -> Result<NodeId, GraphError> {
        self.ids().find(|&id| self.node(id).name == name).ok_or_else(|| {
            let near = self
                .nodes
                .iter()
                .map(|n| (strsim::jaro_winkler(&n.name, name), &n.name))
                .filter(|(likeness, _)| *likeness > 0.7)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = near.map(|(_, n)| format!("; did you mean `{n}`?")).unwrap_or_default();
            GraphError::NoSuchNode { graph: self.name.clone(), name: name.to_owned(), hint }
        })
    }

    /// The shapes that come into a node.
    pub fn input_shapes(&self, node: &Node) -> Vec<Shape> {
        node.inputs.iter().map(|&i| self.node(i).shape).collect()
    }

    /// Takes weight decay off the parameters whose full names `spared` picks; returns how many it picked.
    pub fn spare_from_decay(&mut self, spared: impl Fn(&str) -> bool) -> usize {
        let mut picked = 0;
        for node in &mut self.nodes {
            let names: Vec<String> = node.params.iter().map(|spec| node.param_name(spec)).collect();
            for (spec, _) in node.params.iter_mut().zip(names).filter(|(spec, name)| spec.trainable && spared(name)) {
                (spec.decay, picked) = (false, picked + 1);
            }
        }
        picked
    }

    /// Every parameter with its full name, in order.
    pub fn params(&self) -> impl Iterator<Item = (String, &ParamSpec)> {
        self.nodes.iter().flat_map(|n| n.params.iter().map(|p| (n.param_name(p), p)))
    }

    /// Trained values: weights, biases, scales and shifts, those of auxiliary classifiers too. Fixed and gathered values are
    /// not counted, as in torchvision.
    pub fn parameter_count(&self) -> usize {
        self.params().filter(|(_, p)| p.trainable).map(|(_, p)| p.len()).sum()
    }

    /// Fixed or gathered values: class codes, and the running means and variances of batch normalisation.
    pub fn statistic_count(&self) -> usize {
        self.params().filter(|(_, p)| !p.trainable).map(|(_, p)| p.len()).sum()
    }

    /// A node's multiply-adds for one image.
    pub fn node_multiply_adds(&self, node: &Node) -> u64 {
        node.layer.multiply_adds(&self.input_shapes(node), node.shape)
    }

    /// Multiply-adds of all convolutions and linear layers for one image, auxiliary classifiers included.
    pub fn multiply_adds(&self) -> u64 {
        self.nodes.iter().fold(0, |sum: u64, n| sum.saturating_add(self.node_multiply_adds(n)))
    }
}
