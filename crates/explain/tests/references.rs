//! Explanations against those of Captum, pytorch-grad-cam, and a deconvnet with switches in NumPy
//! (`fixtures/make_references.py`, which also says how weights and inputs are filled).

#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use striate_data::{Fit, Preprocessing};
use striate_engine::{Parameters, Rule, Tensors};
use striate_explain::{Heat, Path, Projector, Settings, Subject, Which, find};
use striate_graph::layers::{Add, BatchNorm, Conv, GlobalAvgPool, Linear, LocalResponseNorm, MaxPool, Relu};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, splitmix64};
use striate_zoo::{Options, build};

#[derive(Deserialize)]
struct References {
    captum: BTreeMap<String, Captum>,
    deconvnet: Deconvnet,
    grad_cam: GradCams,
}

#[derive(Deserialize)]
struct Captum {
    class: usize,
    saliency: Vec<f64>,
    guided: Vec<f64>,
    deconv: Vec<f64>,
    integrated: Vec<f64>,
}

#[derive(Deserialize)]
struct Deconvnet {
    input: [usize; 3],
    units: Vec<Unit>,
}

#[derive(Deserialize)]
struct Unit {
    channel: usize,
    cell: [usize; 2],
    value: f64,
    picture: Vec<f64>,
}

#[derive(Deserialize)]
struct GradCams {
    class: usize,
    every: usize,
    gradcam: Vec<f64>,
    #[serde(rename = "gradcam++")]
    gradcam_plus_plus: Vec<f64>,
}

fn references() -> References {
    serde_json::from_str(include_str!("fixtures/references.json")).unwrap()
}

fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn fill(name: &str, len: usize) -> Vec<f32> {
    let seed = fnv1a64(name);
    (0..len as u64)
        .map(|i| (2.0 * (splitmix64(seed.wrapping_add(i)) >> 40) as f64 / f64::from(1 << 24) - 1.0) as f32)
        .collect()
}

/// The network with its parameters filled, prepared by nothing.
fn subject(graph: Graph) -> Subject {
    let mut parameters: Parameters = Tensors::zeros(&graph);
    for (name, spec, values) in parameters.iter_mut() {
        let scale = if spec.shape.len() > 1 {
            (6.0 / spec.shape[1..].iter().product::<usize>() as f64).sqrt() as f32
        } else {
            0.1
        };
        let is_norm = name.contains("bn") || name.contains("downsample.1");
        let around = is_norm && (name.ends_with(".weight") || name.ends_with("running_var"));
        for (v, f) in values.iter_mut().zip(fill(name, spec.len())) {
            *v = f * scale + if around { 1.0 } else { 0.0 };
        }
    }
    let s = graph.input().shape;
    let preprocessing = Preprocessing::new(s.w as u32, s.h as u32, 3, Fit::Stretch);
    let preprocessing =
        Preprocessing { channels: s.c as u8, mean: vec![0.0; s.c], std: vec![1.0; s.c], ..preprocessing };
    let classes = (0..graph.output().shape.c).map(|i| i.to_string()).collect();
    Subject::new(Arc::new(graph), parameters, preprocessing, classes, Arc::new(Cpu::new(2).unwrap())).unwrap()
}

/// PyTorch's order (channels outermost) as ours.
fn innermost<T: Copy>(values: &[T], s: Shape) -> Vec<T> {
    (0..s.len()).map(|i| values[i % s.c * s.h * s.w + i / s.c]).collect()
}

fn input(s: Shape) -> Vec<f32> {
    innermost(&fill("input", s.len()), s)
}

/// The largest difference, as a share of the largest value that was expected.
fn off(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let most = expected.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max) / most
}

fn small() -> Graph {
    let mut g = Builder::new("small");
    let x = g.input(Shape::new(10, 12, 3));
    let x = g.add("conv1", Conv::new(6, 3).pad(1), x);
    let x = g.add("relu1", Relu, x);
    let x = g.add("pool1", MaxPool::new(2), x);
    let x = g.add("conv2", Conv::new(8, 3).pad(1), x);
    let x = g.add("relu2", Relu, x);
    let x = g.add("mean", GlobalAvgPool, x);
    let y = g.add("fc", Linear::new(4), x);
    g.finish(y).unwrap()
}

