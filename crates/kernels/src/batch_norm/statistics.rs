//! Mean and variance of each column. Each chunk of rows sums differences from the mean of its first rows, and their
//! squares, in two floats each; chunks are combined in f64 after Chan, Golub and `LeVeque` (1983). So neither a large mean
//! nor a large number of rows costs accuracy.

use super::{batch_norm_scratch, check};
use crate::Cpu;
use crate::rows::{Column, Columns, GROUP, sum, walk};
use crate::simd::{Kernel, Simd};
use crate::sums::{RowChunks, add_exactly};

/// Columns that are combined together.
const PIECE: usize = 64;

/// Lines of c floats that a chunk leaves: origin, high parts of both sums, their low parts.
pub(super) const LINES: usize = 5;

/// Assigns the mean and biased variance of each column.
///
/// `x (rows, c)`, `mean` and `var (c)`, `scratch` of at least [`batch_norm_scratch`] floats.
///
/// # Panics
/// If a length contradicts the shape, or there are no rows.
pub fn channel_statistics(cpu: &Cpu, x: &[f32], c: usize, mean: &mut [f32], var: &mut [f32], scratch: &mut [f32]) {
    let rows = check(x, c, &[mean, var]);
    assert!(rows > 0, "statistics of no rows");
    let chunks = RowChunks::new(rows, c);
    let partial = &mut scratch[..batch_norm_scratch(x.len(), c)][..chunks.count() * LINES * c];
    cpu.chunks(partial, LINES * c, |i, lines| {
        let (origin, lines) = lines.split_at_mut(c);
        let (high, low) = lines.split_at_mut(2 * c);
        cpu.isa().dispatch(Sums { x: &x[chunks.elements(i)], origin, high, low });
    });
    let partial = &*partial;
    cpu.chunks2(mean, PIECE, var, PIECE, |piece, mean, var| {
        combine(partial, chunks, c, piece * PIECE, mean, var);
    });
}

/// Assigns the statistics of the columns from `at` on.
fn combine(partial: &[f32], chunks: RowChunks, c: usize, at: usize, mean: &mut [f32], var: &mut [f32]) {
    // Of the chunks so far: rows, means and sums of squared deviations.
    let (mut before, mut means, mut squares) = (0.0, [0.0; PIECE], [0.0; PIECE]);
    for (i, lines) in partial.chunks_exact(LINES * c).enumerate() {
        let rows = chunks.rows(i).len() as f64;
        let total = before + rows;
        let line = |k: usize| &lines[k * c + at..][..mean.len()];
        let [origin, sum, square, low_sum, low_square] = [line(0), line(1), line(2), line(3), line(4)];
        for j in 0..mean.len() {
            let off = (f64::from(sum[j]) + f64::from(low_sum[j])) / rows;
            let own = f64::from(square[j]) + f64::from(low_square[j]) - rows * off * off;
            let delta = f64::from(origin[j]) + off - means[j];
            means[j] += delta * (rows / total);
            squares[j] += own.max(0.0) + delta * delta * (before * rows / total);
        }
        before = total;
    }
    for j in 0..mean.len() {
        mean[j] = means[j] as f32;
        var[j] = (squares[j] / before) as f32;
    }
}

/// Sums of the differences from an origin, and of their squares.
struct Sums<'a> {
    x: &'a [f32],
    origin: &'a mut [f32],
    /// Of the differences, then of the squares.
    high: &'a mut [f32],
    low: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let c = self.origin.len();
        let first = GROUP.min(self.x.len() / c);
        self.origin.fill(0.0);
        for row in self.x.chunks_exact(c).take(first) {
            for (origin, x) in self.origin.iter_mut().zip(row) {
                *origin += x / first as f32;
            }
        }
        self.high.fill(0.0);
        self.low.fill(0.0);
        walk::<_, GROUP>(s, self.x.len() / c, c, &mut self);
    }
}

impl Columns for Sums<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let c = self.origin.len();
        let origin = at.constant(s, self.origin);
        let mut x = at.read(s, self.x);
        let mut squares = x;
        for r in 0..R {
            x[r] = s.sub(x[r], origin);
            squares[r] = s.mul(x[r], x[r]);
        }
        add_exactly(s, sum(s, x), self.high, self.low, at);
        add_exactly(s, sum(s, squares), &mut self.high[c..], &mut self.low[c..], at);
    }
}
