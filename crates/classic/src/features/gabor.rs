//! Energies of a bank of Gabor filters (Daugman 1985, DOI 10.1364/JOSAA.2.001160; Jain and Farrokhnia 1991): mean and
//! deviation of the response's magnitude over parts of the picture. Filters are scikit-image's `gabor_kernel` with equal
//! deviations along both axes, so that they are products of a filter along rows and one along columns; edges are mirrored.

// Only what is inlined into an instruction set's wrapper is compiled for it.
#![allow(clippy::inline_always)]

use super::{Extract, Feature, at_least, cell_of};
use crate::error::{ClassicError, require};
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use std::f64::consts::{LN_2, PI, TAU};
use striate_data::Picture;
use striate_kernels::{Cpu, Kernel, Simd};

/// Energies of a bank of filters on samples from 0 to 1. Values: frequencies, orientations, parts by row and column, mean and
/// deviation. Colour pictures are taken as grey ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gabor {
    /// Cycles in a pixel, from 0.02 to 0.5.
    pub frequencies: Vec<f64>,
    /// Orientations that half a turn is divided into, 1 to 64.
    pub orientations: usize,
    /// The bandwidth in octaves, from 0.3 to 3.
    pub bandwidth: f64,
    /// Rows and columns of parts that have energies each.
    pub grid: [usize; 2],
}

impl Default for Gabor {
    fn default() -> Self {
        Self { frequencies: vec![0.1, 0.2, 0.4], orientations: 6, bandwidth: 1.0, grid: [2, 2] }
    }
}

/// A complex filter along one axis: its taps from −reach to reach, real parts and imaginary ones.
struct Taps {
    re: Vec<f32>,
    im: Vec<f32>,
}

impl Taps {
    /// exp(−d²/2σ² + 2πi f d) / (√(2π) σ), of `frequency` along this axis.
    fn new(sigma: f64, frequency: f64, reach: usize) -> Self {
        let distances = (0..=2 * reach).map(|i| i as f64 - reach as f64);
        let envelope = |d: f64| (-d * d / (2.0 * sigma * sigma)).exp() / (TAU.sqrt() * sigma);
        let (re, im) = distances
            .map(|d| {
                let (sin, cos) = (TAU * frequency * d).sin_cos();
                ((envelope(d) * cos) as f32, (envelope(d) * sin) as f32)
            })
            .unzip();
        Self { re, im }
    }
}

/// The sample that position `at` of a mirrored line of `length` shows: d c b a | a b c d | d c b a.
fn mirrored(at: isize, length: usize) -> usize {
    let at = at.rem_euclid(2 * length as isize).unsigned_abs();
    if at < length { at } else { 2 * length - 1 - at }
}

/// Adds `taps[i] · from[i·step ..]` to both sums, for real and imaginary taps; from the last tap to the first, as a convolution
/// turns its filter.
struct Line<'a> {
    taps: &'a Taps,
    /// Real input: a line with 2·reach more samples than the sums.
    from: &'a [f32],
    re: &'a mut [f32],
    im: &'a mut [f32],
}

impl Kernel for Line<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let last = self.taps.re.len() - 1;
        for (i, (&a, &b)) in self.taps.re.iter().zip(&self.taps.im).enumerate() {
            let from = &self.from[last - i..];
            for ((re, im), &v) in self.re.iter_mut().zip(self.im.iter_mut()).zip(from) {
                *re += a * v;
                *im += b * v;
            }
        }
    }
}

/// Adds a complex tap times a complex line.
struct Tap<'a> {
    tap: [f32; 2],
    from: [&'a [f32]; 2],
    re: &'a mut [f32],
    im: &'a mut [f32],
}

impl Kernel for Tap<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [a, b] = self.tap;
        let from = self.from[0].iter().zip(self.from[1]);
        for ((re, im), (&x, &y)) in self.re.iter_mut().zip(self.im.iter_mut()).zip(from) {
            *re += a * x - b * y;
            *im += a * y + b * x;
        }
    }
}

/// A grey picture with samples from 0 to 1.
struct Plane {
    values: Vec<f32>,
    w: usize,
    h: usize,
}

impl Plane {
    fn new(picture: &Picture) -> Self {
        let grey = picture.to_grey();
        let values = grey.pixels.iter().map(|&v| f32::from(v) / 255.0).collect();
        Self { values, w: picture.width as usize, h: picture.height as usize }
    }

