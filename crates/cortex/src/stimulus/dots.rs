//! Random dots that move: a share of them in one direction, the others each in its own.

use super::coverage::{coverage, disc};
use super::field::towards;
use super::{Field, check_contrast, check_finite};
use crate::CortexError;
use crate::error::positive;
use striate_kernels::uniform;

/// The most dots in a field.
const MOST: f64 = 10_000.0;

/// Round dots that leave the field on one side and come back on the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dots {
    /// Dots per square degree.
    pub density: f64,
    /// Of a dot, in degrees.
    pub radius: f64,
    /// In degrees, counter-clockwise from the right.
    pub direction: f64,
    /// Degrees per second.
    pub speed: f64,
    /// The share of dots that move in the direction, 0 to 1.
    pub coherence: f64,
    /// Of every dot; every other one has its negative.
    pub contrast: f64,
    /// Decides where they are.
    pub seed: u64,
}

impl Dots {
    pub(super) fn check(&self, field: &Field) -> Result<(), CortexError> {
        positive("the dots' radius", self.radius)?;
        positive("the dots' density", self.density)?;
        check_finite("the dots' direction", self.direction)?;
        check_finite("the dots' speed", self.speed)?;
        let most = MOST / (field.degrees() * field.degrees());
        if self.density > most {
            return Err(CortexError::value(
                "the dots' density",
                self.density,
                format!("{most} at most for this field"),
            ));
        }
        if !(0.0..=1.0).contains(&self.coherence) {
            return Err(CortexError::value("the dots' coherence", self.coherence, "from 0 to 1"));
        }
        check_contrast(self.contrast)
    }

    /// How many dots are in a field.
    fn count(&self, field: &Field) -> usize {
        (self.density * field.degrees() * field.degrees()).round().max(1.0) as usize
    }

    /// The middle of dot `i` at time `t`.
    fn middle(&self, field: &Field, i: usize, t: f64) -> [f64; 2] {
        let lot = |n: u64| f64::from(uniform(self.seed, 4 * i as u64 + n));
        let coherent = (i as f64 + 0.5) / (self.count(field) as f64) < self.coherence;
        let moves = towards(if coherent { self.direction } else { 360.0 * lot(2) });
        let size = field.degrees();
        [0, 1].map(|axis| {
            let place = lot(axis as u64) * size + self.speed * t * moves[axis];
            place.rem_euclid(size) - size / 2.0
        })
    }

    pub(super) fn render(&self, field: &Field, t: f64) -> Vec<f64> {
        let mut frame = vec![0.0; field.pixels() * field.pixels()];
        for i in 0..self.count(field) {
            let contrast = if i % 2 == 0 { self.contrast } else { -self.contrast };
            let shares = coverage(field, &disc(self.middle(field, i, t), self.radius));
            for (v, share) in frame.iter_mut().zip(shares) {
                *v += share * (contrast - *v);
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coherent_dots_move_together() {
        let field = Field::new(8.0, 32).unwrap();
        let dots =
            Dots { density: 0.5, radius: 0.3, direction: 90.0, speed: 2.0, coherence: 0.5, contrast: 1.0, seed: 3 };
        let n = dots.count(&field);
        assert_eq!(n, 32);
        for i in 0..n {
            let (a, b) = (dots.middle(&field, i, 0.0), dots.middle(&field, i, 0.25));
            let wrapped = |d: f64| (d + 4.0).rem_euclid(8.0) - 4.0;
            let (dx, dy) = (wrapped(b[0] - a[0]), wrapped(b[1] - a[1]));
            assert!((dx.hypot(dy) - 0.5).abs() < 1e-9, "the speed");
            assert_eq!(dx.abs() < 1e-9 && dy > 0.0, i < 16, "dot {i}: half of them move up");
        }
        let frame = dots.render(&field, 0.0);
        assert!(
            frame.iter().all(|v| v.abs() <= 1.0) && frame.iter().any(|v| *v > 0.9) && frame.iter().any(|v| *v < -0.9)
        );
    }
}
