//! Global average pooling: one mean per channel (Lin et al. 2013, arXiv:1312.4400).

use super::pooling::extent;
use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{global_avg_pool_backward, global_avg_pool_forward};

/// The mean of each channel over the whole map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalAvgPool;

impl Layer for GlobalAvgPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        Ok(Shape::vector(only(inputs)?.c))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Everything
    }

    fn forward(&self, pass: Forward<'_>) {
        let (pixels, c) = extent(&pass.setting);
        global_avg_pool_forward(pass.setting.cpu, pixels, c, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let (pixels, c) = extent(&pass.setting);
        if let Some(dx) = pass.dx[0].take() {
            global_avg_pool_backward(pass.setting.cpu, pixels, c, pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(GlobalAvgPool, Vec<Shape>)> {
    vec![(GlobalAvgPool, vec![Shape::new(3, 4, 5)]), (GlobalAvgPool, vec![Shape::vector(3)])]
}
