//! Passes over a session's steps: each looks for one pattern and joins what can be computed together. One file a pass. What
//! somebody asked to look at, and the ends of the network, are never joined into another node's step.

mod activation;
mod concat;
mod convolution;
mod fold;
mod gather;
mod identity;
mod normalisation;
mod residual;

use crate::Request;
use crate::program::{Program, Step};
use striate_graph::{AnyLayer, Graph, NodeId};
use striate_kernels::Activation;

/// What a pass sees.
pub(crate) struct View<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) request: &'a Request,
}

/// Runs the passes of a request: predicting, or training. Sweeps through a network that predicts keep every node.
pub(crate) fn run(graph: &Graph, request: &Request, tiles: bool, program: &mut Program) {
    let view = View { graph, request };
    if request.training {
        convolution::run(&view, program);
        gather::run(&view, program);
        normalisation::run(&view, program);
        residual::run(&view, program);
        activation::run(&view, program);
    } else if request.backward_from.is_empty() {
        identity::run(&view, program);
        convolution::run(&view, program);
        fold::run(&view, program);
        residual::run(&view, program);
        activation::run(&view, program);
        // What is written in parts is kept as f32, and would keep convolutions from multiplying bf16.
        if !tiles {
            concat::run(&view, program);
        }
    }
}

impl View<'_> {
    /// Whether a node's activations may go unwritten, the only step that reads them computing on with them.
    pub(crate) fn may_vanish(&self, program: &Program, id: NodeId) -> bool {
        let Request { taps, gradient_taps, backward_from, .. } = self.request;
        let output = [self.graph.output_id()];
        let mut watched = output.iter().chain(taps).chain(gradient_taps).chain(backward_from);
        program.readers(self.graph)[id.index()] == 1 && !watched.any(|w| program.root[w.index()] == id)
    }

    /// The layer of a node.
    pub(crate) fn layer(&self, id: NodeId) -> &AnyLayer {
        &self.graph.node(id).layer
    }

    /// The clamping activation that a node is.
    pub(crate) fn clamps(&self, id: NodeId) -> Option<Activation> {
        match self.layer(id) {
            AnyLayer::Relu(_) => Some(Activation::Relu),
            AnyLayer::Relu6(_) => Some(Activation::Relu6),
            _ => None,
        }
    }
}

/// Joins each step of one node to the step that computes its input, where `join` says how: it gets the earlier step and the
/// later node, and changes the former. The joined step takes the later one's place.
pub(crate) fn join(view: &View<'_>, program: &mut Program, mut join: impl FnMut(&mut Step, NodeId) -> bool) {
    let mut at = 0;
    while at < program.steps.len() {
        let id = program.steps[at].output();
        let mut joined = None;
        if program.steps[at].nodes.len() == 1 {
            for &input in &view.graph.node(id).inputs {
                let input = program.root[input.index()];
                let earlier = program.steps[..at].iter().rposition(|s| s.output() == input);
                if let Some(i) = earlier.filter(|_| view.may_vanish(program, input)) {
                    let mut step = program.steps[i].clone();
                    if join(&mut step, id) {
                        step.nodes.push(id);
                        joined = Some((i, step));
                        break;
                    }
                }
            }
        }
        if let Some((i, step)) = joined {
            program.steps[at] = step;
            program.steps.remove(i);
        } else {
            at += 1;
        }
    }
}
