//! ONNX graphs of PyTorch and of converters from TensorFlow, made by `fixtures/make_foreign.py`, against ONNX Runtime's
//! answers.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use striate_engine::{Request, Session, Tensors};
use striate_graph::Shape;
use striate_kernels::Cpu;
use striate_weights::{OnnxModel, OnnxOptions, fold_batch_norm, onnx_bytes, parse_onnx};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// The network's answer to the script's image, whose i-th value (in the file's order) is (7919·i mod 101) / 101.
fn answer(model: &OnnxModel, channels_last: bool) -> Vec<f32> {
    let Shape { h, w, c } = model.graph.input().shape;
    let value = |i: usize| (i * 7919 % 101) as f32 / 101.0;
    let of = |y: usize, x: usize, k: usize| {
        if channels_last { value((y * w + x) * c + k) } else { value((k * h + y) * w + x) }
    };
    let pixels = (0..h).flat_map(|y| (0..w).map(move |x| (y, x)));
    let image: Vec<f32> =
        pixels.flat_map(|(y, x)| (0..c).map(move |k| (y, x, k))).map(|(y, x, k)| of(y, x, k)).collect();
    let mut parameters = Tensors::zeros(&model.graph);
    for (name, tensor) in &model.tensors {
        parameters.set(name, tensor.values.clone()).unwrap();
    }
    let cpu = Arc::new(Cpu::new(1).unwrap());
    let mut session = Session::new(Arc::new(model.graph.clone()), cpu, &Request::predict(1)).unwrap();
    session.forward(&parameters, &image, 1, 0).unwrap().to_vec()
}

fn expected() -> BTreeMap<String, Vec<f32>> {
    serde_json::from_slice(&fixture("answers.json")).unwrap()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let e: Vec<f64> = logits.iter().map(|v| f64::from(*v).exp()).collect();
    e.iter().map(|v| (v / e.iter().sum::<f64>()) as f32).collect()
}

#[track_caller]
fn near(found: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= bound, "{found:?} against {expected:?}");
    }
}

#[test]
fn graphs_answer_as_in_onnx_runtime() {
    for (name, expected) in expected() {
        let last = name.starts_with("channels_last");
        let model = parse_onnx(&fixture(&name), Some(&folder()), None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = answer(&model, last);
        // A last softmax is left to whoever asks.
        let found = if last { found } else { softmax(&found) };
        near(&found, &expected, 1e-5);
    }
}

#[test]
fn folded_and_written_again_they_answer_the_same() {
    for (name, expected) in expected().into_iter().filter(|(name, _)| !name.starts_with("channels_last")) {
        let model = parse_onnx(&fixture(&name), Some(&folder()), None).unwrap();
        let (graph, tensors) = fold_batch_norm(&model.graph, &model.tensors).unwrap();
        let bytes = onnx_bytes(&graph, &tensors, &OnnxOptions::default()).unwrap();
        let again = parse_onnx(&bytes, None, None).unwrap();
        near(&softmax(&answer(&again, false)), &expected, 1e-5);
    }
}

#[test]
fn values_beside_bytes_of_no_folder_are_refused() {
    let e = parse_onnx(&fixture("beside.onnx"), None, None).unwrap_err();
    assert!(e.contains("has its values in another file, `beside.data`"), "{e}");
}

#[test]
fn what_has_no_layer_is_named_with_its_node() {
    let mut bytes = fixture("torch_13.onnx");
    // The operator's field and length, then its name.
    let at = bytes.windows(9).position(|w| w == b"\x22\x07Sigmoid").unwrap();
    bytes[at + 2..at + 9].copy_from_slice(b"Sinmoid");
    let e = parse_onnx(&bytes, None, None).unwrap_err();
    assert!(e.starts_with("its node `") && e.contains("no layer computes this operator"), "{e}");
}
