//! A planned network: forward passes, taps, and backward sweeps from any node.

use crate::EngineError;
use crate::gradients::Gradients;
use crate::half::AllWidened;
use crate::parameters::{Layout, Parameters, Stamp, Tensors};
use crate::plan::{Machine, Place, Plan};
use crate::request::{Memory, Request};
use crate::rule::Rule;
use crate::stages::Stage;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate_graph::{AnyLayer, Graph, NodeId, Setting, Shape};
use striate_kernels::{Buffer, Cpu, hash};

/// A network planned and ready to run. It holds activations, and weights as its kernels want them, not parameters: several
/// sessions may share those.
#[derive(Debug)]
pub struct Session {
    pub(crate) graph: Arc<Graph>,
    pub(crate) cpu: Arc<Cpu>,
    pub(crate) plan: Plan,
    pub(crate) request: Request,
    pub(crate) arena: Buffer,
    pub(crate) switches: Vec<u16>,
    /// Weights prepared for prediction, and of which parameters.
    pub(crate) prepared: Buffer,
    pub(crate) prepared_from: Option<Stamp>,
    /// Where a step's gradients are that are handed on.
    pub(crate) room: Buffer,
    /// Images in the last forward pass, 0 before the first.
    pub(crate) batch: usize,
    /// Those of them that go through the steps of a stage now.
    pub(crate) turn: Range<usize>,
    /// What stands widened while a step runs.
    pub(crate) widened: AllWidened,
    /// Whether steps run in a backward sweep: activations that are computed again are read there.
    pub(crate) sweeping: bool,
    /// By which a sweep goes back through rectifiers.
    pub(crate) rule: Rule,
    seed: u64,
    swept: bool,
    /// The layout of the last tensors found to be this network's; checking them by name again would cost every step.
    checked: Option<Arc<Layout>>,
    /// Empty unless nodes are timed.
    times: Vec<NodeTime>,
}

/// What a node has taken since [`Session::time_nodes`]. Nodes that are computed together count for the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTime {
    /// Of its forward passes.
    pub forward: Duration,
    /// Of its backward passes, with what is computed again for them.
    pub backward: Duration,
}

pub(crate) type Slices<'a> = SmallVec<[&'a [f32]; 12]>;

impl Session {
    /// Plans the network and allocates its memory.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(graph: Arc<Graph>, cpu: Arc<Cpu>, request: &Request) -> Result<Session, EngineError> {
        if request.batch == 0 {
            return Err(EngineError::Batch { planned: 0, found: 0 });
        }
        let too_large = || EngineError::TooLarge { network: graph.name().into(), batch: request.batch };
        let machine = Machine { isa: cpu.isa(), threads: cpu.threads(), bf16: cpu.bf16() };
        let plan = Plan::new(&graph, &machine, request)?;
        let arena = Buffer::try_zeroed(plan.floats).ok_or_else(too_large)?;
        let prepared = Buffer::try_zeroed(plan.prepared).ok_or_else(too_large)?;
        let room = Buffer::try_zeroed(plan.room).ok_or_else(too_large)?;
        let mut switches = Vec::new();
        switches.try_reserve_exact(plan.switches).map_err(|_| too_large())?;
        switches.resize(plan.switches, 0);
        Ok(Session {
            graph,
            cpu,
            plan,
            request: request.clone(),
            arena,
            switches,
            prepared,
            prepared_from: None,
            room,
            batch: 0,
            turn: 0..0,
            sweeping: false,
            rule: Rule::Gradient,
            widened: AllWidened::new(),
            seed: 0,
            swept: false,
            checked: None,
            times: Vec::new(),
        })
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The memory that the plan takes.
    pub fn memory(&self) -> Memory {
        self.plan.memory
    }

    /// Times every node from now on; times gathered so far are forgotten.
    pub fn time_nodes(&mut self) {
        self.times = vec![NodeTime::default(); self.graph.nodes().len()];
    }

    /// What each node has taken, in the graph's order; empty unless they are timed.
    pub fn times(&self) -> &[NodeTime] {
        &self.times
    }

    /// Runs `batch` images (NHWC, preprocessed) through the network and returns the output's activations. `seed` decides
    /// dropout's masks; give each training step its own.
    ///
    /// # Errors
    /// If the images or the parameters are not this network's.
    pub fn forward(&mut self, p: &Parameters, images: &[f32], batch: usize, seed: u64) -> Result<&[f32], EngineError> {
        let shape = self.graph.input().shape;
        if batch == 0 || batch > self.request.batch {
            return Err(EngineError::Batch { planned: self.request.batch, found: batch });
        }
        if images.len() != batch * shape.len() {
            return Err(EngineError::Images {
                network: self.graph.name().into(),
                batch,
                shape: shape.to_string(),
                expected: batch * shape.len(),
                found: images.len(),
            });
        }
        self.check(p)?;
        (self.batch, self.seed, self.swept, self.sweeping) = (batch, seed, false, false);
        let cpu = self.cpu.clone();
        cpu.install(|| {
            self.prepare(p);
            self.turn = 0..batch;
            for at in 0..self.plan.stages.len() {
                let stage = self.plan.stages[at].clone();
                for turn in stage.turns(batch) {
                    self.turn = turn.clone();
                    if at == 0 {
                        self.take_images(&images[turn.start * shape.len()..turn.end * shape.len()]);
                    }
                    stage.steps.clone().for_each(|step| self.timed_forward(p, step));
                }
            }
            self.turn = 0..batch;
        });
        self.activation(self.graph.output_id())
    }

