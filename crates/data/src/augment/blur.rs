//! Gaussian blur, first along rows, then along columns; the picture is mirrored at its edges, its outermost pixels not repeated.

use super::shift::mirrored;
use crate::picture::Picture;
use crate::seeded::Lots;

/// The smallest deviation that is drawn, in pixels.
pub(super) const LEAST_SIGMA: f64 = 0.1;

/// Blurred by a Gaussian whose deviation is drawn up to `most` pixels.
pub(super) fn drawn(picture: &Picture, lots: &mut Lots, most: f64) -> Picture {
    blurred(picture, lots.between(LEAST_SIGMA, most))
}

/// Blurred by a Gaussian cut off at three deviations, or where mirroring would need more pixels than there are.
pub(super) fn blurred(picture: &Picture, sigma: f64) -> Picture {
    let (w, h, channels) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let stride = picture.stride();
    let (across, down) = (weights(sigma, w), weights(sigma, h));
    let (reach_x, reach_y) = (across.len() / 2, down.len() / 2);
    let mut padded = vec![0.0; stride + 2 * reach_x * channels];
    let mut rows = vec![0.0; picture.pixels.len()];
    for (row, sums) in picture.pixels.chunks_exact(stride).zip(rows.chunks_exact_mut(stride)) {
        for (x, pixel) in padded.chunks_exact_mut(channels).enumerate() {
            let from = mirrored(x as i64 - reach_x as i64, w) * channels;
            pixel.iter_mut().zip(&row[from..]).for_each(|(to, &v)| *to = f32::from(v));
        }
        for (i, weight) in across.iter().enumerate() {
            add(sums, *weight, &padded[i * channels..]);
        }
    }
    let mut sums = vec![0.0; stride];
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..h {
        sums.fill(0.0);
        for (i, weight) in down.iter().enumerate() {
            add(&mut sums, *weight, &rows[mirrored((y + i) as i64 - reach_y as i64, h) * stride..]);
        }
        pixels.extend(sums.iter().map(|v| (v + 0.5) as u8));
    }
    Picture { pixels, ..*picture }
}

/// Adds `weight` times the values to the sums.
fn add(sums: &mut [f32], weight: f32, values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += weight * v);
}

/// An odd number of weights, whose sum is 1, for an axis of `length` pixels.
fn weights(sigma: f64, length: usize) -> Vec<f32> {
    let reach = ((3.0 * sigma).ceil() as usize).min(length - 1) as i32;
    let bell: Vec<f64> = (-reach..=reach).map(|i| libm::exp(-0.5 * (f64::from(i) / sigma).powi(2))).collect();
    let sum: f64 = bell.iter().sum();
    bell.iter().map(|v| (v / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_becomes_a_bell() {
        let mut dot = Picture::filled(9, 9, &[0]);
        dot.pixels[40] = 255;
        let bell = |i: i32| {
            (-0.5 * f64::from(i).powi(2)).exp() / (-3..=3).map(|k| (-0.5 * f64::from(k * k)).exp()).sum::<f64>()
        };
        let blurred = blurred(&dot, 1.0);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1), (-2, 1), (4, 0)] {
            let expected = if i32::abs(dx) > 3 { 0.0 } else { 255.0 * bell(dx) * bell(dy) };
            let found = blurred.pixels[((4 + dy) * 9 + 4 + dx) as usize];
            assert!((f64::from(found) - expected).abs() <= 0.5, "({dx}, {dy}): {found} is not {expected}");
        }
    }

    #[test]
    fn flat_pictures_of_any_size_stay() {
        for (w, h) in [(1, 1), (1, 9), (2, 1), (7, 3)] {
            let flat = Picture::filled(w, h, &[255, 3, 77]);
            for sigma in [0.1, 0.7, 5.0, 100.0] {
                assert_eq!(blurred(&flat, sigma), flat, "{w}×{h}, {sigma}");
            }
        }
    }
}
