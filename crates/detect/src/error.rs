//! What can go wrong. Each message says where, what was expected, what was found, what to do.

use std::path::{Path, PathBuf};

/// Why something could not be read, computed or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The operating system refused.
    #[error("{}: {doing} failed: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a noun: "reading", "listing the folder".
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder's shape is none that is understood, or contradicts itself.
    #[error("{}: {problem}", path.display())]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file breaks its format.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// An option has a value that cannot be meant.
    #[error("{option} is {value}, but must be {expected}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value found.
        value: String,
        /// The values that can be.
        expected: &'static str,
    },
    /// A network that no detector can be made of, or a part of it that is not there.
    #[error("`{network}` {why}")]
    Network {
        /// The network's name.
        network: String,
        /// What it does, and what would be needed.
        why: String,
    },
    /// Training was told to end.
    #[error("stopped; finished steps are kept, and the same command goes on from there")]
    Stopped,
    /// The network's description.
    #[error(transparent)]
    Graph(#[from] striate_graph::GraphError),
    /// The network's run.
    #[error(transparent)]
    Engine(#[from] striate_engine::EngineError),
    /// A training step.
    #[error(transparent)]
    Train(#[from] striate_train::TrainError),
    /// A file of weights or features.
    #[error(transparent)]
    Weights(#[from] striate_weights::WeightsError),
}

impl DetectError {
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    pub(crate) fn format(path: &Path, problem: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn layout(path: &Path, problem: impl Into<String>) -> Self {
        Self::Layout { path: path.to_owned(), problem: problem.into() }
    }
}

/// `1 box`, `2 boxes`, `3 classes`, `4 pictures`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ if noun.ends_with(['x', 's']) => format!("{n} {noun}es"),
        _ => format!("{n} {noun}s"),
    }
}
