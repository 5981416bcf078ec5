//! Random forests (Breiman 2001, DOI 10.1023/A:1010933404324): trees on rows drawn with replacement that look at a few
//! features in each node, drawn anew. The leaves' shares are averaged, as scikit-learn has it.

use super::bins::Bins;
use super::tree::{Growth, Tree};
use super::{Classify, Method, sound};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::lots::Lots;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// How many trees, and how far they grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RandomForest {
    /// Trees, 1 to 10,000.
    pub trees: usize,
    /// Features that are looked at in each node; 0: the square root of their number.
    pub features: usize,
    /// The most questions asked one after the other.
    pub depth: usize,
    /// The fewest rows of a leaf.
    pub least_leaf: usize,
}

impl Default for RandomForest {
    fn default() -> Self {
        Self { trees: 100, features: 0, depth: 1000, least_leaf: 1 }
    }
}

/// Trees whose shares are averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    trees: Vec<Tree>,
    inputs: usize,
    classes: usize,
}

const NAME: &str = "random_forest";

impl Method for RandomForest {
    type Model = Forest;

    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<Forest, ClassicError> {
        require((1..=10_000).contains(&self.trees), NAME, "trees", self.trees, "1 to 10,000")?;
        require(self.depth > 0, NAME, "depth", self.depth, "at least 1")?;
        require(self.least_leaf > 0, NAME, "least_leaf", self.least_leaf, "at least 1")?;
        let (rows, classes) = (data.rows(), data.classes());
        let (n, inputs) = (rows.rows(), rows.columns());
        let features = if self.features == 0 { inputs.isqrt() } else { self.features };
        let bins = Bins::new(cpu, rows);
        let growth = Growth {
            cpu,
            bins: &bins,
            labels: data.labels(),
            classes,
            depth: self.depth,
            least_leaf: self.least_leaf,
            least_split: 2,
            features,
        };
        let mut trees = vec![Tree::default(); self.trees];
        cpu.chunks(&mut trees, 1, |i, tree| {
            let mut lots = Lots::new(seed, &[0x7266, i as u64]);
            let mut drawn: Vec<u32> = (0..n).map(|_| lots.below(n) as u32).collect();
            drawn.sort_unstable();
            tree[0] = growth.grow(drawn, lots);
        });
        Ok(Forest { trees, inputs, classes })
    }
}

impl Classify for Forest {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        let mut scores = Matrix::zeros(rows.rows(), self.classes);
        let share = 1.0 / self.trees.len() as f64;
        cpu.chunks(scores.values_mut(), 64 * self.classes, |piece, scores| {
            for (i, scores) in (64 * piece..).zip(scores.chunks_exact_mut(self.classes)) {
                let mut sums = vec![0.0_f64; self.classes];
                for tree in &self.trees {
                    sums.iter_mut().zip(tree.of(rows.row(i))).for_each(|(sum, &v)| *sum += f64::from(v));
                }
                scores.iter_mut().zip(sums).for_each(|(score, sum)| *score = (sum * share) as f32);
            }
        });
        scores
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(self.scores(cpu, rows))
    }

    fn check(&self) -> Result<(), ClassicError> {
        sound(!self.trees.is_empty(), NAME, "it has no trees")?;
        self.trees.iter().try_for_each(|tree| tree.check(NAME, self.inputs, self.classes))
    }
}
