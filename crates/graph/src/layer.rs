//! What a layer can do: its shape rule, parameters, cost, forward and backward pass. Layers hold attributes only;
//! activations, switches and random masks belong to a run and are passed in.

use crate::{Misfit, ParamSpec, Reach, Shape};
use striate_kernels::{Cpu, GradientSlot};

/// What the backward pass reads of the forward pass, beside what the layer saved itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The inputs' activations.
    pub inputs: bool,
    /// The output's activations.
    pub output: bool,
}

/// How much a layer saves from forward for backward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Floats (normalisation's statistics).
    pub values: usize,
    /// Small integers (which cell of a pooling window won).
    pub switches: usize,
}

/// What surrounds a layer in one run.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The threads and the instruction set.
    pub cpu: &'a Cpu,
    /// Images in the batch.
    pub batch: usize,
    /// True while training: dropout drops, batch normalisation uses the batch's statistics.
    pub training: bool,
    /// Randomness of this node in this step.
    pub seed: u64,
    /// The inputs' shapes.
    pub shapes: &'a [Shape],
    /// The output's shape.
    pub shape: Shape,
}

/// One forward pass through a layer. Slices hold `batch` images, NHWC.
pub struct Forward<'a> {
    /// Shapes, mode and machine.
    pub setting: Setting<'a>,
    /// The inputs' activations.
    pub inputs: &'a [&'a [f32]],
    /// The parameters, in the order of [`Layer::params`].
    pub params: &'a [&'a [f32]],
    /// Every value is assigned.
    pub output: &'a mut [f32],
    /// Kept for backward, [`Saved::values`] long.
    pub values: &'a mut [f32],
    /// Kept for backward, [`Saved::switches`] long.
    pub switches: &'a mut [u16],
    /// Work space of [`Layer::scratch`] floats, contents undefined.
    pub scratch: &'a mut [f32],
}

/// One backward pass through a layer. Gradients by the parameters are added; those by the inputs go where their slots say.
pub struct Backward<'a, 'b> {
    /// Shapes, mode and machine.
    pub setting: Setting<'a>,
    /// The inputs' activations if [`Needs::inputs`], else empty slices.
    pub inputs: &'a [&'a [f32]],
    /// The output's activations if [`Needs::output`], else empty.
    pub output: &'a [f32],
    /// The parameters, in the order of [`Layer::params`].
    pub params: &'a [&'a [f32]],
    /// What forward saved.
    pub values: &'a [f32],
    /// What forward saved.
    pub switches: &'a [u16],
    /// The loss's gradient by the output.
    pub dy: &'a [f32],
    /// Where the gradient by each input goes, if it is asked for: all of a slot's values are assigned, or added to. Take
    /// the slots; those that are left are not looked at again.
    pub dx: &'a mut [Option<GradientSlot<'b>>],
    /// Where the gradient by each parameter is added, if it is asked for.
    pub dparams: &'a mut [Option<&'b mut [f32]>],
    /// Work space of [`Layer::scratch`] floats, contents undefined.
    pub scratch: &'a mut [f32],
}

/// A kind of layer with its attributes.
pub trait Layer {
    /// The output's shape.
    ///
    /// # Errors
    /// A [`Misfit`] that says what does not fit.
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit>;

    /// The parameters for inputs that [`Layer::infer`] accepted.
    fn params(&self, _inputs: &[Shape]) -> Vec<ParamSpec> {
        Vec::new()
    }

    /// Multiplications of a convolution or linear layer, each with its addition, for one image.
    fn multiply_adds(&self, _inputs: &[Shape], _output: Shape) -> u64 {
        0
    }

    /// Which cells of its inputs an output cell depends on.
    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Cell
    }

    /// The attributes as people write them (`3×3/2 pad 1`); empty without any.
    fn describe(&self) -> String {
        String::new()
    }

    /// What backward reads of the forward pass.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// How much forward saves for backward.
    fn saved(&self, _batch: usize, _inputs: &[Shape], _output: Shape) -> Saved {
        Saved::default()
    }

    /// Floats of work space that forward, or with `backward` also the backward pass, takes.
    fn scratch(&self, _batch: usize, _inputs: &[Shape], _output: Shape, _backward: bool) -> usize {
        0
    }

    /// Computes the output.
    fn forward(&self, pass: Forward<'_>);

    /// Computes the gradients by the inputs and parameters.
    fn backward(&self, pass: Backward<'_, '_>);

    /// Takes a training step's statistics, which forward left in `values`, into the gathered parameters.
    fn gather(&self, _setting: Setting<'_>, _values: &[f32], _params: &mut [&mut [f32]]) {}
}

/// Refuses weights of more values than can be computed with. Graphs come from files too.
pub(crate) fn weights_within(sides: &[usize]) -> Result<(), Misfit> {
    const MOST: usize = 1 << 31;
    match sides.iter().try_fold(1usize, |n, &side| n.checked_mul(side)) {
        Some(n) if n <= MOST => Ok(()),
        _ => Err(Misfit::new(format!("its weights would be {sides:?}, more than {MOST} values"))),
    }
}

/// The only input's shape, for layers that take one.
pub(crate) fn only(inputs: &[Shape]) -> Result<Shape, Misfit> {
    match inputs {
        [one] => Ok(*one),
        _ => Err(Misfit::new(format!("it takes one input, not {}", inputs.len()))),
    }
}
