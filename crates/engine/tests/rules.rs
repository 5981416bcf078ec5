//! Sweeps by the rules for rectifiers, against values worked out by hand.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{EngineError, Parameters, Request, Rule, Session, Tensors};
use striate_graph::layers::{Add, Conv, LeakyRelu, Linear, LocalResponseNorm, MaxPool, Relu, Relu6};
use striate_graph::{AnyLayer, Builder, Graph, NodeId, Shape};
use striate_kernels::Cpu;

/// What a sweep from the output brings to the input.
fn by_input(graph: Graph, set: &[(&str, &[f32])], x: &[f32], rule: Rule, seed: &[f32]) -> Vec<f32> {
    let mut p: Parameters = Tensors::zeros(&graph);
    for (name, values) in set {
        p.set(name, *values).unwrap();
    }
    let (input, output) = (graph.input_id(), graph.output_id());
    let request = Request { backward_from: vec![output], gradient_taps: vec![input], ..Request::predict(1) };
    let mut session = Session::new(Arc::new(graph), Arc::new(Cpu::new(2).unwrap()), &request).unwrap();
    session.forward(&p, x, 1, 0).unwrap();
    session.sweep(rule, &p, &[(output, seed)]).unwrap();
    session.gradient(input).unwrap().to_vec()
}

/// A rectifier between two linear layers: three units from one value each, summed with weights.
fn rectifier(layer: impl Into<AnyLayer>) -> Graph {
    let mut g = Builder::new("rectifier");
    let x = g.input(Shape::vector(4));
    let r = g.add("rectifier", layer, x);
    let y = g.add("fc", Linear::new(1).no_bias(), r);
    g.finish(y).unwrap()
}

