//! Files of other libraries, made by `fixtures/make_foreign.py`: the i-th value of the k-th tensor is (i + 10·k) / 8.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use striate_weights::{ForeignTensor, ForeignWeights, Format};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign").join(name)
}

fn read(name: &str) -> ForeignWeights {
    ForeignWeights::read(&path(name)).unwrap()
}

/// The values of the k-th tensor.
fn ruled(k: usize, n: usize) -> Vec<f32> {
    (0..n).map(|i| (i + 10 * k) as f32 / 8.0).collect()
}

#[track_caller]
fn is_ruled(tensor: &ForeignTensor, k: usize, shape: &[usize]) {
    assert_eq!(
        (tensor.shape.as_slice(), &tensor.values),
        (shape, &ruled(k, shape.iter().product())),
        "{}",
        tensor.name
    );
}

/// Checks the tensors that the PyTorch and safetensors files hold, each value greater by `more`.
#[track_caller]
fn holds_tensors(weights: &ForeignWeights, prefix: &str, more: f32) {
    let find = |name: &str| weights.find(&format!("{prefix}{name}")).unwrap();
    let plain: [(&str, usize, &[usize]); 7] = [
        ("conv.weight", 0, &[2, 3, 2, 2]),
        ("conv.bias", 1, &[2]),
        ("base", 2, &[4, 6]),
        ("half", 3, &[5]),
        ("brain", 4, &[5]),
        ("double", 5, &[5]),
        ("scalar", 6, &[]),
    ];
    for (name, k, shape) in plain {
        let values: Vec<f32> = ruled(k, shape.iter().product()).iter().map(|v| v + more).collect();
        assert_eq!((find(name).shape.as_slice(), &find(name).values), (shape, &values), "{name}");
    }
    let base = |row: usize, column: usize| (row * 6 + column + 20) as f32 / 8.0 + more;
    let view: Vec<f32> = (1..3).flat_map(|r| [0, 2, 4].map(|c| base(r, c))).collect();
    assert_eq!((&find("view").shape, &find("view").values), (&vec![2, 3], &view));
    let turned: Vec<f32> = (0..6).flat_map(|c| [0, 1, 2, 3].map(|r| base(r, c))).collect();
    assert_eq!((&find("turned").shape, &find("turned").values), (&vec![6, 4], &turned));
    assert_eq!(weights.tensors.len(), 9);
    let note = format!("1 tensor of whole numbers are no weights: `{prefix}steps`");
    assert!(weights.notes.contains(&note), "{:?}", weights.notes);
}

#[test]
fn pytorch_files_are_read_in_both_forms() {
    for (name, format) in [("plain.pt", Format::TorchZip), ("legacy.pt", Format::TorchLegacy)] {
        let weights = read(name);
        assert_eq!(weights.format, format);
        holds_tensors(&weights, "", 0.0);
        assert_eq!(weights.tensors[0].name, "conv.weight");
    }
}

#[test]
fn weights_are_found_in_checkpoints() {
    let weights = read("checkpoint.pt");
    holds_tensors(&weights, "module.", 0.0);
    let note = "the weights are its entry `state_dict`; beside it: `epoch`, `args`, `best`, `optimizer`";
    assert!(weights.notes.iter().any(|n| n == note), "{:?}", weights.notes);
    let weights = read("averaged.pt");
    holds_tensors(&weights, "module.", 1.0);
    assert!(weights.notes[0].starts_with("the weights are its entry `state_dict_ema`"), "{:?}", weights.notes);
}

#[test]
fn what_would_run_is_refused() {
    let refused = |name: &str| ForeignWeights::read(&path(name)).unwrap_err().to_string();
    let e = refused("hostile.pt");
    assert!(e.ends_with("asks for `posix.system`, which weights have no need of: it was not run"), "{e}");
    let e = refused("whole.pt");
    assert!(e.contains("`torch.nn.modules.container.Sequential`, a whole model with its code"), "{e}");
}

#[test]
fn safetensors_are_read() {
    let weights = read("plain.safetensors");
    assert_eq!(weights.format, Format::Safetensors);
    holds_tensors(&weights, "", 0.0);
}

#[test]
fn numpys_archives_are_read() {
    for name in ["plain.npz", "deflated.npz"] {
        let weights = read(name);
        assert_eq!((weights.format, weights.tensors.len()), (Format::Npz, 3));
        is_ruled(weights.find("a/kernel").unwrap(), 0, &[2, 3]);
        is_ruled(weights.find("b").unwrap(), 1, &[3, 4]);
        is_ruled(weights.find("c").unwrap(), 2, &[4]);
    }
}

