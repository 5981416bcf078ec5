//! Gradient boosting (Friedman 2001, DOI 10.1214/aos/1013203451) of trees grown leaf by leaf on histograms of gradients (Ke et
//! al. 2017, `LightGBM`), as scikit-learn's `HistGradientBoostingClassifier` does: a tree for each class in each round on
//! the softmax's cross-entropy, or one on the sigmoid's where there are two classes.

use super::bins::{Bins, MOST};
use super::softmax_regression::softmax_of;
use super::tree::Tree;
use super::{Classify, Method, finite, sound};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use striate_kernels::Cpu;

/// How many trees, and how far they grow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GradientBoosting {
    /// Rounds, each of which adds a tree for each class, 1 to 10,000.
    pub rounds: usize,
    /// The share of each tree that is added.
    pub rate: f64,
    /// The most leaves of a tree.
    pub leaves: usize,
    /// The fewest rows of a leaf.
    pub least_leaf: usize,
    /// The penalty on the leaves' squared values.
    pub penalty: f64,
}

impl Default for GradientBoosting {
    fn default() -> Self {
        Self { rounds: 100, rate: 0.1, leaves: 31, least_leaf: 20, penalty: 0.0 }
    }
}

/// Trees whose values are added to each class's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boosted {
    /// (rounds, outputs).
    trees: Vec<Tree>,
    /// (outputs): one for each class, or one where there are two classes.
    start: Vec<f32>,
    inputs: usize,
    classes: usize,
}

const NAME: &str = "gradient_boosting";

/// Sums over the rows of a bin.
#[derive(Clone, Copy, Default)]
struct Bin {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Bin {
    fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

/// A split of a leaf.
#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    /// The last bin that goes left.
    bin: usize,
    threshold: f32,
}

/// A leaf that may be split.
struct Open {
    node: usize,
    rows: Range<usize>,
    sums: Bin,
    /// (features, [`MOST`]).
    histogram: Vec<Bin>,
    split: Option<Split>,
}

/// One tree's growth.
struct Growth<'a> {
    cpu: &'a Cpu,
    bins: &'a Bins,
    settings: &'a GradientBoosting,
    gradients: &'a [f32],
    hessians: &'a [f32],
}

/// The least sum of second derivatives in a leaf.
const LEAST_HESSIAN: f64 = 1e-3;

