//! Training and using networks: recipes that fit the data, losses, optimisers, schedules, the loop, runs on disk, scores.

mod error;
mod evaluate;
pub mod golden;
pub mod gradients;
mod metrics;
mod model;
mod optimizer;
mod recipe;
mod run_dir;
mod run_list;
mod run_record;
mod schedule;
mod stepper;
mod tensorboard;
mod trainer;

pub use error::TrainError;
pub use evaluate::{Evaluation, Evaluator};
pub use metrics::{
    BINS, Bin, Calibration, ClassScore, Confusion, KEPT, Means, Mistaken, Prediction, Predictions, Score, Tally, best,
    read_predictions, wilson, write_confusion, write_predictions,
};
pub use model::{Card, Model, Trained};
pub use optimizer::{Optimizer, Rule};
pub use recipe::{Config, Wishes};
pub use run_dir::{EpochRow, RunDir, new_folder};
pub use run_list::{Run, find_runs};
pub use run_record::{Attempt, Record, State};
pub use schedule::{Curve, Schedule};
pub use stepper::Stepper;
pub use tensorboard::{EventFile, TensorBoard};
pub use trainer::{Job, Outcome, StepReport, Watch, train};
