//! Curves of a few parameters fitted by least squares: Levenberg (1944) and Marquardt (1963, DOI 10.1137/0111030), with slopes
//! by central differences.

/// Steps tried at most.
const STEPS: usize = 200;

/// Parameters near `start` that minimise Σ (y − model(parameters, x))², and that sum.
pub(super) fn least_squares<const N: usize>(
    xs: &[f64],
    ys: &[f64],
    start: [f64; N],
    model: impl Fn(&[f64; N], f64) -> f64,
) -> ([f64; N], f64) {
    let cost = |p: &[f64; N]| -> f64 { xs.iter().zip(ys).map(|(x, y)| (y - model(p, *x)).powi(2)).sum() };
    let (mut p, mut best, mut damping) = (start, cost(&start), 1e-3);
    for _ in 0..STEPS {
        let (matrix, slope) = normal_equations(xs, ys, &p, &model);
        let mut damped = matrix;
        for i in 0..N {
            damped[i][i] += damping * matrix[i][i].max(1e-12);
        }
        let Some(step) = solve(damped, slope) else { break };
        let mut next = p;
        for i in 0..N {
            next[i] += step[i];
        }
        let found = cost(&next);
        if found.is_finite() && found < best {
            let gained = best - found;
            (p, best, damping) = (next, found, damping / 5.0);
            if gained < 1e-12 * best.max(1e-12) {
                break;
            }
        } else {
            damping *= 4.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    (p, best)
}

/// `JᵀJ` and `Jᵀ(y − model)`.
fn normal_equations<const N: usize>(
    xs: &[f64],
    ys: &[f64],
    p: &[f64; N],
    model: &impl Fn(&[f64; N], f64) -> f64,
) -> ([[f64; N]; N], [f64; N]) {
    let (mut matrix, mut slope) = ([[0.0; N]; N], [0.0; N]);
    for (x, y) in xs.iter().zip(ys) {
        let error = y - model(p, *x);
        let row: [f64; N] = std::array::from_fn(|i| {
            let h = 1e-6 * p[i].abs().max(1e-3);
            let (mut up, mut down) = (*p, *p);
            up[i] += h;
            down[i] -= h;
            (model(&up, *x) - model(&down, *x)) / (2.0 * h)
        });
        for i in 0..N {
            slope[i] += row[i] * error;
            for j in 0..N {
                matrix[i][j] += row[i] * row[j];
            }
        }
    }
    (matrix, slope)
}

/// The solution of a small linear system by elimination with pivots; `None` where there is none.
fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot = (column..N).max_by(|i, j| a[*i][column].abs().total_cmp(&a[*j][column].abs()))?;
        a.swap(column, pivot);
        b.swap(column, pivot);
        if a[column][column].is_nan() || a[column][column].abs() <= 1e-300 {
            return None;
        }
        for row in column + 1..N {
            let share = a[row][column] / a[column][column];
            let above = a[column];
            a[row].iter_mut().zip(above).skip(column).for_each(|(v, u)| *v -= share * u);
            b[row] -= share * b[column];
        }
    }
    let mut x = [0.0; N];
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|j| a[row][j] * x[j]).sum();
        x[row] = (b[row] - known) / a[row][row];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decay_is_recovered() {
        let xs: Vec<f64> = (0..20).map(|i| f64::from(i) * 0.3).collect();
        let ys: Vec<f64> = xs.iter().map(|x| 3.0 * (-0.7 * x).exp() + 0.5).collect();
        let (p, error) = least_squares(&xs, &ys, [1.0, 1.0, 0.0], |p, x| p[0] * (-p[1] * x).exp() + p[2]);
        assert!(error < 1e-10 && (p[0] - 3.0).abs() < 1e-4 && (p[1] - 0.7).abs() < 1e-4, "{p:?} {error}");
    }

    #[test]
    fn systems_without_a_solution_are_told() {
        assert_eq!(solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]), None);
        let x = solve([[0.0, 2.0], [3.0, 1.0]], [4.0, 5.0]).unwrap();
        assert_eq!(x, [1.0, 2.0]);
    }
}
