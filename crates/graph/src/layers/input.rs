//! The node that takes the images: NHWC f32, already preprocessed.

use crate::{Backward, Forward, Layer, Misfit, Shape};
use serde::{Deserialize, Serialize};

/// A network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The shape of one image.
    pub shape: Shape,
}

impl Input {
    /// Images of this shape.
    pub fn new(shape: Shape) -> Self {
        Input { shape }
    }
}

impl Layer for Input {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        if inputs.is_empty() { Ok(self.shape) } else { Err(Misfit::new("an input takes no other node")) }
    }

    /// Nothing to compute: whoever runs the network writes the images here.
    fn forward(&self, _pass: Forward<'_>) {}

    fn backward(&self, _pass: Backward<'_, '_>) {}
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Input, Vec<Shape>)> {
    vec![(Input::new(Shape::new(5, 3, 2)), vec![])]
}
