//! Sums over the rows of a rows × c matrix. Rows are cut into chunks by shape; each is summed in f64, kept as f32, and
//! the chunks are added in order in f64.

use crate::Cpu;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// How the rows of a rows × c matrix are cut: into at most 64 chunks of at least 16 384 elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowChunks {
    rows: usize,
    c: usize,
    count: usize,
}

impl RowChunks {
    pub(crate) fn new(rows: usize, c: usize) -> Self {
        Self { rows, c, count: (rows * c / 16384).clamp(1, 64).min(rows.max(1)) }
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

/// Channels whose f64 sums are held in registers together.
pub(crate) const BLOCK: usize = 16;

/// Floats of scratch that [`column_sums`] needs for a matrix of `len` elements, rows × c.
pub fn column_sums_scratch(len: usize, c: usize) -> usize {
    RowChunks::new(len / c.max(1), c).count() * c
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
    let partial = &mut scratch[..chunks.count() * c];
    cpu.chunks(partial, c, |i, sums| cpu.isa().dispatch(Columns { x: &x[chunks.elements(i)], sums }));
    for (column, out) in out.iter_mut().enumerate() {
        let sum: f64 = partial[column..].iter().step_by(c).map(|&s| f64::from(s)).sum();
        *out += sum as f32;
    }
}

struct Columns<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Columns<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.sums.len();
        for (block, sums) in self.sums.chunks_mut(BLOCK).enumerate() {
            let mut total = [0.0_f64; BLOCK];
            for row in self.x.chunks_exact(c) {
                let row = &row[block * BLOCK..][..sums.len()];
                if let Ok(row) = <&[f32; BLOCK]>::try_from(row) {
                    for (total, &x) in total.iter_mut().zip(row) {
                        *total += f64::from(x);
                    }
                } else {
                    for (total, &x) in total.iter_mut().zip(row) {
                        *total += f64::from(x);
                    }
                }
            }
            for (sum, total) in sums.iter_mut().zip(total) {
                *sum = total as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{Sum, assert_close, assert_same_bits, random};

    #[test]
    fn columns_match_the_reference_on_every_instruction_set() {
        for (rows, c) in [(1, 1), (3, 5), (1000, 17), (2000, 33), (70, 1024), (0, 4)] {
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
