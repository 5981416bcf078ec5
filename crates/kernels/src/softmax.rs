//! Softmax and its cross-entropy loss, rows × classes. The row's maximum is subtracted first, so no exponential overflows.

use crate::exponential::exp;
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};
use std::ops::Range;

/// Assigns each row's exponentials divided by their sum.
///
/// `logits` and `out (rows, classes)`.
///
/// # Panics
/// If the lengths differ or are not whole rows.
pub fn softmax(cpu: &Cpu, logits: &[f32], classes: usize, out: &mut [f32]) {
    tempered_softmax(cpu, logits, classes, 1.0, out);
}

/// Assigns the softmax of each row of `logits / temperature` (Hinton et al. 2015, arXiv:1503.02531).
///
/// `logits` and `out (rows, classes)`.
///
/// # Panics
/// If the lengths differ or are not whole rows.
pub fn tempered_softmax(cpu: &Cpu, logits: &[f32], classes: usize, temperature: f32, out: &mut [f32]) {
    check(logits, classes);
    assert_eq!(logits.len(), out.len(), "out has the shape of logits");
    let piece = piece(classes);
    cpu.chunks(out, piece, |i, out| {
        let logits = &logits[i * piece..][..out.len()];
        for (logits, out) in logits.chunks_exact(classes).zip(out.chunks_exact_mut(classes)) {
            cpu.isa().dispatch(Row { logits, temperature, out });
        }
    });
}

/// Assigns to dx, or adds to it, the gradient of [`tempered_softmax`]: `y (dy − Σ dy · y) / temperature` with the row's sum, in f64.
///
/// `y`, the softmax's output, `dy` and `dx (rows, classes)`.
///
/// # Panics
/// If the lengths differ or are not whole rows.
pub fn softmax_backward(cpu: &Cpu, y: &[f32], dy: &[f32], classes: usize, temperature: f32, dx: GradientSlot<'_>) {
    let GradientSlot { values: dx, adds } = dx;
    check(y, classes);
    assert!(y.len() == dx.len() && dy.len() == dx.len(), "y, dy and dx have one shape");
    let (piece, scale) = (piece(classes), 1.0 / temperature);
    cpu.chunks(dx, piece, |i, dx| {
        let range = i * piece..i * piece + dx.len();
        cpu.isa().dispatch(Gradient { y: &y[range.clone()], dy: &dy[range], classes, scale, dx, adds });
    });
}

struct Gradient<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    classes: usize,
    scale: f32,
    dx: &'a mut [f32],
    adds: bool,
}

impl Kernel for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.classes;
        let rows = self.y.chunks_exact(c).zip(self.dy.chunks_exact(c)).zip(self.dx.chunks_exact_mut(c));
        for ((y, dy), dx) in rows {
            let dot = y.iter().zip(dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum::<f64>() as f32;
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                let gradient = y * (dy - dot) * self.scale;
                *dx = if self.adds { *dx + gradient } else { gradient };
            }
        }
    }
}

/// Elements of a piece: whole rows, about 4096 elements.
fn piece(classes: usize) -> usize {
    (4096 / classes).max(1) * classes
}

/// Softmax of one row over a temperature; returns the logarithm of Σ exp(logit / temperature).
struct Row<'a> {
    logits: &'a [f32],
    temperature: f32,
    out: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let largest = self.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (shift, temperature) = (s.splat(largest), s.splat(self.temperature));
        for (x, out) in self.logits.chunks(S::LANES).zip(self.out.chunks_mut(S::LANES)) {
            s.write(exp(s, s.div(s.sub(s.read(x), shift), temperature)), out);
        }
        let sum: f64 = self.out.iter().map(|&e| f64::from(e)).sum();
        let scale = (1.0 / sum) as f32;
        for p in self.out {
            *p *= scale;
        }
        f64::from(largest) / f64::from(self.temperature) + sum.ln()
    }
}

