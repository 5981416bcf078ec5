//! SIFT descriptors (Lowe 2004, DOI 10.1023/B:VISI.0000029664.99615.94) on a grid of places instead of keypoints, upright and
//! of one scale: 4×4 cells of 8 orientations. Votes are shared linearly between neighbouring orientations and cells; the
//! Gaussian window, of half a descriptor's width as in the paper, weighs whole cells instead of pixels.

use crate::error::{ClassicError, require};
use crate::matrix::Matrix;
use crate::pictures::Size;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::f64::consts::TAU;
use striate_data::Picture;

/// Cells along a side.
const CELLS: usize = 4;

/// Orientations of a whole turn.
const ORIENTATIONS: usize = 8;

/// Where descriptors are taken, and how large they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DenseSift {
    /// Pixels from one descriptor to the next.
    pub step: usize,
    /// Pixels from the middle of one cell to that of the next.
    pub cell: usize,
}

impl Default for DenseSift {
    fn default() -> Self {
        Self { step: 4, cell: 4 }
    }
}

impl DenseSift {
    /// Values of a descriptor: cells by row and column, orientations.
    pub const LEN: usize = CELLS * CELLS * ORIENTATIONS;

    /// Cells of up to 4 pixels, so that at least one descriptor fits into small pictures with room to step.
    pub(super) fn suited(size: Size) -> Self {
        let side = (size.width.min(size.height) / 6).clamp(1, 4);
        Self { step: side, cell: side }
    }

    pub(super) fn check(self) -> Result<(), ClassicError> {
        require((1..=1024).contains(&self.step), "dense SIFT", "step", self.step, "1 to 1024 pixels")?;
        require((1..=256).contains(&self.cell), "dense SIFT", "cell", self.cell, "1 to 256 pixels")
    }

    /// The least side of a picture that holds one descriptor.
    pub(super) fn least_side(self) -> usize {
        (CELLS - 1) * self.cell + 2 * (self.cell / 2) + 1
    }

    /// The middles of the first cells along a side, centred.
    fn starts(self, length: usize) -> impl Iterator<Item = usize> + Clone {
        let room = length - self.least_side();
        (room % self.step / 2 + self.cell / 2..).step_by(self.step).take(room / self.step + 1)
    }

    /// The middles of the descriptors, as shares of the picture's height and width.
    pub(super) fn places(self, size: Size) -> Vec<[f64; 2]> {
        let middle = |start: usize, length: usize| {
            (start as f64 + (CELLS - 1) as f64 / 2.0 * self.cell as f64 + 0.5) / length as f64
        };
        let (h, w) = (size.height, size.width);
        let columns = self.starts(w);
        let places = self.starts(h).flat_map(|y| columns.clone().map(move |x| [middle(y, h), middle(x, w)]));
        places.collect()
    }

    /// All descriptors of a picture, by row and column: (descriptors, 128), each of length 1, or 0 where the picture is flat.
    /// Colour pictures are taken as grey ones.
    ///
    /// # Errors
    /// [`ClassicError::TooSmall`], and settings outside their range.
    pub fn describe(self, picture: &Picture) -> Result<Matrix, ClassicError> {
        self.check()?;
        super::at_least("dense SIFT", Size::of(picture)?, [self.least_side(); 2])?;
        Ok(self.descriptors(picture))
    }

    /// As [`DenseSift::describe`], of a picture of at least [`DenseSift::least_side`].
    pub(super) fn descriptors(self, picture: &Picture) -> Matrix {
        let picture = if picture.channels == 1 { Cow::Borrowed(picture) } else { Cow::Owned(picture.to_grey()) };
        let (w, h) = (picture.width as usize, picture.height as usize);
        let maps = votes(&picture).map(|map| self.smooth(&map, w, h));
        let weight = |i: usize| (-(i as f64 - 1.5).powi(2) / 8.0).exp();
        let (rows, columns) = (self.starts(h), self.starts(w));
        let mut all = Vec::new();
        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
            let mut descriptor = [0.0; Self::LEN];
            for (k, value) in descriptor.iter_mut().enumerate() {
                let (o, cell) = (k % ORIENTATIONS, k / ORIENTATIONS);
                let (i, j) = (cell / CELLS, cell % CELLS);
                *value = maps[o][(y + i * self.cell) * w + x + j * self.cell] * weight(i) * weight(j);
            }
            normalise(&mut descriptor);
            all.extend(descriptor.map(|v| v as f32));
        }
        let rows = all.len() / Self::LEN;
        let mut matrix = Matrix::zeros(rows, Self::LEN);
        matrix.values_mut().copy_from_slice(&all);
        matrix
    }

    /// Sums over neighbours by the share 1 − |d| / cell, along both axes; nothing lies outside.
    fn smooth(self, map: &[f64], w: usize, h: usize) -> Vec<f64> {
        let reach = self.cell - 1;
        let share = |from: usize, to: usize| 1.0 - from.abs_diff(to) as f64 / self.cell as f64;
        let near = |at: usize, length: usize| at.saturating_sub(reach)..(at + reach + 1).min(length);
        let mut across = vec![0.0; w * h];
        for (from, to) in map.chunks_exact(w).zip(across.chunks_exact_mut(w)) {
            for (x, to) in to.iter_mut().enumerate() {
                *to = near(x, w).map(|i| share(i, x) * from[i]).sum();
            }
        }
        let mut down = vec![0.0; w * h];
        for (y, to) in down.chunks_exact_mut(w).enumerate() {
            for i in near(y, h) {
                let share = share(i, y);
                for (to, from) in to.iter_mut().zip(&across[i * w..]) {
                    *to += share * from;
                }
            }
        }
        down
    }
}

