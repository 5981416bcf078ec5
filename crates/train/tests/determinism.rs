//! A whole run on the built-in digits: the same bits at any number of threads and workers, a clean end when it is stopped,
//! weights that are what their row says, and a loss that runs away.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::sync::Arc;
use striate_data::{Augment, DataSet, LoaderOptions, Split, Subject};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{Config, Curve, Model, TrainError};
use support::{bits, config, digits, metrics, resume, run};

#[test]
fn a_run_has_the_same_bits_at_any_number_of_threads_and_workers() {
    for model in ["lenet5", "resnet20"] {
        let config = config(model, 2);
        let first = run(&config, digits(), 1, 1, None);
        first.outcome.as_ref().unwrap();
        assert_eq!(first.rows.len(), 2);
        for (threads, workers) in [(2, 3), (8, 1)] {
            let other = run(&config, digits(), threads, workers, None);
            assert_eq!(metrics(&other.rows), metrics(&first.rows), "{model}, {threads} threads, {workers} workers");
            assert!(bits(&other.dir.last()) == bits(&first.dir.last()), "{model}, {threads} threads");
            // Nothing in the file depends on the machine or the time: it is the same to the byte.
            assert!(fs::read(other.dir.best()).unwrap() == fs::read(first.dir.best()).unwrap(), "{model}");
        }
        let elsewhere = run(&Config { seed: 4, ..config }, digits(), 2, 2, None);
        assert_ne!(metrics(&elsewhere.rows), metrics(&first.rows), "the seed matters");
    }
}

#[test]
fn mixed_batches_have_the_same_bits_and_are_learnt_from() {
    let augment = Augment::parse("affine,shift=2,erase,mixup=0.5,cutmix=0.5", Subject::Drawing, 32).unwrap();
    let config = Config { augment, ..config("lenet5", 12) };
    let first = run(&config, digits(), 1, 1, None);
    let other = run(&config, digits(), 3, 2, None);
    assert_eq!(metrics(&other.rows), metrics(&first.rows));
    assert!(bits(&other.dir.last()) == bits(&first.dir.last()));
    // The held-out images are whole: guessing gives a tenth of them, and a loss of ln 10.
    let row = &first.rows.last().unwrap().0;
    assert!(row.val_accuracy.unwrap() > 0.6 && row.val_loss.unwrap() < 1.5, "{row:?}");
    // A mixed image's loss has the entropy of its two labels as its least.
    assert!(row.train_loss > row.val_loss.unwrap(), "{row:?}");
}

#[test]
fn the_best_weights_are_what_their_row_says() {
    let config = config("resnet20", 4);
    let r = run(&config, digits(), 2, 2, None);
    let outcome = r.outcome.unwrap();
    assert_eq!((outcome.epochs, outcome.stopped), (4, false));
    assert_eq!(r.rows.iter().rev().find(|(_, best)| *best).unwrap().0.epoch, outcome.best_epoch);
    let row = &r.rows[outcome.best_epoch as usize - 1].0;
    let accuracies = r.rows.iter().map(|(row, _)| row.val_accuracy.unwrap());
    assert_eq!(row.val_accuracy.unwrap(), accuracies.fold(0.0, f64::max));

    let model = Model::read(&outcome.model).unwrap();
    let trained = model.card.trained.as_ref().unwrap();
    assert_eq!((trained.epoch, trained.score), (outcome.best_epoch, Some(outcome.score)));
    // The loss is a sum over batches, so its last bits are the training batch's.
    for (batch, bound) in [(16, 0.0), (1, 1e-6), (45, 1e-6)] {
        let mut evaluator = model.evaluator(Arc::new(Cpu::new(2).unwrap()), batch, Precision::F32).unwrap();
        let p = &model.card.preprocessing;
        let e = evaluator.score(&model.parameters, &digits().val, p, &LoaderOptions::default(), |_| true).unwrap();
        assert_eq!(Some(e.score.accuracy), row.val_accuracy, "batch {batch}");
        assert_eq!(Some(e.score.top5), row.val_top5, "batch {batch}");
        assert!((e.score.loss / row.val_loss.unwrap() - 1.0).abs() <= bound, "batch {batch}: {:?} {row:?}", e.score);
        let counted: u64 = (0..10).flat_map(|c| e.confusion.row(c).to_vec()).sum();
        assert_eq!(counted as usize, digits().val.len());
    }
}

