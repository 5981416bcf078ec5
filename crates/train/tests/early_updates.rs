//! Steps that change each parameter as soon as its gradient is there, against steps that gather all gradients first.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Memory, Parameters, Request, Scheme};
use striate_graph::layers::{BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, Rbf, Relu, Subsample};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, uniform};
use striate_train::{Rule, Stepper};
use striate_zoo::{Options, find};

const BATCH: usize = 3;

/// A linear layer whose gradient is handed on in parts, one that it just is not, layers computed by themselves, and nodes that
/// the sweep does not reach.
fn mixed() -> Graph {
    let mut g = Builder::new("mixed");
    let x = g.input(Shape::new(18, 17, 3));
    let x = g.add("conv", Conv::new(20, 3), x);
    let x = g.add("relu", Relu, x);
    let nowhere = g.add("nowhere", Conv::new(5, 1), x);
    g.add("nowhere_bn", BatchNorm::new(), nowhere);
    let x = g.add("pool", MaxPool::new(2), x);
    let x = g.add("trained_pool", Subsample::new(1), x);
    let x = g.add("flatten", Flatten, x);
    // 1,120 × 3,749 values are a few more than 2²².
    let x = g.add("wide", Linear::new(3749), x);
    let x = g.add("wide_relu", Relu, x);
    let x = g.add("drop", Dropout::new(0.2), x);
    let x = g.add("narrow", Linear::new(30).no_bias(), x);
    let x = g.add("bn", BatchNorm::new(), x);
    let x = g.add("fc", Linear::new(12), x);
    let x = g.add("codes", Rbf::new(5), x);
    g.finish(x).unwrap()
}

fn zoo(name: &str, side: usize) -> Graph {
    let input = Some(Shape::new(side, side, find(name).unwrap().input.c));
    find(name).unwrap().build(&Options { input, classes: Some(5), ..Options::default() }).unwrap()
}

/// Three steps: the losses, and the parameters and statistics after them.
fn trained(graph: &Arc<Graph>, rule: Rule, request: &Request, keeps: bool, threads: usize) -> Vec<Vec<u32>> {
    let cpu = Arc::new(Cpu::new(threads).unwrap());
    let parameters = Parameters::init(graph, Scheme::He, 3);
    let mut stepper = Stepper::planned(graph.clone(), cpu, parameters, rule, request).unwrap();
    if keeps {
        stepper.keep_gradients();
    }
    let len = graph.input().shape.len();
    let mut all = Vec::new();
    for (seed, n) in [(1, BATCH), (2, BATCH - 1), (3, BATCH)] {
        let images: Vec<f32> = (0..n * len).map(|i| uniform(seed, i as u64) - 0.5).collect();
        let (loss, _) = stepper.step(&images, &[0, 3, 1][..n], 1e-2, seed).unwrap();
        assert!(loss.is_finite(), "{}: {loss}", graph.name());
        all.push(vec![(loss as f32).to_bits()]);
    }
    assert_eq!(stepper.gradients().is_some(), keeps);
    let words = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect();
    all.extend(stepper.parameters().iter().map(|(.., values)| words(values)));
    all
}

#[test]
fn parameters_change_by_the_same_bits() {
    let sgd = Rule::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    let adamw = Rule::named("adamw").unwrap();
    let networks = [
        (mixed(), sgd),
        (mixed(), adamw),
        (zoo("lenet5_1998", 32), sgd),
        (zoo("resnet20", 32), adamw),
        (zoo("googlenet", 64), sgd),
        (zoo("mobilenet_v1_0.25", 64), adamw),
    ];
    for (graph, rule) in networks {
        let graph = Arc::new(graph);
        for recompute in [false, true] {
            let request = Request { recompute, ..Stepper::request(&graph, BATCH, &[]) };
            let late = trained(&graph, rule, &request, true, 2);
            for threads in [1, 2] {
                let early = trained(&graph, rule, &request, false, threads);
                assert!(early == late, "{} at {threads} threads, recompute {recompute}", graph.name());
            }
        }
    }
}

#[test]
fn gradients_take_the_room_of_the_largest_step() {
    let graph = Arc::new(mixed());
    let rule = Rule::named("adamw").unwrap();
    let request = Stepper::request(&graph, BATCH, &[]);
    // As many rows of the wide layer as 2²² values hold, and its biases.
    let rows = (1 << 22) / 1120;
    assert_eq!(Memory::of(&graph, &request).unwrap().room, 4 * (rows * 1120 + 3749));
    let parameters = Parameters::zeros(&graph);
    let cpu = Arc::new(Cpu::new(std::thread::available_parallelism().map_or(1, usize::from)).unwrap());
    let mut stepper = Stepper::planned(graph.clone(), cpu, parameters, rule, &request).unwrap();
    let need = Stepper::need(&graph, rule, &request).unwrap();
    assert_eq!(stepper.bytes(), need);
    stepper.keep_gradients();
    assert_eq!(stepper.bytes(), need + 4 * graph.parameter_count());
    // A vector of logits, and one for the gradient by them, beside values with two means each.
    let trained = graph.parameter_count();
    let floats = 3 * trained + graph.statistic_count() + 2 * BATCH * 5;
    assert_eq!(need, 4 * floats + stepper.memory().total());
}

#[test]
fn a_sweep_keeps_its_gradients() {
    let graph = Arc::new(zoo("lenet5", 32));
    let cpu = Arc::new(Cpu::new(1).unwrap());
    let rule = Rule::named("sgd").unwrap();
    let mut stepper = Stepper::new(graph.clone(), cpu, Parameters::init(&graph, Scheme::Glorot, 3), rule, 2).unwrap();
    assert!(stepper.gradients().is_none());
    let images = vec![0.5; 2 * graph.input().shape.len()];
    stepper.sweep(&images, &[0, 1], 1).unwrap();
    assert!(stepper.gradients().unwrap().iter().any(|(.., values)| values.iter().any(|v| *v != 0.0)));
}
