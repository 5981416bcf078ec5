//! McNemar's test (1947, DOI 10.1007/BF02295996), exact: of the images that one of two methods tells and the other does not, does
//! either tell more than chance would have it?

/// Two methods on the same images.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct McNemar {
    /// Images that the first alone tells.
    pub first_only: u64,
    /// Images that the second alone tells.
    pub second_only: u64,
    /// The two-sided probability of so uneven a split, or a more uneven one, if both were equally good.
    pub p: f64,
}

/// The test, of what each method took the images for.
pub fn mcnemar(labels: &[u32], first: &[u32], second: &[u32]) -> McNemar {
    let (mut first_only, mut second_only) = (0, 0);
    for ((label, a), b) in labels.iter().zip(first).zip(second) {
        match (a == label, b == label) {
            (true, false) => first_only += 1,
            (false, true) => second_only += 1,
            _ => {}
        }
    }
    McNemar { first_only, second_only, p: two_sided(first_only, second_only) }
}

/// 2 Σ over i ≤ the lesser of C(n, i) / 2ⁿ, at most 1, in logarithms.
fn two_sided(a: u64, b: u64) -> f64 {
    let n = a + b;
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = term.exp();
    for i in 0..a.min(b) {
        term += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_binomial_distributions() {
        // 2 (1 + 10 + 45) / 1024, and 2 / 2⁵.
        assert!((two_sided(2, 8) - 112.0 / 1024.0).abs() < 1e-12);
        assert!((two_sided(5, 0) - 0.0625).abs() < 1e-12);
        assert_eq!((two_sided(0, 0), two_sided(7, 7)), (1.0, 1.0));
        // Python's integers: 2 * sum(comb(3000, i) for i in range(1401)) / 2**3000.
        assert!((two_sided(1400, 1600) / 2.785_639_61e-4 - 1.0).abs() < 1e-6, "{}", two_sided(1400, 1600));
    }

    #[test]
    fn only_images_that_one_method_tells_count() {
        let labels = [0, 1, 2, 0, 1, 2];
        let found = mcnemar(&labels, &[0, 1, 2, 1, 0, 2], &[0, 0, 0, 0, 0, 2]);
        assert_eq!((found.first_only, found.second_only, found.p), (2, 1, 1.0));
    }
}
