//! What can be wrong with a network, told with the node's name and the shapes.

use thiserror::Error;

/// Why a layer does not fit its inputs; the graph adds the node's name and the inputs' shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit(String);

impl Misfit {
    /// A misfit in a sentence without a full stop.
    pub fn new(why: impl Into<String>) -> Self {
        Misfit(why.into())
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error in a graph.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum GraphError {
    /// A layer does not fit what comes in.
    #[error("node `{node}` ({kind} of {inputs}): {why}")]
    Layer {
        /// The node's full name.
        node: String,
        /// The layer's kind.
        kind: &'static str,
        /// The inputs with their shapes, as in "relu1 28×28×6".
        inputs: String,
        /// What does not fit.
        why: Misfit,
    },
    /// Two nodes have the same name.
    #[error("two nodes are named `{0}`; names must differ")]
    DuplicateName(String),
    /// A node's name is empty or has characters that names may not have.
    #[error("`{0}` cannot name a node: use letters, digits, `.`, `_`, `-` and `/`")]
    BadName(String),
    /// No node of this name.
    #[error("network `{graph}` has no node `{name}`{hint}")]
    NoSuchNode {
        /// The network.
        graph: String,
        /// The name asked for.
        name: String,
        /// `; did you mean …?`, or empty.
        hint: String,
    },
    /// The network was finished with an output that is none of its nodes, or without any.
    #[error("network `{graph}` of {nodes} nodes was finished with an output that is none of them")]
    Output {
        /// The network.
        graph: String,
        /// How many nodes it has.
        nodes: usize,
    },
    /// A node takes the output of a node that this network does not have.
    #[error("node `{node}` takes node {index} of another network: this one has {nodes} so far")]
    ForeignInput {
        /// The node's full name.
        node: String,
        /// The input's index.
        index: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// An auxiliary classifier does not answer as the network does.
    #[error(
        "network `{graph}` has {head} as an auxiliary classifier of weight {weight}: it must be another node of the output's shape, {shape}, with a finite weight of 0 or more"
    )]
    Auxiliary {
        /// The network.
        graph: String,
        /// The node with its shape.
        head: String,
        /// The weight.
        weight: f32,
        /// The output's shape.
        shape: crate::Shape,
    },
    /// A node behind a passage depends on what is before it.
    #[error("network `{graph}` cannot be parted at `{passage}`: `{node}` depends on what comes before that too")]
    NotBehind {
        /// The network.
        graph: String,
        /// Where it was to be parted.
        passage: String,
        /// The node that depends on more.
        node: String,
    },
    /// The JSON is not a network.
    #[error("not a network description: {0}")]
    Json(String),
    /// The JSON was written by a later version.
    #[error("the network description has version {found}; this program reads up to version {known}: update it")]
    Version {
        /// The version in the file.
        found: u32,
        /// The latest known version.
        known: u32,
    },
}
