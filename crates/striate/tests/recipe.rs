//! The options of `striate train` that change the recipe: what they record, what they refuse, and the learning rate test.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, number};

#[test]
fn options_are_recorded_and_a_run_goes_on_with_them() {
    let place = Place::new();
    place.file("weights.csv", b"class,weight\n0,2\n1,1\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,0.5\n");
    let options = "--epochs 2 --label-smoothing 0.1 --class-weights weights.csv --balanced-sampling --ema 0.9 --clip-norm 5 \
                   --accumulate 2 --batch 32 --patience 7 --no-decay f6 --schedule plateau --out runs";
    place.run(&format!("train digits {options}")).succeeded();
    let config: toml::Table =
        fs::read_to_string(place.path().join("runs/lenet5/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["batch"].as_integer(), Some(64), "two batches a step");
    assert_eq!(config["micro_batches"].as_integer(), Some(2));
    assert_eq!(config["class_weights"].as_array().unwrap()[0].as_float(), Some(2.0));
    assert_eq!(config["no_decay"].as_array().unwrap()[0].as_str(), Some("f6"));
    assert_eq!(config["schedule"]["name"].as_str(), Some("plateau"));
    for (name, value) in [("label_smoothing", 0.1), ("ema", 0.9), ("clip_norm", 5.0)] {
        assert_eq!(config[name].as_float(), Some(value), "{name}");
    }
    let said = place.run("train --resume runs/lenet5 --epochs 3 --json").succeeded();
    assert_eq!(number(&said.json(), "epochs"), 3.0);
    place.run("train --resume runs/lenet5 --ema 0.5").exited(2).explains(&["cannot be used with"]);
}

#[test]
fn wishes_that_cannot_be_are_refused_before_anything_is_begun() {
    let place = Place::new();
    place.file("weights.csv", b"class,weight\n0,2\n");
    for (options, fault) in [
        ("--ema 1", "--ema must be 0 or more and less than 1, not 1"),
        ("--label-smoothing 1.5", "--label-smoothing must be 0 or more and less than 1"),
        ("--clip-norm 0", "--clip-norm must be more than 0"),
        ("--accumulate 0", "--accumulate must be at least 1"),
        ("--class-weights weights.csv", "the class `1` has no weight"),
        ("--class-weights rare", "rare"),
        ("--no-decay nothing", "no parameter's name of lenet5 holds `nothing`"),
        ("--patience 3 --val-share 0", "none are held out"),
    ] {
        place.run(&format!("train digits --epochs 1 --out runs {options}")).exited(1).explains(&[fault]);
    }
    assert!(!place.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn a_rate_is_suggested_and_drawn() {
    let place = Place::new();
    let said = place.run("train digits --find-lr rates.svg --json --out runs").succeeded();
    // LeNet-5 with AdamW learns digits at rates from some 0.0005 to 0.01.
    let rate = number(&said.json(), "suggestion");
    assert!((1e-4..0.1).contains(&rate), "{rate}");
    assert!(!said.json()["points"].as_array().unwrap().is_empty());
    let picture = fs::read_to_string(place.path().join("rates.svg")).unwrap();
    roxmltree::Document::parse(&picture).unwrap();
    assert!(picture.contains("lenet5 on digits") && picture.contains("suggested"), "the axes say what they show");
    assert!(!place.path().join("runs").exists(), "no run is made");
}
