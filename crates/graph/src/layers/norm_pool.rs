//! Pooling by the p-norm of each window, (Σ |x|ᵖ)^(1/p); p = 2 is the square root of the sum of squares (Sermanet, Chintala
//! and LeCun 2012, arXiv:1204.3968). Padding counts as zero. Unlike in PyTorch's `lp_pool2d`, negative values count by
//! their magnitude, and a window that reaches beyond the map (`ceil`) is not scaled up for the cells it lacks.

use super::pooling::{geometry, pooled};
use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Padding, Reach, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{norm_pool_backward, norm_pool_forward};

/// The p-norm of each window. Where it is 0, so is its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormPool {
    /// Kernel, stride, padding, rounding; no dilation.
    #[serde(flatten)]
    pub window: Window,
    /// The norm's exponent, finite and at least 1.
    pub p: f32,
}

impl NormPool {
    /// The p-norm of disjoint `kernel`×`kernel` windows.
    pub fn new(kernel: usize, p: f32) -> Self {
        NormPool { window: Window::square(kernel, kernel), p }
    }

    /// The square root of the sum of squares.
    pub fn l2(kernel: usize) -> Self {
        NormPool::new(kernel, 2.0)
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
}

impl Layer for NormPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        if !(self.p.is_finite() && self.p >= 1.0) {
            return Err(Misfit::new(format!("its norm's p must be finite and at least 1, not {}", self.p)));
        }
        let [h, w] = pooled(&self.window, x)?;
        Ok(Shape::new(h, w, x.c))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Window(self.window)
    }

    fn describe(&self) -> String {
        format!("L{} {}", self.p, self.window.describe())
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: true }
    }

    fn forward(&self, pass: Forward<'_>) {
        let g = geometry(&self.window, &pass.setting);
        norm_pool_forward(pass.setting.cpu, &g, self.p, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let g = geometry(&self.window, &pass.setting);
        if let Some(dx) = pass.dx[0].take() {
            norm_pool_backward(pass.setting.cpu, &g, self.p, pass.inputs[0], pass.output, pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(NormPool, Vec<Shape>)> {
    vec![
        (NormPool::l2(2), vec![Shape::new(4, 6, 3)]),
        (NormPool::l2(3).stride(2).pad(1), vec![Shape::new(5, 6, 2)]),
        (NormPool::new(3, 3.0).stride(2).ceil(), vec![Shape::new(4, 5, 2)]),
        (NormPool::new(2, 1.0).padding(Padding::from([0, 1, 1, 0])), vec![Shape::new(3, 5, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;
    use crate::layers::pooling::{assert_near, sawtooth};

    #[test]
    fn norms_are_those_of_pytorch() {
        // lp_pool2d(|x|, p, kernel, stride); ours takes the magnitudes itself.
        let x = sawtooth(30);
        let at = |pool: NormPool| forward(&AnyLayer::from(pool), &[Shape::new(5, 6, 1)], 1, &[&x]);
        let two = [8.93553, 9.64203, 4.48261, 7.14799, 13.02762, 10.69316];
        assert_near(&at(NormPool::l2(2)), &two);
        assert_near(&at(NormPool::new(3, 3.0).stride(2)), &[10.82962, 11.37798, 13.83548, 13.33492]);
        let one = [
            16.75, 8.25, 14.75, 19.25, 7.75, 16.75, 14.25, 20.75, 14.25, 13.0, 11.75, 18.25, 24.75, 9.75, 16.25, 17.75,
            24.25, 19.75, 15.75, 22.25,
        ];
        assert_near(&at(NormPool::new(2, 1.0).stride(1)), &one);
    }

    #[test]
    fn cells_beyond_the_map_count_as_zero() {
        let x = [3.0, 4.0, 12.0, 5.0];
        let at = |pool: NormPool| forward(&AnyLayer::from(pool), &[Shape::new(2, 2, 1)], 1, &[&x]);
        assert_eq!(at(NormPool::l2(2).pad(1)), x);
        assert_eq!(at(NormPool::l2(3).ceil()), [194f32.sqrt()]);
        assert_eq!(at(NormPool::l2(2).stride(1).padding(Padding::from([0, 1, 0, 0]))), [153f32.sqrt(), 194f32.sqrt()]);
    }

    #[test]
    fn exponents_that_give_no_norm_are_refused() {
        for p in [0.5, 0.0, -2.0, f32::NAN, f32::INFINITY] {
            let e = NormPool::new(2, p).infer(&[Shape::new(4, 4, 1)]).unwrap_err().to_string();
            assert_eq!(e, format!("its norm's p must be finite and at least 1, not {p}"));
        }
        assert_eq!(NormPool::l2(3).stride(2).pad(1).ceil().describe(), "L2 3×3/2 pad 1 ceil");
    }
}
