//! Decision trees for classes (Breiman et al. 1984, CART): a node is split where the children's Gini impurity is least, of
//! equal splits at the first feature looked at and the lowest value. Rows at most the threshold go left.

use super::bins::Bins;
use crate::error::ClassicError;
use crate::lots::Lots;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// A binary tree; node 0 is the root, and a node's children come after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(super) struct Tree {
    /// The feature that each node asks for.
    features: Vec<u32>,
    /// Up to and with this, rows go left.
    thresholds: Vec<f32>,
    /// Left and right; both 0 where the node is a leaf.
    children: Vec<[u32; 2]>,
    /// (nodes, outputs).
    values: Vec<f32>,
    outputs: usize,
}

/// What is in a file. Numbers of features and nodes are floats there, which hold them below 2²⁴, so that all lists are floats.
#[derive(Serialize, Deserialize)]
struct Stored {
    features: Vec<f32>,
    thresholds: Vec<f32>,
    left: Vec<f32>,
    right: Vec<f32>,
    values: Vec<f32>,
    outputs: usize,
}

impl From<Tree> for Stored {
    fn from(tree: Tree) -> Self {
        let floats = |numbers: &mut dyn Iterator<Item = u32>| -> Vec<f32> { numbers.map(|n| n as f32).collect() };
        Self {
            features: floats(&mut tree.features.iter().copied()),
            thresholds: tree.thresholds,
            left: floats(&mut tree.children.iter().map(|c| c[0])),
            right: floats(&mut tree.children.iter().map(|c| c[1])),
            values: tree.values,
            outputs: tree.outputs,
        }
    }
}

impl TryFrom<Stored> for Tree {
    type Error = ClassicError;

    fn try_from(stored: Stored) -> Result<Self, ClassicError> {
        const MOST: f32 = 16_777_215.0;
        let Stored { features, thresholds, left, right, values, outputs } = stored;
        let all = || features.iter().chain(&left).chain(&right);
        let whole = all().all(|v| (0.0..=MOST).contains(v) && v.fract() == 0.0) && left.len() == right.len();
        super::sound(whole, "tree", "it counts its features or nodes in other than whole numbers")?;
        let children = left.iter().zip(&right).map(|(&left, &right)| [left as u32, right as u32]).collect();
        let features = features.iter().map(|&v| v as u32).collect();
        Ok(Self { features, thresholds, children, values, outputs })
    }
}

impl Tree {
    pub(super) fn new(outputs: usize) -> Self {
        Self { outputs, ..Self::default() }
    }

    /// Adds a leaf and returns its number.
    pub(super) fn leaf(&mut self, values: &[f32]) -> usize {
        self.features.push(0);
        self.thresholds.push(0.0);
        self.children.push([0; 2]);
        self.values.extend_from_slice(values);
        self.children.len() - 1
    }

    /// Makes a leaf ask whether a feature is at most a threshold.
    pub(super) fn split(&mut self, node: usize, feature: usize, threshold: f32, children: [usize; 2]) {
        self.features[node] = feature as u32;
        self.thresholds[node] = threshold;
        self.children[node] = children.map(|c| c as u32);
    }

    /// The values of the leaf that a row comes to.
    pub(super) fn of(&self, row: &[f32]) -> &[f32] {
        let mut node = 0;
        loop {
            let [left, right] = self.children[node];
            if left == 0 {
                return &self.values[node * self.outputs..(node + 1) * self.outputs];
            }
            let goes_left = row[self.features[node] as usize] <= self.thresholds[node];
            node = if goes_left { left } else { right } as usize;
        }
    }

    /// Nodes.
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn check(&self, of: &'static str, inputs: usize, outputs: usize) -> Result<(), ClassicError> {
        let n = self.children.len();
        let lengths = n > 0
            && self.outputs == outputs
            && self.features.len() == n
            && self.thresholds.len() == n
            && self.values.len() == n * outputs;
        let children = self.children.iter().enumerate().all(|(node, &[left, right])| {
            let after = |child: u32| (child as usize) > node && (child as usize) < n;
            (left == 0 && right == 0) || (after(left) && after(right))
        });
        let finite = self.thresholds.iter().chain(&self.values).all(|v| v.is_finite());
        let features = self.features.iter().all(|&f| (f as usize) < inputs);
        super::sound(lengths && children && features && finite, of, "a tree's nodes do not fit each other")
    }
}

