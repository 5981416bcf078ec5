//! Pictures at their own size: networks that end in a global or adaptive pooling take any, in bands of rows where they are
//! large.

use crate::{Model, TrainError};
use std::sync::Arc;
use striate_data::{Picture, Preprocessing};
use striate_engine::{Bands, Precision};
use striate_graph::Shape;
use striate_kernels::Cpu;

/// What a model takes a picture of its own size for.
#[derive(Clone, Debug)]
pub struct FullSize {
    /// The logits of one look at it.
    pub logits: Vec<f32>,
    /// How many bands the picture was cut into; 1 if it was not cut.
    pub bands: usize,
    /// Bytes that it took beside the model and the picture.
    pub memory: usize,
}

impl Model {
    /// Looks at a picture at its own size, in about `limit` bytes beside the model and the picture.
    ///
    /// # Errors
    /// If the network takes pictures of one size only, or the memory does not do.
    pub fn at_full_size(
        &mut self,
        cpu: &Arc<Cpu>,
        picture: &Picture,
        precision: Precision,
        limit: usize,
    ) -> Result<FullSize, TrainError> {
        let preprocessing = &self.card.preprocessing;
        let (h, w) = (picture.height as usize, picture.width as usize);
        let input = Shape::new(h, w, preprocessing.channels.into());
        let bands = Bands::new(&self.graph, cpu.clone(), input, precision, limit)?;
        let logits = bands.forward(&mut self.parameters, |range, out| {
            preprocessing.normalise(&rows(picture, range.start, range.end, preprocessing), out);
        })?;
        Ok(FullSize { logits, bands: bands.bands().len(), memory: bands.memory() })
    }
}

/// Some rows of a picture, in the network's channels.
fn rows(picture: &Picture, start: usize, end: usize, preprocessing: &Preprocessing) -> Picture {
    let stride = picture.stride();
    let pixels = picture.pixels[start * stride..end * stride].to_vec();
    let part = Picture { height: (end - start) as u32, pixels, ..*picture };
    match (preprocessing.channels, part.channels) {
        (1, 3) => part.to_grey(),
        (3, 1) => part.to_colour(),
        _ => part,
    }
}
