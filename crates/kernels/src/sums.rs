//! Sums over the rows of a rows × c matrix. Rows are cut into chunks by shape; within one, a few rows are added in f32 and
//! go to a sum that is kept in two floats (Knuth's two-sum, The Art of Computer Programming 2, 4.2.2), so that the number
//! of rows costs no accuracy; the chunks' sums are added in order in f64.

use crate::Cpu;
use crate::rows::{Column, Columns, GROUP, sum, walk};
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// How the rows of a rows × c matrix are cut: into at most 64 chunks of at least 16 384 elements and 32 rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowChunks {
    rows: usize,
    c: usize,
    count: usize,
}

impl RowChunks {
    pub(crate) fn new(rows: usize, c: usize) -> Self {
        Self { rows, c, count: (rows * c / 16384).min(rows / 32).clamp(1, 64) }
    }

    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// The rows of chunk `i`; chunks differ by one row at most.
    pub(crate) fn rows(self, i: usize) -> Range<usize> {
        i * self.rows / self.count..(i + 1) * self.rows / self.count
    }

    /// The elements of chunk `i`.
    pub(crate) fn elements(self, i: usize) -> Range<usize> {
        let rows = self.rows(i);
        rows.start * self.c..rows.end * self.c
    }
}

/// Columns of a piece of [`total`].
const PIECE: usize = 128;

/// Adds `v` to sums of columns, of which `high` holds the values and `low` what rounding took from them.
#[inline(always)]
pub(crate) fn add_exactly<S: Simd, const R: usize>(
    s: S,
    v: S::Vector,
    high: &mut [f32],
    low: &mut [f32],
    at: Column<R>,
) {
    let before = at.constant(s, high);
    let after = s.add(before, v);
    let taken = s.sub(after, before);
    let lost = s.add(s.sub(before, s.sub(after, taken)), s.sub(v, taken));
    at.set_constant(s, after, high);
    at.set_constant(s, s.add(at.constant(s, low), lost), low);
}

/// Most floats of a row that [`Wide`] makes of several.
const WIDE: usize = 128;

/// Sums of the columns of several short rows at once, as if they were one: a row of a few channels fills no vector, and would
/// wait for the sums of the row before.
pub(crate) struct Wide {
    /// Rows taken as one.
    pub(crate) rows: usize,
    pub(crate) high: [f32; WIDE],
    pub(crate) low: [f32; WIDE],
}

impl Wide {
    /// For rows of `c` channels, where that is worth it: whole vectors of any instruction set, several if they are short.
    pub(crate) fn new(c: usize) -> Option<Self> {
        /// Floats from which sums of a row wait no longer for those of the row before.
        const ENOUGH: usize = 48;
        let whole = 16 >> c.trailing_zeros().min(4);
        let rows = whole * ENOUGH.div_ceil(whole * c.max(1));
        (c > 0 && rows > 1 && rows * c <= WIDE).then_some(Self { rows, high: [0.0; WIDE], low: [0.0; WIDE] })
    }

    /// Adds the sums of all rows to those of one.
    pub(crate) fn fold(&self, high: &mut [f32], low: &mut [f32]) {
        let c = high.len();
        for i in 0..self.rows * c {
            let (before, v) = (high[i % c], self.high[i]);
            let after = before + v;
            let taken = after - before;
            high[i % c] = after;
            low[i % c] += (before - (after - taken)) + (v - taken) + self.low[i];
        }
    }
}

/// Assigns the totals of the sums that chunks left in `partial`, `totals.len()` high parts followed by as many low ones.
pub(crate) fn total(cpu: &Cpu, partial: &[f32], totals: &mut [f32]) {
    let len = totals.len();
    cpu.chunks(totals, PIECE, |piece, totals| {
        let at = piece * PIECE;
        let mut sums = [0.0_f64; PIECE];
        for chunk in partial.chunks_exact(2 * len) {
            let parts = chunk[at..][..totals.len()].iter().zip(&chunk[len + at..][..totals.len()]);
            for (sum, (&high, &low)) in sums.iter_mut().zip(parts) {
                // What rounding takes from an infinity is no number.
                *sum += if high.is_finite() { f64::from(high) + f64::from(low) } else { f64::from(high) };
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = sum as f32;
        }
    });
}

/// Floats of scratch that [`column_sums`] and [`crate::activate_backward`] need for a matrix of `len` elements, rows × c.
pub fn column_sums_scratch(len: usize, c: usize) -> usize {
    (2 * RowChunks::new(len / c.max(1), c).count() + 1) * c
}

/// Adds to out the sum of each column: the gradient of a bias.
///
/// `x (rows, c)`, `out (c)`, `scratch` of at least [`column_sums_scratch`] floats.
///
/// # Panics
/// If a length contradicts the shape.
pub fn column_sums(cpu: &Cpu, x: &[f32], c: usize, out: &mut [f32], scratch: &mut [f32]) {
    assert_eq!(out.len(), c, "a sum for each column");
    if c == 0 {
        return;
    }
    assert_eq!(x.len() % c, 0, "whole rows of {c}");
    let chunks = RowChunks::new(x.len() / c, c);
    let (totals, partial) = scratch[..column_sums_scratch(x.len(), c)].split_at_mut(c);
    cpu.chunks(partial, 2 * c, |i, sums| {
        let (high, low) = sums.split_at_mut(c);
        cpu.isa().dispatch(Sums { x: &x[chunks.elements(i)], high, low });
    });
    total(cpu, partial, totals);
    for (out, total) in out.iter_mut().zip(totals) {
        *out += *total;
    }
}

struct Sums<'a> {
    x: &'a [f32],
    high: &'a mut [f32],
    low: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.high.fill(0.0);
        self.low.fill(0.0);
        let c = self.high.len();
        if let Some(mut wide) = Wide::new(c) {
            let row = wide.rows * c;
            let (x, rest) = self.x.split_at(self.x.len() / row * row);
            let (high, low) = (&mut wide.high[..row], &mut wide.low[..row]);
            walk::<_, GROUP>(s, x.len() / row, row, &mut Sums { x, high, low });
            wide.fold(self.high, self.low);
            self.x = rest;
        }
        walk::<_, GROUP>(s, self.x.len() / c, c, &mut self);
    }
}

impl Columns for Sums<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let x = at.read(s, self.x);
        add_exactly(s, sum(s, x), self.high, self.low, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{Sum, assert_close, assert_same_bits, random};

    #[test]
    fn columns_match_the_reference_on_every_instruction_set() {
        for (rows, c) in
            [(1, 1), (3, 5), (1000, 17), (5000, 1), (5003, 6), (1001, 10), (777, 16), (2000, 33), (70, 1024), (0, 4)]
        {
            let x = random(1, rows * c);
            let mut expected = vec![Sum::default(); c];
            for (i, &x) in x.iter().enumerate() {
                expected[i % c].add(f64::from(x));
            }
            for sum in &mut expected {
                sum.add(2.0);
            }
            let mut scratch = vec![f32::NAN; column_sums_scratch(x.len(), c)];
            for isa in Isa::available() {
                let mut bits: Option<Vec<f32>> = None;
                for threads in [1, 2, 8] {
                    let mut out = vec![2.0; c];
                    column_sums(&Cpu::with_isa(threads, isa).unwrap(), &x, c, &mut out, &mut scratch);
                    // One rounding of each chunk, one of the total, one of the addition.
                    assert_close("column sums", &out, &expected, 3e-7);
                    assert_same_bits("threads", &out, bits.get_or_insert_with(|| out.clone()));
                }
            }
        }
    }
}
