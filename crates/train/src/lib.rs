//! Training and using networks: recipes that fit the data, losses, optimisers, schedules, the loop, runs on disk, scores.

mod error;
mod evaluate;
mod full_size;
pub mod golden;
pub mod gradients;
mod metrics;
mod micro_batches;
mod model;
mod need;
mod optimizer;
mod precision;
mod recipe;
mod run_dir;
mod schedule;
mod stepper;
mod trainer;

pub use error::TrainError;
pub use evaluate::{Evaluation, Evaluator};
pub use full_size::FullSize;
pub use metrics::{Confusion, Score, Tally, best};
pub use micro_batches::MicroBatches;
pub use model::{Card, Model, Trained};
pub use need::{Choice, Demand, Economy, Need, normalises_batches};
pub use optimizer::{Optimizer, Rule};
pub use precision::{Decision, PrecisionWish, choose_precision, precision_name};
pub use recipe::{Config, Wishes};
pub use run_dir::{EpochRow, RunDir, new_folder};
pub use schedule::{Curve, Schedule};
pub use stepper::Stepper;
pub use trainer::{Job, Outcome, StepReport, Watch, train};
