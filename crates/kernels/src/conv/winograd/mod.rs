//! Winograd's convolutions F(2×2, 3×3) and F(4×4, 3×3) (Lavin and Gray 2016, arXiv:1509.09308): tiles of x and the weights are
//! transformed, multiplied frequency by frequency, and transformed back, with 2.25 or 4 times fewer products.
//!
//! Tiles of 2 × 2 or 4 × 4 outputs start at the output's corner; coordinates outside x read as zeros, so that nothing
//! beyond the border is ever touched, and tiles that reach over the output's edge write only what exists.
//!
//! **Rounding.** Largest error over the root mean square of the result, of normal data and up to 512 channels: 4e-6 for
//! F(2×2), 1.5e-5 for F(4×4) and its weight gradient, which tests hold.

mod forward;
mod gradient;
#[cfg(test)]
mod tests;
mod tiles;
mod transforms;
mod weights;

pub use gradient::WinogradGradient;

use super::product::panel;
use super::{ConvGeometry, Destination, Epilogue};
use crate::{Cpu, Isa};
use tiles::{Rows, Tiles};

/// A 3×3 convolution of stride 1 by Winograd's algorithm, and how its work is cut, which follows from the shape alone.
#[derive(Clone, Copy, Debug)]
pub struct Winograd {
    isa: Isa,
    g: ConvGeometry,
    /// Output pixels along a side of a tile, 2 or 4.
    size: usize,
    /// Floats of a vector, and vectors of a panel of output channels.
    lanes: usize,
    widest: usize,
    /// Whether each piece transforms its own tiles, or tiles are transformed for all panels of a chunk first.
    private: bool,
    /// Tiles that are transformed before products begin, at most.
    chunk: usize,
    /// Tiles of a piece, at most.
    block: usize,
}

/// Whether Winograd's algorithm computes this convolution.
fn applies(g: &ConvGeometry) -> bool {
    g.kernel == [3, 3] && g.stride == [1, 1] && g.dilation == [1, 1] && g.groups == 1 && g.c_in > 0 && g.c_out > 0
}

impl Winograd {
    /// F(`size` × `size`, 3×3) for `g`, or `None` where it does not apply: `size` is 2 or 4, the kernel 3×3, stride,
    /// dilation and groups 1. Any padding.
    pub fn new(isa: Isa, g: &ConvGeometry, size: usize) -> Option<Self> {
        /// Floats of transformed tiles and of products that a piece works on: part of a second-level cache.
        const CACHED: usize = 128 << 10;
        /// Tiles of a piece that are worth the reading of weights, and beyond which no more is won.
        const LEAST: usize = 12;
        const MOST: usize = 24;
        /// Floats of transformed weights above which they are read too slowly to be read for every few tiles.
        const LARGE: usize = 4 << 20;
        /// Floats of transformed tiles that are shared: part of a third-level cache.
        const SHARED: usize = 2 << 20;
        /// Pieces to aim for, so that no core idles long at the end.
        const PIECES: usize = 16;
        if !applies(g) || !matches!(size, 2 | 4) {
            return None;
        }
        let (lanes, widest) = panel(isa);
        let frequencies = (size + 2) * (size + 2);
        let tiles = Tiles::new(g, size).count();
        let per_tile = frequencies * (Rows::new(1, g.c_in).tile + widest * lanes);
        let block = (CACHED / per_tile).min(tiles / PIECES).clamp(LEAST, MOST);
        let large = frequencies * g.c_in * g.c_out > LARGE;
        let private = !large && tiles >= PIECES * block;
        let mut this = Self { isa, g: *g, size, lanes, widest, private, chunk: tiles.max(1), block };
        if !private {
            this.chunk = (SHARED / (frequencies * g.c_in) / 12 * 12).max(48).min(this.chunk);
            // Enough pieces where there are tiles for them; each reads its panels' weights.
            let split = PIECES.div_ceil(this.panels());
            this.block = this.chunk.div_ceil(split).clamp(12, 72);
        }
        Some(this)
    }

    /// The same for another number of images, its work cut alike.
    pub(in crate::conv) fn batch(self, n: usize) -> Self {
        Self { g: ConvGeometry { n, ..self.g }, ..self }
    }

    /// Floats of transformed weights, whatever the number of images.
    pub fn prepared_len(&self) -> usize {
        self.frequencies() * self.g.c_in * self.vectors() * self.lanes
    }

