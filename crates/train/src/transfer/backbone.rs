//! The frozen part of a network: an inference plan, forward only. It makes features of images, which the rest is trained on,
//! and keeps no activations.

use super::FrozenNorm;
use crate::TrainError;
use std::sync::Arc;
use striate_data::Batch;
use striate_engine::{Memory, Parameters, Precision, Request, Session};
use striate_graph::{AnyLayer, Change, Graph, NodeId};
use striate_kernels::Cpu;

/// The frozen part of a network, ready to run.
#[derive(Debug)]
pub struct Backbone {
    graph: Arc<Graph>,
    cpu: Arc<Cpu>,
    parameters: Parameters,
    session: Session,
    /// For training steps, where batch normalisation takes the batches' statistics.
    gathering: Option<Session>,
    /// Images at a time, at most.
    most: usize,
    room: Vec<f32>,
}

/// What computes a node, without dropout, which a frozen part has no use for.
///
/// # Errors
/// Never, for a network that is one.
pub(crate) fn frozen(graph: &Graph, cut: NodeId) -> Result<Graph, TrainError> {
    Ok(graph.until(cut).rewrite(|node| match node.layer {
        AnyLayer::Dropout(_) => Change::Remove,
        _ => Change::Keep,
    })?)
}

fn requests(most: usize, precision: Precision, norm: FrozenNorm) -> (Request, Option<Request>) {
    let predict = Request { precision, ..Request::predict(most) };
    let gather = (norm == FrozenNorm::Train).then(|| Request { training: true, ..predict.clone() });
    (predict, gather)
}

impl Backbone {
    /// Plans what computes a node, for up to `most` images at a time. Its values are moved out of the network's.
    ///
    /// # Errors
    /// If `most` is 0, the memory cannot be had, or the values are another network's.
    pub fn new(
        whole: &Graph,
        cut: NodeId,
        parameters: &mut Parameters,
        cpu: Arc<Cpu>,
        (most, precision, norm): (usize, Precision, FrozenNorm),
    ) -> Result<Backbone, TrainError> {
        let graph = Arc::new(frozen(whole, cut)?);
        let own = parameters.take_part(&graph)?;
        let (predict, gather) = requests(most, precision, norm);
        let session = Session::new(graph.clone(), cpu.clone(), &predict)?;
        let gathering = gather.map(|request| Session::new(graph.clone(), cpu.clone(), &request)).transpose()?;
        Ok(Backbone { graph, cpu, parameters: own, session, gathering, most, room: Vec::new() })
    }

    /// Bytes that one takes, with its values.
    ///
    /// # Errors
    /// If that is too much to be counted.
    pub fn need(graph: &Graph, most: usize, precision: Precision, norm: FrozenNorm) -> Result<usize, TrainError> {
        let (predict, gather) = requests(most, precision, norm);
        let gather = gather.map_or(Ok(0), |request| Memory::of(graph, &request).map(|m| m.total()))?;
        let values = 4 * (graph.parameter_count() + graph.statistic_count());
        Ok(values + Memory::of(graph, &predict)?.total() + gather)
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Its values.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its values, to be given back.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Its values, without the rest.
    pub fn into_parameters(self) -> Parameters {
        self.parameters
    }

    /// Whether its values stay as they are: no statistics are gathered.
    pub fn rests(&self) -> bool {
        self.gathering.is_none()
    }

    /// Bytes of its plan and its values.
    pub fn bytes(&self) -> usize {
        let gathering = self.gathering.as_ref().map_or(0, |s| s.memory().total());
        self.parameters.bytes() + self.session.memory().total() + gathering
    }

    /// Plans anew for another precision.
    ///
    /// # Errors
    /// If the memory cannot be had; the old plan stays then.
    pub fn replan(&mut self, precision: Precision) -> Result<(), TrainError> {
        let norm = if self.rests() { FrozenNorm::Frozen } else { FrozenNorm::Train };
        let (predict, gather) = requests(self.most, precision, norm);
        let plan = |request: &Request| Session::new(self.graph.clone(), self.cpu.clone(), request);
        let gathering = gather.map(|request| plan(&request)).transpose()?;
        (self.session, self.gathering) = (plan(&predict)?, gathering);
        Ok(())
    }

    /// The features of `n` images (NHWC, preprocessed), those of one behind those of another. In a training `step`, batch
    /// normalisation takes the batch's statistics, if it is to.
    ///
    /// # Errors
    /// If the images are not the network's.
    pub fn features(&mut self, images: &[f32], n: usize, step: bool) -> Result<&[f32], TrainError> {
        let len = images.len().checked_div(n).unwrap_or(0);
        self.room.clear();
        for first in (0..n).step_by(self.most) {
            let count = self.most.min(n - first);
            let part = &images[first * len..(first + count) * len];
            let gathering = self.gathering.as_mut().filter(|_| step);
            let gathers = gathering.is_some();
            let session = gathering.unwrap_or(&mut self.session);
            self.room.extend_from_slice(session.forward(&self.parameters, part, count, 0)?);
            if gathers {
                session.gather_statistics(&mut self.parameters);
            }
        }
        Ok(&self.room)
    }

    /// Puts a batch's features in place of its images.
    ///
    /// # Errors
    /// As [`Backbone::features`].
    pub fn take(&mut self, batch: &mut Batch, step: bool) -> Result<(), TrainError> {
        self.features(&batch.images, batch.labels.len(), step)?;
        std::mem::swap(&mut batch.images, &mut self.room);
        Ok(())
    }
}
