//! The main job on real data, where `STRIATE_DATA` names a folder that holds `mnist/` and `cifar10-exact/`; elsewhere these
//! tests say that they checked nothing.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of one data set, or a remark that there is none.
fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("STRIATE_DATA").map(|d| Path::new(&d).join(name)).filter(|d| d.is_dir());
    if folder.is_none() {
        eprintln!("not checked: STRIATE_DATA names no folder with {name}");
    }
    folder
}

/// The JSON object that the program prints last.
fn json(args: &[&str]) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_striate")).args(args).arg("--json").output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(out.stdout.split(|b| *b == b'\n').rfind(|line| !line.is_empty()).unwrap()).unwrap()
}

#[test]
fn lenet_learns_mnist() {
    let Some(mnist) = data("mnist") else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let run = json(&["train", mnist.to_str().unwrap(), "--epochs", "2", "--out", out]);
    assert_eq!(run["test"]["images"], 10_000);
    assert_eq!(run["images"], 10_000);
    let accuracy = run["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.975, "{accuracy} of MNIST's test digits after two epochs");
}

#[test]
fn the_residual_network_learns_cifar() {
    let Some(cifar) = data("cifar10-exact") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (out, cifar) = (dir.path().to_str().unwrap(), cifar.to_str().unwrap());
    let run = json(&["train", cifar, "--model", "resnet20", "--epochs", "2", "--batch", "64", "--out", out]);
    let scored = json(&["eval", run["model"].as_str().unwrap(), cifar]);
    assert_eq!((&scored["images"], &scored["part"]), (&Value::from(1000), &Value::from("test")));
    assert_eq!(scored["accuracy"], run["test"]["accuracy"], "train and eval agree on the same file");
    // Ten classes: twice of chance after two epochs of 3,333 images.
    assert!(scored["accuracy"].as_f64().unwrap() > 0.2, "{scored}");
}
