//! `striate train --from`, `striate features` and `striate transfer` as they are used.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, number, write_bars};

#[test]
fn a_model_is_the_beginning_of_another() {
    let place = Place::new();
    place.digits_model();
    write_bars(&place, "bars", 12);
    let words = "train bars --from digits.safetensors --epochs 12 --json --out runs";
    let said = place.run(words).succeeded().explains(&[
        "`output` is new, for 2 classes (before: 10)",
        "tuned: `output` and what comes behind it, 170 of",
        "features of",
    ]);
    assert!(number(&said.json(), "accuracy") > 0.9, "{}", said.stdout);
    let run = place.path().join("runs/lenet5");
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    for line in ["[transfer]", "tune = \"head\"", "new_head = true", "batch_norm = \"frozen\""] {
        assert!(config.lines().any(|l| l == line), "no `{line}` in {config}");
    }
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("began with") && report.contains("head: 170 of"), "what was tuned is in the report");
    let card = fs::read_to_string(run.join("MODEL_CARD.md")).unwrap();
    assert!(card.contains("* tuned: head: 170 of"), "{card}");
    place.run("train --resume runs/lenet5 --epochs 14").succeeded().explains(&["goes on in epoch 13"]);
    // The same classes keep their head.
    place
        .run("train digits --from digits.safetensors --tune last:2 --epochs 1 --augment none")
        .succeeded()
        .explains(&["the 10 classes are the same, and so `output` is kept", "`f6` and what comes behind it"]);
}

#[test]
fn wishes_of_a_transfer_that_cannot_be_are_refused() {
    let place = Place::new();
    place.digits_model();
    let refused = |words: &str, why: &str| {
        place.run(words).explains(&[why]);
    };
    refused("train digits --from nothing.safetensors", "nothing.safetensors");
    refused("train digits --from digits.safetensors --tune last:9", "has 5 layers and blocks");
    refused("train digits --from digits.safetensors --tune from:f7", "has no node `f7`");
    refused("train digits --from digits.safetensors --tune some", "expected all, head, last:K or from:NODE");
    refused("train digits --from digits.safetensors --model lenet5", "cannot be used with");
    refused("train digits --tune head", "--from");
}

#[test]
fn features_are_written_and_neighbours_told() {
    let place = Place::new();
    place.digits_model();
    write_bars(&place, "bars", 6);
    let words = "features digits.safetensors bars -o bars.npy --json";
    let object = place.run(words).succeeded().json();
    assert_eq!((number(&object, "rows"), number(&object, "values")), (12.0, 84.0));
    assert_eq!(object["layer"], "f6_tanh");
    let bytes = fs::read(place.path().join("bars.npy")).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY"));
    assert_eq!(bytes.len() % 64, (12 * 84 * 4) % 64);
    let rows = fs::read_to_string(place.path().join("bars.csv")).unwrap();
    assert_eq!((rows.lines().count(), rows.lines().next()), (13, Some("file,class,label,part")));
    for file in ["bars.npz", "bars.parquet"] {
        place.run(&format!("features digits.safetensors bars --layer s4 --pool none -o {file}")).succeeded();
        assert!(fs::metadata(place.path().join(file)).unwrap().len() > 12 * 400 * 4, "{file}");
    }
    place.run("features digits.safetensors bars --map bars.svg --sheet s.png").exited(2);
    place.run("features digits.safetensors bars --map bars.svg --perplexity 3").succeeded();
    let svg = fs::read_to_string(place.path().join("bars.svg")).unwrap();
    let drawing = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(drawing.descendants().filter(|n| n.has_tag_name("image")).count(), 12);
    let query = fs::read_dir(place.path().join("bars")).unwrap().next().unwrap().unwrap().path();
    let class = query.file_name().unwrap().to_string_lossy().into_owned();
    let image = fs::read_dir(query).unwrap().next().unwrap().unwrap().path();
    let image = image.strip_prefix(place.path()).unwrap().display().to_string();
    let words = format!("features digits.safetensors bars --nearest {image} -k 3 --sheet near.png --json");
    let found = place.run(&words).succeeded().json();
    let nearest = found["neighbours"][0]["nearest"].as_array().unwrap();
    assert_eq!(nearest.len(), 3);
    assert!(nearest.iter().all(|n| n["class"] == class.as_str()), "bars of one kind are alike: {found}");
    assert!(nearest.iter().all(|n| !n["file"].as_str().unwrap().ends_with(&image)), "not itself: {found}");
    assert!(fs::read(place.path().join("near.png")).unwrap().starts_with(b"\x89PNG"));
    place.run("features digits.safetensors bars -o bars.txt").exited(1).explains(&[".npy, .npz or .parquet"]);
    place.run("features digits.safetensors bars").exited(1).explains(&["nothing is asked for"]);
    place.run("features digits.safetensors bars -o a.npy --layer s5").exited(1).explains(&["no node `s5`"]);
}

#[test]
fn ways_are_compared_on_the_same_images() {
    let place = Place::new();
    place.digits_model();
    write_bars(&place, "bars", 20);
    let words = "transfer bars --weights digits.safetensors --shares 50,100 --seeds 2 --epochs 3 --batch 8 --json";
    let object = place.run(words).succeeded().json();
    let ways = object["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 2 * 5);
    assert_eq!((object["complete"].as_bool(), object["part"].as_str()), (Some(true), Some("validation")));
    let of = |way: &str, share: f64| ways.iter().find(|w| w["way"] == way && number(w, "share") == share).unwrap();
    assert!(number(of("features", 0.5), "images") < number(of("features", 1.0), "images"));
    for way in ways {
        assert!(number(way, "low") <= number(way, "accuracy") && number(way, "accuracy") <= number(way, "high"));
        assert!(number(way, "seconds") > 0.0 && number(way, "memory") > 0.0 && number(way, "trials") == 2.0);
    }
    assert!(object["recommendation"]["why"].as_str().unwrap().contains("recommended: "), "{object}");
    let folder = place.path().join(object["folder"].as_str().unwrap());
    let mut left: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    left.sort();
    assert_eq!(left, ["report.html", "transfer.json", "trials.csv"]);
    let trials = fs::read_to_string(folder.join("trials.csv")).unwrap();
    assert_eq!(trials.lines().count(), 1 + 2 * 5 * 2);
    place.run("transfer bars --weights digits.safetensors --ways svm").exited(2).explains(&["expected some of"]);
    place.run("transfer bars --weights digits.safetensors --shares 0").exited(1).explains(&["more than 0"]);
}
