//! Sessions that keep activations as bf16, against those that keep f32.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Memory, Parameters, Precision, Request, Scheme, Session, Tensors};
use striate_graph::layers::{
    Add, AvgPool, BatchNorm, Concat, Conv, Flatten, GlobalAvgPool, Linear, LocalResponseNorm, MaxPool, Relu, Relu6,
};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Algorithm, Bf16, Cpu, Isa, uniform};
use striate_zoo::{Options, find};

fn noise(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect()
}

/// Logits, gradients and gathered statistics of one training step.
fn step(
    graph: &Arc<Graph>,
    cpu: &Arc<Cpu>,
    p: &Parameters,
    x: &[f32],
    dy: &[f32],
    request: &Request,
) -> (Vec<f32>, Tensors, Parameters) {
    let mut session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
    let batch = dy.len() / graph.output().shape.len();
    let logits = session.forward(p, x, batch, 3).unwrap().to_vec();
    let mut gradients = p.zeros_like(true);
    session.backward(p, &[(graph.output_id(), dy)], &mut gradients).unwrap();
    let mut gathered = p.clone();
    session.gather_statistics(&mut gathered);
    (logits, gradients, gathered)
}

/// Layers whose results are small whole numbers if their inputs, weights and gradients are.
fn whole_numbers() -> Graph {
    let mut g = Builder::new("whole");
    let x = g.input(Shape::new(9, 8, 2));
    let a = g.add("conv1", Conv::new(3, 3).pad(1), x);
    let a = g.add("relu1", Relu, a);
    let b = g.add("conv2", Conv::new(3, 1).no_bias(), a);
    let c = g.add("add", Add, [a, b]);
    let d = g.add("pool", MaxPool::new(2), c);
    let e = g.add("depthwise", Conv::new(3, 3).pad(1).groups(3), d);
    let f = g.add("concat", Concat, [d, e]);
    let f = g.add("conv3", Conv::new(9, 3).stride(2), f);
    let f = g.add("relu3", Relu, f);
    let f = g.add("flatten", Flatten, f);
    let y = g.add("fc", Linear::new(3), f);
    g.finish(y).unwrap()
}

/// Whole numbers of `choices`, most of them 0.
fn few(seed: u64, len: usize, choices: &[f32]) -> Vec<f32> {
    let at = |i| (uniform(seed, i) * 3.0 * choices.len() as f32) as usize;
    (0..len as u64).map(|i| choices.get(at(i)).copied().unwrap_or(0.0)).collect()
}

#[test]
fn what_bf16_can_hold_comes_out_the_same_bit_for_bit() {
    // 8 bits of mantissa hold whole numbers up to 256. Batches that need several turns of every step with maps.
    let graph = Arc::new(whole_numbers());
    let mut p = Parameters::init(&graph, Scheme::He, 5);
    for (i, (_, _, values)) in p.iter_mut().enumerate() {
        let whole = few(40 + i as u64, values.len(), &[1.0, -1.0]);
        values.copy_from_slice(&whole);
    }
    let batch = 20_000;
    let x = few(7, batch * graph.input().shape.len(), &[1.0, -1.0, 2.0]);
    let dy = few(8, batch * graph.output().shape.len(), &[1.0, -1.0]);
    for isa in Isa::available() {
        let cpu = Arc::new(Cpu::with_isa(2, isa).unwrap());
        // Winograd's transforms have roots of two in them: whole numbers do not stay whole.
        let full = Request { algorithm: Some(Algorithm::Direct), ..Request::train(&graph, batch) };
        let half = Request { precision: Precision::Bf16, ..full.clone() };
        let (logits, gradients, _) = step(&graph, &cpu, &p, &x, &dy, &full);
        let (half_logits, half_gradients, _) = step(&graph, &cpu, &p, &x, &dy, &half);
        assert!(logits.iter().any(|v| *v != 0.0) && logits.iter().all(|v| v.abs() <= 256.0 && v.fract() == 0.0));
        assert_eq!(half_logits, logits);
        for ((name, _, half), (_, _, full)) in half_gradients.iter().zip(gradients.iter()) {
            assert!(full.iter().any(|v| *v != 0.0), "{name} has a gradient");
            assert_eq!(half, full, "{name}");
        }
        let session = Session::new(graph.clone(), cpu, &half).unwrap();
        assert!(session.steps().iter().any(|s| s.images * 2 < batch), "several turns");
        let less = 0.62 * Memory::of(&graph, &full).unwrap().buffers as f64;
        assert!((session.memory().buffers as f64) < less);
    }
}

