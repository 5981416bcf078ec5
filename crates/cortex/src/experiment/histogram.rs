//! The peri-stimulus time histogram: spikes of many trials counted by when they came.

/// Spikes per second in each of `bins` equal parts of `seconds`, over trials of spike times; later spikes are left out.
pub fn histogram(trials: &[Vec<f64>], seconds: f64, bins: usize) -> Vec<f64> {
    let width = seconds / bins.max(1) as f64;
    let mut counts = vec![0.0; bins];
    for time in trials.iter().flatten() {
        if let Some(count) = counts.get_mut((time / width) as usize) {
            *count += 1.0;
        }
    }
    counts.iter().map(|c| c / (width * trials.len().max(1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_become_rates() {
        let trials = [vec![0.05, 0.15, 0.18], vec![0.01]];
        assert_eq!(super::histogram(&trials, 0.2, 2), [10.0, 10.0]);
    }
}
