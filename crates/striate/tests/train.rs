//! `striate train`: the run's folder, the result on stdout, and the promise that a seed decides every bit of the weights.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use support::{Place, number, write_bars};

#[test]
fn a_run_leaves_what_is_documented() {
    let place = Place::new();
    let said = place.run("train digits --epochs 3 --json --out runs").succeeded();
    assert_eq!(said.stdout.lines().count(), 1, "stdout is for the result alone: {}", said.stdout);
    let result = said.json();
    // A tenth is what guessing gives.
    assert!(number(&result, "accuracy") > 0.6, "{result}");
    assert!(number(&result, "top5") >= number(&result, "accuracy"), "{result}");
    assert!((0.0..2.0).contains(&number(&result, "loss")), "{result}");
    assert!(number(&result, "seconds") > 0.0, "{result}");
    assert_eq!((number(&result, "images"), result["part"].as_str()), (359.0, Some("val")));
    assert_eq!((number(&result, "epochs"), result["stopped"].as_bool()), (3.0, Some(false)));
    assert_eq!(result["run"], "runs/lenet5");
    assert_eq!(result["model"], "runs/lenet5/weights/best.safetensors");
    assert!(result["test"].is_null(), "the digits have no test part: {result}");

    let run = place.path().join("runs/lenet5");
    let mut left = names(&run);
    let events = left.remove(left.iter().position(|name| name.starts_with("events.out.tfevents.")).unwrap());
    assert!(events.ends_with(".striate"), "{events}");
    let (notes, tables) =
        (["MODEL_CARD.md", "checkpoint", "config.toml"], ["confusion.csv", "metrics.csv", "predictions.csv"]);
    assert_eq!(left, [&notes[..], &tables, &["report.html", "run.json", "weights"]].concat());
    assert_eq!(names(&run.join("weights")), ["best.safetensors", "last.safetensors"]);
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    for line in ["model = \"lenet5\"", "data = \"digits\"", "epochs = 3", "batch = 64", "seed = 0", "rule = \"ink\""] {
        assert!(config.lines().any(|l| l == line), "no `{line}` in {config}");
    }
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = metrics.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows[0][0], rows[0][5], rows[0].len()), ("epoch", "val_accuracy", 9));
    assert_eq!(rows[1..].iter().map(|row| row[0]).collect::<Vec<_>>(), ["1", "2", "3"]);
    let accuracies: Vec<f64> = rows[1..].iter().map(|row| row[5].parse().unwrap()).collect();
    let best = accuracies.iter().copied().fold(0.0, f64::max);
    assert_eq!(best, number(&result, "accuracy"), "the result is the best epoch's");
    assert_eq!(accuracies[number(&result, "best_epoch") as usize - 1], best);
}

#[test]
fn a_variant_is_recorded_and_built_again() {
    let place = Place::new();
    write_bars(&place, "data", 4);
    let words = "train data --model resnet20 --shortcut b --imgsz 16 --epochs 1 --out runs";
    place.run(words).succeeded();
    let config = fs::read_to_string(place.path().join("runs/resnet20/config.toml")).unwrap();
    assert!(config.lines().any(|line| line == "shortcut = \"b\""), "{config}");
    assert!(!config.contains("alpha") && !config.contains("auxiliary"), "{config}");
    let summary = |network: &str| place.run(&format!("summary {network} --json")).succeeded().json();
    let (made, meant) = (
        summary("runs/resnet20/weights/last.safetensors"),
        summary("resnet20 --classes 2 --channels 1 --imgsz 16 --shortcut b"),
    );
    assert_eq!(made["layers"], meant["layers"]);
    let fixed = "summary runs/resnet20/weights/last.safetensors --shortcut a";
    place.run(fixed).exited(1).explains(&["fixed", "--shortcut"]);
    place.run("train data --alpha 0.5").exited(1).explains(&["`lenet5` has no width multiplier"]);
}

#[test]
fn a_second_run_gets_a_folder_of_its_own() {
    let place = Place::new();
    write_bars(&place, "data", 4);
    let train = |name: &str| {
        let said = place.run(&format!("train data --epochs 1 --json --out runs {name}")).succeeded();
        said.json()["run"].as_str().unwrap().to_owned()
    };
    assert_eq!([train(""), train("")], ["runs/lenet5", "runs/lenet52"]);
    let before = fs::read(place.path().join("runs/lenet5/metrics.csv")).unwrap();
    assert_eq!(train("--name bars"), "runs/bars");
    assert_eq!(train("--name bars"), "runs/bars2");
    assert_eq!(fs::read(place.path().join("runs/lenet5/metrics.csv")).unwrap(), before);
    assert_eq!(names(&place.path().join("runs")), ["bars", "bars2", "lenet5", "lenet52"]);
}

#[test]
fn the_seed_decides_every_bit_and_threads_none() {
    let place = Place::new();
    let best = |name: &str, options: &str| {
        place.run(&format!("train digits --epochs 2 --out runs --name {name} {options}")).succeeded();
        fs::read(place.path().join("runs").join(name).join("weights/best.safetensors")).unwrap()
    };
    let first = best("one", "--threads 1 --workers 1");
    assert!(best("two", "--threads 2 --workers 3") == first, "threads must not change the weights");
    assert!(best("three", "--threads 3 --workers 2 --seed 0") == first, "nor an uneven number of them");
    assert!(best("other", "--seed 1") != first, "another seed gives other weights");
}

#[test]
fn folders_of_pictures_are_learnt() {
    let place = Place::new();
    write_bars(&place, "strípes and more/training", 24);
    write_bars(&place, "strípes and more/Valid", 6);
    write_bars(&place, "strípes and more/test", 5);
    let said = place.striate(["train", "strípes and more", "--epochs", "8", "--out", "öut", "--json"]).succeeded();
    let result = said.explains(&["48 training, 12 validation and 10 test images of 2 classes"]).json();
    assert_eq!((number(&result, "images"), number(&result["test"], "images")), (12.0, 10.0));
    assert!(number(&result, "accuracy") > 0.9, "{result}");
    assert!(number(&result["test"], "accuracy") > 0.9, "{result}");
    assert_eq!(result["run"], "öut/lenet5");
    // Scored again by the file alone: the test part, as nobody asked for another.
    let again = place.striate(["eval", result["model"].as_str().unwrap(), "strípes and more", "--json"]).succeeded();
    assert_eq!(again.json()["part"], "test");
    assert_eq!(number(&again.json(), "accuracy"), number(&result["test"], "accuracy"));
}

#[test]
fn without_json_the_result_is_told_on_stdout() {
    let place = Place::new();
    write_bars(&place, "data", 4);
    let said = place.run("train data --epochs 2 --out runs").succeeded();
    assert!(said.stdout.contains("of 2 validation images right"), "{}", said.stdout);
    assert!(said.stdout.contains("runs/lenet5/weights/best.safetensors"), "{}", said.stdout);
    let epochs = said.stderr.lines().filter(|line| line.starts_with("epoch ")).count();
    assert_eq!(epochs, 2, "a line an epoch: {}", said.stderr);
    assert!(!said.stderr.contains('\u{1b}'), "no terminal, so no control characters: {:?}", said.stderr);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_runs_name_stays_in_its_folder() {
    let place = Place::new();
    let said = place.run("train digits --epochs 1 --out runs --name ../outside").exited(1);
    said.explains(&["`../outside` cannot name a run's folder"]);
    assert!(!place.path().join("outside").exists());
}
