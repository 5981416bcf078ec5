//! `striate bench data` and `bench kernels`: what they measure, for people and as JSON, and what they refuse.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, fixture, number, write_bars};

#[test]
fn images_are_measured_against_the_step_that_takes_them() {
    let place = Place::new();
    let said = place.run("bench data digits --seconds 0 --batch 32 --workers 1 --threads 1 --json").succeeded();
    let said = said.explains(&["10 classes", "both at once"]).json();
    assert_eq!((said["mode"].as_str(), said["model"].as_str()), (Some("data"), Some("lenet5")), "as `train` chooses");
    let of = |key: &str| number(&said, key);
    assert_eq!([of("images"), of("batch"), of("workers"), of("size")], [1797.0, 32.0, 1.0, 32.0]);
    let stages = ["decode_us", "resize_us", "augment_us", "normalise_us"].map(|key| number(&said["stages"], key));
    assert!(stages.iter().all(|&us| us > 0.0), "{said}");
    let (images, training) = (of("images_per_second"), number(&said["training"], "images_per_second"));
    assert_eq!(said["waits"], if images >= training { "workers" } else { "network" });
    // One worker spends at least the stages' time on each image.
    assert!(images <= 1e6 / stages.iter().sum::<f64>() * 1.5, "{said}");
    let together = &said["together"];
    assert!(number(together, "images_per_second") > 0.0 && (0.0..=1.0).contains(&number(together, "network_waits")));
}

#[test]
fn a_folder_of_pictures_is_told_in_words() {
    let place = Place::new();
    write_bars(&place, "data", 8);
    place.file("data/standing/cut.jpg", &fs::read(fixture("speckled.jpg")).unwrap()[..400]);
    let words = "bench data data --model resnet20 --imgsz 16 --batch 4 --seconds 0";
    let said = place.run(words).succeeded();
    for text in ["decode ", "resize ", "images alone", "training resnet20 16×16×1 alone at batch 4", "both at once"] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    let last = said.stdout.lines().last().unwrap();
    let sentences =
        ["The workers wait for the network: images come ", "The network waits for its images: it could train "];
    assert!(sentences.iter().any(|s| last.starts_with(s)), "{last}");
}

#[test]
fn a_plan_says_what_is_computed_again_and_how_it_is_kept() {
    let place = Place::new();
    let words = "bench train -m resnet20 -b 2 --seconds 0 --threads 1 --explain-plan";
    let plan = |more: &str| {
        let said = place.run(&format!("{words} {more} --json")).succeeded().json();
        let steps = said["plan"].as_array().unwrap().clone();
        steps.into_iter().filter(|step| step["again_for"].is_string()).collect::<Vec<_>>()
    };
    assert!(plan("").is_empty());
    let again = plan("--recompute");
    // What follows a block's first convolution is wanted by its second.
    let inner = again.iter().find(|step| step["layers"][0] == "layer1.1.bn1").unwrap();
    assert_eq!(inner["again_for"], "layer1.1.conv2");
    assert!(again.iter().all(|step| step["forward"].is_null()), "no convolution is");
    let table = place.run(&format!("{words} --recompute")).succeeded().stdout;
    assert!(table.contains(", again for layer1.1.conv2"), "{table}");
    let half = place.run(&format!("{words} --precision bf16 --json")).succeeded().json();
    assert_eq!((half["precision"].as_str(), half["recompute"].as_bool()), (Some("bf16"), Some(true)));
    let kept = |name: &str| {
        let step =
            half["plan"].as_array().unwrap().iter().find(|s| s["layers"].as_array().unwrap().contains(&name.into()));
        step.unwrap()["kept_as"].as_str().unwrap().to_owned()
    };
    // Maps as bf16, the pooled vector and the answer as they are.
    assert_eq!([kept("conv1"), kept("layer1.0.bn1"), kept("linear")], ["bf16", "bf16", "f32"]);
    place.run("bench infer -m lenet5 --recompute").exited(1).explains(&["--recompute"]);
}

#[test]
fn data_that_cannot_be_measured_is_refused() {
    let place = Place::new();
    place.run("bench data nowhere").exited(1).explains(&["nowhere: there is no such file or folder"]);
    place.run("bench data digits --model lenet6").exited(1).explains(&["did you mean `lenet5`?"]);
    place.run("bench data digits --batch 0").exited(1).explains(&["--batch must be at least 1"]);
    place.run("bench data digits --seconds -1").exited(2);
    place.run("bench data digits --seconds=-1").exited(1).explains(&["--seconds must be"]);
    place.run("bench data").exited(2);
}

#[test]
fn kernels_are_measured_alone() {
    let place = Place::new();
    let words = "bench kernels --filter lenet5 --batch 2 --seconds 0 --threads 1";
    let said = place.run(&format!("{words} --json")).succeeded().json();
    let peak = number(&said, "peak_gflops");
    let kernels = said["kernels"].as_array().unwrap();
    let of = |layer: &'static str, pass: &'static str| {
        kernels.iter().filter(move |k| k["layer"] == layer && k["pass"] == pass).collect::<Vec<_>>()
    };
    // Six filters of 5×5 on 28×28 places, two images.
    let c1 = of("c1", "forward");
    assert_eq!(number(c1[0], "multiply_adds"), (2 * 28 * 28 * 6 * 25) as f64);
    for pass in ["forward", "data", "weight"] {
        assert_eq!(of("c3", pass).iter().filter(|k| k["planned"] == true).count(), 1, "{pass}");
    }
    for k in kernels.iter().filter(|k| !k["gflops"].is_null()) {
        let speed = 2e-6 * number(k, "multiply_adds") / number(k, "ms");
        assert!((number(k, "gflops") / speed - 1.0).abs() < 1e-6, "{k}");
        assert!((number(k, "peak_share") * peak / speed - 1.0).abs() < 1e-6, "{k}");
    }
    let pool = of("s2", "backward");
    assert!(pool[0]["algorithm"].is_null() && number(pool[0], "gigabytes_per_second") > 0.0, "{said}");
    assert!(kernels.iter().all(|k| k["network"] == "lenet5"), "{said}");

    let table = place.run(words).succeeded().stdout;
    for text in ["GFLOP/s, and the share of the peak", "2×14×14×6 → 16, 5×5", " * ", " %", "GB/s"] {
        assert!(table.contains(text), "{text}: {table}");
    }
}

#[test]
fn every_algorithm_that_applies_has_its_row() {
    let place = Place::new();
    let words = "bench kernels --filter resnet20_layer1_conv --seconds 0 --threads 1 --json";
    place.run(words).exited(1).explains(&["no layer of alexnet", "`resnet20_layer1_conv`"]);
    let said = place.striate(["bench", "kernels", "--filter", "resnet20 conv 8×8×64", "--seconds", "0", "--json"]);
    let said = said.succeeded().json();
    let algorithms: Vec<&str> =
        said["kernels"].as_array().unwrap().iter().filter_map(|k| k["algorithm"].as_str()).collect();
    for algorithm in ["direct", "winograd2", "winograd4"] {
        assert!(algorithms.contains(&algorithm), "{algorithms:?}");
    }
    place.run("bench kernels --batch 0").exited(2).explains(&["--batch"]);
    place.run("bench kernels --filter lenet5 --seconds nan").exited(1).explains(&["--seconds must be"]);
}
