//! Scalar products of long rows, summed in 64 bits and always in the same order.

/// Sums that are kept side by side, so that the compiler can use wide registers.
const LANES: usize = 8;

/// Σ aᵢ xᵢ.
pub(crate) fn dot<A: Copy + Into<f64>>(a: &[A], x: &[f32]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    let (a, x) = (a.chunks_exact(LANES), x.chunks_exact(LANES));
    let product = |(&a, &x): (&A, &f32)| -> f64 {
        let a: f64 = a.into();
        a * f64::from(x)
    };
    let rest: f64 = a.remainder().iter().zip(x.remainder()).map(product).sum();
    for (a, x) in a.zip(x) {
        for (sum, pair) in sums.iter_mut().zip(a.iter().zip(x)) {
            *sum += product(pair);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length_are_whole() {
        for n in [0, 1, 7, 8, 9, 31] {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let x: Vec<f32> = (0..n).map(|i| (i + 1) as f32).collect();
            let expected: f64 = (0..n).map(|i| f64::from(i * (i + 1))).sum();
            assert_eq!(dot(&a, &x), expected, "{n}");
        }
    }
}