#[test]
fn products_of_bf16_give_the_same_whole_numbers() {
    let graph = Arc::new(whole_numbers());
    let mut p = Parameters::init(&graph, Scheme::He, 5);
    for (i, (_, _, values)) in p.iter_mut().enumerate() {
        let whole = few(40 + i as u64, values.len(), &[1.0, -1.0]);
        values.copy_from_slice(&whole);
    }
    let batch = 20;
    let x = few(7, batch * graph.input().shape.len(), &[1.0, -1.0, 2.0]);
    let dy = few(8, batch * graph.output().shape.len(), &[1.0, -1.0]);
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let full = Request { algorithm: Some(Algorithm::Direct), ..Request::train(&graph, batch) };
    let (logits, gradients, _) = step(&graph, &cpu, &p, &x, &dy, &full);
    for way in [Bf16::Amx, Bf16::Dot] {
        let half = Request { precision: Precision::Bf16, bf16: Some(way), ..full.clone() };
        let (half_logits, half_gradients, _) = step(&graph, &cpu, &p, &x, &dy, &half);
        assert_eq!(half_logits, logits, "{way:?}");
        for ((name, _, found), (_, _, expected)) in half_gradients.iter().zip(gradients.iter()) {
            assert_eq!(found, expected, "{way:?}: {name}");
        }
        let session = Session::new(graph.clone(), cpu.clone(), &half).unwrap();
        // Two of the four convolutions: the third is depthwise, the last has an output that flattens to a vector.
        assert!(session.steps().iter().filter(|s| s.products).count() >= 2, "{way:?}");
        let predict = Request { precision: Precision::Bf16, bf16: Some(way), ..Request::predict(batch) };
        let mut session = Session::new(graph.clone(), cpu.clone(), &predict).unwrap();
        assert_eq!(session.forward(&p, &x, batch, 3).unwrap(), logits, "{way:?}");
    }
}

#[test]
fn products_of_bf16_round_weights_and_no_more() {
    let (graph, cpu) = (Arc::new(normalised()), Arc::new(Cpu::new(2).unwrap()));
    let (p, batch) = (Parameters::init(&graph, Scheme::He, 5), 40);
    let x = noise(7, batch * graph.input().shape.len());
    let dy = noise(8, batch * graph.output().shape.len());
    let half = Request { precision: Precision::Bf16, bf16: Some(Bf16::Widened), ..Request::train(&graph, batch) };
    let (logits, gradients, _) = step(&graph, &cpu, &p, &x, &dy, &half);
    for way in [Bf16::Amx, Bf16::Dot] {
        let multiplied = Request { bf16: Some(way), ..half.clone() };
        let (found_logits, found_gradients, _) = step(&graph, &cpu, &p, &x, &dy, &multiplied);
        // As where activations are rounded (below): once more for each convolution.
        let bound = 4.0 * (4.0 * 8.0_f64).sqrt() / 512.0;
        let off = distance(&found_logits, &logits);
        assert!(off > 0.0 && off < bound, "{way:?}: logits are off by {off}");
        for ((name, _, found), (_, _, expected)) in found_gradients.iter().zip(gradients.iter()) {
            let off = distance(found, expected);
            let skipped = name == "conv2.bias" || name.starts_with("bn0");
            assert!(skipped || off < 4.0 * bound, "{way:?}: {name} is off by {off}, bound {}", 4.0 * bound);
        }
    }
}

