//! How a backward sweep goes back through what rectifies: an argument of the sweep. The rules are compared in Springenberg,
//! Dosovitskiy, Brox and Riedmiller 2015, "Striving for Simplicity", arXiv:1412.6806, figure 1; that they differ at
//! rectifiers only is shown in Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034, section 4.
//!
//! By the deconvnet's rule (Zeiler and Fergus 2013, arXiv:1311.2901, section 2.1) a sweep is the deconvnet itself:
//!
//! | layer | on the way down | source |
//! |---|---|---|
//! | max pooling | unpooling by the recorded switches; windows that share a winner add up | section 2.1 |
//! | ReLU, ReLU6 | rectification of what comes from above, whatever went up | section 2.1 |
//! | leaky ReLU | the same function of what comes from above, as ReLU's is | by analogy |
//! | convolution of any stride and groups; linear | transposed filters, without biases | section 2.1 |
//! | local response normalisation | nothing: the reconstruction path uses no contrast normalisation | section 2.1 |
//! | batch normalisation | γ / √(σ² + ε), as if folded into the filters before it | Ioffe, Szegedy 2015, 3.1 |
//! | average pooling, subsampling, zero padding | the adjoint map: a mean's value is spread evenly | linear, as a filter |
//! | sums | each branch gets the whole signal; concatenations hand each its channels | adjoint maps |
//! | tanh, sigmoid, softmax and others | the gradient | Simonyan et al. 2013, section 4 |

use crate::EngineError;
use crate::gradients::Gradients;
use crate::parameters::Parameters;
use crate::session::Session;
use striate_graph::{AnyLayer, Backward, NodeId};
use striate_kernels::{map2, pass_on};

/// How a sweep goes back through ReLU and what is like it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// By the derivative: what went up decides.
    #[default]
    Gradient,
    /// Guided back-propagation: what went up and the sign of what comes down both decide.
    Guided,
    /// The deconvnet: the sign of what comes down decides.
    Deconvnet,
}

impl Rule {
    /// A layer's backward pass by this rule.
    pub(crate) fn backward(self, layer: &AnyLayer, pass: Backward<'_, '_>) {
        match (self, layer) {
            (Rule::Guided, AnyLayer::Relu(_)) => {
                through(pass, |y, dy| if y > 0.0 { rectified(dy) } else { 0.0 });
            }
            (Rule::Guided, AnyLayer::Relu6(_)) => {
                through(pass, |y, dy| if y > 0.0 && y < 6.0 { rectified(dy) } else { 0.0 });
            }
            (Rule::Guided, AnyLayer::LeakyRelu(layer)) => {
                let slope = layer.slope;
                through(pass, move |y, dy| rectified(if y > 0.0 { dy } else { slope * dy }));
            }
            (Rule::Deconvnet, AnyLayer::Relu(_) | AnyLayer::Relu6(_)) => through(pass, |_, dy| rectified(dy)),
            (Rule::Deconvnet, AnyLayer::LeakyRelu(layer)) => {
                let slope = layer.slope;
                through(pass, move |_, dy| if dy > 0.0 { dy } else { slope * dy });
            }
            (Rule::Deconvnet, AnyLayer::LocalResponseNorm(_)) => {
                if let Some(dx) = pass.dx[0].take() {
                    pass_on(pass.setting.cpu, pass.dy, dx);
                }
            }
            _ => layer.backward(pass),
        }
    }
}

/// max(0, dy); NaN passes, so that a broken value does not look like none.
fn rectified(dy: f32) -> f32 {
    if dy < 0.0 { 0.0 } else { dy }
}

/// Assigns or adds a function of the output and the gradient by it.
fn through(pass: Backward<'_, '_>, f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    let Backward { setting, output, dy, dx, .. } = pass;
    if let Some(dx) = dx[0].take() {
        map2(setting.cpu, output, dy, dx, f);
    }
}

impl Session {
    /// As [`Session::backward`], by a rule, and for activations' gradients alone: those of the request's gradient taps are
    /// there afterwards. The session must be one that predicts and computes no parameters' gradients, for there every layer
    /// is a step of its own.
    ///
    /// # Errors
    /// As [`Session::backward`], and if the session trains or computes parameters' gradients.
    pub fn sweep(&mut self, rule: Rule, p: &Parameters, seeds: &[(NodeId, &[f32])]) -> Result<(), EngineError> {
        if self.request.training || self.request.parameter_gradients {
            return Err(EngineError::Rule { network: self.graph.name().into() });
        }
        self.begin_sweep(p, seeds)?;
        self.rule = rule;
        let computes = |id: &NodeId| self.plan.steps.iter().position(|planned| planned.step.nodes.contains(id));
        let last = seeds.iter().filter_map(|(id, _)| computes(id)).max();
        let cpu = self.cpu.clone();
        cpu.install(|| {
            let mut none = Gradients::Room { room: &mut [], has_rows: false };
            for step in (0..self.plan.steps.len()).rev() {
                if Some(step) > last {
                    self.bring_zeros(step);
                } else {
                    self.sweep_step(p, step, &mut none);
                }
            }
        });
        self.rule = Rule::Gradient;
        self.end_sweep();
        Ok(())
    }

    /// What the backward pass of a step behind every seed comes to.
    fn bring_zeros(&mut self, step: usize) {
        let planned = &self.plan.steps[step];
        if planned.in_sweep {
            self.turn = 0..self.batch;
            for id in planned.assigns.clone() {
                let range = self.gradient_at(id);
                self.arena[range].fill(0.0);
            }
        }
    }
}
