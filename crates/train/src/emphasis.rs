//! What a run's loss dwells on: class weights, label smoothing, mixtures.

use striate_data::Batch;
use striate_kernels::Targets;

/// How a run's labels become targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emphasis {
    /// What each class counts; none: 1 each.
    pub class_weights: Vec<f32>,
    /// The share of a target that all classes have alike.
    pub smoothing: f32,
}

impl Emphasis {
    /// What a batch's logits should say.
    pub fn targets<'a>(&'a self, batch: &'a Batch) -> Targets<'a> {
        let mixed = batch.mixed.as_ref().map(|m| (m.partners.as_slice(), m.share));
        let class_weights = (!self.class_weights.is_empty()).then_some(self.class_weights.as_slice());
        Targets { labels: &batch.labels, mixed, smoothing: self.smoothing, class_weights }
    }
}
