//! Fractional max pooling (Graham 2014, arXiv:1412.6071): regions of one or two rows and columns, drawn at random, shrink a map
//! by a ratio between 1 and 2. The paper's boundaries run from 1 to N, which covers a map by overlapping regions; so that
//! disjoint ones cover it too, ours run to N + 1 there. The output's side is ⌊N / ratio⌋, or one more where regions of two
//! would not reach the end. Ties and NaN as in max pooling. Switches count cells within their region.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Saved, Setting, Shape, Span};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use striate_kernels::{PoolRegions, hash, region_max_pool_backward, region_max_pool_forward};

/// How the increments of one and two follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// In any order, all orders being equally likely.
    Random,
    /// Evenly: the boundaries are ⌈α(i + u)⌉ for one u between 0 and 1.
    Pseudorandom,
}

/// The maximum of each region. While training every step and every node draws its own regions, one draw for a batch;
/// otherwise `seed` alone decides, so that answers can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FractionalMaxPool {
    /// What a side is divided by, above 1 and below 2.
    pub ratio: f64,
    /// How regions are drawn.
    pub sequence: Sequence,
    /// Whether neighbouring regions share a row or column.
    pub overlapping: bool,
    /// Chooses among the draws.
    #[serde(default)]
    pub seed: u64,
}

/// What a map is cut into: each pair of a range of rows and a range of columns is one region, and one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    /// The rows of each row of outputs, from above.
    pub rows: Vec<Range<usize>>,
    /// The columns of each column of outputs, from the left.
    pub columns: Vec<Range<usize>>,
}

impl FractionalMaxPool {
    /// Divides sides by `ratio`, with pseudorandom, overlapping regions.
    pub fn new(ratio: f64) -> Self {
        FractionalMaxPool { ratio, sequence: Sequence::Pseudorandom, overlapping: true, seed: 0 }
    }

    /// With increments in random order.
    pub fn random(self) -> Self {
        FractionalMaxPool { sequence: Sequence::Random, ..self }
    }

    /// With regions that share nothing.
    pub fn disjoint(self) -> Self {
        FractionalMaxPool { overlapping: false, ..self }
    }

    /// With another draw.
    pub fn seed(self, seed: u64) -> Self {
        FractionalMaxPool { seed, ..self }
    }

    /// The regions of a map of shape `input`. While `training`, `seed` is that of the node's step ([`Setting::seed`]);
    /// otherwise it does not matter.
    ///
    /// # Errors
    /// If the ratio is not between 1 and 2.
    pub fn regions(&self, input: Shape, seed: u64, training: bool) -> Result<Regions, Misfit> {
        self.infer(&[input])?;
        Ok(self.draw(input, seed, training))
    }

    fn draw(&self, input: Shape, seed: u64, training: bool) -> Regions {
        let seed = if training { hash(seed, self.seed) } else { self.seed };
        Regions { rows: self.ranges(input.h, hash(seed, 0)), columns: self.ranges(input.w, hash(seed, 1)) }
    }

    /// Regions along a side of `n`.
    fn side(&self, n: usize) -> usize {
        let fewest = n.saturating_sub(usize::from(self.overlapping)).div_ceil(2).max(1);
        ((n as f64 / self.ratio) as usize).max(fewest)
    }

    /// Between what lines every region along a side of `n` lies, whichever are drawn.
    fn span(&self, n: usize) -> Span {
        let shared = usize::from(self.overlapping);
        let (total, count) = (n.saturating_sub(shared).max(1), self.side(n));
        let twos = (total - count) as f64;
        // Of boundary i = 0 … count from i·total / count: less than one if evenly, as far as all twos first or last if not.
        let drift = match self.sequence {
            Sequence::Random => twos * (1.0 - twos / count as f64),
            Sequence::Pseudorandom => 1.0,
        };
        Span { first: -drift, last: drift + 1.0 + shared as f64, jump: total as f64 / count as f64 }
    }

