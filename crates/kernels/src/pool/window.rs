//! The maximum of one window of pixels, each channel's own. The first maximum wins, NaN beats numbers.

use crate::rows::{Column, Columns, across};
use crate::simd::Simd;
use std::ops::Range;

/// The cells of one window that lie inside x.
pub(super) struct Window {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// The number of the first cell.
    pub(super) first: f32,
    /// By how much the numbers of cells below each other differ.
    pub(super) width: usize,
    /// Columns that will be read soon.
    pub(super) ahead: Range<usize>,
}

impl Window {
    /// Assigns the maximum of each channel to `y`, and with SWITCHES the winner's number to `switches`. `image` has rows of
    /// `w` pixels; a window of no cells gives −∞.
    #[inline(always)]
    pub(super) fn maximum<S: Simd, const SWITCHES: bool>(
        &self,
        s: S,
        image: &[f32],
        w: usize,
        y: &mut [f32],
        switches: &mut [u16],
    ) {
        if self.rows.is_empty() || self.columns.is_empty() {
            y.fill(f32::NEG_INFINITY);
            switches.fill(0);
            return;
        }
        across::<S, 1>(s, 0, y.len(), &mut Maximum::<SWITCHES> { window: self, image, w, y, switches });
    }
}

struct Maximum<'a, const SWITCHES: bool> {
    window: &'a Window,
    image: &'a [f32],
    w: usize,
    y: &'a mut [f32],
    switches: &'a mut [u16],
}

/// The maximum so far, its cell, and the cell whose turn it is.
#[derive(Clone, Copy)]
struct Race<V> {
    best: V,
    winner: V,
    cell: V,
}

impl<const SWITCHES: bool> Maximum<'_, SWITCHES> {
    /// Takes `N` neighbours from `pixel` on: a row of a small window is unrolled.
    #[inline(always)]
    fn challenge<S: Simd, const N: usize>(
        &self,
        s: S,
        at: Column<1>,
        pixel: usize,
        mut so_far: Race<S::Vector>,
    ) -> Race<S::Vector> {
        for i in 0..N {
            let x = at.of(pixel + i).one(s, self.image);
            let wins = s.beats(x, so_far.best);
            so_far.best = s.select(wins, x, so_far.best);
            if SWITCHES {
                so_far.winner = s.select(wins, so_far.cell, so_far.winner);
                so_far.cell = s.add(so_far.cell, s.splat(1.0));
            }
        }
        so_far
    }
}

impl<const SWITCHES: bool> Columns for Maximum<'_, SWITCHES> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let Window { rows, columns, first, width, ahead } = self.window;
        let to_next_row = s.splat((width - columns.len()) as f32);
        // The first cell loses against itself.
        let best = at.of(rows.start * self.w + columns.start).one(s, self.image);
        let cell = s.splat(*first);
        let mut so_far = Race { best, winner: cell, cell };
        for iy in rows.clone() {
            let line = iy * self.w;
            for ix in ahead.clone() {
                at.of(line + ix).prefetch(self.image);
            }
            let start = line + columns.start;
            match columns.len() {
                3 => so_far = self.challenge::<S, 3>(s, at.of(start), start, so_far),
                2 => so_far = self.challenge::<S, 2>(s, at.of(start), start, so_far),
                _ => {
                    for pixel in start..line + columns.end {
                        so_far = self.challenge::<S, 1>(s, at.of(start), pixel, so_far);
                    }
                }
            }
            so_far.cell = s.add(so_far.cell, to_next_row);
        }
        let Race { best, winner, .. } = so_far;
        at.set_constant(s, best, self.y);
        if SWITCHES {
            at.set_integer(s, winner, self.switches);
        }
    }
}
