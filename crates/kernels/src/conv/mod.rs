//! Convolution without an im2col copy, after the indirect convolution of Dukhan (2019, arXiv:1907.02129): a register tile
//! of output pixels × channels finds its inputs under each kernel position through one pointer per pixel, so that any
//! stride, padding, dilation and grouping goes through the same loop. Cross-correlation, as everywhere in this field.

mod axis;
mod backward_data;
mod backward_weight;
mod convolution;
mod depthwise;
mod epilogue;
mod fold;
mod forward;
mod half_linear;
mod halo;
mod linear;
mod moments;
mod pack;
mod pass;
mod product;
#[cfg(test)]
mod tests;
mod tile;
mod weight_copies;
mod weight_gradient;
mod weight_tile;
mod winograd;

pub use backward_data::conv_backward_data;
pub use backward_weight::conv_backward_weight;
pub use convolution::{Algorithm, Convolution};
pub use epilogue::{Activation, Destination, Epilogue};
pub use forward::conv_forward;
pub use half_linear::HalfLinear;
pub use moments::combine_moments;
pub use weight_gradient::WeightGradient;

/// The shapes of one convolution: x `(n, h, w, c_in)` with weights `(c_out, c_in / groups, kernel)` gives y
/// `(n, out_h, out_w, c_out)`.
///
/// The padding at the bottom and on the right is whatever the output size asks for, so it may differ from that at
/// the top and on the left. A linear layer is `kernel` [1, 1] on n images of one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels of x, a multiple of `groups`.
    pub c_in: usize,
    /// Height of y.
    pub out_h: usize,
    /// Width of y.
    pub out_w: usize,
    /// Channels of y, a multiple of `groups`.
    pub c_out: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step between windows, at least 1.
    pub stride: [usize; 2],
    /// Zeros above and to the left of x.
    pub pad: [usize; 2],
    /// Vertical and horizontal distance between kernel taps, at least 1.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other, at least 1.
    pub groups: usize,
}

impl ConvGeometry {
    /// Floats of scratch that [`conv_forward`] needs.
    pub fn forward_scratch(&self) -> usize {
        if self.is_depthwise() { depthwise::prepared_len(self) } else { forward::scratch(self) }
    }

    /// Floats of scratch that [`conv_backward_data`] needs.
    pub fn backward_data_scratch(&self) -> usize {
        if self.is_depthwise() { depthwise::prepared_len(self) } else { backward_data::scratch(self) }
    }

    /// Floats of scratch that [`conv_backward_weight`] needs.
    pub fn backward_weight_scratch(&self) -> usize {
        if self.is_depthwise() { depthwise::weight_scratch(self) } else { backward_weight::scratch(self) }
    }

    /// Multiply-adds of one pass, counting taps that fall into padding: half the usual floating point operations.
    pub fn multiply_adds(&self) -> usize {
        self.n * self.out_h * self.out_w * self.weight_len()
    }

    /// The convolution of stride 1 that a data gradient is: x and y, and their channels, have changed places, and the kernel
    /// is turned by half a turn. `None` for other strides, and where padding reaches beyond the kernel.
    pub fn turned(&self) -> Option<Self> {
        let mut pad = [0; 2];
        for axis in 0..2 {
            pad[axis] = (self.dilation[axis] * (self.kernel[axis] - 1)).checked_sub(self.pad[axis])?;
        }
        (self.stride == [1, 1]).then_some(Self {
            h: self.out_h,
            w: self.out_w,
            c_in: self.c_out,
            out_h: self.h,
            out_w: self.w,
            c_out: self.c_in,
            pad,
            ..*self
        })
    }

    /// Elements of x.
    pub(crate) fn x_len(&self) -> usize {
        self.n * self.h * self.w * self.c_in
    }

    /// Elements of y.
    pub(crate) fn y_len(&self) -> usize {
        self.n * self.out_h * self.out_w * self.c_out
    }

    /// Elements of the weights.
    pub(crate) fn weight_len(&self) -> usize {
        self.c_out * (self.c_in / self.groups) * self.taps()
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// One input and one output channel a group.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.c_in == self.groups && self.c_out == self.groups
    }

    /// One pixel, seen whole: a linear layer.
    pub(crate) fn is_linear(&self) -> bool {
        let one = [self.h, self.w, self.out_h, self.out_w, self.groups];
        self.kernel == [1, 1] && self.pad == [0, 0] && one == [1; 5]
    }

    pub(crate) fn check_shape(&self) {
        assert!(
            self.groups > 0 && self.c_in.is_multiple_of(self.groups) && self.c_out.is_multiple_of(self.groups),
            "channels must be multiples of groups: {self:?}"
        );
        assert!(
            self.stride.iter().chain(&self.dilation).chain(&self.kernel).all(|&v| v > 0),
            "kernel, stride and dilation must be at least 1: {self:?}"
        );
    }

    pub(crate) fn check(&self, x: usize, weight: usize, y: usize, scratch: usize, needed: usize) {
        self.check_shape();
        assert_eq!(x, self.x_len(), "elements of x (n, h, w, c_in) for {self:?}");
        assert_eq!(weight, self.weight_len(), "weights (c_out, c_in / groups, kernel) for {self:?}");
        assert_eq!(y, self.y_len(), "elements of y (n, out_h, out_w, c_out) for {self:?}");
        assert!(scratch >= needed, "scratch of {scratch} floats, {needed} needed for {self:?}");
    }
}
