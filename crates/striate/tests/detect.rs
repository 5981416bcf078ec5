//! `striate detect`: proposals, judging, and conversion, on scenes made on the spot.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::Place;

/// A scene with a red box at (30, 20) of 60 × 50 and a blue one at (110, 60) of 50 × 40, as a PPM file.
fn scene() -> Vec<u8> {
    let mut bytes = b"P6 200 150 255\n".to_vec();
    for y in 0..150u32 {
        for x in 0..200u32 {
            let red = (30..90).contains(&x) && (20..70).contains(&y);
            let blue = (110..160).contains(&x) && (60..100).contains(&y);
            let light = 120 + (x / 8 + y / 8) as u8;
            bytes.extend(if red {
                [200, 30, 30]
            } else if blue {
                [30, 40, 200]
            } else {
                [light; 3]
            });
        }
    }
    bytes
}

fn annotation(boxes: &[(&str, [u32; 4])]) -> String {
    let object = |(name, [a, b, c, d]): &(&str, [u32; 4])| {
        format!(
            "<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        )
    };
    let objects: String = boxes.iter().map(object).collect();
    format!("<annotation><size><width>200</width><height>150</height></size>{objects}</annotation>")
}

fn voc() -> Place {
    let place = Place::new();
    place.file("voc/JPEGImages/a.ppm", &scene());
    let boxes = [("red", [31, 21, 90, 70]), ("blue", [111, 61, 160, 100])];
    place.file("voc/Annotations/a.xml", annotation(&boxes).as_bytes());
    place
}

#[test]
fn proposals_are_written_drawn_and_the_same_each_time() {
    let place = voc();
    let words = "detect propose voc/JPEGImages/a.ppm --mode single --out found --draw 5 --json";
    let said = place.run(words).succeeded();
    let object = said.json();
    assert_eq!((&object["width"], &object["height"]), (&json!(200), &json!(150)));
    let boxes = object["boxes"].as_array().unwrap();
    assert!(boxes.len() > 2, "{boxes:?}");
    let written: Value = serde_json::from_slice(&fs::read(place.path().join("found/a.json")).unwrap()).unwrap();
    assert_eq!(written["boxes"], object["boxes"]);
    assert!(fs::read(place.path().join("found/a.png")).unwrap().starts_with(b"\x89PNG"));
    let again = place.run("detect propose voc/JPEGImages/a.ppm --mode single --json --threads 1").succeeded();
    assert_eq!(again.json()["boxes"], object["boxes"]);
    let text = place.run("detect propose voc/JPEGImages/a.ppm --spaces lab --k 100 --similarities CTSF,F").succeeded();
    assert!(text.stdout.contains("a.ppm: 200×150 pixels, "), "{}", text.stdout);
}

#[test]
fn proposals_are_held_against_known_boxes() {
    let place = voc();
    let object = place.run("detect propose voc --json").succeeded().json();
    assert_eq!((&object["recall"], &object["objects"], &object["images"]), (&json!(1.0), &json!(2), &json!(1)));
    assert!(object["mabo"].as_f64().unwrap() > 0.8, "{object}");
    let table = place.run("detect propose voc").succeeded();
    assert!(table.stdout.contains("blue") && table.stdout.contains("100.00 %"), "{}", table.stdout);
    let said = place.run("detect propose voc --part test").exited(1);
    said.explains(&["has no part test; its parts are all"]);
    place.run("detect propose voc --similarities CX").exited(2);
    place.run("detect propose voc --sigma -1").exited(2);
}

#[test]
fn detections_are_judged() {
    let place = voc();
    let found = json!([
        { "image_id": "a", "category_id": "red", "bbox": [30, 20, 60, 50], "score": 0.9 },
        { "image_id": "a", "category_id": "red", "bbox": [110, 60, 50, 40], "score": 0.8 },
    ]);
    place.file("found.json", found.to_string().as_bytes());
    let object = place.run("detect eval voc found.json --json").succeeded().json();
    assert_eq!(object["classes"], json!(["blue", "red"]));
    assert_eq!((&object["voc"]["map"], &object["voc"]["map11"]), (&json!(0.5), &json!(0.5)));
    assert_eq!(object["coco"]["ap_large"], Value::Null);
    let class = &object["errors"]["mistakes"][0];
    assert_eq!((&class["mistake"], &class["count"]), (&json!("class"), &json!(1)));
    assert!((class["cost"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{class}");
    let table = place.run("detect eval voc found.json").succeeded();
    assert!(table.stdout.contains("another class"), "{}", table.stdout);
    place.file("found.json", b"[{}]");
    place.run("detect eval voc found.json").exited(1).explains(&["is not a list of", "missing field"]);
}

#[test]
fn sets_are_converted_and_nothing_is_lost_unasked() {
    let place = voc();
    place.run("detect convert voc coco --to coco").succeeded();
    let said = place.run("detect convert coco yolo --to yolo --json").succeeded();
    assert_eq!(said.json()["objects"], json!(2));
    let labels = fs::read_to_string(place.path().join("yolo/labels/all/a.txt")).unwrap();
    // Blue comes first, by its name; centre (135, 80) of 200 × 150.
    assert!(labels.lines().any(|line| line.starts_with("0 0.675 0.533333333333333")), "{labels}");
    place.run("detect convert voc coco --to coco").exited(1).explains(&["coco: is not empty"]);
    let boxes = [("red", [31, 21, 90, 70]), ("red", [90, 21, 31, 70])];
    place.file("voc/Annotations/a.xml", annotation(&boxes).as_bytes());
    let said = place.run("detect convert voc again --to yolo").exited(1);
    said.explains(&["object 2 (red): the box is turned round", "faults that leave boxes or pictures out: 1"]);
    assert!(!place.path().join("again").exists());
    place.run("detect convert voc again --to yolo --leave-out").succeeded();
}

#[test]
fn a_detector_is_trained_used_and_judged() {
    let place = voc();
    let train = "detect train voc --part all --backbone lenet5 --steps 20 --lr 0.02 --out run --seed 3";
    let said = place.run(&format!("{train} --json")).succeeded();
    let object = said.json();
    assert_eq!((&object["model"], &object["classes"]), (&json!("run/detector.safetensors"), &json!(["blue", "red"])));
    let seconds = object["seconds"].as_object().unwrap();
    assert_eq!(seconds.len(), 5, "{object}");
    assert!(seconds.values().all(Value::is_number), "{object}");
    said.explains(&["fine-tuning on", "step    20: loss"]);
    // What does not change is not made again.
    let said = place.run(&format!("{train} --judge softmax --name softmax")).succeeded();
    assert!(said.stdout.contains("fine-tuning: was there") && said.stdout.contains("regressors: "), "{}", said.stdout);
    assert!(!said.stdout.contains("support vector"), "{}", said.stdout);

    let predict = "detect predict run/softmax.safetensors";
    let said =
        place.run(&format!("{predict} voc/JPEGImages/a.ppm --threshold 0,red=0.01 --json --out found")).succeeded();
    let object = said.json();
    assert_eq!((&object["width"], &object["height"]), (&json!(200), &json!(150)));
    let detections = object["detections"].as_array().unwrap();
    assert!(!detections.is_empty() && detections.iter().all(|d| d["box"].as_array().unwrap().len() == 4), "{object}");
    assert!(fs::read(place.path().join("found/a.png")).unwrap().starts_with(b"\x89PNG"));
    place.run(&format!("{predict} voc --results found.json --annotate drafts --to yolo")).succeeded();
    assert!(place.path().join("drafts/data.yaml").is_file());
    let judged = place.run("detect eval voc found.json --json --report page.html").succeeded().json();
    assert!(judged["voc"]["map"].is_number(), "{judged}");
    let page = fs::read_to_string(place.path().join("page.html")).unwrap();
    assert!(page.contains("Precision and recall") && page.contains("What went wrong"));

    let refused = |words: &str, texts: &[&str]| place.run(words).exited(1).explains(texts);
    refused(&format!("{predict} voc --threshold green=1"), &["--threshold green: the classes are blue, red"]);
    refused("detect predict run/detector.safetensors voc --soft-nms 0.5", &["margins", "--judge softmax"]);
    refused(&format!("{predict} voc/JPEGImages/a.ppm --results x.json"), &["--results", "is none"]);
    refused("detect train voc --part train --backbone lenet5", &["has no part train; its parts are all"]);
    refused("detect train voc --part all --backbone lenett5", &["neither a file nor an architecture", "lenet5"]);
    place.file("no.safetensors", b"none");
    refused("detect predict no.safetensors voc", &["no.safetensors", "is no detector"]);
}
