//! Text on pictures, from a bitmap font of 8×8 pixels (`font8x8`, public domain: ASCII, Latin and Greek). What it lacks is
//! written `?`. The only file that knows the font.

use crate::picture::Picture;
use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts};

/// The side of a letter's box at scale 1, in pixels.
pub const LETTER: u32 = 8;

/// A line's width at a scale, in pixels.
pub fn text_width(text: &str, scale: u32) -> u32 {
    (text.chars().count() as u32).saturating_mul(LETTER * scale)
}

impl Picture {
    /// Writes a line in letters of 8 · `scale` pixels, its upper left corner at (`x`, `y`). What lies outside the picture is
    /// left out.
    ///
    /// ```
    /// let mut sheet = striate_data::Picture::filled(64, 16, &[255]);
    /// sheet.write("four", 0, 0, 2, &[0]);
    /// assert!(sheet.pixels.contains(&0));
    /// ```
    ///
    /// # Panics
    /// If the colour has not as many samples as a pixel.
    pub fn write(&mut self, text: &str, x: u32, y: u32, scale: u32, colour: &[u8]) {
        for (letter, left) in text.chars().zip((x..).step_by((LETTER * scale).max(1) as usize)) {
            for (bits, top) in glyph(letter).into_iter().zip((y..).step_by(scale.max(1) as usize)) {
                for column in (0..LETTER).filter(|column| (bits >> column) & 1 == 1) {
                    self.fill(left + column * scale, top, scale, scale, colour);
                }
            }
        }
    }

    /// Fills a rectangle whose upper left corner is (`x`, `y`), as far as it lies in the picture.
    ///
    /// # Panics
    /// If the colour has not as many samples as a pixel.
    pub fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, colour: &[u8]) {
        let right = x.saturating_add(width).min(self.width);
        let bottom = y.saturating_add(height).min(self.height);
        let (stride, channels) = (self.stride(), usize::from(self.channels));
        for row in y.min(bottom)..bottom {
            let start = row as usize * stride;
            let pixels = &mut self.pixels[start + x.min(right) as usize * channels..start + right as usize * channels];
            for pixel in pixels.chunks_exact_mut(channels) {
                pixel.copy_from_slice(colour);
            }
        }
    }
}

/// Eight rows; the lowest bit is the leftmost pixel.
fn glyph(letter: char) -> [u8; 8] {
    let plain = match letter {
        '−' | '–' | '—' => '-',
        '’' | '‘' => '\'',
        other => other,
    };
    let own = BASIC_FONTS.get(plain).or_else(|| LATIN_FONTS.get(plain)).or_else(|| GREEK_FONTS.get(plain));
    own.or_else(|| BASIC_FONTS.get('?')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_upright_and_stay_inside() {
        let mut picture = Picture::filled(12, 8, &[255, 255, 255]);
        picture.write("L×", 0, 0, 1, &[0, 0, 0]);
        let dark = |x, y| picture.pixel(x, y)[0] == 0;
        let rows = |from: u32, to: u32| (from..to).flat_map(|y| (0..8).map(move |x| (x, y)));
        // An L has more ink in its lower half, and a straight left side.
        let count = |from, to| rows(from, to).filter(|(x, y)| dark(*x, *y)).count();
        assert!(count(4, 8) > count(0, 4), "{} {}", count(4, 8), count(0, 4));
        assert!((1..6).all(|y| (0..4).any(|x| dark(x, y))));
        assert_eq!(text_width("L×", 2), 32);
        assert_eq!((glyph('−'), glyph('漢')), (glyph('-'), glyph('?')));
    }

    #[test]
    fn rectangles_end_at_the_edges() {
        let mut picture = Picture::filled(4, 3, &[9]);
        picture.fill(2, 1, 100, u32::MAX, &[1]);
        picture.fill(7, 0, 5, 5, &[2]);
        picture.fill(0, 3, 1, 1, &[3]);
        assert_eq!(picture.pixels, [9, 9, 9, 9, 9, 9, 1, 1, 9, 9, 1, 1]);
    }
}
