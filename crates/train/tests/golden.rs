//! The same step on the same weights as PyTorch: logits, loss, every gradient, running statistics, and three steps of each
//! optimiser. `fixtures/make_goldens.py` made the figures and states the rule that fills the weights.

#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use striate_engine::{Parameters, Request, Session, Tensors};
use striate_graph::{Graph, ParamSpec};
use striate_kernels::{Cpu, Isa, splitmix64};
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

#[derive(Deserialize)]
struct Figures {
    norm: f64,
    sum: f64,
}

fn goldens() -> [Golden; 2] {
    [include_str!("fixtures/lenet5.json"), include_str!("fixtures/resnet20.json")]
        .map(|json| serde_json::from_str(json).unwrap())
}

fn fill(name: &str, i: usize) -> f32 {
    let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    let bits = splitmix64(fnv.wrapping_add(i as u64)) >> 40;
    (2.0 * bits as f64 / f64::from(1 << 24) - 1.0) as f32
}

fn parameters(graph: &Graph) -> Parameters {
    let mut p = Tensors::zeros(graph);
    let norms: Vec<String> = graph.nodes().iter().filter(|n| n.params.len() == 4).map(|n| n.name.clone()).collect();
    for (name, spec, values) in p.iter_mut() {
        let of_norm = norms.iter().any(|n| name == format!("{n}.{}", spec.name));
        for (i, v) in values.iter_mut().enumerate() {
            *v = value(name, spec, of_norm, fill(name, i));
        }
    }
    p
}

fn value(name: &str, spec: &ParamSpec, of_norm: bool, fill: f32) -> f32 {
    match (of_norm, spec.name) {
        (true, "weight" | "running_var") => 1.0 + fill * 0.1,
        (false, "weight") => {
            assert!(spec.shape.len() > 1, "{name}");
            let fan_in: usize = spec.shape[1..].iter().product();
            fill * (6.0 / fan_in as f64).sqrt() as f32
        }
        _ => fill * 0.1,
    }
}

/// Images in NHWC from the rule's NCHW order.
fn images(graph: &Graph, batch: usize) -> Vec<f32> {
    let s = graph.input().shape;
    let at = |n: usize, y: usize, x: usize, c: usize| fill("input", ((n * s.c + c) * s.h + y) * s.w + x);
    let mut all = Vec::new();
    for n in 0..batch {
        for y in 0..s.h {
            for x in 0..s.w {
                all.extend((0..s.c).map(|c| at(n, y, x, c)));
            }
        }
    }
    all
}

fn labels(batch: usize) -> Vec<u32> {
    (0..batch as u32).map(|k| (7 * k + 3) % 10).collect()
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
        for cpu in cpus() {
            let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
            let mut s = Stepper::new(graph.clone(), cpu, parameters(&graph), rule, g.batch).unwrap();
            let (loss, _) = s.step(&images(&graph, g.batch), &labels(g.batch), 0.0, 0).unwrap();
            assert!((loss / g.loss - 1.0).abs() < 1e-5, "{}: loss {loss}, PyTorch's {}", g.model, g.loss);
            compare("gradient", s.gradients(), &g.gradients, 1e-4);
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
                s.step(&images(&graph, g.batch), &labels(g.batch), 0.01, 0).unwrap();
            }
            // Three steps magnify the rounding of the first gradients.
            compare("parameter", s.parameters(), want, 1e-3);
        }
    }
}
