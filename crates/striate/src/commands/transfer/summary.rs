//! What the trials come to: means with intervals, and which way is recommended, by rules that stand here alone.

use super::method::Method;
use super::shares::words;
use crate::figures::percent;
use serde_json::{Value, json};
use striate_train::wilson;

/// One training, scored.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) method: &'static Method,
    /// Of the training images.
    pub(super) share: f64,
    pub(super) seed: u64,
    /// How many those are.
    pub(super) images: usize,
    pub(super) epochs: u32,
    pub(super) accuracy: f64,
    pub(super) loss: f64,
    /// Images that were scored.
    pub(super) scored: usize,
    pub(super) seconds: f64,
    /// Bytes that it takes by the plan.
    pub(super) memory: usize,
}

/// The trials of a way on a share.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) method: &'static Method,
    pub(super) share: f64,
    pub(super) images: usize,
    /// The mean, and an interval that holds it in 95 % of cases.
    pub(super) accuracy: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) seconds: f64,
    pub(super) memory: usize,
    pub(super) trials: usize,
}

/// Which way is recommended.
#[derive(Clone, Debug)]
pub(super) struct Recommendation {
    pub(super) way: &'static str,
    pub(super) why: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) cells: Vec<Cell>,
    pub(super) recommendation: Recommendation,
    /// Whether all trials were done.
    pub(super) complete: bool,
    /// Images that were scored, and which they are.
    pub(super) scored: usize,
    pub(super) part: &'static str,
}

/// Student's t at 97.5 % for 1, 2, … degrees of freedom; 1.96 for more than there are.
const STUDENT: [f64; 12] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179];

/// The mean and its interval, within 0 and 1: over the values, or of a single one over the images that it is a share of.
fn interval(values: &[f64], images: usize) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if let [only] = values {
        let (low, high) = wilson((only * images as f64).round() as u64, images as u64);
        return (mean, low, high);
    }
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let half = STUDENT.get(values.len() - 2).unwrap_or(&1.96) * (squares / (n - 1.0) / n).sqrt();
    (mean, (mean - half).max(0.0), (mean + half).min(1.0))
}

