//! Softmax and its cross-entropy loss, rows × classes. The row's maximum is subtracted first, so no exponential overflows.

use crate::Cpu;

/// Assigns each row's exponentials divided by their sum.
///
/// `logits` and `out (rows, classes)`.
///
/// # Panics
/// If the lengths differ or are not whole rows.
pub fn softmax(cpu: &Cpu, logits: &[f32], classes: usize, out: &mut [f32]) {
    check(logits, classes);
    assert_eq!(logits.len(), out.len(), "out has the shape of logits");
    cpu.chunks(out, classes, |row, out| {
        softmax_row(&logits[row * classes..][..classes], out);
    });
}

/// Softmax of one row; returns the logarithm of Σ exp(logit).
fn softmax_row(logits: &[f32], out: &mut [f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f64;
    for (out, &logit) in out.iter_mut().zip(logits) {
        *out = (logit - largest).exp();
        sum += f64::from(*out);
    }
    let scale = (1.0 / sum) as f32;
    for p in out {
        *p *= scale;
    }
    f64::from(largest) + sum.ln()
}

/// The mean cross-entropy of rows of logits, in nats, and its gradient, which is assigned to `dlogits` already divided
/// by the number of rows.
///
/// The target of a row is `1 − smoothing` on its label plus `smoothing / classes` on every class (Szegedy et al. 2016,
/// arXiv:1512.00567), as in `PyTorch`. `logits` and `dlogits (rows, classes)`, `labels (rows)`. NaN where there are no rows.
///
/// # Panics
/// If a length contradicts the shape or a label is no class.
pub fn cross_entropy(
    cpu: &Cpu,
    logits: &[f32],
    classes: usize,
    labels: &[u32],
    smoothing: f32,
    dlogits: &mut [f32],
) -> f64 {
    /// Most partial sums of losses; rows of one sum are consecutive.
    const SUMS: usize = 64;
    check(logits, classes);
    assert_eq!(logits.len(), dlogits.len(), "dlogits has the shape of logits");
    assert_eq!(logits.len(), labels.len() * classes, "a label for each row of {classes} logits");
    let rows = labels.len();
    let scale = 1.0 / rows as f32;
    let (smoothing_f64, share) = (f64::from(smoothing), smoothing / classes as f32);
    let rows_per_sum = rows.div_ceil(SUMS).max(1);
    let mut sums = [0.0_f64; SUMS];
    let sums = &mut sums[..rows.div_ceil(rows_per_sum)];
    cpu.chunks2(dlogits, rows_per_sum * classes, sums, 1, |i, dlogits, sum| {
        let first = i * rows_per_sum;
        for (row, dlogits) in (first..).zip(dlogits.chunks_exact_mut(classes)) {
            let logits = &logits[row * classes..][..classes];
            let label = labels[row] as usize;
            assert!(label < classes, "label {label} of row {row} is none of {classes} classes");
            let log_sum = softmax_row(logits, dlogits);
            sum[0] += log_sum - (1.0 - smoothing_f64) * f64::from(logits[label]);
            if smoothing > 0.0 {
                let total: f64 = logits.iter().map(|&l| f64::from(l)).sum();
                sum[0] -= smoothing_f64 / classes as f64 * total;
            }
            dlogits[label] -= 1.0 - smoothing;
            for d in dlogits {
                *d = (*d - share) * scale;
            }
        }
    });
    sums.iter().sum::<f64>() / rows as f64
}

fn check(logits: &[f32], classes: usize) {
    assert!(classes > 0 && logits.len().is_multiple_of(classes), "whole rows of {classes} logits");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_same_bits, random};

    /// Loss of all rows in f64.
    fn reference(logits: &[f64], classes: usize, labels: &[u32], smoothing: f64) -> f64 {
        let rows = logits.chunks(classes).zip(labels);
        let losses = rows.map(|(row, &label)| {
            let log_sum = row.iter().map(|l| l.exp()).sum::<f64>().ln();
            let target =
                |k: usize| smoothing / classes as f64 + if k == label as usize { 1.0 - smoothing } else { 0.0 };
            row.iter().enumerate().map(|(k, l)| target(k) * (log_sum - l)).sum::<f64>()
        });
        losses.sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_match_f64_differences() {
        for (rows, classes, smoothing) in [(1, 1, 0.0), (3, 10, 0.0), (130, 5, 0.1), (2, 1000, 0.3)] {
            let logits = random(5, rows * classes);
            let labels: Vec<u32> = (0..rows).map(|r| (r * 7 % classes) as u32).collect();
            let exact: Vec<f64> = logits.iter().map(|&l| f64::from(l)).collect();
            let smooth = f64::from(smoothing);
            let mut bits: Option<(f64, Vec<f32>)> = None;
            for threads in [1, 2, 8] {
                let cpu = Cpu::new(threads).unwrap();
                let mut dlogits = vec![f32::NAN; logits.len()];
                let loss = cross_entropy(&cpu, &logits, classes, &labels, smoothing, &mut dlogits);
                let expected = reference(&exact, classes, &labels, smooth);
                assert!((loss - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{loss} is not {expected}");
                for i in (0..logits.len()).step_by(logits.len().div_ceil(40)) {
                    let at = |delta: f64| {
                        let mut moved = exact.clone();
                        moved[i] += delta;
                        reference(&moved, classes, &labels, smooth)
                    };
                    let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
                    let error = (f64::from(dlogits[i]) - slope).abs();
                    assert!(error <= 1e-6 / rows as f64 + 1e-9, "element {i}: {} is not {slope}", dlogits[i]);
                }
                let (first_loss, first) = bits.get_or_insert_with(|| (loss, dlogits.clone()));
                assert_eq!(loss.to_bits(), first_loss.to_bits());
                assert_same_bits("threads", &dlogits, first);
            }
        }
    }

    #[test]
    fn softmax_survives_large_logits() {
        let mut out = [0.0; 4];
        softmax(&Cpu::new(1).unwrap(), &[1000.0, 1000.0, -1000.0, 999.0], 2, &mut out);
        assert_eq!(out, [0.5, 0.5, 0.0, 1.0]);
        softmax(&Cpu::new(1).unwrap(), &[0.0, 3.0_f32.ln(), 2.0, 2.0], 2, &mut out);
        assert!((out[0] - 0.25).abs() < 1e-7 && (out[1] - 0.75).abs() < 1e-7);
    }

    #[test]
    #[should_panic(expected = "label 3 of row 0 is none of 3 classes")]
    fn foreign_labels_panic() {
        cross_entropy(&Cpu::new(1).unwrap(), &[0.0; 3], 3, &[3], 0.0, &mut [0.0; 3]);
    }
}
