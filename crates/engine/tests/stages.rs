//! Predictions that take a few images at a time through the steps whose activations are large.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Memory, Parameters, Request, Scheme, Session};
use striate_graph::layers::{Add, Concat, Conv, Flatten, GlobalAvgPool, Linear, MaxPool, Relu};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, uniform};

/// Large maps, then small ones, then a classifier of many weights, with sums and concatenations across the borders.
fn funnel() -> Graph {
    let mut g = Builder::new("funnel");
    let x = g.input(Shape::new(160, 150, 3));
    let a = g.add("conv1", Conv::new(16, 3).pad(1), x);
    let a = g.add("relu1", Relu, a);
    let b = g.add("conv2", Conv::new(16, 3).pad(1), a);
    let b = g.add("add", Add, [b, a]);
    let b = g.add("relu2", Relu, b);
    let p = g.add("pool1", MaxPool::new(4).stride(4), b);
    let c = g.add("conv3", Conv::new(8, 3).pad(1), p);
    let q = g.add("pool_x", MaxPool::new(4).stride(4), x);
    let d = g.add("concat", Concat, [c, q, p]);
    let e = g.add("pool2", MaxPool::new(4).stride(4), d);
    let f = g.add("flatten", Flatten, e);
    let f = g.add("fc1", Linear::new(40), f);
    let h = g.add("mean", GlobalAvgPool, b);
    let h = g.add("fc2", Linear::new(40), h);
    let y = g.add("sum", Add, [f, h]);
    g.finish(y).unwrap()
}

#[test]
fn answers_are_those_of_all_images_at_once() {
    let graph = Arc::new(funnel());
    let p = Parameters::init(&graph, Scheme::He, 3);
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let len = graph.input().shape.len();
    let x: Vec<f32> = (0..12 * len as u64).map(|i| uniform(7, i) - 0.5).collect();
    let mut staged = Session::new(graph.clone(), cpu.clone(), &Request::predict(12)).unwrap();
    let images: Vec<usize> = staged.steps().iter().map(|s| s.images).collect();
    assert!(images[0] < 12 && images.contains(&12), "{images:?}");
    // A tap keeps all images together.
    let request = Request { taps: vec![graph.output_id()], ..Request::predict(12) };
    let mut plain = Session::new(graph.clone(), cpu, &request).unwrap();
    assert!(plain.steps().iter().all(|s| s.images == 12));
    for batch in [12, 1, 5, 12] {
        let expected = plain.forward(&p, &x[..batch * len], batch, 0).unwrap().to_vec();
        let found = staged.forward(&p, &x[..batch * len], batch, 0).unwrap();
        assert_eq!(found.len(), batch * 40);
        let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{found} for {expected} at batch {batch}");
        }
    }
    let request = Request { batch: 64, ..request };
    let all = Memory::of(&graph, &request).unwrap().total();
    let few = Memory::of(&graph, &Request::predict(64)).unwrap().total();
    assert!(few * 3 < all * 2, "{few} of {all} bytes");
}
