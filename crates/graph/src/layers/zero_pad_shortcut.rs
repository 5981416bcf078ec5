//! ResNet's parameter-free shortcut, option A (He et al. 2015, arXiv:1512.03385, section 4.2): every `stride`-th pixel,
//! and zeros for the channels that are missing. The zeros are split evenly before and behind, as in the reference
//! implementation for CIFAR whose weights are in use.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Reach, Shape};
use serde::{Deserialize, Serialize};

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

    fn before(self, c_in: usize) -> usize {
        (self.out_channels - c_in) / 2
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
        let Forward { setting, inputs, output, .. } = pass;
        let (x, s, y) = (inputs[0], setting.shapes[0], setting.shape);
        let at = self.before(s.c);
        setting.cpu.chunks(output, y.w * y.c, |row, out| {
            let (image, oy) = (row / y.h, row % y.h);
            let x = &x[(image * s.h + oy * self.stride) * s.w * s.c..][..s.w * s.c];
            out.fill(0.0);
            for (out, x) in out.chunks_exact_mut(y.c).zip(x.chunks_exact(s.c).step_by(self.stride)) {
                out[at..at + s.c].copy_from_slice(x);
            }
        });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, dy, dx, .. } = pass;
        let (s, y) = (setting.shapes[0], setting.shape);
        let at = self.before(s.c);
        let Some(dx) = dx[0].take() else { return };
        dx.add_in_chunks(setting.cpu, s.w * s.c, |row, dx| {
            let (image, iy) = (row / s.h, row % s.h);
            if !iy.is_multiple_of(self.stride) {
                return;
            }
            let dy = &dy[(image * y.h + iy / self.stride) * y.w * y.c..][..y.w * y.c];
            for (dx, dy) in dx.chunks_exact_mut(s.c).step_by(self.stride).zip(dy.chunks_exact(y.c)) {
                for (dx, dy) in dx.iter_mut().zip(&dy[at..]) {
                    *dx += dy;
                }
            }
        });
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
