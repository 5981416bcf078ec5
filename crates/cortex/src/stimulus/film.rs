//! Pictures as a stimulus: one, or a film of them that begins anew at its end.

use super::Field;
use crate::CortexError;
use crate::error::positive;
use striate_data::{Fit, Picture, Preprocessing};

/// Frames shown one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Film {
    frames: Vec<Vec<f64>>,
    /// Frames per second.
    rate: f64,
}

impl Film {
    /// Brings pictures onto the field (averaged over its pixels, the shape kept, on their own background): black is −1,
    /// white 1.
    ///
    /// # Errors
    /// No pictures, or a rate that is not above 0.
    pub fn new(field: &Field, pictures: &[Picture], rate: f64) -> Result<Self, CortexError> {
        positive("the film's rate", rate)?;
        if pictures.is_empty() {
            return Err(CortexError::value("the number of pictures", 0, "1 or more"));
        }
        let side = field.pixels() as u32;
        let fit = Preprocessing::new(side, side, 1, Fit::Letterbox);
        let frame = |p: &Picture| fit.fit(p).pixels.iter().map(|v| f64::from(*v) / 127.5 - 1.0).collect();
        Ok(Self { frames: pictures.iter().map(frame).collect(), rate })
    }

    /// Seconds until it begins anew.
    pub fn duration(&self) -> f64 {
        self.frames.len() as f64 / self.rate
    }

    /// The frame at time `t`.
    pub(super) fn frame(&self, t: f64) -> &[f64] {
        let n = self.frames.len() as f64;
        // The rounding of a product of times must not show the frame before.
        let i = (t * self.rate + 1e-9).floor().rem_euclid(n) as usize;
        &self.frames[i.min(self.frames.len() - 1)]
    }

    pub(super) fn check(&self, field: &Field) -> Result<(), CortexError> {
        let pixels = field.pixels() * field.pixels();
        match self.frames.iter().find(|f| f.len() != pixels) {
            Some(frame) => Err(CortexError::value("a frame's number of pixels", frame.len(), pixels.to_string())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_each_other_and_begin_anew() {
        let field = Field::new(1.0, 2).unwrap();
        let film = Film::new(&field, &[Picture::filled(8, 8, &[0]), Picture::filled(8, 8, &[255])], 10.0).unwrap();
        let levels = [0.0, 0.05, 0.1, 0.3, 0.2, -0.1].map(|t| film.frame(t)[0]);
        assert_eq!(levels, [-1.0, -1.0, 1.0, 1.0, -1.0, 1.0]);
    }
}
