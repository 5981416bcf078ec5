//! Colour histograms (Swain and Ballard 1991, DOI 10.1007/BF00130487): how often each colour occurs, as a share of the
//! pixels. Bins are of equal width; grey pictures count as colours of equal channels.

use super::{Extract, Feature, at_least, cell_of, colour_space};
use crate::error::{ClassicError, require};
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// What colours are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourSpace {
    /// Red, green and blue.
    Rgb,
    /// Hue, saturation, value.
    Hsv,
    /// CIE L*a*b*: L* from 0 to 100, a* and b* from −110 to 110, which holds all of sRGB.
    Lab,
}

/// Shares of the pixels in each bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColourHistogram {
    /// The colour space.
    pub space: ColourSpace,
    /// Bins of each of its axes, 1 to 64.
    pub bins: [usize; 3],
    /// One histogram over all three axes together; else three, one after the other.
    pub joint: bool,
    /// Rows and columns of parts that have a histogram each.
    pub grid: [usize; 2],
}

impl Default for ColourHistogram {
    fn default() -> Self {
        Self { space: ColourSpace::Hsv, bins: [8, 4, 4], joint: true, grid: [1, 1] }
    }
}

impl ColourHistogram {
    /// The bin of each axis for a colour of 8-bit channels.
    fn bins_of(&self, rgb: [u8; 3]) -> [usize; 3] {
        // As scikit-image converts them: a quotient may differ in its last bit, and lie on the other side of a bin's edge.
        let rgb = rgb.map(|v| f64::from(v) * (1.0 / 255.0));
        let shares = match self.space {
            ColourSpace::Rgb => rgb,
            ColourSpace::Hsv => colour_space::hsv(rgb),
            ColourSpace::Lab => {
                let [l, a, b] = colour_space::lab(rgb);
                [l / 100.0, (a + 110.0) / 220.0, (b + 110.0) / 220.0]
            }
        };
        std::array::from_fn(|i| bin_of(shares[i], self.bins[i]))
    }

    /// Values of one part.
    fn values(&self) -> usize {
        if self.joint { self.bins.iter().product() } else { self.bins.iter().sum() }
    }
}

/// The bin of a share from 0 to 1: of n, number i begins at i · (1/n), as numpy has it. The upper end belongs to the last.
fn bin_of(share: f64, bins: usize) -> usize {
    let width = 1.0 / bins as f64;
    let mut i = ((share * bins as f64).max(0.0) as usize).min(bins - 1);
    // Products round; the edges decide.
    if i > 0 && share < i as f64 * width {
        i -= 1;
    } else if i + 1 < bins && share >= (i + 1) as f64 * width {
        i += 1;
    }
    i
}

impl Feature for ColourHistogram {
    type Extractor = Self;

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        self.check().map(|()| *self)
    }
}

impl Extract for ColourHistogram {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least("colour_histogram", size, self.grid)?;
        Ok(self.grid[0] * self.grid[1] * self.values())
    }

    fn extract(&self, _: &Cpu, picture: &Picture, out: &mut [f32]) {
        let (w, h) = (picture.width as usize, picture.height as usize);
        let [rows, columns] = self.grid;
        let ([_, second, third], values) = (self.bins, self.values());
        let mut counts = vec![0_u32; out.len()];
        for y in 0..h {
            for x in 0..w {
                let bins = match *picture.pixel(x as u32, y as u32) {
                    [r, g, b] => self.bins_of([r, g, b]),
                    [v] => self.bins_of([v; 3]),
                    _ => unreachable!("pictures have one or three channels"),
                };
                let part = cell_of(y, h, rows) * columns + cell_of(x, w, columns);
                let counts = &mut counts[part * values..(part + 1) * values];
                if self.joint {
                    counts[(bins[0] * second + bins[1]) * third + bins[2]] += 1;
                } else {
                    counts[bins[0]] += 1;
                    counts[self.bins[0] + bins[1]] += 1;
                    counts[self.bins[0] + second + bins[2]] += 1;
                }
            }
        }
        let axes = if self.joint { 1 } else { 3 };
        for (out, counts) in out.chunks_exact_mut(values).zip(counts.chunks_exact(values)) {
            let pixels = counts.iter().sum::<u32>() / axes;
            for (out, &count) in out.iter_mut().zip(counts) {
                *out = (f64::from(count) / f64::from(pixels.max(1))) as f32;
            }
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        const NAME: &str = "colour_histogram";
        require(self.bins.iter().all(|b| (1..=64).contains(b)), NAME, "bins", self.bins, "1 to 64 an axis")?;
        require(self.grid.iter().all(|g| (1..=64).contains(g)), NAME, "grid", self.grid, "1 to 64 rows and columns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_by_part() {
        let mut picture = Picture::filled(4, 1, &[255, 0, 0]);
        picture.pixels[9..].copy_from_slice(&[0, 0, 255]);
        let cpu = Cpu::new(1).unwrap();
        let halves = ColourHistogram { space: ColourSpace::Rgb, bins: [2, 1, 2], joint: false, grid: [1, 2] };
        let mut out = vec![9.0; 10];
        halves.extract(&cpu, &picture, &mut out);
        assert_eq!(out, [0.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.5, 1.0, 0.5, 0.5]);
        let joint = ColourHistogram { joint: true, grid: [1, 1], ..halves };
        joint.extract(&cpu, &picture, &mut out[..4]);
        assert_eq!(out[..4], [0.0, 0.25, 0.75, 0.0]);
    }
}
