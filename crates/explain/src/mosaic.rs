//! Pictures laid side by side into one, as the paper's plates of nine.

use crate::project::Field;
use striate_data::Picture;

/// What is between pictures, and around smaller ones.
const GROUND: [u8; 3] = [255, 255, 255];

/// Pictures in rows of `across`, each in the middle of a cell of the largest's size, a line of one pixel between.
pub fn mosaic(pictures: &[Picture], across: usize) -> Picture {
    let across = across.clamp(1, pictures.len().max(1));
    let w = pictures.iter().map(|p| p.width).max().unwrap_or(1);
    let h = pictures.iter().map(|p| p.height).max().unwrap_or(1);
    let down = pictures.len().div_ceil(across).max(1);
    let (width, height) = (across as u32 * (w + 1) - 1, down as u32 * (h + 1) - 1);
    let mut all = Picture::filled(width, height, &GROUND);
    for (i, picture) in pictures.iter().enumerate() {
        let left = (i % across) as u32 * (w + 1) + (w - picture.width) / 2;
        let top = (i / across) as u32 * (h + 1) + (h - picture.height) / 2;
        all.paste(&picture.to_colour(), left, top);
    }
    all
}

/// The part of a picture that a field names.
pub fn part(picture: &Picture, field: &Field) -> Picture {
    let [height, width] = field.size().map(|side| side as u32);
    picture.cut(field.left as u32, field.top as u32, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_pictures_stand_in_the_middle() {
        let all = mosaic(&[Picture::filled(3, 3, &[7]), Picture::filled(1, 1, &[1, 2, 3])], 2);
        assert_eq!((all.width, all.height, all.channels), (7, 3, 3));
        assert_eq!((all.pixel(2, 2), all.pixel(3, 1), all.pixel(5, 1)), (&[7; 3][..], &GROUND[..], &[1, 2, 3][..]));
        assert_eq!(all.pixel(4, 0), GROUND);
    }

    #[test]
    fn parts_are_cut_by_rows_and_columns() {
        let picture = Picture { width: 4, height: 3, channels: 1, pixels: (0..12).collect() };
        let cut = part(&picture, &Field { top: 1, left: 2, bottom: 3, right: 4 });
        assert_eq!((cut.width, cut.height, cut.pixels), (2, 2, vec![6, 7, 10, 11]));
    }
}
