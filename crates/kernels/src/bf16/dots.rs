//! Products of bf16 in pairs, summed in vector registers: rows of pairs, each pair in all lanes of a vector, by panels of pairs
//! (AVX512-BF16's `VDPBF16PS`, Intel, *Software Developer's Manual*, volume 2: AMD's Zen 4 multiplies twice as many bf16 with it
//! as it does floats). Without that instruction pairs are widened and multiplied as floats.
//!
//! A sum takes in its products one by one, in the order of the pairs, and of a pair the later first, rounding each time.
//! Neither how rows are cut into tiles nor their number changes its bits.

use super::product::LINE;
use crate::simd::{Kernel, Simd};

/// Columns of a panel.
const WIDTH: usize = 32;

/// Columns whose pairs lie on a line.
const HALF: usize = 16;

/// Most rows of a register tile: with two vectors of a panel's pairs and one of a row's, their sums fill 32 registers.
pub(super) const MOST: usize = 14;

/// Pairs of a step.
const PAIRS: usize = 16;

/// Rows by a panel.
#[derive(Clone, Copy)]
pub(super) struct Dots<F> {
    /// Where pairs of each half of the panel begin, which then lie a line apart; those of a row follow each other. All pairs of a
    /// step lie so.
    pub(super) right: [*const u16; 2],
    /// Words from one step to the next, in a row and in the panel.
    pub(super) left_step: usize,
    pub(super) right_step: usize,
    /// Runs of steps, and the pairs of each, which may end within a step.
    pub(super) runs: usize,
    pub(super) pairs: usize,
    /// Words from the first run to another, in a row and in the panel.
    pub(super) run: F,
    /// (rows, 32).
    pub(super) sums: *mut f32,
    /// Add to what the sums are.
    pub(super) adds: bool,
}

impl<F: Fn(usize) -> [usize; 2] + Copy> Dots<F> {
    /// Sums up the products of rows, at most [`MOST`], whose first pairs lie at `left`.
    ///
    /// # Safety
    /// All pairs can be read and the sums written, by nobody else meanwhile.
    #[inline(always)]
    pub(super) unsafe fn sum<S: Simd>(self, s: S, left: &[*const u16]) {
        macro_rules! rows {
            ($($p:literal)+) => {
                match left.len() {
                    $($p => {
                        let mut rows = [std::ptr::null(); $p];
                        rows.copy_from_slice(left);
                        s.call(Tile { dots: self, left: rows });
                    })+
                    rows => unreachable!("no tile of {rows} rows"),
                }
            };
        }
        if S::DOTS {
            rows! { 1 2 3 4 5 6 7 8 9 10 11 12 13 14 }
        } else {
            for (row, left) in left.iter().enumerate() {
                let dots = Self { sums: self.sums.wrapping_add(row * WIDTH), ..self };
                s.call(Tile { dots, left: [*left] });
            }
        }
    }
}

/// Some rows, whose pairs and sums whoever made this vouches for.
struct Tile<F, const P: usize> {
    dots: Dots<F>,
    left: [*const u16; P],
}

impl<F: Fn(usize) -> [usize; 2], const P: usize> Kernel for Tile<F, P> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        const { assert!(P <= MOST && WIDTH.is_multiple_of(S::LANES)) };
        if S::LANES == HALF { self.sum::<S, 2>(s) } else { self.sum::<S, 4>(s) }
    }
}

impl<F: Fn(usize) -> [usize; 2], const P: usize> Tile<F, P> {
    /// In `V` vectors a row.
    #[inline(always)]
    fn sum<S: Simd, const V: usize>(&self, s: S) {
        /// Pairs whose code follows each other.
        const UNROLLED: usize = 4;
        let dots = &self.dots;
        let place = |p: usize, v: usize| dots.sums.wrapping_add(p * WIDTH + v * S::LANES);
        let mut sums = [[s.splat(0.0); V]; P];
        if dots.adds {
            for p in 0..P {
                for v in 0..V {
                    // Safety: a sum.
                    sums[p][v] = unsafe { s.load(place(p, v)) };
                }
            }
        }
        for run in 0..dots.runs {
            let [mut from, weights] = (dots.run)(run);
            let mut right = dots.right.map(|right| right.wrapping_add(weights));
            let mut left = dots.pairs;
            while left > 0 {
                let now = left.min(PAIRS);
                let whole = now / UNROLLED * UNROLLED;
                for pair in (0..whole).step_by(UNROLLED) {
                    self.add::<S, V, UNROLLED>(s, &mut sums, from, right, pair);
                }
                for pair in whole..now {
                    self.add::<S, V, 1>(s, &mut sums, from, right, pair);
                }
                from += dots.left_step;
                right = right.map(|right| right.wrapping_add(dots.right_step));
                left -= now;
            }
        }
        for p in 0..P {
            for v in 0..V {
                // Safety: a sum.
                unsafe { s.store(sums[p][v], place(p, v)) };
            }
        }
    }

    /// Adds the products of `N` pairs of a step.
    #[inline(always)]
    fn add<S: Simd, const V: usize, const N: usize>(
        &self,
        s: S,
        sums: &mut [[S::Vector; V]; P],
        from: usize,
        right: [*const u16; 2],
        first: usize,
    ) {
        for pair in first..first + N {
            let mut columns = [s.splat(0.0); V];
            for v in 0..V {
                let column = v * S::LANES;
                let at = right[column / HALF].wrapping_add(pair * LINE + column % HALF * 2);
                // Safety: a vector of pairs, as floats that are moved only.
                columns[v] = unsafe { s.load(at.cast()) };
            }
            for p in 0..P {
                let at = self.left[p].wrapping_add(from + 2 * pair).cast::<[u8; 4]>();
                // Safety: a pair.
                let row = s.splat(f32::from_ne_bytes(unsafe { at.read() }));
                for v in 0..V {
                    sums[p][v] = s.dot(row, columns[v], sums[p][v]);
                }
            }
        }
    }
}
