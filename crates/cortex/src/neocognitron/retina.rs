//! The input layer `U_0`: a picture on a dark retina, with room around it to be shifted in.

use super::Maps;
use striate_data::{Fit, Picture, Preprocessing};

/// How a picture comes onto the input layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Retina {
    side: usize,
    fit: Preprocessing,
}

impl Retina {
    /// A retina of `side`² receptors, in whose middle pictures are scaled to `picture`².
    ///
    /// # Panics
    /// If the picture is larger than the retina.
    pub fn new(side: usize, picture: usize) -> Self {
        assert!(picture <= side, "a picture of {picture} receptors on a retina of {side}");
        Self { side, fit: Preprocessing::new(picture as u32, picture as u32, 1, Fit::Letterbox) }
    }

    /// The receptors' answers, 0 (dark) to 1 (bright).
    pub fn see(&self, picture: &Picture) -> Maps {
        let fitted = self.fit.fit(picture);
        let (size, mut maps) = (fitted.width as usize, Maps::silent(self.side, 1));
        let margin = (self.side - size) / 2;
        for (y, row) in fitted.pixels.chunks_exact(size).enumerate() {
            let start = (margin + y) * self.side + margin;
            for (u, v) in maps.values[start..start + size].iter_mut().zip(row) {
                *u = f32::from(*v) / 255.0;
            }
        }
        maps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_in_the_middle() {
        let maps = Retina::new(9, 4).see(&Picture::filled(2, 2, &[255]));
        let lit: Vec<usize> = (0..81).filter(|i| maps.values[*i] == 1.0).collect();
        let expected: Vec<usize> = (2..6).flat_map(|y| (2..6).map(move |x| 9 * y + x)).collect();
        assert_eq!(lit, expected);
    }
}
