//! Training: the mean and variance that normalisation needs are gathered while the convolution before it writes its output,
//! instead of reading that again.

use super::View;
use crate::program::{Kind, Program, Step};
use striate_graph::AnyLayer;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    let norms: Vec<_> = program.steps.iter().map(Step::output).collect();
    for step in &mut program.steps {
        if let Kind::Conv(conv) = &mut step.kind {
            let follows = |id: &&_| {
                let node = view.graph.node(**id);
                matches!(node.layer, AnyLayer::BatchNorm(_)) && node.inputs[0] == conv.conv
            };
            conv.gathers = norms.iter().find(follows).copied().filter(|_| view.layer(conv.conv).kind() == "conv");
        }
    }
}