    /// Transforms `weight (c_out, c_in, 3, 3)`, each output channel times its `scale` if given, to `prepared`.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn prepare(&self, cpu: &Cpu, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [f32]) {
        assert!(scale.is_none_or(|s| s.len() == self.g.c_out), "a scale for each of {} outputs", self.g.c_out);
        weights::prepare(self, cpu, weight, scale, false, prepared);
    }

    /// As [`Winograd::prepare`] for a data gradient: `self` is of the turned geometry, `weight` the forward convolution's
    /// (its `c_out` = our `c_in`, its `c_in` = our `c_out`, 3, 3).
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn prepare_turned(&self, cpu: &Cpu, weight: &[f32], prepared: &mut [f32]) {
        weights::prepare(self, cpu, weight, None, true, prepared);
    }

    /// Floats of scratch that [`Winograd::run`] needs with so many threads.
    pub fn scratch(&self, threads: usize) -> usize {
        let inputs = if self.private { threads } else { 1 };
        self.zeros_len() + inputs * self.inputs_len() + threads * self.products_len()
    }

    /// Blocks of moments that a run gathers.
    pub fn moment_blocks(&self) -> usize {
        self.chunks() * self.blocks()
    }

    /// Assigns or adds to `to` the convolution of `x (n, h, w, c_in)` with prepared weights. Moments are of the sums plus
    /// bias, and can be had only where neither residual nor activation nor what is there already changes those.
    ///
    /// # Panics
    /// If a length contradicts the geometry, or moments are asked for together with what excludes them.
    pub fn run(
        &self,
        cpu: &Cpu,
        x: &[f32],
        prepared: &[f32],
        epilogue: &Epilogue<'_>,
        to: Destination<'_>,
        scratch: &mut [f32],
    ) {
        match self.size {
            2 => forward::run::<2, 4>(self, cpu, x, prepared, epilogue, to, scratch),
            _ => forward::run::<4, 6>(self, cpu, x, prepared, epilogue, to, scratch),
        }
    }

    /// Multiply-adds done, for comparison with other algorithms: those of the products, with tiles that reach over the edge
    /// and lanes beyond the last channel; 8 for each transformed input and 7 for each product transformed back, which is
    /// what transforms were measured to take; and 8 for each prepared weight in every pass over those, for reading them
    /// from memory.
    pub fn cost(&self) -> f64 {
        let (frequencies, tiles) = (self.frequencies() as f64, self.tiles().count() as f64);
        let outputs = (self.vectors() * self.lanes) as f64;
        let inputs = (self.g.c_in.div_ceil(self.lanes) * self.lanes) as f64;
        let products = tiles * frequencies * self.g.c_in as f64 * outputs;
        let transforms = tiles * frequencies * (8.0 * inputs + 7.0 * outputs);
        let passes = if self.private { 1 } else { self.chunks() };
        products + transforms + 8.0 * (passes * self.prepared_len()) as f64
    }

    fn frequencies(&self) -> usize {
        (self.size + 2) * (self.size + 2)
    }

    fn tiles(&self) -> Tiles {
        Tiles::new(&self.g, self.size)
    }

    /// Vectors of output channels.
    fn vectors(&self) -> usize {
        self.g.c_out.div_ceil(self.lanes)
    }

    fn panels(&self) -> usize {
        self.vectors().div_ceil(self.widest)
    }

    /// The first vector of a panel, and how many it has.
    fn panel(&self, index: usize) -> (usize, usize) {
        let first = index * self.widest;
        (first, self.widest.min(self.vectors() - first))
    }

    fn chunks(&self) -> usize {
        self.tiles().count().div_ceil(self.chunk)
    }

    /// Blocks of a chunk.
    fn blocks(&self) -> usize {
        self.tiles().count().div_ceil(self.chunks().max(1)).div_ceil(self.block)
    }

    /// Rows of transformed input: of a piece's tiles, or of a chunk's.
    fn rows(&self) -> Rows {
        Rows::new(if self.private { self.block } else { self.chunk }, self.g.c_in)
    }

    fn zeros_len(&self) -> usize {
        self.g.c_in.next_multiple_of(16)
    }

    fn inputs_len(&self) -> usize {
        self.frequencies() * self.rows().frequency
    }

    /// Floats of one seat's products: (tiles, frequencies, panel).
    fn products_len(&self) -> usize {
        self.block * self.frequencies() * self.widest * self.lanes
    }
}
