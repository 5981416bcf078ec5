//! The operands of a weight gradient, whose terms are pixels: pairs of neighbouring ones side by side in strips of 16 channels.
//! Those of x are right tiles as they are; those of dy are turned to left tiles, whose rows are channels.
//!
//! Rows follow each other, of `span` slots, which is even, so that kernel rows shift x by whole pairs.

use super::frame::{Frame, put_row};
use super::product::{LINE, STEP, TILE};
use super::weight_gradient::PANEL;
use crate::simd::Simd;
use std::ops::Range;

/// Channels of a strip.
const STRIP: usize = 16;

const _: () = assert!(PANEL == 2 * STRIP && LINE == 2 * STRIP && STEP == 2 * STRIP);

/// What a pixel's kernel row sees, of some panels of its columns' channels, in the rows that a block needs of an image.
pub(super) struct Inputs<'a> {
    pub(super) x: &'a [u16],
    pub(super) frame: Frame<'a>,
    pub(super) image: usize,
    pub(super) span: usize,
    pub(super) panels: Range<usize>,
}

impl Inputs<'_> {
    /// Words of a strip: its pairs of slots, and those that a last step reads beyond them, which are zero.
    pub(super) fn strip(frame: &Frame<'_>, span: usize) -> usize {
        (frame.len() * span / 2 + STEP / 2) * LINE
    }

    /// Words of `panels` panels.
    pub(super) fn len(frame: &Frame<'_>, span: usize, panels: usize) -> usize {
        2 * panels * Self::strip(frame, span)
    }

    /// Writes the strips to `to`.
    ///
    /// # Safety
    /// `to` has room for [`Inputs::len`] words and `line` for `line_len`, which every slot's kernel row lies in, to the end of the
    /// last panel; nobody else holds them.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, line: *mut u16, line_len: usize, to: *mut u16) {
        let g = self.frame.g;
        let (pairs, len) = (self.span / 2, Self::strip(&self.frame, self.span));
        let (step, strips) = (g.stride[1] * g.c_in, 2 * self.panels.start..2 * self.panels.end);
        assert!((self.span - 1) * step + strips.end * STRIP <= line_len, "a line of {line_len} words");
        for i in 0..self.frame.len() {
            let row = self.frame.row(self.x, self.image, i);
            // Safety: the caller vouches for the line.
            put_row(row, g.pad[1] * g.c_in, unsafe { std::slice::from_raw_parts_mut(line, line_len) });
            for (strip, first) in strips.clone().enumerate() {
                let to = to.wrapping_add(strip * len + i * pairs * LINE);
                for pair in 0..pairs {
                    let a = line.wrapping_add(2 * pair * step + first * STRIP).cast_const();
                    // Safety: both slots lie in the line, as asserted; the pair in row i of the strip.
                    unsafe {
                        to.add(pair * LINE)
                            .cast::<[u32; STRIP]>()
                            .write_unaligned(paired(words(a), words(a.add(step))));
                    }
                }
            }
        }
        for strip in 0..strips.len() {
            // Safety: the end of the strip.
            unsafe { to.wrapping_add((strip + 1) * len - STEP / 2 * LINE).write_bytes(0, STEP / 2 * LINE) };
        }
    }
}

/// The gradients of a block's pixels of an image, of some panels of channels.
pub(super) struct Outputs<'a> {
    pub(super) dy: &'a [u16],
    pub(super) frame: Frame<'a>,
    pub(super) image: usize,
    pub(super) span: usize,
    pub(super) panels: Range<usize>,
}

impl Outputs<'_> {
    /// Words of a strip of `slots` slots, in whole steps.
    pub(super) fn strip(slots: usize) -> usize {
        slots.div_ceil(STEP) * TILE
    }

    /// Words of `panels` panels.
    pub(super) fn len(slots: usize, panels: usize) -> usize {
        2 * panels * Self::strip(slots)
    }

    /// Writes the strips to `to`, whose slots that are no pixels, and channels beyond the last, are zero.
    ///
    /// # Safety
    /// `to`, on a cache line, has room for [`Outputs::len`] words, and nobody else holds it.
    #[inline(always)]
    pub(super) unsafe fn fill<S: Simd>(&self, s: S, to: *mut u16) {
        let g = self.frame.g;
        let slots = self.frame.rows * self.span;
        let image = (self.image * g.out_h + self.frame.first) * g.out_w * g.c_out;
        let image = &self.dy[image..][..self.frame.rows * g.out_w * g.c_out];
        for (strip, first) in (2 * self.panels.start..2 * self.panels.end).enumerate() {
            let channels = g.c_out.saturating_sub(first * STRIP).min(STRIP);
            let (mut row, mut column) = (0, 0);
            for step in 0..slots.div_ceil(STEP) {
                let mut lines = [[0_u32; STRIP]; STEP / 2];
                if channels > 0 {
                    for line in &mut lines {
                        if row == self.frame.rows {
                            break;
                        }
                        let at = (row * g.out_w + column) * g.c_out + first * STRIP;
                        let a = some_words(&image[at..][..channels]);
                        let b = if column + 1 < g.out_w {
                            some_words(&image[at + g.c_out..][..channels])
                        } else {
                            [0; STRIP]
                        };
                        *line = paired(a, b);
                        column += 2;
                        if column == self.span {
                            (row, column) = (row + 1, 0);
                        }
                    }
                }
                let to = to.wrapping_add(strip * Self::strip(slots) + step * TILE);
                // Safety: a tile of the strip.
                unsafe { turn(s, &lines, to.cast()) };
            }
        }
    }
}

/// Sixteen words.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn words(from: *const u16) -> [u16; STRIP] {
    // Safety: as the caller vouches.
    unsafe { from.cast::<[u16; STRIP]>().read_unaligned() }
}

/// At most sixteen words, and zeros.
#[inline(always)]
fn some_words(from: &[u16]) -> [u16; STRIP] {
    if let Ok(words) = from.try_into() {
        return words;
    }
    let mut words = [0; STRIP];
    words[..from.len()].copy_from_slice(from);
    words
}

/// Words of two slots side by side.
#[inline(always)]
fn paired(a: [u16; STRIP], b: [u16; STRIP]) -> [u32; STRIP] {
    let mut pairs = [0; STRIP];
    for i in 0..STRIP {
        pairs[i] = u32::from(a[i]) | u32::from(b[i]) << 16;
    }
    pairs
}

/// Writes sixteen rows of sixteen pairs to `to`, rows becoming columns.
///
/// # Safety
/// 256 pairs at `to`, which is aligned for them, can be written.
#[inline(always)]
unsafe fn turn<S: Simd>(s: S, lines: &[[u32; STRIP]; STRIP], to: *mut f32) {
    let from = lines.as_flattened().as_ptr().cast::<f32>();
    let mut square = [0.0_f32; STRIP * STRIP];
    for (r, c) in (0..STRIP).step_by(S::LANES).flat_map(|r| (0..STRIP).step_by(S::LANES).map(move |c| (r, c))) {
        // Safety: squares of the lines and of `to`. Floats are moved only, whatever their bits.
        unsafe {
            let from = from.add(r * STRIP + c);
            if S::LANES == STRIP {
                s.turn(from, STRIP, STRIP, STRIP, to);
            } else {
                s.turn(from, STRIP, S::LANES, S::LANES, square.as_mut_ptr());
                for (i, row) in square.chunks_exact(S::LANES).take(S::LANES).enumerate() {
                    std::ptr::copy_nonoverlapping(row.as_ptr(), to.add((c + i) * STRIP + r), S::LANES);
                }
            }
        }
    }
}