    fn timed_forward(&mut self, p: &Parameters, step: usize) {
        let begun = Instant::now();
        self.forward_step(p, step);
        if let Some(time) = self.times.get_mut(self.plan.steps[step].step.nodes[0].index()) {
            time.forward += begun.elapsed();
        }
    }

    /// The activations of a node after the last forward pass, `batch` images, NHWC.
    ///
    /// # Errors
    /// If the node is neither the output nor among the request's taps, or no pass has run.
    pub fn activation(&self, node: NodeId) -> Result<&[f32], EngineError> {
        let place = &self.plan.places[self.plan.program.root[node.index()].index()];
        let asked = node == self.graph.output_id() || self.request.taps.contains(&node);
        self.kept("activation", node, asked, self.batch > 0, &place.activation)
    }

    /// The switches of a pooling node after the last forward pass: which cell of its window each output is from. Empty for
    /// layers without.
    ///
    /// # Errors
    /// As [`Session::activation`].
    pub fn switches(&self, node: NodeId) -> Result<&[u16], EngineError> {
        self.activation(node)?;
        let place = &self.plan.places[node.index()];
        Ok(&self.switches[self.switches_of(place, node, &self.shapes(node))])
    }

    /// The randomness that a node had in the last forward pass, as in [`Setting::seed`]: fractional pooling's regions follow
    /// from it.
    pub fn seed_of(&self, node: NodeId) -> u64 {
        hash(self.seed, node.index() as u64)
    }

    /// The gradient by a node's activations after the last backward sweep.
    ///
    /// # Errors
    /// If the node is not among the request's gradient taps, lies before none of its starts, or no sweep has run.
    pub fn gradient(&self, node: NodeId) -> Result<&[f32], EngineError> {
        let place = &self.plan.places[node.index()];
        self.kept("gradient", node, place.keeps_gradient, self.swept, &place.gradient)
    }

    /// Sweeps backward from one or more nodes, given the loss's gradient by their activations, and assigns the parameters'
    /// gradients to `gradients` (if the request asked for them): zeros where the sweep does not reach. Seeds of one node add
    /// up. A sweep uses up the activations of its forward pass: sweep once a pass.
    ///
    /// # Errors
    /// If a node was not planned as a start, a gradient has the wrong length, or no forward pass came before; nothing is
    /// changed then.
    pub fn backward(
        &mut self,
        p: &Parameters,
        seeds: &[(NodeId, &[f32])],
        gradients: &mut Tensors,
    ) -> Result<(), EngineError> {
        self.check(gradients)?;
        self.begin_sweep(p, seeds)?;
        if self.request.parameter_gradients {
            for id in self.graph.ids().filter(|id| !self.plan.places[id.index()].in_sweep) {
                gradients.of_mut(id).iter_mut().for_each(|g| g.fill(0.0));
            }
        }
        let mut gradients = Gradients::Whole(gradients);
        let cpu = self.cpu.clone();
        cpu.install(|| {
            for step in (0..self.plan.steps.len()).rev() {
                self.sweep_step(p, step, &mut gradients);
            }
        });
        self.end_sweep();
        Ok(())
    }

    /// Checks what a sweep is given, and puts the gradients in place from which it starts.
    pub(crate) fn begin_sweep(&mut self, p: &Parameters, seeds: &[(NodeId, &[f32])]) -> Result<(), EngineError> {
        self.check(p)?;
        if self.batch == 0 || self.swept {
            return Err(EngineError::UsedUp);
        }
        for (node, dy) in seeds {
            let (name, shape) = (&self.graph.node(*node).name, self.graph.node(*node).shape);
            let error = |why: String| EngineError::Seed { node: name.clone(), found: dy.len(), why };
            if !self.request.backward_from.contains(node) {
                return Err(error("the session was not planned to start there".into()));
            }
            if dy.len() != self.batch * shape.len() {
                return Err(error(format!("{} images of {shape} were run forward", self.batch)));
            }
        }
        for start in &self.request.backward_from {
            let range = self.images(&self.plan.places[start.index()].gradient, self.graph.node(*start).shape);
            self.arena[range].fill(0.0);
        }
        for (node, dy) in seeds {
            let range = self.images(&self.plan.places[node.index()].gradient, self.graph.node(*node).shape);
            // Empty where nothing before the start asks for a gradient.
            self.arena[range].iter_mut().zip(*dy).for_each(|(sum, dy)| *sum += dy);
        }
        self.sweeping = true;
        Ok(())
    }

