//! Small subjects for tests: a network with every kind of kink, and a linear one.

use crate::Subject;
use std::sync::Arc;
use striate_data::{Fit, Picture, Preprocessing};
use striate_engine::{Parameters, Scheme};
use striate_graph::layers::{BatchNorm, Conv, Flatten, GlobalAvgPool, Linear, MaxPool, Relu};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, uniform};

fn subject(graph: Graph, seed: u64) -> Subject {
    let mut parameters = Parameters::init(&graph, Scheme::He, seed);
    // Statistics and biases that are not neutral.
    for (name, spec, values) in parameters.iter_mut() {
        if spec.shape.len() == 1 {
            let positive = name.ends_with("var") || name.ends_with("bn1.weight");
            for (i, v) in values.iter_mut().enumerate() {
                *v = uniform(seed + 7, i as u64) + if positive { 0.5 } else { -0.5 };
            }
        }
    }
    let s = graph.input().shape;
    let preprocessing = Preprocessing::new(s.w as u32, s.h as u32, s.c as u8, Fit::Stretch)
        .normalised_by(vec![0.4; s.c], vec![0.25; s.c]);
    let classes = (0..graph.output().shape.c).map(|i| format!("class {i}")).collect();
    Subject::new(Arc::new(graph), parameters, preprocessing, classes, Arc::new(Cpu::new(2).unwrap())).unwrap()
}

/// Convolutions, normalisation, ReLU, overlapping max pooling, a global average: 6×6×3 to three classes.
pub(crate) fn kinked() -> Subject {
    let mut g = Builder::new("kinked");
    let x = g.input(Shape::new(6, 6, 3));
    let a = g.add("conv1", Conv::new(6, 3).pad(1).no_bias(), x);
    let a = g.add("bn1", BatchNorm::new(), a);
    let a = g.add("relu1", Relu, a);
    let a = g.add("pool1", MaxPool::new(3).stride(2).pad(1), a);
    let b = g.add("conv2", Conv::new(8, 3).pad(1), a);
    let b = g.add("relu2", Relu, b);
    let y = g.add("mean", GlobalAvgPool, b);
    let y = g.add("fc", Linear::new(3), y);
    subject(g.finish(y).unwrap(), 5)
}

/// Scores that are weighted sums of 4×5 grey pixels.
pub(crate) fn linear() -> Subject {
    let mut g = Builder::new("linear");
    let x = g.input(Shape::new(4, 5, 1));
    let y = g.add("flatten", Flatten, x);
    let y = g.add("fc", Linear::new(2), y);
    subject(g.finish(y).unwrap(), 9)
}

/// A picture of all kinds of levels, as this subject's input.
pub(crate) fn picture(subject: &Subject) -> Vec<f32> {
    let p = &subject.preprocessing;
    let pixels = (0..p.len()).map(|i| (i * 89 % 251) as u8).collect();
    subject.input(&Picture { width: p.width, height: p.height, channels: p.channels, pixels })
}