#[test]
fn a_stopped_run_leaves_its_newest_weights() {
    let config = config("lenet5", 3);
    let steps = digits().train.len().div_ceil(16) as u64;
    let whole = run(&config, digits(), 2, 2, None);
    assert_eq!(whole.steps, 3 * steps);

    // In the first epoch; in the second; with the last step of the second, before its score is known.
    for (after, epochs) in [(2, 0), (steps + 1, 1), (2 * steps, 1)] {
        let r = run(&config, digits(), 2, 2, Some(after));
        let outcome = r.outcome.unwrap();
        assert_eq!((outcome.stopped, outcome.epochs, r.steps), (true, epochs, after));
        assert_eq!(metrics(&r.rows), metrics(&whole.rows[..epochs as usize]), "rows of whole epochs are the same");
        assert_eq!(outcome.model, if epochs > 0 { r.dir.best() } else { r.dir.last() });
        assert!(bits(&r.dir.last()) != bits(&whole.dir.last()));
        assert_eq!(r.dir.best().exists(), epochs > 0);
        let card = Model::read(&r.dir.last()).unwrap().card.trained.unwrap();
        assert_eq!((card.epoch, card.score), (epochs, None), "nothing was scored with these weights");
    }
}

#[test]
fn a_resumed_run_becomes_what_it_would_have_been() {
    for (model, optimizer) in [("lenet5", "adamw"), ("resnet20", "sgd")] {
        let mut config = config(model, 3);
        config.optimizer = striate_train::Rule::named(optimizer).unwrap();
        let steps = digits().train.len().div_ceil(16) as u64;
        let whole = run(&config, digits(), 2, 2, None);
        let rows = fs::read_to_string(whole.dir.path().join("metrics.csv")).unwrap();
        // Early, at the end of an epoch before it is scored, right behind it, and twice.
        for stops in [vec![1], vec![steps], vec![steps + 1], vec![7, 2 * steps - 3]] {
            let mut r = run(&config, digits(), 1, 1, Some(stops[0]));
            for stop in &stops[1..] {
                r = resume(r, &config, (2, 3), Some(stop - stops[0]));
            }
            assert!(r.outcome.as_ref().unwrap().stopped);
            let r = resume(r, &config, (2, 2), None);
            let outcome = r.outcome.as_ref().unwrap();
            assert_eq!((outcome.stopped, outcome.epochs), (false, 3));
            assert_eq!(outcome.score, whole.outcome.as_ref().unwrap().score);
            assert!(fs::read(r.dir.last()).unwrap() == fs::read(whole.dir.last()).unwrap(), "{model}, {stops:?}");
            assert!(fs::read(r.dir.best()).unwrap() == fs::read(whole.dir.best()).unwrap(), "{model}, {stops:?}");
            let untimed = |text: &str| -> Vec<String> {
                text.lines().map(|l| l.rsplitn(3, ',').nth(2).unwrap_or(l).to_owned()).collect()
            };
            let resumed = fs::read_to_string(r.dir.path().join("metrics.csv")).unwrap();
            assert_eq!(untimed(&resumed), untimed(&rows), "{model}, {stops:?}");
            assert!(r.told.is_empty(), "{:?}", r.told);
        }
    }
}

