//! A Gabor fitted to a filter, as one does with receptive fields and with trained networks' first layers.

use super::least_squares::least_squares;
use crate::cells::Gabor;
use serde::Serialize;
use std::f64::consts::TAU;

/// A Gabor's likeness of a filter. Lengths are in pixels, frequencies in cycles per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GaborFit {
    /// Of the stripes, in degrees, 0 to 180.
    pub orientation: f64,
    /// Cycles per pixel.
    pub frequency: f64,
    /// In degrees.
    pub phase: f64,
    /// The bell's widths across and along the stripes.
    pub across: f64,
    /// See `across`.
    pub along: f64,
    /// The full width at half height of the tuning to frequency, in octaves; none where it reaches 0.
    pub bandwidth: Option<f64>,
    /// (x, y) from the filter's middle.
    pub middle: [f64; 2],
    /// The share of the filter's variance that the Gabor explains.
    pub r2: f64,
}

/// Orientations, frequencies and widths that fits are begun at.
const ORIENTATIONS: usize = 8;
const STARTS: usize = 4;

/// Fits a Gabor to a square filter of `side`² weights, rows from the top, after taking off their mean. `None` for filters of
/// fewer than 5 × 5 weights, or equal ones.
pub fn fit_gabor(filter: &[f64], side: usize) -> Option<GaborFit> {
    if side < 5 || filter.len() != side * side {
        return None;
    }
    let mean = filter.iter().sum::<f64>() / filter.len() as f64;
    let ys: Vec<f64> = filter.iter().map(|v| v - mean).collect();
    let total: f64 = ys.iter().map(|y| y * y).sum();
    if total.is_nan() || total <= 1e-20 {
        return None;
    }
    let scale = (total / ys.len() as f64).sqrt();
    let ys: Vec<f64> = ys.iter().map(|y| y / scale).collect();
    let xs: Vec<f64> = (0..ys.len()).map(|i| i as f64).collect();
    let model = |p: &[f64; 9], x: f64| value(p, x as usize, side);
    let fits = starts(&ys, side).into_iter().map(|start| least_squares(&xs, &ys, start, model));
    let sane = fits.filter(|(p, _)| {
        let (size, frequency) = (side as f64, p[1].abs());
        let widths = p[3].abs().min(p[4].abs());
        frequency <= 0.7 && widths > 0.3 && p[3].abs().max(p[4].abs()) < 4.0 * size && p[5].hypot(p[6]) < size
    });
    let (p, error) = sane.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let gabor = Gabor { frequency: p[1].abs(), across: p[3].abs(), along: p[4].abs(), ..Gabor::default() };
    let bandwidth = Some(gabor.bandwidth()).filter(|b| b.is_finite());
    Some(GaborFit {
        orientation: p[0].to_degrees().rem_euclid(180.0),
        frequency: gabor.frequency,
        phase: p[2].to_degrees().rem_euclid(360.0),
        across: gabor.across,
        along: gabor.along,
        bandwidth,
        middle: [p[5], p[6]],
        r2: 1.0 - error / ys.len() as f64,
    })
}

/// Parameters: orientation, frequency, phase (radians), widths, middle, strength, offset.
fn value(p: &[f64; 9], i: usize, side: usize) -> f64 {
    let half = (side as f64 - 1.0) / 2.0;
    let (x, y) = ((i % side) as f64 - half - p[5], half - (i / side) as f64 - p[6]);
    let (sin, cos) = p[0].sin_cos();
    let (along, across) = (x * cos + y * sin, y * cos - x * sin);
    let bell = (-0.5 * ((across / p[3]).powi(2) + (along / p[4]).powi(2))).exp();
    p[7] * bell * (TAU * p[1] * across + p[2]).cos() + p[8]
}

/// The waves under a bell in the middle that the filter is most alike.
fn starts(ys: &[f64], side: usize) -> Vec<[f64; 9]> {
    let mut all: Vec<(f64, [f64; 9])> = Vec::new();
    let width = side as f64 / 4.0;
    for i in 0..ORIENTATIONS {
        for cycles in [0.5, 1.0, 1.5, 2.0, 3.0] {
            let angle = std::f64::consts::PI * i as f64 / ORIENTATIONS as f64;
            let p = |phase: f64| [angle, cycles / side as f64, phase, width, width, 0.0, 0.0, 1.0, 0.0];
            let along = |phase: f64| -> f64 {
                let wave: Vec<f64> = (0..ys.len()).map(|j| value(&p(phase), j, side)).collect();
                let size = wave.iter().map(|w| w * w).sum::<f64>().sqrt();
                ys.iter().zip(&wave).map(|(y, w)| y * w).sum::<f64>() / size.max(1e-12)
            };
            let (even, odd) = (along(0.0), along(TAU / 4.0));
            let mut start = p(odd.atan2(even));
            start[7] = 1.5;
            all.push((even.hypot(odd), start));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(STARTS).map(|(_, start)| start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    #[test]
    fn a_gabor_is_recovered_from_noise() {
        let (side, noise) = (11, 0.05);
        for (orientation, frequency, phase) in [(30.0, 0.2, 20.0), (120.0, 0.15, 100.0), (0.0, 0.25, 300.0)] {
            let truth = Gabor { orientation, frequency, phase, across: 1.8, along: 2.4, middle: [0.4, -0.7] };
            let at = |i: usize| {
                let (x, y) = ((i % side) as f64 - 5.0, 5.0 - (i / side) as f64);
                0.3 * truth.at(x, y) + 0.3 * noise * f64::from(normal(4, i as u64)) + 0.1
            };
            let filter: Vec<f64> = (0..side * side).map(at).collect();
            let fit = fit_gabor(&filter, side).unwrap();
            let off = (fit.orientation - orientation + 90.0).rem_euclid(180.0) - 90.0;
            assert!(off.abs() < 4.0 && (fit.frequency - frequency).abs() < 0.02 && fit.r2 > 0.9, "{fit:?}");
        }
    }

    #[test]
    fn noise_is_no_gabor_and_small_filters_are_not_fitted() {
        let noise: Vec<f64> = (0..121).map(|i| f64::from(normal(9, i))).collect();
        assert!(fit_gabor(&noise, 11).is_none_or(|f| f.r2 < 0.5));
        assert_eq!(fit_gabor(&[1.0; 9], 3), None);
        assert_eq!(fit_gabor(&[1.0; 49], 7), None);
    }
}
