//! Matrix products between a few rows and a packed panel of one or two vectors, summed in registers: the inner loop of
//! Winograd's convolutions. Every sum runs over its terms in order, whatever tile its row falls into.

use crate::Isa;
use crate::simd::{Kernel, Simd};

/// Lanes of a vector, and vectors of a panel: two where there are registers for enough rows beside.
pub(super) fn panel(isa: Isa) -> (usize, usize) {
    struct Width;
    impl Kernel for Width {
        type Output = (usize, usize);
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> (usize, usize) {
            (S::LANES, if S::REGISTERS < 16 { 1 } else { 2 })
        }
    }
    isa.dispatch(Width)
}

/// Most rows of a register tile: sums, one vector of each column of the panel and one value of a row must fit.
const fn most_rows(registers: usize, vectors: usize) -> usize {
    let fit = (registers - 1 - vectors) / vectors;
    if fit > 12 { 12 } else { fit }
}

/// Operands of out = a · b, or out + a · b where `adds`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// Terms of each sum.
    pub(super) depth: usize,
    /// (rows, depth), rows `a_pitch` apart; if turned, (depth, rows), terms `a_pitch` apart.
    pub(super) a: *const f32,
    pub(super) a_pitch: usize,
    /// (depth, vectors), `b_pitch` apart.
    pub(super) b: *const f32,
    pub(super) b_pitch: usize,
    /// (rows, vectors), `out_pitch` apart.
    pub(super) out: *mut f32,
    pub(super) out_pitch: usize,
    pub(super) adds: bool,
}

impl Product {
    /// Computes `rows` rows of `vectors` vectors, cut evenly into register tiles.
    ///
    /// # Safety
    /// All operands can be read, `out` can be written and nobody else reads it, and `vectors` is at most that of
    /// [`panel`].
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, const TURNED: bool>(self, s: S, rows: usize, vectors: usize) {
        let tiles = rows.div_ceil(most_rows(S::REGISTERS, vectors));
        for tile in 0..tiles {
            let (from, to) = (tile * rows / tiles, (tile + 1) * rows / tiles);
            let part = Self {
                a: self.a.wrapping_add(if TURNED { from } else { from * self.a_pitch }),
                out: self.out.wrapping_add(from * self.out_pitch),
                ..self
            };
            part.tile::<S, TURNED>(s, to - from, vectors);
        }
    }

    /// Runs the register tile of this size.
    #[inline(always)]
    fn tile<S: Simd, const TURNED: bool>(self, s: S, rows: usize, vectors: usize) {
        macro_rules! sizes {
            ($($v:literal: $($p:literal)+;)+) => {
                match (vectors, rows) {
                    $($(($v, $p) => s.call(Tile::<$p, $v, TURNED>(self)),)+)+
                    _ => unreachable!("no tile of {rows} rows by {vectors} vectors"),
                }
            };
        }
        sizes! {
            1: 1 2 3 4 5 6 7 8 9 10 11 12;
            2: 1 2 3 4 5 6 7 8 9 10 11 12;
        }
    }
}

struct Tile<const P: usize, const V: usize, const TURNED: bool>(Product);

impl<const P: usize, const V: usize, const TURNED: bool> Kernel for Tile<P, V, TURNED> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        /// Terms that the panel is fetched ahead.
        const AHEAD: usize = 16;
        assert!(P <= most_rows(S::REGISTERS, V), "such a tile would not fit into registers");
        let Product { depth, a, a_pitch, b, b_pitch, out, out_pitch, adds } = self.0;
        let mut sums = [[s.splat(0.0); V]; P];
        if adds {
            for p in 0..P {
                for v in 0..V {
                    // Safety: the caller of `Product::run` vouches for `out`.
                    sums[p][v] = unsafe { s.load(out.add(p * out_pitch + v * S::LANES)) };
                }
            }
        }
        let mut rows = [a; P];
        for p in 0..P {
            rows[p] = a.wrapping_add(p * if TURNED { 1 } else { a_pitch });
        }
        for k in 0..depth {
            let b = b.wrapping_add(k * b_pitch);
            let mut columns = [s.splat(0.0); V];
            for v in 0..V {
                if !TURNED {
                    s.prefetch(b.wrapping_add(AHEAD * b_pitch + v * S::LANES));
                }
                // Safety: the caller of `Product::run` vouches for `b`.
                columns[v] = unsafe { s.load(b.add(v * S::LANES)) };
            }
            for p in 0..P {
                // Safety: the caller of `Product::run` vouches for `a`.
                let value = s.splat(unsafe { *rows[p].add(if TURNED { k * a_pitch } else { k }) });
                for v in 0..V {
                    sums[p][v] = s.fma(value, columns[v], sums[p][v]);
                }
            }
        }
        for p in 0..P {
            for v in 0..V {
                // Safety: the caller of `Product::run` vouches for `out`.
                unsafe { s.store(sums[p][v], out.add(p * out_pitch + v * S::LANES)) };
            }
        }
    }
}