#[test]
fn kerass_files_are_read_in_three_forms() {
    let expected: [(&str, &[usize]); 11] = [
        ("first/kernel", &[3, 3, 3, 4]),
        ("first/bias", &[4]),
        ("norm/gamma", &[4]),
        ("norm/beta", &[4]),
        ("norm/moving_mean", &[4]),
        ("norm/moving_variance", &[4]),
        ("deep/kernel", &[3, 3, 4, 1]),
        ("second/kernel", &[1, 1, 4, 2]),
        ("second/bias", &[2]),
        ("answer/kernel", &[8, 5]),
        ("answer/bias", &[5]),
    ];
    let forms = [
        ("model.h5", Format::KerasHdf5),
        ("model.weights.h5", Format::KerasHdf5),
        ("model.keras", Format::KerasArchive),
    ];
    for (file, format) in forms {
        let weights = read(file);
        assert_eq!((weights.format, weights.tensors.len()), (format, expected.len()), "{file}");
        for (k, (name, shape)) in expected.iter().enumerate() {
            // Weights alone are numbered by the layers' kinds.
            let kinds = [
                ("first", "conv2d"),
                ("norm", "batch_normalization"),
                ("deep", "depthwise_conv2d"),
                ("second", "conv2d_1"),
                ("answer", "dense"),
            ];
            let (layer, weight) = name.split_once('/').unwrap();
            let kind = kinds.iter().find(|(l, _)| *l == layer).map(|(_, kind)| *kind);
            let layer = if file == "model.weights.h5" { kind.unwrap() } else { layer };
            let name = format!("{layer}/{weight}");
            let found = weights.tensors.iter().find(|t| t.name.replace("/depthwise_", "/") == name);
            let names = || weights.tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>();
            is_ruled(found.unwrap_or_else(|| panic!("{file}: no {name} in {:?}", names())), k, shape);
        }
    }
}

#[test]
fn hdf5s_layouts_are_read() {
    let weights = read("chunks.h5");
    let names = ["chunked", "shuffled", "compact", "big_endian", "half", "checked"];
    assert_eq!(weights.tensors.len(), names.len());
    for (k, name) in names.iter().enumerate() {
        is_ruled(weights.find(&format!("{name}/kernel")).unwrap(), k, &[5, 4]);
    }
    is_ruled(read("latest.h5").find("new/kernel").unwrap(), 0, &[2, 3]);
}

#[test]
fn what_is_no_weights_is_refused_in_words() {
    let refused = |bytes: &[u8]| ForeignWeights::parse(bytes).unwrap_err();
    assert_eq!(refused(b""), "is empty");
    assert!(refused(b"<!DOCTYPE html>").contains("web page"));
    assert!(refused(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(refused(b"\xff\xd8\xff\xe0 a picture").contains("none of what can be read"));
    assert!(refused(b"\x93NUMPY\x01\x00").contains("numpy.savez"));
}

#[test]
fn files_cut_short_are_refused() {
    for file in ["plain.pt", "legacy.pt", "plain.safetensors", "plain.npz", "model.keras"] {
        let bytes = std::fs::read(path(file)).unwrap();
        for part in [1, 2, 3] {
            let cut = &bytes[..bytes.len() * part / 4];
            assert!(ForeignWeights::parse(cut).is_err(), "{file} at {part}/4");
        }
    }
}

#[test]
fn headers_may_begin_as_other_files_do() {
    // The lengths' first bytes are those of a pickle of protocol 2, of one of 4, and of an ONNX file.
    for length in [0x0280usize, 0x0480, 0x0108, 0x0808] {
        let mut header = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.to_vec();
        header.resize(length, b' ');
        let values = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
        let weights = ForeignWeights::parse(&[&length.to_le_bytes()[..], &header, &values].concat()).unwrap();
        assert_eq!((weights.format, &weights.tensors[0].values), (Format::Safetensors, &vec![1.5, -2.0]), "{length:x}");
    }
}

#[test]
fn zip_entries_on_top_of_each_other_are_refused() {
    let bytes = std::fs::read(path("plain.npz")).unwrap();
    let mut twice = bytes.clone();
    // The first entry's packed and unpacked sizes in the directory, as long as the file.
    let at = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for place in [at + 20, at + 24] {
        twice[place..place + 4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    assert!(ForeignWeights::parse(&twice).unwrap_err().contains("on top of each other"));
}
