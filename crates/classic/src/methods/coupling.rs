//! Probabilities of classes from those of each pair of them (Wu, Lin and Weng 2004, their second method, as in LIBSVM).

/// `pairs[i · classes + j]` is the probability of i where it is i or j; those of j and i add to 1.
pub(super) fn couple(pairs: &[f64], classes: usize) -> Vec<f64> {
    let k = classes;
    let most = 100.max(k);
    let tolerance = 0.005 / k as f64;
    let mut q = vec![0.0; k * k];
    for t in 0..k {
        for j in (0..k).filter(|&j| j != t) {
            q[t * k + t] += pairs[j * k + t] * pairs[j * k + t];
            q[t * k + j] = -pairs[j * k + t] * pairs[t * k + j];
        }
    }
    let mut p = vec![1.0 / k as f64; k];
    for _ in 0..most {
        let mut qp: Vec<f64> = q.chunks_exact(k).map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|v| (v - pqp).abs() < tolerance) {
            break;
        }
        for t in 0..k {
            let by = (pqp - qp[t]) / q[t * k + t];
            p[t] += by;
            pqp = (pqp + by * (by * q[t * k + t] + 2.0 * qp[t])) / (1.0 + by).powi(2);
            for (j, qp) in qp.iter_mut().enumerate() {
                *qp = (*qp + by * q[t * k + j]) / (1.0 + by);
            }
            for p in &mut p {
                *p /= 1.0 + by;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consistent_pairs_give_their_probabilities_back() {
        let p = [0.5, 0.2, 0.25, 0.05];
        let pairs: Vec<f64> = (0..16).map(|at| p[at / 4] / (p[at / 4] + p[at % 4])).collect();
        for (found, expected) in couple(&pairs, 4).iter().zip(p) {
            assert!((found - expected).abs() < 5e-3, "{found} {expected}");
        }
    }
}
