//! Temperature scaling (Guo et al. 2017, arXiv:1706.04599): all logits are divided by one number, which leaves the order of
//! classes as it is, and with it the accuracy.
//!
//! The mean cross-entropy is convex in β = 1/T: its slope is the mean over images of Σ p z − zᵧ (p the softmax of β z, y the
//! image's class), its curvature the mean variance of z under p. Newton's steps find the minimum; where one would leave the
//! interval that holds it, the interval is halved instead (in logarithms).

use super::Logits;

/// The lowest temperature that is fitted.
pub const COLDEST: f64 = 0.05;
/// The highest.
pub const HOTTEST: f64 = 20.0;

/// The temperature from [`COLDEST`] to [`HOTTEST`] at which the mean cross-entropy is least; 1 where it is the same at all.
pub fn fit_temperature(logits: &Logits) -> f64 {
    /// Halving alone would do in 50 steps.
    const STEPS: usize = 100;
    const CLOSE: f64 = 1e-12;
    let (mut low, mut high) = (1.0 / HOTTEST, 1.0 / COLDEST);
    match (slope(logits, low).0 >= 0.0, slope(logits, high).0 <= 0.0) {
        (true, true) => return 1.0,
        (true, false) => return HOTTEST,
        (false, true) => return COLDEST,
        (false, false) => {}
    }
    let mut beta = 1.0;
    for _ in 0..STEPS {
        let (slope, curvature) = slope(logits, beta);
        if slope > 0.0 {
            high = beta;
        } else {
            low = beta;
        }
        let newton = beta - slope / curvature;
        if (newton - beta).abs() <= CLOSE * beta {
            break;
        }
        beta = if newton > low && newton < high { newton } else { (low * high).sqrt() };
    }
    1.0 / beta
}

/// The mean cross-entropy's slope and curvature in β.
fn slope(logits: &Logits, beta: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (row, label) in logits.rows() {
        let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
        for &z in row {
            // From the highest on, so that squares do not cancel.
            let z = f64::from(z) - highest;
            let p = (beta * z).exp();
            sum += p;
            mean += p * z;
            square += p * z * z;
        }
        (mean, square) = (mean / sum, square / sum);
        slope += mean - (f64::from(row[label as usize]) - highest);
        curvature += (square - mean * mean).max(0.0);
    }
    let n = logits.len().max(1) as f64;
    (slope / n, curvature / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::{normal, uniform};

    /// The mean cross-entropy at a temperature, by its definition.
    fn loss(logits: &Logits, t: f64) -> f64 {
        let one = |(row, label): (&[f32], u32)| {
            let sum: f64 = row.iter().map(|&z| ((f64::from(z) - f64::from(row[0])) / t).exp()).sum();
            sum.ln() - (f64::from(row[label as usize]) - f64::from(row[0])) / t
        };
        logits.rows().map(one).sum::<f64>() / logits.len() as f64
    }

    /// Logits of `images` images, and labels drawn from the softmax of these; then times `scale`.
    fn drawn(images: usize, classes: usize, scale: f32) -> Logits {
        let mut all = Logits::new(classes, images);
        for i in 0..images {
            let z: Vec<f64> = (0..classes).map(|c| 2.0 * f64::from(normal(3, (i * classes + c) as u64))).collect();
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            let mut lot = f64::from(uniform(4, i as u64)) * sum;
            let mut label = 0;
            while label + 1 < classes && lot >= z[label].exp() {
                lot -= z[label].exp();
                label += 1;
            }
            let row: Vec<f32> = z.iter().map(|&z| z as f32 * scale).collect();
            all.add(&row, &[label as u32], &[i]);
        }
        all
    }

    #[test]
    fn a_known_temperature_is_found() {
        for (scale, meant) in [(2.5, 2.5), (1.0, 1.0), (0.4, 0.4)] {
            let found = fit_temperature(&drawn(20_000, 10, scale));
            assert!((found / meant - 1.0).abs() < 0.03, "{found} for {meant}");
        }
    }

    #[test]
    fn the_minimum_is_that_of_a_fine_grid() {
        for (images, classes, scale) in [(300, 3, 1.7), (50, 2, 6.0), (200, 100, 0.3), (1000, 10, 15.0)] {
            let logits = drawn(images, classes, scale);
            let found = fit_temperature(&logits);
            let least = |a: (f64, f64), b: (f64, f64)| if b.0 < a.0 { b } else { a };
            // A hundredth of a percent between points, first every twentieth.
            let points = (0..).map(|i| COLDEST * 1.0001f64.powi(i)).take_while(|&t| t <= HOTTEST).step_by(20);
            let (_, near) = points.map(|t| (loss(&logits, t), t)).fold((f64::INFINITY, 0.0), least);
            let fine = (-400..400).map(|i| near * 1.0001f64.powi(i)).filter(|t| (COLDEST..=HOTTEST).contains(t));
            let (lowest, t) = fine.map(|t| (loss(&logits, t), t)).fold((f64::INFINITY, 0.0), least);
            assert!((found / t - 1.0).abs() < 2e-4, "{found} against {t}");
            assert!(loss(&logits, found) <= lowest + 1e-12);
        }
    }

    #[test]
    fn ends_and_level_ground() {
        let of = |rows: &[([f32; 2], u32)]| {
            let mut all = Logits::new(2, rows.len());
            rows.iter().enumerate().for_each(|(i, (row, label))| all.add(row, &[*label], &[i]));
            fit_temperature(&all)
        };
        assert_eq!(of(&[([1.0, 0.0], 0), ([0.0, 3.0], 1)]), COLDEST, "ever surer");
        assert_eq!(of(&[([1.0, 0.0], 1)]), HOTTEST, "ever less sure");
        assert_eq!(of(&[([4.0, 4.0], 1)]), 1.0, "no temperature changes anything");
        // Of margins of 300, 3 of 4 are right: T = 300 / ln 3, far beyond the highest.
        assert_eq!(of(&[([300.0, 0.0], 0), ([300.0, 0.0], 0), ([300.0, 0.0], 0), ([300.0, 0.0], 1)]), HOTTEST);
        // Margins of 0.09 with the same: T = 0.09 / ln 3.
        let t = of(&[([0.09, 0.0], 0), ([0.09, 0.0], 0), ([0.09, 0.0], 0), ([0.09, 0.0], 1)]);
        assert!((t - f64::from(0.09f32) / 3f64.ln()).abs() < 1e-9, "{t}");
    }
}
