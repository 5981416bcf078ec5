//! Loss and accuracy gathered over batches, and the confusion matrix; what follows from them, a file each.

mod calibration;
mod interval;
mod per_class;
mod predictions;
mod tables;

pub use calibration::{BINS, Bin, Calibration};
pub use interval::wilson;
pub use per_class::{ClassScore, Means, Mistaken};
pub use predictions::{KEPT, Prediction, Predictions};
pub use tables::{read_predictions, write_confusion, write_predictions};

use serde::{Deserialize, Serialize};

/// What a network reached on a set of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of images whose class got the highest score.
    pub accuracy: f64,
    /// Share of images whose class was among the five highest (or among all, with fewer classes).
    pub top5: f64,
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Images counted.
    pub images: usize,
}

/// Gathers a [`Score`] batch by batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    loss: f64,
    top1: usize,
    top5: usize,
    images: usize,
}

impl Tally {
    /// Counts a batch: its logits (rows of `classes`), labels, and mean loss. Returns each row's prediction.
    pub fn add<'a>(
        &mut self,
        logits: &'a [f32],
        labels: &'a [u32],
        loss: f64,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let classes = logits.len() / labels.len().max(1);
        self.loss += loss * labels.len() as f64;
        self.images += labels.len();
        for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let rank = rank(row, label as usize);
            self.top1 += usize::from(rank == 0);
            self.top5 += usize::from(rank < 5);
        }
        logits.chunks_exact(classes.max(1)).map(best)
    }

    /// Images counted so far.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The score so far; zeros before the first image.
    pub fn score(&self) -> Score {
        let n = self.images.max(1) as f64;
        let share = |k: usize| k as f64 / n;
        Score { accuracy: share(self.top1), top5: share(self.top5), loss: self.loss / n, images: self.images }
    }
}

/// The index of the highest score; of equal ones the first, and never one that is NaN unless all are.
pub fn best(scores: &[f32]) -> usize {
    let better = |a: f32, b: f32| a > b || (b.is_nan() && !a.is_nan());
    (1..scores.len()).fold(0, |best, i| if better(scores[i], scores[best]) { i } else { best })
}

/// How many classes stand before this one. NaN stands last, so that a broken network is never right by accident; of equal
/// scores the lower index stands first.
fn rank(scores: &[f32], label: usize) -> usize {
    let mine = scores[label];
    if mine.is_nan() {
        return scores.len();
    }
    scores.iter().enumerate().filter(|&(i, &s)| s > mine || (s == mine && i < label)).count()
}

/// How often each class was taken for each other: rows are true classes, columns predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// All zero.
    pub fn new(classes: usize) -> Confusion {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one image.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        self.counts[truth * self.classes + prediction] += 1;
    }

    /// The counts of one true class over all predictions.
    pub fn row(&self, truth: usize) -> &[u64] {
        &self.counts[truth * self.classes..][..self.classes]
    }

    /// Share of a true class's images that were recognised; `None` without images.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let all: u64 = self.row(class).iter().sum();
        (all > 0).then(|| self.row(class)[class] as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_top_five_are_counted() {
        let mut t = Tally::default();
        let logits = [[0.0, 5.0, 4.0, 3.0, 2.0, 1.0], [9.0, 0.0, 1.0, 2.0, 3.0, 4.0]].concat();
        let predicted: Vec<_> = t.add(&logits, &[1, 1], 0.5).collect();
        assert_eq!(predicted, [1, 0]);
        assert_eq!(t.score(), Score { accuracy: 0.5, top5: 0.5, loss: 0.5, images: 2 });
        let _ = t.add(&logits[..6], &[5], 2.0);
        let s = t.score();
        assert!((s.top5 - 2.0 / 3.0).abs() < 1e-12 && (s.loss - 1.0).abs() < 1e-12, "{s:?}");
    }

    #[test]
    fn a_broken_network_is_never_right() {
        let mut t = Tally::default();
        let _ = t.add(&[f32::NAN; 6], &[0, 1], 1.0);
        assert_eq!(t.score().accuracy, 0.0);
        assert_eq!(best(&[f32::NAN, 1.0, f32::NAN]), 1);
    }

    #[test]
    fn equal_scores_go_to_the_first_class() {
        assert_eq!(best(&[1.0, 1.0]), 0);
        assert_eq!((rank(&[1.0, 1.0], 0), rank(&[1.0, 1.0], 1)), (0, 1));
    }

    #[test]
    fn recall_is_by_true_class() {
        let mut c = Confusion::new(3);
        for (truth, prediction) in [(0, 0), (0, 1), (1, 1)] {
            c.add(truth, prediction);
        }
        assert_eq!(c.row(0), [1, 1, 0]);
        assert_eq!((c.recall(0), c.recall(1), c.recall(2)), (Some(0.5), Some(1.0), None));
    }
}
