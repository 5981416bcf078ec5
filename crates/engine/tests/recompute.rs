//! Training steps that compute cheap activations again instead of keeping them: the same bits, in less memory.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};
use striate_engine::{Memory, Parameters, Request, Scheme, Session, Tensors};
use striate_graph::layers::{
    AdaptiveAvgPool, Add, AvgPool, BatchNorm, Concat, Conv, Dropout, Flatten, FractionalMaxPool, GlobalAvgPool,
    GlobalMaxPool, LeakyRelu, Linear, LocalResponseNorm, MaxPool, NormPool, Relu, Relu6, ScaledTanh, Sigmoid, Softmax,
    Subsample, Tanh, ZeroPadShortcut,
};
use striate_graph::{AnyLayer, Builder, Graph, NodeId, Shape};
use striate_kernels::{Cpu, hash, uniform};
use striate_zoo::{Options, find};

/// Every kind that may be computed again, each read by a convolution or linear layer behind it, with branches.
fn every_kind() -> Graph {
    let mut g = Builder::new("every_kind");
    let x = g.input(Shape::new(11, 10, 3));
    // Without a gradient of its own, and read by a convolution that has one.
    let p = g.add("pool_of_input", MaxPool::new(2).stride(1), x);
    let mut x = g.add("stem", Conv::new(8, 3).pad(1), p);
    let alone: Vec<AnyLayer> = vec![
        Relu.into(),
        LocalResponseNorm::alexnet().into(),
        MaxPool::new(3).stride(1).pad(1).into(),
        AvgPool::new(3).stride(1).pad(1).into(),
        NormPool::l2(3).stride(1).pad(1).into(),
        Relu6.into(),
        LeakyRelu::new().into(),
        Tanh.into(),
        ScaledTanh::new().into(),
        Sigmoid.into(),
        Softmax::new().into(),
        Dropout::new(0.3).into(),
        ZeroPadShortcut::new(9, 1).into(),
        BatchNorm::new().into(),
    ];
    for (i, layer) in alone.into_iter().enumerate() {
        x = g.add(format!("cheap{i}"), layer, x);
        let y = g.add(format!("conv{i}"), Conv::new(8, 3).pad(1), x);
        let z = g.add(format!("bn{i}"), BatchNorm::new(), y);
        x = g.add(format!("relu{i}"), Relu, z);
    }
    // A residual block, its sum read by three, and a concatenation of what is replayed and what is kept.
    let b = g.add("block1", Conv::new(8, 3).pad(1).no_bias(), x);
    let b = g.add("block1_bn", BatchNorm::new(), b);
    let b = g.add("block1_relu", Relu6, b);
    let c = g.add("block2", Conv::new(8, 3).pad(1).no_bias(), b);
    let c = g.add("block2_bn", BatchNorm::new(), c);
    let c = g.add("block2_add", Add, [c, x]);
    let c = g.add("block2_relu", Relu, c);
    let d = g.add("branch", Conv::new(5, 1), c);
    let e = g.add("both", Concat, [d, b, c]);
    let f = g.add("fractional", FractionalMaxPool::new(1.4).random().seed(5), e);
    let f = g.add("trained", Subsample::new(2), f);
    let h = g.add("deep", Conv::new(6, 1), f);
    let i = g.add("adaptive", AdaptiveAvgPool::new(2, 2), h);
    let i = g.add("flat", Flatten, i);
    let j = g.add("most", GlobalMaxPool, h);
    let k = g.add("mean", GlobalAvgPool, c);
    let y = g.add("joined", Concat, [i, j, k]);
    let y = g.add("fc1", Linear::new(12), y);
    let y = g.add("fc1_relu", Relu, y);
    let y = g.add("fc1_drop", Dropout::new(0.5), y);
    let y = g.add("fc2", Linear::new(7), y);
    g.finish(y).unwrap()
}

/// Numbers below a bound, by a rule.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = hash(self.0, 1);
        (self.0 % n as u64) as usize
    }
}

