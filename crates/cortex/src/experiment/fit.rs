//! Curves fitted to tuning: bells on a circle for orientation and direction, a bell over octaves for spatial frequency.

use super::least_squares::least_squares;
use serde::Serialize;
use std::f64::consts::LN_2;

/// A fitted curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The curve and its parameters.
    pub curve: TuningCurve,
    /// Half the width at half the height: degrees, or octaves for spatial frequency.
    pub half_width: f64,
    /// The share of the variance that the curve explains.
    pub r2: f64,
}

/// A curve's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "curve", rename_all = "snake_case")]
pub enum TuningCurve {
    /// `base + height · exp(−Δ²/2σ²)`, Δ from the peak on a circle of 180°, summed over neighbouring turns; over 360° with a
    /// second peak of its own height on the other side.
    Circular {
        /// Degrees.
        peak: f64,
        /// Above the base.
        height: f64,
        /// On the other side, above the base; of directions only.
        opposite: Option<f64>,
        /// σ, in degrees.
        width: f64,
        /// The base.
        base: f64,
    },
    /// `base + height · exp(−log₂(f/peak)²/2σ²)`.
    Octaves {
        /// Cycles per degree.
        peak: f64,
        /// Above the base.
        height: f64,
        /// σ, in octaves.
        width: f64,
        /// The base.
        base: f64,
    },
}

/// A bell around 0 on a circle.
fn wrapped(delta: f64, width: f64, period: f64) -> f64 {
    let delta = (delta + period / 2.0).rem_euclid(period) - period / 2.0;
    (-2..=2).map(|turn| (-0.5 * ((delta + f64::from(turn) * period) / width).powi(2)).exp()).sum()
}

impl TuningCurve {
    /// The curve's value.
    pub fn at(&self, x: f64) -> f64 {
        match *self {
            Self::Circular { peak, height, opposite: None, width, base } => {
                base + height * wrapped(x - peak, width, 180.0)
            }
            Self::Circular { peak, height, opposite: Some(opposite), width, base } => {
                let bells =
                    height * wrapped(x - peak, width, 360.0) + opposite * wrapped(x - peak - 180.0, width, 360.0);
                base + bells
            }
            Self::Octaves { peak, height, width, base } => {
                base + height * (-0.5 * ((x / peak).log2() / width).powi(2)).exp()
            }
        }
    }
}

fn extremes(ys: &[f64]) -> (usize, f64, f64) {
    let best = (0..ys.len()).fold(0, |best, i| if ys[i] > ys[best] { i } else { best });
    let base = ys.iter().copied().fold(f64::INFINITY, f64::min);
    (best, base, ys.get(best).copied().unwrap_or(0.0) - base)
}

/// Fits the answers to orientations in degrees (`period` 180) or directions (360). `None` for fewer than 6 or equal answers.
pub fn fit_orientation(xs: &[f64], ys: &[f64], period: f64) -> Option<Fit> {
    let (best, base, height) = extremes(ys);
    if xs.len() < 6 || height <= 0.0 {
        return None;
    }
    let both = period > 270.0;
    let curve = |p: &[f64; 5]| TuningCurve::Circular {
        peak: p[0],
        height: p[1],
        opposite: both.then_some(p[4]),
        width: p[2].abs().max(1e-3),
        base: p[3],
    };
    // From several widths, since a narrow bell between two samples can be missed.
    let starts = [8.0, 15.0, 30.0, 45.0].map(|width| [xs[best], height, width, base, height / 2.0]);
    let fits = starts.map(|start| least_squares(xs, ys, start, |p, x| curve(p).at(x)));
    let (p, error) = fits.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut curve = curve(&p);
    if let TuningCurve::Circular { peak, .. } = &mut curve {
        *peak = peak.rem_euclid(period);
    }
    Some(Fit { curve, half_width: p[2].abs() * (2.0 * LN_2).sqrt(), r2: explained(ys, error) })
}

