//! How the learning rate moves over a run: a linear warm-up, then a curve. Steps count from 0.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The curve after the warm-up, as a factor of the base rate; `t` runs from 0 to 1 over the steps after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Curve {
    /// Always the base rate.
    Constant,
    /// Half a cosine from the base rate down to 0 (Loshchilov and Hutter 2016, arXiv:1608.03983, without restarts).
    Cosine,
    /// Multiplied by `factor` at each of the given shares of the steps after the warm-up (He et al. 2015: 0.1 at 50 % and 75 %).
    Step {
        /// When, as shares of those steps, ascending.
        at: [f64; 2],
        /// By how much.
        factor: f64,
    },
    /// Up from 1/25 of the base rate over the first 30 %, then down to nearly 0, both as half cosines (Smith and Topin 2017,
    /// arXiv:1708.07120; PyTorch's `OneCycleLR` has its peak up to a step earlier). It is its own warm-up.
    OneCycle,
    /// The base rate, multiplied by `factor` each time that more than `patience` epochs in a row had no lower loss on the images
    /// held out, or on the training images where none are.
    Plateau {
        /// By how much.
        factor: f64,
        /// How many epochs are waited for.
        patience: u32,
    },
}

impl Curve {
    /// The curves' names, for help and errors.
    pub const NAMES: &[&str] = &["cosine", "step", "one-cycle", "plateau", "constant"];

    /// The curve of this name with its usual numbers.
    pub fn named(name: &str) -> Option<Curve> {
        match name {
            "constant" => Some(Curve::Constant),
            "cosine" => Some(Curve::Cosine),
            "step" => Some(Curve::Step { at: [0.5, 0.75], factor: 0.1 }),
            "one-cycle" => Some(Curve::OneCycle),
            "plateau" => Some(Curve::Plateau { factor: 0.1, patience: 5 }),
            _ => None,
        }
    }

    fn factor(self, t: f64) -> f64 {
        const START: f64 = 1.0 / 25.0;
        const END: f64 = START / 1e4;
        const RISE: f64 = 0.3;
        let cosine = |from: f64, to: f64, t: f64| to + (from - to) * (1.0 + (PI * t).cos()) / 2.0;
        match self {
            // What plateaus do to it only the run can tell.
            Curve::Constant | Curve::Plateau { .. } => 1.0,
            Curve::Cosine => cosine(1.0, 0.0, t),
            Curve::Step { at, factor } => factor.powi(at.iter().filter(|&&a| t >= a).count() as i32),
            Curve::OneCycle if t < RISE => cosine(START, 1.0, t / RISE),
            Curve::OneCycle => cosine(1.0, END, (t - RISE) / (1.0 - RISE)),
        }
    }
}

/// The learning rate of every step of a run. Where a run was extended, what it did before stays as it was, and the steps behind
/// are a cycle of their own: from a fifth of the base rate down to 0 along half a cosine (a warm restart, Loshchilov and Hutter
/// 2016), or the last rate all along for the curves that do not end at 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub base: f64,
    /// The curve after the warm-up.
    pub curve: Curve,
    /// Steps over which the rate rises linearly; ignored by [`Curve::OneCycle`].
    pub warmup: u64,
    /// Steps of the run as it was first planned.
    pub steps: u64,
    /// Steps of each extension.
    pub extensions: Vec<u64>,
}

/// The share of the base rate at which an extension begins.
const RESTART: f64 = 0.2;

impl Schedule {
    /// Steps of the run with its extensions.
    pub fn total(&self) -> u64 {
        self.steps + self.extensions.iter().sum::<u64>()
    }

    /// The rate of a step.
    pub fn at(&self, step: u64) -> f64 {
        let Some(mut behind) = step.checked_sub(self.steps).filter(|_| !self.extensions.is_empty()) else {
            return self.planned(step);
        };
        if !matches!(self.curve, Curve::Cosine | Curve::OneCycle) {
            return self.planned(self.steps.saturating_sub(1));
        }
        let mut cycles = self.extensions.iter().copied().peekable();
        while let Some(steps) = cycles.next() {
            if behind < steps || cycles.peek().is_none() {
                let t = (behind as f64 / (steps.max(2) - 1) as f64).min(1.0);
                return self.base * RESTART * Curve::Cosine.factor(t);
            }
            behind -= steps;
        }
        0.0
    }

    fn planned(&self, step: u64) -> f64 {
        let warmup = if self.curve == Curve::OneCycle { 0 } else { self.warmup.min(self.steps) };
        if step < warmup {
            return self.base * (step + 1) as f64 / (warmup + 1) as f64;
        }
        let span = (self.steps - warmup).max(2) - 1;
        let t = ((step - warmup) as f64 / span as f64).min(1.0);
        self.base * self.curve.factor(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }

    #[test]
    fn curves_pass_through_their_points() {
        let at = |curve, step| Schedule { base: 2.0, curve, warmup: 0, steps: 101, extensions: vec![] }.at(step);
        close(at(Curve::Cosine, 0), 2.0);
        close(at(Curve::Cosine, 50), 1.0);
        close(at(Curve::Cosine, 100), 0.0);
        let step = Curve::named("step").unwrap();
        close(at(step, 49), 2.0);
        close(at(step, 50), 0.2);
        close(at(step, 75), 0.02);
        // A 25th at first, half the way up at 15 %, the peak at 30 %, half the way down at 65 %, nearly 0 at last.
        close(at(Curve::OneCycle, 0), 0.08);
        close(at(Curve::OneCycle, 15), 1.04);
        close(at(Curve::OneCycle, 30), 2.0);
        close(at(Curve::OneCycle, 65), f64::midpoint(2.0, 8e-6));
        close(at(Curve::OneCycle, 100), 8e-6);
    }

    #[test]
    fn the_warmup_rises_to_the_base_rate() {
        let s = Schedule { base: 1.0, curve: Curve::Constant, warmup: 4, steps: 10, extensions: vec![] };
        for (step, rate) in [(0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0), (9, 1.0)] {
            close(s.at(step), rate);
        }
    }

    #[test]
    fn short_runs_have_finite_rates() {
        for steps in 1..4 {
            for curve in Curve::NAMES.iter().filter_map(|n| Curve::named(n)) {
                let s = Schedule { base: 0.1, curve, warmup: 5, steps, extensions: vec![] };
                assert!((0..steps).all(|i| s.at(i).is_finite() && s.at(i) <= 0.1), "{curve:?} {steps}");
            }
        }
    }

    #[test]
    fn extensions_are_cycles_of_their_own() {
        let plain = |curve| Schedule { base: 1.0, curve, warmup: 0, steps: 10, extensions: vec![] };
        let at = |curve, step| Schedule { extensions: vec![5, 3], ..plain(curve) }.at(step);
        for curve in Curve::NAMES.iter().filter_map(|n| Curve::named(n)) {
            (0..10).for_each(|step| close(at(curve, step), plain(curve).at(step)));
        }
        for (step, rate) in [(10, 0.2), (12, 0.1), (14, 0.0), (15, 0.2), (16, 0.1), (17, 0.0), (99, 0.0)] {
            close(at(Curve::OneCycle, step), rate);
        }
        close(at(Curve::named("step").unwrap(), 16), 0.01);
        close(at(Curve::Constant, 16), 1.0);
        assert_eq!(Schedule { extensions: vec![5, 3], ..plain(Curve::Cosine) }.total(), 18);
    }
}
