//! Projections from every kind of layer that the zoo's networks are made of: inception's concatenations, response
//! normalisation, residual sums, strides, depthwise convolutions, overlapping pooling.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use striate_data::{Fit, Preprocessing};
use striate_engine::{Parameters, Rule, Scheme};
use striate_explain::{Predictor, Projector, Subject, Which, choose, strongest};
use striate_graph::NodeId;
use striate_kernels::{Cpu, uniform};
use striate_zoo::{Options, build};

fn subject(name: &str) -> Subject {
    let graph = Arc::new(build(name, &Options::default()).unwrap());
    let s = graph.input().shape;
    let preprocessing = Preprocessing::new(s.w as u32, s.h as u32, s.c as u8, Fit::Stretch);
    let preprocessing = preprocessing.normalised_by(vec![0.5; s.c], vec![0.25; s.c]);
    let classes = (0..graph.output().shape.c).map(|i| i.to_string()).collect();
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 1);
    Subject::new(graph, parameters, preprocessing, classes, Arc::new(Cpu::new(2).unwrap())).unwrap()
}

/// The last layer of each kind, in the network's order.
fn kinds(subject: &Subject) -> Vec<NodeId> {
    let graph = &subject.graph;
    let all = choose(graph, &["all".into()]).unwrap();
    let mut kinds = BTreeSet::new();
    let is_last = |id: &&NodeId| kinds.insert(graph.node(**id).layer.kind());
    let mut last: Vec<NodeId> = all.iter().rev().filter(is_last).copied().collect();
    last.reverse();
    last
}

#[test]
fn every_kind_of_layer_projects_to_what_it_sees() {
    let mut seen = BTreeSet::new();
    for name in ["lenet5_1998", "googlenet_paper", "resnet20", "mobilenet_v1_0.25"] {
        let subject = subject(name);
        let input: Vec<f32> = (0..subject.preprocessing.len()).map(|i| 4.0 * uniform(2, i as u64) - 2.0).collect();
        let shape = subject.graph.input().shape;
        let layers = kinds(&subject);
        let mut maps: Vec<Vec<f32>> = Vec::new();
        let mut predictor = Predictor::new(&subject, 1, &layers).unwrap();
        predictor.run(&input, &mut |_, _, _, all| maps = all.iter().map(|map| map.to_vec()).collect()).unwrap();
        let mut projector = Projector::new(&subject, &layers, 2).unwrap();
        for (layer, map) in layers.into_iter().zip(maps) {
            let node = subject.graph.node(layer);
            // Of weights drawn by lot, many channels are dead on one image.
            let peak = |channel: &usize| strongest(&map, node.shape, *channel).1;
            let best = (0..node.shape.c).max_by(|a, b| peak(a).total_cmp(&peak(b))).unwrap();
            let parts = [Which::Strongest(best), Which::Strongest(node.shape.c - 1)];
            for rule in [Rule::Deconvnet, Rule::Guided] {
                for found in projector.project(rule, &input, layer, &parts).unwrap() {
                    let field = found.field;
                    assert!(found.values.iter().all(|v| v.is_finite()), "{name}, {}", node.name);
                    for (i, v) in found.values.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                        let (y, x) = (i / (shape.w * shape.c), i / shape.c % shape.w);
                        let inside = (field.top..field.bottom).contains(&y) && (field.left..field.right).contains(&x);
                        assert!(inside, "{name}, {}: {v} at {y}, {x} outside {field:?}", node.name);
                    }
                    if found.values.iter().any(|v| *v != 0.0) {
                        seen.insert(node.layer.kind());
                    }
                }
            }
        }
    }
    for kind in ["conv", "relu", "max_pool", "local_response_norm", "concat", "batch_norm", "add", "linear"] {
        assert!(seen.contains(kind), "nothing came down from any {kind}: {seen:?}");
    }
}
