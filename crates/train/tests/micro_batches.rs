//! A step in several micro-batches against the step of the whole batch: the same gradient, weighted by the images of each;
//! the same weights after it; running statistics that have taken in every micro-batch.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Parameters, Request, Scheme, Session, Tensors};
use striate_graph::layers::{BatchNorm, Conv, GlobalAvgPool, Linear, Relu};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, uniform};
use striate_train::{MicroBatches, Rule, Stepper, TrainError};
use striate_zoo::{Options, build};

const IMAGES: usize = 7;
const RULE: Rule = Rule::Sgd { momentum: 0.9, nesterov: false, weight_decay: 1e-3 };

fn images(graph: &Graph, n: usize) -> Vec<f32> {
    (0..n * graph.input().shape.len()).map(|i| uniform(5, i as u64) - 0.5).collect()
}

fn labels(n: usize, classes: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (3 * i + 1) % classes).collect()
}

fn planned(graph: &Arc<Graph>, batch: usize, most: usize) -> MicroBatches {
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let parameters = Parameters::init(graph, Scheme::for_graph(graph), 1);
    let mut stepper = Stepper::new(graph.clone(), cpu, parameters, RULE, most).unwrap();
    stepper.keep_gradients();
    MicroBatches::new(stepper, batch, most).unwrap()
}

/// For each value, the mean over images of its gradient's magnitude: what the terms of its sum are measured by.
fn magnitudes(graph: &Arc<Graph>, images: &[f32], labels: &[u32]) -> Tensors {
    let (mut one, len) = (planned(graph, 1, 1), graph.input().shape.len());
    let mut all = one.parameters().zeros_like(true);
    for (image, label) in images.chunks(len).zip(labels) {
        one.stepper_mut().sweep(image, &[*label], 1).unwrap();
        for ((.., sum), (.., g)) in all.iter_mut().zip(one.stepper().gradients().unwrap().iter()) {
            sum.iter_mut().zip(g).for_each(|(sum, g)| *sum += g.abs() / labels.len() as f32);
        }
    }
    all
}

/// Asserts that two gradients are one but for rounding: each of `terms` products that are added up, and each activation
/// behind them, is rounded to 2⁻²⁴ of its magnitude.
fn assert_alike(a: &Tensors, b: &Tensors, magnitudes: &Tensors, terms: usize, what: &str) {
    let unit = terms as f32 * 0.5f32.powi(24);
    for (((name, _, a), (.., b)), (.., m)) in a.iter().zip(b.iter()).zip(magnitudes.iter()) {
        for ((a, b), m) in a.iter().zip(b).zip(m) {
            assert!((a - b).abs() <= unit * m + 1e-9, "{what}, {name}: {a} and {b}, of magnitude {m}");
        }
    }
}

#[test]
fn micro_batches_have_the_gradient_of_the_batch() {
    let graph = Arc::new(build("lenet5", &Options::default()).unwrap());
    let (images, labels) = (images(&graph, IMAGES), labels(IMAGES, 10));
    let magnitudes = magnitudes(&graph, &images, &labels);
    let mut whole = planned(&graph, IMAGES, IMAGES);
    let (loss, logits) = whole.step(&images, &labels, 0.1, 1).unwrap();
    let logits = logits.to_vec();
    // Images and cells of the first map, over which its weights' gradients are summed.
    let terms = IMAGES * 28 * 28;
    // 7 images as 3 + 4, 2 + 2 + 3, …: the shares are not equal.
    for most in 1..IMAGES {
        let mut parts = planned(&graph, IMAGES, most);
        let (found, own) = parts.step(&images, &labels, 0.1, 1).unwrap();
        assert!((found / loss - 1.0).abs() < 1e-6, "{most} at a time: {found} and {loss}");
        assert!(logits.iter().zip(own).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + a.abs())), "{most} at a time");
        let (a, b) = (parts.gradients().unwrap(), whole.gradients().unwrap());
        assert_alike(a, b, &magnitudes, terms, &format!("{most} at a time"));
        // One step at a rate of 0.1 moves by a tenth of the gradient, and the weights themselves are rounded.
        for ((name, _, a), (.., b)) in parts.parameters().iter().zip(whole.parameters().iter()) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{most} at a time, {name}");
        }
    }
}

