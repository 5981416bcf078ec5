//! `striate import` and `striate export`: networks go out and come back, and what does not fit is refused in words. Where
//! `STRIATE_PYTHON` names a Python with onnxruntime, that runs the files too.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::path::PathBuf;
use striate::data::{Fit, Preprocessing};
use striate::engine::{Scheme, Tensors};
use striate::graph::Shape;
use striate::train::Card;
use striate::zoo::{Options, all, find};
use support::Place;

/// A model file of a network with random weights and statistics, for pictures of this side.
fn model(place: &Place, network: &str, options: &Options) -> PathBuf {
    let graph = find(network).unwrap().build(options).unwrap();
    let mut parameters = Tensors::init(&graph, Scheme::for_graph(&graph), 3);
    for (name, _, values) in parameters.iter_mut() {
        // Gathered statistics that are not neutral, so that folding has something to fold.
        let value = |i: usize| match name.rsplit('.').next() {
            Some("running_mean") => Some((i % 7) as f32 / 70.0 - 0.04),
            Some("running_var") => Some(0.8 + (i % 5) as f32 / 10.0),
            _ => None,
        };
        values.iter_mut().enumerate().for_each(|(i, v)| *v = value(i).unwrap_or(*v));
    }
    let Shape { h, w, c } = graph.input().shape;
    let preprocessing = Preprocessing::new(w as u32, h as u32, c as u8, Fit::Crop { resize_to: h.max(w) as u32 })
        .normalised_by(vec![0.4; c], vec![0.25; c]);
    let classes = (0..graph.output().shape.len()).map(|i| format!("class {i}")).collect();
    let card = Card {
        classes,
        preprocessing,
        trained: None,
        calibration: None,
        licence: Some("CC0".into()),
        striate: "test".into(),
    };
    let path = place.path().join(format!("{network}.safetensors"));
    card.write(&graph, &parameters, &path).unwrap();
    path
}

fn few(classes: usize) -> Options {
    Options { classes: Some(classes), ..Options::default() }
}

/// Exports with these words behind and returns what was printed.
fn export(place: &Place, words: &str) -> Value {
    place.run(&format!("export {words} --json --threads 2")).succeeded().json()
}

#[track_caller]
fn verified(json: &Value) {
    let of = |key: &str| json["verified"][key].as_f64().unwrap_or(f64::NAN);
    assert!(of("difference") <= of("allowed"), "{json}");
}

/// Exports a network to ONNX in three ways and has each verified.
fn through_onnx(network: &str, options: &Options) {
    let place = Place::new();
    model(&place, network, options);
    let who = if std::env::var_os("STRIATE_PYTHON").is_some() { &["striate", "onnxruntime"][..] } else { &["striate"] };
    for (i, way) in ["", "--fold-bn", "--preprocessing inside"].into_iter().enumerate() {
        for who in who {
            let json = export(
                &place,
                &format!("{network}.safetensors --format onnx {way} -o {i}{who}.onnx --verify 2 --verify-with {who}"),
            );
            verified(&json);
        }
    }
}

#[test]
fn small_networks_answer_the_same_as_onnx() {
    for network in ["lenet5", "lenet5_1998", "resnet20", "mobilenet_v1_0.25"] {
        through_onnx(network, &few(7));
    }
}

#[test]
fn googlenets_pools_answer_the_same_as_onnx() {
    // A side at which every rounded-up pool has a last window that reaches beyond.
    through_onnx("googlenet", &Options { input: Some(Shape::new(96, 96, 3)), ..few(5) });
    through_onnx("googlenet_paper", &Options { input: Some(Shape::new(96, 96, 3)), ..few(5) });
}

/// All of the zoo, hundreds of megabytes each: for a run by hand.
#[test]
#[ignore = "takes gigabytes and minutes"]
fn every_network_answers_the_same_as_onnx() {
    for a in all() {
        println!("{}", a.name);
        through_onnx(a.name, &Options::default());
    }
}

#[test]
fn a_model_comes_back_from_onnx_with_its_card() {
    let place = Place::new();
    model(&place, "lenet5", &few(3));
    export(&place, "lenet5.safetensors --format onnx");
    place.run("import lenet5.onnx -o again.safetensors").succeeded();
    let read = striate::train::Model::read(&place.path().join("again.safetensors")).unwrap();
    let first = striate::train::Model::read(&place.path().join("lenet5.safetensors")).unwrap();
    assert_eq!(read.graph, first.graph);
    assert_eq!((read.card.classes, read.card.licence), (first.card.classes, first.card.licence));
    assert_eq!(read.card.preprocessing, first.card.preprocessing);
    for ((a, _, x), (b, _, y)) in read.parameters.iter().zip(first.parameters.iter()) {
        assert_eq!((a, x), (b, y));
    }
}

#[test]
fn state_dicts_come_back_under_a_librarys_names() {
    let place = Place::new();
    model(&place, "resnet20", &few(10));
    let json = export(&place, "resnet20.safetensors --format torch-state-dict --names akamaster -o r.th --verify 1");
    verified(&json);
    let json = place.run("import r.th --json -o again.safetensors").succeeded().json();
    assert_eq!((&json["architecture"], &json["library"]), (&"resnet20".into(), &"akamaster".into()));
    assert_eq!((&json["by"], json["classes"].as_u64()), (&"akamaster's names".into(), Some(10)));
    let read = striate::train::Model::read(&place.path().join("again.safetensors")).unwrap();
    let first = striate::train::Model::read(&place.path().join("resnet20.safetensors")).unwrap();
    assert_eq!(read.graph, first.graph);
    assert!(read.parameters.iter().zip(first.parameters.iter()).all(|((_, _, x), (_, _, y))| x == y));
    assert_eq!(read.card.classes[..2], ["airplane", "automobile"]);
}

#[test]
fn folded_safetensors_answer_the_same() {
    let place = Place::new();
    model(&place, "resnet20", &few(4));
    let json = export(&place, "resnet20.safetensors --format safetensors --fold-bn -o folded.safetensors --verify 2");
    verified(&json);
    assert_eq!(json["folded"], true);
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new();
    model(&place, "lenet5", &few(3));
    let refused = |words: &str| {
        let said = place.run(words);
        assert_eq!(said.code, 1, "{words}: {}", said.stderr);
        said.stderr
    };
    let e = refused("export lenet5.safetensors --format torch-state-dict --names torchvision");
    assert!(e.contains("lenet5 is in no PyTorch library that is known; own is always possible"), "{e}");
    let e = refused("export lenet5.safetensors --format safetensors --preprocessing inside -o x");
    assert!(e.contains("only ONNX files have a graph"), "{e}");
    let e = refused("export lenet5.safetensors --format safetensors");
    assert!(e.contains("lenet5.safetensors: is there already"), "{e}");
    place.file("page.pth", b"<html>");
    assert!(refused("import page.pth").contains("page.pth: is a web page"));
    place.file("w.npz", b"PK\x03\x04");
    assert!(refused("import w.npz").contains("without its end"));
    assert!(refused("import none.pth").contains("none.pth"));
}
