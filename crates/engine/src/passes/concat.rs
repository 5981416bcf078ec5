//! Predicting: convolutions whose output is only concatenated write their channels straight into the concatenation.

use super::View;
use crate::program::{Inside, Kind, Program, Step};
use striate_graph::{AnyLayer, NodeId};

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    let concats: Vec<NodeId> = program.steps.iter().map(Step::output).collect();
    for concat in concats.into_iter().filter(|&id| matches!(view.layer(id), AnyLayer::Concat(_))) {
        let inputs = &view.graph.node(concat).inputs;
        let places = |id: &NodeId| {
            let step = program.steps.iter().find(|s| s.output() == *id);
            step.is_some_and(|s| matches!(s.kind, Kind::Conv(_))) && view.may_vanish(program, *id)
        };
        if inputs.iter().all(places) {
            let mut channel = 0;
            for id in inputs {
                program.inside[id.index()] = Some(Inside { concat, channel });
                channel += view.graph.node(*id).shape.c;
            }
            program.steps.retain(|s| s.output() != concat);
        }
    }
}
