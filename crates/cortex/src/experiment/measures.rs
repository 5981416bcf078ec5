//! The numbers that the literature tells cells apart by.

/// 1 less the answer to the opposite direction as a share of the best: 1 for a cell of one direction, 0 for none. `answers`
/// are those to equally spaced directions over 360°, an even number of them.
pub fn direction_index(answers: &[f64]) -> f64 {
    let n = answers.len();
    let best = (0..n).fold(0, |best, i| if answers[i] > answers[best] { i } else { best });
    let (preferred, opposite) = (answers.get(best), answers.get((best + n / 2) % n.max(1)));
    match (preferred, opposite) {
        (Some(p), Some(o)) if *p > 0.0 => 1.0 - o / p,
        _ => 0.0,
    }
}

/// 1 less the circular variance: |Σ R e^(2iθ)| / Σ R, 1 for a cell of one orientation, 0 for none. `answers` are those to
/// equally spaced orientations over 180°, or directions over 360°.
pub fn selectivity(answers: &[f64], over: f64) -> f64 {
    let n = answers.len() as f64;
    let angle = |i: usize| (2.0 * over * i as f64 / n).to_radians();
    let (mut x, mut y) = (0.0, 0.0);
    for (i, r) in answers.iter().enumerate() {
        x += r * angle(i).cos();
        y += r * angle(i).sin();
    }
    let sum: f64 = answers.iter().sum();
    if sum > 0.0 { x.hypot(y) / sum } else { 0.0 }
}

/// Half the width at half the height between base and peak, on a circle of `period`, interpolated between neighbours;
/// `None` if the answers do not fall to half on both sides.
pub fn half_width(answers: &[f64], period: f64) -> Option<f64> {
    let n = answers.len();
    let best = (0..n).fold(0, |best, i| if answers[i] > answers[best] { i } else { best });
    let base = answers.iter().copied().fold(f64::INFINITY, f64::min);
    let half = base + (answers.get(best)? - base) / 2.0;
    let side = |step: usize| -> Option<f64> {
        for i in 1..=n / 2 {
            let (a, b) = (answers[(best + (i - 1) * step) % n], answers[(best + i * step) % n]);
            if a > half && b <= half {
                return Some(i as f64 - 1.0 + (a - half) / (a - b));
            }
        }
        None
    };
    Some(f64::midpoint(side(1)?, side(n - 1)?) * period / n as f64)
}

/// 1 less the answer to the longest bar as a share of the best: 1 for a fully end-stopped cell.
pub fn end_stopping(answers: &[f64]) -> f64 {
    let best = answers.iter().copied().fold(0.0, f64::max);
    match answers.last() {
        Some(last) if best > 0.0 => 1.0 - last / best,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_their_definitions() {
        assert_eq!(direction_index(&[10.0, 2.0, 5.0, 2.0]), 0.5);
        assert_eq!((direction_index(&[]), direction_index(&[0.0, 0.0])), (0.0, 0.0));
        assert!((selectivity(&[1.0, 0.0, 0.0, 0.0], 180.0) - 1.0).abs() < 1e-12);
        assert!(selectivity(&[1.0; 8], 180.0) < 1e-12);
        assert!((selectivity(&[1.0, 0.0, 1.0, 0.0], 360.0) - 1.0).abs() < 1e-12, "both directions of one orientation");
        // A triangle of height 4 and half base 4 steps of 10°, on a base of 1.
        let mut triangle = vec![1.0; 18];
        for (i, v) in [(7, 2.0), (8, 3.0), (9, 4.0), (10, 5.0), (11, 4.0), (12, 3.0), (13, 2.0)] {
            triangle[i] = v;
        }
        assert_eq!(half_width(&triangle, 180.0), Some(20.0));
        assert_eq!(half_width(&[1.0; 6], 180.0), None);
        assert_eq!(end_stopping(&[0.0, 8.0, 2.0]), 0.75);
    }
}
