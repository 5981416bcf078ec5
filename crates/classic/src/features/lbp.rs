//! Local binary patterns (Ojala, Pietikäinen and Mäenpää 2002, DOI 10.1109/TPAMI.2002.1017623): which points on a circle are
//! as bright as its centre or brighter. Histograms of the patterns, over several circles and parts of the picture.
//! As in scikit-image, points are interpolated bilinearly, what lies outside is 0, and no pixel is left out.

use super::{Extract, Feature, at_least, cell_of};
use crate::error::{ClassicError, require};
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use striate_data::Picture;
use striate_kernels::Cpu;

/// Which patterns are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patterns {
    /// None: 2ᴾ patterns.
    Plain,
    /// Those that a turn makes equal, told by the least number that turning gives.
    RotationInvariant,
    /// Uniform ones (at most two changes around) by their number of ones, and one for all others: P + 2.
    Uniform,
    /// Uniform ones each for itself, and one for all others: P (P − 1) + 3.
    UniformOriented,
}

/// Points on a circle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Circle {
    /// How many points.
    pub points: usize,
    /// Their distance from the centre, in pixels.
    pub radius: f64,
}

/// Histograms of local binary patterns: shares of each part's pixels. Values: circles, parts by row and column, patterns.
/// Colour pictures are taken as grey ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lbp {
    /// Several circles make it multi-scale. Up to 24 points, 12 where patterns are plain or rotation-invariant.
    pub circles: Vec<Circle>,
    /// Which patterns are one.
    pub patterns: Patterns,
    /// Rows and columns of parts that have a histogram each.
    pub grid: [usize; 2],
}

impl Default for Lbp {
    fn default() -> Self {
        let circles = vec![Circle { points: 8, radius: 1.0 }, Circle { points: 16, radius: 2.0 }];
        Self { circles, patterns: Patterns::Uniform, grid: [4, 4] }
    }
}

const NAME: &str = "lbp";

/// The two samples beside a position along one axis, and the share of the second; samples outside are none.
#[derive(Clone, Copy)]
struct Between {
    low: Option<usize>,
    high: Option<usize>,
    share: f64,
}

impl Between {
    fn new(at: f64, length: usize) -> Self {
        let inside = |v: f64| (v >= 0.0 && v < length as f64).then_some(v as usize);
        Self { low: inside(at.floor()), high: inside(at.ceil()), share: at - at.floor() }
    }
}

/// The least number that turning `bits` of `points` gives.
fn least_turn(bits: u32, points: usize) -> u32 {
    let turn = |bits: u32| (bits >> 1) | ((bits & 1) << (points - 1));
    let turns = std::iter::successors(Some(bits), |&b| Some(turn(b)));
    turns.take(points).min().unwrap_or(bits)
}

impl Patterns {
    /// The code scikit-image gives to `points` bits.
    fn code(self, bits: u32, points: usize) -> u32 {
        let (p, ones) = (points as u32, bits.count_ones());
        let changes = ((bits ^ (bits >> 1)) & ((1 << (p - 1)) - 1)).count_ones();
        match self {
            Self::Plain => bits,
            Self::RotationInvariant => least_turn(bits, points),
            Self::Uniform if changes <= 2 => ones,
            Self::Uniform => p + 1,
            Self::UniformOriented if changes > 2 => p * (p - 1) + 2,
            Self::UniformOriented if ones == 0 => 0,
            Self::UniformOriented if ones == p => p * (p - 1) + 1,
            Self::UniformOriented => {
                let (first_one, first_zero) = (bits.trailing_zeros(), bits.trailing_ones());
                // A pattern whose ones begin at 0 and end at P − 1 has them on both sides of its zeros.
                let turns = if first_one == 0 { ones - first_zero } else { p - first_one };
                1 + (ones - 1) * p + turns
            }
        }
    }

    /// Codes there are, and the place of each in a histogram; `None` where the code is its own place.
    fn places(self, points: usize) -> (usize, Option<Vec<u32>>) {
        match self {
            Self::Plain => (1 << points, None),
            Self::Uniform => (points + 2, None),
            Self::UniformOriented => (points * (points - 1) + 3, None),
            Self::RotationInvariant => {
                let mut next = 0;
                let mut places = vec![0; 1 << points];
                for code in 0..1_u32 << points {
                    if least_turn(code, points) == code {
                        places[code as usize] = next;
                        next += 1;
                    }
                }
                (next as usize, Some(places))
            }
        }
    }
}

impl Lbp {
    /// The code of each pixel of a grey picture, row by row, as scikit-image's `local_binary_pattern` has them.
    pub fn codes(&self, picture: &Picture, circle: Circle) -> Vec<u32> {
        let (w, h) = (picture.width as usize, picture.height as usize);
        let image: Vec<f64> = picture.pixels.iter().map(|&v| f64::from(v)).collect();
        // Rounded to five decimals, so that points which lie on pixels are those pixels.
        let rounded = |v: f64| (v * 1e5).round_ties_even() / 1e5;
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / circle.points as f64;
        let offsets: Vec<[f64; 2]> = (0..circle.points)
            .map(|i| [rounded(-circle.radius * angle(i).sin()), rounded(circle.radius * angle(i).cos())])
            .collect();
        let beside = |length: usize, axis: usize| -> Vec<Between> {
            (0..length).flat_map(|at| offsets.iter().map(move |o| Between::new(at as f64 + o[axis], length))).collect()
        };
        let (rows, columns) = (beside(h, 0), beside(w, 1));
        let mut codes = Vec::with_capacity(w * h);
        for y in 0..h {
            let rows = &rows[y * circle.points..][..circle.points];
            for x in 0..w {
                let columns = &columns[x * circle.points..][..circle.points];
                let centre = image[y * w + x];
                let mut bits = 0;
                for (i, (row, column)) in rows.iter().zip(columns).enumerate() {
                    let at = |y: Option<usize>, x: Option<usize>| match (y, x) {
                        (Some(y), Some(x)) => image[y * w + x],
                        _ => 0.0,
                    };
                    let across = |y| (1.0 - column.share) * at(y, column.low) + column.share * at(y, column.high);
                    let value = (1.0 - row.share) * across(row.low) + row.share * across(row.high);
                    bits |= u32::from(value - centre >= 0.0) << i;
                }
                codes.push(self.patterns.code(bits, circle.points));
            }
        }
        codes
    }
}

