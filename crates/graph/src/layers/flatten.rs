//! A map as a vector, in the order of PyTorch's checkpoints: channel, row, column. Activations are NHWC, so the values
//! move; the linear layer behind it can then keep its weights as checkpoints have them.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Shape};
use serde::{Deserialize, Serialize};

/// h×w×c to a vector of c·h·w, channels outermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        Ok(Shape::vector(only(inputs)?.len()))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Everything
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, .. } = pass;
        let (s, x) = (setting.shapes[0], inputs[0]);
        let pixels = s.h * s.w;
        setting.cpu.chunks(output, s.len(), |image, out| {
            let x = &x[image * s.len()..][..s.len()];
            for (c, plane) in out.chunks_exact_mut(pixels).enumerate() {
                for (value, pixel) in plane.iter_mut().zip(x.chunks_exact(s.c)) {
                    *value = pixel[c];
                }
            }
        });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, dy, dx, .. } = pass;
        let s = setting.shapes[0];
        let pixels = s.h * s.w;
        let Some(dx) = dx[0].take() else { return };
        dx.add_in_chunks(setting.cpu, s.len(), |image, dx| {
            let dy = &dy[image * s.len()..][..s.len()];
            for (c, plane) in dy.chunks_exact(pixels).enumerate() {
                for (value, pixel) in plane.iter().zip(dx.chunks_exact_mut(s.c)) {
                    pixel[c] += value;
                }
            }
        });
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Flatten, Vec<Shape>)> {
    vec![(Flatten, vec![Shape::new(3, 2, 4)]), (Flatten, vec![Shape::vector(5)])]
}

#[cfg(test)]
mod tests {
    use crate::layers::check::forward;
    use crate::{AnyLayer, Shape, layers::Flatten};

    #[test]
    fn channels_come_outermost() {
        let nhwc = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        let y = forward(&AnyLayer::from(Flatten), &[Shape::new(1, 3, 2)], 1, &[&nhwc]);
        assert_eq!(y, [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    }
}
