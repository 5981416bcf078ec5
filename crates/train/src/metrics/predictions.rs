//! What a network made of every image of an evaluation, in little memory: the five likeliest classes, the probability of the
//! image's own, its loss and its share of the Brier score (Brier 1950), but not all probabilities.

use super::{Confusion, Score, best, rank};
use smallvec::SmallVec;

/// Likeliest classes that are kept of an image.
pub const KEPT: usize = 5;

/// One image as a network judged it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The image's place in its part of the data set.
    pub index: usize,
    /// Its class.
    pub label: u32,
    /// The likeliest classes with their probabilities, likeliest first; [`KEPT`] of them, or all, if those are fewer.
    pub top: SmallVec<[(u32, f32); KEPT]>,
    /// The probability of its own class.
    pub own: f32,
    /// How many classes stand before its own: 0 if it was recognised.
    pub rank: u32,
    /// Its cross-entropy in nats, −ln `own`.
    pub loss: f32,
    /// Its share of the Brier score: Σ (p − 1)² over its class and p² over the others, from 0 to 2.
    pub squared_error: f32,
}

impl Prediction {
    /// Judges one row of logits.
    pub(super) fn of(index: usize, label: u32, logits: &[f32]) -> Prediction {
        let highest = f64::from(logits[best(logits)]);
        let raised = |x: f32| (f64::from(x) - highest).exp();
        let sum: f64 = logits.iter().map(|&x| raised(x)).sum();
        let own = raised(logits[label as usize]) / sum;
        let squares: f64 = logits.iter().map(|&x| (raised(x) / sum).powi(2)).sum();
        let mut top: SmallVec<[(u32, f32); KEPT]> = SmallVec::new();
        for _ in 0..logits.len().min(KEPT) {
            let taken = |i: usize| top.iter().any(|&(c, _)| c as usize == i);
            let left = (0..logits.len()).filter(|&i| !taken(i));
            let next = left.reduce(|a, b| if before(logits, b, a) { b } else { a });
            top.extend(next.map(|i| (i as u32, (raised(logits[i]) / sum) as f32)));
        }
        Prediction {
            index,
            label,
            top,
            own: own as f32,
            rank: rank(logits, label as usize) as u32,
            loss: (sum.ln() + highest - f64::from(logits[label as usize])) as f32,
            squared_error: (squares - own * own + (1.0 - own).powi(2)) as f32,
        }
    }

    /// The class it was taken for.
    pub fn predicted(&self) -> u32 {
        self.top.first().map_or(0, |&(class, _)| class)
    }

    /// The probability of that class.
    pub fn confidence(&self) -> f32 {
        self.top.first().map_or(f32::NAN, |&(_, p)| p)
    }

    /// Whether it was recognised.
    pub fn is_right(&self) -> bool {
        self.rank == 0
    }
}

/// Whether class `a` stands before `b`: the order of [`best`], NaN last.
fn before(logits: &[f32], a: usize, b: usize) -> bool {
    let (x, y) = (logits[a], logits[b]);
    x > y || (y.is_nan() && !x.is_nan()) || ((x == y || (x.is_nan() && y.is_nan())) && a < b)
}

/// What a network made of every image of an evaluation, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// How many classes the network tells apart.
    pub classes: usize,
    /// The images.
    pub images: Vec<Prediction>,
}

impl Predictions {
    /// None yet.
    pub fn new(classes: usize) -> Predictions {
        Predictions { classes, images: Vec::new() }
    }

    /// Adds a batch: its logits (rows of as many values as there are classes), labels, and places in the part.
    pub fn add(&mut self, logits: &[f32], labels: &[u32], indices: &[usize]) {
        let rows = logits.chunks_exact(self.classes.max(1));
        let batch = rows.zip(labels).zip(indices).map(|((row, &label), &index)| Prediction::of(index, label, row));
        self.images.extend(batch);
    }

    /// Images whose class was recognised.
    pub fn right(&self) -> usize {
        self.images.iter().filter(|p| p.is_right()).count()
    }

    /// Share of images whose class is not among the five likeliest, as ImageNet counts it; 0 with five classes or fewer.
    pub fn top5_error(&self) -> f64 {
        let missed = self.images.iter().filter(|p| p.rank as usize >= KEPT).count();
        missed as f64 / self.images.len().max(1) as f64
    }

