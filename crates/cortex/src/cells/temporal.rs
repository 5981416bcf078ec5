//! Courses of time: how a cell's answer to a flash rises and falls.

use std::f64::consts::TAU;

/// The answer to a very short flash, over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Temporal {
    /// `k (kt)ⁿ e^(−kt)/n!` with n = 2: what lasts is answered fully, what alternates quickly is not. k is per second.
    Sustained {
        /// The rate k.
        k: f64,
    },
    /// `k (kt)ⁿ e^(−kt) [1/n! − (kt)²/(n + 2)!]`: biphasic, so that what lasts is not answered at all (Adelson and Bergen 1985,
    /// DOI 10.1364/JOSAA.2.000284, whose fast filter has n = 3 and slow one n = 5).
    Biphasic {
        /// The power n.
        n: i32,
        /// The rate k.
        k: f64,
    },
}

impl Temporal {
    /// Seconds after which a flash is forgotten, but for 10⁻⁴ or so of it.
    pub fn memory(&self) -> f64 {
        match *self {
            Self::Sustained { k } => 16.0 / k,
            Self::Biphasic { n, k } => (18.0 + 2.0 * f64::from(n)) / k,
        }
    }

    /// The answer after `t` seconds, per second.
    fn at(&self, t: f64) -> f64 {
        let gamma = |n: i32, kt: f64| (1..=n).fold((-kt).exp(), |p, i| p * kt / f64::from(i));
        match *self {
            Self::Sustained { k } => k * gamma(2, k * t),
            Self::Biphasic { n, k } => k * (gamma(n, k * t) - gamma(n + 2, k * t)),
        }
    }

    /// The answer to a frame `0, 1, 2, …` frames later, each `dt` seconds; what was shown lasts as long as its frame.
    pub fn kernel(&self, dt: f64) -> Vec<f64> {
        let frames = (self.memory() / dt).ceil() as usize;
        let raw: Vec<f64> = (0..frames).map(|i| self.at((i as f64 + 0.5) * dt) * dt).collect();
        match self {
            // The sum is 1 at any dt, as the integral is.
            Self::Sustained { .. } => {
                let sum: f64 = raw.iter().sum();
                raw.into_iter().map(|v| v / sum).collect()
            }
            Self::Biphasic { .. } => raw,
        }
    }

    /// The answer to alternation at `f` cycles per second, (real, imaginary): the Fourier transform in closed form.
    pub fn transfer(&self, f: f64) -> [f64; 2] {
        // 1/(1 + iω/k)^m.
        let power = |k: f64, m: i32| {
            let w = TAU * f / k;
            let (size, angle) = ((1.0 + w * w).powf(-0.5 * f64::from(m)), -w.atan() * f64::from(m));
            [size * angle.cos(), size * angle.sin()]
        };
        match *self {
            Self::Sustained { k } => power(k, 3),
            Self::Biphasic { n, k } => {
                let (a, b) = (power(k, n + 1), power(k, n + 3));
                [a[0] - b[0], a[1] - b[1]]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_the_transform_in_closed_form() {
        let dt = 1e-3;
        for temporal in [
            Temporal::Sustained { k: 100.0 },
            Temporal::Biphasic { n: 3, k: 100.0 },
            Temporal::Biphasic { n: 5, k: 100.0 },
        ] {
            let kernel = temporal.kernel(dt);
            for f in [0.0, 2.0, 8.0, 16.0] {
                let mut sum = [0.0; 2];
                for (i, h) in kernel.iter().enumerate() {
                    let angle = -TAU * f * (i as f64 + 0.5) * dt;
                    sum[0] += h * angle.cos();
                    sum[1] += h * angle.sin();
                }
                let expected = temporal.transfer(f);
                assert!((0..2).all(|i| (sum[i] - expected[i]).abs() < 2e-3), "{temporal:?} {f}: {sum:?} {expected:?}");
            }
        }
    }
}
