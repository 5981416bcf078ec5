//! Training and using networks: recipes that fit the data, losses, optimisers, schedules, the loop, runs on disk, scores.

mod average;
mod checkpoint;
mod clip;
mod error;
mod evaluate;
pub mod golden;
pub mod gradients;
mod lr_finder;
mod metrics;
mod model;
mod optimizer;
mod recipe;
mod run_dir;
mod schedule;
mod stepper;
mod trainer;

pub use average::Average;
pub use checkpoint::{Checkpoint, Progress};
pub use clip::{clip, norm};
pub use error::TrainError;
pub use evaluate::{Evaluation, Evaluator};
pub use lr_finder::{RatePoint, RateTest, find_learning_rate};
pub use metrics::{Confusion, Score, Tally, best};
pub use model::{Card, Model, Trained};
pub use optimizer::{Optimizer, Rule};
pub use recipe::{Config, Wishes};
pub use run_dir::{EpochRow, RunDir, new_folder};
pub use schedule::{Curve, Schedule};
pub use stepper::Stepper;
pub use trainer::{Job, Outcome, StepReport, Watch, train};
