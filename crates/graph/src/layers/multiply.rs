//! The product of two maps of one shape, or of a map and a vector of its channels: what squeeze-and-excitation weighs a map's
//! channels by (Hu et al. 2017, arXiv:1709.01507).

use crate::{Backward, Forward, Layer, Misfit, Needs, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{GradientSlot, map2};

/// The product of its two inputs; the second may be a vector of as many values as the first has channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multiply;

impl Layer for Multiply {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        match *inputs {
            [a, b] if a == b || (b.is_vector() && a.c == b.c) => Ok(a),
            [_, _] => Err(Misfit::new("it takes two of one shape, or a map and a vector of its channels")),
            _ => Err(Misfit::new(format!("it takes two inputs, not {}", inputs.len()))),
        }
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, .. } = pass;
        if setting.shapes[0] == setting.shapes[1] {
            map2(setting.cpu, inputs[0], inputs[1], GradientSlot::assign(output), |a, b| a * b);
            return;
        }
        scale(setting.cpu, inputs[0], inputs[1], setting.shape, GradientSlot::assign(output));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, inputs, dy, dx, .. } = pass;
        let same = setting.shapes[0] == setting.shapes[1];
        if let Some(to) = dx[0].take() {
            if same {
                map2(setting.cpu, inputs[1], dy, to, |b, dy| b * dy);
            } else {
                scale(setting.cpu, dy, inputs[1], setting.shape, to);
            }
        }
        let Some(to) = dx[1].take() else { return };
        if same {
            map2(setting.cpu, inputs[0], dy, to, |a, dy| a * dy);
            return;
        }
        // Each image's sums over its pixels, in their order.
        let (len, c) = (setting.shape.len(), setting.shape.c);
        to.add_in_chunks(setting.cpu, c, |image, sums| {
            let (x, dy) = (&inputs[0][image * len..][..len], &dy[image * len..][..len]);
            for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
                sums.iter_mut().zip(x).zip(dy).for_each(|((sum, x), dy)| *sum += x * dy);
            }
        });
    }
}

/// Each image's map times its vector of channels, image by image.
fn scale(cpu: &striate_kernels::Cpu, map: &[f32], vectors: &[f32], shape: Shape, to: GradientSlot<'_>) {
    let (len, c) = (shape.len(), shape.c);
    to.add_in_chunks(cpu, len, |image, to| {
        let vector = &vectors[image * c..][..c];
        for (to, map) in to.chunks_exact_mut(c).zip(map[image * len..][..len].chunks_exact(c)) {
            to.iter_mut().zip(map).zip(vector).for_each(|((to, m), v)| *to += m * v);
        }
    });
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Multiply, Vec<Shape>)> {
    let map = Shape::new(4, 3, 5);
    vec![(Multiply, vec![map, map]), (Multiply, vec![map, Shape::vector(5)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn vectors_weigh_channels() {
        let shapes = [Shape::new(1, 2, 2), Shape::vector(2)];
        let y = forward(&AnyLayer::from(Multiply), &shapes, 2, &[&[1., 2., 3., 4., 5., 6., 7., 8.], &[10., 1., 2., 0.]]);
        assert_eq!(y, [10., 2., 30., 4., 10., 0., 14., 0.]);
        assert!(Multiply.infer(&[Shape::vector(2), shapes[0]]).is_err());
    }
}