    /// The magnitude of the response at every pixel.
    fn response(&self, cpu: &Cpu, sigma: f64, frequency: f64, angle: f64) -> Vec<f32> {
        let (w, h) = (self.w, self.h);
        let (sin, cos) = angle.sin_cos();
        let reach = (3.0 * sigma * cos.abs().max(sin.abs())).max(1.0).ceil() as usize;
        let across = Taps::new(sigma, frequency * cos, reach);
        let down = Taps::new(sigma, frequency * sin, reach);
        let (mut re, mut im) = (vec![0.0; w * h], vec![0.0; w * h]);
        let mut line = vec![0.0; w + 2 * reach];
        for (y, row) in self.values.chunks_exact(w).enumerate() {
            for (i, v) in line.iter_mut().enumerate() {
                *v = row[mirrored(i as isize - reach as isize, w)];
            }
            let here = y * w..(y + 1) * w;
            cpu.isa().dispatch(Line { taps: &across, from: &line, re: &mut re[here.clone()], im: &mut im[here] });
        }
        let mut magnitude = vec![0.0; w * h];
        let (mut sum_re, mut sum_im) = (vec![0.0; w], vec![0.0; w]);
        for y in 0..h {
            sum_re.fill(0.0);
            sum_im.fill(0.0);
            for (i, (&a, &b)) in down.re.iter().zip(&down.im).enumerate() {
                let row = mirrored(y as isize + reach as isize - i as isize, h);
                let from = [&re[row * w..][..w], &im[row * w..][..w]];
                cpu.isa().dispatch(Tap { tap: [a, b], from, re: &mut sum_re, im: &mut sum_im });
            }
            for (m, (a, b)) in magnitude[y * w..].iter_mut().zip(sum_re.iter().zip(&sum_im)) {
                *m = (a * a + b * b).sqrt();
            }
        }
        magnitude
    }
}

const NAME: &str = "gabor";

impl Feature for Gabor {
    type Extractor = Self;

    const ALIKE: bool = false;

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        self.check().map(|()| self.clone())
    }
}

impl Extract for Gabor {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        at_least(NAME, size, self.grid)?;
        Ok(self.frequencies.len() * self.orientations * self.grid[0] * self.grid[1] * 2)
    }

    fn extract(&self, cpu: &Cpu, picture: &Picture, out: &mut [f32]) {
        let plane = Plane::new(picture);
        let ([rows, columns], octaves) = (self.grid, self.bandwidth.exp2());
        let sigma = (LN_2 / 2.0).sqrt() / PI * (octaves + 1.0) / (octaves - 1.0);
        let filters = self.frequencies.iter().flat_map(|&f| (0..self.orientations).map(move |o| (f, o)));
        for ((frequency, o), out) in filters.zip(out.chunks_exact_mut(rows * columns * 2)) {
            let angle = PI * o as f64 / self.orientations as f64;
            let magnitude = plane.response(cpu, sigma / frequency, frequency, angle);
            let part =
                |i: usize| cell_of(i / plane.w, plane.h, rows) * columns + cell_of(i % plane.w, plane.w, columns);
            let mut sums = vec![[0.0_f64; 2]; rows * columns];
            for (i, &m) in magnitude.iter().enumerate() {
                sums[part(i)][0] += f64::from(m);
                sums[part(i)][1] += 1.0;
            }
            let means: Vec<f64> = sums.iter().map(|[sum, n]| sum / n).collect();
            let mut squares = vec![0.0_f64; rows * columns];
            for (i, &m) in magnitude.iter().enumerate() {
                squares[part(i)] += (f64::from(m) - means[part(i)]).powi(2);
            }
            for (i, out) in out.chunks_exact_mut(2).enumerate() {
                out[0] = means[i] as f32;
                out[1] = (squares[i] / sums[i][1]).sqrt() as f32;
            }
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        let frequencies =
            (1..=16).contains(&self.frequencies.len()) && self.frequencies.iter().all(|f| (0.02..=0.5).contains(f));
        require(frequencies, NAME, "frequencies", &self.frequencies, "1 to 16 of 0.02 to 0.5 cycles a pixel")?;
        require((1..=64).contains(&self.orientations), NAME, "orientations", self.orientations, "1 to 64")?;
        require((0.3..=3.0).contains(&self.bandwidth), NAME, "bandwidth", self.bandwidth, "0.3 to 3 octaves")?;
        require(self.grid.iter().all(|g| (1..=64).contains(g)), NAME, "grid", self.grid, "1 to 64 rows and columns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grating_answers_to_its_own_frequency_and_orientation() {
        let side = 48_u32;
        let wave = |x: u32| (127.5 + 100.0 * (TAU * 0.2 * f64::from(x)).cos()).round() as u8;
        let pixels: Vec<u8> = (0..side * side).map(|i| wave(i % side)).collect();
        let picture = Picture { width: side, height: side, channels: 1, pixels };
        let gabor = Gabor { grid: [1, 1], ..Gabor::default() };
        let mut out = vec![0.0; gabor.len(Size::of(&picture).unwrap()).unwrap()];
        gabor.extract(&Cpu::new(1).unwrap(), &picture, &mut out);
        let mean = |f: usize, o: usize| out[(f * 6 + o) * 2];
        for (f, o) in (0..3).flat_map(|f| (0..6).map(move |o| (f, o))).filter(|&at| at != (1, 0)) {
            assert!(mean(f, o) < 0.5 * mean(1, 0), "{f}, {o}: {} beside {}", mean(f, o), mean(1, 0));
        }
        // Half of the amplitude, 100/255, passes a filter whose gain at its own frequency is nearly 1.
        assert!((mean(1, 0) - 50.0 / 255.0).abs() < 0.02, "{}", mean(1, 0));
    }

    #[test]
    fn edges_are_mirrored_at_any_distance() {
        let seen: Vec<usize> = (-4..8).map(|at| mirrored(at, 3)).collect();
        assert_eq!(seen, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!(mirrored(-7, 1), 0);
    }
}
