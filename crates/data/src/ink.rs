//! The fit rule for drawings of a character, so that a dark-on-white scan is read like the bright-on-black training set.
//!
//! 1. The picture is made grey; its background is the median level along its edge.
//! 2. Ink is what lies on the side of the background with the larger contrast; its strongest level becomes 255 and the
//!    background 0.
//! 3. The box around all ink of at least a quarter of the contrast is cut out, with a margin of 1/16 of its longer side.
//! 4. If the box is larger than the rule's detail, it is reduced to it.
//! 5. The box is scaled, keeping its shape, to fill the network's size, centred on black, and stretched to 255 again.
//!
//! A picture with hardly any contrast is blank: the result is black.

use crate::fit::{centre, largest_within, resize};
use crate::picture::Picture;

/// Contrast below this is noise on an empty sheet.
const LEAST_CONTRAST: u8 = 8;
/// A quarter of the full range counts as ink.
const INK: u8 = 64;

pub(crate) fn extract(picture: &Picture, width: u32, height: u32, detail: u32) -> Picture {
    let blank = || Picture::filled(width, height, &[0]);
    let Some(bright) = bright_on_black(&picture.to_grey()) else { return blank() };
    let Some(mut drawing) = cut_out(&bright) else { return blank() };
    if detail > 0 && drawing.width.max(drawing.height) > detail {
        let (w, h) = largest_within(drawing.width, drawing.height, detail, detail);
        drawing = resize(&drawing, w, h);
    }
    let (w, h) = largest_within(drawing.width, drawing.height, width, height);
    let mut fitted = centre(&resize(&drawing, w, h), width, height, &[0]);
    let strongest = fitted.pixels.iter().copied().max().unwrap_or(0);
    stretch(&mut fitted.pixels, strongest);
    fitted
}

/// The ink's distance from the background, stretched to 0–255; `None` for a blank sheet.
fn bright_on_black(grey: &Picture) -> Option<Picture> {
    let background = grey.border_median()[0];
    let darkest = grey.pixels.iter().copied().min()?;
    let brightest = grey.pixels.iter().copied().max()?;
    let dark_ink = background - darkest > brightest - background;
    let contrast = if dark_ink { background - darkest } else { brightest - background };
    if contrast < LEAST_CONTRAST {
        return None;
    }
    let distance = |&v: &u8| if dark_ink { background.saturating_sub(v) } else { v.saturating_sub(background) };
    let mut pixels: Vec<u8> = grey.pixels.iter().map(distance).collect();
    stretch(&mut pixels, contrast);
    Some(Picture { pixels, ..*grey })
}

/// Multiplies so that `strongest` becomes 255.
fn stretch(pixels: &mut [u8], strongest: u8) {
    if strongest == 0 || strongest == 255 {
        return;
    }
    let (full, half) = (u32::from(strongest), u32::from(strongest) / 2);
    for v in pixels {
        *v = ((u32::from(*v) * 255 + half) / full).min(255) as u8;
    }
}

/// Where the ink of a picture is, with its margin: the left and upper edge, below 0 where the margin reaches over the
/// picture's, then width and height. `None` for a blank sheet.
pub(crate) fn place(picture: &Picture) -> Option<[i64; 4]> {
    let [left, top, right, bottom] = ink_box(&bright_on_black(&picture.to_grey())?)?.map(i64::from);
    let margin = i64::from(margin(right - left, bottom - top));
    Some([left - margin, top - margin, right - left + 1 + 2 * margin, bottom - top + 1 + 2 * margin])
}

/// A sixteenth of the longer side, rounded up, of ink whose last column and row are so far from the first.
fn margin(across: i64, down: i64) -> u32 {
    ((across.max(down) + 1) as u32).div_ceil(16)
}

/// The first and last column and row of the ink: left, top, right, bottom.
fn ink_box(bright: &Picture) -> Option<[u32; 4]> {
    let (mut left, mut right, mut top, mut bottom) = (u32::MAX, 0, u32::MAX, 0);
    for (y, row) in (0u32..).zip(bright.pixels.chunks_exact(bright.width as usize)) {
        let Some(first) = row.iter().position(|&v| v >= INK) else { continue };
        let last = row.iter().rposition(|&v| v >= INK)?;
        left = left.min(first as u32);
        right = right.max(last as u32);
        top = top.min(y);
        bottom = y;
    }
    (left <= right).then_some([left, top, right, bottom])
}

