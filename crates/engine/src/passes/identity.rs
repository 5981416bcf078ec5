//! Predicting: dropout does nothing, nor does flattening what is a vector already. Users read the input instead.

use super::View;
use crate::program::Program;
use striate_graph::AnyLayer;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    for (i, id) in view.graph.ids().enumerate() {
        let node = view.graph.node(id);
        let nothing = match node.layer {
            AnyLayer::Dropout(_) => true,
            AnyLayer::Flatten(_) => view.graph.node(node.inputs[0]).shape.is_vector(),
            _ => false,
        };
        if nothing {
            program.root[i] = program.root[node.inputs[0].index()];
            program.steps.retain(|step| step.output() != id);
        }
    }
}
