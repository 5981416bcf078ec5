//! Points of many dimensions as points of few: principal components, by subspace iteration, and t-SNE (van der Maaten and
//! Hinton 2008), exact. Both are deterministic: results are the same bits at any number of threads.

use striate_kernels::{Cpu, normal};

/// Sweeps of the subspace iteration.
const SWEEPS: usize = 12;

/// `n` rows of `len` values on their `count` principal components, the most important first; and the share of the variance
/// that each has.
pub(super) fn principal(cpu: &Cpu, rows: &[f32], len: usize, count: usize) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() / len;
    let count = count.min(len).min(n);
    let mut mean = vec![0.0; len];
    for row in rows.chunks_exact(len) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
    }
    let centred: Vec<f64> =
        rows.chunks_exact(len).flat_map(|row| row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m)).collect();
    let total: f64 = centred.iter().map(|v| v * v).sum();
    // Directions, one behind another.
    let mut axes: Vec<f64> = (0..count * len).map(|i| f64::from(normal(1, i as u64))).collect();
    orthonormal(&mut axes, len);
    let mut scores = vec![0.0; n * count];
    for sweep in 0..=SWEEPS {
        cpu.chunks(&mut scores, count, |i, scores| {
            let row = &centred[i * len..(i + 1) * len];
            for (score, axis) in scores.iter_mut().zip(axes.chunks_exact(len)) {
                *score = dot(row, axis);
            }
        });
        if sweep == SWEEPS {
            break;
        }
        cpu.chunks(&mut axes, len, |k, axis| {
            axis.fill(0.0);
            for (row, scores) in centred.chunks_exact(len).zip(scores.chunks_exact(count)) {
                axis.iter_mut().zip(row).for_each(|(a, v)| *a += scores[k] * v);
            }
        });
        orthonormal(&mut axes, len);
    }
    let variance = |k: usize| scores.iter().skip(k).step_by(count).map(|s| s * s).sum::<f64>();
    let mut order: Vec<(usize, f64)> = (0..count).map(|k| (k, variance(k))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sorted = scores.chunks_exact(count).flat_map(|row| order.iter().map(move |(k, _)| row[*k])).collect();
    (sorted, order.iter().map(|(_, v)| if total > 0.0 { v / total } else { 0.0 }).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gram and Schmidt, twice for each vector, as is enough (Giraud et al. 2005). A vector that is spanned by those before becomes 0.
fn orthonormal(vectors: &mut [f64], len: usize) {
    for k in 0..vectors.len() / len {
        let (before, rest) = vectors.split_at_mut(k * len);
        let vector = &mut rest[..len];
        let was = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in before.chunks_exact(len) {
                let along = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let norm = dot(vector, vector).sqrt();
        let scale = if norm > 1e-12 * was { 1.0 / norm } else { 0.0 };
        for v in vector {
            *v *= scale;
        }
    }
}

/// Steps of t-SNE, and those of them at first in which attraction is exaggerated.
const STEPS: usize = 750;
const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;

/// A map in two dimensions of points given by rows of `len` values, begun from the first two of them. `perplexity` is about how
/// many neighbours each has. `hear` is told the steps done, of how many.
pub(super) fn tsne(
    cpu: &Cpu,
    points: &[f64],
    len: usize,
    perplexity: f64,
    mut hear: impl FnMut(usize, usize),
) -> Vec<[f64; 2]> {
    let n = points.len() / len;
    if n < 4 {
        return (0..n).map(|i| [i as f64, 0.0]).collect();
    }
    let near = affinities(cpu, points, len, perplexity.min((n - 1) as f64 / 3.0));
    let spread = (points.iter().step_by(len).map(|v| v * v).sum::<f64>() / n as f64).sqrt().max(1e-300);
    let second = |row: &[f64]| row.get(1).copied().unwrap_or(0.0);
    let mut map: Vec<[f64; 2]> =
        points.chunks_exact(len).map(|row| [row[0], second(row)].map(|v| 1e-4 * v / spread)).collect();
    // Belkina et al. 2019.
    let rate = (n as f64 / EXAGGERATION).max(50.0);
    let (mut speed, mut gains) = (vec![[0.0; 2]; n], vec![[1.0_f64; 2]; n]);
    let (mut sums, mut pull) = (vec![0.0; n], vec![[0.0; 2]; n]);
    for step in 0..STEPS {
        let at = |i: usize, j: usize| {
            let d = [map[i][0] - map[j][0], map[i][1] - map[j][1]];
            (d, 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]))
        };
        cpu.chunks(&mut sums, 1, |i, sum| sum[0] = (0..n).filter(|j| *j != i).map(|j| at(i, j).1).sum());
        let total: f64 = sums.iter().sum();
        let stronger = if step < EARLY { EXAGGERATION } else { 1.0 };
        cpu.chunks(&mut pull, 1, |i, pull| {
            let mut sum = [0.0; 2];
            for j in (0..n).filter(|j| *j != i) {
                let (d, q) = at(i, j);
                let force = 4.0 * (stronger * near[i * n + j] - q / total) * q;
                sum[0] += force * d[0];
                sum[1] += force * d[1];
            }
            pull[0] = sum;
        });
        let momentum = if step < EARLY { 0.5 } else { 0.8 };
        for i in 0..n {
            for k in 0..2 {
                let same = (pull[i][k] > 0.0) == (speed[i][k] > 0.0);
                gains[i][k] = if same { (0.8 * gains[i][k]).max(0.01) } else { gains[i][k] + 0.2 };
                speed[i][k] = momentum * speed[i][k] - rate * gains[i][k] * pull[i][k];
                map[i][k] += speed[i][k];
            }
        }
        hear(step + 1, STEPS);
    }
    map
}

/// How near each point is to each other: symmetric, summing up to 1; each point's own share has this perplexity.
fn affinities(cpu: &Cpu, points: &[f64], len: usize, perplexity: f64) -> Vec<f64> {
    let n = points.len() / len;
    let mut own = vec![0.0; n * n];
    cpu.chunks(&mut own, n, |i, row| {
        let a = &points[i * len..(i + 1) * len];
        for (j, d) in row.iter_mut().enumerate() {
            let b = &points[j * len..(j + 1) * len];
            *d = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        }
        row[i] = f64::INFINITY;
        let least = row.iter().copied().fold(f64::INFINITY, f64::min);
        let (mut low, mut high, mut beta) = (0.0, f64::INFINITY, 1.0);
        for _ in 0..60 {
            // Entropy of exp(−β·d), shifted so that the nearest has 1.
            let (mut sum, mut weighted) = (0.0, 0.0);
            for d in row.iter().filter(|d| d.is_finite()) {
                let share = (-beta * (d - least)).exp();
                sum += share;
                weighted += share * (d - least);
            }
            let entropy = sum.ln() + beta * weighted / sum;
            if entropy > perplexity.ln() {
                low = beta;
            } else {
                high = beta;
            }
            beta = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * beta };
        }
        for d in &mut *row {
            *d = (-beta * (*d - least)).exp();
        }
        let sum: f64 = row.iter().sum();
        for d in &mut *row {
            *d /= sum;
        }
    });
    let mut both = vec![0.0; n * n];
    cpu.chunks(&mut both, n, |i, row| {
        for (j, p) in row.iter_mut().enumerate() {
            *p = ((own[i * n + j] + own[j * n + i]) / (2 * n) as f64).max(1e-12);
        }
    });
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::uniform;

    /// Points along (3, 4) / 5 with variance 9, across it with variance 1, and a third coordinate that never changes.
    fn cloud(n: u64) -> Vec<f32> {
        (0..n)
            .flat_map(|i| {
                let (along, across) = (3.0 * normal(5, i), normal(6, i));
                [0.6 * along - 0.8 * across + 7.0, 0.8 * along + 0.6 * across, 2.0]
            })
            .collect()
    }

    #[test]
    fn principal_components_are_the_clouds_axes() {
        let cpu = Cpu::new(2).unwrap();
        let rows = cloud(2000);
        let (scores, shares) = principal(&cpu, &rows, 3, 3);
        // Shares of 9 and 1 in 10, within the deviation of 2,000 draws.
        assert!((shares[0] - 0.9).abs() < 0.015 && (shares[1] - 0.1).abs() < 0.015 && shares[2] < 1e-12, "{shares:?}");
        let axis: f64 = (0..2000).map(|i| scores[3 * i] * f64::from(3.0 * normal(5, i as u64))).sum();
        let norms: f64 = (0..2000).map(|i| scores[3 * i].powi(2)).sum();
        assert!((axis.abs() / norms - 1.0).abs() < 0.05, "{axis} {norms}");
        assert_eq!(principal(&Cpu::new(1).unwrap(), &rows, 3, 3).0, scores, "at any number of threads");
    }

    #[test]
    fn affinities_have_the_perplexity_that_is_asked_for() {
        let cpu = Cpu::new(2).unwrap();
        let points: Vec<f64> = cloud(60).into_iter().map(f64::from).collect();
        let p = affinities(&cpu, &points, 3, 10.0);
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert!((0..60).all(|i| (0..60).all(|j| p[i * 60 + j] == p[j * 60 + i])));
    }

    #[test]
    fn clusters_stay_together_and_apart() {
        let cpu = Cpu::new(2).unwrap();
        // Three clusters in ten dimensions, ten apart, each of deviation 1 at most.
        let points: Vec<f64> = (0..90)
            .flat_map(|i| {
                (0..10).map(move |k| {
                    let centre = if k == i % 3 { 10.0 } else { 0.0 };
                    centre + f64::from(uniform(9, 10 * i + k)) - 0.5
                })
            })
            .collect();
        let map = tsne(&cpu, &points, 10, 15.0, |_, _| {});
        let distance = |a: usize, b: usize| ((map[a][0] - map[b][0]).powi(2) + (map[a][1] - map[b][1]).powi(2)).sqrt();
        for i in 0..90 {
            let nearest = (0..90).filter(|j| *j != i).min_by(|a, b| distance(i, *a).total_cmp(&distance(i, *b)));
            assert_eq!(nearest.unwrap() % 3, i % 3, "point {i}");
        }
        assert_eq!(tsne(&Cpu::new(1).unwrap(), &points, 10, 15.0, |_, _| {}), map, "at any number of threads");
    }
}
