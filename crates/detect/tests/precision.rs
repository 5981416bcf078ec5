//! Average precision against `pycocotools`, the VOC devkit's formula, and TIDE, on random and adversarial detections that
//! `fixtures/make_precision.py` made.

#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::collections::HashMap;
use striate_detect::evaluate::{check, coco, errors, voc};
use striate_detect::{BoundingBox, Detection, Object};

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    truths: Vec<Vec<Truth>>,
    detections: Vec<Found>,
    coco: Vec<f64>,
    coco_classes: Vec<f64>,
    voc: Vec<f64>,
    voc11: Vec<f64>,
    tide: Option<Tide>,
}

#[derive(Deserialize)]
struct Truth {
    class: usize,
    bbox: [f64; 4],
    crowd: bool,
    #[serde(default)]
    area: Option<f64>,
}

#[derive(Deserialize)]
struct Found {
    image: usize,
    class: usize,
    bbox: [f64; 4],
    score: f64,
}

#[derive(Deserialize)]
struct Tide {
    ap50: f64,
    costs: HashMap<String, f64>,
    counts: HashMap<String, usize>,
    #[serde(rename = "FalsePos")]
    false_positives: f64,
    #[serde(rename = "FalseNeg")]
    false_negatives: f64,
}

fn cases() -> Vec<(Case, Vec<Vec<Object>>, Vec<Detection>)> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/precision.json")).unwrap();
    let at = |[x, y, w, h]: [f64; 4]| BoundingBox::new(x, y, w, h);
    let object = |t: &Truth| Object { crowd: t.crowd, area: t.area, ..Object::new(t.class, at(t.bbox)) };
    let read = |case: Case| {
        let truths: Vec<Vec<Object>> = case.truths.iter().map(|here| here.iter().map(object).collect()).collect();
        let found = |d: &Found| Detection { image: d.image, class: d.class, bounds: at(d.bbox), score: d.score };
        let detections: Vec<Detection> = case.detections.iter().map(found).collect();
        check(&truths, case.classes, &detections).unwrap();
        (case, truths, detections)
    };
    cases.into_iter().map(read).collect()
}

#[track_caller]
fn same(name: &str, what: &str, found: Option<f64>, expected: f64) {
    // The references say −1 where nothing can be said.
    let found = found.unwrap_or(-1.0);
    assert!((found - expected).abs() < 1e-6, "{name}: {what} is {found}, and should be {expected}");
}

#[test]
fn coco_is_as_pycocotools_computes_it() {
    for (case, truths, detections) in cases() {
        let s = coco::evaluate(&truths, case.classes, &detections);
        let found = [
            s.ap,
            s.ap50,
            s.ap75,
            s.ap_small,
            s.ap_medium,
            s.ap_large,
            s.ar1,
            s.ar10,
            s.ar100,
            s.ar_small,
            s.ar_medium,
            s.ar_large,
        ];
        for (i, (found, expected)) in found.into_iter().zip(&case.coco).enumerate() {
            same(&case.name, &format!("figure {i}"), found, *expected);
        }
        for (class, expected) in s.classes.iter().zip(&case.coco_classes) {
            same(&case.name, "a class's AP", class.ap, *expected);
        }
    }
}

#[test]
fn voc_is_as_the_devkits_formula_has_it() {
    for (case, truths, detections) in cases() {
        let scores = voc::evaluate(&truths, case.classes, &detections, 0.5);
        for (class, (area, eleven)) in scores.classes.iter().zip(case.voc.iter().zip(&case.voc11)) {
            same(&case.name, "AP", class.ap, *area);
            same(&case.name, "11-point AP", class.ap11, *eleven);
        }
    }
}

#[test]
fn errors_cost_what_tide_says() {
    let names = ["Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"];
    let mut compared = 0;
    for (case, truths, detections) in cases() {
        let Some(tide) = &case.tide else { continue };
        let analysis = errors::analyse(&truths, case.classes, &detections);
        same(&case.name, "AP50", Some(analysis.ap50), tide.ap50);
        for ((_, count, cost), name) in analysis.costs.iter().zip(names) {
            assert_eq!(*count, tide.counts[name], "{}: {name}", case.name);
            same(&case.name, name, Some(*cost), tide.costs[name]);
        }
        same(&case.name, "FalsePos", Some(analysis.false_positives), tide.false_positives);
        same(&case.name, "FalseNeg", Some(analysis.false_negatives), tide.false_negatives);
        compared += 1;
    }
    assert!(compared > 8, "{compared}");
}
