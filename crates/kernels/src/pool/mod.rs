//! Pooling over NHWC windows. The first maximum of a window wins, NaN beats numbers, padding never wins: as in `PyTorch`.
//! Gradients are gathered: each pixel of dx collects from the windows that cover it, so overlapping windows need no
//! locks and always add in the same order.

mod avg;
mod global;
mod max;
mod norm;
mod quads;
mod regions;
#[cfg(test)]
mod tests;
mod window;

pub use avg::{avg_pool_backward, avg_pool_forward};
pub use global::{
    global_avg_pool_backward, global_avg_pool_forward, global_max_pool_backward, global_max_pool_forward,
    global_max_pool_switches,
};
pub use max::{max_pool_backward, max_pool_forward, max_pool_gather};
pub use norm::{norm_pool_backward, norm_pool_forward};
pub use regions::{
    PoolRegions, region_avg_pool_backward, region_avg_pool_forward, region_max_pool_backward, region_max_pool_forward,
};

use std::ops::Range;

/// Channels whose sums are kept in f64 side by side.
const BLOCK: usize = 16;

/// The shapes of a pooling layer: x `(n, h, w, c)` gives y `(n, out_h, out_w, c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolGeometry {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Height of y.
    pub out_h: usize,
    /// Width of y.
    pub out_w: usize,
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step between windows, at least 1.
    pub stride: [usize; 2],
    /// Padding above and to the left of x.
    pub pad: [usize; 2],
    /// Declared padding below and to the right of x. Windows may reach further (`PyTorch`'s `ceil_mode`), but an
    /// average never counts what lies beyond.
    pub pad_end: [usize; 2],
}

impl PoolGeometry {
    fn check(&self, x: usize, y: usize) {
        assert!(
            self.kernel.iter().chain(&self.stride).all(|&v| v > 0),
            "kernel and stride must be at least 1: {self:?}"
        );
        assert_eq!(x, self.n * self.h * self.w * self.c, "elements of x (n, h, w, c) for {self:?}");
        assert_eq!(y, self.n * self.out_h * self.out_w * self.c, "elements of y (n, out_h, out_w, c) for {self:?}");
    }

    fn axis(&self, i: usize) -> Axis {
        Axis {
            len: [self.h, self.w][i],
            out_len: [self.out_h, self.out_w][i],
            kernel: self.kernel[i],
            stride: self.stride[i],
            pad: self.pad[i],
            pad_end: self.pad_end[i],
        }
    }
}

/// Rows or columns of a pooling layer.
#[derive(Clone, Copy)]
struct Axis {
    len: usize,
    out_len: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    pad_end: usize,
}

impl Axis {
    /// The window cells of output `o` that lie inside x.
    fn cells(&self, o: usize) -> Range<usize> {
        let start = self.pad.saturating_sub(o * self.stride);
        start..(self.len + self.pad).saturating_sub(o * self.stride).min(self.kernel).max(start)
    }

    /// The coordinates of x under those cells.
    fn inside(&self, o: usize) -> Range<usize> {
        let cells = self.cells(o);
        if cells.is_empty() { 0..0 } else { self.coordinate(o, cells.start)..self.coordinate(o, cells.end) }
    }

    /// The coordinates of pixels of c channels that the window after the next will read first, given those of one. The
    /// machine sees for itself what comes next where a window shifts by one pixel or pixels are small.
    fn ahead(&self, inside: &Range<usize>, c: usize) -> Range<usize> {
        let end = if self.stride > 1 && c >= 128 { inside.end + 2 * self.stride } else { 0 };
        inside.end + self.stride..end.min(self.len)
    }

    /// The coordinate of x under cell `k` of output `o`, for k in `cells(o)`.
    fn coordinate(&self, o: usize, k: usize) -> usize {
        o * self.stride + k - self.pad
    }

    /// The outputs whose windows cover coordinate `i` of x; it is their cell `i + pad - o * stride`.
    fn covering(&self, i: usize) -> Range<usize> {
        let at = i + self.pad;
        let start = (at + 1).saturating_sub(self.kernel).div_ceil(self.stride);
        start..(at / self.stride + 1).min(self.out_len).max(start)
    }

    /// What an average over the window of output `o` divides by along this axis.
    fn divisor(&self, o: usize, include_pad: bool) -> usize {
        if include_pad {
            (self.len + self.pad + self.pad_end).saturating_sub(o * self.stride).min(self.kernel)
        } else {
            self.cells(o).len()
        }
    }
}
