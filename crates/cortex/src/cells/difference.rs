//! A centre and a surround: the difference of two Gaussians (C. Enroth-Cugell and J. Robson 1966, DOI
//! 10.1113/jphysiol.1966.sp008107).

use crate::stimulus::Field;
use std::f64::consts::PI;

/// `exp(−r²/r_c²)/(πr_c²) − k exp(−r²/r_s²)/(πr_s²)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DifferenceOfGaussians {
    /// `r_c`, in degrees.
    pub centre: f64,
    /// `r_s`, the larger.
    pub surround: f64,
    /// k, what the surround takes of even light: 1 takes all.
    pub balance: f64,
    /// (x, y).
    pub middle: [f64; 2],
}

impl DifferenceOfGaussians {
    /// Weights for each pixel.
    pub fn weights(&self, field: &Field) -> Vec<f64> {
        let area = field.pixel() * field.pixel();
        let bell = |square: f64, r: f64| (-square / (r * r)).exp() / (PI * r * r);
        let at = |(x, y): (f64, f64)| {
            let square = (x - self.middle[0]).powi(2) + (y - self.middle[1]).powi(2);
            area * (bell(square, self.centre) - self.balance * bell(square, self.surround))
        };
        field.points().map(at).collect()
    }

    /// The answer to a grating of any orientation, in closed form: `e^(−(πfr_c)²) − k e^(−(πfr_s)²)`.
    pub fn response(&self, frequency: f64) -> f64 {
        let bell = |r: f64| (-(PI * frequency * r).powi(2)).exp();
        bell(self.centre) - self.balance * bell(self.surround)
    }

    /// The spatial frequency that is answered most strongly: `√(ln(k r_s²/r_c²)/(r_s² − r_c²))/π`.
    pub fn best_frequency(&self) -> f64 {
        let (c, s) = (self.centre * self.centre, self.surround * self.surround);
        ((self.balance * s / c).ln().max(0.0) / (s - c)).sqrt() / PI
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gratings_are_answered_as_the_closed_form_says() {
        let field = Field::new(6.0, 128).unwrap();
        let cell = DifferenceOfGaussians { centre: 0.2, surround: 0.6, balance: 0.9, middle: [0.1, -0.2] };
        let weights = cell.weights(&field);
        for f in [0.0, 0.5, 1.0, 2.0] {
            let answer: f64 =
                weights.iter().zip(field.points()).map(|(w, (x, _))| w * (2.0 * PI * f * (x - 0.1)).cos()).sum();
            assert!((answer - cell.response(f)).abs() < 1e-3, "{f}: {answer}");
        }
        let best = cell.best_frequency();
        assert!(cell.response(best) > cell.response(best * 1.05) && cell.response(best) > cell.response(best * 0.95));
    }
}
