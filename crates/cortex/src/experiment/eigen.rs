//! Eigenvalues and eigenvectors of symmetric matrices by Jacobi's rotations (1846), row by row.

/// Eigenvalues, the largest first, each with its vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// The eigenvalues.
    pub values: Vec<f64>,
    /// The eigenvectors, in the same order.
    pub vectors: Vec<Vec<f64>>,
}

/// Rounds through all pairs, at most; about ten are enough.
const ROUNDS: usize = 60;

/// Of a symmetric n × n matrix, row by row; what lies below the diagonal is not read.
///
/// # Panics
/// If the matrix does not have n² elements.
pub fn symmetric_eigen(matrix: &[f64], n: usize) -> Eigen {
    assert_eq!(matrix.len(), n * n, "a matrix of {n} × {n}");
    let mut a: Vec<f64> = (0..n * n).map(|i| matrix[(i / n).min(i % n) * n + (i / n).max(i % n)]).collect();
    // Rows of v become the eigenvectors.
    let mut v: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    let scale: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..ROUNDS {
        let off: f64 = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        if off <= 1e-24 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[j * n + j].total_cmp(&a[i * n + i]));
    Eigen {
        values: order.iter().map(|i| a[i * n + i]).collect(),
        vectors: order.iter().map(|i| v[i * n..(i + 1) * n].to_vec()).collect(),
    }
}

/// Turns axes p and q so that their element becomes 0.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq.abs() < 1e-300 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    turn_rows(a, n, p, q, c, s);
    for row in a.chunks_exact_mut(n) {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    turn_rows(v, n, p, q, c, s);
}

fn turn_rows(m: &mut [f64], n: usize, p: usize, q: usize, c: f64, s: f64) {
    let (head, tail) = m.split_at_mut(q * n);
    for (x, y) in head[p * n..(p + 1) * n].iter_mut().zip(&mut tail[..n]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::normal;

    #[test]
    fn a_matrix_is_the_sum_of_its_parts() {
        let n = 20;
        let raw: Vec<f64> = (0..n * n).map(|i| f64::from(normal(1, i as u64))).collect();
        let matrix: Vec<f64> = (0..n * n).map(|i| raw[i] + raw[(i % n) * n + i / n]).collect();
        let eigen = symmetric_eigen(&matrix, n);
        assert!(eigen.values.windows(2).all(|w| w[0] >= w[1]));
        for i in 0..n {
            for j in 0..n {
                let sum: f64 = (0..n).map(|k| eigen.values[k] * eigen.vectors[k][i] * eigen.vectors[k][j]).sum();
                assert!((sum - matrix[i * n + j]).abs() < 1e-9, "{i} {j}");
            }
        }
    }

    #[test]
    fn small_ones_are_known() {
        let eigen = symmetric_eigen(&[2.0, 1.0, 1.0, 2.0], 2);
        assert!((eigen.values[0] - 3.0).abs() < 1e-12 && (eigen.values[1] - 1.0).abs() < 1e-12);
        assert_eq!(symmetric_eigen(&[5.0], 1).values, [5.0]);
        assert_eq!(symmetric_eigen(&[], 0).values, [0.0; 0]);
    }
}