/// How a tree of classes grows.
pub(super) struct Growth<'a> {
    pub(super) cpu: &'a Cpu,
    pub(super) bins: &'a Bins,
    pub(super) labels: &'a [u32],
    pub(super) classes: usize,
    /// Nodes this deep are leaves; the root's depth is 0.
    pub(super) depth: usize,
    /// The fewest rows of a leaf.
    pub(super) least_leaf: usize,
    /// The fewest rows of a node that is split.
    pub(super) least_split: usize,
    /// Features that are looked at in each node, drawn anew; all where there are no more.
    pub(super) features: usize,
}

/// A split of a node.
#[derive(Clone, Copy)]
struct Split {
    /// Σ of squared class counts over the rows, of both children: the larger, the purer.
    purity: f64,
    feature: usize,
    /// The last bin that goes left.
    bin: usize,
    threshold: f32,
}

/// Moves rows of classes from the right to the left and tells how pure both sides are.
struct Sides {
    left: Vec<u64>,
    right: Vec<u64>,
    /// Σ of squared counts, and rows.
    squares: [u64; 2],
    rows: [u64; 2],
}

impl Sides {
    fn new(counts: &[u64]) -> Self {
        let squares = counts.iter().map(|c| c * c).sum();
        let rows = counts.iter().sum();
        Self { left: vec![0; counts.len()], right: counts.to_vec(), squares: [0, squares], rows: [0, rows] }
    }

    fn pass(&mut self, class: usize, count: u64) {
        let (left, right) = (&mut self.left[class], &mut self.right[class]);
        self.squares[0] += count * (2 * *left + count);
        self.squares[1] -= count * (2 * *right - count);
        *left += count;
        *right -= count;
        self.rows[0] += count;
        self.rows[1] -= count;
    }

    fn purity(&self) -> f64 {
        self.squares[0] as f64 / self.rows[0] as f64 + self.squares[1] as f64 / self.rows[1] as f64
    }
}

/// Room for counting.
#[derive(Default)]
struct Room {
    /// (bins, classes).
    counts: Vec<u32>,
    /// bin · 2²⁴ + class.
    pairs: Vec<u32>,
}

