//! Where a sweep's gradients by the parameters go: into tensors that hold them all, or from one step after another into the
//! same room, from where they are handed on before the next step needs it. A node's parameters are read by its own passes
//! only, so they may change as soon as its backward pass is done; what is replayed is so before that.

use crate::EngineError;
use crate::parameters::{Parameters, Tensors};
use crate::plan::Planned;
use crate::session::Session;
use smallvec::SmallVec;
use striate_graph::{Graph, Node, NodeId, ParamSpec};

/// A gradient that a sweep hands on, of some or all of a parameter's values, and these, to be changed.
#[derive(Debug)]
pub struct Handed<'a> {
    /// The node.
    pub node: NodeId,
    /// Which of the node's parameters.
    pub index: usize,
    /// What it is.
    pub spec: &'a ParamSpec,
    /// The place of the first of the values in the parameter.
    pub first: usize,
    /// The values as they were in the pass.
    pub values: &'a mut [f32],
    /// As long.
    pub gradient: &'a [f32],
}

/// Where the gradients of steps go.
pub(crate) enum Gradients<'a> {
    /// Each to its place.
    Whole(&'a mut Tensors),
    /// A step's, side by side, without the weight if that has rows. Empty if none are asked for.
    Room { room: &'a mut [f32], has_rows: bool },
}

impl Gradients<'_> {
    /// A node's, in the layer's order; empty where none is to be written.
    pub(crate) fn of(&mut self, node: &Node, id: NodeId) -> SmallVec<[&mut [f32]; 4]> {
        match self {
            Gradients::Whole(tensors) => tensors.of_mut(id).iter_mut().map(Vec::as_mut_slice).collect(),
            Gradients::Room { room, has_rows } => {
                let mut rest = &mut **room;
                let asked = !rest.is_empty();
                let mut part = |len| {
                    let len = if asked { len } else { 0 };
                    let (part, tail) = std::mem::take(&mut rest).split_at_mut(len);
                    rest = tail;
                    part
                };
                lens(node, *has_rows).map(&mut part).collect()
            }
        }
    }
}

/// How much of the room each of a node's parameters takes.
fn lens(node: &Node, has_rows: bool) -> impl Iterator<Item = usize> {
    let len =
        move |(i, spec): (usize, &ParamSpec)| if spec.trainable && !(has_rows && i == 0) { spec.len() } else { 0 };
    node.params.iter().enumerate().map(len)
}

/// Values of a weight whose gradients are handed on at a time, of one that has rows.
const SLAB: usize = 1 << 22;

/// The rows of a linear layer's weight whose gradients are handed on at a time; `None` if it is small enough to be done at
/// once.
pub(crate) fn rows(inputs: usize, outputs: usize) -> Option<usize> {
    (inputs * outputs > SLAB).then(|| (SLAB / inputs).max(1))
}

/// Floats that the gradients of the largest step take.
pub(crate) fn room(graph: &Graph, steps: &[Planned]) -> usize {
    let of = |planned: &Planned| {
        let node = graph.node(planned.owner());
        let rows = planned.rows();
        let slab = rows.map_or(0, |rows| rows * (node.params[0].len() / node.shape.c));
        lens(node, rows.is_some()).sum::<usize>() + slab
    };
    let swept = steps.iter().filter(|p| p.in_sweep).map(of).max().unwrap_or(0);
    let longest = graph.params().filter(|(_, spec)| spec.trainable).map(|(_, spec)| spec.len()).max().unwrap_or(0);
    swept.max(longest.min(SLAB))
}

impl Planned {
    fn rows(&self) -> Option<usize> {
        self.conv.as_ref()?.rows
    }
}

/// What takes gradients over.
type Take<'a> = &'a mut (dyn FnMut(Handed<'_>) + Send);

impl Session {
    /// As [`Session::backward`], but every gradient by parameters is handed to `take` once it is there, with the parameters to
    /// be changed by it: the gradients never exist together. Each trained value comes once; zeros where the sweep does not
    /// reach.
    ///
    /// # Errors
    /// As [`Session::backward`].
    pub fn backward_into(
        &mut self,
        p: &mut Parameters,
        seeds: &[(NodeId, &[f32])],
        take: &mut (dyn FnMut(Handed<'_>) + Send),
    ) -> Result<(), EngineError> {
        self.begin_sweep(p, seeds)?;
        let mut room = std::mem::take(&mut self.room);
        let cpu = self.cpu.clone();
        cpu.install(|| {
            self.hand_zeros(p, &mut room, take);
            for step in (0..self.plan.steps.len()).rev() {
                let has_rows = self.plan.steps[step].rows().is_some();
                self.sweep_step(p, step, &mut Gradients::Room { room: &mut room, has_rows });
                if self.request.parameter_gradients && self.plan.steps[step].in_sweep {
                    self.hand_on(p, step, &mut room, take);
                }
            }
        });
        self.room = room;
        self.end_sweep();
        Ok(())
    }

    /// Hands on the gradients by parameters that the sweep does not reach.
    fn hand_zeros(&self, p: &mut Parameters, room: &mut [f32], take: Take<'_>) {
        if !self.request.parameter_gradients {
            return;
        }
        for id in self.graph.ids().filter(|id| !self.plan.places[id.index()].in_sweep) {
            for (index, spec) in self.graph.node(id).params.iter().enumerate().filter(|(_, spec)| spec.trainable) {
                for (i, values) in p.of_mut(id)[index].chunks_mut(room.len()).enumerate() {
                    let first = i * room.len();
                    let gradient = &mut room[..values.len()];
                    gradient.fill(0.0);
                    take(Handed { node: id, index, spec, first, values, gradient });
                }
            }
        }
    }

    /// Hands on the gradients of a step whose backward pass is done; those of a weight with rows are computed here.
    fn hand_on(&self, p: &mut Parameters, step: usize, room: &mut [f32], take: Take<'_>) {
        let planned = &self.plan.steps[step];
        let id = planned.owner();
        let node = self.graph.node(id);
        let mut rest = room;
        for ((index, spec), len) in node.params.iter().enumerate().zip(lens(node, planned.rows().is_some())) {
            let (gradient, tail) = rest.split_at_mut(len);
            rest = tail;
            if len > 0 {
                take(Handed { node: id, index, spec, first: 0, values: &mut p.of_mut(id)[index], gradient });
            }
        }
        let Some((plan, rows)) = planned.conv.as_ref().zip(planned.rows()) else { return };
        let Some(weight) = plan.weight.map(|w| w.batch(self.turn.len())) else { return };
        let (x, dy) = (self.read(node.inputs[0]), self.gradient_at(planned.step.output()));
        let (x, dy, spec) = (&self.arena[x], &self.arena[dy], &node.params[0]);
        let inputs = spec.len() / node.shape.c;
        for (i, values) in p.of_mut(id)[0].chunks_mut(rows * inputs).enumerate() {
            let gradient = &mut rest[..values.len()];
            weight.run_rows(&self.cpu, x, dy, i * rows, gradient);
            take(Handed { node: id, index: 0, spec, first: i * rows * inputs, values, gradient });
        }
    }
}
