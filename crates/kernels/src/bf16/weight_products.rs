//! Products of strips of dy with strips of x, of all images of a block: on matrix tiles, or as dot products.

use super::dots::{Dots, MOST};
use super::product::{LINE, Operand, STEP, TILE, load, products, store, zero};
use super::tiles::Tiles;
use super::weight_gradient::PANEL;
use crate::simd::Simd;

/// Two strips of each operand, and the 32 by 32 sums of their products.
pub(super) struct Strips {
    /// Channels of dy that there are, at most 32.
    pub(super) rows: usize,
    pub(super) left: [*const u16; 2],
    pub(super) right: [*const u16; 2],
    pub(super) slots: usize,
    pub(super) images: usize,
    /// Words from one image's operands to the next one's.
    pub(super) image: usize,
    pub(super) sums: *mut f32,
    /// Add to what the sums are.
    pub(super) adds: bool,
}

/// A way to sum up products.
pub(super) trait Products {
    /// Assigns the sums of the strips' products, or adds to them; sums of rows that are not there may stay what they were.
    ///
    /// # Safety
    /// The strips are whole, and nobody else has the sums.
    unsafe fn sum<S: Simd>(&mut self, s: S, strips: &Strips);
}

/// A thread's tiles.
pub(super) struct OnTiles<T>(T);

impl<T: Tiles> OnTiles<T> {
    /// # Safety
    /// The machine has such tiles.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        // Safety: 16 rows, and as the caller vouches.
        Self(unsafe { T::new(16) })
    }
}

impl<T: Tiles> Products for OnTiles<T> {
    #[inline(always)]
    unsafe fn sum<S: Simd>(&mut self, s: S, strips: &Strips) {
        let tiles = &mut self.0;
        // Safety: as the caller vouches.
        unsafe {
            if strips.adds {
                load(tiles, strips.sums);
            } else {
                zero(tiles);
            }
            for image in 0..strips.images {
                let of = |starts: [*const u16; 2]| {
                    let starts = starts.map(|start| start.wrapping_add(image * strips.image));
                    Operand { starts, pitch: LINE, step: TILE }
                };
                products::<S, T, false>(s, tiles, of(strips.left), of(strips.right), strips.slots.div_ceil(STEP));
            }
            store(tiles, strips.sums);
        }
    }
}

/// Dot products.
pub(super) struct AsDots;

impl Products for AsDots {
    #[inline(always)]
    unsafe fn sum<S: Simd>(&mut self, s: S, strips: &Strips) {
        let tiles = strips.rows.div_ceil(MOST);
        for tile in 0..tiles {
            let rows = tile * strips.rows / tiles..(tile + 1) * strips.rows / tiles;
            let mut left = [std::ptr::null(); MOST];
            for (left, row) in left.iter_mut().zip(rows.clone()) {
                *left = strips.left[row / 16].wrapping_add(row % 16 * LINE);
            }
            let dots = Dots {
                left_step: TILE,
                right_step: TILE,
                right: strips.right,
                runs: strips.images,
                pairs: strips.slots.div_ceil(2),
                run: |image| [image * strips.image; 2],
                sums: strips.sums.wrapping_add(rows.start * PANEL),
                adds: strips.adds,
            };
            // Safety: as the caller vouches; rows of both strips.
            unsafe { dots.sum(s, &left[..rows.len()]) };
        }
    }
}
