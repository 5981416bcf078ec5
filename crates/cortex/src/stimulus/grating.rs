//! Gratings, sine or square, drifting, reversing or at rest, in a round window or over the whole field.
//!
//! Over a pixel of side p a harmonic of the wave vector (fx, fy) has the mean of its middle times sinc(fx p) sinc(fy p). A square
//! wave is (4/π) Σ sin((2j+1)φ)/(2j+1) over the harmonics that the pixels can show, each times Lanczos's σ factor
//! sinc((2j+1)/(m+1)), m being the highest, so that its edges do not ring.

use super::coverage::{coverage, disc};
use super::field::towards;
use super::{Field, check_contrast, check_finite};
use crate::CortexError;
use crate::error::positive;
use std::f64::consts::{PI, TAU};

/// The profile across the stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wave {
    /// A sine.
    Sine,
    /// Light and dark stripes of the same width.
    Square,
}

/// How a grating moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// In the direction 90° from its orientation.
    Drifting,
    /// Its contrast goes up and down by a cosine, in place.
    CounterPhase,
}

/// A grating on the mean grey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grating {
    /// Of the stripes, in degrees.
    pub orientation: f64,
    /// Cycles per degree.
    pub frequency: f64,
    /// Cycles per second; below 0 it drifts the other way.
    pub temporal: f64,
    /// At the middle at time 0, in degrees: 0 is the middle of a light stripe.
    pub phase: f64,
    /// The highest contrast.
    pub contrast: f64,
    /// The profile.
    pub wave: Wave,
    /// How it moves.
    pub motion: Motion,
    /// The radius of the window it is seen through; none: the whole field.
    pub window: Option<f64>,
}

impl Default for Grating {
    fn default() -> Self {
        Self {
            orientation: 0.0,
            frequency: 1.0,
            temporal: 0.0,
            phase: 0.0,
            contrast: 1.0,
            wave: Wave::Sine,
            motion: Motion::Drifting,
            window: None,
        }
    }
}

impl Grating {
    pub(super) fn check(&self, field: &Field) -> Result<(), CortexError> {
        if !(self.frequency >= 0.0 && self.frequency <= field.nyquist()) {
            let most = field.nyquist();
            let expected =
                format!("from 0 to {most} cycles per degree, half a cycle a pixel; take more pixels for more");
            return Err(CortexError::value("the spatial frequency", self.frequency, expected));
        }
        check_finite("the orientation", self.orientation)?;
        check_finite("the phase", self.phase)?;
        check_finite("the temporal frequency", self.temporal)?;
        if let Some(radius) = self.window {
            positive("the window's radius", radius)?;
        }
        check_contrast(self.contrast)
    }

    /// The numbers of the harmonics that are shown, with their strengths.
    fn harmonics(&self, field: &Field) -> Vec<(f64, f64)> {
        let across = towards(self.orientation + 90.0);
        let blur = |n: f64| across.iter().map(|a| sinc(a * n * self.frequency * field.pixel())).product::<f64>();
        if self.wave == Wave::Sine || self.frequency == 0.0 {
            return vec![(1.0, blur(1.0))];
        }
        let highest = (field.nyquist() / self.frequency).min(9999.0) as usize;
        let highest = if highest.is_multiple_of(2) { highest - 1 } else { highest };
        let term = |n: usize| {
            // A square wave with a light stripe in the middle: cosines of alternating signs.
            let sign = if n % 4 == 1 { 1.0 } else { -1.0 };
            let n = n as f64;
            (n, sign * 4.0 / (PI * n) * sinc(n / (highest as f64 + 1.0)) * blur(n))
        };
        (1..=highest).step_by(2).map(term).collect()
    }

    pub(super) fn render(&self, field: &Field, t: f64) -> Vec<f64> {
        let across = towards(self.orientation + 90.0);
        let harmonics = self.harmonics(field);
        let (moved, factor) = match self.motion {
            Motion::Drifting => (TAU * self.temporal * t, 1.0),
            Motion::CounterPhase => (0.0, (TAU * self.temporal * t).cos()),
        };
        let level = |(x, y): (f64, f64)| {
            let phase = TAU * self.frequency * (x * across[0] + y * across[1]) - moved + self.phase.to_radians();
            self.contrast * factor * harmonics.iter().map(|(n, strength)| strength * (n * phase).cos()).sum::<f64>()
        };
        let mut frame: Vec<f64> = field.points().map(level).collect();
        if let Some(radius) = self.window {
            let shares = coverage(field, &disc([0.0; 2], radius));
            frame.iter_mut().zip(shares).for_each(|(v, share)| *v *= share);
        }
        frame
    }
}

/// sin(πx)/(πx).
fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of a function over each pixel of a row, by many samples.
    fn means(field: &Field, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let pixel = field.pixel();
        let mean = |x: f64| (0..1000).map(|i| f(x + ((i as f64 + 0.5) / 1000.0 - 0.5) * pixel)).sum::<f64>() / 1000.0;
        field.points().take(field.pixels()).map(|(x, _)| mean(x)).collect()
    }

    #[test]
    fn pixels_hold_the_mean_of_the_sine() {
        let field = Field::new(4.0, 16).unwrap();
        // Standing stripes drift to the left.
        let grating = Grating {
            orientation: 90.0,
            frequency: 1.3,
            temporal: 2.0,
            phase: 30.0,
            contrast: 0.8,
            ..Grating::default()
        };
        let expected = means(&field, |x| 0.8 * (-TAU * 1.3 * x - TAU * 2.0 * 0.1 + PI / 6.0).cos());
        let found = grating.render(&field, 0.1);
        for (f, e) in found[..16].iter().zip(&expected) {
            assert!((f - e).abs() < 1e-6, "{f} {e}");
        }
        let mut rows = found[..16].iter().zip(&found[16..32]);
        assert!(rows.all(|(a, b)| (a - b).abs() < 1e-12), "the same in every row");
    }

    #[test]
    fn square_waves_are_flat_and_do_not_ring() {
        let field = Field::new(4.0, 256).unwrap();
        let grating = Grating { orientation: 90.0, frequency: 0.5, wave: Wave::Square, ..Grating::default() };
        let row = grating.render(&field, 0.0)[..256].to_vec();
        assert!(row.iter().all(|v| v.abs() < 1.02), "no overshoot beyond 2 %");
        assert!((row[128] - 1.0).abs() < 0.01, "light in the middle: {}", row[128]);
        assert!((row[64] + 1.0).abs() < 0.02, "dark a half cycle away: {}", row[64]);
    }

    #[test]
    fn what_pixels_cannot_show_is_refused() {
        let field = Field::new(4.0, 16).unwrap();
        let text = Grating { frequency: 2.5, ..Grating::default() }.check(&field).unwrap_err().to_string();
        assert!(text.contains("2.5") && text.contains("from 0 to 2 cycles per degree"), "{text}");
        let reversing = Grating { temporal: 1.0, motion: Motion::CounterPhase, ..Grating::default() };
        assert!(reversing.render(&field, 0.25).iter().all(|v| v.abs() < 1e-12), "a quarter of its cycle: grey");
    }
}
