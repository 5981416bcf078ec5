//! The part of the visual field that the screen covers.

use crate::CortexError;
use crate::error::positive;

/// A square of the visual field, and the pixels it is shown with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    degrees: f64,
    pixels: usize,
}

impl Field {
    /// A field of `degrees`², of `pixels`² pixels.
    ///
    /// # Errors
    /// No degrees, or not 2 to 4096 pixels.
    pub fn new(degrees: f64, pixels: usize) -> Result<Self, CortexError> {
        positive("the field's size in degrees", degrees)?;
        if !(2..=4096).contains(&pixels) {
            return Err(CortexError::value("the field's number of pixels", pixels, "from 2 to 4096"));
        }
        Ok(Self { degrees, pixels })
    }

    /// Degrees along a side.
    pub fn degrees(&self) -> f64 {
        self.degrees
    }

    /// Pixels along a side.
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// Degrees that a pixel covers along a side.
    pub fn pixel(&self) -> f64 {
        self.degrees / self.pixels as f64
    }

    /// The highest spatial frequency that can be shown, in cycles per degree.
    pub fn nyquist(&self) -> f64 {
        0.5 / self.pixel()
    }

    /// The middles of all pixels (x, y), row by row from the top.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> + use<> {
        let (n, pixel) = (self.pixels, self.pixel());
        let half = (n as f64 - 1.0) / 2.0;
        (0..n * n).map(move |i| (((i % n) as f64 - half) * pixel, (half - (i / n) as f64) * pixel))
    }
}

/// The unit vector towards an angle in degrees.
pub(crate) fn towards(degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cos, sin]
}
