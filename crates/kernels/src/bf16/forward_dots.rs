//! A piece of a convolution as dot products: up to 14 pixels by 32 channels, of which each finds its terms on its own, so that
//! nothing is computed in vain.

use super::dots::{Dots, MOST};
use super::forward::{Piece, Sums, padded};
use super::product::{STEP, TILE};
use crate::simd::{Kernel, Simd};

pub(super) struct AsDots<'a>(pub(super) Piece<'a>);

impl Kernel for AsDots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(piece) = &self;
        let Piece { job, block, panels, .. } = piece;
        let (g, walk) = (&job.g, &job.walk);
        let pixels = block.rows.len() * g.out_w;
        let tiles = pixels.div_ceil(MOST);
        let (len, run) = (job.plan.steps() * 2 * TILE, walk.depth.div_ceil(STEP) * 2 * TILE);
        let mut sums = Sums::default();
        for panel in panels.clone() {
            // Also the bounds of what the products read.
            let weights = &job.prepared[panel * len..][..len];
            let bias = padded(job.epilogue.bias, panel);
            let dots = Dots {
                left_step: STEP,
                right_step: 2 * TILE,
                right: [weights.as_ptr(), weights[TILE..].as_ptr()],
                runs: g.kernel[0] * walk.runs,
                pairs: job.plan.terms().div_ceil(2),
                run: |i: usize| [piece.below(i / walk.runs) + i % walk.runs * walk.run, i * run],
                sums: sums.0.as_mut_ptr(),
                adds: false,
            };
            for (i, image) in block.images.clone().enumerate() {
                for tile in 0..tiles {
                    let wanted = tile * pixels / tiles..(tile + 1) * pixels / tiles;
                    let mut from = [std::ptr::null(); MOST];
                    let (mut row, mut column) = (wanted.start / g.out_w, wanted.start % g.out_w);
                    for from in &mut from[..wanted.len()] {
                        *from = piece.slot(i, image, row * walk.span + column);
                        column += 1;
                        if column == g.out_w {
                            (row, column) = (row + 1, 0);
                        }
                    }
                    // Safety: pixels of the block, under every kernel row, the weights cut above, and room for as many rows.
                    unsafe { dots.sum(s, &from[..wanted.len()]) };
                    piece.write(s, image, wanted, g.out_w, panel, &bias, &sums.0);
                }
            }
        }
    }
}
