//! Regions warped to the network's input, as in R-CNN: each goes through the whole network.

use super::extract::Reading;
use super::network::Readout;
use super::windows::{Window, Windows};
use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use std::sync::Arc;
use std::time::Instant;
use striate_data::Picture;
use striate_engine::{Parameters, Request, Session};
use striate_graph::Graph;
use striate_kernels::Cpu;

/// A network that reads warped regions.
pub(super) struct Warped<'a> {
    session: Session,
    parameters: &'a Parameters,
    windows: Windows,
    readout: Readout,
    cpu: Arc<Cpu>,
    batch: usize,
    images: Vec<f32>,
    /// What warping and the network have taken so far.
    pub(super) seconds: [f64; 2],
}

impl<'a> Warped<'a> {
    pub(super) fn new(
        graph: &Arc<Graph>,
        parameters: &'a Parameters,
        windows: &Windows,
        readout: Readout,
        cpu: &Arc<Cpu>,
        batch: usize,
    ) -> Result<Self, DetectError> {
        let mut taps = vec![readout.features];
        if readout.pooled != readout.features {
            taps.push(readout.pooled);
        }
        let session = Session::new(graph.clone(), cpu.clone(), &Request { taps, ..Request::predict(batch) })?;
        let images = vec![0.0; batch * windows.len()];
        Ok(Self {
            session,
            parameters,
            windows: windows.clone(),
            readout,
            cpu: cpu.clone(),
            batch,
            images,
            seconds: [0.0; 2],
        })
    }

    /// Values of the nodes that are read, of one region: features and what moves boxes.
    pub(super) fn lengths(&self) -> (usize, usize) {
        let graph = self.session.graph();
        (graph.node(self.readout.features).shape.len(), graph.node(self.readout.pooled).shape.len())
    }

    /// Reads regions of a picture that is in the network's channels; `take` hears of each, in order.
    pub(super) fn read(
        &mut self,
        picture: &Picture,
        boxes: &[BoundingBox],
        take: &mut dyn FnMut(&Reading<'_>),
    ) -> Result<(), DetectError> {
        for (at, boxes) in boxes.chunks(self.batch).enumerate() {
            let begun = Instant::now();
            let window = |bounds: &BoundingBox| Window { picture, bounds: *bounds, mirrored: false };
            let windows: Vec<Window<'_>> = boxes.iter().map(window).collect();
            let images = &mut self.images[..boxes.len() * self.windows.len()];
            self.windows.cut(&windows, &self.cpu, images)?;
            self.seconds[0] += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            self.session.forward(self.parameters, images, boxes.len(), 0)?;
            self.seconds[1] += begun.elapsed().as_secs_f64();
            let each = |values: &'_ [f32]| values.len() / boxes.len();
            let logits = self.session.activation(self.session.graph().output_id())?;
            let features = self.session.activation(self.readout.features)?;
            let pooled = self.session.activation(self.readout.pooled)?;
            let (l, f, p) = (each(logits), each(features), each(pooled));
            for i in 0..boxes.len() {
                take(&Reading {
                    region: at * self.batch + i,
                    features: &features[i * f..(i + 1) * f],
                    pooled: &pooled[i * p..(i + 1) * p],
                    logits: &logits[i * l..(i + 1) * l],
                });
            }
        }
        Ok(())
    }
}
