//! Random erasing (Zhong et al. 2017, arXiv:1708.04896): a rectangle's samples become levels drawn by lot, which the paper found
//! best. The rectangle is drawn as torchvision's `RandomErasing` does, so the logarithm of its ratio is uniform; in the
//! paper the ratio is.

use crate::picture::Picture;
use crate::seeded::Lots;

/// The rectangle's least and most area, as shares of the picture's.
const AREA: [f64; 2] = [0.02, 0.33];
/// Its least and most height in widths.
const RATIO: [f64; 2] = [0.3, 3.3];
/// Rectangles drawn, if they do not fit; then nothing is erased.
const TRIES: usize = 10;

/// With one rectangle of noise.
pub(super) fn drawn(mut picture: Picture, lots: &mut Lots) -> Picture {
    let whole = f64::from(picture.width) * f64::from(picture.height);
    let (flat, high) = (libm::log(RATIO[0]), libm::log(RATIO[1]));
    for _ in 0..TRIES {
        let area = whole * lots.between(AREA[0], AREA[1]);
        let ratio = libm::exp(lots.between(flat, high));
        let h = (area * ratio).sqrt().round_ties_even() as u32;
        let w = (area / ratio).sqrt().round_ties_even() as u32;
        if h < picture.height && w < picture.width {
            let mut place = |room: u32| lots.below(u64::from(room) + 1) as usize;
            let (y, x) = (place(picture.height - h), place(picture.width - w));
            let (stride, channels) = (picture.stride(), usize::from(picture.channels));
            for row in picture.pixels.chunks_exact_mut(stride).skip(y).take(h as usize) {
                lots.levels(&mut row[x * channels..][..w as usize * channels]);
            }
            break;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_becomes_noise_and_the_rest_stays() {
        let (w, h) = (60, 40);
        let mut levels = [0_u32; 256];
        for seed in 0..300 {
            let erased = drawn(Picture::filled(w, h, &[77, 77, 77]), &mut Lots::new(seed, &[]));
            let noisy: Vec<usize> =
                (0..(w * h) as usize).filter(|i| erased.pixels[3 * i..3 * i + 3] != [77; 3]).collect();
            let columns = noisy.iter().map(|i| i % w as usize);
            let (left, right) = (columns.clone().min().unwrap(), columns.max().unwrap());
            let (top, bottom) = (noisy[0] / w as usize, noisy[noisy.len() - 1] / w as usize);
            let (width, height) = (right - left + 1, bottom - top + 1);
            assert_eq!(noisy.len(), width * height, "every pixel of one rectangle");
            let share = noisy.len() as f64 / f64::from(w * h);
            // A side is rounded by half a pixel of at least 3.
            assert!((0.016..0.36).contains(&share), "{width}×{height}");
            noisy.iter().flat_map(|i| &erased.pixels[3 * i..3 * i + 3]).for_each(|v| levels[usize::from(*v)] += 1);
        }
        let mean = levels.iter().sum::<u32>() / 256;
        // Each level's count is binomial: its deviation is about the root of the mean.
        let five = 5 * mean.isqrt();
        assert!(mean > 1000 && levels.iter().all(|n| n.abs_diff(mean) < five), "{levels:?}");
    }

    #[test]
    fn pictures_without_room_stay() {
        let line = Picture::filled(1, 9, &[5]);
        assert!((0..50).all(|seed| drawn(line.clone(), &mut Lots::new(seed, &[])) == line));
    }
}
