//! Eigenvalues and eigenvectors of symmetric matrices in f64: Householder's tridiagonalisation, then QL with implicit shifts
//! (Golub and Van Loan, Matrix Computations, 8.3). Each step is cut by rows or columns, so the bits are the same at any
//! number of threads.

use crate::error::ClassicError;
use striate_kernels::Cpu;

/// Rows of a piece of the tridiagonalisation.
const ROWS: usize = 16;

/// Columns of eigenvectors that are turned together.
const PANEL: usize = 32;

/// Eigenvalues in descending order, and the eigenvector of each as a row, of a symmetric matrix `a (n, n)`.
///
/// # Errors
/// [`ClassicError::Diverged`] where QL does not converge, which finite matrices do not bring about.
pub(crate) fn symmetric_eigen(cpu: &Cpu, mut a: Vec<f64>, n: usize) -> Result<(Vec<f64>, Vec<f64>), ClassicError> {
    assert_eq!(a.len(), n * n, "a square matrix");
    let (mut diagonal, mut beside, scales) = tridiagonal(cpu, &mut a, n);
    let mut panels = vectors_of(cpu, &a, &scales, n);
    drop(a);
    ql(cpu, &mut diagonal, &mut beside, &mut panels, n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[j].total_cmp(&diagonal[i]));
    let values = order.iter().map(|&i| diagonal[i]).collect();
    let mut vectors = vec![0.0; n * n];
    for (vector, &i) in vectors.chunks_exact_mut(n.max(1)).zip(&order) {
        for (to, panel) in vector.chunks_mut(PANEL).zip(panels.chunks_exact(n * PANEL)) {
            to.copy_from_slice(&panel[i * PANEL..][..to.len()]);
        }
    }
    Ok((values, vectors))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight partial sums, so that the compiler may use vectors.
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// Turns `a` to tridiagonal form: its diagonal, what is beside it (and a zero), and the factor 2 / vᵀv of each reflection
/// 1 − factor · v vᵀ, whose v is left in row k of `a` behind column k.
fn tridiagonal(cpu: &Cpu, a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside, mut scales) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let (mut v, mut p) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n {
        diagonal[k] = a[k * n + k];
        if k + 1 == n {
            break;
        }
        let (head, tail) = a.split_at_mut((k + 1) * n);
        let x = &mut head[k * n + k + 1..];
        let below = dot(&x[1..], &x[1..]);
        if k + 2 == n || below == 0.0 {
            beside[k] = x[0];
            continue;
        }
        let norm = x[0].hypot(below.sqrt());
        beside[k] = if x[0] > 0.0 { -norm } else { norm };
        x[0] -= beside[k];
        let scale = 2.0 / (x[0] * x[0] + below);
        scales[k] = scale;
        let m = n - k - 1;
        let (v, p) = (&mut v[..m], &mut p[..m]);
        v.copy_from_slice(x);
        // p = scale · A v, then w = p − (scale · pᵀv / 2) v, and A − v wᵀ − w vᵀ.
        cpu.chunks(p, ROWS, |piece, p| {
            for (i, p) in (piece * ROWS..).zip(p) {
                *p = scale * dot(&tail[i * n + k + 1..(i + 1) * n], v);
            }
        });
        let half = scale * dot(p, v) / 2.0;
        p.iter_mut().zip(v.iter()).for_each(|(p, v)| *p -= half * v);
        cpu.chunks(tail, ROWS * n, |piece, rows| {
            for (i, row) in (piece * ROWS..).zip(rows.chunks_exact_mut(n)) {
                let (vi, wi) = (v[i], p[i]);
                for ((a, v), w) in row[k + 1..].iter_mut().zip(v.iter()).zip(p.iter()) {
                    *a -= vi * w + wi * v;
                }
            }
        });
    }
    (diagonal, beside, scales)
}

/// The transposed product of all reflections, n rows of vectors in panels of columns: (panels, n, [`PANEL`]).
fn vectors_of(cpu: &Cpu, reflections: &[f64], scales: &[f64], n: usize) -> Vec<f64> {
    let mut panels = vec![0.0; n.div_ceil(PANEL) * n * PANEL];
    cpu.chunks(&mut panels, (n * PANEL).max(1), |piece, panel| {
        let first = piece * PANEL;
        // Row r of the transposed product is Q's column r; Q's rows `first..` are this panel's columns. Each is a row of the
        // identity, changed by the reflections from the right, first to last.
        for column in 0..PANEL.min(n - first) {
            let mut row = vec![0.0; n];
            row[first + column] = 1.0;
            for (k, &scale) in scales.iter().enumerate().filter(|(_, s)| **s != 0.0) {
                let v = &reflections[k * n + k + 1..(k + 1) * n];
                let by = scale * dot(&row[k + 1..], v);
                row[k + 1..].iter_mut().zip(v).for_each(|(r, v)| *r -= by * v);
            }
            for (r, value) in row.into_iter().enumerate() {
                panel[r * PANEL + column] = value;
            }
        }
    });
    panels
}

