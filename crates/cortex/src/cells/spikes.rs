//! Spikes by a Poisson process whose rate changes over time.
//!
//! Intervals of a process of rate 1 are drawn (−ln of uniform numbers); a spike falls where the rate's integral reaches their
//! sum. For a rate that is constant within each step this is exact. A seed and a trial decide everything.

use striate_kernels::{hash, splitmix64};

/// The times of spikes, in seconds, for rates (spikes per second) of steps of `dt` seconds.
pub fn spikes(rates: &[f64], dt: f64, seed: u64, trial: u64) -> Vec<f64> {
    let seed = splitmix64(seed ^ splitmix64(trial));
    let mut drawn = 0;
    let mut interval = || {
        drawn += 1;
        // In (0, 1].
        let uniform = ((hash(seed, drawn) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -uniform.ln()
    };
    let (mut left, mut times) = (interval(), Vec::new());
    for (i, rate) in rates.iter().enumerate() {
        let mut done = 0.0;
        while left <= rate * (dt - done) && *rate > 0.0 {
            done += left / rate;
            times.push(i as f64 * dt + done);
            left = interval();
        }
        left -= rate * (dt - done);
    }
    times
}

/// How many spikes a mean of `expected` gives; the `i`-th draw of a seed.
pub fn count(expected: f64, seed: u64, i: u64) -> usize {
    spikes(&[expected], 1.0, seed, i).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_poissons() {
        // 40 spikes a second for half of each second, none in the other.
        let rates: Vec<f64> = (0..100).map(|i| if i < 50 { 40.0 } else { 0.0 }).collect();
        let trials = 4000;
        let counts: Vec<f64> = (0..trials).map(|t| spikes(&rates, 0.01, 7, t).len() as f64).collect();
        let mean = counts.iter().sum::<f64>() / trials as f64;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (trials - 1) as f64;
        // Deviations of the mean and of the variance: √(20/4000) = 0.07, 20 √(2/4000) = 0.45.
        assert!((mean - 20.0).abs() < 0.3 && (variance - 20.0).abs() < 2.0, "{mean} {variance}");
        let one = spikes(&rates, 0.01, 7, 3);
        assert!(one.iter().all(|t| *t <= 0.5) && one.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(one, spikes(&rates, 0.01, 7, 3));
        assert_ne!(one, spikes(&rates, 0.01, 8, 3));
    }

    #[test]
    fn intervals_are_exponential() {
        let times = spikes(&vec![50.0; 100_000], 0.01, 1, 0);
        let intervals: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        // The share above the mean is 1/e.
        let long = intervals.iter().filter(|i| **i > 0.02).count() as f64 / intervals.len() as f64;
        assert!((long - (-1.0_f64).exp()).abs() < 0.01, "{long}");
    }
}