/// The gradient's magnitude at each pixel, shared between the two orientations next to its direction. Edges are repeated.
fn votes(picture: &Picture) -> [Vec<f64>; ORIENTATIONS] {
    let (w, h) = (picture.width as usize, picture.height as usize);
    let at = |y: usize, x: usize| f64::from(picture.pixels[y * w + x]) / 255.0;
    let mut maps = std::array::from_fn(|_| vec![0.0; w * h]);
    for y in 0..h {
        for x in 0..w {
            let down = at((y + 1).min(h - 1), x) - at(y.saturating_sub(1), x);
            let right = at(y, (x + 1).min(w - 1)) - at(y, x.saturating_sub(1));
            let turn = down.atan2(right).rem_euclid(TAU) / TAU * ORIENTATIONS as f64;
            let (low, share) = (turn.floor(), turn - turn.floor());
            let low = low as usize % ORIENTATIONS;
            let magnitude = right.hypot(down);
            maps[low][y * w + x] += magnitude * (1.0 - share);
            maps[(low + 1) % ORIENTATIONS][y * w + x] += magnitude * share;
        }
    }
    maps
}

/// To length 1, cut at 0.2, to length 1 again. Nothing stays nothing.
fn normalise(descriptor: &mut [f64; DenseSift::LEN]) {
    /// Below this all gradients are rounding.
    const FLAT: f64 = 1e-6;
    for cut in [0.2, f64::INFINITY] {
        let norm = descriptor.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm < FLAT {
            return descriptor.fill(0.0);
        }
        for v in descriptor.iter_mut() {
            *v = (*v / norm).min(cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(side: usize, f: impl Fn(usize, usize) -> u8) -> Picture {
        let pixels = (0..side * side).map(|i| f(i / side, i % side)).collect();
        Picture { width: side as u32, height: side as u32, channels: 1, pixels }
    }

    #[test]
    fn a_ramp_votes_for_its_direction_alone() {
        let ramp = DenseSift::default().descriptors(&picture(32, |y, _| (y * 4) as u8));
        assert!(ramp.rows() > 1);
        for descriptor in &ramp {
            for (k, &v) in descriptor.iter().enumerate() {
                // Downwards is a quarter turn: the third of eight orientations.
                assert_eq!(v > 0.0, k % 8 == 2, "value {k}: {v}");
            }
            let norm: f32 = descriptor.iter().map(|v| v * v).sum();
            assert!((norm - 1.0).abs() < 1e-5);
        }
        let flat = DenseSift::default().descriptors(&picture(32, |_, _| 9));
        assert!(flat.values().iter().all(|&v| v == 0.0));
    }

    #[test]
    fn descriptors_turn_with_the_picture() {
        let pixel = |y: usize, x: usize| ((y * 31 + x * x * 7 + y * x) % 200) as u8;
        let sift = DenseSift { step: 100, cell: 3 };
        let side = sift.least_side();
        let upright = sift.descriptors(&picture(side, pixel));
        // Columns become rows: (y, x) of the turned picture shows (side − 1 − x, y).
        let turned = sift.descriptors(&picture(side, |y, x| pixel(side - 1 - x, y)));
        assert_eq!((upright.rows(), turned.rows()), (1, 1));
        for (i, j, o) in (0..4).flat_map(|i| (0..4).flat_map(move |j| (0..8).map(move |o| (i, j, o)))) {
            let before = upright.row(0)[((3 - j) * 4 + i) * 8 + o];
            let after = turned.row(0)[(i * 4 + j) * 8 + (o + 2) % 8];
            assert!((before - after).abs() < 1e-5, "cell {i}, {j}, orientation {o}: {before} and {after}");
        }
    }

    #[test]
    fn places_are_centred_and_inside() {
        let sift = DenseSift::default();
        assert_eq!(sift.least_side(), 17);
        let size = Size { width: 28, height: 17, channels: 1 };
        assert_eq!(sift.starts(17).count(), 1);
        assert_eq!(sift.starts(28).collect::<Vec<_>>(), [3, 7, 11]);
        let places = sift.places(size);
        assert_eq!(places.len(), 3);
        assert!((places[0][0] - 8.5 / 17.0).abs() < 1e-12 && places.iter().flatten().all(|p| (0.0..1.0).contains(p)));
    }
}
