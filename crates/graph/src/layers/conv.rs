//! Two-dimensional convolution (strictly, cross-correlation) with stride, zero padding, dilation and groups, as in PyTorch:
//! weights are `[out, in / groups, kh, kw]`, and group g takes the g-th part of the input channels to the g-th part of the
//! output channels. `groups` = channels is a depthwise convolution.

use crate::layer::{only, weights_within};
use crate::{Backward, Forward, Layer, Misfit, Needs, Padding, ParamSpec, Reach, Setting, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{
    ConvGeometry, column_sums, column_sums_scratch, conv_backward_data, conv_backward_weight, conv_forward,
};

/// A convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv {
    /// Filters, and so channels that come out.
    pub out_channels: usize,
    /// Kernel, stride, padding, dilation.
    #[serde(flatten)]
    pub window: Window,
    /// Parts that the channels are split into.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

fn one() -> usize {
    1
}

impl Conv {
    /// `out_channels` filters of `kernel`×`kernel`, stride 1, no padding, with a bias.
    pub fn new(out_channels: usize, kernel: usize) -> Self {
        Conv { out_channels, window: Window::square(kernel, 1), groups: 1, bias: true }
    }

    /// Moves by `stride` in both directions.
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

    /// Spreads the kernel's cells `dilation` apart.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.window.dilation = [dilation; 2];
        self
    }

    /// Splits the channels into `groups`.
    pub fn groups(self, groups: usize) -> Self {
        Conv { groups, ..self }
    }

    /// Without a bias, as before batch normalisation.
    pub fn no_bias(self) -> Self {
        Conv { bias: false, ..self }
    }

    /// The kernels' view of the convolution of `batch` maps x to maps y.
    pub fn geometry(&self, batch: usize, x: Shape, y: Shape) -> ConvGeometry {
        let Window { kernel, stride, padding, dilation, .. } = self.window;
        ConvGeometry {
            n: batch,
            h: x.h,
            w: x.w,
            c_in: x.c,
            out_h: y.h,
            out_w: y.w,
            c_out: y.c,
            kernel,
            stride,
            pad: [padding.top, padding.left],
            dilation,
            groups: self.groups,
        }
    }

    fn of(&self, s: &Setting<'_>) -> ConvGeometry {
        self.geometry(s.batch, s.shapes[0], s.shape)
    }
}

impl Layer for Conv {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        groups_divide(self.groups, x.c, self.out_channels)?;
        self.window.never_rounded_up()?;
        let [h, w] = self.window.output(x)?;
        let [kh, kw] = self.window.kernel;
        weights_within(&[self.out_channels, x.c / self.groups, kh, kw])?;
        Ok(Shape::new(h, w, self.out_channels))
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        let [kh, kw] = self.window.kernel;
        let (i, o) = (inputs[0].c / self.groups, self.out_channels);
        let fan = |channels: usize| channels.saturating_mul(kh * kw);
        let weight = ParamSpec::weight(vec![o, i, kh, kw], fan(i), fan(o / self.groups));
        if self.bias { vec![weight, ParamSpec::vector("bias", o, 0.0)] } else { vec![weight] }
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let [kh, kw] = self.window.kernel;
        ((kh * kw * (inputs[0].c / self.groups)) as u64).saturating_mul(output.len() as u64)
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Window(self.window)
    }

    fn describe(&self) -> String {
        let mut s = self.window.describe();
        if self.groups > 1 {
            s += &format!(" groups {}", self.groups);
        }
        s
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn scratch(&self, batch: usize, inputs: &[Shape], output: Shape, backward: bool) -> usize {
        scratch(&self.geometry(batch, inputs[0], output), backward)
    }

    fn forward(&self, pass: Forward<'_>) {
        forward(&self.of(&pass.setting), pass);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        backward(&self.of(&pass.setting), pass);
    }
}

/// Refuses groups into which the channels cannot be split.
pub(super) fn groups_divide(groups: usize, input: usize, output: usize) -> Result<(), Misfit> {
    if groups == 0 || !input.is_multiple_of(groups) || !output.is_multiple_of(groups) {
        return Err(Misfit::new(format!("{groups} groups do not divide {input} input and {output} output channels")));
    }
    Ok(())
}

