//! R-CNN (Girshick et al. 2014, arXiv:1311.2524): selective search proposes regions, each is warped into a network that was
//! fine-tuned on such regions, a linear support vector machine a class judges its features, a ridge regression moves its box.
//!
//! Training goes in steps, each of which leaves a file in the run's folder and is not repeated: proposals, the fine-tuned
//! network, features, and from those the machines and the regressors. Settings are those of the authors' code (rbgirshick/rcnn)
//! unless stated. The network's output 0 is the background, output `c + 1` is class `c`.

mod extract;
mod features;
mod find;
mod fine_tune;
mod gallery;
mod linear_svm;
mod mining;
mod model;
mod network;
mod options;
mod proposals;
mod regions;
mod regressors;
mod ridge;
mod shared;
mod stages;
mod train;
mod warped;
mod windows;

pub use find::{FindOptions, Finder, Seconds, Suppression};
pub use linear_svm::{Linear, LinearSvm};
pub use model::{Judge, Rcnn};
pub use network::Backbone;
pub use options::{Classifier, FineTune, Mining, RegionOptions, Regression, TrainOptions};
pub use ridge::ridge;
pub use train::{Job, Trained, train};

use striate_data::Progress;

/// Hears how training goes, and may end it.
pub trait Watch: Progress {
    /// A line for whoever waits.
    fn say(&self, line: &str);
    /// Whether training is to end; what is done then stays on disk.
    fn stops(&self) -> bool;
}

#[cfg(test)]
mod tests;
