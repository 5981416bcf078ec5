//! Histograms of oriented gradients (Dalal and Triggs 2005, DOI 10.1109/CVPR.2005.177), with scikit-image's options and its
//! deviations from the paper: a pixel votes for one orientation of one cell, without interpolation, and no window is
//! laid over a block. Pixels beyond the last whole cell are left out.

use super::{Extract, Feature, at_least, gradient};
use crate::error::{ClassicError, require};
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// How a block of cells is normalised; ε is 10⁻⁵.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockNorm {
    /// v / (‖v‖₁ + ε).
    L1,
    /// √(v / (‖v‖₁ + ε)).
    L1Sqrt,
    /// v / √(‖v‖² + ε²).
    L2,
    /// L2, then cut at 0.2, then L2 again, as Lowe has it.
    L2Hys,
}

/// Histograms of oriented gradients. Values: blocks by row and column, a block's cells by row and column, orientations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hog {
    /// Orientations that half a turn is divided into, 1 to 180.
    pub orientations: usize,
    /// Rows and columns of pixels in a cell.
    pub cell: [usize; 2],
    /// Rows and columns of cells in a block; blocks step by one cell.
    pub block: [usize; 2],
    /// How blocks are normalised.
    pub norm: BlockNorm,
    /// Take the square root of all samples first.
    pub square_root: bool,
}

impl Default for Hog {
    fn default() -> Self {
        Self { orientations: 9, cell: [8, 8], block: [2, 2], norm: BlockNorm::L2Hys, square_root: false }
    }
}

const NAME: &str = "hog";

impl Hog {
    /// Rows and columns of whole cells.
    fn cells(&self, height: usize, width: usize) -> [usize; 2] {
        [height / self.cell[0], width / self.cell[1]]
    }

    /// The orientation of an angle in degrees from 0 to 180: of n, number i begins at i · 180/n.
    fn orientation(&self, angle: f64) -> Option<usize> {
        let width = 180.0 / self.orientations as f64;
        let mut i = (angle / width) as usize;
        // Division rounds; the bounds are the products.
        if angle >= width * (i + 1) as f64 {
            i += 1;
        } else if angle < width * i as f64 {
            i -= 1;
        }
        (i < self.orientations).then_some(i)
    }

    /// The mean gradient of each orientation in each cell: (rows, columns, orientations).
    fn histograms(&self, picture: &Picture) -> Vec<f64> {
        let [rows, columns] = self.cells(picture.height as usize, picture.width as usize);
        let [cell_h, cell_w] = self.cell;
        let rooted;
        let roots: Option<&[f64]> = if self.square_root {
            rooted = picture.pixels.iter().map(|&v| f64::from(v).sqrt()).collect::<Vec<_>>();
            Some(&rooted)
        } else {
            None
        };
        let mut histograms = vec![0.0; rows * columns * self.orientations];
        for y in 0..rows * cell_h {
            for x in 0..columns * cell_w {
                let (magnitude, angle) = strongest(picture, roots, y, x);
                if let Some(o) = self.orientation(angle) {
                    histograms[((y / cell_h) * columns + x / cell_w) * self.orientations + o] += magnitude;
                }
            }
        }
        let area = (cell_h * cell_w) as f64;
        for v in &mut histograms {
            *v /= area;
        }
        histograms
    }

    fn normalise(&self, block: &mut [f64]) {
        const EPSILON: f64 = 1e-5;
        let l2 = |block: &mut [f64]| {
            let norm = (block.iter().map(|v| v * v).sum::<f64>() + EPSILON * EPSILON).sqrt();
            for v in block.iter_mut() {
                *v /= norm;
            }
        };
        match self.norm {
            BlockNorm::L1 | BlockNorm::L1Sqrt => {
                let norm = block.iter().sum::<f64>() + EPSILON;
                for v in block.iter_mut() {
                    *v /= norm;
                }
                if self.norm == BlockNorm::L1Sqrt {
                    for v in block.iter_mut() {
                        *v = v.sqrt();
                    }
                }
            }
            BlockNorm::L2 => l2(block),
            BlockNorm::L2Hys => {
                l2(block);
                for v in block.iter_mut() {
                    *v = v.min(0.2);
                }
                l2(block);
            }
        }
    }
}

