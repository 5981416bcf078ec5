//! What is shown on the screen: contrast against the mean grey, −1 (black) to 1 (white), rendered in degrees of visual field.
//!
//! x points right, y up, (0, 0) is the middle of the field. An orientation is that of the long axis of a bar or a stripe,
//! counter-clockwise from the horizontal; what moves does so in the direction 90° further: a lying bar (0°) moves up. Frames
//! are rows from the top. Nothing aliases: bars, edges and dots are averaged over each pixel exactly, gratings are the mean of
//! each harmonic over the pixel, and harmonics beyond half a cycle a pixel are left out.

mod bar;
mod coverage;
mod dots;
mod field;
mod film;
mod grating;
mod noise;

pub use bar::{Bar, Edge};
pub use dots::Dots;
pub use field::Field;
pub(crate) use field::towards;
pub use film::Film;
pub use grating::{Grating, Motion, Wave};
pub use noise::noise_frame;

use crate::CortexError;

/// Anything that can be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Stimulus {
    /// A bar.
    Bar(Bar),
    /// A bright and a dark half.
    Edge(Edge),
    /// A grating.
    Grating(Grating),
    /// Random dots.
    Dots(Dots),
    /// Pictures.
    Film(Film),
}

impl Stimulus {
    /// Fails where a value cannot be meant, or the field's pixels are too coarse to show it.
    ///
    /// # Errors
    /// The value, and what it must be.
    pub fn check(&self, field: &Field) -> Result<(), CortexError> {
        match self {
            Self::Bar(bar) => bar.check(),
            Self::Edge(edge) => edge.check(),
            Self::Grating(grating) => grating.check(field),
            Self::Dots(dots) => dots.check(field),
            Self::Film(film) => film.check(field),
        }
    }

    /// The frame at time `t`, in seconds: pixels² contrasts.
    pub fn render(&self, field: &Field, t: f64) -> Vec<f64> {
        match self {
            Self::Bar(bar) => bar.render(field, t),
            Self::Edge(edge) => edge.render(field, t),
            Self::Grating(grating) => grating.render(field, t),
            Self::Dots(dots) => dots.render(field, t),
            Self::Film(film) => film.frame(t).to_vec(),
        }
    }
}

/// Fails unless the contrast is from −1 to 1.
fn check_contrast(contrast: f64) -> Result<(), CortexError> {
    if (-1.0..=1.0).contains(&contrast) {
        Ok(())
    } else {
        Err(CortexError::value("the contrast", contrast, "from −1 (black) to 1 (white)"))
    }
}

/// Fails unless the value is finite.
fn check_finite(what: &'static str, value: f64) -> Result<(), CortexError> {
    if value.is_finite() { Ok(()) } else { Err(CortexError::value(what, value, "a finite number")) }
}
