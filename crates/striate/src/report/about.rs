//! What a report tells of: a network, or a classical pipeline.

use crate::figures::thousands;
use striate_train::{Calibrated, Model, Trained};

/// What is known of a model.
pub struct About<'a> {
    /// The architecture's name, or the pipeline's recipe.
    pub name: String,
    /// The classes, in the order of its answers.
    pub classes: &'a [String],
    /// How it was trained, where it was.
    pub trained: Option<&'a Trained>,
    /// Its calibration, if it has one.
    pub calibration: Option<&'a Calibrated>,
    /// The licence of what was learnt, if one is stated.
    pub licence: Option<&'a str>,
    /// The version of Striate that wrote it.
    pub striate: &'a str,
    /// What it is, name by name.
    pub facts: Vec<(&'static str, String)>,
    /// Whether it was trained in epochs.
    pub epochs: bool,
}

impl<'a> About<'a> {
    /// Of a network.
    pub fn network(model: &'a Model) -> About<'a> {
        let (graph, card, p) = (&model.graph, &model.card, &model.card.preprocessing);
        let kind = if p.channels == 1 { "grey" } else { "colour" };
        let mut facts = vec![
            ("architecture", graph.name().to_owned()),
            ("parameters", thousands(graph.parameter_count() as u64)),
            ("multiply-adds an image", thousands(graph.multiply_adds())),
            ("input", format!("{}×{} pixels, {kind}", p.width, p.height)),
        ];
        if let Some(t) = card.trained.as_ref().and_then(|t| t.tuned.as_ref()) {
            let (some, of) = (thousands(t.parameters as u64), thousands(t.of as u64));
            facts.push(("began with", t.from.clone()));
            facts.push(("tuned", format!("{}: {some} of {of} parameters", t.tune)));
        }
        About {
            name: graph.name().to_owned(),
            classes: &card.classes,
            trained: card.trained.as_ref(),
            calibration: card.calibration.as_ref(),
            licence: card.licence.as_deref(),
            striate: &card.striate,
            facts,
            epochs: true,
        }
    }
}