/// Magnitude and direction, in degrees from 0 to 180, of the channel with the strongest gradient; the first of equals.
fn strongest(picture: &Picture, roots: Option<&[f64]>, y: usize, x: usize) -> (f64, f64) {
    let mut best = (-1.0, [0.0, 0.0]);
    for channel in 0..usize::from(picture.channels) {
        let [down, right] = match roots {
            None => gradient::difference(picture, channel, y, x),
            Some(roots) => rooted_difference(picture, roots, channel, y, x),
        };
        let magnitude = right.hypot(down);
        if magnitude > best.0 {
            best = (magnitude, [down, right]);
        }
    }
    let (magnitude, [down, right]) = best;
    (magnitude, down.atan2(right).to_degrees().rem_euclid(180.0))
}

/// As [`gradient::difference`], of the samples' square roots.
fn rooted_difference(picture: &Picture, roots: &[f64], channel: usize, y: usize, x: usize) -> [f64; 2] {
    let (w, h, c) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let at = |y: usize, x: usize| roots[(y * w + x) * c + channel];
    let inside = |at: usize, length: usize| at > 0 && at + 1 < length;
    [
        if inside(y, h) { at(y + 1, x) - at(y - 1, x) } else { 0.0 },
        if inside(x, w) { at(y, x + 1) - at(y, x - 1) } else { 0.0 },
    ]
}

impl Feature for Hog {
    type Extractor = Self;

    /// Cells of up to 8×8 pixels, so that there are seven or so along the shorter side.
    fn suited(self, size: Size) -> Self {
        let side = (size.width.min(size.height) / 7).clamp(2, 8);
        Self { cell: [side, side], ..self }
    }

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        self.check().map(|()| *self)
    }
}

impl Extract for Hog {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least(NAME, size, [self.cell[0] * self.block[0], self.cell[1] * self.block[1]])?;
        let [rows, columns] = self.cells(size.height, size.width);
        let blocks = (rows - self.block[0] + 1) * (columns - self.block[1] + 1);
        Ok(blocks * self.block[0] * self.block[1] * self.orientations)
    }

    fn extract(&self, _: &Cpu, picture: &Picture, out: &mut [f32]) {
        let [rows, columns] = self.cells(picture.height as usize, picture.width as usize);
        let ([block_h, block_w], n) = (self.block, self.orientations);
        let histograms = self.histograms(picture);
        let mut block = vec![0.0; block_h * block_w * n];
        let corners = (0..=rows - block_h).flat_map(|r| (0..=columns - block_w).map(move |c| (r, c)));
        for ((r, c), out) in corners.zip(out.chunks_exact_mut(block.len())) {
            for (i, row) in block.chunks_exact_mut(block_w * n).enumerate() {
                row.copy_from_slice(&histograms[((r + i) * columns + c) * n..][..block_w * n]);
            }
            self.normalise(&mut block);
            for (out, v) in out.iter_mut().zip(&block) {
                *out = *v as f32;
            }
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        require((1..=180).contains(&self.orientations), NAME, "orientations", self.orientations, "1 to 180")?;
        require(self.cell.iter().all(|c| (1..=4096).contains(c)), NAME, "cell", self.cell, "1 to 4096 pixels a side")?;
        require(self.block.iter().all(|b| (1..=64).contains(b)), NAME, "block", self.block, "1 to 64 cells a side")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_votes_for_one_orientation_of_every_cell() {
        // Grey rises by 3 a pixel to the right: gradients of 6 at 0°, none in the first and last column.
        let pixels: Vec<u8> = (0..64).map(|i| (i % 8 * 3) as u8).collect();
        let picture = Picture { width: 8, height: 8, channels: 1, pixels };
        let hog = Hog { cell: [4, 4], block: [1, 2], norm: BlockNorm::L1, ..Hog::default() };
        let histograms = hog.histograms(&picture);
        assert_eq!(histograms[0], 6.0 * 12.0 / 16.0);
        let mut out = vec![0.0; hog.len(Size::of(&picture).unwrap()).unwrap()];
        assert_eq!(out.len(), 2 * 2 * 9);
        hog.extract(&Cpu::new(1).unwrap(), &picture, &mut out);
        for (i, &v) in out.iter().enumerate() {
            let expected = if i % 9 == 0 { 4.5 / (9.0 + 1e-5) } else { 0.0 };
            assert!((f64::from(v) - expected).abs() < 1e-7, "value {i}: {v}");
        }
    }

    #[test]
    fn orientations_begin_where_their_bounds_say() {
        for n in [1, 7, 8, 9, 18, 180] {
            let hog = Hog { orientations: n, ..Hog::default() };
            for i in 0..n {
                let bound = 180.0 / n as f64 * i as f64;
                assert_eq!(hog.orientation(bound), Some(i), "{n} orientations");
                assert_eq!(hog.orientation(bound.next_up()), Some(i));
            }
            assert_eq!(hog.orientation(180.0), None);
        }
    }
}