impl Summary {
    /// Sums trials up, of which there is one at least.
    pub(super) fn of(trials: &[Trial], ways: &[&'static Method], part: &'static str, complete: bool) -> Summary {
        let mut shares: Vec<f64> = trials.iter().map(|t| t.share).collect();
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        let mut cells = Vec::new();
        for &share in &shares {
            for &method in ways {
                let of: Vec<&Trial> =
                    trials.iter().filter(|t| t.share == share && t.method.name == method.name).collect();
                let Some(first) = of.first() else { continue };
                let accuracies: Vec<f64> = of.iter().map(|t| t.accuracy).collect();
                let (accuracy, low, high) = interval(&accuracies, first.scored);
                let seconds = of.iter().map(|t| t.seconds).sum::<f64>() / of.len() as f64;
                let memory = of.iter().map(|t| t.memory).max().unwrap_or(0);
                let (images, trials) = (first.images, of.len());
                cells.push(Cell { method, share, images, accuracy, low, high, seconds, memory, trials });
            }
        }
        let scored = trials.iter().map(|t| t.scored).max().unwrap_or(0);
        let recommendation = recommend(&cells, scored);
        Summary { cells, recommendation, complete, scored, part }
    }

    /// The cells of the largest share.
    pub(super) fn full(&self) -> impl Iterator<Item = &Cell> {
        largest(&self.cells)
    }

    /// As an object.
    pub(super) fn object(&self) -> Value {
        let cell = |c: &Cell| {
            json!({
                "way": c.method.name, "share": c.share, "images": c.images, "accuracy": c.accuracy, "low": c.low, "high": c.high,
                "seconds": c.seconds, "memory": c.memory, "trials": c.trials,
            })
        };
        let Recommendation { way, why } = &self.recommendation;
        json!({
            "ways": self.cells.iter().map(cell).collect::<Vec<_>>(), "recommendation": { "way": way, "why": why },
            "scored": self.scored, "part": self.part, "complete": self.complete,
        })
    }
}

fn largest(cells: &[Cell]) -> impl Iterator<Item = &Cell> {
    let share = cells.iter().map(|c| c.share).fold(0.0, f64::max);
    cells.iter().filter(move |c| c.share == share)
}

/// The cheapest way of those that are not told apart from the best: their intervals meet, or they are an image apart. What it
/// gives beside training from nothing, and what more images would, is said with it.
fn recommend(cells: &[Cell], scored: usize) -> Recommendation {
    let Some(best) = largest(cells).max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else {
        return Recommendation { way: "", why: "nothing was tried".into() };
    };
    let image = 1.0 / scored.max(1) as f64;
    let alike = |c: &&Cell| c.accuracy + image >= best.accuracy || c.high >= best.low && c.accuracy >= best.low;
    let Some(chosen) = largest(cells).filter(alike).min_by(|a, b| a.seconds.total_cmp(&b.seconds)) else {
        return Recommendation { way: best.method.name, why: String::new() };
    };
    let told = |c: &Cell| format!("{} ({} – {})", percent(c.accuracy), percent(c.low), percent(c.high));
    let mut why = format!("recommended: {}, {}: {} right", chosen.method.name, chosen.method.about, told(chosen));
    if chosen.method.name == best.method.name {
        why += ", the most of all";
    } else {
        why += &format!(
            "; {} reaches {}, which is not told apart from it, and takes {}",
            best.method.name,
            told(best),
            times(best.seconds / chosen.seconds.max(1e-9))
        );
    }
    why.push('.');
    if let Some(scratch) = largest(cells).find(|c| c.method.random && c.method.name != chosen.method.name) {
        let gain = 100.0 * (chosen.accuracy - scratch.accuracy);
        let word = if gain >= 0.0 { "fewer" } else { "more" };
        let right = percent(scratch.accuracy);
        why += &format!(" From random weights {right} are right: {:.1} points {word}.", gain.abs());
    }
    let mut own: Vec<&Cell> = cells.iter().filter(|c| c.method.name == chosen.method.name).collect();
    own.sort_by(|a, b| a.share.total_cmp(&b.share));
    if let [.., before, last] = own[..] {
        let gain = 100.0 * (last.accuracy - before.accuracy);
        let more = if last.low > before.high {
            "more images are likely to help"
        } else {
            "whether more images would help is not told"
        };
        why += &format!(
            " From {} to {} of the images it gains {gain:+.1} points: {more}.",
            words(before.share),
            words(last.share)
        );
    }
    Recommendation { way: chosen.method.name, why }
}

fn times(factor: f64) -> String {
    if factor >= 1.5 { format!("{factor:.1} times as long") } else { "about as long".into() }
}

/// Every trial, one row each.
pub(super) fn csv(trials: &[Trial]) -> String {
    let mut text = "way,share,seed,images,epochs,accuracy,loss,scored,seconds,memory\n".to_owned();
    for t in trials {
        let Trial { share, seed, images, epochs, accuracy, loss, scored, seconds, memory, .. } = t;
        let way = t.method.name;
        text += &format!("{way},{share},{seed},{images},{epochs},{accuracy},{loss},{scored},{seconds:.3},{memory}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::method::METHODS;
    use super::*;

    fn trial(method: usize, share: f64, accuracy: f64, seconds: f64) -> Trial {
        let images = (1000.0 * share) as usize;
        let (seed, epochs, loss, scored, memory) = (0, 1, 0.1, 200, 1 << 20);
        Trial { method: &METHODS[method], share, seed, images, epochs, accuracy, loss, scored, seconds, memory }
    }

    #[test]
    fn intervals_are_students() {
        // Three values of mean 0.8 and deviation 0.1: 4.303 · 0.1 / √3.
        let (mean, low, high) = interval(&[0.7, 0.8, 0.9], 100);
        assert!((mean - 0.8).abs() < 1e-12, "{mean}");
        assert_eq!(high, 1.0, "no more than all");
        assert!((low - (0.8 - 4.303 * 0.1 / 3.0_f64.sqrt())).abs() < 1e-12);
        let (_, low, high) = interval(&[0.5], 100);
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3, "Wilson's of 50 in 100: {low} {high}");
    }

    #[test]
    fn the_cheapest_of_the_best_is_recommended() {
        let ways: Vec<&'static Method> = METHODS.iter().collect();
        let of = |accuracies: [f64; 5]| {
            let seconds = [100.0, 2.0, 30.0, 40.0, 90.0];
            let trials: Vec<Trial> = (0..5)
                .flat_map(|m| [-0.01, 0.0, 0.01].map(|off| trial(m, 1.0, accuracies[m] + off, seconds[m])))
                .chain([-0.01, 0.0, 0.01].map(|off| trial(1, 0.5, 0.6 + off, 1.0)))
                .collect();
            Summary::of(&trials, &ways, "test", true).recommendation
        };
        let close = of([0.5, 0.90, 0.90, 0.91, 0.91]);
        assert_eq!(close.way, "features", "{}", close.why);
        assert!(close.why.contains("not told apart") && close.why.contains("times as long"), "{}", close.why);
        assert!(close.why.contains("50.00 % are right: 40.0 points fewer"), "{}", close.why);
        assert!(close.why.contains("From 50 % to 100 % of the images it gains +30.0 points"), "{}", close.why);
        let apart = of([0.5, 0.7, 0.71, 0.75, 0.91]);
        assert_eq!(apart.way, "all", "{}", apart.why);
        assert!(apart.why.contains("the most of all"), "{}", apart.why);
    }
}
