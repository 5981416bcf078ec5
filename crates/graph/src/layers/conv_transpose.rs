//! Transposed convolution, also called deconvolution (Zeiler et al. 2010; Dumoulin and Visin 2016, arXiv:1603.07285), as in
//! PyTorch: the data gradient of the convolution that takes our output to our input, so weights are
//! `[in, out / groups, kh, kw]` and padding takes cells away. A side of N cells becomes
//! (N − 1) · S − 2P + D · (F − 1) + output padding + 1; output padding adds cells at the bottom and on the right.

use super::conv::{Conv, groups_divide};
use crate::layer::{only, weights_within};
use crate::{Backward, Forward, Layer, Misfit, Needs, Padding, ParamSpec, Reach, Setting, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{
    ConvGeometry, column_sums, column_sums_scratch, conv_backward_data, conv_backward_weight, conv_forward, pass_on,
};

/// A transposed convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvTranspose {
    /// Channels that come out.
    pub out_channels: usize,
    /// Kernel, stride, padding, dilation of the convolution that this one is the transpose of.
    #[serde(flatten)]
    pub window: Window,
    /// Rows added at the bottom and columns added on the right.
    #[serde(default)]
    pub output_padding: [usize; 2],
    /// Parts that the channels are split into.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

fn one() -> usize {
    1
}

impl ConvTranspose {
    /// `out_channels` channels by `kernel`×`kernel` kernels, stride 1, no padding, with a bias.
    pub fn new(out_channels: usize, kernel: usize) -> Self {
        let window = Window::square(kernel, 1);
        ConvTranspose { out_channels, window, output_padding: [0; 2], groups: 1, bias: true }
    }

    /// Spreads the input's cells `stride` apart in both directions.
    pub fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [stride; 2];
        self
    }

    /// Takes `pad` cells away on all four sides.
    pub fn pad(mut self, pad: usize) -> Self {
        self.window.padding = Padding::all(pad);
        self
    }

    /// Adds `cells` rows at the bottom and columns on the right.
    pub fn output_padding(self, cells: usize) -> Self {
        ConvTranspose { output_padding: [cells; 2], ..self }
    }

    /// Spreads the kernel's cells `dilation` apart.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.window.dilation = [dilation; 2];
        self
    }

    /// Splits the channels into `groups`.
    pub fn groups(self, groups: usize) -> Self {
        ConvTranspose { groups, ..self }
    }

    /// Without a bias.
    pub fn no_bias(self) -> Self {
        ConvTranspose { bias: false, ..self }
    }

    /// Rows and columns that come out.
    fn output(&self, x: Shape) -> Result<[usize; 2], Misfit> {
        self.window.check()?;
        self.window.never_rounded_up()?;
        let Window { stride, padding: p, dilation, .. } = self.window;
        let (extent, extra) = (self.window.extent(), self.output_padding);
        if (0..2).any(|i| extra[i] >= stride[i].max(dilation[i])) {
            let (extra, stride, dilation) = (by(extra), by(stride), by(dilation));
            let why = format!("must be smaller than the stride ({stride}) or the dilation ({dilation})");
            return Err(Misfit::new(format!("its output padding of {extra} {why}")));
        }
        let taken = [p.top + p.bottom, p.left + p.right];
        // Sides are at most 2³² and strides at most 2¹⁶, so nothing overflows.
        let full = [(x.h - 1) * stride[0] + extent[0] + extra[0], (x.w - 1) * stride[1] + extent[1] + extra[1]];
        if (0..2).any(|i| taken[i] >= full[i]) {
            let (taken, full) = (by(taken), by(full));
            return Err(Misfit::new(format!("its padding takes {taken} cells away and leaves none of {full}")));
        }
        Ok(std::array::from_fn(|i| full[i] - taken[i]))
    }

    /// The convolution of maps y, our output, to maps x, our input.
    fn mirror(&self, batch: usize, x: Shape, y: Shape) -> ConvGeometry {
        let conv = Conv { out_channels: x.c, window: self.window, groups: self.groups, bias: false };
        conv.geometry(batch, y, x)
    }

    fn of(&self, s: &Setting<'_>) -> ConvGeometry {
        self.mirror(s.batch, s.shapes[0], s.shape)
    }
}

fn by([h, w]: [usize; 2]) -> String {
    format!("{h}×{w}")
}

