//! Changes of levels and colours, to the bit those of Pillow's `ImageEnhance` and `ImageOps` (which torchvision takes for
//! pictures of Pillow's; for its tensors it is within a level of them).

use crate::picture::{Picture, luma};

/// What each level becomes.
type Table = [u8; 256];

fn table(becomes: impl Fn(u8) -> u8) -> Table {
    std::array::from_fn(|level| becomes(level as u8))
}

/// From `from` (factor 0) to `to` (factor 1) and beyond, cut to a level; what is left behind the point is dropped.
pub(super) fn blend(from: u8, to: u8, factor: f32) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    (from + factor * (to - from)).clamp(0.0, 255.0) as u8
}

/// Every sample through a table.
fn through(mut picture: Picture, table: &Table) -> Picture {
    for v in &mut picture.pixels {
        *v = table[usize::from(*v)];
    }
    picture
}

/// Every sample through the table of its channel, which is made from how often the channel has each level.
fn through_each(mut picture: Picture, table: impl Fn(&[u32; 256]) -> Table) -> Picture {
    let channels = usize::from(picture.channels);
    for c in 0..channels {
        let mut counts = [0; 256];
        picture.pixels.iter().skip(c).step_by(channels).for_each(|v| counts[usize::from(*v)] += 1);
        let table = table(&counts);
        picture.pixels.iter_mut().skip(c).step_by(channels).for_each(|v| *v = table[usize::from(*v)]);
    }
    picture
}

/// The luma of every pixel.
fn lumas(picture: &Picture) -> impl Iterator<Item = u8> {
    let channels = usize::from(picture.channels);
    picture.pixels.chunks_exact(channels).map(move |p| if channels == 3 { luma(p[0], p[1], p[2]) } else { p[0] })
}

/// Darker below a factor of 1, brighter above.
pub(super) fn brightness(picture: Picture, factor: f32) -> Picture {
    through(picture, &table(|v| blend(0, v, factor)))
}

/// Nearer to the picture's mean luma below a factor of 1, farther from it above.
pub(super) fn contrast(picture: Picture, factor: f32) -> Picture {
    let (sum, count) =
        (lumas(&picture).map(u64::from).sum::<u64>(), u64::from(picture.width) * u64::from(picture.height));
    let mean = ((2 * sum + count) / (2 * count)) as u8;
    through(picture, &table(|v| blend(mean, v, factor)))
}

/// Greyer below a factor of 1, more colourful above.
pub(super) fn saturation(mut picture: Picture, factor: f32) -> Picture {
    if picture.channels == 3 {
        for p in picture.pixels.chunks_exact_mut(3) {
            let grey = luma(p[0], p[1], p[2]);
            for v in p {
                *v = blend(grey, *v, factor);
            }
        }
    }
    picture
}

/// Without colour, with as many channels as before.
pub(super) fn grey(mut picture: Picture) -> Picture {
    if picture.channels == 3 {
        for p in picture.pixels.chunks_exact_mut(3) {
            p.fill(luma(p[0], p[1], p[2]));
        }
    }
    picture
}

/// The highest `bits` bits of every level, at most 8.
pub(super) fn posterize(picture: Picture, bits: u32) -> Picture {
    let mask = !((1_u32 << (8 - bits)) - 1) as u8;
    through(picture, &table(|v| v & mask))
}

/// Levels from `threshold` on inverted.
pub(super) fn solarize(picture: Picture, threshold: f64) -> Picture {
    through(picture, &table(|v| if f64::from(v) < threshold { v } else { 255 - v }))
}

/// Each channel stretched to the whole range.
pub(super) fn autocontrast(picture: Picture) -> Picture {
    through_each(picture, |counts| {
        let (low, high) = (lowest(counts), highest(counts));
        if low >= high {
            return table(|v| v);
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        table(|v| (f64::from(v) * scale + offset).clamp(0.0, 255.0) as u8)
    })
}

/// Each channel's levels spread so that each stretch of the range is as frequent.
pub(super) fn equalize(picture: Picture) -> Picture {
    through_each(picture, |counts| {
        let step = (counts.iter().sum::<u32>() - counts[highest(counts)]) / 255;
        if step == 0 {
            return table(|v| v);
        }
        let mut below = step / 2;
        std::array::from_fn(|level| {
            let becomes = (below / step).min(255) as u8;
            below += counts[level];
            becomes
        })
    })
}

fn lowest(counts: &[u32; 256]) -> usize {
    counts.iter().position(|&n| n > 0).unwrap_or(0)
}

fn highest(counts: &[u32; 256]) -> usize {
    counts.iter().rposition(|&n| n > 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours() -> Picture {
        Picture { width: 2, height: 1, channels: 3, pixels: vec![200, 100, 0, 40, 49, 60] }
    }

    #[test]
    fn factors_of_one_and_nought_are_the_picture_and_its_opposite() {
        for change in [brightness, contrast, saturation] {
            assert_eq!(change(colours(), 1.0), colours());
        }
        assert_eq!(brightness(colours(), 0.0).pixels, [0; 6]);
        assert_eq!(saturation(colours(), 0.0), grey(colours()));
        // Lumas 118.4998 and 47.56.
        assert_eq!(grey(colours()).pixels, [118, 118, 118, 48, 48, 48]);
        assert_eq!(contrast(colours(), 0.0).pixels, [83; 6]);
        assert_eq!(brightness(colours(), 1.5).pixels, [255, 150, 0, 60, 73, 90]);
    }

    #[test]
    fn levels_are_cut_inverted_and_stretched() {
        assert_eq!(posterize(colours(), 2).pixels, [192, 64, 0, 0, 0, 0]);
        assert_eq!(posterize(colours(), 8), colours());
        assert_eq!(solarize(colours(), 100.0).pixels, [55, 155, 0, 40, 49, 60]);
        assert_eq!(autocontrast(colours()).pixels, [255, 255, 0, 0, 0, 255]);
        let flat = Picture::filled(3, 3, &[9, 9, 9]);
        assert_eq!((autocontrast(flat.clone()), equalize(flat.clone())), (flat.clone(), flat));
        // 255 of each of three levels: below the last lie 510, two a step.
        let three = Picture { width: 255, height: 3, channels: 1, pixels: [[10; 255], [11; 255], [12; 255]].concat() };
        assert_eq!(equalize(three).pixels, [[0; 255], [128; 255], [255; 255]].concat());
    }
}
