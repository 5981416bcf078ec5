//! L-BFGS (Liu and Nocedal 1989, DOI 10.1007/BF01589116) with the bisecting line search for the weak Wolfe conditions
//! (Lewis and Overton 2013, DOI 10.1007/s10107-012-0514-2).

/// A smooth function to be minimised.
pub(super) trait Objective {
    /// Its value at a point, and its gradient, which is assigned.
    fn evaluate(&mut self, at: &[f64], gradient: &mut [f64]) -> f64;
}

/// How a function is minimised.
pub(super) struct Lbfgs {
    /// Ends when no element of the gradient is larger.
    pub(super) tolerance: f64,
    /// The most rounds.
    pub(super) rounds: usize,
    /// Steps that are remembered.
    pub(super) memory: usize,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A step that was taken, the gradient's change by it, and the inverse of their product.
struct Step {
    s: Vec<f64>,
    y: Vec<f64>,
    rho: f64,
}

/// −H g by the two loops over the steps.
fn direction(steps: &[Step], gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let alpha = step.rho * dot(&step.s, &q);
        q.iter_mut().zip(&step.y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some(newest) = steps.last() {
        let scale = 1.0 / (newest.rho * dot(&newest.y, &newest.y));
        for q in &mut q {
            *q *= scale;
        }
    }
    for (step, alpha) in steps.iter().zip(alphas.into_iter().rev()) {
        let beta = step.rho * dot(&step.y, &q);
        q.iter_mut().zip(&step.s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

impl Lbfgs {
    /// The point where `f` is least that was found from `x` on.
    pub(super) fn minimise(&self, f: &mut dyn Objective, mut x: Vec<f64>) -> Vec<f64> {
        /// Shares of the promised descent, and of the slope, that a step must keep.
        const DESCENT: f64 = 1e-4;
        const SLOPE: f64 = 0.9;
        /// Most points that are tried along a line.
        const TRIES: usize = 30;
        let n = x.len();
        let (mut gradient, mut next_gradient, mut next) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut value = f.evaluate(&x, &mut gradient);
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..self.rounds {
            if gradient.iter().all(|g| g.abs() <= self.tolerance) {
                break;
            }
            let mut towards = direction(&steps, &gradient);
            let mut slope = dot(&towards, &gradient);
            if slope >= 0.0 {
                steps.clear();
                towards = gradient.iter().map(|g| -g).collect();
                slope = -dot(&gradient, &gradient);
            }
            let (mut low, mut high) = (0.0, f64::INFINITY);
            let mut length = if steps.is_empty() { (1.0 / (-slope).sqrt()).min(1.0) } else { 1.0 };
            // The longest step that went down, and whether it is also where the slope has flattened.
            let (mut lower, mut ends) = (None, None);
            for _ in 0..TRIES {
                next.iter_mut().zip(&x).zip(&towards).for_each(|((next, x), t)| *next = x + length * t);
                let there = f.evaluate(&next, &mut next_gradient);
                if there.is_nan() || there > value + DESCENT * length * slope {
                    high = length;
                } else if dot(&next_gradient, &towards) < SLOPE * slope {
                    (low, lower) = (length, Some(length));
                } else {
                    ends = Some(there);
                    break;
                }
                length = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * low };
            }
            let there = match (ends, lower) {
                (Some(there), _) => there,
                (None, Some(length)) => {
                    next.iter_mut().zip(&x).zip(&towards).for_each(|((next, x), t)| *next = x + length * t);
                    f.evaluate(&next, &mut next_gradient)
                }
                // Rounding leaves nothing lower.
                (None, None) => break,
            };
            let s: Vec<f64> = next.iter().zip(&x).map(|(next, x)| next - x).collect();
            let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(next, g)| next - g).collect();
            let product = dot(&s, &y);
            if product > 1e-12 * dot(&y, &y) {
                if steps.len() == self.memory {
                    steps.remove(0);
                }
                steps.push(Step { s, y, rho: 1.0 / product });
            }
            std::mem::swap(&mut x, &mut next);
            std::mem::swap(&mut gradient, &mut next_gradient);
            value = there;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley: least at (1, 1).
    struct Valley;

    impl Objective for Valley {
        fn evaluate(&mut self, at: &[f64], gradient: &mut [f64]) -> f64 {
            let (x, y) = (at[0], at[1]);
            gradient[0] = -400.0 * x * (y - x * x) - 2.0 * (1.0 - x);
            gradient[1] = 200.0 * (y - x * x);
            100.0 * (y - x * x).powi(2) + (1.0 - x).powi(2)
        }
    }

    #[test]
    fn the_valleys_end_is_found() {
        let settings = Lbfgs { tolerance: 1e-9, rounds: 200, memory: 10 };
        let found = settings.minimise(&mut Valley, vec![-1.2, 1.0]);
        assert!(found.iter().all(|v| (v - 1.0).abs() < 1e-8), "{found:?}");
    }
}
