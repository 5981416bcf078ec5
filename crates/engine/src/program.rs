//! The steps of a session: every node on its own, or several that the passes have joined into one.

use crate::Request;
use crate::passes;
use smallvec::SmallVec;
use striate_graph::{Graph, NodeId};
use striate_kernels::Activation;

/// Nodes of one step; few have more.
pub(crate) type Nodes = SmallVec<[NodeId; 4]>;

/// One thing that a session does.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What it computes, inputs before users; the last one's activations are what it writes.
    pub(crate) nodes: Nodes,
    pub(crate) kind: Kind,
}

/// How a step is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the node's layer.
    Layer,
    /// A convolution or linear layer with what follows in its last write.
    Conv(Conv),
    /// Normalisation by the batch's statistics with what follows.
    Norm(Norm),
}

/// A convolution, the normalisation folded into its weights, a residual, an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conv {
    pub(crate) conv: NodeId,
    /// Predicting: folded into the weights.
    pub(crate) folded: Option<NodeId>,
    /// Training: the normalisation whose statistics are gathered while the output is written.
    pub(crate) gathers: Option<NodeId>,
    pub(crate) residual: Option<NodeId>,
    pub(crate) activation: Activation,
}

/// Batch normalisation in training, a residual, an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Norm {
    pub(crate) norm: NodeId,
    /// The convolution before it has gathered the statistics.
    pub(crate) gathered: bool,
    pub(crate) residual: Option<NodeId>,
    pub(crate) activation: Activation,
}

/// Channels of another node's map in which a node's activations lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) concat: NodeId,
    pub(crate) channel: usize,
}

/// What a session does, in order.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// For each node, the one whose activations are its own too: itself, but for identities.
    pub(crate) root: Vec<NodeId>,
    /// Nodes that are written straight into a concatenation.
    pub(crate) inside: Vec<Option<Inside>>,
}

impl Norm {
    /// Whether its backward pass reads what it wrote: without a residual, what the activation let through follows from x.
    pub(crate) fn reads_output(&self) -> bool {
        self.activation != Activation::None && self.residual.is_some()
    }
}

impl Step {
    fn alone(id: NodeId) -> Step {
        Step { nodes: Nodes::from_elem(id, 1), kind: Kind::Layer }
    }

    /// The node whose activations it writes.
    pub(crate) fn output(&self) -> NodeId {
        self.nodes[self.nodes.len() - 1]
    }

    /// The residual that is read besides the input.
    pub(crate) fn residual(&self) -> Option<NodeId> {
        match self.kind {
            Kind::Layer => None,
            Kind::Conv(c) => c.residual,
            Kind::Norm(n) => n.residual,
        }
    }

    /// The nodes whose activations it reads: the first node's inputs and the residual.
    pub(crate) fn inputs<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = NodeId> + 'a {
        graph.node(self.nodes[0]).inputs.iter().copied().chain(self.residual())
    }
}

impl Program {
    /// Every node that runs on its own, then joined by the passes that the request allows, for convolutions of bf16 or not.
    pub(crate) fn new(graph: &Graph, request: &Request, tiles: bool, runs: &[bool]) -> Program {
        let mut program = Program {
            steps: graph.ids().skip(1).filter(|id| runs[id.index()]).map(Step::alone).collect(),
            root: graph.ids().collect(),
            inside: vec![None; graph.nodes().len()],
        };
        if request.passes {
            passes::run(graph, request, tiles, &mut program);
        }
        program
    }

    /// For each node, how many steps read it.
    pub(crate) fn readers(&self, graph: &Graph) -> Vec<usize> {
        let mut readers = vec![0; graph.nodes().len()];
        self.steps.iter().flat_map(|s| s.inputs(graph)).for_each(|id| readers[self.root[id.index()].index()] += 1);
        readers
    }
}