#[test]
fn a_batch_that_fits_is_one_step_to_the_bit() {
    let graph = Arc::new(build("resnet20", &Options::default()).unwrap());
    let (images, labels) = (images(&graph, 4), labels(4, 10));
    let mut micro = planned(&graph, 4, 4);
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 1);
    let mut plain = Stepper::new(graph.clone(), cpu, parameters, RULE, 4).unwrap();
    assert_eq!(micro.step(&images, &labels, 0.1, 9).unwrap(), plain.step(&images, &labels, 0.1, 9).unwrap());
    assert!(micro.parameters().iter().zip(plain.parameters().iter()).all(|((.., a), (.., b))| a == b));
}

/// A convolution with batch normalisation, and a classifier.
fn normalised() -> Arc<Graph> {
    let mut g = Builder::new("normalised");
    let x = g.input(Shape::new(6, 6, 2));
    let x = g.add("conv", Conv::new(3, 3).no_bias(), x);
    let x = g.add("bn", BatchNorm::new(), x);
    let x = g.add("relu", Relu, x);
    let x = g.add("pool", GlobalAvgPool, x);
    let x = g.add("fc", Linear::new(4), x);
    Arc::new(g.finish(x).unwrap())
}

#[test]
fn running_statistics_take_in_every_micro_batch() {
    let graph = normalised();
    let (images, labels) = (images(&graph, 8), labels(8, 4));
    let mut parts = planned(&graph, 8, 3);
    parts.step(&images, &labels, 0.1, 1).unwrap();

    // By hand: the weights stay within a step, so the statistics of 8 images as 2, 3 and 3 follow one another.
    let mut p = Parameters::init(&graph, Scheme::for_graph(&graph), 1);
    let cpu = Arc::new(Cpu::new(1).unwrap());
    let mut session = Session::new(graph.clone(), cpu, &Request::train(&graph, 3)).unwrap();
    let len = graph.input().shape.len();
    for piece in [0..2, 2..5, 5..8] {
        session.forward(&p, &images[piece.start * len..piece.end * len], piece.len(), 0).unwrap();
        session.gather_statistics(&mut p);
    }
    for name in ["bn.running_mean", "bn.running_var"] {
        assert_eq!(parts.parameters().get(name), p.get(name), "{name}");
    }
    assert!(p.get("bn.running_mean").unwrap().iter().all(|&m| m != 0.0));
}

#[test]
fn what_does_not_fit_the_plan_is_refused() {
    let graph = normalised();
    let (images, labels) = (images(&graph, 9), labels(9, 4));
    let mut parts = planned(&graph, 8, 3);
    let mut refused = |images: &[f32], labels: &[u32]| match parts.step(images, labels, 0.1, 1) {
        Err(e @ TrainError::Setting(_)) => e.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(&images, &labels).contains("1 to 8 images of 72 values was given 9 labels"), "more than the batch");
    assert!(refused(&images[..72], &labels[..2]).contains("2 labels and 72 values"), "an image too few");
}

#[test]
fn a_loss_that_is_no_number_leaves_the_weights() {
    let mut g = Builder::new("linear");
    let x = g.input(Shape::vector(5));
    let x = g.add("fc", Linear::new(4), x);
    let graph = Arc::new(g.finish(x).unwrap());
    let (mut images, labels) = (images(&graph, 8), labels(8, 4));
    let mut parts = planned(&graph, 8, 3);
    let before = parts.parameters().get("fc.weight").unwrap().to_vec();
    // In the second of three.
    images[3 * 5] = f32::NAN;
    let (loss, _) = parts.step(&images, &labels, 0.1, 1).unwrap();
    assert!(loss.is_nan());
    assert_eq!(parts.parameters().get("fc.weight").unwrap(), before);
}
