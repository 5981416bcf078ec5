//! A network planned to be looked into: forward passes, sweeps by a rule, and the gradients by the input and by maps.

use crate::{ExplainError, Subject};
use striate_engine::{Request, Rule, Session};
use striate_graph::NodeId;

/// A session with what it looks at.
pub struct Probe<'a> {
    subject: &'a Subject,
    session: Session,
}

impl<'a> Probe<'a> {
    /// Plans for sweeps from any of `starts`, for up to `batch` images at once. The activations of starts and `watched`, and
    /// the gradients by the input and by `watched`, can be read.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(
        subject: &'a Subject,
        starts: &[NodeId],
        watched: &[NodeId],
        batch: usize,
    ) -> Result<Probe<'a>, ExplainError> {
        let request = Request {
            backward_from: starts.to_vec(),
            taps: [starts, watched].concat(),
            gradient_taps: [watched, &[subject.graph.input_id()]].concat(),
            ..Request::predict(batch)
        };
        let session = Session::new(subject.graph.clone(), subject.cpu.clone(), &request)?;
        Ok(Probe { subject, session })
    }

    /// Runs images forward and returns how many they are.
    ///
    /// # Errors
    /// If they are no inputs of this network, or more than planned for.
    pub fn forward(&mut self, images: &[f32]) -> Result<usize, ExplainError> {
        let n = images.len() / self.subject.preprocessing.len();
        self.session.forward(&self.subject.parameters, images, n, 0)?;
        Ok(n)
    }

    /// Sweeps from a start with this gradient by its activations. One sweep a forward pass.
    ///
    /// # Errors
    /// If it is no start, or the seed has not its length.
    pub fn sweep(&mut self, rule: Rule, start: NodeId, seed: &[f32]) -> Result<(), ExplainError> {
        Ok(self.session.sweep(rule, &self.subject.parameters, &[(start, seed)])?)
    }

    /// Runs images forward and sweeps from the score of a class, which must be a start. Returns each image's score.
    ///
    /// # Errors
    /// As [`Probe::forward`] and [`Probe::sweep`].
    pub fn of_class(&mut self, rule: Rule, images: &[f32], class: usize) -> Result<Vec<f32>, ExplainError> {
        let start = self.subject.scores();
        let n = self.forward(images)?;
        let scores = self.activation(start)?;
        let classes = scores.len() / n;
        let own: Vec<f32> = scores.chunks_exact(classes).map(|scores| scores[class]).collect();
        let mut seed = vec![0.0; scores.len()];
        seed.iter_mut().skip(class).step_by(classes).for_each(|v| *v = 1.0);
        self.sweep(rule, start, &seed)?;
        Ok(own)
    }

    /// A node's activations in the last pass.
    ///
    /// # Errors
    /// If it is not looked at.
    pub fn activation(&self, node: NodeId) -> Result<&[f32], ExplainError> {
        Ok(self.session.activation(node)?)
    }

    /// The gradient by a node's activations in the last sweep.
    ///
    /// # Errors
    /// If it is not looked at, or lies behind every start.
    pub fn gradient(&self, node: NodeId) -> Result<&[f32], ExplainError> {
        Ok(self.session.gradient(node)?)
    }

    /// The gradient by the input in the last sweep.
    ///
    /// # Errors
    /// If nothing was swept.
    pub fn by_input(&self) -> Result<&[f32], ExplainError> {
        self.gradient(self.subject.graph.input_id())
    }
}
