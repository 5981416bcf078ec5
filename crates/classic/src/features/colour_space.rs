//! HSV (Smith 1978) and CIE L*a*b* (1976, D65, 2°) of sRGB colours, with scikit-image's constants and ranges.

/// sRGB's linear light to XYZ.
const XYZ: [[f64; 3]; 3] =
    [[0.412_453, 0.357_580, 0.180_423], [0.212_671, 0.715_160, 0.072_169], [0.019_334, 0.119_193, 0.950_227]];

/// D65 as the 2° observer sees it.
const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];

/// Hue, saturation and value, each from 0 to 1, of red, green and blue from 0 to 1. The hue of greys is 0.
pub(super) fn hsv([r, g, b]: [f64; 3]) -> [f64; 3] {
    let value = r.max(g).max(b);
    let spread = value - r.min(g).min(b);
    if spread == 0.0 {
        return [0.0, 0.0, value];
    }
    // Where several channels are largest, the last decides.
    let sixths = if b == value {
        4.0 + (r - g) / spread
    } else if g == value {
        2.0 + (b - r) / spread
    } else {
        (g - b) / spread
    };
    [(sixths / 6.0).rem_euclid(1.0), spread / value, value]
}

/// L* from 0 to 100, a* and b* of red, green and blue from 0 to 1.
pub(super) fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let linear = rgb.map(|v| if v > 0.04045 { ((v + 0.055) / 1.055).powf(2.4) } else { v / 12.92 });
    let root = |i: usize| {
        let t = (0..3).map(|j| XYZ[i][j] * linear[j]).sum::<f64>() / WHITE[i];
        if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 }
    };
    let [x, y, z] = [root(0), root(1), root(2)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_have_their_published_values() {
        assert_eq!(hsv([1.0, 0.0, 0.0]), [0.0, 1.0, 1.0]);
        assert_eq!(hsv([0.0, 0.5, 0.0]), [1.0 / 3.0, 1.0, 0.5]);
        assert_eq!(hsv([0.0, 0.0, 1.0]), [2.0 / 3.0, 1.0, 1.0]);
        assert_eq!(hsv([0.25, 0.25, 0.25]), [0.0, 0.0, 0.25]);
        // Lindbloom's calculator: sRGB red is (53.24, 80.09, 67.20), blue (32.30, 79.19, -107.86).
        for (rgb, expected) in [
            ([1.0, 1.0, 1.0], [100.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [53.24, 80.09, 67.20]),
            ([0.0, 0.0, 1.0], [32.30, 79.19, -107.86]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        ] {
            let found = lab(rgb);
            assert!(found.iter().zip(expected).all(|(f, e): (&f64, f64)| (f - e).abs() < 0.02), "{rgb:?}: {found:?}");
        }
    }
}
