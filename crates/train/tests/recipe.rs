//! What the options of a run do to it: averages, clipping, class weights, patience, plateaus.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::sync::Arc;
use striate_data::LoaderOptions;
use striate_engine::{Parameters, Precision};
use striate_kernels::Cpu;
use striate_train::{Config, Curve, Model, Rule, RunDir};
use support::{bits, config, digits, metrics, resume, run};

/// A run with everything that there is.
fn everything(model: &str) -> Config {
    Config {
        label_smoothing: 0.1,
        class_weights: (0..10).map(|class| 0.5 + f64::from(class) / 9.0).collect(),
        balanced_sampling: true,
        ema: Some(0.95),
        clip_norm: Some(1.0),
        micro_batches: 3,
        no_decay: vec![if model == "lenet5" { "f6" } else { "fc" }.into()],
        schedule: Curve::Plateau { factor: 0.5, patience: 0 },
        ..config(model, 3)
    }
}

#[test]
fn with_all_options_bits_do_not_depend_on_threads_or_stops() {
    let steps = digits().train.len().div_ceil(16) as u64;
    for model in ["lenet5", "resnet20"] {
        let config = everything(model);
        let whole = run(&config, digits(), 1, 1, None);
        whole.outcome.as_ref().unwrap();
        let other = run(&config, digits(), 3, 2, None);
        assert_eq!(metrics(&other.rows), metrics(&whole.rows), "{model}");
        assert!(fs::read(other.dir.last()).unwrap() == fs::read(whole.dir.last()).unwrap(), "{model}");
        let r = resume(run(&config, digits(), 2, 2, Some(steps + 4)), &config, (1, 3), None);
        assert!(fs::read(r.dir.last()).unwrap() == fs::read(whole.dir.last()).unwrap(), "{model}, resumed");
        assert!(fs::read(r.dir.best()).unwrap() == fs::read(whole.dir.best()).unwrap(), "{model}, resumed");
    }
}

fn parameters(dir: &RunDir) -> Parameters {
    Model::read(&dir.last()).unwrap().parameters
}

/// The norm of what two networks' values differ by.
fn distance(a: &Parameters, b: &Parameters) -> f64 {
    let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
    a.iter().zip(b.iter()).flat_map(|(a, b)| a.2.iter().zip(b.2)).map(square).sum::<f64>().sqrt()
}

#[test]
fn an_average_lies_between_the_start_and_the_end() {
    let plain = config("lenet5", 3);
    let start = parameters(&run(&Config { learning_rate: 0.0, ..plain.clone() }, digits(), 2, 2, None).dir);
    let end = parameters(&run(&plain, digits(), 2, 2, None).dir);
    let averaged =
        |decay: f64| parameters(&run(&Config { ema: Some(decay), ..plain.clone() }, digits(), 2, 2, None).dir);
    // All of the newest is the newest, but for rounding; training itself does not see the average.
    assert!(distance(&averaged(0.0), &end) <= 1e-5 * distance(&start, &end));
    let late = averaged(0.9);
    assert!(distance(&late, &end) > 1e-3 * distance(&start, &end));
    assert!(distance(&late, &end) < distance(&start, &end));
}

#[test]
fn clipped_steps_go_no_farther_than_their_norm_and_rate() {
    let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let plain = Config { optimizer: rule, schedule: Curve::Constant, learning_rate: 0.1, ..config("lenet5", 1) };
    let start = parameters(&run(&Config { learning_rate: 0.0, ..plain.clone() }, digits(), 2, 2, None).dir);
    for micro_batches in [1, 4] {
        let clipped = Config { clip_norm: Some(1e-3), micro_batches, ..plain.clone() };
        let r = run(&clipped, digits(), 2, 2, None);
        let most = 0.1 * 1e-3 * r.steps as f64;
        let moved = distance(&parameters(&r.dir), &start);
        assert!(moved > 0.1 * most && moved <= 1.001 * most, "{moved} of {most}");
        assert!(distance(&parameters(&run(&plain, digits(), 2, 2, None).dir), &start) > 3.0 * most, "unclipped");
    }
}

#[test]
fn a_class_without_weight_is_not_learnt() {
    let class_weights = (0..10).map(|class| if class == 7 { 0.0 } else { 1.0 }).collect();
    let r = run(&Config { class_weights, ..config("lenet5", 12) }, digits(), 2, 2, None);
    let model = Model::read(&r.dir.last()).unwrap();
    let mut evaluator = model.evaluator(Arc::new(Cpu::new(2).unwrap()), 16, Precision::F32).unwrap();
    let (p, options) = (&model.card.preprocessing, LoaderOptions::default());
    let e = evaluator.score(&model.parameters, &digits().train, p, &options, |_| true).unwrap();
    let told: u64 = (0..10).map(|class| e.confusion.row(class)[7]).sum();
    assert_eq!(told, 0, "nothing is taken for a seven");
    assert!(e.score.accuracy > 0.7, "the other nine are learnt: {}", e.score.accuracy);
}

#[test]
fn patience_ends_a_run_that_gets_no_better() {
    let config = Config { learning_rate: 0.0, patience: Some(2), ..config("lenet5", 9) };
    let r = run(&config, digits(), 2, 2, None);
    let o = r.outcome.unwrap();
    assert_eq!((o.best_epoch, o.epochs, o.planned, o.early, o.stopped), (1, 3, 9, true, false));
    assert_eq!(r.rows.len(), 3);
}

#[test]
fn a_plateau_lowers_the_rate() {
    // A rate that changes no float: the loss stays where it is.
    let schedule = Curve::Plateau { factor: 0.1, patience: 1 };
    let r = run(&Config { learning_rate: 1e-30, schedule, ..config("lenet5", 6) }, digits(), 2, 2, None);
    let rates: Vec<i32> = r.rows.iter().map(|(row, _)| row.learning_rate.log10().round() as i32).collect();
    assert_eq!(rates, [-30, -30, -30, -31, -31, -32]);
    assert_eq!(r.told.len(), 2, "{:?}", r.told);
    // What is stopped behind a plateau goes on there.
    let steps = digits().train.len().div_ceil(16) as u64;
    let config = Config { learning_rate: 1e-30, schedule, ..config("lenet5", 6) };
    let again = resume(run(&config, digits(), 2, 2, Some(4 * steps + 1)), &config, (2, 2), None);
    assert_eq!(again.rows.last().unwrap().0.learning_rate.log10().round() as i32, -32);
    assert!(bits(&again.dir.last()) == bits(&r.dir.last()));
}