/// Turns of two and three images, of which two are cut into more blocks, that gather moments, than three.
#[test]
fn moments_are_gathered_in_uneven_turns() {
    let mut g = Builder::new("depthwise");
    let x = g.input(Shape::new(28, 28, 8));
    let a = g.add("conv", Conv::new(256, 1).no_bias(), x);
    let a = g.add("depthwise", Conv::new(256, 3).pad(1).groups(256).no_bias(), a);
    let a = g.add("bn", BatchNorm::new(), a);
    let a = g.add("relu", Relu, a);
    let a = g.add("pool", GlobalAvgPool, a);
    let y = g.add("fc", Linear::new(3), a);
    let (graph, cpu, batch) = (Arc::new(g.finish(y).unwrap()), Arc::new(Cpu::new(2).unwrap()), 16);
    let p = Parameters::init(&graph, Scheme::He, 5);
    let (x, dy) = (noise(7, batch * graph.input().shape.len()), noise(8, batch * 3));
    let full = Request::train(&graph, batch);
    let half = Request { precision: Precision::Bf16, bf16: Some(Bf16::Widened), ..full.clone() };
    let (logits, _, gathered) = step(&graph, &cpu, &p, &x, &dy, &full);
    let (half_logits, _, half_gathered) = step(&graph, &cpu, &p, &x, &dy, &half);
    let bound = 4.0 * (4.0 * 4.0_f64).sqrt() / 512.0;
    assert!(distance(&half_logits, &logits) < bound);
    for ((name, _, half), (_, _, full)) in half_gathered.iter().zip(gathered.iter()) {
        assert!(distance(half, full) < bound, "{name}");
    }
}

/// Residuals that are kept for a turn only and outputs for all images, and the other way round.
#[test]
fn residuals_and_outputs_may_be_kept_for_different_images() {
    let mut g = Builder::new("stages");
    let x = g.input(Shape::new(96, 96, 3));
    let a = g.add("conv1", Conv::new(16, 1), x);
    let b = g.add("conv2", Conv::new(16, 1), a);
    let a = g.add("add2", Add, [a, b]);
    let a = g.add("relu2", Relu, a);
    // Of more images at a time, between two readers of what came before.
    let b = g.add("pool3", MaxPool::new(4), a);
    let c = g.add("conv3", Conv::new(16, 1), b);
    let d = g.add("pool4", AvgPool::new(4), a);
    let e = g.add("conv4", Conv::new(16, 1), c);
    let e = g.add("relu4", Relu, e);
    let e = g.add("conv5", Conv::new(16, 1), e);
    let e = g.add("add5", Add, [d, e]);
    let e = g.add("relu5", Relu, e);
    let e = g.add("conv6", Conv::new(16, 1), e);
    let e = g.add("pool6", GlobalAvgPool, e);
    let y = g.add("fc", Linear::new(3), e);
    let (graph, cpu, batch) = (Arc::new(g.finish(y).unwrap()), Arc::new(Cpu::new(2).unwrap()), 100);
    let p = Parameters::init(&graph, Scheme::He, 5);
    // Images that differ by much more than rounding.
    let mut x = noise(7, batch * graph.input().shape.len());
    for (i, image) in x.chunks_exact_mut(graph.input().shape.len()).enumerate() {
        for v in image {
            *v *= 1.0 + (i % 7) as f32 + (i / 50) as f32;
        }
    }
    let logits = |request: &Request| {
        let mut session = Session::new(graph.clone(), cpu.clone(), request).unwrap();
        let images = session.steps().iter().map(|step| step.images).collect::<Vec<_>>();
        (session.forward(&p, &x, batch, 3).unwrap().to_vec(), images)
    };
    let (expected, _) = logits(&Request::predict(batch));
    let half = Request { precision: Precision::Bf16, bf16: Some(Bf16::Dot), ..Request::predict(batch) };
    let (found, images) = logits(&half);
    assert!(images.iter().any(|&n| n > 8 * images[0] && n < batch), "images of steps: {images:?}");
    let off = distance(&found, &expected);
    assert!(off < 4.0 * (4.0 * 6.0_f64).sqrt() / 512.0, "off by {off}");
}

/// Everything that needs all images at once, and layers that bf16 rounds.
fn normalised() -> Graph {
    let mut g = Builder::new("normalised");
    let x = g.input(Shape::new(8, 8, 3));
    // Statistics of a map that no convolution gathers.
    let a = g.add("bn0", BatchNorm::new(), x);
    let a = g.add("conv1", Conv::new(20, 3).pad(1).no_bias(), a);
    let a = g.add("bn1", BatchNorm::new(), a);
    let a = g.add("relu1", Relu, a);
    let b = g.add("conv2", Conv::new(20, 3).pad(1), a);
    let b = g.add("bn2", BatchNorm::new(), b);
    let b = g.add("add2", Add, [b, a]);
    let b = g.add("relu2", Relu, b);
    let b = g.add("lrn", LocalResponseNorm::new(5, 1e-4, 0.75, 2.0), b);
    let b = g.add("pool", AvgPool::new(2), b);
    let c = g.add("conv3", Conv::new(12, 3).stride(2).pad(1).no_bias(), b);
    let c = g.add("bn3", BatchNorm::new(), c);
    let d = g.add("down", Conv::new(12, 1).stride(2).no_bias(), b);
    let d = g.add("down_bn", BatchNorm::new(), d);
    let c = g.add("add3", Add, [d, c]);
    let c = g.add("relu3", Relu6, c);
    let h = g.add("tail", GlobalAvgPool, c);
    let y = g.add("fc", Linear::new(5), h);
    g.finish(y).unwrap()
}

