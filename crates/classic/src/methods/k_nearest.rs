//! The k nearest neighbours (Fix and Hodges 1951; Cover and Hart 1967, DOI 10.1109/TIT.1967.1053964) by Euclidean distance.
//! Matrix products find somewhat more candidates than k, whose distances are then computed in f64; of equal distances the
//! earlier row counts, of equal votes the first class.

use super::{Classify, Method, sound};
use crate::error::{ClassicError, require};
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use crate::product::Product;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// What a neighbour's vote counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Votes {
    /// One.
    Equal,
    /// One over its distance; neighbours at distance 0 alone where there are such.
    Nearness,
}

/// How many neighbours vote, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KNearest {
    /// Neighbours, 1 to 1000.
    pub k: usize,
    /// What a vote counts.
    pub votes: Votes,
}

impl Default for KNearest {
    fn default() -> Self {
        Self { k: 5, votes: Votes::Equal }
    }
}

/// The training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    settings: KNearest,
    rows: Matrix,
    labels: Vec<u32>,
    classes: usize,
}

const NAME: &str = "k_nearest";

/// Candidates beyond k, for what products round.
const MORE: usize = 8;

impl Method for KNearest {
    type Model = Neighbours;

    fn fit(&self, _: &Cpu, data: &Labelled<'_>, _: u64) -> Result<Neighbours, ClassicError> {
        require((1..=1000).contains(&self.k), NAME, "k", self.k, "1 to 1000")?;
        if data.rows().rows() < self.k {
            let of = format!("{NAME} with k = {}", self.k);
            return Err(ClassicError::Few { of, least: self.k, found: data.rows().rows() });
        }
        let (rows, labels) = (data.rows().clone(), data.labels().to_vec());
        Ok(Neighbours { settings: *self, rows, labels, classes: data.classes() })
    }
}

/// The least values so far with their places, ascending; of equals the earlier place first.
struct Nearest {
    found: Vec<(f32, u32)>,
    most: usize,
}

impl Nearest {
    fn offer(&mut self, distance: f32, row: u32) {
        if self.found.len() == self.most {
            if self.found.last().is_some_and(|last| distance >= last.0) {
                return;
            }
            self.found.pop();
        }
        let at = self.found.partition_point(|f| f.0 <= distance);
        self.found.insert(at, (distance, row));
    }
}

impl Neighbours {
    /// The k nearest training rows of each row, nearest first, with their squared distances.
    pub fn nearest(&self, cpu: &Cpu, rows: &Matrix) -> Vec<Vec<(usize, f64)>> {
        /// Training rows of a block, and rows of a piece: their products stay in cache.
        const BLOCK: usize = 2048;
        const ROWS: usize = 64;
        let d = rows.columns();
        let most = self.settings.k + MORE;
        let mut nearest: Vec<Nearest> =
            (0..rows.rows()).map(|_| Nearest { found: Vec::with_capacity(most + 1), most }).collect();
        for (block, training) in self.rows.values().chunks(BLOCK * d).enumerate() {
            let product = Product::new(cpu, training, d);
            let halves: Vec<f32> = training
                .chunks_exact(d)
                .map(|row| (row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 2.0) as f32)
                .collect();
            cpu.chunks(&mut nearest, ROWS, |piece, nearest| {
                let x = &rows.values()[piece * ROWS * d..][..nearest.len() * d];
                let mut products = vec![0.0; nearest.len() * halves.len()];
                product.run(cpu, x, None, &mut products);
                for (nearest, products) in nearest.iter_mut().zip(products.chunks_exact(halves.len())) {
                    for ((row, p), half) in ((block * BLOCK) as u32..).zip(products).zip(&halves) {
                        // Half the squared distance, less the row's own half.
                        nearest.offer(half - p, row);
                    }
                }
            });
        }
        let mut exact: Vec<Vec<(usize, f64)>> = vec![Vec::new(); rows.rows()];
        cpu.chunks(&mut exact, ROWS, |piece, exact| {
            for (i, exact) in (piece * ROWS..).zip(exact) {
                let distance = |row: usize| -> f64 {
                    let differences = self.rows.row(row).iter().zip(rows.row(i));
                    differences.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
                };
                exact.extend(nearest[i].found.iter().map(|&(_, row)| (row as usize, distance(row as usize))));
                exact.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
                exact.truncate(self.settings.k);
            }
        });
        exact
    }
}

