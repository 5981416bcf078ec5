//! The deconvnet from a class's score down (Zeiler and Fergus 2013, arXiv:1311.2901; from the score as in Simonyan et al.
//! 2013, section 4). Projections of single units and channels are in [`crate::project`].

use super::{Explanation, Method, Settings, saliency};
use crate::{ExplainError, Subject};
use striate_engine::Rule;

/// The deconvnet's picture of a class's score.
pub struct Deconv;

impl Method for Deconv {
    fn name(&self) -> &'static str {
        "deconv"
    }

    fn about(&self) -> &'static str {
        "the score projected down by transposed filters and switches"
    }

    fn source(&self) -> &'static str {
        "Zeiler and Fergus 2013, arXiv:1311.2901"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        _settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        saliency::by_rule(subject, input, class, Rule::Deconvnet)
    }
}
