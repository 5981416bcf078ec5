//! What can go wrong in running a network.

use thiserror::Error;

/// An error in planning or running a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The images do not have the size that the network takes.
    #[error("network `{network}` takes {expected} values for {batch} images of {shape}, and was given {found}")]
    Images {
        /// The network.
        network: String,
        /// Images announced.
        batch: usize,
        /// One image's shape.
        shape: String,
        /// Values needed.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// More images than planned for, or none.
    #[error("a batch of {found} images, where the session was planned for 1 to {planned}")]
    Batch {
        /// The planned batch.
        planned: usize,
        /// The batch given.
        found: usize,
    },
    /// An activation or gradient that the session was not asked to keep.
    #[error("the {what} of node `{node}` is not kept: name the node among the taps when the session is made")]
    NotKept {
        /// `activation` or `gradient`.
        what: &'static str,
        /// The node.
        node: String,
    },
    /// A backward sweep from a node that was not planned, or with a gradient of the wrong length.
    #[error("no backward sweep from node `{node}` with {found} values: {why}")]
    Seed {
        /// The node.
        node: String,
        /// Values given.
        found: usize,
        /// What is wrong.
        why: String,
    },
    /// Parameters of another network, or a tensor of another size.
    #[error("parameter `{name}`: expected {expected}, found {found}")]
    Parameter {
        /// The tensor's full name.
        name: String,
        /// The shape or presence expected.
        expected: String,
        /// What was found.
        found: String,
    },
}
