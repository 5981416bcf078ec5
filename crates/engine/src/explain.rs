//! What a session has decided: its steps, which nodes are joined in each, and which algorithm computes it at what cost.

use crate::plan::Planned;
use crate::request::Precision;
use crate::session::Session;
use striate_graph::NodeId;
use striate_kernels::Algorithm;

/// One step of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlan {
    /// The nodes it computes together, inputs before users.
    pub nodes: Vec<NodeId>,
    /// The images that it takes at a time, at most: fewer than the batch where maps are large and nothing but the output of a
    /// prediction is asked for, or where bf16 is widened.
    pub images: usize,
    /// How its output is kept.
    pub precision: Precision,
    /// Whether it is a convolution that multiplies bf16 in some pass, on matrix tiles or as dot products.
    pub products: bool,
    /// The concatenation that its output is written into.
    pub inside: Option<NodeId>,
    /// It is run again just before this node's backward pass, instead of its activations being kept.
    pub again_for: Option<NodeId>,
    /// Of a convolution or linear layer.
    pub forward: Option<Choice>,
    /// Of the gradient by its input, where one is computed.
    pub data: Option<Choice>,
    /// Of the gradient by its weights, where one is computed.
    pub weight: Option<Choice>,
}

/// An algorithm, and what it and those that were not taken are estimated to cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The one that was taken.
    pub algorithm: Algorithm,
    /// Every one that applies, in multiply-adds at the machine's peak.
    pub costs: Vec<(Algorithm, f64)>,
}

impl Session {
    /// The steps, in order.
    pub fn steps(&self) -> Vec<StepPlan> {
        let step = |(i, planned): (usize, &Planned)| {
            let plan = planned.conv.as_ref();
            let (data, weight) = (plan.and_then(|p| p.data), plan.and_then(|p| p.weight));
            StepPlan {
                nodes: planned.step.nodes.to_vec(),
                images: planned.images,
                precision: self.kept_as(planned.step.output()),
                products: plan.is_some_and(|plan| plan.tiles.is_some()),
                inside: self.plan.program.inside[planned.step.output().index()].map(|i| i.concat),
                again_for: self.plan.steps.iter().find(|p| p.replays.contains(&i)).map(|p| p.step.output()),
                forward: plan.map(|p| Choice { algorithm: p.forward.algorithm(), costs: p.forward.ways().collect() }),
                data: data.map(|d| Choice { algorithm: d.algorithm(), costs: d.ways().collect() }),
                weight: weight.map(|w| Choice { algorithm: w.algorithm(), costs: w.ways().collect() }),
            }
        };
        self.plan.steps.iter().enumerate().map(step).collect()
    }

    fn kept_as(&self, id: NodeId) -> Precision {
        if self.plan.places[id.index()].half { Precision::Bf16 } else { Precision::F32 }
    }
}
