//! Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3): `b_c = a_c / (k + α Σ a_j²)^β`, the
//! sum over `size` channels around c. α multiplies the sum, as in the paper; PyTorch and Caffe divide theirs by `size`
//! first ([`LocalResponseNorm::mean`]). An even window starts size/2 channels before c, as in cuda-convnet and PyTorch; the
//! paper's text would make it one wider. Backward computes the sums again instead of keeping them.

use crate::layer::only;
use crate::{Backward, Forward, Layer, Misfit, Needs, Setting, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::{LocalResponse, local_response_norm, local_response_norm_backward};

/// Division of each value by its neighbours' energy across channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalResponseNorm {
    /// Channels of a window, n in the paper.
    pub size: usize,
    /// Factor of the sum of squares.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Added to the scaled sum.
    pub k: f32,
}

impl LocalResponseNorm {
    /// The paper's form: α multiplies the sum of squares.
    pub fn new(size: usize, alpha: f32, beta: f32, k: f32) -> Self {
        LocalResponseNorm { size, alpha, beta, k }
    }

    /// PyTorch's and Caffe's form: α multiplies the sum of squares divided by `size`.
    pub fn mean(size: usize, alpha: f32, beta: f32, k: f32) -> Self {
        LocalResponseNorm { size, alpha: alpha / size as f32, beta, k }
    }

    /// AlexNet's: n = 5, α = 10⁻⁴, β = 0.75, k = 2.
    pub fn alexnet() -> Self {
        LocalResponseNorm::new(5, 1e-4, 0.75, 2.0)
    }

    fn rule(&self) -> LocalResponse {
        let LocalResponseNorm { size, alpha, beta, k } = *self;
        LocalResponse { size, alpha, beta, k }
    }
}

fn channels(s: &Setting<'_>) -> usize {
    s.shape.c
}

impl Layer for LocalResponseNorm {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let LocalResponseNorm { size, alpha, beta, k } = *self;
        if size == 0 {
            return Err(Misfit::new("its window has no channels: give a size of at least 1"));
        }
        if !(alpha.is_finite() && alpha >= 0.0 && beta.is_finite() && k.is_normal() && k > 0.0) {
            let rule = "α must be finite and not negative, β finite, k positive and finite";
            return Err(Misfit::new(format!("{rule}, not {alpha}, {beta} and {k}")));
        }
        only(inputs)
    }

    fn describe(&self) -> String {
        format!("n {} α {:e} β {} k {}", self.size, self.alpha, self.beta, self.k)
    }

    fn needs(&self) -> Needs {
        Needs { inputs: true, output: false }
    }

    fn scratch(&self, batch: usize, _inputs: &[Shape], output: Shape, backward: bool) -> usize {
        self.rule().scratch(batch * output.len(), output.c, backward)
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, scratch, .. } = pass;
        local_response_norm(setting.cpu, &self.rule(), channels(&setting), inputs[0], output, scratch);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, inputs, dy, dx, scratch, .. } = pass;
        if let Some(dx) = dx[0].take() {
            local_response_norm_backward(
                setting.cpu,
                &self.rule(),
                channels(&setting),
                inputs[0],
                dy,
                dx,
                scratch,
            );
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(LocalResponseNorm, Vec<Shape>)> {
    let shape = Shape::new(2, 3, 7);
    vec![
        (LocalResponseNorm::alexnet(), vec![shape]),
        (LocalResponseNorm::new(3, 0.7, 0.75, 1.0), vec![shape]),
        (LocalResponseNorm::mean(4, 2.0, 0.5, 0.5), vec![shape]),
        (LocalResponseNorm::new(40, 0.1, 1.0, 1.0), vec![Shape::vector(19)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    const X: [f32; 4] = [1.0, -2.0, 3.0, 0.5];

    fn of(layer: LocalResponseNorm) -> Vec<f32> {
        forward(&AnyLayer::from(layer), &[Shape::vector(4)], 1, &[&X])
    }

    fn close(found: &[f32], expected: [f64; 4]) {
        let near = found.iter().zip(expected).all(|(f, e)| (f64::from(*f) - e).abs() < 1e-6);
        assert!(near, "{found:?} is not {expected:?}");
    }

    #[test]
    fn the_mean_form_gives_pytorchs_values() {
        // torch.nn.functional.local_response_norm(x, size, alpha=0.3, beta=0.75, k=1.0) in f64.
        let odd = [0.737_787_946_667, -1.037_221_628_814, 1.593_323_775_837, 0.305_947_531_822];
        close(&of(LocalResponseNorm::mean(3, 0.3, 0.75, 1.0)), odd);
        let even = [0.900_485_283_775, -1.314_472_362_166, 1.332_768_570_913, 0.260_322_957_232];
        close(&of(LocalResponseNorm::mean(2, 0.3, 0.75, 1.0)), even);
    }

    #[test]
    fn the_papers_form_multiplies_the_sum() {
        let sums = [5.0f64, 14.0, 13.25, 9.25];
        let expected = std::array::from_fn(|i| f64::from(X[i]) * (2.0 + 1e-4 * sums[i]).powf(-0.75));
        close(&of(LocalResponseNorm { size: 3, ..LocalResponseNorm::alexnet() }), expected);
        assert_eq!(LocalResponseNorm::mean(4, 0.5, 1.0, 1.0), LocalResponseNorm::new(4, 0.125, 1.0, 1.0));
    }

    #[test]
    fn constants_that_cannot_divide_are_refused() {
        let refused = |layer: LocalResponseNorm| layer.infer(&[Shape::vector(4)]).unwrap_err().to_string();
        assert!(refused(LocalResponseNorm::mean(0, 1.0, 1.0, 1.0)).contains("give a size of at least 1"));
        for (alpha, beta, k) in [(f32::NAN, 1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, f32::INFINITY, 1.0), (1.0, 1.0, 0.0)] {
            let e = refused(LocalResponseNorm::new(5, alpha, beta, k));
            assert!(e.contains("k positive and finite"), "{e}");
        }
    }
}
