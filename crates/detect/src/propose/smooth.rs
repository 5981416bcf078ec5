//! Gaussian smoothing of one channel, the same sums in the same order as SciPy's `gaussian_filter`: cut off at four
//! standard deviations, rows first (along y, then along x), the picture mirrored at its edges with the outermost pixel
//! twice.

/// Smooths a channel of `width` × `height` values.
pub(super) fn gaussian(values: &[f64], width: usize, height: usize, sigma: f64) -> Vec<f64> {
    if sigma <= 0.0 {
        return values.to_vec();
    }
    let half = weights(sigma);
    let mut down = vec![0.0; values.len()];
    for y in 0..height {
        let row = |y: i64| {
            let start = mirrored(y, height) * width;
            &values[start..start + width]
        };
        let out = &mut down[y * width..(y + 1) * width];
        for (out, v) in out.iter_mut().zip(row(y as i64)) {
            *out = v * half[0];
        }
        for (distance, weight) in half.iter().enumerate().skip(1).rev() {
            let (above, below) = (row(y as i64 - distance as i64), row(y as i64 + distance as i64));
            for (out, (a, b)) in out.iter_mut().zip(above.iter().zip(below)) {
                *out += (a + b) * weight;
            }
        }
    }
    let reach = half.len() - 1;
    let mut padded = vec![0.0; width + 2 * reach];
    let mut across = vec![0.0; values.len()];
    for (from, out) in down.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        for (i, v) in padded.iter_mut().enumerate() {
            *v = from[mirrored(i as i64 - reach as i64, width)];
        }
        for (out, v) in out.iter_mut().zip(&padded[reach..]) {
            *out = v * half[0];
        }
        for (distance, weight) in half.iter().enumerate().skip(1).rev() {
            let (before, behind) = (&padded[reach - distance..], &padded[reach + distance..]);
            for (out, (a, b)) in out.iter_mut().zip(before.iter().zip(behind)) {
                *out += (a + b) * weight;
            }
        }
    }
    across
}

/// The weights at distances 0, 1, …; both sides together sum to 1.
fn weights(sigma: f64) -> Vec<f64> {
    let reach = (4.0 * sigma + 0.5) as i32;
    let weight = |d: i32| (-0.5 / (sigma * sigma) * f64::from(d * d)).exp();
    let sum: f64 = (-reach..=reach).map(weight).sum();
    (0..=reach).map(|d| weight(d) / sum).collect()
}

/// The pixel that stands at place `i` of a picture mirrored at both ends, again and again.
fn mirrored(i: i64, size: usize) -> usize {
    let size = size as i64;
    let at = i.rem_euclid(2 * size);
    (if at < size { at } else { 2 * size - 1 - at }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_bell() {
        let mut point = vec![0.0; 81];
        point[40] = 1.0;
        let smooth = gaussian(&point, 9, 9, 0.8);
        // scipy.ndimage.gaussian_filter1d of a unit impulse, σ = 0.8, at 0, 1, 2 and 3.
        let expected = [0.498_675_6, 0.228_311_3, 0.021_909_3, 0.000_440_7];
        let along: Vec<f64> = (0..4).map(|d| smooth[40 + d] / smooth[40].sqrt()).collect();
        assert!(along.iter().zip(expected).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-4), "{along:?}");
        assert!((smooth.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(smooth[40 + 2], smooth[40 + 18], "the same both ways");
    }

    #[test]
    fn edges_are_mirrored_also_in_tiny_pictures() {
        assert_eq!([-3, -2, -1, 0, 1, 2, 3].map(|i| mirrored(i, 2)), [1, 1, 0, 0, 1, 1, 0]);
        assert_eq!([-3, 5].map(|i| mirrored(i, 1)), [0, 0]);
        assert!(gaussian(&[3.0; 2], 1, 2, 2.0).iter().all(|v| (v - 3.0f64).abs() < 1e-12));
        assert_eq!(gaussian(&[1.0, 2.0], 2, 1, 0.0), [1.0, 2.0]);
    }
}
