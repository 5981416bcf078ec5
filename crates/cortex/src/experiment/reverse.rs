//! Receptive fields found by reverse correlation with white noise: the mean of the frames before spikes (STA; E. de Boer and
//! P. Kuyper 1968), and the directions in which their covariance differs from the noise's (STC; O. Schwartz, J. Pillow, N. Rust
//! and E. Simoncelli 2006, DOI 10.1167/6.4.13), which show what a mean cannot: a complex cell's axes.
//!
//! Every frame stays until the answer has settled, and its spikes are counted.

use super::electrode::Electrode;
use super::{Eigen, symmetric_eigen};
use crate::CortexError;
use crate::cells::count;
use crate::error::positive;
use crate::stimulus::noise_frame;
use striate_kernels::Cpu;

/// The most pixels that the covariance is taken of.
const MOST_PIXELS: usize = 1024;
/// Frames whose sums are gathered together; sums are added in the frames' order.
const GROUP: usize = 512;

/// How noise is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReverseOptions {
    /// Frames.
    pub frames: usize,
    /// Seconds for which spikes are counted in each.
    pub seconds: f64,
    /// The deviation of the noise's contrast.
    pub contrast: f64,
    /// Decides noise and spikes.
    pub seed: u64,
    /// Whether the covariance is taken, too.
    pub covariance: bool,
}

impl Default for ReverseOptions {
    fn default() -> Self {
        Self { frames: 20_000, seconds: 0.1, contrast: 0.5, seed: 0, covariance: true }
    }
}

/// What reverse correlation found, in units of the noise's deviation.
#[derive(Clone, Debug, PartialEq)]
pub struct Reverse {
    /// Spikes counted.
    pub spikes: usize,
    /// The spike-triggered average: pixels² values.
    pub average: Vec<f64>,
    /// Eigenvalues and -vectors of the spike-triggered covariance less the noise's, around the average.
    pub covariance: Option<Eigen>,
}

/// Sums over frames weighted by their spikes.
struct Sums {
    spikes: f64,
    frames: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(electrode: &Electrode, options: &ReverseOptions, frames: std::ops::Range<usize>) -> Self {
        let field = electrode.field();
        let n = field.pixels() * field.pixels();
        let mut sums =
            Self { spikes: 0.0, frames: vec![0.0; n], squares: vec![0.0; if options.covariance { n * n } else { 0 }] };
        for i in frames {
            let noise = noise_frame(field, options.seed, i as u64, options.contrast);
            let expected = electrode.settled(&noise) * options.seconds;
            let spikes = count(expected, options.seed ^ 0x5eed, i as u64);
            if spikes == 0 {
                continue;
            }
            let weight = spikes as f64;
            sums.spikes += weight;
            sums.frames.iter_mut().zip(&noise).for_each(|(s, v)| *s += weight * v);
            for (row, v) in sums.squares.chunks_exact_mut(n).zip(&noise) {
                let v = weight * v;
                row.iter_mut().zip(&noise).for_each(|(s, u)| *s += v * u);
            }
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.spikes += other.spikes;
        self.frames.iter_mut().zip(&other.frames).for_each(|(a, b)| *a += b);
        self.squares.iter_mut().zip(&other.squares).for_each(|(a, b)| *a += b);
    }
}

/// Shows noise and correlates it with the spikes; `None` where fewer than two were fired. The same at any number of threads.
///
/// # Errors
/// Options that cannot be meant, or so many pixels that their covariance would not fit.
pub fn reverse_correlation(
    cpu: &Cpu,
    electrode: &Electrode,
    options: &ReverseOptions,
) -> Result<Option<Reverse>, CortexError> {
    positive("the noise's contrast", options.contrast)?;
    positive("the time of a frame", options.seconds)?;
    let n = electrode.field().pixels().pow(2);
    if options.frames == 0 || options.frames > 10_000_000 {
        return Err(CortexError::value("the number of frames", options.frames, "from 1 to 10 million"));
    }
    if options.covariance && n > MOST_PIXELS {
        let expected = format!("{MOST_PIXELS} at most, 32 along a side");
        return Err(CortexError::value("the number of pixels for a covariance", n, expected));
    }
    let mut total: Option<Sums> = None;
    let groups = options.frames.div_ceil(GROUP);
    // A few groups at a time, so that their sums fit into memory.
    for first in (0..groups).step_by(8) {
        let mut sums: Vec<Option<Sums>> = (first..groups.min(first + 8)).map(|_| None).collect();
        cpu.chunks(&mut sums, 1, |i, to| {
            let start = (first + i) * GROUP;
            to[0] = Some(Sums::of(electrode, options, start..options.frames.min(start + GROUP)));
        });
        for sums in sums.into_iter().flatten() {
            match &mut total {
                Some(total) => total.add(&sums),
                None => total = Some(sums),
            }
        }
    }
    let Some(sums) = total.filter(|s| s.spikes > 1.0) else { return Ok(None) };
    let mean: Vec<f64> = sums.frames.iter().map(|s| s / sums.spikes / options.contrast).collect();
    let square = options.contrast * options.contrast;
    let element = |i: usize| {
        let prior = f64::from(u8::from(i / n == i % n));
        sums.squares[i] / sums.spikes / square - mean[i / n] * mean[i % n] - prior
    };
    let covariance = options.covariance.then(|| symmetric_eigen(&(0..n * n).map(element).collect::<Vec<_>>(), n));
    Ok(Some(Reverse { spikes: sums.spikes as usize, average: mean, covariance }))
}

/// The cosine of two fields, −1 to 1; 0 where one is zero.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let size = (dot(a, a) * dot(b, b)).sqrt();
    if size > 0.0 { dot(a, b) / size } else { 0.0 }
}