fn residual() -> Graph {
    let mut g = Builder::new("residual");
    let x = g.input(Shape::new(10, 12, 3));
    let a = g.add("conv1", Conv::new(6, 3).pad(1).no_bias(), x);
    let a = g.add("bn1", BatchNorm::new(), a);
    let a = g.add("relu1", Relu, a);
    let b = g.add("conv2", Conv::new(8, 3).stride(2).pad(1).no_bias(), a);
    let b = g.add("bn2", BatchNorm::new(), b);
    let b = g.add("relu2", Relu, b);
    let b = g.add("conv3", Conv::new(8, 3).pad(1).groups(8).no_bias(), b);
    let down = g.add("down", Conv::new(8, 1).stride(2).no_bias(), a);
    let sum = g.add("add", Add, [b, down]);
    let x = g.add("relu3", Relu, sum);
    let x = g.add("mean", GlobalAvgPool, x);
    let y = g.add("fc", Linear::new(4), x);
    g.finish(y).unwrap()
}

#[test]
fn sweeps_are_captums() {
    let references = references();
    for (name, graph) in [("small", small()), ("residual", residual())] {
        let (subject, expected) = (subject(graph), &references.captum[name]);
        let s = subject.graph.input().shape;
        let input = input(s);
        for (method, values) in
            [("saliency", &expected.saliency), ("guided", &expected.guided), ("deconv", &expected.deconv)]
        {
            let found = find(method).unwrap();
            let found = found.explain(&subject, &input, expected.class, &Settings::default()).unwrap();
            let off = off(&found.raw.values, &innermost(values, s));
            assert!(off < 1e-4, "{method} of {name} is off by {off}");
        }
        // Captum's 2000 steps and ours cut the kinks at other places.
        let settings = Settings { tolerance: 0.0, most_steps: 2048, ..Settings::default() };
        let path = Path::follow(&subject, &vec![0.0; s.len()], &input, expected.class, &settings).unwrap();
        let off = off(&path.values, &innermost(&expected.integrated, s));
        assert!(off < 2e-3 && path.gap.abs() < 1e-3, "integrated gradients of {name} are off by {off}: {}", path.gap);
    }
}

#[test]
fn the_deconvnet_is_the_papers() {
    let expected = references().deconvnet;
    let [c, h, w] = expected.input;
    let mut g = Builder::new("deconvnet");
    let x = g.input(Shape::new(h, w, c));
    let x = g.add("conv1", Conv::new(5, 3).pad(1), x);
    let x = g.add("relu1", Relu, x);
    let x = g.add("pool1", MaxPool::new(3).stride(2), x);
    let x = g.add("norm1", LocalResponseNorm::new(3, 0.3, 0.75, 2.0), x);
    let x = g.add("conv2", Conv::new(6, 3).stride(2).pad(1), x);
    let x = g.add("relu2", Relu, x);
    let last = g.add("pool2", MaxPool::new(2), x);
    let x = g.add("mean", GlobalAvgPool, last);
    let y = g.add("fc", Linear::new(2), x);
    let subject = subject(g.finish(y).unwrap());
    let s = subject.graph.input().shape;
    let mut projector = Projector::new(&subject, &[last], 4).unwrap();
    let parts: Vec<Which> = expected.units.iter().map(|u| Which::Strongest(u.channel)).collect();
    let found = projector.project(Rule::Deconvnet, &input(s), last, &parts).unwrap();
    for (found, expected) in found.iter().zip(&expected.units) {
        assert!((f64::from(found.value) - expected.value).abs() < 1e-5, "{} {}", found.value, expected.value);
        // A channel without any activation is zero everywhere.
        if expected.value > 0.0 {
            assert_eq!(found.cell, expected.cell);
            let off = off(&found.values, &innermost(&expected.picture, s));
            assert!(off < 1e-4, "channel {} is off by {off}", found.channel);
        }
    }
    assert!(expected.units.iter().filter(|u| u.value > 0.0).count() >= 3);
}

/// As pytorch-grad-cam shows maps: from 0 to 1.
fn scaled(heat: &Heat) -> Heat {
    let [low, high] = heat.range();
    Heat::new(heat.h, heat.w, heat.values.iter().map(|v| (v - low) / (high - low + 1e-7)).collect())
}

#[test]
fn grad_cam_is_pytorch_grad_cams() {
    let expected = references().grad_cam;
    let subject = subject(build("resnet18", &Options::default()).unwrap());
    let input = input(subject.graph.input().shape);
    for (name, values) in [("gradcam", &expected.gradcam), ("gradcam++", &expected.gradcam_plus_plus)] {
        let found = find(name).unwrap().explain(&subject, &input, expected.class, &Settings::default()).unwrap();
        let raw = Heat::new(7, 7, found.raw.values.clone());
        let shown = scaled(&scaled(&raw).resized(224, 224));
        let every = expected.every;
        let grid: Vec<f32> = (0..values.len())
            .map(|i| {
                let (y, x) = (i / (224 / every) * every + every / 2, i % (224 / every) * every + every / 2);
                shown.values[y * 224 + x]
            })
            .collect();
        let off = off(&grid, values);
        assert!(off < 1e-4, "{name} is off by {off}");
    }
}