#[test]
fn a_finished_run_can_be_extended() {
    let mut config = config("lenet5", 2);
    let first = run(&config, digits(), 2, 2, None);
    let rows = fs::read_to_string(first.dir.path().join("metrics.csv")).unwrap();
    let e = config.extend(1).unwrap_err().to_string();
    assert!(e.contains("planned for 2 epochs") && e.contains("--epochs 1"), "{e}");
    config.extend(3).unwrap();
    let longer = resume(first, &config, (2, 2), None);
    assert_eq!(longer.outcome.as_ref().unwrap().epochs, 3);
    let after = fs::read_to_string(longer.dir.path().join("metrics.csv")).unwrap();
    assert!(after.starts_with(&rows) && after.lines().count() == 4, "{after}");
    // From a fifth of the highest rate down to nothing.
    assert!(longer.rows[0].0.learning_rate.abs() < 1e-12);
    assert_eq!(longer.dir.config::<Config>().unwrap().total_epochs(), 3);
    // What was never stopped between gives the same.
    let mut planned = Config { extensions: Vec::new(), ..config.clone() };
    planned.extend(3).unwrap();
    let straight = run(&planned, digits(), 2, 2, None);
    assert!(bits(&straight.dir.last()) == bits(&longer.dir.last()));
}

#[test]
fn a_run_that_diverges_is_taken_back_to_its_checkpoint() {
    let config = Config { learning_rate: 0.05, ..config("lenet5", 2) };
    let steps = digits().train.len().div_ceil(16) as u64;
    let r = run(&config, digits(), 2, 2, Some(steps + 5));
    // Rates that cannot do from here on, but the eighth of which can.
    let wild = Config { learning_rate: 1e30, ..config };
    let r = resume(r, &wild, (2, 2), None);
    let e = r.outcome.unwrap_err().to_string();
    assert!(e.contains("in epoch 2") && e.contains("first in the"), "{e}");
    assert_eq!(r.told.len(), 3, "{:?}", r.told);
    for (told, factor) in r.told.iter().zip(["0.5", "0.25", "0.125"]) {
        let place = format!("taken back to the checkpoint before step 6 of epoch 2, to go on at {factor} of");
        assert!(told.contains(&place), "{told}");
    }
}

#[test]
fn a_learning_rate_that_diverges_is_named_with_what_to_do() {
    let config = Config { learning_rate: 1e30, ..config("lenet5", 2) };
    let r = run(&config, digits(), 2, 2, None);
    let e = r.outcome.unwrap_err();
    assert!(matches!(e, TrainError::Diverged { epoch: 1, .. }), "{e}");
    assert!(e.to_string().contains("--lr"), "{e}");
    assert!(!r.dir.last().exists(), "no broken weights are left");
}

#[test]
fn weights_that_an_epochs_last_update_breaks_are_not_written() {
    // One step an epoch: its loss is that of the first weights, and finite. Seen by the score, or else by the weights.
    let unseen = DataSet { val: Arc::new(Split::default()), ..digits().clone() };
    for (data, learning_rate) in [(digits(), 1e30), (&unseen, 1e39)] {
        let batch = data.train.len();
        let config = Config { learning_rate, batch, schedule: Curve::Constant, ..config("resnet20", 2) };
        let r = run(&config, data, 2, 2, None);
        assert!(matches!(r.outcome, Err(TrainError::Diverged { epoch: 1, step: 1, .. })), "{:?}", r.outcome);
        assert!(r.rows.is_empty() && !r.dir.last().exists() && !r.dir.best().exists());
    }
}

#[test]
fn without_held_out_images_the_training_score_counts() {
    let data = DataSet { val: Arc::new(Split::default()), ..digits().clone() };
    let r = run(&config("lenet5", 2), &data, 2, 2, None);
    let outcome = r.outcome.unwrap();
    assert_eq!(outcome.best_epoch, 2, "the last");
    let row = &r.rows[1].0;
    assert_eq!((row.val_loss, row.val_accuracy, row.val_top5), (None, None, None));
    assert_eq!((outcome.score.accuracy, outcome.score.loss), (row.train_accuracy, row.train_loss));
}
