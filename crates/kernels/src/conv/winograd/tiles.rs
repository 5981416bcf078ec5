//! How a map is cut into tiles, and the transform of tiles of x or dy to `(frequency, tile, channel)`.

use super::super::ConvGeometry;
use super::transforms::{Transform, columns, lines};
use crate::simd::Simd;
use std::ops::Range;

/// The tiles of an output map, row by row, image by image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    n: usize,
    out_h: usize,
    out_w: usize,
    size: usize,
}

/// A tile: its image, its first output pixel, and how many of its rows and columns exist.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) image: usize,
    pub(super) y: usize,
    pub(super) x: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl Tiles {
    pub(super) fn new(g: &ConvGeometry, size: usize) -> Self {
        Self { n: g.n, out_h: g.out_h, out_w: g.out_w, size }
    }

    pub(super) fn count(&self) -> usize {
        self.n * self.out_h.div_ceil(self.size) * self.out_w.div_ceil(self.size)
    }

    #[inline(always)]
    pub(super) fn place(&self, tile: usize) -> Place {
        let (rows, cols) = (self.out_h.div_ceil(self.size), self.out_w.div_ceil(self.size));
        let (y, x) = (tile / cols % rows * self.size, tile % cols * self.size);
        Place {
            image: tile / cols / rows,
            y,
            x,
            rows: self.size.min(self.out_h - y),
            cols: self.size.min(self.out_w - x),
        }
    }

    /// Output pixels of some tiles.
    pub(super) fn pixels(&self, tiles: Range<usize>) -> usize {
        tiles.map(|tile| self.place(tile)).map(|p| p.rows * p.cols).sum()
    }
}

/// An NHWC map whose surroundings read as zeros.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) values: &'a [f32],
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) c: usize,
    /// At least `c` zeros.
    pub(super) zeros: &'a [f32],
}

/// Rows of transformed tiles: floats from one tile to the next, and from one frequency to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) tile: usize,
    pub(super) frequency: usize,
}

impl Rows {
    /// Rows of `channels` for at most `tiles` tiles. Both steps are odd numbers of cache lines, so that what is written
    /// together does not fall into the same few sets of a cache.
    pub(super) fn new(tiles: usize, channels: usize) -> Self {
        let odd = |floats: usize| (floats.div_ceil(16) | 1) * 16;
        let tile = odd(channels);
        Self { tile, frequency: odd(tiles * tile) }
    }
}

impl Map<'_> {
    /// Where the pixels of a window that starts at (y, x) stand.
    #[inline(always)]
    fn window<const I: usize>(&self, image: usize, y: usize, x: usize, pad: [usize; 2]) -> [[*const f32; I]; I] {
        let mut window = [[self.zeros.as_ptr(); I]; I];
        for r in 0..I {
            for c in 0..I {
                let (y, x) = ((y + r).wrapping_sub(pad[0]), (x + c).wrapping_sub(pad[1]));
                if y < self.h && x < self.w {
                    window[r][c] = self.values.as_ptr().wrapping_add(((image * self.h + y) * self.w + x) * self.c);
                }
            }
        }
        window
    }

    /// Transforms the window of a tile, `pad` above and to the left of its first pixel, to a row of every frequency.
    ///
    /// # Safety
    /// O² rows of the channels, rounded up to whole vectors, can be written `step` apart from `to` on.
    #[inline(always)]
    pub(super) unsafe fn transform<L: Transform<I, O>, S: Simd, const I: usize, const O: usize>(
        &self,
        s: S,
        at: Place,
        pad: [usize; 2],
        to: *mut f32,
        step: usize,
    ) {
        assert!((at.image + 1) * self.h * self.w * self.c <= self.values.len() && self.zeros.len() >= self.c);
        let window = self.window::<I>(at.image, at.y, at.x, pad);
        let whole = self.c / S::LANES * S::LANES;
        for channel in (0..whole).step_by(S::LANES) {
            // What the tile to the right reads beyond this one's window.
            for r in 0..I {
                for next in 1..O - 1 {
                    s.prefetch(window[r][I - 1].wrapping_add(next * self.c + channel));
                }
            }
            // Safety: a vector of channels from `channel` on exists in every pixel and in the zeros.
            let t = unsafe { columns::<L, S, I, O, true>(s, |r, c| window[r][c].wrapping_add(channel), S::LANES) };
            // Safety: as the caller vouches.
            unsafe { lines::<L, S, I, O>(s, t, to.wrapping_add(channel), step) };
        }
        if whole < self.c {
            // Safety: as above, for the channels that are left.
            let t = unsafe { columns::<L, S, I, O, false>(s, |r, c| window[r][c].wrapping_add(whole), self.c - whole) };
            // Safety: as the caller vouches.
            unsafe { lines::<L, S, I, O>(s, t, to.wrapping_add(whole), step) };
        }
    }
}
