//! Predicting: batch normalisation by fixed statistics is a scale and a shift, folded into the weights and bias of the
//! convolution before it: w' = w · γ / √(σ² + ε), b' = β + (b − μ) · γ / √(σ² + ε).

use super::{View, join};
use crate::program::{Kind, Program};
use striate_graph::AnyLayer;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    join(view, program, |step, id| match (&mut step.kind, view.layer(id)) {
        (Kind::Conv(conv), AnyLayer::BatchNorm(_)) if conv.folded.is_none() => {
            conv.folded = Some(id);
            true
        }
        _ => false,
    });
}