impl Growth<'_> {
    /// A tree of `rows`, which may repeat.
    pub(super) fn grow(&self, mut rows: Vec<u32>, mut lots: Lots) -> Tree {
        let mut tree = Tree::new(self.classes);
        let mut order: Vec<usize> = (0..self.bins.columns()).collect();
        let mut room = Room::default();
        let mut put_off = Vec::with_capacity(rows.len());
        let counts = self.counts(&rows);
        tree.leaf(&shares(&counts));
        let mut open = vec![(0, 0..rows.len(), 0, counts)];
        while let Some((node, range, depth, counts)) = open.pop() {
            let here = &mut rows[range.clone()];
            let pure = counts.iter().filter(|&&c| c > 0).count() < 2;
            if pure || depth >= self.depth || here.len() < self.least_split.max(2) {
                continue;
            }
            let best = if self.features >= order.len() {
                self.best_of_all(here, &counts)
            } else {
                self.best_of_some(here, &counts, &mut order, &mut lots, &mut room)
            };
            let Some(best) = best else { continue };
            let codes = self.bins.codes(best.feature);
            let mut middle = 0;
            put_off.clear();
            for i in 0..here.len() {
                let row = here[i];
                if usize::from(codes[row as usize]) <= best.bin {
                    here[middle] = row;
                    middle += 1;
                } else {
                    put_off.push(row);
                }
            }
            here[middle..].copy_from_slice(&put_off);
            let left = self.counts(&here[..middle]);
            let right: Vec<u64> = counts.iter().zip(&left).map(|(all, left)| all - left).collect();
            let children = [tree.leaf(&shares(&left)), tree.leaf(&shares(&right))];
            tree.split(node, best.feature, best.threshold, children);
            let middle = range.start + middle;
            open.push((children[1], middle..range.end, depth + 1, right));
            open.push((children[0], range.start..middle, depth + 1, left));
        }
        tree
    }

    fn counts(&self, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.classes];
        for &row in rows {
            counts[self.labels[row as usize] as usize] += 1;
        }
        counts
    }

    fn best_of_all(&self, rows: &[u32], counts: &[u64]) -> Option<Split> {
        /// Features of a piece.
        const PIECE: usize = 16;
        let columns = self.bins.columns();
        let mut best = vec![None; columns.div_ceil(PIECE)];
        self.cpu.chunks(&mut best, 1, |piece, best| {
            let mut room = Room::default();
            for feature in piece * PIECE..((piece + 1) * PIECE).min(columns) {
                best[0] = purer(best[0], self.best_of(feature, rows, counts, &mut room).1);
            }
        });
        best.into_iter().fold(None, purer)
    }

    /// Of features drawn one after the other until enough were looked at that are not constant here, and a split is found.
    fn best_of_some(
        &self,
        rows: &[u32],
        counts: &[u64],
        order: &mut [usize],
        lots: &mut Lots,
        room: &mut Room,
    ) -> Option<Split> {
        let (mut best, mut seen) = (None, 0);
        for i in 0..order.len() {
            order.swap(i, i + lots.below(order.len() - i));
            let (varies, split) = self.best_of(order[i], rows, counts, room);
            best = purer(best, split);
            seen += usize::from(varies);
            if seen >= self.features && best.is_some() {
                break;
            }
        }
        best
    }

    /// Whether a feature varies among the rows, and its best split.
    fn best_of(&self, feature: usize, rows: &[u32], counts: &[u64], room: &mut Room) -> (bool, Option<Split>) {
        let codes = self.bins.codes(feature);
        let bins = self.bins.count(feature);
        if bins < 2 {
            return (false, None);
        }
        let mut sides = Sides::new(counts);
        let mut best: Option<Split> = None;
        let mut last = None;
        // Between the last bin that has passed and the next that has rows.
        let mut consider = |sides: &Sides, last: Option<usize>, next: usize| {
            let Some(lower) = last else { return };
            if sides.rows.iter().any(|&rows| rows < self.least_leaf as u64) {
                return;
            }
            let purity = sides.purity();
            if best.is_none_or(|best| purity > best.purity) {
                let threshold = self.bins.between(feature, lower, next);
                best = Some(Split { purity, feature, bin: lower, threshold });
            }
        };
        if rows.len() * 8 < bins * self.classes {
            room.pairs.clear();
            let pair = |&row: &u32| (u32::from(codes[row as usize]) << 24) | self.labels[row as usize];
            room.pairs.extend(rows.iter().map(pair));
            room.pairs.sort_unstable();
            for &pair in &room.pairs {
                let bin = (pair >> 24) as usize;
                if last != Some(bin) {
                    consider(&sides, last, bin);
                    last = Some(bin);
                }
                sides.pass((pair & 0xff_ffff) as usize, 1);
            }
        } else {
            room.counts.clear();
            room.counts.resize(bins * self.classes, 0);
            for &row in rows {
                let bin = usize::from(codes[row as usize]);
                room.counts[bin * self.classes + self.labels[row as usize] as usize] += 1;
            }
            for (bin, counts) in room.counts.chunks_exact(self.classes).enumerate() {
                if counts.iter().all(|&c| c == 0) {
                    continue;
                }
                consider(&sides, last, bin);
                last = Some(bin);
                for (class, &count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
                    sides.pass(class, u64::from(count));
                }
            }
        }
        let first = rows.first().map(|&row| codes[row as usize]);
        let varies = rows.iter().any(|&row| Some(codes[row as usize]) != first);
        // A split that separates nothing leaves the node as impure as it was.
        let whole = counts.iter().map(|c| c * c).sum::<u64>() as f64 / rows.len() as f64;
        (varies, best.filter(|best| best.purity > whole * (1.0 + 1e-12)))
    }
}

/// The purer of two splits, the first of equals.
fn purer(a: Option<Split>, b: Option<Split>) -> Option<Split> {
    match (a, b) {
        (Some(a), Some(b)) if b.purity > a.purity => Some(b),
        (None, b) => b,
        (a, _) => a,
    }
}

/// Each class's share of the rows.
fn shares(counts: &[u64]) -> Vec<f32> {
    let sum = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(|&c| (c as f64 / sum) as f32).collect()
}
