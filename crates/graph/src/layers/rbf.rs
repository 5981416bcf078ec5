//! LeNet-5's output units: `y_i = −‖x − w_i‖²` (LeCun et al. 1998, eq. 7), negated so that the largest answer wins and the
//! cross-entropy over it is the paper's eq. 9 without its constant j. The weights are the classes' codes, ±1, and no
//! gradient changes them; they start at random, which the paper allows, instead of as its hand-drawn bitmaps.

use crate::layer::{only, weights_within};
use crate::{Backward, Forward, Layer, Misfit, Needs, ParamSpec, Reach, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{rbf_backward, rbf_forward};

/// Minus the squared distance to each class's fixed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rbf {
    /// Codes, and so values that come out.
    pub classes: usize,
}

impl Rbf {
    /// `classes` units.
    pub fn new(classes: usize) -> Self {
        Rbf { classes }
    }
}

impl Layer for Rbf {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        if !x.is_vector() {
            return Err(Misfit::new("it takes a vector: put a flatten or a global pooling before it"));
        }
        weights_within(&[self.classes, x.c])?;
        Ok(Shape::vector(self.classes))
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        vec![ParamSpec::fixed_signs("weight", vec![self.classes, inputs[0].c])]
    }

    fn multiply_adds(&self, inputs: &[Shape], _output: Shape) -> u64 {
        (inputs[0].c as u64).saturating_mul(self.classes as u64)
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Everything
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn forward(&self, pass: Forward<'_>) {
        let features = pass.setting.shapes[0].c;
        rbf_forward(pass.setting.cpu, pass.inputs[0], pass.params[0], features, pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        if let Some(dx) = pass.dx[0].take() {
            let features = pass.setting.shapes[0].c;
            rbf_backward(pass.setting.cpu, pass.inputs[0], pass.params[0], features, pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Rbf, Vec<Shape>)> {
    vec![(Rbf::new(5), vec![Shape::vector(7)]), (Rbf::new(3), vec![Shape::vector(18)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::check::forward_with;
    use crate::layers::{Conv, Flatten, Linear, ScaledTanh, Subsample, TableConv};
    use crate::{AnyLayer, Builder};

    #[test]
    fn a_code_answers_itself_with_zero() {
        let codes = [1.0, -1.0, 1.0, 1.0, 1.0, -1.0];
        let y = forward_with(&AnyLayer::from(Rbf::new(2)), &[Shape::vector(3)], 1, &[&[1.0, -1.0, 1.0]], &[&codes]);
        assert_eq!(y, [0.0, -8.0]);
    }

    #[test]
    fn lenet5_of_1998_has_the_papers_counts() {
        let mut g = Builder::new("lenet5-1998");
        let mut x = g.input(Shape::new(32, 32, 1));
        x = g.add("c1", Conv::new(6, 5), x);
        x = g.add("s2", Subsample::new(2), x);
        x = g.add("s2_tanh", ScaledTanh::new(), x);
        x = g.add("c3", TableConv::lenet5_c3(), x);
        x = g.add("s4", Subsample::new(2), x);
        x = g.add("s4_tanh", ScaledTanh::new(), x);
        x = g.add("c5", Conv::new(120, 5), x);
        x = g.add("c5_tanh", ScaledTanh::new(), x);
        x = g.add("flatten", Flatten, x);
        x = g.add("f6", Linear::new(84), x);
        x = g.add("f6_tanh", ScaledTanh::new(), x);
        x = g.add("output", Rbf::new(10), x);
        let graph = g.finish(x).unwrap();
        // The paper: C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164; "about 60,000 trainable free parameters".
        assert_eq!((graph.parameter_count(), graph.statistic_count()), (60_000, 840));
    }

    #[test]
    fn a_map_is_refused() {
        assert!(Rbf::new(3).infer(&[Shape::new(2, 2, 1)]).unwrap_err().to_string().contains("put a flatten"));
    }
}
