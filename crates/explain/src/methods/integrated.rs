//! Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv:1703.01365): (x − x') ∫₀¹ ∂F(x' + t (x − x'))/∂x dt. What the
//! values add up to is F(x) − F(x') (completeness); how far the sum of finitely many steps is from that is stated.
//!
//! The integral is a sum by trapezoids whose steps are halved, each gradient computed once, until the gap is small enough.

use super::{Explanation, Method, Settings, facts};
use crate::heat::Reduce;
use crate::probe::Probe;
use crate::{ExplainError, Subject};
use serde_json::json;
use striate_engine::Rule;

/// Gradients along the way from a blank picture.
pub struct Integrated;

/// What was found along a straight path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// What each value of the input contributes.
    pub values: Vec<f32>,
    /// Steps of the sum.
    pub steps: usize,
    /// The score at the path's start and end.
    pub scores: [f32; 2],
    /// The contributions' sum less the score's change, as a share of that.
    pub gap: f64,
}

/// The first sum's steps.
const FIRST: usize = 32;

impl Path {
    /// Follows the path from a baseline to an input.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn follow(
        subject: &Subject,
        baseline: &[f32],
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Path, ExplainError> {
        let Settings { tolerance, most_steps, batch, .. } = *settings;
        if most_steps == 0 || !tolerance.is_finite() || tolerance < 0.0 {
            let why = "integrated gradients take 1 step or more and a tolerance from 0";
            return Err(ExplainError::Setting(format!("{why}, not {most_steps} and {tolerance}")));
        }
        let mut probe = Probe::new(subject, &[subject.scores()], &[], batch.max(1))?;
        let way: Vec<f32> = input.iter().zip(baseline).map(|(x, from)| x - from).collect();
        let mut steps = FIRST.min(most_steps);
        // Of a trapezoid's sum the ends count half.
        let mut sum = vec![0.0; input.len()];
        let (mut points, mut scores) = (vec![0.0, 1.0], [0.0; 2]);
        gather(&mut probe, baseline, &way, class, &points, batch, 0.5, &mut sum, Some(&mut scores))?;
        points = (1..steps).map(|i| i as f64 / steps as f64).collect();
        loop {
            gather(&mut probe, baseline, &way, class, &points, batch, 1.0, &mut sum, None)?;
            let share = 1.0 / steps as f64;
            let values: Vec<f32> = sum.iter().zip(&way).map(|(sum, way)| (sum * share) as f32 * way).collect();
            let total: f64 = values.iter().map(|v| f64::from(*v)).sum();
            let change = f64::from(scores[1]) - f64::from(scores[0]);
            let gap = (total - change) / if change == 0.0 { 1.0 } else { change.abs() };
            if gap.abs() <= tolerance || 2 * steps > most_steps {
                return Ok(Path { values, steps, scores, gap });
            }
            // The middles of the steps so far.
            points = (0..steps).map(|i| (i as f64 + 0.5) / steps as f64).collect();
            steps *= 2;
        }
    }
}

/// Adds `weight` times the gradient at each point of the way; `ends` gets the scores at two points.
#[allow(clippy::too_many_arguments)] // One step of `follow`.
fn gather(
    probe: &mut Probe<'_>,
    baseline: &[f32],
    way: &[f32],
    class: usize,
    points: &[f64],
    batch: usize,
    weight: f64,
    sum: &mut [f64],
    mut ends: Option<&mut [f32; 2]>,
) -> Result<(), ExplainError> {
    for (part, points) in points.chunks(batch.max(1)).enumerate() {
        let at = |t: &f64| {
            let t = *t as f32;
            baseline.iter().zip(way).map(move |(from, way)| from + t * way)
        };
        let images: Vec<f32> = points.iter().flat_map(at).collect();
        let scores = probe.of_class(Rule::Gradient, &images, class)?;
        if let Some(ends) = ends.as_deref_mut() {
            let first = part * batch.max(1);
            ends[first..first + scores.len()].copy_from_slice(&scores);
        }
        for gradient in probe.by_input()?.chunks_exact(way.len()) {
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += weight * f64::from(*g));
        }
    }
    Ok(())
}

impl Method for Integrated {
    fn name(&self) -> &'static str {
        "integrated"
    }

    fn about(&self) -> &'static str {
        "what each pixel adds to the score on the way from a blank picture"
    }

    fn source(&self) -> &'static str {
        "Sundararajan et al. 2017, arXiv:1703.01365"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        let path = Path::follow(subject, &subject.blank(settings.baseline), input, class, settings)?;
        let facts = facts([
            ("steps", json!(path.steps)),
            ("baseline", json!(settings.baseline)),
            ("baseline_score", json!(path.scores[0])),
            ("score", json!(path.scores[1])),
            ("completeness_gap", json!(path.gap)),
        ]);
        Ok(Explanation::of_input(subject, path.values, Reduce::Sum, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, linear, picture};

    #[test]
    fn a_linear_network_is_told_exactly() {
        // F = w · x: each value contributes w (x − x').
        let subject = linear();
        let input = picture(&subject);
        let weights = &subject.parameters.get("fc.weight").unwrap()[..input.len()];
        let baseline = subject.blank(0.0);
        let path = Path::follow(&subject, &baseline, &input, 0, &Settings::default()).unwrap();
        // Flatten takes channels outermost, and there is one.
        for (i, v) in path.values.iter().enumerate() {
            let expected = weights[i] * (input[i] - baseline[i]);
            assert!((v - expected).abs() < 1e-5, "{i}: {v} and {expected}");
        }
        assert!(path.gap.abs() < 1e-4 && path.steps == FIRST, "{path:?}");
    }

    #[test]
    fn values_add_up_to_the_scores_change() {
        let (subject, input) = (kinked(), picture(&kinked()));
        for class in 0..3 {
            let path = Path::follow(&subject, &subject.blank(0.0), &input, class, &Settings::default()).unwrap();
            let total: f64 = path.values.iter().map(|v| f64::from(*v)).sum();
            let change = f64::from(path.scores[1] - path.scores[0]);
            assert!((total - change).abs() <= 0.01 * change.abs(), "class {class}: {total} and {change}");
            assert!(((total - change) / change.abs() - path.gap).abs() < 1e-5);
        }
    }
}