    fn ranges(&self, n: usize, seed: u64) -> Vec<Range<usize>> {
        let shared = usize::from(self.overlapping);
        // A side of one has nothing to share.
        let (total, count) = (n.saturating_sub(shared).max(1), self.side(n));
        let bounds = match self.sequence {
            Sequence::Random => random(total, count, seed),
            Sequence::Pseudorandom => pseudorandom(total, count, (hash(seed, 0) >> 32) as u32),
        };
        bounds.windows(2).map(|b| b[0]..(b[1] + shared).min(n)).collect()
    }
}

/// `count` + 1 boundaries from 0 to `total` whose increments are `total - count` twos, the others ones, in random order.
fn random(total: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut increments = vec![1; count];
    increments[..total - count].fill(2);
    for i in (1..count).rev() {
        // Any of 0..=i, as evenly as 64 bits can.
        let j = (u128::from(hash(seed, i as u64)) * (i as u128 + 1)) >> 64;
        increments.swap(i, j as usize);
    }
    let mut at = 0;
    let ends = increments.into_iter().map(|increment| {
        at += increment;
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// ⌈α(i + u)⌉ − ⌈αu⌉ for i = 0 … `count`, with α = `total` / `count` and u = (`draw` + ½) / 2³². Exact, so that it ends at
/// `total`, and as 1 ≤ α ≤ 2 its increments are ones and twos.
fn pseudorandom(total: usize, count: usize, draw: u32) -> Vec<usize> {
    let u = u128::from(draw) * 2 + 1;
    let at = |i: usize| (total as u128 * (((i as u128) << 33) + u)).div_ceil((count as u128) << 33) as usize;
    (0..=count).map(|i| at(i) - at(0)).collect()
}

impl Regions {
    fn geometry(&self, s: &Setting<'_>) -> PoolRegions<'_> {
        let Shape { h, w, c } = s.shapes[0];
        PoolRegions { n: s.batch, h, w, c, rows: &self.rows, columns: &self.columns }
    }
}

impl Layer for FractionalMaxPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        if !(self.ratio > 1.0 && self.ratio < 2.0) {
            return Err(Misfit::new(format!("its ratio must be above 1 and below 2, not {}", self.ratio)));
        }
        Ok(Shape::new(self.side(x.h), self.side(x.w), x.c))
    }

    fn reach(&self, inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Fractional([self.span(inputs[0].h), self.span(inputs[0].w)])
    }

    fn describe(&self) -> String {
        let sequence = match self.sequence {
            Sequence::Random => "random",
            Sequence::Pseudorandom => "pseudorandom",
        };
        format!("÷{} {sequence} {}", self.ratio, if self.overlapping { "overlapping" } else { "disjoint" })
    }

    fn saved(&self, batch: usize, _inputs: &[Shape], output: Shape) -> Saved {
        Saved { values: 0, switches: batch * output.len() }
    }

    fn forward(&self, pass: Forward<'_>) {
        let s = &pass.setting;
        let regions = self.draw(s.shapes[0], s.seed, s.training);
        region_max_pool_forward(s.cpu, &regions.geometry(s), pass.inputs[0], pass.output, pass.switches);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let s = &pass.setting;
        let regions = self.draw(s.shapes[0], s.seed, s.training);
        if let Some(dx) = pass.dx[0].take() {
            region_max_pool_backward(s.cpu, &regions.geometry(s), pass.dy, pass.switches, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(FractionalMaxPool, Vec<Shape>)> {
    let root = FractionalMaxPool::new(std::f64::consts::SQRT_2);
    vec![
        (root, vec![Shape::new(7, 6, 3)]),
        (root.random().disjoint(), vec![Shape::new(6, 9, 2)]),
        (FractionalMaxPool::new(1.9).disjoint().seed(u64::MAX), vec![Shape::new(5, 4, 2)]),
        (FractionalMaxPool::new(1.3).random(), vec![Shape::new(1, 8, 2)]),
    ]
}

#[cfg(test)]
mod tests;