#[test]
fn rectifiers_follow_the_rule() {
    // Each unit's input and the weight that comes down to it: both signs of both.
    let (x, w) = ([3.0, 5.0, -2.0, -4.0], [2.0, -1.0, 7.0, -6.0]);
    let at = |layer: AnyLayer, rule| by_input(rectifier(layer), &[("fc.weight", &w)], &x, rule, &[1.0]);
    assert_eq!(at(Relu.into(), Rule::Gradient), [2.0, -1.0, 0.0, 0.0]);
    assert_eq!(at(Relu.into(), Rule::Guided), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(at(Relu.into(), Rule::Deconvnet), [2.0, 0.0, 7.0, 0.0]);
    let leaky = || AnyLayer::from(LeakyRelu::new().slope(0.5));
    assert_eq!(at(leaky(), Rule::Gradient), [2.0, -1.0, 3.5, -3.0]);
    assert_eq!(at(leaky(), Rule::Guided), [2.0, 0.0, 3.5, 0.0]);
    assert_eq!(at(leaky(), Rule::Deconvnet), [2.0, -0.5, 7.0, -3.0]);
}

#[test]
fn saturated_units_stop_what_is_decided_on_the_way_up() {
    let (x, w) = ([3.0, 7.0, -2.0, 6.5], [2.0, 4.0, 7.0, -6.0]);
    let at = |rule| by_input(rectifier(Relu6), &[("fc.weight", &w)], &x, rule, &[1.0]);
    assert_eq!(at(Rule::Gradient), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(at(Rule::Guided), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(at(Rule::Deconvnet), [2.0, 4.0, 7.0, 0.0]);
}

#[test]
fn the_deconvnet_unpools_rectifies_and_filters() {
    // Two rows of six pixels, two filters of one tap each (2 and −3), ReLU, pooling, and a sum over both channels.
    let mut g = Builder::new("deconvnet");
    let x = g.input(Shape::new(2, 6, 1));
    let c = g.add("conv", Conv::new(2, 1).no_bias(), x);
    let r = g.add("relu", Relu, c);
    let n = g.add("norm", LocalResponseNorm::new(2, 1e-6, 0.75, 2.0), r);
    let p = g.add("pool", MaxPool::new(2), n);
    let y = g.add("mix", Conv::new(1, 1).no_bias(), p);
    let graph = g.finish(y).unwrap();
    let set: [(&str, &[f32]); 2] = [("conv.weight", &[2.0, -3.0]), ("mix.weight", &[1.0, -1.0])];
    let x = [1.0, 4.0, -1.0, -5.0, 2.0, 0.0, 0.0, 3.0, -2.0, 0.0, 1.0, 0.5];
    let found = by_input(graph, &set, &x, Rule::Deconvnet, &[10.0, 20.0, 30.0]);
    // Channel 0 gets the values, channel 1 their negatives, which rectification stops. Normalisation, which would halve
    // and more, is passed by. Channel 0 is largest at columns 1 and 4 of the upper row; in the window between all are
    // zero, and the first wins.
    let expected = [0.0, 20.0, 40.0, 0.0, 60.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(found, expected);
}

#[test]
fn a_sweep_by_the_gradient_is_the_backward_sweep() {
    let mut g = Builder::new("both");
    let x = g.input(Shape::new(5, 5, 2));
    let c = g.add("conv", Conv::new(3, 3).pad(1), x);
    let r = g.add("relu", Relu, c);
    let p = g.add("pool", MaxPool::new(2), r);
    let y = g.add("last", Conv::new(2, 2), p);
    let graph = Arc::new(g.finish(y).unwrap());
    let p = Parameters::init(&graph, striate_engine::Scheme::He, 3);
    let (input, output) = (graph.input_id(), graph.output_id());
    let request = Request { backward_from: vec![output], gradient_taps: vec![input], ..Request::predict(2) };
    let images: Vec<f32> = (0..2 * 50).map(|i| ((i * 37 % 23) as f32 - 11.0) / 8.0).collect();
    let seed = [1.0, -2.0, 0.5, 3.0];
    let mut session = Session::new(graph, Arc::new(Cpu::new(2).unwrap()), &request).unwrap();
    session.forward(&p, &images, 2, 0).unwrap();
    session.sweep(Rule::Gradient, &p, &[(output, &seed)]).unwrap();
    let swept = session.gradient(input).unwrap().to_vec();
    // A sweep uses its pass up.
    assert_eq!(session.sweep(Rule::Gradient, &p, &[(output, &seed)]), Err(EngineError::UsedUp));
    session.forward(&p, &images, 2, 0).unwrap();
    session.backward(&p, &[(output, &seed)], &mut p.zeros_like(true)).unwrap();
    assert_eq!(session.gradient(input).unwrap(), swept);
    assert!(swept.iter().any(|v| *v != 0.0));
}

#[test]
fn sessions_that_train_are_refused() {
    let graph = rectifier(Relu);
    let start: Vec<NodeId> = vec![graph.output_id()];
    let p = Tensors::zeros(&graph);
    for request in [
        Request { training: true, backward_from: start.clone(), ..Request::predict(1) },
        Request { parameter_gradients: true, backward_from: start, ..Request::predict(1) },
    ] {
        let mut session = Session::new(Arc::new(graph.clone()), Arc::new(Cpu::new(1).unwrap()), &request).unwrap();
        session.forward(&p, &[0.0; 4], 1, 0).unwrap();
        let e = session.sweep(Rule::Guided, &p, &[]).unwrap_err().to_string();
        assert!(e.contains("`rectifier`") && e.contains("a session that predicts"), "{e}");
    }
}

#[test]
fn what_lies_behind_the_seed_brings_nothing() {
    // Two branches and a sum: from the node before them a sweep is that of the network which ends there.
    let mut g = Builder::new("branches");
    let x = g.input(Shape::new(4, 4, 2));
    let middle = g.add("middle", Conv::new(3, 3).pad(1), x);
    let r = g.add("relu", Relu, middle);
    let a = g.add("a", Conv::new(2, 3).pad(1), r);
    let b = g.add("b", Conv::new(2, 1), r);
    let sum = g.add("sum", Add, [a, b]);
    let graph = g.finish(sum).unwrap();
    let p = Parameters::init(&graph, striate_engine::Scheme::He, 4);
    let images: Vec<f32> = (0..3 * 32).map(|i| ((i * 29 % 31) as f32 - 15.0) / 8.0).collect();
    let seed: Vec<f32> = (0..2 * 48).map(|i| (i % 7) as f32 - 3.0).collect();
    let whole = Arc::new(graph.clone());
    let part = Arc::new(graph.until(middle));
    let of = |graph: &Arc<Graph>, starts: Vec<NodeId>, start: NodeId| {
        let p: Parameters = p.clone().take_part(graph).unwrap();
        let input = graph.input_id();
        let request = Request { backward_from: starts, gradient_taps: vec![input], ..Request::predict(3) };
        let mut session = Session::new(graph.clone(), Arc::new(Cpu::new(2).unwrap()), &request).unwrap();
        // The second pass is of fewer images, and finds what the first one left.
        session.forward(&p, &images, 3, 0).unwrap();
        session.sweep(Rule::Gradient, &p, &[(start, &[seed.as_slice(), &seed[..48]].concat())]).unwrap();
        session.forward(&p, &images[..64], 2, 0).unwrap();
        session.sweep(Rule::Gradient, &p, &[(start, &seed)]).unwrap();
        session.gradient(input).unwrap().to_vec()
    };
    let end = part.output_id();
    let alone = of(&part, vec![end], end);
    assert_eq!(of(&whole, vec![middle, sum], middle), alone);
    assert_eq!(of(&whole, vec![middle], middle), alone);
    assert!(alone.iter().any(|v| *v != 0.0));
}
