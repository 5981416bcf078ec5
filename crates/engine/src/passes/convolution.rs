//! Convolutions and linear layers are planned by the engine: an algorithm by cost, weights prepared for it.

use super::View;
use crate::program::{Conv, Kind, Program};
use striate_graph::AnyLayer;
use striate_kernels::Activation;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    for step in &mut program.steps {
        let conv = step.output();
        if matches!(view.layer(conv), AnyLayer::Conv(_) | AnyLayer::Linear(_)) {
            let activation = Activation::None;
            step.kind = Kind::Conv(Conv { conv, folded: None, gathers: None, residual: None, activation });
        }
    }
}
