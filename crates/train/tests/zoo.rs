//! The registry's walk through the engine: every architecture, at three input sizes, runs forward and backward with finite
//! values, and every parameter gets a gradient.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Parameters, Scheme};
use striate_graph::{Graph, Shape};
use striate_kernels::{Cpu, uniform};
use striate_train::{Rule, Stepper};
use striate_zoo::{Architecture, Options, all};

/// Three sizes, one of them not square, one with other channels. Networks for photographs run at the least of two sizes
/// that fit them, to save time.
fn inputs(a: &Architecture) -> [Shape; 3] {
    let c = a.input.c;
    if a.input.h < 100 {
        return [a.input, Shape::new(40, 33, c), Shape::new(28, 28, 4 - c)];
    }
    let sizes = |s: usize| [Shape::new(s, s, c), Shape::new(s + 8, s + 24, c), Shape::new(s + 9, s, 1)];
    let fits = |s: &usize| a.build(&Options { input: Some(Shape::new(*s, *s, c)), ..Options::default() }).is_ok();
    sizes([48, 72].into_iter().find(fits).unwrap())
}

/// A step on two images; what went in is returned to be used again where it fits.
fn step(graph: &Arc<Graph>, cpu: &Arc<Cpu>, parameters: Parameters) -> Parameters {
    const BATCH: usize = 2;
    let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let mut stepper = Stepper::new(graph.clone(), cpu.clone(), parameters, rule, BATCH).unwrap();
    stepper.keep_gradients();
    let images: Vec<f32> = (0..BATCH * graph.input().shape.len()).map(|i| 2.0 * uniform(8, i as u64) - 1.0).collect();
    let what = format!("{} at {}", graph.name(), graph.input().shape);
    let (loss, logits) = stepper.step(&images, &[0, 1], 0.0, 1).unwrap();
    assert!(loss.is_finite() && loss > 0.0, "{what}: loss {loss}");
    assert!(logits.iter().all(|v| v.is_finite()), "{what}: {logits:?}");
    for (name, spec, gradient) in stepper.gradients().unwrap().iter().filter(|(_, spec, _)| spec.trainable) {
        assert_eq!(gradient.len(), spec.len(), "{what}: {name}");
        assert!(gradient.iter().all(|g| g.is_finite()), "{what}: {name} is not finite");
        assert!(gradient.iter().any(|&g| g != 0.0), "{what}: {name} gets no gradient");
    }
    stepper.into_parameters()
}

#[test]
fn every_network_trains_at_three_sizes() {
    let cpu = Arc::new(Cpu::new(0).unwrap());
    for a in all() {
        let mut parameters: Option<(Vec<usize>, Parameters)> = None;
        for input in inputs(a) {
            let options = Options { input: Some(input), classes: Some(5), ..Options::default() };
            let graph = Arc::new(a.build(&options).unwrap());
            assert_eq!(Graph::from_json(&graph.to_json()).unwrap(), *graph, "{}", a.name);
            let sizes: Vec<usize> = graph.params().map(|(_, spec)| spec.len()).collect();
            let drawn = match parameters.take() {
                // Drawing VGG's 10⁸ weights takes longer than the step.
                Some((same, drawn)) if same == sizes => drawn,
                _ => Parameters::init(&graph, Scheme::Glorot, 3),
            };
            parameters = Some((sizes, step(&graph, &cpu, drawn)));
        }
    }
}
