//! ResNet's parameter-free shortcut (He et al. 2015, arXiv:1512.03385, option A): every `stride`-th pixel, with zeros around
//! its channels.

use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Elements of a piece, about.
const PIECE: usize = 16384;

/// The shapes of a shortcut: x `(n, h, w, c)` gives y `(n, ⌈h / stride⌉, ⌈w / stride⌉, out_c)`, whose channels from
/// `first` on are those of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroPad {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels of x.
    pub c: usize,
    /// Channels of y.
    pub out_c: usize,
    /// The channel of y that is x's first.
    pub first: usize,
    /// Pixels from one kept pixel to the next, at least 1.
    pub stride: usize,
}

impl ZeroPad {
    fn out_h(&self) -> usize {
        self.h.div_ceil(self.stride)
    }

    fn out_w(&self) -> usize {
        self.w.div_ceil(self.stride)
    }

    fn check(&self, x: usize, y: usize) {
        assert!(self.stride > 0 && self.c > 0 && self.first + self.c <= self.out_c, "no shortcut: {self:?}");
        assert_eq!(x, self.n * self.h * self.w * self.c, "elements of x (n, h, w, c) for {self:?}");
        assert_eq!(y, self.n * self.out_h() * self.out_w() * self.out_c, "elements of y for {self:?}");
    }
}

/// Assigns y: the kept pixels' channels, and zeros.
///
/// # Panics
/// If a length contradicts the shapes, or y has no room for x's channels.
pub fn zero_pad_forward(cpu: &Cpu, g: &ZeroPad, x: &[f32], y: &mut [f32]) {
    g.check(x.len(), y.len());
    let line = g.out_w() * g.out_c;
    let rows = (PIECE / line.max(1)).max(1);
    cpu.chunks(y, (rows * line).max(1), |i, y| cpu.isa().dispatch(Widen { g, row: i * rows, x, y }));
}

/// Assigns to dx, or adds to it, the gradient of [`zero_pad_forward`]: nothing where pixels were left out.
///
/// # Panics
/// As [`zero_pad_forward`].
pub fn zero_pad_backward(cpu: &Cpu, g: &ZeroPad, dy: &[f32], dx: GradientSlot<'_>) {
    let GradientSlot { values: dx, adds } = dx;
    g.check(dx.len(), dy.len());
    let line = g.w * g.c;
    let rows = (PIECE / line.max(1)).max(1);
    cpu.chunks(dx, (rows * line).max(1), |i, dx| cpu.isa().dispatch(Narrow { g, row: i * rows, dy, dx, adds }));
}

/// Rows of y.
struct Widen<'a> {
    g: &'a ZeroPad,
    /// The first, over all images.
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ZeroPad { h, w, c, out_c, first, stride, .. } = *self.g;
        let out_h = self.g.out_h();
        for (row, y) in (self.row..).zip(self.y.chunks_exact_mut(self.g.out_w() * out_c)) {
            let x = &self.x[(row / out_h * h + row % out_h * stride) * w * c..][..w * c];
            y.fill(0.0);
            for (x, y) in x.chunks(stride * c).zip(y.chunks_exact_mut(out_c)) {
                for (x, y) in x[..c].chunks(S::LANES).zip(y[first..][..c].chunks_mut(S::LANES)) {
                    s.write(s.read(x), y);
                }
            }
        }
    }
}

/// Rows of dx.
struct Narrow<'a> {
    g: &'a ZeroPad,
    /// The first, over all images.
    row: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
    adds: bool,
}

impl Kernel for Narrow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ZeroPad { h, w, c, out_c, first, stride, .. } = *self.g;
        let line = self.g.out_w() * out_c;
        for (row, dx) in (self.row..).zip(self.dx.chunks_exact_mut(w * c)) {
            if !self.adds {
                dx.fill(0.0);
            }
            if !(row % h).is_multiple_of(stride) {
                continue;
            }
            let dy = &self.dy[(row / h * self.g.out_h() + row % h / stride) * line..][..line];
            for (dx, dy) in dx.chunks_mut(stride * c).zip(dy.chunks_exact(out_c)) {
                for (dx, dy) in dx[..c].chunks_mut(S::LANES).zip(dy[first..][..c].chunks(S::LANES)) {
                    let dy = s.read(dy);
                    s.write(if self.adds { s.add(s.read(dx), dy) } else { dy }, dx);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{assert_same_bits, random};

    #[test]
    fn kept_pixels_move_and_all_else_is_zero_on_every_instruction_set() {
        let cases = [(2, 6, 4, 16, 32, 8, 2), (1, 5, 5, 3, 8, 2, 2), (3, 1, 1, 1, 1, 0, 1), (2, 7, 8, 33, 40, 0, 3)];
        for (n, h, w, c, out_c, first, stride) in cases.into_iter().chain([(5, 32, 32, 16, 32, 8, 2)]) {
            let g = ZeroPad { n, h, w, c, out_c, first, stride };
            let (out_h, out_w) = (h.div_ceil(stride), w.div_ceil(stride));
            let (x, dy) = (random(1, n * h * w * c), random(2, n * out_h * out_w * out_c));
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            for (i, x) in x.iter().enumerate() {
                let (channel, column, row) = (i % c, i / c % w, i / c / w);
                if column % stride == 0 && row % h % stride == 0 {
                    let at = (row / h * out_h + row % h / stride) * out_w + column / stride;
                    y[at * out_c + first + channel] = *x;
                    dx[i] = dy[at * out_c + first + channel];
                }
            }
            for isa in Isa::available() {
                let cpu = Cpu::with_isa(2, isa).unwrap();
                let (mut found, mut assigned, mut added) =
                    (vec![f32::NAN; y.len()], vec![f32::NAN; x.len()], x.clone());
                zero_pad_forward(&cpu, &g, &x, &mut found);
                assert_same_bits("y", &found, &y);
                zero_pad_backward(&cpu, &g, &dy, GradientSlot::assign(&mut assigned));
                assert_same_bits("dx", &assigned, &dx);
                zero_pad_backward(&cpu, &g, &dy, GradientSlot::add(&mut added));
                assert_same_bits("dx added", &added, &x.iter().zip(&dx).map(|(x, dx)| x + dx).collect::<Vec<_>>());
            }
        }
    }
}
