//! A fully connected layer, y = W x + b. Weights are `[out, in]`, as in PyTorch. It is a 1×1 convolution over one pixel.

use super::conv;
use crate::layer::{only, weights_within};
use crate::{Backward, Forward, Layer, Misfit, Needs, ParamSpec, Reach, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::ConvGeometry;

/// A fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linear {
    /// Features that come out.
    pub out_features: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Linear {
    /// A layer with `out_features` outputs and a bias.
    pub fn new(out_features: usize) -> Self {
        Linear { out_features, bias: true }
    }

    /// The same without a bias.
    pub fn no_bias(self) -> Self {
        Linear { bias: false, ..self }
    }

    /// The kernels' view of the layer on `batch` vectors of `c_in` features.
    pub fn geometry(self, batch: usize, c_in: usize) -> ConvGeometry {
        ConvGeometry {
            n: batch,
            h: 1,
            w: 1,
            c_in,
            out_h: 1,
            out_w: 1,
            c_out: self.out_features,
            kernel: [1, 1],
            stride: [1, 1],
            pad: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

impl Layer for Linear {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        if !x.is_vector() {
            return Err(Misfit::new("it takes a vector: put a flatten or a global pooling before it"));
        }
        weights_within(&[self.out_features, x.c])?;
        Ok(Shape::vector(self.out_features))
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        let (i, o) = (inputs[0].c, self.out_features);
        let weight = ParamSpec::weight(vec![o, i], i, o);
        if self.bias { vec![weight, ParamSpec::vector("bias", o, 0.0)] } else { vec![weight] }
    }

    fn multiply_adds(&self, inputs: &[Shape], _output: Shape) -> u64 {
        (inputs[0].c as u64).saturating_mul(self.out_features as u64)
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Everything
    }

    fn describe(&self) -> String {
        if self.bias { String::new() } else { "no bias".into() }
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn scratch(&self, batch: usize, inputs: &[Shape], _output: Shape, backward: bool) -> usize {
        conv::scratch(&self.geometry(batch, inputs[0].c), backward)
    }

    fn forward(&self, pass: Forward<'_>) {
        conv::forward(&self.geometry(pass.setting.batch, pass.setting.shapes[0].c), pass);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        conv::backward(&self.geometry(pass.setting.batch, pass.setting.shapes[0].c), pass);
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Linear, Vec<Shape>)> {
    vec![(Linear::new(5), vec![Shape::vector(7)]), (Linear::new(19).no_bias(), vec![Shape::vector(3)])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_refused() {
        let e = Linear::new(3).infer(&[Shape::new(2, 2, 1)]).unwrap_err();
        assert!(e.to_string().contains("put a flatten"));
    }
}
