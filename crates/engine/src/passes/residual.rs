//! A sum of two maps, one of them a convolution's (predicting) or a normalisation's (training): the other is added in its last
//! write.

use super::{View, join};
use crate::program::{Kind, Program};
use striate_graph::AnyLayer;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    let root = program.root.clone();
    join(view, program, |step, id| {
        let inputs = &view.graph.node(id).inputs;
        if !matches!(view.layer(id), AnyLayer::Add(_)) || inputs.len() != 2 {
            return false;
        }
        let own = step.output();
        let Some(other) = inputs.iter().map(|i| root[i.index()]).find(|i| *i != own) else { return false };
        // What the step reads already cannot be read, nor its gradient be written, a second time.
        if step.residual().is_some() || view.graph.node(step.nodes[0]).inputs.contains(&other) && view.request.training
        {
            return false;
        }
        match &mut step.kind {
            Kind::Conv(conv) if !view.request.training => conv.residual = Some(other),
            Kind::Norm(norm) => norm.residual = Some(other),
            _ => return false,
        }
        true
    });
}