/// Turns the tridiagonal matrix to a diagonal one, and the rows of vectors with it.
fn ql(cpu: &Cpu, d: &mut [f64], e: &mut [f64], panels: &mut [f64], n: usize) -> Result<(), ClassicError> {
    /// Far more than any eigenvalue takes.
    const MOST: usize = 100;
    let mut turns: Vec<(usize, f64, f64)> = Vec::new();
    for l in 0..n {
        let mut rounds = 0;
        loop {
            let small = |m: &usize| e[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[*m + 1].abs());
            let m = (l..n - 1).find(small).unwrap_or(n - 1);
            if m == l {
                break;
            }
            rounds += 1;
            if rounds > MOST {
                return Err(ClassicError::Diverged { of: "the decomposition into eigenvectors" });
            }
            turns.clear();
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let r = g.hypot(1.0);
            g = d[m] - d[l] + e[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut whole = true;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    // The matrix has come apart: begin again with what is above.
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let t = (d[i] - g) * s + 2.0 * c * b;
                p = s * t;
                d[i + 1] = g + p;
                g = c * t - b;
                turns.push((i, s, c));
            }
            if whole {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
            turn(cpu, panels, &turns, n);
        }
    }
    Ok(())
}

/// Turns rows i and i + 1 of every panel by each (i, sin, cos), in order.
fn turn(cpu: &Cpu, panels: &mut [f64], turns: &[(usize, f64, f64)], n: usize) {
    cpu.chunks(panels, n * PANEL, |_, panel| {
        for &(i, s, c) in turns {
            let (upper, lower) = panel[i * PANEL..(i + 2) * PANEL].split_at_mut(PANEL);
            for (a, b) in upper.iter_mut().zip(lower) {
                let f = *b;
                *b = s * *a + c * f;
                *a = c * *a - s * f;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::uniform;

    fn random(n: usize) -> Vec<f64> {
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let v = f64::from(uniform(n as u64, (i * n + j) as u64)) - 0.5;
                (a[i * n + j], a[j * n + i]) = (v, v);
            }
        }
        a
    }

    #[test]
    fn vectors_are_orthonormal_and_give_the_matrix_back() {
        for n in [1, 2, 3, 5, 33, 100] {
            let mut cases = vec![random(n), vec![1.0; n * n]];
            // A multiple of the identity, and a matrix that is tridiagonal already.
            cases.push((0..n * n).map(|i| if i / n == i % n { 3.0 } else { 0.0 }).collect());
            let near = |i: usize| match (i / n).abs_diff(i % n) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            };
            cases.push((0..n * n).map(near).collect());
            for a in cases {
                let mut bits: Option<Vec<f64>> = None;
                for threads in [1, 3] {
                    let cpu = Cpu::new(threads).unwrap();
                    let (values, vectors) = symmetric_eigen(&cpu, a.clone(), n).unwrap();
                    assert!(values.is_sorted_by(|a, b| a >= b));
                    for i in 0..n {
                        for j in 0..n {
                            let unit = if i == j { 1.0 } else { 0.0 };
                            let product = dot(&vectors[i * n..][..n], &vectors[j * n..][..n]);
                            assert!((product - unit).abs() < 1e-12, "{n}: vectors {i} and {j}: {product}");
                            let back: f64 = (0..n).map(|k| values[k] * vectors[k * n + i] * vectors[k * n + j]).sum();
                            assert!((back - a[i * n + j]).abs() < 1e-11, "{n}: element {i}, {j}: {back}");
                        }
                    }
                    assert_eq!(&vectors, bits.get_or_insert_with(|| vectors.clone()));
                }
            }
        }
    }

    #[test]
    fn the_second_difference_has_its_known_eigenvalues() {
        let n = 40;
        let a = (0..n * n).map(|i: usize| [2.0, -1.0, 0.0][(i / n).abs_diff(i % n).min(2)]).collect();
        let (values, _) = symmetric_eigen(&Cpu::new(1).unwrap(), a, n).unwrap();
        for (k, value) in values.iter().enumerate() {
            let expected = 2.0 + 2.0 * (std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64).cos();
            assert!((value - expected).abs() < 1e-12, "{k}: {value}");
        }
    }
}
