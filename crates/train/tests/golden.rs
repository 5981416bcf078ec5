//! The same step on the same weights as PyTorch: logits, loss, every gradient, running statistics, and three steps of each
//! optimiser. `fixtures/make_goldens.py` made the figures and states the rule that fills the weights.

#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use striate_engine::{Parameters, Request, Session, Tensors};
use striate_graph::Graph;
use striate_kernels::{Algorithm, Cpu, Isa};
use striate_train::golden::{self, Figures, images, labels};
use striate_train::{Rule, Stepper};

#[derive(Deserialize)]
struct Golden {
    model: String,
    batch: usize,
    logits: Vec<Vec<f32>>,
    loss: f64,
    gradients: BTreeMap<String, Figures>,
    statistics: BTreeMap<String, Figures>,
    sgd: BTreeMap<String, Figures>,
    adamw: BTreeMap<String, Figures>,
}

fn goldens() -> [Golden; 2] {
    [include_str!("fixtures/lenet5.json"), include_str!("fixtures/resnet20.json")]
        .map(|json| serde_json::from_str(json).unwrap())
}

fn parameters(graph: &Graph) -> Parameters {
    let names: Vec<String> = graph.params().map(|(name, _)| name).collect();
    golden::parameters(graph, &names)
}

/// Norm and sum within `bound` of the reference, relative to its norm (and the sum's own rounding in PyTorch).
fn compare(what: &str, tensors: &Tensors, want: &BTreeMap<String, Figures>, bound: f64) {
    for (name, figures) in want {
        let values = tensors.get(name).unwrap_or_else(|| panic!("no tensor `{name}`"));
        let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        // A sum of n values of this norm is at most √n times as large.
        let scale = figures.norm.max(1e-6);
        let (norm_off, sum_off) = ((norm - figures.norm).abs() / scale, (sum - figures.sum).abs() / scale);
        let most = bound * (values.len() as f64).sqrt();
        assert!(norm_off < bound, "{what} {name}: norm {norm}, PyTorch's {}", figures.norm);
        assert!(sum_off < most, "{what} {name}: sum {sum}, PyTorch's {}", figures.sum);
    }
}

/// Every instruction set of this machine.
fn cpus() -> impl Iterator<Item = Arc<Cpu>> {
    Isa::available().into_iter().map(|isa| Arc::new(Cpu::with_isa(2, isa).unwrap()))
}

fn graph(golden: &Golden) -> Arc<Graph> {
    Arc::new(striate_zoo::build(&golden.model, &striate_zoo::Options::default()).unwrap())
}

#[test]
fn inference_gives_pytorchs_logits() {
    for g in goldens() {
        let graph = graph(&g);
        for cpu in cpus() {
            let mut session = Session::new(graph.clone(), cpu, &Request::predict(g.batch)).unwrap();
            let got = session.forward(&parameters(&graph), &images(&graph, g.batch), g.batch, 0).unwrap();
            let largest = g.logits.iter().flatten().fold(0f32, |m, v| m.max(v.abs()));
            for (got, want) in got.iter().zip(g.logits.iter().flatten()) {
                assert!((got - want).abs() < 1e-5 * largest, "{}: {got}, PyTorch's {want}", g.model);
            }
        }
    }
}

#[test]
fn a_training_step_has_pytorchs_loss_gradients_and_statistics() {
    for g in goldens() {
        let graph = graph(&g);
        // Winograd's transforms round a few times more, which turns a ReLU or two of the few that there are.
        let ways = [(Some(Algorithm::Direct), 1e-4), (None, 5e-3)];
        for (cpu, (algorithm, bound)) in cpus().flat_map(|cpu| ways.map(|way| (cpu.clone(), way))) {
            let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
            let request = Request { algorithm, ..Stepper::request(&graph, g.batch, &[]) };
            let mut s = Stepper::planned(graph.clone(), cpu, parameters(&graph), rule, &request).unwrap();
            s.keep_gradients();
            let (loss, _) = s.step(&images(&graph, g.batch), &labels(g.batch, 10), 0.0, 0).unwrap();
            assert!((loss / g.loss - 1.0).abs() < 1e-5, "{}: loss {loss}, PyTorch's {}", g.model, g.loss);
            compare("gradient", s.gradients().unwrap(), &g.gradients, bound);
            compare("statistic", s.parameters(), &g.statistics, 1e-5);
        }
    }
}

#[test]
fn optimisers_step_as_pytorchs() {
    for g in goldens() {
        let graph = graph(&g);
        let sgd = Rule::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 };
        let adamw = Rule::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weight_decay: 0.1 };
        for (rule, want) in [(sgd, &g.sgd), (adamw, &g.adamw)] {
            let cpu = Arc::new(Cpu::new(2).unwrap());
            let mut s = Stepper::new(graph.clone(), cpu, parameters(&graph), rule, g.batch).unwrap();
            for _ in 0..3 {
                s.step(&images(&graph, g.batch), &labels(g.batch, 10), 0.01, 0).unwrap();
            }
            // Three steps magnify the rounding of the first gradients.
            compare("parameter", s.parameters(), want, 1e-3);
        }
    }
}
