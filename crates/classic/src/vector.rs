//! Dot products and sums of scaled vectors, for loops that are compiled for an instruction set as a whole.

// Only what is inlined into an instruction set's wrapper is compiled for it.
#![allow(clippy::inline_always)]

use striate_kernels::{Cpu, Kernel, Simd};

/// Σ a · b of slices of one length.
#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let (length, step) = (a.len().min(b.len()), 4 * S::LANES);
    let mut at = 0;
    while at + step <= length {
        for (j, sum) in sums.iter_mut().enumerate() {
            let here = at + j * S::LANES..at + (j + 1) * S::LANES;
            *sum = s.fma(s.read(&a[here.clone()]), s.read(&b[here]), *sum);
        }
        at += step;
    }
    while at < length {
        let here = at..(at + S::LANES).min(length);
        sums[0] = s.fma(s.read(&a[here.clone()]), s.read(&b[here]), sums[0]);
        at += S::LANES;
    }
    let mut lanes = [0.0_f32; 16];
    s.write(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])), &mut lanes[..S::LANES]);
    lanes.iter().sum()
}

/// Adds `by` · x to y, slices of one length.
#[inline(always)]
pub(crate) fn add_scaled<S: Simd>(s: S, by: f32, x: &[f32], y: &mut [f32]) {
    let by = s.splat(by);
    for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
        s.write(s.fma(by, s.read(x), s.read(y)), y);
    }
}

struct Dots<'a> {
    rows: &'a [f32],
    with: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (row, out) in self.rows.chunks_exact(self.with.len()).zip(self.out) {
            *out = dot(s, row, self.with);
        }
    }
}

/// Assigns the product of each of some rows with one.
pub(crate) fn dots(cpu: &Cpu, rows: &[f32], with: &[f32], out: &mut [f32]) {
    let (d, piece) = (with.len(), (65_536 / with.len().max(1)).max(1));
    cpu.chunks(out, piece, |i, out| {
        let rows = &rows[i * piece * d..][..out.len() * d];
        cpu.isa().dispatch(Dots { rows, with, out });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::{Isa, uniform};

    #[test]
    fn products_match_f64_at_every_length_and_instruction_set() {
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(2, isa).unwrap();
            for d in (1..70).chain([500]) {
                let random = |seed, n: usize| (0..n as u64).map(|i| uniform(seed, i) - 0.5).collect::<Vec<f32>>();
                let (rows, with) = (random(1, 5 * d), random(2, d));
                let mut out = [9.0; 5];
                dots(&cpu, &rows, &with, &mut out);
                for (row, out) in rows.chunks_exact(d).zip(out) {
                    let exact: f64 = row.iter().zip(&with).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                    assert!((f64::from(out) - exact).abs() < 1e-5, "{} at {d}", isa.name());
                }
            }
        }
    }
}
