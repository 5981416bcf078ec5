//! What can go wrong in looking inside.

use striate_engine::EngineError;
use striate_graph::GraphError;
use thiserror::Error;

/// An error in explaining a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ExplainError {
    /// The network could not be planned or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A node that there is not.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A model whose parts contradict each other.
    #[error("the model contradicts itself: {0}")]
    Model(String),
    /// A class that the model does not name.
    #[error("there is no class `{found}`: give a name or a number from 0 to {last}{hint}")]
    Class {
        /// What was asked for.
        found: String,
        /// The last class's number.
        last: usize,
        /// `; did you mean …?`, or empty.
        hint: String,
    },
    /// A layer for which a method is not made.
    #[error("{what} is not possible at layer `{layer}`: {why}")]
    Layer {
        /// The method.
        what: &'static str,
        /// The node's name.
        layer: String,
        /// What stands in the way.
        why: String,
    },
    /// A setting that cannot be used.
    #[error("{0}")]
    Setting(String),
}
