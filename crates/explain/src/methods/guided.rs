//! Guided back-propagation (Springenberg et al. 2015, arXiv:1412.6806): the gradient, but on the way down each ReLU lets only
//! positive signals through. The picture is sharp; how little it depends on the class and the weights is what
//! [`crate::randomised`] measures (Adebayo et al. 2018, arXiv:1810.03292).

use super::{Explanation, Method, Settings, saliency};
use crate::{ExplainError, Subject};
use striate_engine::Rule;

/// The guided gradient.
pub struct Guided;

impl Method for Guided {
    fn name(&self) -> &'static str {
        "guided"
    }

    fn about(&self) -> &'static str {
        "what excites the units that lead to the score"
    }

    fn source(&self) -> &'static str {
        "Springenberg et al. 2015, arXiv:1412.6806"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        _settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        saliency::by_rule(subject, input, class, Rule::Guided)
    }
}