impl Classify for Neighbours {
    fn inputs(&self) -> usize {
        self.rows.columns()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// Shares of the votes.
    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix {
        let mut scores = Matrix::zeros(rows.rows(), self.classes);
        let nearest = self.nearest(cpu, rows);
        for (scores, nearest) in scores.values_mut().chunks_exact_mut(self.classes).zip(nearest) {
            let same = nearest.first().is_some_and(|(_, distance)| *distance == 0.0);
            let mut votes = vec![0.0_f64; self.classes];
            for (row, distance) in nearest {
                votes[self.labels[row] as usize] += match self.settings.votes {
                    Votes::Equal => 1.0,
                    Votes::Nearness if same => f64::from(u8::from(distance == 0.0)),
                    Votes::Nearness => 1.0 / distance.sqrt(),
                };
            }
            let sum: f64 = votes.iter().sum();
            scores.iter_mut().zip(votes).for_each(|(score, votes)| *score = (votes / sum) as f32);
        }
        scores
    }

    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix> {
        Some(self.scores(cpu, rows))
    }

    fn check(&self) -> Result<(), ClassicError> {
        let classes = self.labels.iter().max().map_or(0, |&label| label as usize + 1);
        let fits = self.labels.len() == self.rows.rows() && classes == self.classes;
        sound(fits, NAME, "its labels do not fit its rows")?;
        let k = self.settings.k;
        sound((1..=1000).contains(&k) && k <= self.rows.rows(), NAME, "its k does not fit its rows")?;
        self.rows.check_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::uniform;

    #[test]
    fn neighbours_are_those_of_the_exact_distances() {
        let random = |seed, n: usize| (0..n as u64).map(|i| uniform(seed, i)).collect::<Vec<f32>>();
        // More rows than a block holds.
        let rows = Matrix::new(2500, 7, random(1, 2500 * 7)).unwrap();
        let labels: Vec<u32> = (0..2500).map(|i| i % 3).collect();
        let queries = Matrix::new(90, 7, random(2, 90 * 7)).unwrap();
        let data = Labelled::new(&rows, &labels, 3).unwrap();
        for threads in [1, 3] {
            let cpu = Cpu::new(threads).unwrap();
            let model = KNearest { k: 4, votes: Votes::Equal }.fit(&cpu, &data, 0).unwrap();
            for (query, found) in queries.iter().zip(model.nearest(&cpu, &queries)) {
                let mut all: Vec<(usize, f64)> = rows
                    .iter()
                    .map(|row| row.iter().zip(query).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum())
                    .enumerate()
                    .collect();
                all.sort_by(|a, b| a.1.total_cmp(&b.1));
                assert_eq!(found, all[..4]);
            }
        }
    }

    #[test]
    fn near_votes_weigh_more_and_a_copy_decides_alone() {
        let rows = Matrix::new(3, 1, vec![0.0, 3.0, 4.0]).unwrap();
        let data = Labelled::new(&rows, &[0, 1, 1], 2).unwrap();
        let cpu = Cpu::new(1).unwrap();
        let model = KNearest { k: 3, votes: Votes::Nearness }.fit(&cpu, &data, 0).unwrap();
        let scores = model.scores(&cpu, &Matrix::new(2, 1, vec![1.0, 0.0]).unwrap());
        let far = 1.0 / 2.0 + 1.0 / 3.0;
        assert!((scores.row(0)[1] - far / (1.0 + far)).abs() < 1e-6);
        assert_eq!(scores.row(1), [1.0, 0.0]);
    }
}