/// Any directed graph without cycles, of maps of one size; all that nothing else reads is joined at the end.
fn tangled(seed: u64, size: usize) -> Graph {
    let mut dice = Dice(seed);
    let mut g = Builder::new(format!("tangled{seed}"));
    let mut maps = vec![g.input(Shape::new(6, 5, 4))];
    let mut read = vec![false];
    let near = dice.below(6) + 1;
    for i in 0..size {
        let mut pick = || maps.len() - 1 - dice.below(maps.len().min(near));
        let (a, b) = (pick(), pick());
        let (x, y) = (maps[a], maps[b]);
        let layers: [AnyLayer; 10] = [
            Conv::new(4, 3).pad(1).into(),
            Conv::new(4, 1).into(),
            BatchNorm::new().into(),
            Relu.into(),
            Relu6.into(),
            Tanh.into(),
            MaxPool::new(3).stride(1).pad(1).into(),
            AvgPool::new(3).stride(1).pad(1).into(),
            LocalResponseNorm::alexnet().into(),
            Dropout::new(0.2).into(),
        ];
        let kind = dice.below(14);
        let two = kind > 10 && a != b;
        let next = match kind {
            11 | 12 if two => g.add(format!("add{i}"), Add, [x, y]),
            13 if two => {
                let wide = g.add(format!("concat{i}"), Concat, [x, y]);
                g.add(format!("narrow{i}"), Conv::new(4, 1), wide)
            }
            _ => g.add(format!("layer{i}"), layers[kind % 10].clone(), x),
        };
        read[a] = true;
        read[b] |= two;
        maps.push(next);
        read.push(false);
    }
    let ends: Vec<NodeId> = maps.iter().zip(&read).filter(|(_, read)| !**read).map(|(id, _)| *id).collect();
    let y = if ends.len() > 1 { g.add("ends", Concat, ends) } else { ends[0] };
    let y = g.add("mean", GlobalAvgPool, y);
    let y = g.add("fc", Linear::new(3), y);
    g.finish(y).unwrap()
}

fn zoo(name: &str, size: usize) -> Graph {
    let options = Options { input: Some(Shape::new(size, size, 3)), classes: Some(10), ..Options::default() };
    find(name).unwrap().build(&options).unwrap()
}

fn again(request: &Request) -> Request {
    Request { recompute: true, ..request.clone() }
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect()
}

fn bits<'a>(values: impl IntoIterator<Item = &'a [f32]>) -> Vec<Vec<u32>> {
    values.into_iter().map(|v| v.iter().map(|x| x.to_bits()).collect()).collect()
}

fn tensors(t: &Tensors) -> impl Iterator<Item = &[f32]> {
    t.iter().map(|(.., values)| values)
}

/// Two steps on one session, the second of fewer images: outputs, taps, their gradients, parameters' gradients, statistics.
fn steps(graph: &Arc<Graph>, cpu: &Arc<Cpu>, request: &Request) -> Vec<Vec<u32>> {
    let mut p = Parameters::init(graph, Scheme::He, 5);
    let mut session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
    let (mut gradients, mut all) = (p.zeros_like(true), Vec::new());
    for (seed, batch) in [(3, request.batch), (4, request.batch - 1)] {
        let x = noise(seed, batch * graph.input().shape.len());
        all.extend(bits([session.forward(&p, &x, batch, seed).unwrap()]));
        let dy: Vec<(NodeId, Vec<f32>)> = request
            .backward_from
            .iter()
            .map(|id| (*id, noise(seed + 10, batch * graph.node(*id).shape.len())))
            .collect();
        let seeds: Vec<(NodeId, &[f32])> = dy.iter().map(|(id, dy)| (*id, dy.as_slice())).collect();
        session.backward(&p, &seeds, &mut gradients).unwrap();
        session.gather_statistics(&mut p);
        all.extend(bits(request.taps.iter().map(|id| session.activation(*id).unwrap())));
        all.extend(bits(request.gradient_taps.iter().map(|id| session.gradient(*id).unwrap())));
        all.extend(bits(tensors(&gradients).chain(tensors(&p))));
    }
    all
}

/// How many steps are computed again.
fn count(graph: &Arc<Graph>, cpu: &Arc<Cpu>, request: &Request) -> usize {
    let session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
    session.steps().iter().filter(|step| step.again_for.is_some()).count()
}

#[test]
fn what_is_computed_again_has_the_same_bits() {
    let networks = [zoo("resnet20", 32), zoo("googlenet", 64), zoo("mobilenet_v1_0.25", 64), zoo("alexnet", 64)];
    for graph in [every_kind()].into_iter().chain(networks).map(Arc::new) {
        let plain = Request::train(&graph, 3);
        let one = Arc::new(Cpu::new(1).unwrap());
        let expected = steps(&graph, &one, &plain);
        for threads in [1, 3] {
            let cpu = Arc::new(Cpu::new(threads).unwrap());
            assert!(steps(&graph, &cpu, &again(&plain)) == expected, "{} at {threads} threads", graph.name());
        }
        assert!(count(&graph, &one, &again(&plain)) > 0 && count(&graph, &one, &plain) == 0, "{}", graph.name());
    }
}

