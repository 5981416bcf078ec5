//! k-means (Lloyd 1982, DOI 10.1109/TIT.1982.1056489) from k-means++ centres (Arthur and Vassilvitskii 2007), with distances
//! by matrix products. A centre that loses all its rows takes the row farthest from its own.

use crate::error::{ClassicError, require};
use crate::lots::Lots;
use crate::matrix::Matrix;
use crate::product::Product;
use striate_kernels::Cpu;

/// How rows are divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeans {
    /// Clusters.
    pub clusters: usize,
    /// The most rounds.
    pub rounds: usize,
    /// Ends when the centres' summed squared movement is below this times the columns' mean variance.
    pub tolerance: f64,
}

impl Default for KMeans {
    fn default() -> Self {
        Self { clusters: 8, rounds: 50, tolerance: 1e-4 }
    }
}

/// Rows divided into clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// (clusters, columns).
    pub centres: Matrix,
    /// Σ of the rows' squared distances to their centres.
    pub inertia: f64,
    /// Rounds it took.
    pub rounds: usize,
}

/// Centres ready to be compared with rows.
pub(crate) struct Centres<'a> {
    centres: &'a Matrix,
    product: Product,
    squares: Vec<f32>,
}

fn square(row: &[f32]) -> f64 {
    row.iter().map(|&v| f64::from(v).powi(2)).sum()
}

impl<'a> Centres<'a> {
    pub(crate) fn new(cpu: &Cpu, centres: &'a Matrix) -> Self {
        let product = Product::new(cpu, centres.values(), centres.columns());
        Self { centres, product, squares: centres.iter().map(|c| square(c) as f32).collect() }
    }

    /// The nearest centre of each row, the first of equals, and the squared distance to it.
    pub(crate) fn nearest(&self, cpu: &Cpu, rows: &Matrix) -> Vec<(usize, f64)> {
        /// Rows of one product: their products with the centres stay in cache.
        const ROWS: usize = 512;
        let (k, d) = (self.centres.rows(), rows.columns());
        let mut nearest = vec![(0, 0.0); rows.rows()];
        cpu.chunks(&mut nearest, ROWS, |piece, nearest| {
            let rows = &rows.values()[piece * ROWS * d..][..nearest.len() * d];
            let mut products = vec![0.0; nearest.len() * k];
            self.product.run(cpu, rows, None, &mut products);
            for ((nearest, products), row) in nearest.iter_mut().zip(products.chunks_exact(k)).zip(rows.chunks_exact(d))
            {
                let mut best = (0, f32::INFINITY);
                for (i, (p, square)) in products.iter().zip(&self.squares).enumerate() {
                    let distance = square - 2.0 * p;
                    if distance < best.1 {
                        best = (i, distance);
                    }
                }
                let centre = self.centres.row(best.0);
                let exact = row.iter().zip(centre).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
                *nearest = (best.0, exact);
            }
        });
        nearest
    }
}

impl KMeans {
    /// Divides `rows`; draws depend on `seed`.
    ///
    /// # Errors
    /// Fewer rows than clusters, no cluster, or values that are not finite.
    pub fn fit(&self, cpu: &Cpu, rows: &Matrix, seed: u64) -> Result<Clusters, ClassicError> {
        rows.check_finite()?;
        require(self.clusters > 0, "k-means", "clusters", self.clusters, "at least 1")?;
        if rows.rows() < self.clusters {
            let of = format!("k-means with {} clusters", self.clusters);
            return Err(ClassicError::Few { of, least: self.clusters, found: rows.rows() });
        }
        let first = self.seeds(cpu, rows, seed);
        Ok(self.from(cpu, rows, rows.select(&first)))
    }

    /// Lloyd's rounds from given centres.
    pub(crate) fn from(&self, cpu: &Cpu, rows: &Matrix, mut centres: Matrix) -> Clusters {
        let (_, variance) = rows.moments(cpu);
        let still = self.tolerance * variance.iter().sum::<f64>() / variance.len() as f64;
        let (mut rounds, mut done) = (0, false);
        loop {
            let nearest = Centres::new(cpu, &centres).nearest(cpu, rows);
            if done || rounds == self.rounds {
                let inertia = nearest.iter().map(|(_, d)| d).sum();
                return Clusters { centres, inertia, rounds };
            }
            let moved = means(cpu, rows, &nearest, centres.rows());
            let move_of = |(&a, &b): (&f32, &f32)| (f64::from(a) - f64::from(b)).powi(2);
            done = moved.values().iter().zip(centres.values()).map(move_of).sum::<f64>() <= still;
            rounds += 1;
            centres = moved;
        }
    }

