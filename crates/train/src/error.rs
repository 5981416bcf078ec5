//! What can go wrong in training and using networks.

use std::path::PathBuf;
use striate_data::DataError;
use striate_engine::EngineError;
use striate_weights::WeightsError;
use striate_zoo::ZooError;
use thiserror::Error;

/// An error in training, evaluating or predicting.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network's run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The network's description.
    #[error(transparent)]
    Graph(#[from] striate_graph::GraphError),
    /// A file of weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The architecture.
    #[error(transparent)]
    Zoo(#[from] ZooError),
    /// A model file whose parts contradict each other.
    #[error("{path}: {why}", path = path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        why: String,
    },
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} in epoch {epoch}, step {step}, at a learning rate of {lr:.3e}{}: lower it with --lr",
        place.as_ref().map(|place| format!(", first in {place}")).unwrap_or_default()
    )]
    Diverged {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: u32,
        /// The step of the epoch, from 1.
        step: u64,
        /// The learning rate of that step.
        lr: f64,
        /// Where the first value is that is no number: a node or a parameter.
        place: Option<String>,
    },
    /// A network that cannot be trained in the memory that it may have.
    #[error(
        "training `{network}` takes {:.1} MB at least, with all that can be saved, and {:.1} MB may be had: give it more \
         (--memory-limit), or lower the image size or the batch", *smallest as f64 / 1e6, *limit as f64 / 1e6
    )]
    Memory {
        /// The network.
        network: String,
        /// What it takes with the smallest micro-batches, in bytes.
        smallest: usize,
        /// What it may have, in bytes.
        limit: usize,
    },
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
    /// A file of the run.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