#[test]
fn taps_and_layers_alone_have_the_same_bits() {
    let graph = Arc::new(every_kind());
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let all: Vec<NodeId> = graph.ids().collect();
    for some in 0..4 {
        let taps: Vec<NodeId> = all.iter().copied().skip(some).step_by(4).collect();
        for passes in [false, true] {
            let tapped =
                Request { taps: taps.clone(), gradient_taps: taps.clone(), passes, ..Request::train(&graph, 3) };
            assert!(steps(&graph, &cpu, &again(&tapped)) == steps(&graph, &cpu, &tapped), "taps from {some}");
            let frozen = Request { parameter_gradients: false, ..tapped };
            assert!(steps(&graph, &cpu, &again(&frozen)) == steps(&graph, &cpu, &frozen), "frozen, from {some}");
        }
    }
}

#[test]
fn any_graph_has_the_same_bits_in_no_more_memory() {
    let cpu = Arc::new(Cpu::new(1).unwrap());
    let mut replayed = 0;
    for seed in 0..150 {
        let graph = Arc::new(tangled(seed, 2 + seed as usize % 30));
        let plain = Request::train(&graph, 3);
        assert!(steps(&graph, &cpu, &again(&plain)) == steps(&graph, &cpu, &plain), "{seed}");
        let [less, all] = [again(&plain), plain.clone()].map(|request| Memory::of(&graph, &request).unwrap());
        assert!(less.buffers <= all.buffers, "{seed}: {less:?}, {all:?}");
        replayed += count(&graph, &cpu, &again(&plain));
    }
    assert!(replayed > 150, "{replayed}");
}

/// Bytes of some nodes' maps for a batch.
fn maps(graph: &Graph, batch: usize, of: impl Fn(NodeId) -> bool) -> usize {
    4 * batch * graph.ids().filter(|id| of(*id)).map(|id| graph.node(id).shape.len()).sum::<usize>()
}

/// Without, a sweep has all that convolutions and linear layers wrote and read; with, what they wrote and few maps more: the
/// gradients of the moment, what is replayed for it, and in a `ResNet` some of the blocks' sums.
#[test]
fn what_convolutions_write_is_kept_and_little_more() {
    const BATCH: usize = 8;
    let networks = [
        (zoo("resnet20", 32), 3),
        (zoo("resnet50", 64), 3),
        (zoo("googlenet", 64), 2),
        (zoo("mobilenet_v1", 64), 2),
        (zoo("vgg16", 32), 2),
    ];
    for (graph, more) in networks {
        let request = Request::train(&graph, BATCH);
        let [less, all] = [again(&request), request].map(|request| Memory::of(&graph, &request).unwrap().buffers);
        let kind = |id: NodeId| graph.node(id).layer.kind();
        let weighted = |id: NodeId| ["conv", "linear"].contains(&kind(id));
        let written = maps(&graph, BATCH, |id| weighted(id) || kind(id) == "input");
        let read = |id: NodeId| graph.ids().any(|user| weighted(user) && graph.node(user).inputs.contains(&id));
        // A ReLU straight behind a convolution clamps in place.
        let clamps = |id: NodeId| kind(id) == "relu" && weighted(graph.node(id).inputs[0]);
        let also = maps(&graph, BATCH, |id| read(id) && !weighted(id) && !clamps(id) && kind(id) != "input");
        let largest = 4 * BATCH * graph.nodes().iter().map(|n| n.shape.len()).max().unwrap();
        let name = graph.name();
        assert!(all >= written + also, "{name}: {all} bytes, {written} written, {also} read");
        assert!(less <= written + more * largest, "{name}: {less} bytes, {written} written, {largest} the largest");
        assert!(less < all, "{name}: {less} of {all} bytes");
    }
}

#[test]
fn a_deep_network_is_planned_in_time() {
    let graph = zoo("resnet152", 64);
    let start = Instant::now();
    Memory::of(&graph, &again(&Request::train(&graph, 2))).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 }),
        "{:?}",
        start.elapsed()
    );
}