fn zoo(name: &str, size: usize) -> Graph {
    let options = Options { input: Some(Shape::new(size, size, 3)), classes: Some(10), ..Options::default() };
    find(name).unwrap().build(&options).unwrap()
}

/// The root mean square of the difference, in units of that of `expected`.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut expected.iter().map(|v| f64::from(*v))).max(1e-12)
}

#[test]
fn steps_round_to_bf16_and_no_more() {
    // Every rounding is off by 2⁻⁹ at most, by 2⁻⁹/√3 in the root of the mean square; the activations and gradients on one
    // path through a network of depth d are rounded about 4d times, so that logits are off by some 2⁻⁹ √(4d). A ReLU opens or
    // closes for the share of values that rounding moves over zero, some 2⁻⁹, so that gradients lose or gain the root of that
    // at each of the network's ReLUs.
    let cases = [(normalised(), 700, 8, 3), (zoo("resnet20", 32), 40, 40, 19), (zoo("vgg11", 32), 24, 11, 10)];
    for (graph, batch, depth, relus) in cases {
        let (graph, cpu) = (Arc::new(graph), Arc::new(Cpu::new(2).unwrap()));
        let p = Parameters::init(&graph, Scheme::He, 5);
        let x = noise(7, batch * graph.input().shape.len());
        let dy = noise(8, batch * graph.output().shape.len());
        let full = Request::train(&graph, batch);
        let half = Request { precision: Precision::Bf16, ..full.clone() };
        let (logits, gradients, gathered) = step(&graph, &cpu, &p, &x, &dy, &full);
        let (half_logits, half_gradients, half_gathered) = step(&graph, &cpu, &p, &x, &dy, &half);
        let bound = 4.0 * (4.0 * f64::from(depth)).sqrt() / 512.0;
        let off = distance(&half_logits, &logits);
        assert!(off < bound && off > 1e-5, "{}: logits are off by {off}, bound {bound}", graph.name());
        for ((name, _, half), (_, _, full)) in half_gradients.iter().zip(gradients.iter()) {
            // A bias before a normalisation has no gradient but rounding.
            if full.iter().all(|v| v.abs() < 1e-2) && name.ends_with("conv2.bias") {
                continue;
            }
            let off = distance(half, full);
            let bound = 3.0 * (f64::from(relus) / 512.0).sqrt();
            assert!(off < bound, "{}: {name} is off by {off}, bound {bound}", graph.name());
        }
        for ((name, _, half), (_, _, full)) in half_gathered.iter().zip(gathered.iter()) {
            assert!(distance(half, full) < bound, "{}: {name}", graph.name());
        }
        let same = step(&graph, &Arc::new(Cpu::new(1).unwrap()), &p, &x, &dy, &half);
        assert_eq!(same.0, half_logits);
        assert!(
            same.1.iter().zip(half_gradients.iter()).all(|(a, b)| a.2 == b.2),
            "same bits with another thread count"
        );
    }
}

#[test]
fn what_is_read_stays_f32() {
    let graph = Arc::new(normalised());
    let cpu = Arc::new(Cpu::new(1).unwrap());
    let conv = graph.find("conv1").unwrap();
    let p = Parameters::init(&graph, Scheme::He, 5);
    let x = noise(7, 4 * graph.input().shape.len());
    let request = Request {
        taps: vec![conv],
        gradient_taps: vec![conv],
        precision: Precision::Bf16,
        ..Request::train(&graph, 4)
    };
    let mut session = Session::new(graph.clone(), cpu, &request).unwrap();
    session.forward(&p, &x, 4, 3).unwrap();
    // A bf16 number has 16 zero bits at its end.
    let rounded =
        session.activation(conv).unwrap().iter().filter(|v| v.to_bits().trailing_zeros() >= 16 && **v != 0.0).count();
    assert!(rounded < 20, "{rounded} of a tapped map's values are bf16");
}