/// Fits the answers to spatial frequencies in cycles per degree. `None` for fewer than 5 above 0, or equal answers.
pub fn fit_frequency(xs: &[f64], ys: &[f64]) -> Option<Fit> {
    let (best, base, height) = extremes(ys);
    if xs.iter().filter(|x| **x > 0.0).count() < 5 || height <= 0.0 || xs[best] <= 0.0 {
        return None;
    }
    let (xs, ys): (Vec<f64>, Vec<f64>) = xs.iter().zip(ys).filter(|(x, _)| **x > 0.0).map(|(x, y)| (*x, *y)).unzip();
    let curve = |p: &[f64; 4]| TuningCurve::Octaves {
        peak: p[0].exp2(),
        height: p[1],
        width: p[2].abs().max(1e-3),
        base: p[3],
    };
    let peak = ys.iter().zip(&xs).fold((f64::MIN, 1.0), |m, (y, x)| if *y > m.0 { (*y, *x) } else { m }).1;
    let (p, error) = least_squares(&xs, &ys, [peak.log2(), height, 0.7, base], |p, x| curve(p).at(x));
    Some(Fit { curve: curve(&p), half_width: p[2].abs() * (2.0 * LN_2).sqrt(), r2: explained(&ys, error) })
}

fn explained(ys: &[f64], error: f64) -> f64 {
    let mean = ys.iter().sum::<f64>() / ys.len() as f64;
    let total: f64 = ys.iter().map(|y| (y - mean).powi(2)).sum();
    if total > 0.0 { 1.0 - error / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circular_bells_are_recovered() {
        let xs: Vec<f64> = (0..18).map(|i| 10.0 * f64::from(i)).collect();
        let truth = TuningCurve::Circular { peak: 3.0, height: 20.0, opposite: None, width: 17.0, base: 2.0 };
        let ys: Vec<f64> = xs.iter().map(|x| truth.at(*x)).collect();
        let fit = fit_orientation(&xs, &ys, 180.0).unwrap();
        let TuningCurve::Circular { peak, width, .. } = fit.curve else { panic!() };
        assert!((peak - 3.0).abs() < 1e-3 && (width - 17.0).abs() < 1e-3 && fit.r2 > 0.999_999, "{fit:?}");
        assert!((fit.half_width - 17.0 * 1.17741).abs() < 1e-2);
    }

    #[test]
    fn directions_have_two_heights() {
        let xs: Vec<f64> = (0..24).map(|i| 15.0 * f64::from(i)).collect();
        let truth = TuningCurve::Circular { peak: 135.0, height: 50.0, opposite: Some(10.0), width: 20.0, base: 1.0 };
        let ys: Vec<f64> = xs.iter().map(|x| truth.at(*x)).collect();
        let fit = fit_orientation(&xs, &ys, 360.0).unwrap();
        let TuningCurve::Circular { peak, opposite, .. } = fit.curve else { panic!() };
        assert!((peak - 135.0).abs() < 1e-2 && (opposite.unwrap() - 10.0).abs() < 1e-2, "{fit:?}");
    }

    #[test]
    fn octaves_are_recovered_and_flat_answers_are_not_fitted() {
        let xs: Vec<f64> = (0..9).map(|i| 0.5 * (0.5 * f64::from(i)).exp2()).collect();
        let truth = TuningCurve::Octaves { peak: 2.1, height: 30.0, width: 0.6, base: 1.0 };
        let ys: Vec<f64> = xs.iter().map(|x| truth.at(*x)).collect();
        let fit = fit_frequency(&xs, &ys).unwrap();
        let TuningCurve::Octaves { peak, .. } = fit.curve else { panic!() };
        assert!((peak - 2.1).abs() < 1e-3 && fit.r2 > 0.999_999, "{fit:?}");
        assert_eq!(fit_orientation(&xs, &[1.0; 9], 180.0), None);
        assert_eq!(fit_frequency(&xs, &[1.0; 9]), None);
    }
}
