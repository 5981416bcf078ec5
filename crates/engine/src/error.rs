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
    /// The session's memory cannot be had, or not even be counted.
    #[error("there is not memory enough for network `{network}` at a batch of {batch}: take fewer images at once")]
    TooLarge {
        /// The network.
        network: String,
        /// The batch asked for.
        batch: usize,
    },
    /// A backward sweep without a forward pass whose activations it could use.
    #[error("a backward sweep needs a forward pass of its own before it, whose activations it uses up")]
    UsedUp,
    /// An activation before the first forward pass, or a gradient before a backward sweep.
    #[error("there is no {what} of node `{node}` yet: run the network first")]
    NotRun {
        /// `activation` or `gradient`.
        what: &'static str,
        /// The node.
        node: String,
    },
    /// An activation or gradient that the session was not asked to keep, or a gradient that no sweep reaches.
    #[error(
        "the {what} of node `{node}` is not kept: name the node among the session's taps, before a start of its sweeps"
    )]
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
    /// A sweep by a rule through a session that was planned for something else.
    #[error(
        "a sweep by a rule through network `{network}` needs a session that predicts and computes no gradients of parameters"
    )]
    Rule {
        /// The network.
        network: String,
    },
    /// A network that cannot take images of another size.
    #[error("network `{network}` cannot take an image of {image}: {why}")]
    Size {
        /// The network.
        network: String,
        /// The image's shape.
        image: String,
        /// What stands in the way.
        why: String,
    },
    /// An image that cannot be taken through a network in the memory that this may have.
    #[error(
        "an image of {image} takes {:.1} MB at least to go through network `{network}`, and {:.1} MB may be had",
        *smallest as f64 / 1e6, *limit as f64 / 1e6
    )]
    Image {
        /// The network.
        network: String,
        /// The image's shape.
        image: String,
        /// What the narrowest bands take, in bytes.
        smallest: usize,
        /// What may be had, in bytes.
        limit: usize,
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
