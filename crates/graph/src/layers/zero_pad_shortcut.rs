//! ResNet's parameter-free shortcut, option A (He et al. 2015, arXiv:1512.03385, section 4.2): every `stride`-th pixel,
//! and zeros for the channels that are missing. The zeros are split evenly before and behind, as in the reference
//! implementation for CIFAR whose weights are in use.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Setting, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{ZeroPad, zero_pad_backward, zero_pad_forward};

/// Subsampling in space, zeros in the new channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZeroPadShortcut {
    /// Channels that come out, at least as many as come in.
    pub out_channels: usize,
    /// Pixels from one kept pixel to the next.
    pub stride: usize,
}

impl ZeroPadShortcut {
    /// Widens to `out_channels` and keeps every `stride`-th pixel.
    pub fn new(out_channels: usize, stride: usize) -> Self {
        ZeroPadShortcut { out_channels, stride }
    }

    /// The kernels' view of it.
    fn of(self, s: &Setting<'_>) -> ZeroPad {
        let (Shape { h, w, c }, out_c) = (s.shapes[0], self.out_channels);
        ZeroPad { n: s.batch, h, w, c, out_c, first: (out_c - c) / 2, stride: self.stride }
    }
}

impl Layer for ZeroPadShortcut {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        if self.stride == 0 || self.out_channels < x.c {
            let (o, s) = (self.out_channels, self.stride);
            return Err(Misfit::new(format!("it cannot make {o} channels of {} at stride {s}", x.c)));
        }
        Ok(Shape::new(x.h.div_ceil(self.stride), x.w.div_ceil(self.stride), self.out_channels))
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Subsampled([self.stride; 2])
    }

    fn describe(&self) -> String {
        format!("/{}", self.stride)
    }

    fn forward(&self, pass: Forward<'_>) {
        zero_pad_forward(pass.setting.cpu, &self.of(&pass.setting), pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            zero_pad_backward(pass.setting.cpu, &self.of(&pass.setting), pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(ZeroPadShortcut, Vec<Shape>)> {
    vec![
        (ZeroPadShortcut::new(8, 2), vec![Shape::new(6, 4, 4)]),
        (ZeroPadShortcut::new(5, 2), vec![Shape::new(5, 5, 2)]),
        (ZeroPadShortcut::new(3, 1), vec![Shape::new(2, 3, 3)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_cannot_shrink() {
        assert!(ZeroPadShortcut::new(3, 1).infer(&[Shape::new(2, 2, 4)]).is_err());
        assert!(ZeroPadShortcut::new(4, 0).infer(&[Shape::new(2, 2, 4)]).is_err());
    }
}