/// What rows of logits should have said: the class of each or a mix of two, smoothed and weighted.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// Each row's class.
    pub labels: &'a [u32],
    /// Where rows are mixed, each one's second class, and the share of the first, from 0 to 1 (Zhang et al. 2017,
    /// arXiv:1710.09412).
    pub mixed: Option<(&'a [u32], f32)>,
    /// The share, from 0 to below 1, that all classes have alike in every row (Szegedy et al. 2016, arXiv:1512.00567).
    pub smoothing: f32,
    /// What each class counts, where not all count 1.
    pub class_weights: Option<&'a [f32]>,
}

impl<'a> Targets<'a> {
    /// One class a row.
    pub fn single(labels: &'a [u32]) -> Targets<'a> {
        Targets { labels, mixed: None, smoothing: 0.0, class_weights: None }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Those of some rows.
    ///
    /// # Panics
    /// If there are no such rows.
    #[must_use]
    pub fn part(&self, rows: Range<usize>) -> Targets<'a> {
        let mixed = self.mixed.map(|(second, share)| (&second[rows.clone()], share));
        Targets { labels: &self.labels[rows], mixed, ..*self }
    }

    /// The classes of a row with their shares; where there is one, the second has none.
    fn of(&self, row: usize, classes: usize) -> [(usize, f32); 2] {
        let class = |labels: &[u32]| {
            let label = labels[row] as usize;
            assert!(label < classes, "label {label} of row {row} is none of {classes} classes");
            label
        };
        let first = class(self.labels);
        match self.mixed {
            Some((second, share)) => [(first, share), (class(second), 1.0 - share)],
            None => [(first, 1.0), (first, 0.0)],
        }
    }
}

impl<'a> From<&'a [u32]> for Targets<'a> {
    fn from(labels: &'a [u32]) -> Targets<'a> {
        Targets::single(labels)
    }
}

impl<'a> From<&'a Vec<u32>> for Targets<'a> {
    fn from(labels: &'a Vec<u32>) -> Targets<'a> {
        Targets::single(labels)
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Targets<'a> {
    fn from(labels: &'a [u32; N]) -> Targets<'a> {
        Targets::single(labels)
    }
}

/// The mean cross-entropy of rows of logits, in nats, and its gradient, which is assigned to `dlogits` already divided
/// by the number of rows.
///
/// A row's loss is `−Σ w_k t_k ln p_k` over the classes k, with weights w (1 where there are none), probabilities p, and the
/// target t: `1 − smoothing` on its class, or divided between its two, plus `smoothing / classes` on every class; as
/// `PyTorch` has it for targets that are probabilities. `logits` and `dlogits (rows, classes)`. NaN where there are no rows.
///
/// # Panics
/// If a length contradicts the shape or a label is no class.
pub fn cross_entropy(cpu: &Cpu, logits: &[f32], classes: usize, targets: Targets<'_>, dlogits: &mut [f32]) -> f64 {
    /// Most partial sums of losses; rows of one sum are consecutive.
    const SUMS: usize = 64;
    check(logits, classes);
    assert_eq!(logits.len(), dlogits.len(), "dlogits has the shape of logits");
    let Targets { smoothing, class_weights, .. } = targets;
    let rows = targets.rows();
    let seconds = targets.mixed.map_or(rows, |(second, _)| second.len());
    assert!(logits.len() == rows * classes && seconds == rows, "a label for each row of {classes} logits");
    assert!(class_weights.is_none_or(|w| w.len() == classes), "a weight for each of {classes} classes");
    let scale = 1.0 / rows as f32;
    let weight = |class: usize| class_weights.map_or(1.0, |weights| weights[class]);
    let spread = smoothing / classes as f32;
    // What all classes together have of the smoothing.
    let spread_sum = class_weights.map_or(smoothing, |weights| spread * weights.iter().sum::<f32>());
    let rows_per_sum = rows.div_ceil(SUMS).max(1);
    let mut sums = [0.0_f64; SUMS];
    let sums = &mut sums[..rows.div_ceil(rows_per_sum)];
    cpu.chunks2(dlogits, rows_per_sum * classes, sums, 1, |i, dlogits, sum| {
        let first = i * rows_per_sum;
        for (row, dlogits) in (first..).zip(dlogits.chunks_exact_mut(classes)) {
            let logits = &logits[row * classes..][..classes];
            let own = targets.of(row, classes).map(|(class, share)| (class, (1.0 - smoothing) * share * weight(class)));
            let log_sum = cpu.isa().dispatch(Row { logits, temperature: 1.0, out: dlogits });
            sum[0] += own.iter().map(|&(class, t)| f64::from(t) * (log_sum - f64::from(logits[class]))).sum::<f64>();
            if smoothing > 0.0 {
                let total = logits.iter().enumerate().map(|(k, &l)| f64::from(weight(k)) * (log_sum - f64::from(l)));
                sum[0] += f64::from(spread) * total.sum::<f64>();
            }
            if class_weights.is_some() {
                let total = own.iter().map(|(_, t)| t).sum::<f32>() + spread_sum;
                for d in dlogits.iter_mut() {
                    *d *= total;
                }
            }
            for (class, t) in own {
                dlogits[class] -= t;
            }
            for (k, d) in dlogits.iter_mut().enumerate() {
                *d = (*d - spread * weight(k)) * scale;
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
    use crate::Isa;
    use crate::reference::{Sum, assert_close, assert_same_bits, random};

    /// Loss of all rows in f64.
    fn reference(logits: &[f64], classes: usize, targets: Targets<'_>) -> f64 {
        let (second, share) = targets.mixed.unwrap_or((targets.labels, 1.0));
        let smoothing = f64::from(targets.smoothing);
        let weight = |k: usize| targets.class_weights.map_or(1.0, |w| f64::from(w[k]));
        let rows = logits.chunks(classes).zip(targets.labels.iter().zip(second));
        let losses = rows.map(|(row, (&first, &second))| {
            let log_sum = row.iter().map(|l| l.exp()).sum::<f64>().ln();
            let of = |label: u32, k: usize| if k == label as usize { 1.0 - smoothing } else { 0.0 };
            let target = |k: usize| {
                let share = f64::from(share);
                smoothing / classes as f64 + share * of(first, k) + (1.0 - share) * of(second, k)
            };
            row.iter().enumerate().map(|(k, l)| weight(k) * target(k) * (log_sum - l)).sum::<f64>()
        });
        losses.sum::<f64>() / targets.labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_match_f64_differences() {
        let cases = [(1, 1, 0.0), (3, 10, 0.0), (130, 5, 0.1), (2, 1000, 0.3)];
        let kinds = [(None, false), (Some(0.3), false), (None, true), (Some(0.7), true)];
        for ((rows, classes, smoothing), (share, weighted)) in cases.into_iter().flat_map(|c| kinds.map(|k| (c, k))) {
            let logits = random(5, rows * classes);
            let labels: Vec<u32> = (0..rows).map(|r| (r * 7 % classes) as u32).collect();
            // Some rows have the same class twice.
            let second: Vec<u32> = (0..rows).map(|r| (r * 3 % classes) as u32).collect();
            let weights: Vec<f32> = (0..classes).map(|k| 0.25 + (k % 4) as f32 / 2.0).collect();
            let mixed = share.map(|share| (second.as_slice(), share));
            let targets = Targets { labels: &labels, mixed, smoothing, class_weights: weighted.then_some(&weights) };
            let exact: Vec<f64> = logits.iter().map(|&l| f64::from(l)).collect();
            let mut bits: Option<(f64, Vec<f32>)> = None;
            for threads in [1, 2, 8] {
                let cpu = Cpu::new(threads).unwrap();
                let mut dlogits = vec![f32::NAN; logits.len()];
                let loss = cross_entropy(&cpu, &logits, classes, targets, &mut dlogits);
                let expected = reference(&exact, classes, targets);
                assert!((loss - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{loss} is not {expected}");
                for i in (0..logits.len()).step_by(logits.len().div_ceil(40)) {
                    let at = |delta: f64| {
                        let mut moved = exact.clone();
                        moved[i] += delta;
                        reference(&moved, classes, targets)
                    };
                    let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
                    let error = (f64::from(dlogits[i]) - slope).abs();
                    assert!(error <= 2e-6 / rows as f64 + 1e-9, "element {i}: {} is not {slope}", dlogits[i]);
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
    fn tempered_rows_and_their_gradients_match_f64_on_every_instruction_set() {
        for (rows, classes, temperature) in [(1, 1, 1.0), (3, 10, 4.0), (900, 21, 0.5), (2, 5000, 1.0)] {
            let (x, dy, start) = [1, 2, 3].map(|seed| random(seed, rows * classes)).into();
            let (mut expected_y, mut expected_dx) = (Vec::new(), Vec::new());
            for ((x, dy), start) in x.chunks(classes).zip(dy.chunks(classes)).zip(start.chunks(classes)) {
                let exps: Vec<f64> = x.iter().map(|&x| (f64::from(x) / f64::from(temperature)).exp()).collect();
                let sum: f64 = exps.iter().sum();
                let mut dot = Sum::default();
                exps.iter().zip(dy).for_each(|(e, &dy)| dot.add(e / sum * f64::from(dy)));
                for ((e, &dy), &start) in exps.iter().zip(dy).zip(start) {
                    let (y, dy) = (e / sum, f64::from(dy));
                    expected_y.push(Sum { value: y, magnitude: y });
                    let value = f64::from(start) + y * (dy - dot.value) / f64::from(temperature);
                    let gradient = y * (dy.abs() + dot.magnitude) / f64::from(temperature);
                    expected_dx.push(Sum { value, magnitude: f64::from(start.abs()) + gradient });
                }
            }
            for isa in Isa::available() {
                let mut bits: Option<Vec<f32>> = None;
                for threads in [1, 2, 8] {
                    let cpu = Cpu::with_isa(threads, isa).unwrap();
                    let (mut y, mut dx) = (vec![f32::NAN; x.len()], start.clone());
                    tempered_softmax(&cpu, &x, classes, temperature, &mut y);
                    softmax_backward(&cpu, &y, &dy, classes, temperature, GradientSlot::add(&mut dx));
                    // The exponent, up to 20 here, is rounded before the exponential.
                    assert_close("softmax", &y, &expected_y, 2e-6);
                    assert_close("its gradient", &dx, &expected_dx, 4e-6);
                    assert_same_bits("threads", &dx, bits.get_or_insert_with(|| dx.clone()));
                }
            }
        }
    }

    #[test]
    fn a_share_of_everything_is_no_mix() {
        let (cpu, logits, labels, second) = (Cpu::new(2).unwrap(), random(3, 70), [1, 2, 3, 4, 5, 6, 0], [0; 7]);
        let (mut plain, mut mixed) = ([0.0; 70], [0.0; 70]);
        let one = Targets { smoothing: 0.1, ..Targets::single(&labels) };
        let loss = cross_entropy(&cpu, &logits, 10, one, &mut plain);
        for (labels, second, share) in [(&labels, &second, 1.0), (&second, &labels, 0.0), (&labels, &labels, 0.25)] {
            let targets = Targets { labels, mixed: Some((second, share)), ..one };
            assert!((cross_entropy(&cpu, &logits, 10, targets, &mut mixed) - loss).abs() < 1e-6);
            assert!(plain.iter().zip(&mixed).all(|(a, b)| (a - b).abs() < 1e-7));
        }
    }

    #[test]
    #[should_panic(expected = "label 3 of row 0 is none of 3 classes")]
    fn foreign_labels_panic() {
        cross_entropy(&Cpu::new(1).unwrap(), &[0.0; 3], 3, Targets::single(&[3]), &mut [0.0; 3]);
    }
}
