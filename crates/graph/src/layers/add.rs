//! The sum of two or more maps of one shape: the residual connection (He et al. 2015, arXiv:1512.03385).

use crate::{Backward, Forward, Layer, Misfit, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::add_assign;

/// The sum of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add;

/// Values in a piece of work.
const PIECE: usize = 1 << 13;

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
        setting.cpu.chunks(output, PIECE, |i, out| {
            let part = |x: &'_ [f32]| i * PIECE..(i * PIECE + PIECE).min(x.len());
            out.copy_from_slice(&inputs[0][part(inputs[0])]);
            for x in &inputs[1..] {
                for (o, v) in out.iter_mut().zip(&x[part(x)]) {
                    *o += v;
                }
            }
        });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        for dx in pass.dx.iter_mut().flatten() {
            add_assign(pass.setting.cpu, dx, pass.dy);
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
