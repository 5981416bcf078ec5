//! The operations of AMX-BF16 on tiles, and the same in plain Rust (Intel, *Software Developer's Manual*, volume 2,
//! `TDPBF16PS`), which every machine runs and tests rely on.
//!
//! A tile has up to 16 rows of 64 bytes: 16 floats, or 32 bf16. Tiles 0 to 3 hold sums, 4 and 5 left operands, whose rows are
//! 32 terms each, 6 and 7 right operands, whose row k has terms 2 k and 2 k + 1 of 16 columns side by side.

/// Bytes of a tile's row.
pub(super) const ROW: usize = 64;

/// Eight tiles of one thread; for as long as they live, a thread has no others.
pub(super) trait Tiles {
    /// Tiles 0 to 5 of `rows` rows, 6 and 7 of 16. What they hold is undefined.
    ///
    /// # Safety
    /// `rows` is from 1 to 16, and the machine has such tiles ([`super::amx::granted`] for its own).
    unsafe fn new(rows: usize) -> Self;
    /// Zeros tile `T`.
    fn zero<const T: usize>(&mut self);
    /// Loads tile `T`, its rows `pitch` bytes apart.
    ///
    /// # Safety
    /// [`ROW`] bytes of each row can be read.
    unsafe fn load<const T: usize>(&mut self, from: *const u8, pitch: usize);
    /// Adds to the sums `C` the products of `A` and `B`.
    fn dot<const C: usize, const A: usize, const B: usize>(&mut self);
    /// Stores tile `T`, its rows `pitch` bytes apart.
    ///
    /// # Safety
    /// [`ROW`] bytes of each row can be written.
    unsafe fn store<const T: usize>(&self, to: *mut u8, pitch: usize);
}

/// Tiles in memory. Sums are those of the machine, bit for bit, as long as no product or sum is below 2⁻¹²⁶ or overflows: a
/// product of two bf16 is exact as a float, so that it makes no difference that the machine multiplies and adds in one.
pub(super) struct Emulated {
    rows: usize,
    /// Rows of sixteen words of 32 bits.
    tiles: [[[u32; 16]; 16]; 8],
}

/// Rows of tile `tile`.
fn rows_of(rows: usize, tile: usize) -> usize {
    if tile < 6 { rows } else { 16 }
}

/// A float as the tiles take and give it, denormals being zeros of their sign.
#[inline(always)]
fn flushed(v: f32) -> f32 {
    if v.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(v) } else { v }
}

/// The first and the second bf16 of a pair, in the order of their addresses on the machines that have tiles.
#[inline(always)]
fn pair(word: u32) -> [f32; 2] {
    [f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000)].map(flushed)
}

impl Tiles for Emulated {
    #[inline(always)]
    unsafe fn new(rows: usize) -> Self {
        Self { rows, tiles: [[[0; 16]; 16]; 8] }
    }

    #[inline(always)]
    fn zero<const T: usize>(&mut self) {
        self.tiles[T] = [[0; 16]; 16];
    }

    #[inline(always)]
    unsafe fn load<const T: usize>(&mut self, from: *const u8, pitch: usize) {
        for r in 0..rows_of(self.rows, T) {
            // Safety: the caller vouches for the bytes of each row.
            self.tiles[T][r] = unsafe { from.add(r * pitch).cast::<[u32; 16]>().read_unaligned() };
        }
    }

    /// Terms of even and of odd place are summed apart, from zero, before they are added to what is there.
    #[inline(always)]
    fn dot<const C: usize, const A: usize, const B: usize>(&mut self) {
        let mut right = [[[0.0; 16]; 2]; 16];
        for k in 0..16 {
            for n in 0..16 {
                [right[k][0][n], right[k][1][n]] = pair(self.tiles[B][k][n]);
            }
        }
        for m in 0..self.rows {
            let mut sums = [[0.0_f32; 16]; 2];
            for k in 0..16 {
                let left = pair(self.tiles[A][m][k]);
                for half in 0..2 {
                    for n in 0..16 {
                        sums[half][n] = flushed(left[half] * right[k][half][n] + sums[half][n]);
                    }
                }
            }
            for n in 0..16 {
                let before = flushed(f32::from_bits(self.tiles[C][m][n]));
                self.tiles[C][m][n] = flushed(before + flushed(sums[0][n] + sums[1][n])).to_bits();
            }
        }
    }

