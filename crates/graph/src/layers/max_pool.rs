//! Max pooling. Of equal values the first in reading order wins, padding never does. The winner's place in its window is
//! kept as a small integer: the switches that a deconvnet needs (Zeiler and Fergus 2013, arXiv:1311.2901).

use super::pooling::{geometry, pooled};
use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Padding, Reach, Saved, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{max_pool_backward, max_pool_forward};

/// The maximum of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Kernel, stride, padding, rounding; no dilation.
    #[serde(flatten)]
    pub window: Window,
}

impl MaxPool {
    /// Disjoint `kernel`×`kernel` windows.
    pub fn new(kernel: usize) -> Self {
        MaxPool { window: Window::square(kernel, kernel) }
    }

    /// Moves by `stride`; smaller than the kernel, the windows overlap.
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
}

impl Layer for MaxPool {
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

    fn saved(&self, batch: usize, _inputs: &[Shape], output: Shape) -> Saved {
        Saved { values: 0, switches: batch * output.len() }
    }

    fn forward(&self, pass: Forward<'_>) {
        let g = geometry(&self.window, &pass.setting);
        let switches = Some(pass.switches).filter(|s| !s.is_empty());
        max_pool_forward(pass.setting.cpu, &g, pass.inputs[0], pass.output, switches);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let g = geometry(&self.window, &pass.setting);
        if let Some(dx) = pass.dx[0].take() {
            max_pool_backward(pass.setting.cpu, &g, pass.dy, pass.switches, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(MaxPool, Vec<Shape>)> {
    vec![
        (MaxPool::new(2), vec![Shape::new(4, 6, 3)]),
        (MaxPool::new(3).stride(2).pad(1), vec![Shape::new(5, 6, 2)]),
        (MaxPool::new(3).stride(1), vec![Shape::new(4, 4, 2)]),
        (MaxPool::new(3).stride(2).ceil(), vec![Shape::new(6, 5, 2)]),
        (MaxPool::new(3).stride(2).padding(Padding::from([0, 1, 1, 0])).ceil(), vec![Shape::new(4, 5, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn windows_overlap_and_padding_never_wins() {
        let x: Vec<f32> = (0..16).map(|i| -1.0 - i as f32).collect();
        let y = forward(&AnyLayer::from(MaxPool::new(3).stride(2).pad(1)), &[Shape::new(4, 4, 1)], 1, &[&x]);
        assert_eq!(y, [-1.0, -2.0, -5.0, -6.0]);
    }

    #[test]
    fn rounding_up_keeps_the_last_rows_and_columns() {
        let x: Vec<f32> = (0..28).map(|i| i as f32).collect();
        let pool = MaxPool::new(2).stride(3);
        let at = |pool: MaxPool| forward(&AnyLayer::from(pool), &[Shape::new(4, 7, 1)], 1, &[&x]);
        assert_eq!(at(pool), [8.0, 11.0]);
        assert_eq!(at(pool.ceil()), [8.0, 11.0, 13.0, 22.0, 25.0, 27.0]);
    }

    #[test]
    fn windows_of_padding_alone_are_refused() {
        assert!(MaxPool::new(2).pad(2).infer(&[Shape::new(4, 4, 1)]).is_err());
    }
}
