//! Global max pooling: the maximum of each channel over the whole map (Oquab et al. 2015, DOI 10.1109/CVPR.2015.7298668).
//! Of equal values the first in reading order wins; NaN passes through. The winner's pixel is kept in one switch, in maps
//! above 65,536 pixels in two: the lower 16 bits of an image's winners, then their upper 16.

use super::pooling::extent;
use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Saved, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{global_max_pool_backward, global_max_pool_forward, global_max_pool_switches};

/// The maximum of each channel over the whole map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMaxPool;

impl Layer for GlobalMaxPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        Ok(Shape::vector(only(inputs)?.c))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Everything
    }

    fn saved(&self, batch: usize, inputs: &[Shape], output: Shape) -> Saved {
        let words = global_max_pool_switches(inputs[0].h * inputs[0].w);
        Saved { values: 0, switches: batch * output.c * words }
    }

    fn forward(&self, pass: Forward<'_>) {
        let (pixels, c) = extent(&pass.setting);
        global_max_pool_forward(pass.setting.cpu, pixels, c, pass.inputs[0], pass.output, pass.switches);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let (pixels, c) = extent(&pass.setting);
        if let Some(dx) = pass.dx[0].take() {
            global_max_pool_backward(pass.setting.cpu, pixels, c, pass.dy, pass.switches, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(GlobalMaxPool, Vec<Shape>)> {
    vec![(GlobalMaxPool, vec![Shape::new(3, 4, 5)]), (GlobalMaxPool, vec![Shape::vector(3)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn each_channel_has_its_own_maximum() {
        let x = [1.0, -5.0, 4.0, -2.0, 3.0, -2.0, 4.0, -9.0];
        let y = forward(&AnyLayer::from(GlobalMaxPool), &[Shape::new(2, 2, 2)], 1, &[&x]);
        assert_eq!(y, [4.0, -2.0]);
    }

    #[test]
    fn large_maps_take_two_switches_a_winner() {
        let saved = |h, w| GlobalMaxPool.saved(2, &[Shape::new(h, w, 3)], Shape::vector(3)).switches;
        assert_eq!((saved(256, 256), saved(257, 256)), (6, 12));
    }
}