/// The box around the ink with its margin, which may reach over the picture's edge: there it is black.
fn cut_out(bright: &Picture) -> Option<Picture> {
    let [left, top, right, bottom] = ink_box(bright)?;
    let margin = margin((right - left).into(), (bottom - top).into());
    let (x0, y0) = (left.saturating_sub(margin), top.saturating_sub(margin));
    let (x1, y1) = ((right + margin).min(bright.width - 1), (bottom + margin).min(bright.height - 1));
    let inside = bright.cut(x0, y0, x1 - x0 + 1, y1 - y0 + 1);
    let mut drawing = Picture::filled(right - left + 1 + 2 * margin, bottom - top + 1 + 2 * margin, &[0]);
    drawing.paste(&inside, x0 + margin - left, y0 + margin - top);
    Some(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bright 3×5 bar at (x, y) of a 20×20 picture, on `background`, in `ink`.
    fn bar(x: u32, y: u32, background: u8, ink: u8) -> Picture {
        let mut picture = Picture::filled(20, 20, &[background]);
        picture.paste(&Picture::filled(3, 5, &[ink]), x, y);
        picture
    }

    #[test]
    fn place_polarity_and_contrast_do_not_matter() {
        let expected = extract(&bar(2, 3, 0, 255), 16, 16, 0);
        assert_eq!(extract(&bar(11, 12, 0, 255), 16, 16, 0), expected);
        assert_eq!(extract(&bar(2, 3, 255, 0), 16, 16, 0), expected);
        assert_eq!(extract(&bar(2, 3, 200, 120), 16, 16, 0), expected);
        assert_eq!(extract(&bar(2, 3, 30, 90).to_colour(), 16, 16, 0), expected);
        assert_eq!(extract(&bar(0, 0, 0, 255), 16, 16, 0), expected, "the margin reaches over the edge");
    }

    #[test]
    fn ink_fills_the_height_and_keeps_its_shape() {
        let fitted = extract(&bar(2, 3, 0, 255), 16, 16, 0);
        assert_eq!(fitted.pixels.iter().max(), Some(&255));
        let bright = |x: u32, y: u32| fitted.pixel(x, y)[0] >= 128;
        // The bar and its margin are 5×7, so the bar is 3/7 of 16 wide and 5/7 of 16 high, in the middle.
        let width = (0..16).filter(|&x| bright(x, 8)).count();
        let height = (0..16).filter(|&y| bright(8, y)).count();
        assert!((6..=8).contains(&width) && (11..=13).contains(&height), "{width}×{height}");
        assert_eq!(fitted.border_median(), [0]);
    }

    #[test]
    fn fine_drawings_are_reduced_to_the_detail() {
        // The bar drawn eight times as large.
        let mut large = Picture::filled(160, 160, &[0]);
        large.paste(&Picture::filled(24, 40, &[255]), 16, 24);
        let reduced = extract(&large, 14, 14, 7);
        let soft = |p: &Picture| p.pixels.iter().filter(|v| (32..224).contains(*v)).count();
        assert!(soft(&reduced) > soft(&extract(&large, 14, 14, 0)), "its edges are as soft as a coarse drawing's");
    }

    #[test]
    fn blank_and_tiny_pictures_pass_unharmed() {
        for level in [0, 128, 255] {
            assert_eq!(extract(&Picture::filled(9, 7, &[level]), 4, 4, 0).pixels, [0; 16]);
            assert_eq!(extract(&Picture::filled(1, 1, &[level, 0, level]), 4, 4, 0).pixels, [0; 16]);
        }
        let mut noisy = Picture::filled(9, 7, &[250]);
        noisy.pixels[30] = 244;
        assert_eq!(extract(&noisy, 4, 4, 0).pixels, [0; 16]);
    }
}