/// Work space of a convolution's passes; a linear layer's are the same.
pub(super) fn scratch(g: &ConvGeometry, backward: bool) -> usize {
    let forward = g.forward_scratch();
    if !backward {
        return forward;
    }
    let sums = column_sums_scratch(g.n * g.out_h * g.out_w * g.c_out, g.c_out);
    forward.max(g.backward_data_scratch()).max(g.backward_weight_scratch()).max(sums)
}

/// Runs a convolution with the parameters weight and, if there is one, bias.
pub(super) fn forward(g: &ConvGeometry, pass: Forward<'_>) {
    let Forward { setting, inputs, params, output, scratch, .. } = pass;
    conv_forward(setting.cpu, g, inputs[0], params[0], params.get(1).copied(), output, scratch);
}

/// Adds a convolution's gradients by its input, weight and bias.
pub(super) fn backward(g: &ConvGeometry, pass: Backward<'_, '_>) {
    let Backward { setting, inputs, params, dy, dx, dparams, scratch, .. } = pass;
    if let Some(dx) = dx[0].take() {
        conv_backward_data(setting.cpu, g, dy, params[0], dx.accumulate(setting.cpu), scratch);
    }
    if let Some(dw) = &mut dparams[0] {
        conv_backward_weight(setting.cpu, g, inputs[0], dy, dw, scratch);
    }
    if let Some(Some(db)) = dparams.get_mut(1) {
        column_sums(setting.cpu, dy, g.c_out, db, scratch);
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Conv, Vec<Shape>)> {
    let uneven = Padding { top: 0, left: 1, bottom: 2, right: 1 };
    vec![
        (Conv::new(5, 3), vec![Shape::new(5, 4, 3)]),
        (Conv::new(4, 3).pad(1).stride(2).no_bias(), vec![Shape::new(6, 5, 2)]),
        (Conv::new(3, 1), vec![Shape::new(3, 3, 4)]),
        (Conv::new(2, 3).dilation(2).pad(2), vec![Shape::new(5, 6, 3)]),
        (Conv::new(6, 3).pad(1).groups(2), vec![Shape::new(4, 4, 4)]),
        (Conv::new(4, 3).pad(1).groups(4).no_bias(), vec![Shape::new(4, 5, 4)]),
        (Conv::new(3, 3).stride(2).padding(uneven), vec![Shape::new(5, 5, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_must_divide_the_channels() {
        for conv in [Conv::new(4, 1).groups(3), Conv::new(3, 1).groups(2), Conv::new(4, 1).groups(0)] {
            assert!(conv.infer(&[Shape::new(2, 2, 4)]).is_err(), "{conv:?}");
        }
    }

    #[test]
    fn rounding_up_is_for_pooling() {
        let window = Window { ceil: true, ..Window::square(3, 2) };
        let e = Conv { window, ..Conv::new(1, 3) }.infer(&[Shape::new(6, 6, 1)]).unwrap_err().to_string();
        assert!(e.contains("never rounded up (ceil)"), "{e}");
    }

    #[test]
    fn weights_too_many_to_count_are_refused() {
        let padding = Padding { top: 65_535, left: 65_535, ..Padding::default() };
        let e = Conv::new(1, 65_536).padding(padding).infer(&[Shape::vector(1 << 32)]).unwrap_err().to_string();
        assert!(e.contains("its weights would be [1, 4294967296, 65536, 65536]"), "{e}");
    }

    #[test]
    fn costs_are_the_textbook_ones() {
        // MobileNet: standard K²·M·N·F² against depthwise K²·M·F².
        let x = Shape::new(14, 14, 512);
        let standard = Conv::new(512, 3).pad(1);
        assert_eq!(standard.multiply_adds(&[x], x), 9 * 512 * 512 * 196);
        assert_eq!(standard.groups(512).multiply_adds(&[x], x), 9 * 512 * 196);
    }
}