    /// Accuracy, top-5 and loss; zeros without images.
    pub fn score(&self) -> Score {
        let n = self.images.len().max(1) as f64;
        Score {
            accuracy: self.right() as f64 / n,
            top5: if self.images.is_empty() { 0.0 } else { 1.0 - self.top5_error() },
            loss: self.images.iter().map(|p| f64::from(p.loss)).sum::<f64>() / n,
            images: self.images.len(),
        }
    }

    /// The Brier score: the mean squared error of all probabilities, from 0 to 2.
    pub fn brier(&self) -> f64 {
        let n = self.images.len().max(1) as f64;
        self.images.iter().map(|p| f64::from(p.squared_error)).sum::<f64>() / n
    }

    /// True against predicted classes.
    pub fn confusion(&self) -> Confusion {
        let mut confusion = Confusion::new(self.classes);
        for p in &self.images {
            confusion.add(p.label as usize, p.predicted() as usize);
        }
        confusion
    }

    /// The mistakes, most confident first; of equally confident ones the earlier image first.
    pub fn confident_mistakes(&self) -> Vec<&Prediction> {
        let mut wrong: Vec<&Prediction> = self.images.iter().filter(|p| !p.is_right()).collect();
        wrong.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()).then(a.index.cmp(&b.index)));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f32, b: f64) {
        assert!((f64::from(a) - b).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn an_image_is_judged_by_the_formulas() {
        // Probabilities ½, ⅓, ⅙ by logits ln 3, ln 2, ln 1, moved by a constant.
        let logits = [3f32.ln() + 80.0, 2f32.ln() + 80.0, 80.0];
        let p = Prediction::of(7, 1, &logits);
        assert_eq!((p.index, p.label, p.rank, p.predicted()), (7, 1, 1, 0));
        assert!(!p.is_right());
        assert_eq!(p.top.iter().map(|t| t.0).collect::<Vec<_>>(), [0, 1, 2]);
        // Logits near 80 are known to within 4·10⁻⁶.
        let near = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 1e-5, "{a} {b}");
        near(p.confidence(), 0.5);
        near(p.own, 1.0 / 3.0);
        near(p.loss, 3f64.ln());
        near(p.squared_error, 0.25 + 4.0 / 9.0 + 1.0 / 36.0);
    }

    #[test]
    fn five_classes_are_kept_and_ties_go_to_the_first() {
        let p = Prediction::of(0, 6, &[1.0, 3.0, 3.0, 0.0, 2.0, 2.0, -1.0]);
        assert_eq!(p.top.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 2, 4, 5, 0]);
        assert_eq!(p.rank, 6);
    }

    #[test]
    fn scores_agree_with_the_tally() {
        let logits: Vec<f32> = (0..70).map(|i| ((i * 37 % 23) as f32 - 11.0) / 5.0).collect();
        let labels = [0u32, 3, 6, 2, 5, 1, 4, 0, 1, 2];
        let mut all = Predictions::new(7);
        all.add(&logits, &labels, &(0..10).collect::<Vec<_>>());
        let mut tally = crate::Tally::default();
        let predicted: Vec<usize> = tally.add(&logits, &labels, 0.0).collect();
        assert_eq!(all.images.iter().map(|p| p.predicted() as usize).collect::<Vec<_>>(), predicted);
        let (a, b) = (all.score(), tally.score());
        assert_eq!((a.accuracy, a.images), (b.accuracy, b.images));
        assert!((a.top5 - b.top5).abs() < 1e-12 && (all.top5_error() + b.top5 - 1.0).abs() < 1e-12);
        assert_eq!(all.confusion().right() as usize, all.right());
        let sum = |p: &Prediction| (f64::from(p.loss) + f64::from(p.own).ln()).abs();
        assert!(all.images.iter().map(sum).fold(0.0, f64::max) < 1e-6, "the loss is −ln of the own probability");
    }

    #[test]
    fn the_brier_score_is_zero_for_certainty_and_two_for_certain_error() {
        let mut all = Predictions::new(3);
        all.add(&[0.0, 200.0, 0.0], &[1], &[0]);
        assert_eq!(all.brier(), 0.0);
        all.add(&[0.0, 200.0, 0.0], &[2], &[1]);
        close(all.images[1].squared_error, 2.0);
        assert!((all.brier() - 1.0).abs() < 1e-12);
        let wrong = all.confident_mistakes();
        assert_eq!((wrong.len(), wrong[0].index), (1, 1));
    }

    #[test]
    fn a_broken_network_is_never_right() {
        let mut all = Predictions::new(2);
        all.add(&[f32::NAN; 4], &[0, 1], &[0, 1]);
        assert_eq!((all.right(), all.score().accuracy), (0, 0.0));
    }
}
