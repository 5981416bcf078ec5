//! A run's curves: loss and accuracy, then the learning rate and the speed.

use crate::plot::{Panel, figure};
use striate_train::EpochRow;

/// The curves of a run's epochs as an SVG document; `None` without an epoch.
pub fn curves(rows: &[EpochRow]) -> Option<String> {
    rows.first()?;
    let validated = rows.iter().any(|r| r.val_loss.is_some());
    let mut names = vec!["training (while the weights moved)".to_owned()];
    names.extend(validated.then(|| "validation".to_owned()));
    let line = |of: &dyn Fn(&EpochRow) -> Option<f64>| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|r| Some((f64::from(r.epoch), of(r)?))).collect()
    };
    let panel = |title: &str, y: &str, lines: Vec<Vec<(f64, f64)>>| Panel {
        title: title.into(),
        x: "epoch".into(),
        y: y.into(),
        log: false,
        lines,
    };
    let both = |mut lines: Vec<Vec<(f64, f64)>>| {
        lines.truncate(names.len());
        lines
    };
    let panels = [
        panel("Loss", "cross-entropy in nats", both(vec![line(&|r| Some(r.train_loss)), line(&|r| r.val_loss)])),
        panel(
            "Accuracy",
            "share of images recognised",
            both(vec![line(&|r| Some(r.train_accuracy)), line(&|r| r.val_accuracy)]),
        ),
        panel("Learning rate", "at the end of the epoch", vec![line(&|r| Some(r.learning_rate))]),
        panel("Speed", "training images per second", vec![line(&|r| Some(r.images_per_second))]),
    ];
    Some(figure("", &names, &panels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32, val: Option<f64>) -> EpochRow {
        EpochRow {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            val_loss: val,
            val_accuracy: val,
            val_top5: val,
            images_per_second: 9.0,
            seconds: 1.0,
        }
    }

    #[test]
    fn only_what_was_measured_is_drawn() {
        assert_eq!(curves(&[]), None);
        let with = curves(&[row(1, Some(0.5)), row(2, Some(0.25))]).unwrap();
        let without = curves(&[row(1, None)]).unwrap();
        assert!(with.contains(">validation<") && !without.contains("validation"));
        for text in ["Loss", "Accuracy", "Learning rate", "Speed", "epoch"] {
            assert!(without.contains(text), "no {text}");
        }
    }
}
