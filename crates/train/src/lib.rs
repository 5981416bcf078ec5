//! Training and using networks: recipes that fit the data, losses, optimisers, schedules, the loop, runs on disk, scores.

mod average;
mod checkpoint;
mod class_weights;
mod clip;
mod confidence;
mod emphasis;
mod error;
mod evaluate;
mod full_size;
pub mod golden;
pub mod gradients;
mod lr_finder;
mod metrics;
mod micro_batches;
mod model;
mod need;
mod optimizer;
mod patience;
mod precision;
mod recipe;
mod run_dir;
mod run_list;
mod run_record;
mod schedule;
mod stepper;
mod tensorboard;
mod trainer;
pub mod transfer;

pub use average::Average;
pub use checkpoint::{Checkpoint, Progress};
pub use clip::{clip, norm};
pub use confidence::{
    Answer, COLDEST, Calibrated, HOTTEST, KnownBy, Logits, Reading, Trial, TrialScore, Unknown, fit_temperature,
};
pub use emphasis::Emphasis;
pub use error::TrainError;
pub use evaluate::{Evaluation, Evaluator};
pub use full_size::FullSize;
pub use lr_finder::{RatePoint, RateTest, find_learning_rate};
pub use metrics::{
    BINS, Bin, Calibration, ClassScore, Confusion, KEPT, Means, Mistaken, Prediction, Predictions, Score, Tally, best,
    read_predictions, wilson, write_confusion, write_predictions,
};
pub use micro_batches::MicroBatches;
pub use model::{Card, Model, Trained};
pub use need::{Choice, Demand, Economy, Need, normalises_batches};
pub use optimizer::{Optimizer, Rule};
pub use patience::Plateau;
pub use precision::{Decision, PrecisionWish, choose_precision, precision_name};
pub use recipe::{Config, Wishes};
pub use run_dir::{EpochRow, RunDir, new_folder};
pub use run_list::{Run, find_runs};
pub use run_record::{Attempt, Record, State};
pub use schedule::{Curve, Schedule};
pub use stepper::Stepper;
pub use tensorboard::{EventFile, TensorBoard};
pub use trainer::{Job, Outcome, StepReport, Watch, train};
