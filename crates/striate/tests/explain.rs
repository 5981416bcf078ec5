//! `striate explain` on a model that was just trained: what every method leaves.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use striate_data::{Limits, read};
use support::{Place, fixture, number};

/// The files of a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// Runs a method and returns its JSON, after checking that every file that it names is there.
fn explain(place: &Place, out: &str, args: Vec<PathBuf>) -> serde_json::Value {
    let mut all: Vec<PathBuf> = vec!["explain".into()];
    all.extend(args);
    all.extend(["--json".into(), "--out".into(), out.into()]);
    let json = place.striate(all).succeeded().json();
    let folder = place.path().join(out);
    let told: Vec<&str> = json["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert!(!told.is_empty());
    for name in names(&folder).iter().filter(|n| *n != "explain.json") {
        assert!(told.contains(&name.as_str()), "{name} is not among {told:?}");
    }
    for name in told {
        let bytes = fs::read(folder.join(name)).unwrap();
        match name.rsplit('.').next().unwrap() {
            "png" => assert!(read(&folder.join(name), &Limits::default()).is_ok(), "{name}"),
            "npy" => assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "{name}"),
            "svg" => assert!(bytes.starts_with(b"<svg ") && bytes.ends_with(b"</svg>\n"), "{name}"),
            other => panic!("{name}: {other}"),
        }
    }
    json
}

#[test]
fn every_method_of_one_picture_leaves_sheets_and_figures() {
    let place = Place::new();
    let model = place.digits_model();
    let picture = fixture("hand_3.png");
    for method in ["saliency", "guided", "smoothgrad", "integrated", "gradcam", "gradcam++", "occlusion"] {
        let mut args: Vec<PathBuf> = vec![method.into(), model.clone(), picture.clone()];
        if method == "integrated" {
            args.push("--trust".into());
        }
        let json = explain(&place, method, args);
        let result = &json["results"][0];
        assert_eq!((json["method"].as_str(), result["index"].is_u64()), (Some(method), true), "{json}");
        assert!(number(result, "probability") > 0.1, "{json}");
        if method == "integrated" {
            assert!(number(&result["facts"], "completeness_gap").abs() < 0.01, "{json}");
            let trust = &result["trust"];
            assert!((0.0..=1.0).contains(&number(&trust["deletion"], "area")), "{json}");
            assert!(number(&trust["randomised"], "all_random").abs() <= 1.0, "{json}");
        }
        if method == "gradcam" {
            assert!(result["facts"]["why"].as_str().unwrap().contains("last map"), "{json}");
        }
        // The sheet shows the picture at its own size.
        let sheet = read(&place.path().join(method).join("hand_3.png"), &Limits::default()).unwrap();
        let own = read(&picture, &Limits::default()).unwrap();
        assert!(sheet.width > 3 * own.width && sheet.height > own.height, "{sheet:?} {own:?}");
    }
}

#[test]
fn layers_are_looked_at_by_name_pattern_and_all() {
    let place = Place::new();
    let model = place.digits_model();
    let picture = fixture("hand_5.png");
    let all =
        explain(&place, "all", vec!["maps".into(), model.clone(), picture.clone(), "--layer".into(), "all".into()]);
    let layers = all["results"][0]["layers"].as_array().unwrap();
    assert!(layers.len() > 5, "{all}");
    let first = layers[0]["layer"].as_str().unwrap().to_owned();
    let one =
        explain(&place, "one", vec!["deconv".into(), model.clone(), picture, "--layer".into(), first.clone().into()]);
    let units = one["results"][0]["layers"][0]["units"].as_array().unwrap();
    assert!(!units.is_empty() && units[0]["sees"]["bottom"].is_u64(), "{one}");
    let filters = explain(&place, "filters", vec!["filters".into(), model.clone()]);
    assert_eq!(filters["results"][0]["layer"].as_str(), Some(first.as_str()));
    let found = explain(&place, "best", vec!["maximise".into(), model, "--class".into(), "3,5".into()]);
    for unit in found["results"][0]["units"].as_array().unwrap() {
        assert!(number(unit, "found") > number(unit, "grey"), "{found}");
    }
}

#[test]
fn data_sets_give_plates_and_a_diagnosis() {
    let place = Place::new();
    let model = place.digits_model();
    let top =
        explain(&place, "top", vec!["top".into(), model.clone(), "digits".into(), "--channels".into(), "2".into()]);
    for layer in top["results"].as_array().unwrap() {
        assert_eq!(number(layer, "images"), 359.0);
        let strongest = layer["channels"][0]["strongest"].as_array().unwrap();
        assert_eq!(strongest.len(), 9);
        assert!(strongest.windows(2).all(|w| number(&w[0], "value") >= number(&w[1], "value")), "{layer}");
    }
    let found = explain(&place, "diagnosis", vec!["diagnose".into(), model.clone(), "digits".into()]);
    assert!(found["results"][0]["words"].as_array().is_some_and(|w| !w.is_empty()), "{found}");
    let compare: Vec<PathBuf> =
        vec!["compare".into(), model, fixture("hand_7.png"), "--methods".into(), "saliency,gradcam".into()];
    let compared = explain(&place, "compare", compare);
    assert_eq!(compared["results"][0]["methods"].as_array().unwrap().len(), 2);
}

#[test]
fn wrong_wishes_are_answered() {
    let place = Place::new();
    let model = place.digits_model();
    let picture = fixture("hand_1.png");
    let said = |args: &[&str]| {
        let all = ["explain".into(), args[0].into(), model.clone(), picture.clone()];
        place.striate(all.into_iter().chain(args[1..].iter().map(PathBuf::from)))
    };
    for (args, expected) in [
        (&["saliency", "--class", "eleven"][..], "there is no class `eleven`: give a name or a number from 0 to 9"),
        (&["gradcam", "--layer", "nowhere*"], "fits `nowhere*`"),
        (&["gradcam", "--layer", "*"], "name one"),
        (&["occlusion", "--window", "1000"], "the square's side must be from 1 to"),
        (&["smoothgrad", "--samples", "0"], "1 sample or more"),
        (&["compare", "--methods", "magic"], "there is no method `magic`: there are saliency, guided"),
    ] {
        let said = said(args);
        assert_eq!(said.code, 1, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(expected), "{args:?}: {}", said.stderr);
    }
    // Results are never written over.
    let once = || said(&["saliency", "--out", "here"]);
    assert_eq!(once().code, 0);
    assert!(once().stderr.contains("is there already"), "{}", once().stderr);
}
