//! One training step after another: forward, cross-entropy, backward, update.

use crate::{Optimizer, Rule, TrainError};
use smallvec::SmallVec;
use std::sync::Arc;
use striate_engine::{Memory, NodeTime, Parameters, Request, Session, StepPlan, Tensors};
use striate_graph::{Graph, NodeId};
use striate_kernels::{Cpu, Targets, mixed_cross_entropy};

/// A network in training, with its gradients and its optimiser.
#[derive(Debug)]
pub struct Stepper {
    graph: Arc<Graph>,
    cpu: Arc<Cpu>,
    session: Session,
    parameters: Parameters,
    gradients: Tensors,
    optimizer: Optimizer,
    logits: Vec<f32>,
    /// Where each loss is taken: the output, then the auxiliary classifiers.
    losses: Vec<Loss>,
}

/// A node's cross-entropy, and its gradient by the node's activations.
#[derive(Debug)]
struct Loss {
    node: NodeId,
    weight: f32,
    gradient: Vec<f32>,
}

impl Stepper {
    /// Plans steps of up to `batch` images.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(
        graph: Arc<Graph>,
        cpu: Arc<Cpu>,
        parameters: Parameters,
        rule: Rule,
        batch: usize,
    ) -> Result<Stepper, TrainError> {
        Stepper::watching(graph, cpu, parameters, rule, batch, &[])
    }

    /// Like [`Stepper::new`], for steps after which the activations of these nodes, and the gradients by them, can be read.
    ///
    /// # Errors
    /// As [`Stepper::new`].
    pub fn watching(
        graph: Arc<Graph>,
        cpu: Arc<Cpu>,
        parameters: Parameters,
        rule: Rule,
        batch: usize,
        watched: &[NodeId],
    ) -> Result<Stepper, TrainError> {
        let request = Stepper::request(&graph, batch, watched);
        Stepper::planned(graph, cpu, parameters, rule, &request)
    }

    /// Like [`Stepper::new`], for a request that [`Stepper::request`] made, changed in what does not concern training.
    ///
    /// # Errors
    /// As [`Stepper::new`].
    pub fn planned(
        graph: Arc<Graph>,
        cpu: Arc<Cpu>,
        parameters: Parameters,
        rule: Rule,
        request: &Request,
    ) -> Result<Stepper, TrainError> {
        let (session, batch) = (Session::new(graph.clone(), cpu.clone(), request)?, request.batch);
        let room = vec![0.0; batch * graph.output().shape.len()];
        let heads = graph.auxiliary().iter().map(|a| (a.node, a.weight));
        let all = [(graph.output_id(), 1.0)].into_iter().chain(heads);
        let losses = all.map(|(node, weight)| Loss { node, weight, gradient: room.clone() }).collect();
        Ok(Stepper {
            session,
            gradients: parameters.zeros_like(true),
            optimizer: Optimizer::new(rule, &parameters),
            logits: room,
            losses,
            graph,
            cpu,
            parameters,
        })
    }

    /// What a stepper asks of the engine, to know beforehand what memory it takes.
    pub fn request(graph: &Graph, batch: usize, watched: &[NodeId]) -> Request {
        let mut request = Request::train(graph, batch);
        request.taps.extend(watched);
        request.gradient_taps.extend(watched);
        request
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The parameters as they now are.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The parameters as they now are, without the rest.
    pub fn into_parameters(self) -> Parameters {
        self.parameters
    }

    /// The last step's gradients.
    pub fn gradients(&self) -> &Tensors {
        &self.gradients
    }

    /// The activations of a watched node in the last pass, NHWC.
    ///
    /// # Errors
    /// If it is not watched, or no pass was made.
    pub fn activation(&self, node: NodeId) -> Result<&[f32], TrainError> {
        Ok(self.session.activation(node)?)
    }

    /// The loss's gradient by a watched node's activations in the last pass.
    ///
    /// # Errors
    /// If it is not watched, or the last pass had no sweep backward.
    pub fn gradient(&self, node: NodeId) -> Result<&[f32], TrainError> {
        Ok(self.session.gradient(node)?)
    }

    /// The memory of the activations and their gradients.
    pub fn memory(&self) -> Memory {
        self.session.memory()
    }

    /// The steps of a pass, and how each is computed.
    pub fn steps(&self) -> Vec<StepPlan> {
        self.session.steps()
    }

    /// Times every node from now on; times gathered so far are forgotten.
    pub fn time_nodes(&mut self) {
        self.session.time_nodes();
    }

    /// What each node has taken, in the graph's order; empty unless they are timed.
    pub fn times(&self) -> &[NodeTime] {
        self.session.times()
    }

    /// Makes one step on images (NHWC, preprocessed) with these labels. `seed` decides what dropout drops. Returns the mean
    /// loss (auxiliary classifiers' included, by their weights) and the logits from before the step. If the loss is not
    /// finite, nothing is changed.
    ///
    /// # Errors
    /// If the images are not the network's.
    pub fn step(&mut self, images: &[f32], labels: &[u32], lr: f64, seed: u64) -> Result<(f64, &[f32]), TrainError> {
        self.step_on(images, Targets::single(labels), lr, seed)
    }

    /// Like [`Stepper::step`], for images that may each be a mix of two classes.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn step_on(
        &mut self,
        images: &[f32],
        targets: Targets<'_>,
        lr: f64,
        seed: u64,
    ) -> Result<(f64, &[f32]), TrainError> {
        let (loss, logits) = self.sweep_on(images, targets, seed)?;
        let n = logits.len();
        if loss.is_finite() {
            self.update(lr);
        }
        Ok((loss, &self.logits[..n]))
    }

    /// The first half of a step: forward, loss and, if that is finite, backward; the parameters stay.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn sweep(&mut self, images: &[f32], labels: &[u32], seed: u64) -> Result<(f64, &[f32]), TrainError> {
        self.sweep_on(images, Targets::single(labels), seed)
    }

    fn sweep_on(&mut self, images: &[f32], targets: Targets<'_>, seed: u64) -> Result<(f64, &[f32]), TrainError> {
        let rows = targets.labels.len();
        let logits = self.session.forward(&self.parameters, images, rows, seed)?;
        let n = logits.len();
        self.logits[..n].copy_from_slice(logits);
        let mut loss = 0.0;
        for l in &mut self.losses {
            let (logits, gradient) = (self.session.activation(l.node)?, &mut l.gradient[..n]);
            let own = mixed_cross_entropy(&self.cpu, logits, n / rows, targets, 0.0, gradient);
            loss += f64::from(l.weight) * own;
            for g in gradient {
                *g *= l.weight;
            }
        }
        if loss.is_finite() {
            let seeds: SmallVec<[(NodeId, &[f32]); 4]> =
                self.losses.iter().map(|l| (l.node, &l.gradient[..n])).collect();
            self.session.backward(&self.parameters, &seeds, &mut self.gradients)?;
        }
        Ok((loss, &self.logits[..n]))
    }

    /// The second half: takes the last sweep's statistics, and changes the parameters against its gradients.
    pub fn update(&mut self, lr: f64) {
        self.session.gather_statistics(&mut self.parameters);
        let Stepper { cpu, optimizer, parameters, gradients, .. } = self;
        cpu.install(|| optimizer.step(cpu, parameters, gradients, lr));
    }
}
