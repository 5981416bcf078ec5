//! Saliency (Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034, section 3): the gradient of the class's score by the
//! input. A pixel counts by its largest absolute gradient among the channels.

use super::{Explanation, Method, Settings, facts};
use crate::heat::Reduce;
use crate::probe::Probe;
use crate::{ExplainError, Subject};
use serde_json::json;
use striate_engine::Rule;

/// The gradient itself.
pub struct Saliency;

impl Method for Saliency {
    fn name(&self) -> &'static str {
        "saliency"
    }

    fn about(&self) -> &'static str {
        "how fast the score changes with each pixel"
    }

    fn source(&self) -> &'static str {
        "Simonyan et al. 2013, arXiv:1312.6034"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        _settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        by_rule(subject, input, class, Rule::Gradient)
    }
}

/// A sweep from the class's score to the input.
pub(super) fn by_rule(subject: &Subject, input: &[f32], class: usize, rule: Rule) -> Result<Explanation, ExplainError> {
    let mut probe = Probe::new(subject, &[subject.scores()], &[], 1)?;
    let score = probe.of_class(rule, input, class)?[0];
    let values = probe.by_input()?.to_vec();
    Ok(Explanation::of_input(subject, values, Reduce::LargestAbsolute, facts([("score", json!(score))])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};

    #[test]
    fn the_gradient_is_the_scores_slope() {
        let (subject, input) = (kinked(), picture(&kinked()));
        for class in 0..3 {
            let found = Saliency.explain(&subject, &input, class, &Settings::default()).unwrap();
            let mut probe = Probe::new(&subject, &[subject.scores()], &[], 1).unwrap();
            for i in [0, 17, 50, 101] {
                let mut score = |change: f32| {
                    let mut x = input.clone();
                    x[i] += change;
                    f64::from(probe.of_class(Rule::Gradient, &x, class).unwrap()[0])
                };
                // The network is linear between its kinks; a step this small meets none here.
                let slope = (score(1e-3) - score(-1e-3)) / 2e-3;
                let g = f64::from(found.raw.values[i]);
                assert!((slope - g).abs() < 2e-3 * (1.0 + g.abs()), "class {class}, value {i}: {slope} and {g}");
            }
            assert!(found.heat.values.iter().all(|v| *v >= 0.0));
        }
    }
}
