//! Counter-based randomness: the i-th number of a seed is computed directly, so that any thread may draw any part of a
//! stream and get the same bits. The generator is `SplitMix64` (Steele, Lea and Flood 2014, DOI 10.1145/2660193.2660195).

/// The increment between `SplitMix64` states: 2⁶⁴ divided by the golden ratio, made odd.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output of `SplitMix64` in state `x`: adds the golden gamma and mixes.
///
/// ```
/// assert_eq!(striate_kernels::splitmix64(1234567), 6457827717110365317);
/// ```
pub const fn splitmix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(GOLDEN_GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The `i`-th of 2⁶⁴ random integers of a seed: `SplitMix64` started at `splitmix64(seed)`.
pub const fn hash(seed: u64, i: u64) -> u64 {
    splitmix64(splitmix64(seed).wrapping_add(i.wrapping_mul(GOLDEN_GAMMA)))
}

/// The `i`-th uniform number of a seed: a multiple of 2⁻²⁴ in [0, 1).
pub fn uniform(seed: u64, i: u64) -> f32 {
    (hash(seed, i) >> 40) as f32 * (1.0 / (1 << 24) as f32)
}

/// The `i`-th standard normal number of a seed, by Box and Muller (1958) from the two halves of one hash;
/// at most 6.7 from zero.
pub fn normal(seed: u64, i: u64) -> f32 {
    const HALF: f64 = 1.0 / (1_u64 << 32) as f64;
    let bits = hash(seed, i);
    // In (0, 1], so that its logarithm is finite.
    let radius = ((bits >> 32) + 1) as f64 * HALF;
    let angle = (bits & 0xffff_ffff) as f64 * HALF * std::f64::consts::TAU;
    ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_matches_the_published_sequence() {
        let state = |i: u64| 1_234_567_u64.wrapping_add(i.wrapping_mul(GOLDEN_GAMMA));
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for (i, expected) in expected.into_iter().enumerate() {
            assert_eq!(splitmix64(state(i as u64)), expected);
        }
    }

    #[test]
    fn uniform_fills_the_unit_interval_evenly() {
        let mut bins = [0_u32; 16];
        let n = 160_000;
        for i in 0..n {
            let u = uniform(7, i);
            assert!((0.0..1.0).contains(&u));
            bins[(u * 16.0) as usize] += 1;
        }
        // Each bin is binomial with mean 10 000 and deviation 97.
        assert!(bins.iter().all(|b| b.abs_diff(10_000) < 500), "{bins:?}");
    }

    #[test]
    fn normal_has_unit_moments_and_streams_differ() {
        let n = 200_000_u64;
        let moment = |power: i32| (0..n).map(|i| f64::from(normal(3, i)).powi(power)).sum::<f64>() / n as f64;
        // Standard errors: 0.0022, 0.0032, 0.0087, 0.022.
        assert!(moment(1).abs() < 0.01);
        assert!((moment(2) - 1.0).abs() < 0.015);
        assert!(moment(3).abs() < 0.04);
        assert!((moment(4) - 3.0).abs() < 0.1);
        let product = (0..n).map(|i| f64::from(normal(3, i)) * f64::from(normal(4, i))).sum::<f64>() / n as f64;
        assert!(product.abs() < 0.01);
    }
}