impl Growth<'_> {
    fn value(&self, sums: Bin) -> f64 {
        -self.settings.rate * sums.gradient / (sums.hessian + self.settings.penalty + f64::MIN_POSITIVE)
    }

    fn score(&self, sums: Bin) -> f64 {
        sums.gradient * sums.gradient / (sums.hessian + self.settings.penalty + f64::MIN_POSITIVE)
    }

    fn histogram(&self, rows: &[u32]) -> Vec<Bin> {
        let ordered: Vec<[f32; 2]> =
            rows.iter().map(|&row| [self.gradients[row as usize], self.hessians[row as usize]]).collect();
        let mut histogram = vec![Bin::default(); self.bins.columns() * MOST];
        self.cpu.chunks(&mut histogram, MOST, |feature, histogram| {
            let codes = self.bins.codes(feature);
            for (&row, &[gradient, hessian]) in rows.iter().zip(&ordered) {
                let bin = &mut histogram[usize::from(codes[row as usize])];
                bin.gradient += f64::from(gradient);
                bin.hessian += f64::from(hessian);
                bin.rows += 1;
            }
        });
        histogram
    }

    /// The best split of a leaf, of equal ones the first feature's at the lowest value.
    fn best(&self, histogram: &[Bin], sums: Bin) -> Option<Split> {
        /// Features of a piece.
        const PIECE: usize = 32;
        let least = self.settings.least_leaf.max(1) as u32;
        if sums.rows < 2 * least {
            return None;
        }
        let mut best: Vec<Option<Split>> = vec![None; self.bins.columns().div_ceil(PIECE)];
        let whole = self.score(sums);
        self.cpu.chunks(&mut best, 1, |piece, best| {
            for feature in piece * PIECE..((piece + 1) * PIECE).min(self.bins.columns()) {
                let histogram = &histogram[feature * MOST..][..self.bins.count(feature)];
                let (mut left, mut last): (Bin, Option<usize>) = (Bin::default(), None);
                for (next, &bin) in histogram.iter().enumerate().filter(|(_, bin)| bin.rows > 0) {
                    if let Some(lower) = last {
                        let right = sums.less(left);
                        let enough = left.rows >= least && right.rows >= least;
                        if enough && left.hessian >= LEAST_HESSIAN && right.hessian >= LEAST_HESSIAN {
                            let gain = self.score(left) + self.score(right) - whole;
                            if gain > best[0].map_or(1e-9, |best| best.gain) {
                                let threshold = self.bins.between(feature, lower, next);
                                best[0] = Some(Split { gain, feature, bin: lower, threshold });
                            }
                        }
                    }
                    left.add(bin);
                    last = Some(next);
                }
            }
        });
        let better = |a: Option<Split>, b: Option<Split>| match (a, b) {
            (Some(a), Some(b)) if b.gain > a.gain => Some(b),
            (None, b) => b,
            (a, _) => a,
        };
        best.into_iter().fold(None, better)
    }

    /// A tree, whose values are added to `raw` for every row.
    fn grow(&self, rows: &mut [u32], raw: &mut [f32]) -> Tree {
        let mut tree = Tree::new(1);
        let mut put_off = Vec::with_capacity(rows.len());
        let histogram = self.histogram(rows);
        let mut sums = Bin::default();
        histogram[..MOST].iter().for_each(|&bin| sums.add(bin));
        let split = self.best(&histogram, sums);
        let node = tree.leaf(&[self.value(sums) as f32]);
        let mut open = vec![Open { node, rows: 0..rows.len(), sums, histogram, split }];
        while open.len() < self.settings.leaves {
            // The leaf that gains most, of equals the first.
            let gain = |leaf: &Open| leaf.split.map_or(0.0, |split| split.gain);
            let mut most = 0;
            for (i, leaf) in open.iter().enumerate() {
                if gain(leaf) > gain(&open[most]) {
                    most = i;
                }
            }
            let Some(split) = open[most].split else { break };
            let leaf = open.remove(most);
            let codes = self.bins.codes(split.feature);
            let here = &mut rows[leaf.rows.clone()];
            let mut middle = 0;
            put_off.clear();
            for i in 0..here.len() {
                let row = here[i];
                if usize::from(codes[row as usize]) <= split.bin {
                    here[middle] = row;
                    middle += 1;
                } else {
                    put_off.push(row);
                }
            }
            here[middle..].copy_from_slice(&put_off);
            let middle = leaf.rows.start + middle;
            let sides = [leaf.rows.start..middle, middle..leaf.rows.end];
            // The smaller side is counted; the larger is the rest.
            let smaller = usize::from(sides[1].len() < sides[0].len());
            let counted = self.histogram(&rows[sides[smaller].clone()]);
            let mut rest = leaf.histogram;
            rest.iter_mut().zip(&counted).for_each(|(rest, &bin)| *rest = rest.less(bin));
            let mut histograms = [counted, rest];
            if smaller == 1 {
                histograms.swap(0, 1);
            }
            let mut left = Bin::default();
            histograms[0][split.feature * MOST..][..=split.bin].iter().for_each(|&bin| left.add(bin));
            let sums = [left, leaf.sums.less(left)];
            let children = sums.map(|sums| tree.leaf(&[self.value(sums) as f32]));
            tree.split(leaf.node, split.feature, split.threshold, children);
            for (((node, rows), sums), histogram) in children.into_iter().zip(sides).zip(sums).zip(histograms) {
                let split = self.best(&histogram, sums);
                open.push(Open { node, rows, sums, histogram, split });
            }
        }
        for leaf in &open {
            let value = self.value(leaf.sums) as f32;
            rows[leaf.rows.clone()].iter().for_each(|&row| raw[row as usize] += value);
        }
        tree
    }
}

