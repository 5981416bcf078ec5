//! ReLU and ReLU6 clamp in the last write of the step before them. Backward they are recognised by the output.

use super::{View, join};
use crate::program::{Kind, Program};
use striate_kernels::Activation;

pub(super) fn run(view: &View<'_>, program: &mut Program) {
    join(view, program, |step, id| {
        // A gradient that is looked at must stay what the users left; this step changes it in place.
        let (Some(clamp), false) = (view.clamps(id), view.request.gradient_taps.contains(&id)) else { return false };
        let activation = match &mut step.kind {
            Kind::Conv(conv) if conv.gathers.is_none() => &mut conv.activation,
            Kind::Norm(norm) => &mut norm.activation,
            _ => return false,
        };
        let free = *activation == Activation::None;
        if free {
            *activation = clamp;
        }
        free
    });
}
