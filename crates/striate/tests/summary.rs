//! `striate summary` against the lecture's and the papers' figures, and against formulas.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Place, number};

fn summary(words: &str) -> Value {
    Place::new().run(&format!("summary {words} --json")).succeeded().json()
}

fn layers(summary: &Value) -> &[Value] {
    summary["layers"].as_array().unwrap()
}

fn layer<'a>(summary: &'a Value, name: &str) -> &'a Value {
    layers(summary).iter().find(|l| l["name"] == name).unwrap_or_else(|| panic!("no layer {name}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().filter_map(Value::as_f64).collect()
}

#[test]
fn the_lectures_alexnet_is_counted_as_keras_counts() {
    let said = summary("alexnet_lecture");
    assert_eq!(number(&said, "total"), 56_361_738.0);
    assert_eq!((number(&said, "parameters"), number(&said, "statistics")), (56_358_986.0, 2_752.0));
    // The lecture's table: its rows with parameters, and a batch normalisation's with its statistics.
    let table = [
        ("conv", 34_944.0),
        ("batch_norm", 384.0),
        ("conv", 614_656.0),
        ("batch_norm", 1_024.0),
        ("conv", 885_120.0),
        ("batch_norm", 1_536.0),
        ("conv", 147_840.0),
        ("batch_norm", 1_536.0),
        ("conv", 98_560.0),
        ("batch_norm", 1_024.0),
        ("linear", 37_752_832.0),
        ("linear", 16_781_312.0),
        ("linear", 40_970.0),
    ];
    let held = |l: &&Value| number(l, "parameters") > 0.0;
    let rows = layers(&said).iter().filter(held);
    let rows: Vec<_> =
        rows.map(|l| (l["kind"].as_str().unwrap(), number(l, "parameters") + number(l, "statistics"))).collect();
    assert_eq!(rows, table);
    let table = Place::new().run("summary alexnet_lecture --formula").succeeded().stdout;
    for text in ["56,361,738 in all: 56,358,986 trained, 2,752 not", "(227 − 11 + 2·0)/4 + 1 = 55"] {
        assert!(table.contains(text), "{text} is not in {table}");
    }
    assert_eq!(layer(&said, "conv1")["formula"], "(227 − 11 + 2·0)/4 + 1 = 55");
    assert_eq!(layer(&said, "pool1")["formula"], "(55 − 3 + 2·0)/2 + 1 = 27");
    assert!(layer(&said, "fc6")["formula"].is_null() && layer(&said, "fc6")["kernel"].is_null());
    let conv1 = layer(&said, "conv1");
    assert_eq!([numbers(&conv1["kernel"]), numbers(&conv1["stride"])], [[11.0; 2], [4.0; 2]]);
    assert_eq!(numbers(&layer(&said, "conv2")["padding"]), [2.0; 4]);
}

#[test]
fn resnets_without_their_classifier_have_the_lectures_millions() {
    for (name, parameters, features, millions) in [
        ("resnet18", 11_689_512.0, 512.0, 11.0),
        ("resnet34", 21_797_672.0, 512.0, 21.0),
        ("resnet50", 25_557_032.0, 2048.0, 23.0),
        ("resnet101", 44_549_160.0, 2048.0, 42.0),
        ("resnet152", 60_192_808.0, 2048.0, 58.0),
    ] {
        let said = summary(name);
        let without = number(&said, "parameters_without_classifier");
        assert_eq!((number(&said, "parameters"), without), (parameters, parameters - 1000.0 * (features + 1.0)));
        assert_eq!((without / 1e6).floor(), millions);
        assert_eq!(said["classifier"], serde_json::json!(["fc"]));
    }
}

#[test]
fn auxiliary_classifiers_are_counted_apart() {
    let said = summary("googlenet");
    let counts = ["parameters", "trainable", "auxiliary_parameters"].map(|key| number(&said, key));
    assert_eq!(counts, [6_624_904.0, 13_004_888.0, 13_004_888.0 - 6_624_904.0]);
    let sum = |key: &str, auxiliary: bool| -> f64 {
        layers(&said).iter().filter(|l| l["auxiliary"] == auxiliary).map(|l| number(l, key)).sum()
    };
    assert_eq!((sum("parameters", false), sum("parameters", true)), (counts[0], counts[2]));
    assert_eq!(sum("multiply_adds", false), number(&said, "multiply_adds"));
    // Each head: a 1×1 convolution to 128 channels of a 4×4 map, then 2048 → 1024 → 1000.
    let heads = 16.0 * 128.0 * (512.0 + 528.0) + 2.0 * 1024.0 * (2048.0 + 1000.0);
    assert_eq!(sum("multiply_adds", true), heads);
    let alone = summary("googlenet --no-heads");
    assert_eq!((number(&alone, "trainable"), number(&alone, "parameters")), (counts[0], counts[0]));
    assert_eq!(number(&alone, "multiply_adds"), number(&said, "multiply_adds"));
}

#[test]
fn receptive_fields_are_the_published_ones() {
    // Araujo, Norris and Sim 2019: size, effective stride and padding; the first centre is (size − 1)/2 − padding.
    let vgg = summary("vgg16");
    for (said, name, size, jump, padding) in [
        (&vgg, "pool5", 212.0, 32.0, 90.0),
        (&summary("mobilenet_v1 --padding keras"), "conv_pw_13", 315.0, 32.0, 126.0),
    ] {
        let field = &layer(said, name)["receptive_field"];
        let found = ["size", "jump", "centre"].map(|key| numbers(&field[key]));
        assert_eq!(found, [[size; 2], [jump; 2], [(size - 1.0) / 2.0 - padding; 2]], "{name}");
    }
    let fc6 = layer(&vgg, "fc6");
    assert!(fc6["receptive_field"].is_null() && fc6["whole"] == true, "{fc6}");
    assert_eq!(layer(&vgg, "conv1_1")["whole"], false);
}

#[test]
fn memory_and_training_are_stated_at_the_batch_and_format() {
    let (one, many) = (summary("lenet5"), summary("lenet5 --batch 8"));
    for said in [&one, &many] {
        for l in layers(said) {
            let cells: f64 = numbers(&l["output"]).iter().product();
            assert_eq!(number(l, "activation_bytes"), 4.0 * number(said, "batch") * cells);
        }
    }
    // Forward, by data and by weight; the images need no gradient.
    let first = 28.0 * 28.0 * 6.0 * 25.0;
    assert_eq!(number(&one, "training_multiply_adds"), 3.0 * 416_520.0 - first);
    assert_eq!(number(&many, "training_multiply_adds"), 8.0 * number(&one, "training_multiply_adds"));
    assert_eq!((number(&one, "weights_bytes"), &one["estimate"]), (4.0 * 61_706.0, &Value::Bool(false)));
    // What is kept in bf16 are activations: the weights stay as they are.
    let half = summary("lenet5 --batch 8 --precision bf16");
    assert_eq!((number(&half, "weights_bytes"), &half["estimate"]), (4.0 * 61_706.0, &Value::Bool(false)));
    assert_eq!(half["precision"], "bf16");
    for (half, full) in layers(&half).iter().zip(layers(&many)) {
        assert_eq!(2.0 * number(half, "activation_bytes"), number(full, "activation_bytes"));
    }
    let [many, half] = ["f32", "bf16"].map(|p| summary(&format!("resnet20 --batch 32 --precision {p}")));
    // A prediction of small maps may take more: where a machine multiplies bf16, copies of them are made for that.
    for key in ["train_bytes", "least_train_bytes"] {
        assert!(number(&half, key) < number(&many, key), "{key}");
    }
    for said in [&many, &half] {
        assert!(number(said, "least_train_bytes") < number(said, "train_bytes"));
    }
    let said = Place::new().run("summary lenet5 --precision bf16").succeeded().stdout;
    assert!(said.contains("at batch 1 in bf16"), "{said}");
    Place::new().run("summary lenet5 --precision f16").exited(2).explains(&["expected f32 or bf16"]);
}

#[test]
fn what_an_architecture_leaves_open_can_be_chosen() {
    let place = Place::new();
    let halved = summary("mobilenet_v1 --alpha 0.5");
    assert_eq!(number(&halved, "parameters"), 1_331_592.0);
    assert_eq!((number(&summary("mobilenet_v1 --rho 0.5714286"), "multiply_adds") / 1e5).round(), 1864.0);
    // Two 1×1 convolutions with batch normalisation, where the maps shrink.
    let projections = 16.0 * 32.0 + 2.0 * 32.0 + 32.0 * 64.0 + 2.0 * 64.0;
    assert_eq!(number(&summary("resnet20 --shortcut B"), "parameters"), 269_722.0 + projections);
    place.run("summary lenet5 --rho 2 --imgsz 64").exited(2);
    place.run("summary lenet5 --alpha 0.5").exited(1).explains(&["`lenet5` has no width multiplier"]);
    place.run("summary mobilenet_v1 --alpha nan").exited(1).explains(&["width multiplier", "NaN"]);
    let said = place.run("bench infer --model mobilenet_v1 --alpha 0.25 --rho 0.25 --channels 1 --seconds 0 --json");
    assert_eq!(number(&said.succeeded().json(), "size"), 56.0);
    place.run("bench infer --model lenet5 --shortcut a --seconds 0").exited(1).explains(&["no shortcuts to choose"]);
}

#[test]
fn tables_fit_their_lines() {
    let place = Place::new();
    let names = place.run("models --json").succeeded().json_lines();
    let tables = names.iter().map(|m| format!("summary {}", m["name"].as_str().unwrap()));
    for words in tables.chain(["models".to_owned()]) {
        let said = place.run(&words).succeeded().stdout;
        let widest = said.lines().map(|line| line.chars().count()).max().unwrap();
        // 110 but for names of 29 letters: attributes are not shortened below 14.
        assert!(widest <= 116, "{words} takes {widest} columns");
    }
    let wide = place.run("summary resnet20 --wide --batch 2").succeeded().stdout;
    let header: Vec<&str> = wide.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header[5..], ["memory", "sees", "jump", "centre", "untrained"]);
}
