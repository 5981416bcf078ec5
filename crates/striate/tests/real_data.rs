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

/// A file of weights in `weights/` beside the data, or a remark that there is none.
fn weights(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("STRIATE_DATA")?;
    let file = Path::new(&data).join("../weights").join(name);
    if !file.is_file() {
        eprintln!("not checked: there is no {}", file.display());
        return None;
    }
    Some(file)
}

#[test]
fn a_pickle_of_pytorch_scores_what_it_scores_there() {
    let (Some(cifar), Some(file)) = (data("cifar10-exact"), weights("resnet20.cifar10.pytorch.th")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("resnet20.safetensors");
    let (model, file) = (model.to_str().unwrap(), file.to_str().unwrap());
    let found = json(&["import", file, "-o", model]);
    assert_eq!((&found["architecture"], &found["library"]), (&"resnet20".into(), &"akamaster".into()));
    let scored = json(&["eval", model, cifar.to_str().unwrap()]);
    // 91.5 % of the thousand test images, to the image.
    assert_eq!((&scored["images"], scored["accuracy"].as_f64()), (&Value::from(1000), Some(0.915)));
}

#[test]
fn kerass_mobilenet_knows_photographs() {
    let Some(file) = weights("mobilenet_v1_0.25_224.imagenet.keras.h5") else { return };
    let dir = tempfile::tempdir().unwrap();
    let samples = Path::new(&std::env::var_os("STRIATE_DATA").unwrap()).join("imagenet-samples.tar");
    if !Command::new("tar").arg("-xf").arg(&samples).arg("-C").arg(dir.path()).status().is_ok_and(|s| s.success()) {
        eprintln!("not checked: {} cannot be unpacked", samples.display());
        return;
    }
    let model = dir.path().join("mobilenet.safetensors");
    let found = json(&["import", file.to_str().unwrap(), "-o", model.to_str().unwrap()]);
    assert_eq!((&found["architecture"], &found["parameters"]), (&"mobilenet_v1_0.25".into(), &Value::from(470_072)));
    let out = Command::new(env!("CARGO_BIN_EXE_striate"))
        .args(["predict", "--json", "--top", "5"])
        .args([&model, dir.path()])
        .output()
        .unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    let (mut first, mut five, mut all) = (0, 0, 0);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        // A photo's name begins with its class.
        let name = Path::new(line["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
        let class: u64 = name[..3].parse().unwrap();
        let indices: Vec<u64> =
            line["predictions"].as_array().unwrap().iter().map(|p| p["index"].as_u64().unwrap()).collect();
        (first, five, all) =
            (first + i32::from(indices[0] == class), five + i32::from(indices.contains(&class)), all + 1);
    }
    assert_eq!(all, 250);
    // 59.2 % and 81.7 % are stated for a thousand photos of which these are a part: three standard deviations.
    for (right, stated) in [(first, 0.592), (five, 0.817f64)] {
        let share = f64::from(right) / 250.0;
        assert!((share - stated).abs() < 3.0 * (stated * (1.0 - stated) / 250.0).sqrt(), "{right} of 250");
    }
}
