//! The sum of two or more maps of one shape: the residual connection (He et al. 2015, arXiv:1512.03385).

use crate::{Backward, Forward, Layer, Misfit, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{GradientSlot, map2, pass_on};

/// The sum of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add;

impl Layer for Add {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        match inputs {
            [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|s| s == first) => Ok(*first),
            [_, _, ..] => Err(Misfit::new("the inputs' shapes differ")),
            _ => Err(Misfit::new(format!("it takes two inputs or more, not {}", inputs.len()))),
        }
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, .. } = pass;
        map2(setting.cpu, inputs[0], inputs[1], GradientSlot::assign(output), |a, b| a + b);
        for x in &inputs[2..] {
            pass_on(setting.cpu, x, GradientSlot::add(output));
        }
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        for dx in pass.dx.iter_mut().filter_map(Option::take) {
            pass_on(pass.setting.cpu, pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Add, Vec<Shape>)> {
    let s = Shape::new(4, 3, 5);
    vec![(Add, vec![s, s]), (Add, vec![s, s, s])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_must_agree() {
        let (a, b) = (Shape::new(2, 2, 3), Shape::new(2, 2, 4));
        assert!(Add.infer(&[a, b]).is_err());
        assert!(Add.infer(&[a]).is_err());
    }
}
