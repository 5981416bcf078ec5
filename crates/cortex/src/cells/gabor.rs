//! Gabor's function as a receptive field: a wave under a bell (Marčelja 1980; Daugman 1985, DOI 10.1364/JOSAA.2.001160).

use crate::CortexError;
use crate::error::positive;
use crate::stimulus::{Field, towards};
use std::f64::consts::{LN_2, PI, TAU};

/// `exp(−u²/2σ_u² − v²/2σ_v²) cos(2πfu + φ)`, u across the stripes (90° from the orientation) and v along them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gabor {
    /// Of the stripes, in degrees.
    pub orientation: f64,
    /// f, in cycles per degree.
    pub frequency: f64,
    /// φ, in degrees: 0 is even with a bright middle, 90 odd.
    pub phase: f64,
    /// `σ_u`, in degrees of visual field.
    pub across: f64,
    /// `σ_v`.
    pub along: f64,
    /// (x, y).
    pub middle: [f64; 2],
}

impl Default for Gabor {
    /// 45°, 2 cycles per degree, bandwidth about 1.3 octaves.
    fn default() -> Self {
        Self { orientation: 45.0, frequency: 2.0, phase: 0.0, across: 0.22, along: 0.32, middle: [0.0; 2] }
    }
}

impl Gabor {
    pub(super) fn check(&self, field: &Field) -> Result<(), CortexError> {
        positive("the receptive field's width", self.across)?;
        positive("its length", self.along)?;
        positive("the preferred spatial frequency", self.frequency)?;
        // Bells fade over this many of their widths in frequency.
        let highest = self.frequency + 2.5 / (TAU * self.across);
        if highest > 2.0 * field.nyquist() || self.frequency > field.nyquist() {
            let expected = format!("{:.2} cycles per degree at most; take more pixels for more", field.nyquist());
            return Err(CortexError::value("the preferred spatial frequency", self.frequency, expected));
        }
        Ok(())
    }

    /// The function's value.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (across, along) = (towards(self.orientation + 90.0), towards(self.orientation));
        let (x, y) = (x - self.middle[0], y - self.middle[1]);
        let (u, v) = (x * across[0] + y * across[1], x * along[0] + y * along[1]);
        let bell = -0.5 * ((u / self.across).powi(2) + (v / self.along).powi(2));
        bell.exp() * (TAU * self.frequency * u + self.phase.to_radians()).cos()
    }

    /// Weights for each pixel, such that the best grating of contrast 1 is answered with 1 (but for what the mirrored
    /// frequency adds).
    pub fn weights(&self, field: &Field) -> Vec<f64> {
        let factor = field.pixel() * field.pixel() / (PI * self.across * self.along);
        field.points().map(|(x, y)| factor * self.at(x, y)).collect()
    }

    /// The same with another phase.
    #[must_use]
    pub fn with_phase(self, phase: f64) -> Self {
        Self { phase, ..self }
    }

    /// The same, moved across and along its own stripes.
    #[must_use]
    pub fn moved(self, across: f64, along: f64) -> Self {
        let (a, b) = (towards(self.orientation + 90.0), towards(self.orientation));
        Self { middle: [0, 1].map(|i| self.middle[i] + across * a[i] + along * b[i]), ..self }
    }

    /// The answer to a drifting grating, in closed form: the bell in frequency, at most 1.
    pub fn response(&self, orientation: f64, frequency: f64) -> f64 {
        let turn = (orientation - self.orientation).to_radians();
        let (u, v) = (frequency * turn.cos(), frequency * turn.sin());
        let lobe = |f: f64| (-2.0 * PI * PI * ((self.across * (u - f)).powi(2) + (self.along * v).powi(2))).exp();
        lobe(self.frequency) + lobe(-self.frequency)
    }

    /// Half the width of the orientation tuning at half its height, in degrees, at the preferred frequency: where
    /// `2π²f²[σ_u²(cos Δ − 1)² + σ_v² sin²Δ] = ln 2`. For equal widths that is 2 asin(√(ln 2 / 2) / (2πfσ)).
    pub fn half_width(&self) -> f64 {
        // a (c − 1)² + b (1 − c²) = h in c = cos Δ, a and b the squared widths.
        let (a, b) = (self.across * self.across, self.along * self.along);
        let h = LN_2 / (2.0 * PI * PI * self.frequency * self.frequency);
        let cos = if (a - b).abs() < 1e-12 * a {
            1.0 - h / (2.0 * a)
        } else {
            (a - (a * a - (a - b) * (a + b - h)).max(0.0).sqrt()) / (a - b)
        };
        cos.clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// The full width at half height of the tuning to spatial frequency, in octaves; infinite where it reaches 0.
    pub fn bandwidth(&self) -> f64 {
        let (f, half) = (self.frequency * self.across * PI, (LN_2 / 2.0).sqrt());
        if f > half { ((f + half) / (f - half)).log2() } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_width_and_bandwidth_are_where_the_response_is_a_half() {
        for (across, along) in [(0.2, 0.2), (0.22, 0.32), (0.3, 0.15)] {
            let gabor = Gabor { across, along, ..Gabor::default() };
            let half = gabor.response(45.0 + gabor.half_width(), 2.0);
            assert!((half - 0.5).abs() < 1e-3, "{across} {along}: {half}");
        }
        let round = Gabor { along: 0.22, ..Gabor::default() };
        let expected = 2.0 * ((LN_2 / 2.0).sqrt() / (TAU * 2.0 * 0.22)).asin().to_degrees();
        assert!((round.half_width() - expected).abs() < 1e-6);
        let gabor = Gabor::default();
        let (low, octaves) = (2.0 - (LN_2 / 2.0).sqrt() / (PI * 0.22), gabor.bandwidth());
        assert!((gabor.response(45.0, low) - 0.5).abs() < 1e-3);
        assert!((gabor.response(45.0, low * octaves.exp2()) - 0.5).abs() < 1e-3, "{octaves}");
    }

    #[test]
    fn weights_answer_to_the_best_grating_with_one() {
        let field = Field::new(4.0, 64).unwrap();
        let gabor = Gabor { orientation: 30.0, phase: 40.0, ..Gabor::default() };
        let grating = Gabor { across: 1e9, along: 1e9, ..gabor };
        let answer: f64 =
            gabor.weights(&field).iter().zip(field.points()).map(|(w, (x, y))| w * grating.at(x, y)).sum();
        assert!((answer - 1.0).abs() < 1e-3, "{answer}");
        let moved = gabor.moved(0.5, -0.25);
        assert!((moved.at(moved.middle[0], moved.middle[1]) - gabor.at(0.0, 0.0)).abs() < 1e-12);
    }
}