/// How much of a field lies in the space of some vectors that are at right angles and of length 1: 1 all, 0 nothing.
pub fn within(field: &[f64], axes: &[Vec<f64>]) -> f64 {
    axes.iter().map(|axis| correlation(field, axis).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Cell, Complex, Gabor, Simple};
    use crate::stimulus::Field;

    fn electrode(cell: &Cell) -> Electrode {
        Electrode::new(cell, &Field::new(1.6, 16).unwrap(), 0.01).unwrap()
    }

    #[test]
    fn a_linear_cells_field_is_its_spike_triggered_average() {
        let cell = Cell::Simple(Simple { highest: 400.0, ..Simple::linear(Gabor { phase: 50.0, ..Gabor::default() }) });
        let electrode = electrode(&cell);
        let options = ReverseOptions { frames: 12_000, covariance: false, ..ReverseOptions::default() };
        let found = reverse_correlation(&Cpu::new(2).unwrap(), &electrode, &options).unwrap().unwrap();
        let likeness = correlation(&found.average, &electrode.filters().spatial[0]);
        assert!(likeness > 0.95, "{likeness} of {} spikes", found.spikes);
        let alone = reverse_correlation(&Cpu::new(1).unwrap(), &electrode, &options).unwrap().unwrap();
        assert_eq!(alone, found, "any number of threads");
    }

    #[test]
    fn an_energy_cells_axes_are_those_of_the_covariance() {
        let complex = Complex { normalisation: None, spontaneous: 0.0, highest: 1000.0, ..Complex::default() };
        let electrode = electrode(&Cell::Complex(complex));
        let options = ReverseOptions { frames: 16_000, ..ReverseOptions::default() };
        let found = reverse_correlation(&Cpu::new(2).unwrap(), &electrode, &options).unwrap().unwrap();
        let eigen = found.covariance.unwrap();
        assert!(eigen.values[1] > 1.5 * eigen.values[2], "two stand out: {:?}", &eigen.values[..4]);
        for field in &electrode.filters().spatial {
            let share = within(field, &eigen.vectors[..2]);
            assert!(share > 0.9, "{share} of {} spikes", found.spikes);
            assert!(correlation(&found.average, field).abs() < 0.5, "the mean shows nothing");
        }
    }

    #[test]
    fn a_cell_that_does_not_fire_has_no_average() {
        let electrode = electrode(&Cell::Simple(Simple { highest: 0.0, ..Simple::default() }));
        let options = ReverseOptions { frames: 600, covariance: false, ..ReverseOptions::default() };
        assert_eq!(reverse_correlation(&Cpu::new(1).unwrap(), &electrode, &options).unwrap(), None);
    }

    #[test]
    fn covariances_of_too_many_pixels_are_refused() {
        let electrode = Electrode::new(&Cell::Simple(Simple::default()), &Field::new(4.0, 48).unwrap(), 0.01).unwrap();
        let refused = reverse_correlation(&Cpu::new(1).unwrap(), &electrode, &ReverseOptions::default());
        assert!(refused.unwrap_err().to_string().contains("1024 at most"));
    }
}
