//! After the first step nothing is allocated any more, on any thread: not in a training step, forward, loss, backward and
//! update, nor in a prediction. The counter counts the whole process, so this file holds one test.

#![allow(clippy::unwrap_used)]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::{Arc, Barrier};
use striate_engine::{Parameters, Request, Scheme, Session};
use striate_graph::{Graph, Shape};
use striate_kernels::{Cpu, uniform};
use striate_train::{MicroBatches, Rule, Stepper};
use striate_zoo::{Options, find};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BATCH: usize = 3;

/// How often memory was asked for while `f` ran.
fn allocations(f: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    f();
    let change = region.change();
    change.allocations + change.reallocations
}

/// The allocations of a training step, of one that computes again what is cheap, of one whose gradients are kept, of one in
/// micro-batches, and of a prediction, each after one that came before.
fn counts(graph: &Arc<Graph>, cpu: &Arc<Cpu>, rule: Rule) -> [usize; 5] {
    let images: Vec<f32> = (0..BATCH * graph.input().shape.len()).map(|i| uniform(8, i as u64) - 0.5).collect();
    let parameters = Parameters::init(graph, Scheme::Glorot, 3);
    let plain = Stepper::request(graph, BATCH, &[]);
    let again = Request { recompute: true, ..plain.clone() };
    let training = [(plain.clone(), false), (again, false), (plain, true)].map(|(request, keeps)| {
        let (graph, cpu) = (graph.clone(), cpu.clone());
        let mut stepper = Stepper::planned(graph, cpu, parameters.clone(), rule, &request).unwrap();
        if keeps {
            stepper.keep_gradients();
        }
        let mut step = |seed| {
            let (loss, _) = stepper.step(&images, &[0, 1, 2], 1e-3, seed).unwrap();
            assert!(loss.is_finite(), "loss {loss}");
        };
        step(1);
        allocations(|| step(2))
    });
    let stepper = Stepper::new(graph.clone(), cpu.clone(), parameters.clone(), rule, 2).unwrap();
    let mut micro = MicroBatches::new(stepper, BATCH, 2).unwrap();
    let mut step = |seed| {
        let (loss, _) = micro.step(&images, &[0, 1, 2], 1e-3, seed).unwrap();
        assert!(loss.is_finite(), "{}: loss {loss}", graph.name());
    };
    step(1);
    let parts = allocations(|| step(2));
    let mut session = Session::new(graph.clone(), cpu.clone(), &Request::predict(BATCH)).unwrap();
    let mut predict = || {
        session.forward(&parameters, &images, BATCH, 0).unwrap();
    };
    predict();
    let [plain, again, kept] = training;
    [plain, again, kept, parts, allocations(predict)]
}

#[test]
fn steps_and_predictions_allocate_nothing() {
    let cpu = Arc::new(Cpu::new(3).unwrap());
    assert_eq!(allocations(|| drop(vec![1])), 1, "the counter counts");
    // A thread that begins allocates: all are there before any goes on.
    let all = Barrier::new(cpu.threads());
    cpu.run(cpu.threads(), |_| {
        all.wait();
    });
    let [sgd, adamw] = ["sgd", "adamw"].map(|name| Rule::named(name).unwrap());
    let networks = [
        ("lenet5", 32, sgd),
        ("resnet20", 32, adamw),
        ("alexnet", 64, sgd),
        ("googlenet", 64, sgd),
        ("mobilenet_v1_0.25", 32, sgd),
    ];
    for (name, side, rule) in networks {
        let architecture = find(name).unwrap();
        let input = Some(Shape::new(side, side, architecture.input.c));
        let graph = architecture.build(&Options { input, classes: Some(5), ..Options::default() }).unwrap();
        assert_eq!(counts(&Arc::new(graph), &cpu, rule), [0; 5], "{name}: training steps, a prediction");
    }
}