impl Layer for ConvTranspose {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        groups_divide(self.groups, x.c, self.out_channels)?;
        let [h, w] = self.output(x)?;
        let [kh, kw] = self.window.kernel;
        weights_within(&[x.c, self.out_channels / self.groups, kh, kw])?;
        Ok(Shape::new(h, w, self.out_channels))
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        let Window { kernel: [kh, kw], stride: [sh, sw], .. } = self.window;
        let (i, o) = (inputs[0].c, self.out_channels);
        // Of a kernel's cells one in sh · sw meets a given output.
        let met = kh.div_ceil(sh) * kw.div_ceil(sw);
        let fans = [(i / self.groups).saturating_mul(met), (o / self.groups).saturating_mul(kh * kw)];
        let weight = ParamSpec::weight(vec![i, o / self.groups, kh, kw], fans[0], fans[1]);
        if self.bias { vec![weight, ParamSpec::vector("bias", o, 0.0)] } else { vec![weight] }
    }

    fn multiply_adds(&self, inputs: &[Shape], _output: Shape) -> u64 {
        let [kh, kw] = self.window.kernel;
        ((kh * kw * (self.out_channels / self.groups)) as u64).saturating_mul(inputs[0].len() as u64)
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Upsampled(self.window)
    }

    fn describe(&self) -> String {
        let mut s = self.window.describe();
        if self.output_padding != [0; 2] {
            s += &format!(" output pad {}", by(self.output_padding));
        }
        if self.groups > 1 {
            s += &format!(" groups {}", self.groups);
        }
        s
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn scratch(&self, batch: usize, inputs: &[Shape], output: Shape, backward: bool) -> usize {
        let g = self.mirror(batch, inputs[0], output);
        let forward = g.backward_data_scratch();
        if !backward {
            return forward;
        }
        let dx = batch * inputs[0].len() + g.forward_scratch();
        let sums = column_sums_scratch(batch * output.len(), output.c);
        forward.max(dx).max(g.backward_weight_scratch()).max(sums)
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, params, output, scratch, .. } = pass;
        match params.get(1) {
            Some(bias) => setting.cpu.chunks(output, setting.shape.w * bias.len(), |_, row| {
                row.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias));
            }),
            None => output.fill(0.0),
        }
        conv_backward_data(setting.cpu, &self.of(&setting), inputs[0], params[0], output, scratch);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, inputs, params, dy, dx, dparams, scratch, .. } = pass;
        let g = self.of(&setting);
        if let Some(dx) = dx[0].take() {
            // The forward convolution assigns.
            let (sum, scratch) = scratch.split_at_mut(dx.values.len());
            conv_forward(setting.cpu, &g, dy, params[0], None, sum, scratch);
            pass_on(setting.cpu, sum, dx);
        }
        if let Some(dw) = &mut dparams[0] {
            conv_backward_weight(setting.cpu, &g, dy, inputs[0], dw, scratch);
        }
        if let Some(Some(db)) = dparams.get_mut(1) {
            column_sums(setting.cpu, dy, setting.shape.c, db, scratch);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(ConvTranspose, Vec<Shape>)> {
    let uneven = Padding { top: 0, left: 1, bottom: 2, right: 1 };
    let mut sided = ConvTranspose::new(3, 3).stride(2);
    sided.window.padding = uneven;
    vec![
        (ConvTranspose::new(5, 3), vec![Shape::new(3, 4, 3)]),
        (ConvTranspose::new(4, 3).stride(2).pad(1).output_padding(1).no_bias(), vec![Shape::new(3, 2, 3)]),
        (ConvTranspose::new(3, 2).stride(3), vec![Shape::new(2, 2, 2)]),
        (ConvTranspose::new(2, 3).dilation(2).output_padding(1), vec![Shape::new(3, 3, 3)]),
        (ConvTranspose::new(6, 3).stride(2).groups(2), vec![Shape::new(2, 3, 4)]),
        (ConvTranspose::new(4, 4).stride(2).pad(1).groups(4), vec![Shape::new(3, 3, 4)]),
        (sided, vec![Shape::new(3, 3, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward_with;
    use striate_kernels::normal;

    fn sizes(layer: ConvTranspose, h: usize, w: usize) -> Shape {
        layer.infer(&[Shape::new(h, w, layer.groups)]).unwrap()
    }

    #[test]
    fn sizes_follow_the_formula() {
        assert_eq!(sizes(ConvTranspose::new(1, 4).stride(2).pad(1), 7, 5), Shape::new(14, 10, 1));
        assert_eq!(sizes(ConvTranspose::new(1, 3).stride(2).pad(1).output_padding(1), 7, 5), Shape::new(14, 10, 1));
        assert_eq!(sizes(ConvTranspose::new(1, 3).dilation(2), 4, 4), Shape::new(8, 8, 1));
        // FCN-8s enlarges eightfold with 16×16 kernels (Long et al. 2015).
        assert_eq!(sizes(ConvTranspose::new(21, 16).stride(8), 70, 70), Shape::new(568, 568, 21));
    }

    #[test]
    fn the_largest_stride_costs_no_more_than_its_output() {
        let (layer, x) = (ConvTranspose::new(1, 1).stride(1 << 16).no_bias(), Shape::new(2, 1, 1));
        let y = forward_with(&AnyLayer::from(layer), &[x], 1, &[&[3.0, 4.0]], &[&[2.0]]);
        assert_eq!((y.len(), y[0], y[1 << 16]), ((1 << 16) + 1, 6.0, 8.0));
        assert_eq!(y.iter().filter(|v| **v != 0.0).count(), 2);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let refused = |layer: ConvTranspose| layer.infer(&[Shape::new(2, 2, 4)]).unwrap_err().to_string();
        let e = refused(ConvTranspose::new(4, 3).stride(2).output_padding(2));
        assert_eq!(e, "its output padding of 2×2 must be smaller than the stride (2×2) or the dilation (1×1)");
        let e = refused(ConvTranspose::new(4, 3).pad(2));
        assert_eq!(e, "its padding takes 4×4 cells away and leaves none of 4×4");
        assert!(refused(ConvTranspose::new(4, 1).groups(3)).contains("3 groups do not divide 4 input and 4 output"));
        assert!(refused(ConvTranspose::new(4, 1).groups(0)).contains("0 groups"));
        assert!(refused(ConvTranspose::new(4, 0)).contains("must be between 1"));
    }

    #[test]
    fn values_are_pytorchs() {
        // torch.nn.functional.conv_transpose2d on integers; x is 1…8 in NCHW.
        let x = [1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0];
        let of = |layer: ConvTranspose, params: &[&[f32]]| {
            forward_with(&AnyLayer::from(layer), &[Shape::new(2, 2, 2)], 1, &[&x], params)
        };
        let weight: Vec<f32> = (1..=18).map(|v| v as f32 - 9.0).collect();
        let enlarging = ConvTranspose::new(1, 3).stride(2).pad(1).output_padding(1);
        let expected = [
            [21.5, 41.5, 22.5, 30.5],
            [32.5, 62.5, 34.5, 54.5],
            [23.5, 45.5, 24.5, 36.5],
            [53.5, 111.5, 60.5, 72.5],
        ];
        assert_eq!(of(enlarging, &[&weight, &[0.5]]), expected.as_flattened());
        let weight: Vec<f32> = (1..=16).map(|v| v as f32 - 8.0).collect();
        let dilated = ConvTranspose::new(2, 2).dilation(2).output_padding(1).no_bias();
        let expected = [
            [-2.0, 22.0, -8.0, 24.0, 4.0, 28.0, 0.0, 32.0, 0.0, 0.0],
            [-14.0, 26.0, -20.0, 28.0, -4.0, 36.0, -8.0, 40.0, 0.0, 0.0],
            [10.0, 34.0, 8.0, 40.0, 16.0, 40.0, 16.0, 48.0, 0.0, 0.0],
            [6.0, 46.0, 4.0, 52.0, 16.0, 56.0, 16.0, 64.0, 0.0, 0.0],
            [0.0; 10],
        ];
        assert_eq!(of(dilated, &[&weight]), expected.as_flattened());
    }

    #[test]
    fn it_is_the_adjoint_of_the_convolution_with_its_weights() {
        let random = |seed, len: usize| (0..len as u64).map(|i| normal(seed, i)).collect::<Vec<f32>>();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        for (stride, pad, dilation, groups) in [(1, 0, 1, 1), (2, 1, 1, 1), (3, 2, 2, 1), (2, 1, 1, 2), (2, 0, 1, 6)] {
            let conv = Conv::new(6, 3).stride(stride).pad(pad).dilation(dilation).groups(groups).no_bias();
            let small = Shape::new(4, 3, 6);
            let transposed = ConvTranspose { out_channels: 6, window: conv.window, output_padding: [0; 2], groups, bias: false };
            let large = transposed.infer(&[small]).unwrap();
            assert_eq!(conv.infer(&[large]), Ok(small));
            let (x, y) = (random(1, 2 * large.len()), random(2, 2 * small.len()));
            let weight = random(3, conv.params(&[large])[0].len());
            assert_eq!(conv.params(&[large])[0].shape, transposed.params(&[small])[0].shape);
            let there = forward_with(&AnyLayer::from(conv), &[large], 2, &[&x], &[&weight]);
            let back = forward_with(&AnyLayer::from(transposed), &[small], 2, &[&y], &[&weight]);
            let (a, b) = (dot(&there, &y), dot(&x, &back));
            assert!((a - b).abs() < 1e-4 * a.abs().max(10.0), "{conv:?}: {a} and {b}");
            assert_eq!(transposed.multiply_adds(&[small], large), conv.multiply_adds(&[large], small));
        }
    }
}
