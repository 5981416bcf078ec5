//! Sharper or smoother pictures, to the bit as Pillow's `ImageEnhance.Sharpness`.

use super::colour::blend;
use crate::picture::Picture;

/// Blended with its smoothed self: smoother below a factor of 1, sharper above. The outermost pixels stay.
///
/// Smoothing is the mean of nine pixels, the middle one five times, rounded.
pub(super) fn changed(picture: &Picture, factor: f32) -> Picture {
    let (h, stride, channels) = (picture.height as usize, picture.stride(), usize::from(picture.channels));
    let mut sharpened = picture.clone();
    if h < 3 || stride < 3 * channels {
        return sharpened;
    }
    for y in 1..h - 1 {
        let rows = &picture.pixels[(y - 1) * stride..(y + 2) * stride];
        for x in channels..stride - channels {
            let around = [0, stride, 2 * stride].map(|row| {
                let at = row + x;
                u32::from(rows[at - channels]) + u32::from(rows[at]) + u32::from(rows[at + channels])
            });
            let middle = rows[stride + x];
            let sum = around.iter().sum::<u32>() + 4 * u32::from(middle);
            let smooth = ((2 * sum + 13) / 26) as u8;
            sharpened.pixels[y * stride + x] = blend(smooth, middle, factor);
        }
    }
    sharpened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_smoothed_and_sharpened() {
        let mut dot = Picture::filled(5, 5, &[13]);
        dot.pixels[12] = 130;
        // (8 · 13 + 5 · 130) / 13 in the middle, (12 · 13 + 130) / 13 beside it.
        let smooth = changed(&dot, 0.0);
        assert_eq!((smooth.pixels[12], smooth.pixels[11], smooth.pixels[6], smooth.pixels[2]), (58, 22, 22, 13));
        assert_eq!(changed(&dot, 1.0), dot);
        assert_eq!((changed(&dot, 2.0).pixels[12], changed(&dot, 2.0).pixels[11]), (202, 4));
        let narrow = Picture::filled(2, 9, &[1, 2, 3]);
        assert_eq!(changed(&narrow, 0.0), narrow);
    }
}
