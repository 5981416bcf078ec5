//! The inner loop: two left tiles by two right tiles, four sums, over any number of steps of 32 terms.

use super::tiles::{ROW, Tiles};
use crate::simd::Simd;

/// Words of 16 bits of a right tile, and of a left one whose rows follow each other.
pub(super) const TILE: usize = 512;

/// Terms of a step.
pub(super) const STEP: usize = 32;

/// Words of a cache line.
pub(super) const LINE: usize = 32;

/// Where two operands' tiles lie: the tiles' starts, the words from one row to the next, and from one step to the next.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) starts: [*const u16; 2],
    pub(super) pitch: usize,
    pub(super) step: usize,
}

impl Operand {
    /// Tile `i` at some step.
    #[inline(always)]
    fn at(&self, i: usize, step: usize) -> *const u8 {
        self.starts[i].wrapping_add(step * self.step).cast()
    }
}

/// Adds to sums 0 and 1 the products of the first left tile with both right ones, and to 2 and 3 those of the second.
/// `FAR` asks for right tiles two steps before they are read: they come from beyond the second-level cache.
///
/// # Safety
/// Both operands' tiles can be read in each of the steps.
#[inline(always)]
pub(super) unsafe fn products<S: Simd, T: Tiles, const FAR: bool>(
    s: S,
    tiles: &mut T,
    left: Operand,
    right: Operand,
    steps: usize,
) {
    let (left_pitch, right_pitch) = (2 * left.pitch, 2 * right.pitch);
    for step in 0..steps {
        let soon = right.at(0, step + 2);
        // Safety: the caller vouches for the tiles.
        unsafe {
            tiles.load::<6>(right.at(0, step), right_pitch);
            tiles.load::<4>(left.at(0, step), left_pitch);
            tiles.dot::<0, 4, 6>();
            ahead::<S, FAR>(s, soon, 0);
            tiles.load::<7>(right.at(1, step), right_pitch);
            tiles.dot::<1, 4, 7>();
            ahead::<S, FAR>(s, soon, 1);
            tiles.load::<5>(left.at(1, step), left_pitch);
            tiles.dot::<2, 5, 6>();
            ahead::<S, FAR>(s, soon, 2);
            tiles.dot::<3, 5, 7>();
            ahead::<S, FAR>(s, soon, 3);
        }
    }
}

/// Asks for a quarter of the two tiles that lie side by side from `soon` on.
#[inline(always)]
fn ahead<S: Simd, const FAR: bool>(s: S, soon: *const u8, quarter: usize) {
    if FAR {
        for line in 0..8 {
            s.prefetch(soon.wrapping_add((quarter * 8 + line) * ROW).cast());
        }
    }
}

/// Zeros the four sums.
#[inline(always)]
pub(super) fn zero<T: Tiles>(tiles: &mut T) {
    tiles.zero::<0>();
    tiles.zero::<1>();
    tiles.zero::<2>();
    tiles.zero::<3>();
}

/// Loads the four sums from 32 rows of 32 floats, the second pair of tiles from row 16 on.
///
/// # Safety
/// The rows that tiles have can be read.
#[inline(always)]
pub(super) unsafe fn load<T: Tiles>(tiles: &mut T, from: *const f32) {
    let (from, second) = (from.cast::<u8>(), 32 * ROW);
    // Safety: as the caller vouches.
    unsafe {
        tiles.load::<0>(from, 2 * ROW);
        tiles.load::<1>(from.wrapping_add(ROW), 2 * ROW);
        tiles.load::<2>(from.wrapping_add(second), 2 * ROW);
        tiles.load::<3>(from.wrapping_add(second + ROW), 2 * ROW);
    }
}

/// Stores the four sums, as [`load`] reads them.
///
/// # Safety
/// The rows that tiles have can be written.
#[inline(always)]
pub(super) unsafe fn store<T: Tiles>(tiles: &T, to: *mut f32) {
    let (to, second) = (to.cast::<u8>(), 32 * ROW);
    // Safety: as the caller vouches.
    unsafe {
        tiles.store::<0>(to, 2 * ROW);
        tiles.store::<1>(to.wrapping_add(ROW), 2 * ROW);
        tiles.store::<2>(to.wrapping_add(second), 2 * ROW);
        tiles.store::<3>(to.wrapping_add(second + ROW), 2 * ROW);
    }
}
