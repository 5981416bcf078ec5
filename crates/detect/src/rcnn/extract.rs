//! Regions read by the network, each on its own or all from the features of the whole picture.

use super::network::Readout;
use super::shared::Shared;
use super::warped::Warped;
use super::windows::Windows;
use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use std::sync::Arc;
use striate_data::Picture;
use striate_engine::Parameters;
use striate_graph::Graph;
use striate_kernels::Cpu;

/// A network that reads regions.
pub(super) enum Extractor<'a> {
    /// Each region is warped and goes through the whole network.
    Warped(Box<Warped<'a>>),
    /// The picture goes through the network's first part, and regions of its map through the rest.
    Shared(Box<Shared>),
}

/// What the network says of one region.
pub(super) struct Reading<'a> {
    /// Its place among those given.
    pub(super) region: usize,
    pub(super) features: &'a [f32],
    pub(super) pooled: &'a [f32],
    pub(super) logits: &'a [f32],
}

impl<'a> Extractor<'a> {
    /// Plans the network for up to `batch` regions at once.
    pub(super) fn new(
        (graph, parameters): (&Arc<Graph>, &'a Parameters),
        windows: &Windows,
        readout: Readout,
        cpu: &Arc<Cpu>,
        batch: usize,
        shared: bool,
    ) -> Result<Self, DetectError> {
        if shared {
            let shared = Shared::new(graph, parameters, windows, readout, cpu, batch)?;
            return Ok(Self::Shared(Box::new(shared)));
        }
        let warped = Warped::new(graph, parameters, windows, readout, cpu, batch)?;
        Ok(Self::Warped(Box::new(warped)))
    }

    /// Values of the nodes that are read, of one region: features and what moves boxes.
    pub(super) fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Warped(warped) => warped.lengths(),
            Self::Shared(shared) => shared.lengths(),
        }
    }

    /// What making the network's input and the network have taken since this was asked last, in seconds.
    pub(super) fn take_seconds(&mut self) -> [f64; 2] {
        match self {
            Self::Warped(warped) => std::mem::take(&mut warped.seconds),
            Self::Shared(shared) => std::mem::take(&mut shared.seconds),
        }
    }

    /// Reads regions of a picture that is in the network's channels; `take` hears of each, in order.
    pub(super) fn read(
        &mut self,
        picture: &Picture,
        boxes: &[BoundingBox],
        mut take: impl FnMut(&Reading<'_>),
    ) -> Result<(), DetectError> {
        match self {
            Self::Warped(warped) => warped.read(picture, boxes, &mut take),
            Self::Shared(shared) => shared.read(picture, boxes, &mut take),
        }
    }
}
