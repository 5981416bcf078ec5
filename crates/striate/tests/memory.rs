//! Memory: what is told before a run against what the process took, limits and what is done to keep them, and pictures that
//! are larger than memory allows.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::fs;
use support::{Place, number, write_bars};

/// Asserts that the measured peak is within a tenth of what was expected, where the system tells the peak.
fn assert_expected(what: &str, need: f64, peak: &Value) {
    if let Some(peak) = peak.as_f64() {
        assert!((need / peak - 1.0).abs() <= 0.1, "{what}: {need:.0} expected, {peak:.0} measured");
    }
}

#[test]
fn the_memory_that_is_told_is_what_is_taken() {
    let place = Place::new();
    for words in [
        "train --model resnet18 --size 64 --batch 16",
        "train --model alexnet --size 64 --batch 16",
        "train --model vgg11 --size 48 --batch 4",
        "train --model mobilenet_v1 --size 96 --batch 16",
        "train --model googlenet --size 96 --batch 8",
        "infer --model resnet18 --size 128 --batch 16",
        "infer --model alexnet --size 64 --batch 16",
    ] {
        let said = place.run(&format!("bench {words} --seconds 0 --json")).succeeded().explains(&["memory: about"]);
        let said = said.json();
        assert_expected(words, number(&said, "need_mb"), &said["peak_rss_mb"]);
        assert_eq!((&said["recompute"], &said["micro_batches"]), (&Value::Bool(false), &Value::from(1)), "{words}");
    }
}

#[test]
fn limits_are_kept_by_micro_batches() {
    let place = Place::new();
    let words = "bench train --model mobilenet_v1 --size 96 --batch 32 --seconds 0 --json";
    let free = place.run(words).succeeded().json();
    // Parameters, gradients and momentum take a fifth; activations are more than halved.
    let limit = 0.55 * number(&free, "need_mb");
    let said = place.run(&format!("{words} --memory-limit {limit}MiB")).succeeded();
    let said = said.explains(&["are taken in", "batch normalisation sees", "(else "]).json();
    assert!(number(&said, "micro_batches") >= 2.0 && number(&said, "need_mb") <= limit, "{said}");
    assert_expected("in micro-batches", number(&said, "need_mb"), &said["peak_rss_mb"]);
}

#[test]
fn a_run_says_what_it_does_to_fit() {
    let place = Place::new();
    write_bars(&place, "data", 24);
    let train = |more: &str| {
        place.run(&format!("train data --model resnet20 --imgsz 64 --batch 16 --epochs 1 --out runs --json {more}"))
    };
    let whole = train("--name whole").succeeded().explains(&["memory: about", "were expected"]).json();
    let memory = &whole["memory"];
    assert_eq!((&memory["recompute"], &memory["micro_batches"]), (&Value::Bool(false), &Value::from(1)));
    let parts: f64 = memory["parts"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
    assert_eq!(parts, number(memory, "need"));
    assert_expected("a run", number(memory, "need"), &memory["peak"]);

    // Less than what computing again saves.
    let limit = 0.5 * number(memory, "need");
    let small = train(&format!("--name small --memory-limit {limit:.0}")).succeeded();
    let small = small.explains(&["batches of 16 are taken in", "batch normalisation sees"]).json();
    let memory = &small["memory"];
    assert!(number(memory, "micro_batches") >= 2.0 && number(memory, "need") <= limit, "{memory}");
    let config = fs::read_to_string(place.path().join("runs/small/config.toml")).unwrap();
    let line = format!("micro_batches = {}", number(memory, "micro_batches"));
    assert!(config.lines().any(|l| l == line), "no `{line}` in {config}");
    assert_expected("a run in micro-batches", number(memory, "need"), &memory["peak"]);
}

#[test]
fn limits_that_cannot_be_kept_are_refused_with_the_least() {
    let place = Place::new();
    write_bars(&place, "data", 4);
    let said = place.run("train data --epochs 1 --model resnet20 --memory-limit 2MB").exited(1);
    said.explains(&["training `resnet20` takes", "MB at least", "2.0 MB may be had", "--memory-limit"]);
    assert!(!place.path().join("runs").exists(), "nothing was begun");
    place.run("bench infer --model resnet18 --memory-limit 20MiB").exited(1).explains(&["21.0 MB may be had"]);
    for size in ["0", "2 pounds", "101%", "-1GB"] {
        let said = place.striate(["train", "data", &format!("--memory-limit={size}")]).exited(2);
        said.explains(&["such as 2GB"]);
    }
}

#[test]
fn precisions_are_chosen_and_told() {
    let place = Place::new();
    let model = place.digits_model();
    let eval = |more: &str| place.run(&format!("eval {} digits --json {more}", model.display())).succeeded();
    let plain = eval("");
    assert!(!plain.stderr.contains("f32"), "what always was is not told: {}", plain.stderr);
    let auto = eval("--precision auto");
    assert!(["f32: ", "bf16: "].iter().any(|p| auto.stderr.contains(p)), "{}", auto.stderr);
    let half = eval("--precision bf16").explains(&["bf16: as asked"]);
    // Of 359 images, what rounding to 8 bits of mantissa may change.
    let accuracy = |said: &support::Said| number(&said.json(), "accuracy");
    assert!((accuracy(&half) - accuracy(&plain)).abs() < 0.01);
    place.run("bench infer --model lenet5 --precision f16 --seconds 0").exited(2).explains(&["f32, bf16, auto"]);
    place.run("train digits --epochs 1 --precision bf16 --out runs").succeeded().explains(&["bf16: as asked"]);
    let config = fs::read_to_string(place.path().join("runs/lenet5/config.toml")).unwrap();
    assert!(config.lines().any(|l| l == "precision = \"bf16\""), "{config}");
}

#[test]
fn large_pictures_go_through_in_bands() {
    let place = Place::new();
    write_bars(&place, "data", 12);
    place.run("train data --model resnet20 --imgsz 32 --epochs 2 --out runs").succeeded();
    let (w, h) = (400, 6000);
    let pixels = (0..w * h).map(|i| ((i % w / 9 * 31) ^ (i / w / 11 * 17)) as u8);
    let header = format!("P5\n{w} {h}\n255\n").into_bytes();
    place.file("tall.pgm", &header.into_iter().chain(pixels).collect::<Vec<_>>());
    let predict = |more: &str| {
        let words = "predict runs/resnet20/weights/best.safetensors tall.pgm --full-size --json";
        place.run(&format!("{words} {more}")).succeeded()
    };
    let (whole, cut) = (predict("").explains(&["400×6000 pixels whole"]), predict("--memory-limit 120MB"));
    let cut = cut.explains(&["400×6000 pixels in ", " bands"]);
    let of = |said: &support::Said| {
        let mut all: Vec<(u64, f64)> = said.json()["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| (p["index"].as_u64().unwrap(), number(p, "probability")))
            .collect();
        all.sort_by_key(|(index, _)| *index);
        all
    };
    for ((a, p), (b, q)) in of(&whole).into_iter().zip(of(&cut)) {
        assert!(a == b && (p - q).abs() < 1e-4, "{a} {p}, {b} {q}");
    }
    place.run("predict runs/resnet20/weights/best.safetensors tall.pgm --memory-limit 1GB").exited(2);
    let model = place.digits_model();
    place
        .run(&format!("predict {} tall.pgm --full-size", model.display()))
        .exited(1)
        .explains(&["`lenet5` cannot take an image of 6000×400×1", "any size"]);
}