    /// What a step does in a sweep: it runs again what its backward pass wants, and then that.
    pub(crate) fn sweep_step(&mut self, p: &Parameters, step: usize, gradients: &mut Gradients<'_>) {
        if !self.plan.steps[step].in_sweep {
            return;
        }
        let begun = Instant::now();
        for i in 0..self.plan.steps[step].replays.len() {
            let again = self.plan.steps[step].replays[i];
            let stage = Stage { steps: again..again + 1, images: self.plan.steps[again].images };
            for turn in stage.turns(self.batch) {
                self.turn = turn;
                self.forward_step(p, again);
            }
        }
        self.backward_step(p, step, gradients);
        if let Some(time) = self.times.get_mut(self.plan.steps[step].step.nodes[0].index()) {
            time.backward += begun.elapsed();
        }
    }

    pub(crate) fn end_sweep(&mut self) {
        self.turn = 0..self.batch;
        (self.sweeping, self.swept) = (false, true);
    }

    /// Takes the batch's statistics of the last training pass into the running ones.
    pub fn gather_statistics(&self, p: &mut Parameters) {
        if !self.request.training || self.batch == 0 {
            return;
        }
        for id in self.graph.ids() {
            let node = self.graph.node(id);
            let values = &self.plan.places[id.index()].values;
            if !values.is_empty() && node.params.iter().any(|spec| !spec.trainable) {
                let shapes = self.shapes(id);
                let mut params: SmallVec<[&mut [f32]; 4]> = p.of_mut(id).iter_mut().map(Vec::as_mut_slice).collect();
                let values = &self.arena[values.clone()];
                node.layer.gather(self.setting(id, &shapes), values, &mut params);
            }
        }
    }

    pub(crate) fn setting<'a>(&'a self, id: NodeId, shapes: &'a [Shape]) -> Setting<'a> {
        let (batch, training) = (self.turn.len(), self.request.training);
        Setting { cpu: &self.cpu, batch, training, seed: self.seed_of(id), shapes, shape: self.graph.node(id).shape }
    }

    /// Where the activations of a node lie that a step reads.
    pub(crate) fn read(&self, id: NodeId) -> Range<usize> {
        let root = self.plan.program.root[id.index()];
        if let Some(range) = self.widened(root, false) {
            return range;
        }
        let (place, shape) = (&self.plan.places[root.index()], self.graph.node(root).shape);
        let buffer = if self.sweeping && !place.again.is_empty() { &place.again } else { &place.activation };
        let before = self.turn.start * place.stride;
        self.images(&(buffer.start + before..buffer.end), shape)
    }

    /// Where the gradient by a node's activations lies; empty without one.
    pub(crate) fn gradient_at(&self, id: NodeId) -> Range<usize> {
        if let Some(range) = self.widened(id, true) {
            return range;
        }
        let (range, shape) = (&self.plan.places[id.index()].gradient, self.graph.node(id).shape);
        if range.is_empty() {
            return 0..0;
        }
        self.images(&(range.start + self.turn.start * shape.len()..range.end), shape)
    }

    /// The part of a buffer that this turn's images take; empty stays empty.
    pub(crate) fn images(&self, range: &Range<usize>, shape: Shape) -> Range<usize> {
        range.start..range.end.min(range.start + self.turn.len() * shape.len())
    }

    /// The part of a node's switches that this pass's images take; empty while they are not wanted yet.
    pub(crate) fn switches_of(&self, place: &Place, id: NodeId, shapes: &[Shape]) -> Range<usize> {
        let node = self.graph.node(id);
        if !place.again.is_empty() && !self.sweeping && matches!(node.layer, AnyLayer::MaxPool(_)) {
            return 0..0;
        }
        let before = if self.request.training { self.turn.start } else { 0 };
        let start = place.switches.start + node.layer.saved(before, shapes, node.shape).switches;
        start.min(place.switches.end)
            ..(start + node.layer.saved(self.turn.len(), shapes, node.shape).switches).min(place.switches.end)
    }

    pub(crate) fn shapes(&self, id: NodeId) -> SmallVec<[Shape; 12]> {
        self.graph.node(id).inputs.iter().map(|i| self.graph.node(*i).shape).collect()
    }

    fn check(&mut self, tensors: &Tensors) -> Result<(), EngineError> {
        let layout = tensors.layout();
        if self.checked.as_ref().is_some_and(|c| Arc::ptr_eq(c, layout)) {
            return Ok(());
        }
        if !tensors.fits(&self.graph) {
            let expected = format!("the parameters of network `{}`", self.graph.name());
            return Err(EngineError::Parameter { name: "(all)".into(), expected, found: "another network's".into() });
        }
        self.checked = Some(layout.clone());
        Ok(())
    }

    fn kept(
        &self,
        what: &'static str,
        node: NodeId,
        kept: bool,
        run: bool,
        range: &Range<usize>,
    ) -> Result<&[f32], EngineError> {
        let name = || self.graph.node(node).name.clone();
        if !kept {
            return Err(EngineError::NotKept { what, node: name() });
        }
        if !run {
            return Err(EngineError::NotRun { what, node: name() });
        }
        Ok(&self.arena[self.images(range, self.graph.node(node).shape)])
    }
}