    /// k-means++: rows drawn one after the other, each in proportion to its squared distance from those drawn before.
    fn seeds(&self, cpu: &Cpu, rows: &Matrix, seed: u64) -> Vec<usize> {
        let mut lots = Lots::new(seed, &[SEEDS]);
        let mut chosen = vec![lots.below(rows.rows())];
        let mut distances = vec![f64::INFINITY; rows.rows()];
        while chosen.len() < self.clusters {
            let newest = rows.row(chosen[chosen.len() - 1]);
            cpu.chunks(&mut distances, 256, |piece, distances| {
                for (i, distance) in (piece * 256..).zip(distances) {
                    let mut sums = [0.0_f32; 8];
                    let (a, b) = (rows.row(i).chunks_exact(8), newest.chunks_exact(8));
                    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a - b).powi(2)).sum();
                    for (a, b) in a.zip(b) {
                        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += (a - b).powi(2));
                    }
                    *distance = distance.min(f64::from(sums.iter().sum::<f32>() + rest));
                }
            });
            let mut left = lots.uniform() * distances.iter().sum::<f64>();
            let drawn = distances.iter().position(|d| {
                left -= d;
                left < 0.0
            });
            // Where all rows are drawn or alike, any row serves.
            chosen.push(drawn.unwrap_or_else(|| lots.below(rows.rows())));
        }
        chosen
    }
}

/// Keeps these draws apart from others of the same seed.
const SEEDS: u64 = 0x6b6d;

/// The mean of each centre's rows, summed in f64 in the rows' order.
fn means(cpu: &Cpu, rows: &Matrix, nearest: &[(usize, f64)], clusters: usize) -> Matrix {
    let d = rows.columns();
    let mut members = vec![Vec::new(); clusters];
    for (i, (centre, _)) in nearest.iter().enumerate() {
        members[*centre].push(i);
    }
    let mut farthest: Vec<usize> = Vec::new();
    if members.iter().any(Vec::is_empty) {
        farthest = (0..rows.rows()).collect();
        farthest.sort_by(|&a, &b| nearest[b].1.total_cmp(&nearest[a].1));
    }
    let mut farthest = farthest.into_iter();
    for members in members.iter_mut().filter(|m| m.is_empty()) {
        members.extend(farthest.next());
    }
    let mut means = Matrix::zeros(clusters, d);
    cpu.chunks(means.values_mut(), d, |centre, mean| {
        let mut sums = vec![0.0_f64; d];
        for &i in &members[centre] {
            sums.iter_mut().zip(rows.row(i)).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        let count = members[centre].len().max(1) as f64;
        mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / count) as f32);
    });
    means
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    #[test]
    fn separate_clouds_are_found_at_any_thread_count() {
        // Five clouds of 40 rows around (10 c, −7 c), deviation 1: centres are within 4 / √40 of theirs.
        let rows: Vec<f32> = (0..200_u64)
            .flat_map(|i| {
                let c = (i % 5) as f32;
                [10.0 * c + normal(1, i), -7.0 * c + normal(2, i)]
            })
            .collect();
        let rows = Matrix::new(200, 2, rows).unwrap();
        let fit = |threads| {
            let settings = KMeans { clusters: 5, ..KMeans::default() };
            settings.fit(&Cpu::new(threads).unwrap(), &rows, 3).unwrap()
        };
        let found = fit(1);
        assert_eq!(found, fit(4));
        let mut firsts: Vec<f32> = found.centres.iter().map(|c| c[0]).collect();
        firsts.sort_by(f32::total_cmp);
        for (c, first) in firsts.iter().enumerate() {
            assert!((first - 10.0 * c as f32).abs() < 0.64, "{firsts:?}");
        }
        // Σ of two squared unit deviations of 200 rows: 400, deviation 28.
        assert!((found.inertia - 400.0).abs() < 112.0, "{}", found.inertia);
    }

    #[test]
    fn more_clusters_than_rows_or_values_are_no_trouble() {
        let cpu = Cpu::new(1).unwrap();
        let rows = Matrix::new(3, 1, vec![1.0; 3]).unwrap();
        let found = KMeans { clusters: 3, ..KMeans::default() }.fit(&cpu, &rows, 1).unwrap();
        assert_eq!((found.inertia, found.centres.values()), (0.0, &[1.0; 3][..]));
        let error = KMeans { clusters: 4, ..KMeans::default() }.fit(&cpu, &rows, 1).unwrap_err().to_string();
        assert_eq!(error, "k-means with 4 clusters needs 4 images or more, found 3");
    }
}
