//! Networks computed with joined layers against the same computed layer by layer.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Parameters, Request, Scheme, Session, Tensors};
use striate_graph::layers::{
    Add, BatchNorm, Concat, Conv, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool, Relu, Relu6, Tanh,
};
use striate_graph::{Builder, Graph, NodeId, Shape};
use striate_kernels::{Algorithm, Cpu, Isa, uniform};
use striate_zoo::{Options, find};

/// Every pattern that a pass looks for, and neighbours that it must leave alone.
fn patterns() -> Graph {
    let mut g = Builder::new("patterns");
    let x = g.input(Shape::new(9, 8, 3));
    // Convolution, normalisation, activation; with a bias before the normalisation.
    let a = g.add("conv1", Conv::new(20, 3).pad(1), x);
    let a = g.add("bn1", BatchNorm::new(), a);
    let a = g.add("relu1", Relu, a);
    // A residual block whose sum two nodes read.
    let b = g.add("conv2", Conv::new(20, 3).pad(1).no_bias(), a);
    let b = g.add("bn2", BatchNorm::new(), b);
    let b = g.add("add2", Add, [b, a]);
    let b = g.add("relu2", Relu6, b);
    // A downsampling block: both sides are convolutions.
    let c = g.add("conv3", Conv::new(17, 3).stride(2).pad(1).no_bias(), b);
    let c = g.add("bn3", BatchNorm::new(), c);
    let d = g.add("down", Conv::new(17, 1).stride(2).no_bias(), b);
    let d = g.add("down_bn", BatchNorm::new(), d);
    let c = g.add("add3", Add, [d, c]);
    let c = g.add("relu3", Relu, c);
    // A normalisation that two nodes read: no activation is joined to it.
    let n = g.add("conv4", Conv::new(6, 1), c);
    let n = g.add("bn4", BatchNorm::new(), n);
    let m = g.add("relu4", Relu, n);
    let n = g.add("add4", Add, [n, m]);
    // A concatenation of convolutions, one of them with nothing behind it, and one read twice.
    let p = g.add("branch1", Conv::new(5, 1), n);
    let q = g.add("branch2", Conv::new(18, 3).pad(1), n);
    let q = g.add("branch2_relu", Relu, q);
    let e = g.add("concat", Concat, [p, q]);
    let f = g.add("concat2", Concat, [e, m]);
    let f = g.add("pool", MaxPool::new(3).stride(2).pad(1), f);
    let f = g.add("depthwise", Conv::new(29, 3).pad(1).groups(29), f);
    let f = g.add("depthwise_bn", BatchNorm::new(), f);
    let f = g.add("depthwise_relu", Relu6, f);
    let f = g.add("drop", Dropout::new(0.4), f);
    let h = g.add("flatten", Flatten, f);
    let h = g.add("fc1", Linear::new(21), h);
    let h = g.add("fc1_bn", BatchNorm::new(), h);
    let h = g.add("fc1_relu", Relu, h);
    let h = g.add("drop2", Dropout::new(0.2), h);
    let k = g.add("tail", GlobalAvgPool, f);
    let k = g.add("fc2", Linear::new(21).no_bias(), k);
    let k = g.add("tanh", Tanh, k);
    let y = g.add("sum", Add, [h, k]);
    let y = g.add("fc3", Linear::new(7), y);
    g.finish(y).unwrap()
}

fn zoo(name: &str, size: usize) -> Graph {
    let options = Options { input: Some(Shape::new(size, size, 3)), classes: Some(10), ..Options::default() };
    find(name).unwrap().build(&options).unwrap()
}

fn networks() -> Vec<Arc<Graph>> {
    let zoo = [("resnet18", 64), ("googlenet", 64), ("mobilenet_v1", 64), ("vgg11", 32), ("resnet20", 32)];
    [patterns()].into_iter().chain(zoo.map(|(name, size)| self::zoo(name, size))).map(Arc::new).collect()
}

/// Every instruction set for the small network, the best for the others.
fn sets(graph: &Graph) -> Vec<Isa> {
    if graph.name() == "patterns" { Isa::available() } else { vec![Isa::detect()] }
}

/// Initialised parameters, none of them neutral.
fn parameters(graph: &Graph) -> Parameters {
    let mut p = Parameters::init(graph, Scheme::He, 5);
    for (i, (_, spec, values)) in p.iter_mut().enumerate() {
        let scale = if spec.name == "running_var" { 0.5 } else { 0.1 };
        if !spec.decay {
            values.iter_mut().enumerate().for_each(|(j, v)| *v += scale * (uniform(40 + i as u64, j as u64) - 0.5));
        }
    }
    p
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect()
}

