//! The interval that a share measured on some images is known to within: Wilson's score interval (Wilson 1927,
//! doi:10.1080/01621459.1927.10502953), which stays sensible at 0, at 1 and on few images.

/// Standard deviations of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of the share `right` of `all`: from, to. (0, 1) for nothing at all.
///
/// ```
/// let (low, high) = striate_train::wilson(8, 10);
/// assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
/// ```
pub fn wilson(right: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (all as f64, right as f64 / all as f64);
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding must not leave the range, nor the ends where they are exact.
    let low = if right == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if right >= all { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe 1998 (Statistics in Medicine 17, 857–872), table I, the score method without continuity correction.
    #[test]
    fn intervals_are_those_of_the_literature() {
        for (right, all, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (l, h) = wilson(right, all);
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{right} of {all}: {l} to {h}");
            let (l, h) = wilson(all - right, all);
            assert!((1.0 - h - low).abs() < 5e-5 && (1.0 - l - high).abs() < 5e-5, "the same from the other side");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!((wilson(0, 5).0, wilson(5, 5).1), (0.0, 1.0));
    }
}
