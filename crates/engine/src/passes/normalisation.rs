//! Training: batch normalisation is computed by the engine, so that what follows can be joined to it: one pass over the map
//! forward, two backward, instead of as many for every layer.

use super::View;
use crate::program::{Kind, Norm, Program};
use striate_graph::AnyLayer;
use striate_kernels::Activation;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    let gathers = |step: &crate::program::Step| match step.kind {
        Kind::Conv(conv) => conv.gathers,
        _ => None,
    };
    let gathered: Vec<_> = program.steps.iter().filter_map(gathers).collect();
    for step in &mut program.steps {
        let norm = step.output();
        if matches!(view.layer(norm), AnyLayer::BatchNorm(_)) {
            let gathered = gathered.contains(&norm);
            step.kind = Kind::Norm(Norm { norm, gathered, residual: None, activation: Activation::None });
        }
    }
}
