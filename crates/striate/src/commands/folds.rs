//! `striate train --folds`: the same training on each fold in turn, and what came of all of them.

use super::train::Done;
use super::{print_json, print_line};
use crate::figures::{duration, percent, thousands};
use crate::progress::remark;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use striate_data::DataSet;
use striate_train::Score;
use striate_weights::write_atomic;

/// A fold's number and what training on the others gave.
struct Fold {
    number: u32,
    done: Done,
}

/// Trains with `train` on each of `sets`, whose validation parts are the folds, and reports each and all; `folds.json` in
/// `folder` holds what is done so far at any moment.
pub fn run(
    folder: &Path,
    sets: Vec<DataSet>,
    json: bool,
    mut train: impl FnMut(u32, DataSet) -> Result<Done>,
) -> Result<ExitCode> {
    let (of, mut done) = (sets.len(), Vec::new());
    for (number, data) in (1..).zip(sets) {
        let images = thousands(data.val.len() as u64);
        remark(&format!("fold {number} of {of}: {images} validation images"));
        let fold = Fold { number, done: train(number, data)? };
        let stopped = fold.done.outcome.stopped;
        if fold.done.outcome.best_epoch > 0 && !stopped {
            done.push(fold);
        }
        let text = serde_json::to_string_pretty(&summary(folder, &done, of))?;
        write_atomic(&folder.join("folds.json"), |out| writeln!(out, "{text}"))?;
        if stopped {
            remark(&format!("stopped in fold {number} of {of}; its newest weights are kept, and it is not counted"));
            break;
        }
    }
    report(folder, &done, of, json)?;
    Ok(if done.len() == of { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(folder: &Path, folds: &[Fold], planned: usize, json: bool) -> Result<()> {
    let say = |line: String| {
        if json {
            remark(&line);
            return Ok(());
        }
        print_line(&line)
    };
    for Fold { number, done } in folds {
        let s = done.outcome.score;
        let (accuracy, images) = (percent(s.accuracy), thousands(s.images as u64));
        let (loss, epoch) = (s.loss, done.outcome.best_epoch);
        let test = done.test.map(|t| format!("; test {}", percent(t.accuracy))).unwrap_or_default();
        say(format!(
            "fold {number}: {accuracy} of {images} validation images right, loss {loss:.4} (epoch {epoch}){test}"
        ))?;
    }
    if let Some([accuracy, _, loss]) = spreads(folds, |fold| Some(fold.done.outcome.score)) {
        let (mean, deviation) = (percent(accuracy.mean), percent(accuracy.deviation));
        let (loss, off) = (loss.mean, loss.deviation);
        say(format!("mean of {} folds: {mean} ± {deviation} right, loss {loss:.4} ± {off:.4}", folds.len()))?;
    }
    if let Some([accuracy, ..]) = spreads(folds, |fold| fold.done.test) {
        say(format!("test: {} ± {} right", percent(accuracy.mean), percent(accuracy.deviation)))?;
    }
    let seconds = folds.iter().map(|fold| fold.done.outcome.seconds).sum();
    say(format!("runs {}/fold* ({})", folder.display(), duration(seconds)))?;
    if json {
        print_json(&summary(folder, folds, planned))?;
    }
    Ok(())
}

fn summary(folder: &Path, folds: &[Fold], planned: usize) -> Value {
    let each = |Fold { number, done }: &Fold| {
        let (o, s) = (&done.outcome, done.outcome.score);
        json!({
            "fold": number, "accuracy": s.accuracy, "top5": s.top5, "loss": s.loss, "images": s.images, "test": done.test,
            "best_epoch": o.best_epoch, "epochs": o.epochs, "seconds": o.seconds,
            "run": done.run.path().to_string_lossy(), "model": o.model.to_string_lossy(),
        })
    };
    let object = |spreads: Option<[Spread; 3]>, value: fn(&Spread) -> f64| {
        spreads.map(|[accuracy, top5, loss]| {
            json!({ "accuracy": value(&accuracy), "top5": value(&top5), "loss": value(&loss) })
        })
    };
    let val = spreads(folds, |fold| Some(fold.done.outcome.score));
    let test = spreads(folds, |fold| fold.done.test);
    json!({
        "run": folder.to_string_lossy(), "planned": planned, "folds": folds.iter().map(each).collect::<Vec<_>>(),
        "mean": object(val, |s| s.mean), "deviation": object(val, |s| s.deviation),
        "test_mean": object(test, |s| s.mean), "test_deviation": object(test, |s| s.deviation),
    })
}

/// Mean, and standard deviation of the sample (divided by n − 1; 0 for a single one).
#[derive(Clone, Copy)]
struct Spread {
    mean: f64,
    deviation: f64,
}

/// Of accuracy, top-5 accuracy and loss; `None` unless every fold has the score.
fn spreads(folds: &[Fold], score: impl Fn(&Fold) -> Option<Score>) -> Option<[Spread; 3]> {
    let scores: Vec<Score> = folds.iter().map(score).collect::<Option<_>>()?;
    let of = |value: fn(&Score) -> f64| spread(&scores.iter().map(value).collect::<Vec<_>>());
    (!scores.is_empty()).then(|| [of(|s| s.accuracy), of(|s| s.top5), of(|s| s.loss)])
}

fn spread(values: &[f64]) -> Spread {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Spread { mean, deviation: (squares / (n - 1.0).max(1.0)).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_the_samples() {
        let s = spread(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(s.mean, 5.0);
        assert!((s.deviation - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(spread(&[0.5]).deviation, 0.0);
    }
}
