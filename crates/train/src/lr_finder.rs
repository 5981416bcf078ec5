//! The learning rate range test (Smith 2015, arXiv:1506.01186): a short training at rates that grow from step to step. The
//! loss falls fastest at a rate that serves as the highest of a run, and blows up where steps are too large.

use crate::{Config, Stepper, TrainError};
use std::sync::Arc;
use striate_data::{DataSet, Limits, Loader, LoaderOptions};
use striate_engine::{Parameters, Scheme};
use striate_kernels::{Cpu, hash};

/// A step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// The learning rate.
    pub rate: f64,
    /// The loss before the step.
    pub loss: f64,
    /// The loss, averaged over the steps before with weights that fall by a tenth from one to the next.
    pub smooth: f64,
}

/// What the test found.
#[derive(Clone, Debug, PartialEq)]
pub struct RateTest {
    /// In order of the rates.
    pub points: Vec<RatePoint>,
    /// Where the smoothed loss falls fastest against the rate's logarithm; `None` where it never fell.
    pub suggestion: Option<f64>,
}

/// The rates: from, to.
const RANGE: (f64, f64) = (1e-6, 10.0);
/// Steps from one end of the range to the other.
const STEPS: u32 = 140;

/// Runs the test from fresh weights; nothing is kept of them. `hear` is told the step and the number of steps.
///
/// # Errors
/// If the network cannot be built or run.
pub fn find_learning_rate(
    config: &Config,
    data: &DataSet,
    cpu: &Arc<Cpu>,
    workers: usize,
    limits: Limits,
    mut hear: impl FnMut(u32, u32),
) -> Result<RateTest, TrainError> {
    let graph = Arc::new(config.graph(data.classes.len())?);
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), config.seed);
    let batch = config.batch.min(data.train.len());
    let mut stepper = Stepper::new(graph, cpu.clone(), parameters, config.optimizer, batch)?;
    let weights = config.emphasis();
    let mut losses = Vec::new();
    for epoch in 0.. {
        let options = LoaderOptions {
            batch,
            seed: config.seed,
            shuffle: true,
            balanced: config.balanced_sampling,
            epoch,
            drop_last: true,
            augment: Some(config.augment.clone()),
            workers,
            limits,
            ..LoaderOptions::default()
        };
        let mut loader = Loader::new(data.train.clone(), config.preprocessing.clone(), options);
        while let Some(batch) = loader.next() {
            let step = losses.len() as u32;
            if step == STEPS {
                return Ok(conclude(&losses));
            }
            if !batch.is_empty() {
                let seed = hash(config.seed, u64::from(step));
                let (loss, _) = stepper.step(&batch.images, weights.targets(&batch), rate(step), seed)?;
                losses.push(loss);
                hear(step + 1, STEPS);
                if blown_up(&losses) {
                    return Ok(conclude(&losses));
                }
            }
            loader.recycle(batch);
        }
        if losses.is_empty() {
            return Err(TrainError::Setting("not one image could be read".into()));
        }
    }
    unreachable!("the steps end the test")
}

fn rate(step: u32) -> f64 {
    RANGE.0 * (RANGE.1 / RANGE.0).powf(f64::from(step) / f64::from(STEPS - 1))
}

/// Averages over the steps before, unbiased at the start (as Adam's means).
fn smoothed(losses: &[f64]) -> Vec<f64> {
    const KEPT: f64 = 0.9;
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut add = |loss: &f64| {
        (sum, weight) = (KEPT * sum + (1.0 - KEPT) * loss, KEPT * weight + (1.0 - KEPT));
        sum / weight
    };
    losses.iter().map(&mut add).collect()
}

/// Steps are too large from here on: the loss is no number, or four times the least so far.
fn blown_up(losses: &[f64]) -> bool {
    let smooth = smoothed(losses);
    let least = smooth.iter().copied().fold(f64::INFINITY, f64::min);
    smooth.last().is_some_and(|last| !last.is_finite() || *last > 4.0 * least)
}

fn conclude(losses: &[f64]) -> RateTest {
    /// Steps over which the fall is measured: half of a power of ten.
    const SPAN: usize = STEPS as usize / 14;
    let smooth = smoothed(losses);
    let points: Vec<RatePoint> =
        (0..losses.len()).map(|i| RatePoint { rate: rate(i as u32), loss: losses[i], smooth: smooth[i] }).collect();
    let fall = |i: usize| smooth[i - SPAN] - smooth[i];
    let finite = (SPAN..smooth.len()).filter(|&i| smooth[i].is_finite());
    let steepest = finite.max_by(|&a, &b| fall(a).total_cmp(&fall(b))).filter(|&i| fall(i) > 0.0);
    RateTest { points, suggestion: steepest.map(|i| rate((i - SPAN / 2) as u32)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss of one parameter on a parabola of curvature `c` after steps at the test's rates: it falls fastest about where
    /// the rate is 1 / c, and blows up beyond 2 / c.
    fn parabola(c: f64) -> Vec<f64> {
        let mut w: f64 = 1.0;
        let mut losses = Vec::new();
        for step in 0..STEPS {
            losses.push(0.1 + c * w * w / 2.0);
            if blown_up(&losses) {
                break;
            }
            w -= rate(step) * c * w;
        }
        losses
    }

    #[test]
    fn the_suggestion_follows_the_curvature() {
        for c in [1.0, 30.0, 1000.0] {
            let losses = parabola(c);
            assert!(losses.len() < STEPS as usize || c < 2.0, "it blows up");
            let suggestion = conclude(&losses).suggestion.unwrap();
            // Steps at smaller rates have taken most of the way by the time the rate is 1 / c.
            assert!((0.01..1.5).contains(&(suggestion * c)), "{suggestion} for curvature {c}");
        }
    }

    #[test]
    fn a_loss_that_only_rises_suggests_nothing() {
        let rising: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i)).collect();
        assert_eq!(conclude(&rising).suggestion, None);
        assert!(blown_up(&[1.0, f64::NAN]));
        assert_eq!((rate(0), (rate(STEPS - 1) - 10.0).abs() < 1e-9), (1e-6, true));
    }

    #[test]
    fn averages_are_unbiased_from_the_start() {
        assert!(smoothed(&[2.0; 5]).iter().all(|s| (s - 2.0).abs() < 1e-12));
        // Weights 0.09 and 0.1.
        assert!((smoothed(&[1.0, 3.0])[1] - (0.09 + 0.3) / 0.19).abs() < 1e-12);
    }
}
