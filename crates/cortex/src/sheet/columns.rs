//! The map of preferred orientations over a sheet of cortex: columns turn through all orientations around pinwheels.
//!
//! A sum of plane waves of one wavelength, the hypercolumn's, with random directions and phases, complex-valued: half its
//! angle is the preferred orientation, its zeros are the pinwheels (A. Rojer and E. Schwartz 1990; F. Wolf and T. Geisel 1998, DOI
//! 10.1038/25736). For such a field pinwheels are expected at a density of π per square of the wavelength, as they are found
//! in cortex (M. Kaschube et al. 2010, DOI 10.1126/science.1194869).

use super::Energy;
use crate::CortexError;
use crate::error::positive;
use crate::plate::{Image, hue};
use std::f64::consts::TAU;
use striate_kernels::{normal, uniform};

/// Waves that the map is a sum of.
const WAVES: u64 = 64;

/// Preferred orientations of a sheet, cell by cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// (cos, sin) of twice the preferred orientation, times how selective a cell is.
    field: Vec<[f64; 2]>,
}

impl Columns {
    /// A map whose hypercolumns are `wavelength` cells wide; `seed` draws it.
    ///
    /// # Errors
    /// A wavelength that is not above 0.
    pub fn new(width: usize, height: usize, wavelength: f64, seed: u64) -> Result<Self, CortexError> {
        positive("the hypercolumns' width", wavelength)?;
        let waves: Vec<[f64; 4]> = (0..WAVES)
            .map(|j| {
                // Directions are spread evenly, each a little off by lot.
                let angle = TAU * (j as f64 + f64::from(uniform(seed, 3 * j))) / WAVES as f64;
                let (a, b) = (f64::from(normal(seed, 3 * j + 1)), f64::from(normal(seed, 3 * j + 2)));
                [TAU / wavelength * angle.cos(), TAU / wavelength * angle.sin(), a, b]
            })
            .collect();
        let at = |i: usize| {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            waves.iter().fold([0.0; 2], |sum, [kx, ky, a, b]| {
                let (sin, cos) = (kx * x + ky * y).sin_cos();
                [sum[0] + a * cos - b * sin, sum[1] + a * sin + b * cos]
            })
        };
        Ok(Self { width, height, field: (0..width * height).map(at).collect() })
    }

    /// The orientation that cell `i` prefers, in degrees, 0 to 180.
    pub fn orientation(&self, i: usize) -> f64 {
        let [x, y] = self.field[i];
        (y.atan2(x).to_degrees() / 2.0).rem_euclid(180.0)
    }

    /// Places around which orientations turn once: (x, y, +1 counter-clockwise or −1).
    pub fn pinwheels(&self) -> Vec<(usize, usize, i8)> {
        let angle = |x: usize, y: usize| {
            let [a, b] = self.field[y * self.width + x];
            b.atan2(a)
        };
        let step = |from: f64, to: f64| (to - from + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
        let mut found = Vec::new();
        for y in 0..self.height.saturating_sub(1) {
            for x in 0..self.width.saturating_sub(1) {
                // Counter-clockwise, y pointing down.
                let round = [angle(x, y), angle(x, y + 1), angle(x + 1, y + 1), angle(x + 1, y)];
                let turns: f64 = (0..4).map(|i| step(round[i], round[(i + 1) % 4])).sum::<f64>() / TAU;
                if turns.abs() > 0.5 {
                    found.push((x, y, turns.signum() as i8));
                }
            }
        }
        found
    }

    /// The map as hues.
    pub fn image(&self) -> Image {
        let all: Vec<f64> = (0..self.field.len()).map(|i| self.orientation(i)).collect();
        Image::of(self.width, &all, |angle| hue(angle / 180.0, 0.95))
    }

    /// What each cell answers to a picture of the sheet's size: the energy of its own orientation where it looks, as
    /// brightness in the hue of its orientation.
    ///
    /// # Errors
    /// The picture has another size.
    pub fn answers(&self, energy: &Energy) -> Result<Image, CortexError> {
        if (energy.width, energy.height) != (self.width, self.height) {
            let found = format!("{}×{}", energy.width, energy.height);
            return Err(CortexError::value("the picture's size", found, format!("{}×{}", self.width, self.height)));
        }
        let all: Vec<(f64, f64)> = (0..self.field.len())
            .map(|i| self.orientation(i))
            .enumerate()
            .map(|(i, angle)| (angle, f64::from(energy.towards(i, angle))))
            .collect();
        let most = super::energy::strong(all.iter().map(|a| a.1));
        Ok(Image::of(self.width, &all, |(angle, e)| hue(angle / 180.0, (e / most).sqrt())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinwheels_are_pi_to_a_hypercolumn_and_of_both_signs() {
        let (side, wavelength) = (400, 20.0);
        let mut density = Vec::new();
        for seed in 0..4 {
            let found = Columns::new(side, side, wavelength, seed).unwrap().pinwheels();
            let hypercolumns = (side as f64 / wavelength).powi(2);
            density.push(found.len() as f64 / hypercolumns);
            let sum: i32 = found.iter().map(|p| i32::from(p.2)).sum();
            assert!(sum.abs() < 40, "as many turn one way as the other: {sum} of {}", found.len());
        }
        let mean = density.iter().sum::<f64>() / 4.0;
        assert!((mean - std::f64::consts::PI).abs() < 0.3, "{density:?}");
    }

    #[test]
    fn maps_are_drawn_by_the_seed() {
        let map = |seed| Columns::new(16, 12, 8.0, seed).unwrap();
        assert_eq!(map(1), map(1));
        assert_ne!(map(1), map(2));
        assert!((0..192).all(|i| (0.0..180.0).contains(&map(1).orientation(i))));
        assert!(Columns::new(4, 4, 0.0, 1).is_err());
    }
}
