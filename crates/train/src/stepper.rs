//! One training step after another: forward, cross-entropy, backward, update. Unless somebody wants to see the gradients, each
//! parameter is changed as soon as the sweep has its gradient, so that they never exist together.

use crate::{Checkpoint, Optimizer, Rule, TrainError, clip};
use smallvec::SmallVec;
use std::sync::Arc;
use striate_engine::{Handed, Memory, NodeTime, Parameters, Request, Session, StepPlan, Tensors};
use striate_graph::{Graph, NodeId};
use striate_kernels::{Cpu, Targets, cross_entropy};

/// A network in training, with its gradients and its optimiser.
#[derive(Debug)]
pub struct Stepper {
    graph: Arc<Graph>,
    cpu: Arc<Cpu>,
    session: Session,
    parameters: Parameters,
    /// Where they are kept.
    gradients: Option<Tensors>,
    /// The largest norm of a step's gradients, if there is a bound.
    clip: Option<f64>,
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
            gradients: None,
            clip: None,
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

    /// The optimiser as it now is.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The optimiser, to be changed.
    pub(crate) fn optimizer_mut(&mut self) -> &mut Optimizer {
        &mut self.optimizer
    }

    /// Takes parameters and optimiser back to a checkpoint.
    ///
    /// # Errors
    /// If it is another network's.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.restore(&mut self.parameters, &mut self.optimizer)
    }

    /// Where, with these images, the first value is that is no number: a parameter's name or a node's. `None` where all are
    /// finite, or there is no memory to look.
    pub fn first_not_finite(&self, images: &[f32], labels: &[u32], seed: u64) -> Option<String> {
        let broken = |values: &[f32]| values.iter().any(|v| !v.is_finite());
        if let Some((name, ..)) = self.parameters.iter().find(|(.., values)| broken(values)) {
            return Some(format!("the parameter `{name}`"));
        }
        if broken(images) {
            return Some("the images".into());
        }
        let request = Request {
            taps: self.graph.ids().collect(),
            backward_from: Vec::new(),
            parameter_gradients: false,
            ..Request::train(&self.graph, labels.len())
        };
        let mut session = Session::new(self.graph.clone(), self.cpu.clone(), &request).ok()?;
        session.forward(&self.parameters, images, labels.len(), seed).ok()?;
        let found = self.graph.ids().find(|id| session.activation(*id).is_ok_and(broken))?;
        Some(format!("the node `{}`", self.graph.node(found).name))
    }

    /// From now on scales each step's gradients down to this norm, all together, where theirs is larger ([`clip`]). They are
    /// kept for that, and can be read after it, unless all steps follow gradients that are summed up elsewhere.
    pub(crate) fn clip_gradients(&mut self, norm: f64, elsewhere: bool) {
        if !elsewhere {
            self.keep_gradients();
        }
        self.clip = Some(norm);
    }

    /// From now on keeps each step's gradients, to be read after it.
    pub fn keep_gradients(&mut self) {
        self.gradients.get_or_insert_with(|| self.parameters.zeros_like(true));
    }

    /// The last step's gradients; `None` unless they are kept ([`Stepper::keep_gradients`]).
    pub fn gradients(&self) -> Option<&Tensors> {
        self.gradients.as_ref()
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

    /// Bytes of all that it holds: parameters, gradients where they are kept, the optimiser's state, the session, losses.
    pub fn bytes(&self) -> usize {
        let gradients = self.gradients.as_ref().map_or(0, Tensors::bytes);
        let losses = 4 * self.logits.len() * (1 + self.losses.len());
        self.parameters.bytes() + gradients + self.optimizer.bytes() + self.memory().total() + losses
    }

    /// Bytes that a stepper of this request will hold, as [`Stepper::bytes`], if it does not keep gradients.
    ///
    /// # Errors
    /// If that is too much to be counted.
    pub fn need(graph: &Graph, rule: Rule, request: &Request) -> Result<usize, TrainError> {
        let trained = graph.parameter_count();
        let losses = request.batch * graph.output().shape.len() * (2 + graph.auxiliary().len());
        let floats = trained + graph.statistic_count() + rule.states() * trained + losses;
        Ok(Memory::of(graph, request)?.total() + 4 * floats)
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

    /// Makes one step on images (NHWC, preprocessed) with these labels, or what else they should be told as. `seed` decides what dropout drops. Returns the mean
    /// loss (auxiliary classifiers' included, by their weights) and the logits from before the step. If the loss is not
    /// finite, nothing is changed.
    ///
    /// # Errors
    /// If the images are not the network's.
    pub fn step<'t>(
        &mut self,
        images: &[f32],
        targets: impl Into<Targets<'t>>,
        lr: f64,
        seed: u64,
    ) -> Result<(f64, &[f32]), TrainError> {
        let targets = targets.into();
        let (loss, n) = if self.gradients.is_some() {
            let (loss, logits) = self.sweep(images, targets, seed)?;
            let n = logits.len();
            if loss.is_finite() {
                self.update(lr);
            }
            (loss, n)
        } else {
            let (loss, n) = self.forward(images, targets, seed)?;
            if loss.is_finite() {
                let Stepper { cpu, session, optimizer, parameters, losses, .. } = self;
                optimizer.begin();
                let mut change = |handed: Handed<'_>| optimizer.change(cpu, handed, lr);
                session.backward_into(parameters, &seeds(losses, n), &mut change)?;
                session.gather_statistics(parameters);
            }
            (loss, n)
        };
        Ok((loss, &self.logits[..n]))
    }

    /// The first half of a step: forward, loss and, if that is finite, backward; the parameters stay, and the gradients are
    /// kept.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn sweep<'t>(
        &mut self,
        images: &[f32],
        targets: impl Into<Targets<'t>>,
        seed: u64,
    ) -> Result<(f64, &[f32]), TrainError> {
        let (loss, n) = self.forward(images, targets.into(), seed)?;
        if loss.is_finite() {
            let Stepper { session, parameters, gradients, losses, .. } = self;
            let gradients = gradients.get_or_insert_with(|| parameters.zeros_like(true));
            session.backward(parameters, &seeds(losses, n), gradients)?;
        }
        Ok((loss, &self.logits[..n]))
    }

    /// As [`Stepper::sweep`], but each gradient is handed to `take` once it is there, and not kept.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub(crate) fn sweep_into(
        &mut self,
        images: &[f32],
        targets: Targets<'_>,
        seed: u64,
        take: &mut (dyn FnMut(&Cpu, Handed<'_>) + Send),
    ) -> Result<(f64, &[f32]), TrainError> {
        let (loss, n) = self.forward(images, targets, seed)?;
        if loss.is_finite() {
            let Stepper { cpu, session, parameters, losses, .. } = self;
            session.backward_into(parameters, &seeds(losses, n), &mut |handed| take(cpu, handed))?;
        }
        Ok((loss, &self.logits[..n]))
    }

    /// The second half: takes the last sweep's statistics, and changes the parameters against its gradients.
    pub fn update(&mut self, lr: f64) {
        self.session.gather_statistics(&mut self.parameters);
        if let Some(mut gradients) = self.gradients.take() {
            self.follow(&mut gradients, lr);
            self.gradients = Some(gradients);
        }
    }

    /// Forward: the loss, and how many logits there are.
    fn forward(&mut self, images: &[f32], targets: Targets<'_>, seed: u64) -> Result<(f64, usize), TrainError> {
        let rows = targets.rows();
        let logits = self.session.forward(&self.parameters, images, rows, seed)?;
        let n = logits.len();
        self.logits[..n].copy_from_slice(logits);
        let mut loss = 0.0;
        for l in &mut self.losses {
            let (logits, gradient) = (self.session.activation(l.node)?, &mut l.gradient[..n]);
            let own = cross_entropy(&self.cpu, logits, n / rows, targets, gradient);
            loss += f64::from(l.weight) * own;
            for g in gradient {
                *g *= l.weight;
            }
        }
        Ok((loss, n))
    }

    /// Takes the last sweep's statistics into the running ones.
    pub(crate) fn gather_statistics(&mut self) {
        self.session.gather_statistics(&mut self.parameters);
    }

    /// Changes the parameters against these gradients, which are clipped where that is asked for.
    pub(crate) fn follow(&mut self, gradients: &mut Tensors, lr: f64) {
        let Stepper { cpu, optimizer, parameters, clip: most, .. } = self;
        cpu.install(|| {
            if let Some(most) = *most {
                clip(cpu, gradients, most);
            }
            optimizer.step(cpu, parameters, gradients, lr);
        });
    }

    /// Plans the steps anew, for a request as in [`Stepper::planned`]; parameters and the optimiser's state stay.
    ///
    /// # Errors
    /// If the memory cannot be had; the old plan stays then.
    pub(crate) fn replan(&mut self, request: &Request) -> Result<(), TrainError> {
        // New memory is not touched before its first step, when the old plan's is given back.
        self.session = Session::new(self.graph.clone(), self.cpu.clone(), request)?;
        Ok(())
    }
}

/// The losses' gradients, of `n` values each.
fn seeds(losses: &[Loss], n: usize) -> SmallVec<[(NodeId, &[f32]); 4]> {
    losses.iter().map(|l| (l.node, &l.gradient[..n])).collect()
}
