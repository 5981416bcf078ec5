//! Average pooling. With `include_padding` (PyTorch's default) padded cells count as zeros; without, only real cells are
//! averaged. What a window rounded up (`ceil`) has beyond the declared padding never counts, as in PyTorch.

use super::pooling::{geometry, pooled};
use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Padding, Reach, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{avg_pool_backward, avg_pool_forward};

/// The mean of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvgPool {
    /// Kernel, stride, padding, rounding; no dilation.
    #[serde(flatten)]
    pub window: Window,
    /// Whether padded cells count.
    pub include_padding: bool,
}

impl AvgPool {
    /// Disjoint `kernel`×`kernel` windows.
    pub fn new(kernel: usize) -> Self {
        AvgPool { window: Window::square(kernel, kernel), include_padding: true }
    }

    /// Moves by `stride`.
    pub fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [stride; 2];
        self
    }

    /// Pads all four sides by `pad`.
    pub fn pad(mut self, pad: usize) -> Self {
        self.window.padding = Padding::all(pad);
        self
    }

    /// Pads each side by its own amount.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.window.padding = padding;
        self
    }

    /// Rounds the output's size up, as Caffe does.
    pub fn ceil(mut self) -> Self {
        self.window.ceil = true;
        self
    }

    /// Averages real cells only.
    pub fn exclude_padding(self) -> Self {
        AvgPool { include_padding: false, ..self }
    }
}

impl Layer for AvgPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        let [h, w] = pooled(&self.window, x)?;
        Ok(Shape::new(h, w, x.c))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Window(self.window)
    }

    fn describe(&self) -> String {
        self.window.describe()
    }

    fn forward(&self, pass: Forward<'_>) {
        let g = geometry(&self.window, &pass.setting);
        avg_pool_forward(pass.setting.cpu, &g, pass.inputs[0], pass.output, self.include_padding);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let g = geometry(&self.window, &pass.setting);
        if let Some(dx) = pass.dx[0].take() {
            avg_pool_backward(pass.setting.cpu, &g, pass.dy, dx, self.include_padding);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(AvgPool, Vec<Shape>)> {
    vec![
        (AvgPool::new(2), vec![Shape::new(4, 6, 3)]),
        (AvgPool::new(3).stride(2).pad(1), vec![Shape::new(5, 6, 2)]),
        (AvgPool::new(3).stride(1).pad(1).exclude_padding(), vec![Shape::new(4, 4, 2)]),
        (AvgPool::new(3).stride(2).pad(1).ceil(), vec![Shape::new(6, 5, 2)]),
        (AvgPool::new(4).stride(3).padding(Padding::from([2, 0, 1, 3])).ceil(), vec![Shape::new(5, 4, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;
    use crate::layers::pooling::{assert_near, sawtooth};

    #[test]
    fn padding_counts_or_not() {
        let x = [4.0; 4];
        let at = |pool: AvgPool| forward(&AnyLayer::from(pool.pad(1)), &[Shape::new(2, 2, 1)], 1, &[&x]);
        assert_eq!(at(AvgPool::new(2)), [1.0; 4]);
        assert_eq!(at(AvgPool::new(2).exclude_padding()), [4.0; 4]);
    }

    #[test]
    fn windows_rounded_up_divide_as_in_pytorch() {
        let x = sawtooth(30);
        let at = |pool: AvgPool| forward(&AnyLayer::from(pool.ceil()), &[Shape::new(5, 6, 1)], 1, &[&x]);
        // avg_pool2d(x, kernel, stride, padding, ceil_mode=True, count_include_pad).
        let pool = AvgPool::new(3).stride(2).pad(1);
        let including = [
            1.19444, 2.19444, 1.91667, -0.33333, 2.375, 3.86111, 3.44444, 2.22917, 1.97222, 3.36111,
            3.08333, 2.08333,
        ];
        assert_near(&at(pool), &including);
        let excluding =
            [2.6875, 3.29167, 2.875, -1.0, 3.5625, 3.86111, 3.44444, 4.45833, 4.4375, 5.04167, 4.625, 6.25];
        assert_near(&at(pool.exclude_padding()), &excluding);
        assert_near(&at(AvgPool::new(2).stride(3)), &[2.6875, 4.8125, 4.4375, 3.8125]);
        let wide = [0.67188, 1.59375, 0.23438, 2.15625, 4.125, 1.96875, 1.09375, 2.35417, 1.26042];
        assert_near(&at(AvgPool::new(4).stride(3).pad(2)), &wide);
    }
}