impl Feature for Lbp {
    type Extractor = Self;

    /// Parts of eight or so pixels a side, up to 4×4 of them, and circles that fit into small pictures.
    fn suited(mut self, size: Size) -> Self {
        let side = size.width.min(size.height);
        let parts = (side / 8).clamp(1, 4);
        if side < 16 {
            self.circles.truncate(1);
        }
        Self { grid: [parts, parts], ..self }
    }

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        self.check().map(|()| self.clone())
    }
}

impl Extract for Lbp {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least(NAME, size, self.grid)?;
        let bins: usize = self.circles.iter().map(|c| self.patterns.places(c.points).0).sum();
        Ok(bins * self.grid[0] * self.grid[1])
    }

    fn extract(&self, _: &Cpu, picture: &Picture, out: &mut [f32]) {
        let picture = if picture.channels == 1 { Cow::Borrowed(picture) } else { Cow::Owned(picture.to_grey()) };
        let (w, h) = (picture.width as usize, picture.height as usize);
        let [rows, columns] = self.grid;
        let mut rest = out;
        for &circle in &self.circles {
            let (bins, places) = self.patterns.places(circle.points);
            let here;
            (here, rest) = rest.split_at_mut(bins * rows * columns);
            let mut counts = vec![0_u32; here.len()];
            for (i, code) in self.codes(&picture, circle).into_iter().enumerate() {
                let part = cell_of(i / w, h, rows) * columns + cell_of(i % w, w, columns);
                let place = places.as_ref().map_or(code, |p| p[code as usize]);
                counts[part * bins + place as usize] += 1;
            }
            for (out, counts) in here.chunks_exact_mut(bins).zip(counts.chunks_exact(bins)) {
                let pixels = counts.iter().sum::<u32>().max(1);
                for (out, &count) in out.iter_mut().zip(counts) {
                    *out = (f64::from(count) / f64::from(pixels)) as f32;
                }
            }
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        let most = match self.patterns {
            Patterns::Plain | Patterns::RotationInvariant => 12,
            Patterns::Uniform | Patterns::UniformOriented => 24,
        };
        let expected = "1 to 8 circles of 2 to 24 points (12 where patterns are plain or rotation-invariant), radius above 0 and up to 100";
        let fine = |c: &Circle| (2..=most).contains(&c.points) && c.radius > 0.0 && c.radius <= 100.0;
        let circles = (1..=8).contains(&self.circles.len()) && self.circles.iter().all(fine);
        require(circles, NAME, "circles", &self.circles, expected)?;
        require(self.grid.iter().all(|g| (1..=64).contains(g)), NAME, "grid", self.grid, "1 to 64 rows and columns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_patterns_are_the_papers() {
        // Ojala et al.: 36 rotation-invariant patterns of 8 points; 58 uniform ones, one more for the rest.
        assert_eq!(Patterns::RotationInvariant.places(8).0, 36);
        assert_eq!(Patterns::UniformOriented.places(8).0, 59);
        assert_eq!(Patterns::Uniform.places(8).0, 10);
        for patterns in [Patterns::Uniform, Patterns::UniformOriented] {
            let mut codes: Vec<u32> = (0..256).map(|bits| patterns.code(bits, 8)).collect();
            codes.sort_unstable();
            codes.dedup();
            assert_eq!(codes.len(), patterns.places(8).0, "every place is some pattern's");
            assert_eq!(codes.last().map(|&c| c as usize + 1), Some(codes.len()));
        }
    }

    #[test]
    fn a_turned_picture_has_the_same_invariant_histogram() {
        // Quarter turns map the points of a circle onto each other; with one part the histogram is the picture's.
        let side = 12_usize;
        let pixels: Vec<u8> = (0..side * side).map(|i| (i * 97 % 251) as u8).collect();
        let turned: Vec<u8> = (0..side * side).map(|i| pixels[(i % side) * side + side - 1 - i / side]).collect();
        let picture = |pixels| Picture { width: side as u32, height: side as u32, channels: 1, pixels };
        for patterns in [Patterns::Uniform, Patterns::RotationInvariant] {
            let circles = vec![Circle { points: 8, radius: 1.0 }];
            let lbp = Lbp { circles, patterns, grid: [1, 1] };
            let histogram = |pixels: &[u8]| {
                let picture = picture(pixels.to_vec());
                let mut out = vec![0.0; lbp.len(Size::of(&picture).unwrap()).unwrap()];
                lbp.extract(&Cpu::new(1).unwrap(), &picture, &mut out);
                out
            };
            assert_eq!(histogram(&pixels), histogram(&turned), "{patterns:?}");
        }
    }
}
