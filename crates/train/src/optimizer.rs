//! Optimisers over a network's tensors. Weight decay spares biases and normalisation ([`ParamSpec::decay`]).
//!
//! [`ParamSpec::decay`]: striate_graph::ParamSpec

use serde::{Deserialize, Serialize};
use striate_engine::{Handed, Parameters, Tensors};
use striate_graph::{Graph, ParamSpec};
use striate_kernels::{AdamW, Cpu, Sgd, adamw, sgd};

/// An optimiser's rule and its constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Rule {
    /// Stochastic gradient descent with momentum, as in PyTorch.
    Sgd {
        /// Share of the last step that is kept.
        momentum: f64,
        /// Nesterov's look-ahead (1983; Sutskever et al. 2013).
        nesterov: bool,
        /// L2 penalty, added to the gradient.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101).
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of squared gradients.
        beta2: f64,
        /// Added to the root of the latter.
        epsilon: f64,
        /// Share of a weight that is taken away each step, times the learning rate.
        weight_decay: f64,
    },
}

impl Rule {
    /// The rules' names, for help and errors.
    pub const NAMES: &[&str] = &["sgd", "adamw"];

    /// The rule of this name with its usual constants.
    pub fn named(name: &str) -> Option<Rule> {
        match name {
            "sgd" => Some(Rule::Sgd { momentum: 0.9, nesterov: true, weight_decay: 5e-4 }),
            "adamw" => Some(Rule::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }),
            _ => None,
        }
    }

    /// Values that an optimiser keeps for each trained value.
    pub fn states(self) -> usize {
        match self {
            Rule::Sgd { .. } => 1,
            Rule::AdamW { .. } => 2,
        }
    }

    /// The weight decay, to be changed.
    pub fn weight_decay_mut(&mut self) -> &mut f64 {
        match self {
            Rule::Sgd { weight_decay, .. } | Rule::AdamW { weight_decay, .. } => weight_decay,
        }
    }
}

/// An optimiser with its state for one network.
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    /// Velocity, or the mean of gradients.
    first: Tensors,
    /// The mean of squared gradients; unused by SGD.
    second: Option<Tensors>,
    step: u32,
    /// What the learning rate is multiplied by, for each node and for each tensor; empty: 1.
    rates: Vec<f64>,
    tensor_rates: Vec<f64>,
}

impl Optimizer {
    /// A fresh optimiser.
    pub fn new(rule: Rule, parameters: &Parameters) -> Optimizer {
        let second = matches!(rule, Rule::AdamW { .. }).then(|| parameters.zeros_like(true));
        let (rates, tensor_rates) = (Vec::new(), Vec::new());
        Optimizer { rule, first: parameters.zeros_like(true), second, step: 0, rates, tensor_rates }
    }

    /// From now on multiplies the learning rate of each node of the network by its own factor.
    pub fn set_rates(&mut self, graph: &Graph, rates: Vec<f64>) {
        let each = graph.nodes().iter().zip(&rates).flat_map(|(node, rate)| node.params.iter().map(move |_| *rate));
        self.tensor_rates = each.collect();
        self.rates = rates;
    }

    /// Takes over what another optimiser remembers of the tensors that both know by name, and its steps.
    pub fn adopt(&mut self, other: &Optimizer) {
        for ((_, own), (_, others)) in self.state_mut(other.step).zip(other.state()) {
            for (name, _, values) in own.iter_mut() {
                if let Some(remembered) = others.get(name).filter(|r| r.len() == values.len()) {
                    values.copy_from_slice(remembered);
                }
            }
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u32 {
        self.step
    }

    /// What it remembers from step to step, by kind.
    pub fn state(&self) -> impl Iterator<Item = (&'static str, &Tensors)> {
        [("first/", Some(&self.first)), ("second/", self.second.as_ref())]
            .into_iter()
            .filter_map(|(kind, tensors)| Some((kind, tensors?)))
    }

    /// Likewise, to be given back after so many steps.
    pub fn state_mut(&mut self, steps: u32) -> impl Iterator<Item = (&'static str, &mut Tensors)> {
        self.step = steps;
        [("first/", Some(&mut self.first)), ("second/", self.second.as_mut())]
            .into_iter()
            .filter_map(|(kind, tensors)| Some((kind, tensors?)))
    }

    /// Changes the parameters by one step against the gradients.
    pub fn step(&mut self, cpu: &Cpu, parameters: &mut Parameters, gradients: &Tensors, lr: f64) {
        self.begin();
        let Optimizer { rule, step, ref tensor_rates, .. } = *self;
        let mut second = self.second.as_mut().map(Tensors::iter_mut);
        for (i, (((_, spec, w), (_, _, g)), (_, _, first))) in
            parameters.iter_mut().zip(gradients.iter()).zip(self.first.iter_mut()).enumerate()
        {
            let turn = Turn { cpu, rule, step, lr: lr * tensor_rates.get(i).unwrap_or(&1.0) };
            let second = second.as_mut().and_then(Iterator::next);
            if spec.trainable {
                turn.change(spec, w, g, first, second.map(|(_, _, values)| values));
            }
        }
    }

    /// Begins a step whose gradients come one after another, to [`Optimizer::change`].
    pub fn begin(&mut self) {
        self.step += 1;
    }

    /// Changes some values by the step that was begun. All values of a network changed so are what [`Optimizer::step`] makes of
    /// them, to the bit.
    pub fn change(&mut self, cpu: &Cpu, handed: Handed<'_>, lr: f64) {
        let Handed { node, index, spec, first: at, values, gradient } = handed;
        let range = at..at + gradient.len();
        let lr = lr * self.rates.get(node.index()).unwrap_or(&1.0);
        let turn = Turn { cpu, rule: self.rule, step: self.step, lr };
        let first = &mut self.first.of_mut(node)[index][range.clone()];
        let second = self.second.as_mut().map(|tensors| &mut tensors.of_mut(node)[index][range]);
        turn.change(spec, values, gradient, first, second);
    }

    /// Bytes of its state.
    pub fn bytes(&self) -> usize {
        self.first.bytes() + self.second.as_ref().map_or(0, Tensors::bytes)
    }
}

/// One step of a rule.
struct Turn<'a> {
    cpu: &'a Cpu,
    rule: Rule,
    step: u32,
    lr: f64,
}

impl Turn<'_> {
    /// Changes some values of a tensor.
    fn change(&self, spec: &ParamSpec, w: &mut [f32], g: &[f32], first: &mut [f32], second: Option<&mut [f32]>) {
        let (cpu, lr) = (self.cpu, self.lr);
        let decay = |share: f64| if spec.decay { share } else { 0.0 };
        match (self.rule, second) {
            (Rule::AdamW { beta1, beta2, epsilon, weight_decay }, Some(second)) => {
                let weight_decay = decay(weight_decay);
                let rule = AdamW { lr, beta1, beta2, eps: epsilon, weight_decay, step: self.step };
                adamw(cpu, w, g, first, second, &rule);
            }
            (Rule::Sgd { momentum, nesterov, weight_decay }, _) => {
                let weight_decay = decay(weight_decay);
                sgd(cpu, w, g, first, &Sgd { lr, momentum, weight_decay, nesterov });
            }
            (Rule::AdamW { .. }, None) => unreachable!("AdamW always has both means"),
        }
    }
}
