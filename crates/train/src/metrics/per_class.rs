//! What a confusion matrix says of each class: precision, recall, F1 and support, and their means over the classes.

use super::Confusion;

/// One class's counts and what follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassScore {
    /// Images of the class.
    pub support: u64,
    /// Images that were taken for the class.
    pub predicted: u64,
    /// Images of the class that were taken for it.
    pub right: u64,
}

impl ClassScore {
    /// Share of the images taken for the class that are of it; `None` if none was.
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.predicted)
    }

    /// Share of the class's images that were recognised; `None` without images.
    pub fn recall(&self) -> Option<f64> {
        share(self.right, self.support)
    }

    /// The harmonic mean of precision and recall, 2·right / (support + predicted); `None` where neither is defined.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.right, self.support + self.predicted)
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// Precision, recall and F1 over all classes that have images. What is not defined counts as 0, as in scikit-learn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Means {
    /// Of precision.
    pub precision: f64,
    /// Of recall.
    pub recall: f64,
    /// Of F1.
    pub f1: f64,
}

/// Images of one class that were taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistaken {
    /// Their class.
    pub truth: usize,
    /// What they were taken for.
    pub prediction: usize,
    /// How many.
    pub images: u64,
}

impl Confusion {
    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Images counted.
    pub fn images(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Images whose class was recognised.
    pub fn right(&self) -> u64 {
        (0..self.classes).map(|c| self.row(c)[c]).sum()
    }

    /// Every class's score, in order.
    pub fn scores(&self) -> Vec<ClassScore> {
        let mut all = vec![ClassScore::default(); self.classes];
        for truth in 0..self.classes {
            for (prediction, &n) in self.row(truth).iter().enumerate() {
                all[truth].support += n;
                all[prediction].predicted += n;
            }
            all[truth].right = self.row(truth)[truth];
        }
        all
    }

    /// The means in which every class counts alike.
    pub fn macro_means(&self) -> Means {
        self.means(|_| 1.0)
    }

    /// The means in which every class counts by its images.
    pub fn weighted_means(&self) -> Means {
        self.means(|s| s.support as f64)
    }

    fn means(&self, weight: impl Fn(&ClassScore) -> f64) -> Means {
        let scores = self.scores();
        let with_images = || scores.iter().filter(|s| s.support > 0);
        let total: f64 = with_images().map(&weight).sum();
        let mean = |of: fn(&ClassScore) -> Option<f64>| {
            with_images().map(|s| weight(s) * of(s).unwrap_or(0.0)).sum::<f64>() / total.max(f64::MIN_POSITIVE)
        };
        Means { precision: mean(ClassScore::precision), recall: mean(ClassScore::recall), f1: mean(ClassScore::f1) }
    }

    /// The mistakes, most frequent first; of equally frequent ones those of earlier classes first.
    pub fn mistakes(&self) -> Vec<Mistaken> {
        let of = |truth: usize| {
            let row = self.row(truth).iter().enumerate();
            row.map(move |(prediction, &images)| Mistaken { truth, prediction, images })
        };
        let mut all: Vec<Mistaken> =
            (0..self.classes).flat_map(of).filter(|m| m.images > 0 && m.truth != m.prediction).collect();
        all.sort_by_key(|m| std::cmp::Reverse(m.images));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes: 5 images of the first (3 right, 2 taken for the second), 3 of the second (all right), 2 of the third
    /// (both taken for the first).
    fn example() -> Confusion {
        let mut c = Confusion::new(4);
        for (truth, prediction, n) in [(0, 0, 3), (0, 1, 2), (1, 1, 3), (2, 0, 2)] {
            (0..n).for_each(|_| c.add(truth, prediction));
        }
        c
    }

    #[test]
    fn precision_recall_and_f1_are_the_formulas() {
        let s = example().scores();
        assert_eq!(s[0], ClassScore { support: 5, predicted: 5, right: 3 });
        assert_eq!((s[0].precision(), s[0].recall(), s[0].f1()), (Some(0.6), Some(0.6), Some(0.6)));
        assert_eq!((s[1].precision(), s[1].recall(), s[1].f1()), (Some(0.6), Some(1.0), Some(0.75)));
        assert_eq!((s[2].precision(), s[2].recall(), s[2].f1()), (None, Some(0.0), Some(0.0)));
        assert_eq!((s[3].precision(), s[3].recall(), s[3].f1()), (None, None, None));
        assert_eq!((example().images(), example().right()), (10, 6));
    }

    #[test]
    fn means_are_over_classes_with_images() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        let m = example().macro_means();
        close(m.precision, (0.6 + 0.6 + 0.0) / 3.0);
        close(m.recall, (0.6 + 1.0 + 0.0) / 3.0);
        close(m.f1, (0.6 + 0.75 + 0.0) / 3.0);
        let w = example().weighted_means();
        close(w.recall, 0.6);
        close(w.f1, (5.0 * 0.6 + 3.0 * 0.75) / 10.0);
        assert_eq!(Confusion::new(3).macro_means(), Means::default());
    }

    #[test]
    fn mistakes_come_most_frequent_first() {
        let mistaken = |truth, prediction, images| Mistaken { truth, prediction, images };
        assert_eq!(example().mistakes(), [mistaken(0, 1, 2), mistaken(2, 0, 2)]);
    }
}