/// The largest difference, in units of the root mean square of `expected`.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let square: f64 = expected.iter().map(|v| f64::from(*v).powi(2)).sum();
    let scale = (square / expected.len() as f64).sqrt().max(1e-12);
    found.iter().zip(expected).map(|(a, b)| f64::from(a - b).abs() / scale).fold(0.0, f64::max)
}

fn predicted(graph: &Arc<Graph>, cpu: &Arc<Cpu>, request: &Request, batch: usize) -> Vec<f32> {
    let (p, x) = (parameters(graph), noise(7, batch * graph.input().shape.len()));
    let mut session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
    session.forward(&p, &x, batch, 3).unwrap().to_vec()
}

#[test]
fn joined_layers_predict_the_same() {
    for graph in networks() {
        for isa in sets(&graph) {
            let cpu = Arc::new(Cpu::with_isa(2, isa).unwrap());
            let plain = Request { passes: false, ..Request::predict(3) };
            let expected = predicted(&graph, &cpu, &plain, 2);
            let found = predicted(&graph, &cpu, &Request::predict(3), 2);
            let off = distance(&found, &expected);
            assert!(off < 2e-5, "{} on {}: {off:e}", graph.name(), isa.name());
        }
    }
}

#[test]
fn taps_of_joined_layers_read_what_the_layers_alone_compute() {
    for graph in networks().into_iter().take(3) {
        let (p, x) = (parameters(&graph), noise(7, 2 * graph.input().shape.len()));
        let cpu = Arc::new(Cpu::new(2).unwrap());
        let run = |request: Request| {
            let mut session = Session::new(graph.clone(), cpu.clone(), &request).unwrap();
            session.forward(&p, &x, 2, 3).unwrap();
            session
        };
        let every: Vec<NodeId> = graph.ids().collect();
        let plain = run(Request { passes: false, taps: every.clone(), ..Request::predict(2) });
        for some in [0, 1, 2] {
            let taps: Vec<NodeId> = every.iter().copied().skip(some).step_by(3).collect();
            let session = run(Request { taps: taps.clone(), ..Request::predict(2) });
            for id in taps {
                let off = distance(session.activation(id).unwrap(), plain.activation(id).unwrap());
                assert!(off < 1e-4, "{} of {}: {off:e}", graph.node(id).name, graph.name());
            }
        }
    }
}

/// The output and the parameters' gradients of one training step.
fn trained(graph: &Arc<Graph>, cpu: &Arc<Cpu>, request: &Request, batch: usize) -> (Vec<f32>, Tensors, Parameters) {
    let (mut p, x) = (parameters(graph), noise(7, batch * graph.input().shape.len()));
    let mut session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
    let y = session.forward(&p, &x, batch, 3).unwrap().to_vec();
    let dy = noise(8, y.len());
    let mut gradients = p.zeros_like(false);
    gradients.fill(f32::NAN);
    session.backward(&p, &[(graph.output_id(), &dy)], &mut gradients).unwrap();
    session.gather_statistics(&mut p);
    (y, gradients, p)
}

#[test]
fn joined_layers_learn_the_same() {
    // The gradients of the deep ones are held to PyTorch's, where maps are larger: here they are sums of a few values with
    // kinks.
    let deep = ["googlenet", "mobilenet_v1"];
    for graph in networks().into_iter().filter(|g| !deep.contains(&g.name())) {
        for isa in sets(&graph) {
            let cpu = Arc::new(Cpu::with_isa(2, isa).unwrap());
            // Deep networks of few values a channel turn rounding into flipped ReLUs: the algorithm is held.
            let joined = Request { algorithm: Some(Algorithm::Direct), ..Request::train(&graph, 5) };
            let plain = Request { passes: false, ..joined.clone() };
            let (y, gradients, gathered) = trained(&graph, &cpu, &joined, 4);
            let (expected, by_layers, statistics) = trained(&graph, &cpu, &plain, 4);
            let what = format!("{} on {}", graph.name(), isa.name());
            let off = distance(&y, &expected);
            assert!(off < 5e-4, "{what}: {off:e}");
            for ((name, spec, found), (.., expected)) in gradients.iter().zip(by_layers.iter()) {
                if spec.trainable {
                    // Rounding moves a few values across the kinks of ReLU, in the deep ones more.
                    let off = norm_distance(found, expected);
                    let bound = if graph.name() == "patterns" { 2e-3 } else { 3e-2 };
                    assert!(off < bound, "{what}, {name}: {off:e}");
                }
            }
            for ((name, _, found), (.., expected)) in gathered.iter().zip(statistics.iter()) {
                assert!(distance(found, expected) < 1e-4, "{what}, {name}");
            }
        }
    }
}

/// The norm of the difference over the norm.
fn norm_distance(found: &[f32], expected: &[f32]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied()).max(1e-3)
}