/// The gradients and second derivatives of the cross-entropy by output `output`, of probabilities (rows, classes).
fn derivatives(probabilities: &Matrix, labels: &[u32], class: usize) -> (Vec<f32>, Vec<f32>) {
    let each = probabilities.iter().zip(labels).map(|(p, &label)| {
        let p = p[class];
        (p - f32::from(u8::from(label as usize == class)), p * (1.0 - p))
    });
    each.unzip()
}

impl Method for GradientBoosting {
    type Model = Boosted;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, _: u64) -> Result<Boosted, ClassicError> {
        require((1..=10_000).contains(&self.rounds), NAME, "rounds", self.rounds, "1 to 10,000")?;
        require(self.rate > 0.0 && self.rate <= 1.0, NAME, "rate", self.rate, "above 0 and up to 1")?;
        require((2..=4096).contains(&self.leaves), NAME, "leaves", self.leaves, "2 to 4096")?;
        require(self.penalty >= 0.0 && self.penalty.is_finite(), NAME, "penalty", self.penalty, "0 or more")?;
        let (rows, classes, labels) = (data.rows(), data.classes(), data.labels());
        let n = rows.rows();
        let bins = Bins::new(cpu, rows);
        let shares: Vec<f64> = data.members().iter().map(|m| m.len() as f64 / n as f64).collect();
        let start: Vec<f32> = if classes == 2 {
            vec![(shares[1] / shares[0]).ln() as f32]
        } else {
            shares.iter().map(|s| s.ln() as f32).collect()
        };
        // (outputs, rows).
        let mut raw: Vec<Vec<f32>> = start.iter().map(|&v| vec![v; n]).collect();
        let mut trees = Vec::with_capacity(self.rounds * start.len());
        let mut order: Vec<u32> = Vec::with_capacity(n);
        for _ in 0..self.rounds {
            let mut outputs = Matrix::zeros(n, start.len());
            for (i, row) in outputs.values_mut().chunks_exact_mut(start.len()).enumerate() {
                row.iter_mut().zip(&raw).for_each(|(v, raw)| *v = raw[i]);
            }
            let probabilities = softmax_of(cpu, &with_both(outputs));
            for (output, raw) in raw.iter_mut().enumerate() {
                let class = if classes == 2 { 1 } else { output };
                let (gradients, hessians) = derivatives(&probabilities, labels, class);
                let growth = Growth { cpu, bins: &bins, settings: self, gradients: &gradients, hessians: &hessians };
                order.clear();
                order.extend(0..n as u32);
                trees.push(growth.grow(&mut order, raw));
            }
        }
        Ok(Boosted { trees, start, inputs: rows.columns(), classes })
    }
}

/// One output stands for the second class against a first whose logit is 0.
fn with_both(outputs: Matrix) -> Matrix {
    if outputs.columns() > 1 {
        return outputs;
    }
    let mut both = Matrix::zeros(outputs.rows(), 2);
    both.values_mut().chunks_exact_mut(2).zip(outputs.values()).for_each(|(both, &v)| both[1] = v);
    both
}

impl Classify for Boosted {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// Logits.
    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        let outputs = self.start.len();
        let mut logits = Matrix::zeros(rows.rows(), outputs);
        cpu.chunks(logits.values_mut(), 64 * outputs, |piece, logits| {
            for (i, logits) in (64 * piece..).zip(logits.chunks_exact_mut(outputs)) {
                logits.copy_from_slice(&self.start);
                for trees in self.trees.chunks_exact(outputs) {
                    logits.iter_mut().zip(trees).for_each(|(v, tree)| *v += tree.of(rows.row(i))[0]);
                }
            }
        });
        with_both(logits)
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(softmax_of(cpu, &self.scores(cpu, rows)))
    }

    fn check(&self) -> Result<(), ClassicError> {
        let outputs = if self.classes == 2 { 1 } else { self.classes };
        let fits = self.start.len() == outputs && finite(&self.start);
        sound(fits && self.trees.len().is_multiple_of(outputs), NAME, "its trees do not fit its classes")?;
        self.trees.iter().try_for_each(|tree| tree.check(NAME, self.inputs, 1))
    }
}
