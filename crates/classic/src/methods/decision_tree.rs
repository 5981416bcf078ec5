//! One decision tree, grown to its end if nothing stops it.

use super::bins::Bins;
use super::tree::{Growth, Tree};
use super::{Classify, Method};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::lots::Lots;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// How far a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionTree {
    /// The most questions asked one after the other.
    pub depth: usize,
    /// The fewest rows of a leaf.
    pub least_leaf: usize,
    /// The fewest rows of a node that is split.
    pub least_split: usize,
}

impl Default for DecisionTree {
    fn default() -> Self {
        Self { depth: 1000, least_leaf: 1, least_split: 2 }
    }
}

/// A tree with shares of the classes at its leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreeModel {
    tree: Tree,
    inputs: usize,
    classes: usize,
}

const NAME: &str = "decision_tree";

impl TreeModel {
    /// How many nodes the tree has, leaves included.
    pub fn nodes(&self) -> usize {
        self.tree.len()
    }
}

impl Method for DecisionTree {
    type Model = TreeModel;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<TreeModel, ClassicError> {
        require(self.depth > 0, NAME, "depth", self.depth, "at least 1")?;
        require(self.least_leaf > 0, NAME, "least_leaf", self.least_leaf, "at least 1")?;
        let (rows, classes) = (data.rows(), data.classes());
        let bins = Bins::new(cpu, rows);
        let growth = Growth {
            cpu,
            bins: &bins,
            labels: data.labels(),
            classes,
            depth: self.depth,
            least_leaf: self.least_leaf,
            least_split: self.least_split,
            features: rows.columns(),
        };
        let tree = growth.grow((0..rows.rows() as u32).collect(), Lots::new(seed, &[]));
        Ok(TreeModel { tree, inputs: rows.columns(), classes })
    }
}

impl Classify for TreeModel {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// Shares of the classes among the training rows of the leaf.
    fn scores(&self, _: &Cpu, rows: &Matrix) -> Matrix {
        let mut scores = Matrix::zeros(rows.rows(), self.classes);
        for (scores, row) in scores.values_mut().chunks_exact_mut(self.classes).zip(rows.iter()) {
            scores.copy_from_slice(self.tree.of(row));
        }
        scores
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(self.scores(cpu, rows))
    }

    fn check(&self) -> Result<(), ClassicError> {
        self.tree.check(NAME, self.inputs, self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_asks_for_what_separates() {
        // Class 1 where both features are above 2: two questions, midway between the values.
        let rows: Vec<f32> = (0..25_u8).flat_map(|i| [f32::from(i / 5), f32::from(i % 5)]).collect();
        let labels: Vec<u32> = (0..25).map(|i| u32::from(i / 5 > 2 && i % 5 > 2)).collect();
        let rows = Matrix::new(25, 2, rows).unwrap();
        let data = Labelled::new(&rows, &labels, 2).unwrap();
        let fit = |threads, tree: DecisionTree| tree.fit(&Cpu::new(threads).unwrap(), &data, 0).unwrap();
        let model = fit(1, DecisionTree::default());
        assert_eq!((model.nodes(), &model), (5, &fit(3, DecisionTree::default())));
        let at = |x: f32, y: f32| model.tree.of(&[x, y])[1];
        assert_eq!([at(2.5, 4.0), at(2.6, 2.5), at(2.6, 2.6), at(9.0, 9.0)], [0.0, 0.0, 1.0, 1.0]);
        let stump = fit(1, DecisionTree { depth: 1, ..DecisionTree::default() });
        // Of the ten rows behind the first question, four are of class 1.
        assert_eq!((stump.nodes(), stump.tree.of(&[4.0, 0.0])), (3, &[0.6, 0.4][..]));
    }
}
