//! A piece of a convolution on matrix tiles: two of up to 16 slots each by two of 16 channels. Places between rows of pixels are
//! slots too, computed in vain.

use super::convolution::PANEL;
use super::forward::{Job, Piece, Sums, padded};
use super::product::{LINE, Operand, STEP, TILE, products, store, zero};
use super::tiles::Tiles;
use crate::simd::{Kernel, Simd};
use std::marker::PhantomData;

pub(super) struct OnTiles<'a, T>(pub(super) Piece<'a>, pub(super) PhantomData<T>);

impl<T: Tiles> Kernel for OnTiles<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Piece { job, block, panels, .. } = &self.0;
        let (g, walk) = (&job.g, &job.walk);
        let slots = (block.rows.len() - 1) * walk.span + g.out_w;
        // As many tiles of slots as two at a time need, as even as possible.
        let count = slots.div_ceil(16).next_multiple_of(2);
        let rows = slots.div_ceil(count);
        // Safety: from 1 to 16 rows; `run` asked whether the machine has tiles.
        let mut tiles = unsafe { T::new(rows) };
        let mut sums = Sums::default();
        let weights = job.plan.steps() * 2 * TILE;
        for panel in panels.clone() {
            // Also the bounds of what the products read.
            let weights = &job.prepared[panel * weights..][..weights];
            let bias = padded(job.epilogue.bias, panel);
            for (i, image) in block.images.clone().enumerate() {
                for first in (0..count * rows).step_by(2 * rows) {
                    // The last tile may start earlier, and find again what the one before found.
                    let starts = [first, first + rows].map(|slot| slot.min(slots - rows));
                    let from = starts.map(|start| self.0.slot(i, image, start));
                    // Safety: slots of the block, under every kernel row, and the weights cut above.
                    unsafe {
                        if job.plan.is_far() {
                            self.sum::<S, true>(s, &mut tiles, from, weights);
                        } else {
                            self.sum::<S, false>(s, &mut tiles, from, weights);
                        }
                        store(&tiles, sums.0.as_mut_ptr());
                    }
                    for (half, start) in starts.into_iter().enumerate() {
                        let wanted = (first + half * rows).min(slots)..(first + (half + 1) * rows).min(slots);
                        let sums = &sums.0[(half * 16 + wanted.start - start.min(wanted.start)) * PANEL..];
                        self.0.write(s, image, wanted, walk.span, panel, &bias, sums);
                    }
                }
            }
        }
    }
}

impl<T: Tiles> OnTiles<'_, T> {
    /// Sums the products of the slots from two places on with a panel's weights.
    ///
    /// # Safety
    /// As many slots as tiles have rows can be read from each place on, under every kernel row, and `weights` are a panel's.
    #[inline(always)]
    unsafe fn sum<S: Simd, const FAR: bool>(&self, s: S, tiles: &mut T, from: [*const u16; 2], weights: &[u16]) {
        let Job { g, walk, .. } = self.0.job;
        let steps = walk.depth / STEP;
        let mut right = weights.as_ptr();
        zero(tiles);
        for ky in 0..g.kernel[0] {
            let below = self.0.below(ky);
            for run in 0..walk.runs {
                let starts = from.map(|from| from.wrapping_add(below + run * walk.run));
                let left = Operand { starts, pitch: walk.slot, step: STEP };
                let starts = [right, right.wrapping_add(TILE)];
                let weights = Operand { starts, pitch: LINE, step: 2 * TILE };
                // Safety: as the caller vouches.
                unsafe { products::<S, T, FAR>(s, tiles, left, weights, steps) };
                right = right.wrapping_add(steps * 2 * TILE);
            }
        }
    }
}