    #[inline(always)]
    unsafe fn store<const T: usize>(&self, to: *mut u8, pitch: usize) {
        for r in 0..rows_of(self.rows, T) {
            // Safety: the caller vouches for the bytes of each row.
            unsafe { to.add(r * pitch).cast::<[u32; 16]>().write_unaligned(self.tiles[T][r]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::amx::{self, Amx};
    use crate::bf16::{narrowed, widened};
    use crate::reference::random;

    /// Two tiles of operands, with zeros of both signs, denormals and infinities where `wild`.
    fn operands(seed: u64, wild: bool) -> Vec<u16> {
        let mut words: Vec<u16> = random(seed, 1024).iter().map(|&v| narrowed(v)).collect();
        if wild {
            words.iter_mut().step_by(7).for_each(|w| *w = 0x0040);
            words.iter_mut().step_by(11).for_each(|w| *w = 0x8000);
            words[5] = 0x7f80;
        }
        words
    }

    /// Starts with sums of `random`, and adds the product of two tiles twice.
    fn products<T: Tiles>(rows: usize, operands: &[u16], start: &[f32]) -> Vec<f32> {
        let mut out = vec![7.0_f32; 17 * 16];
        // Safety: operands are 1024 words, sums 256 and 272 floats, rows at most 16, and the tests ask for the machine's own
        // tiles only where they are granted.
        unsafe {
            let mut tiles = T::new(rows);
            tiles.load::<2>(start.as_ptr().cast(), ROW);
            tiles.load::<5>(operands.as_ptr().cast(), ROW);
            tiles.load::<6>(operands[512..].as_ptr().cast(), ROW);
            tiles.dot::<2, 5, 6>();
            tiles.dot::<2, 5, 6>();
            tiles.store::<2>(out.as_mut_ptr().cast(), ROW);
        }
        out
    }

    /// The manual's text, with fused multiply-adds.
    fn manual(rows: usize, operands: &[u16], start: &[f32]) -> Vec<f32> {
        let (a, b) = operands.split_at(512);
        let mut out = vec![7.0; 17 * 16];
        out[..rows * 16].copy_from_slice(&start[..rows * 16]);
        for _ in 0..2 {
            for (m, n) in (0..rows).flat_map(|m| (0..16).map(move |n| (m, n))) {
                let sum = |odd: usize| {
                    (0..16).fold(0.0_f32, |sum, k| {
                        widened(a[m * 32 + 2 * k + odd]).mul_add(widened(b[k * 32 + 2 * n + odd]), sum)
                    })
                };
                out[m * 16 + n] += sum(0) + sum(1);
            }
        }
        out
    }

    #[test]
    fn emulated_products_are_those_of_the_manual() {
        for rows in [1, 2, 7, 14, 16] {
            let (words, start) = (operands(rows as u64, false), random(9, 256));
            assert_eq!(products::<Emulated>(rows, &words, &start), manual(rows, &words, &start), "{rows} rows");
        }
    }

    #[test]
    fn denormals_are_zero() {
        let mut words = vec![0x0040; 1024];
        words[512..].fill(narrowed(2.0_f32.powi(100)));
        let out = products::<Emulated>(16, &words, &[1e-40; 256]);
        assert_eq!(out[..256], [0.0; 256]);
    }

    #[test]
    #[ignore = "needs a machine with AMX-BF16"]
    fn the_machines_tiles_are_the_emulated_ones() {
        assert!(amx::granted(), "this machine has no AMX-BF16, or its system does not grant it");
        for (rows, wild) in (1..=16).flat_map(|rows| [(rows, false), (rows, true)]) {
            let (words, start) = (operands(rows as u64, wild), random(9, 256));
            let (found, expected) = (products::<Amx>(rows, &words, &start), products::<Emulated>(rows, &words, &start));
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let same = found == expected || (found.is_nan() && expected.is_nan());
                assert!(same, "{rows} rows: sum {i} is {found}, emulated {expected}");
            }
        }
    }
}
