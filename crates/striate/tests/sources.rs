//! Training on a table with folds, on tar shards, and on the boxes of annotations: what is said, and the exit codes.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;
use std::fs;
use support::{Place, bar, number, write_bars};

/// A table of 40 bars in five folds.
fn table(place: &Place) {
    write_bars(place, "bars", 20);
    let mut text = "image,class,fold,camera\n".to_owned();
    for i in 0..20 {
        writeln!(text, "bars/lying/{i:02}.pgm,lying,{0},a\nbars/standing/{i:02}.pgm,standing,{0},b", i % 5).unwrap();
    }
    place.file("bars.csv", text.as_bytes());
}

#[test]
fn a_table_is_trained_on_fold_by_fold() {
    let place = Place::new();
    table(&place);
    let said = place.run("train bars.csv --fold 2 --epochs 2 --out runs --json").succeeded();
    let said = said.explains(&["32 training, 8 validation images of 2 classes", "not used of the table: 'camera'"]);
    assert_eq!((said.json()["part"].as_str(), number(&said.json(), "images")), (Some("val"), 8.0));
    let model = "runs/lenet5/weights/best.safetensors";
    let scored = place.run(&format!("eval {model} bars.csv --fold 2 --json")).succeeded().json();
    assert_eq!((scored["part"].as_str(), number(&scored, "images")), (Some("val"), 8.0));

    place
        .run("train bars.csv --fold 7 --epochs 1 --out runs")
        .exited(1)
        .explains(&["the table has the folds 0, 1, 2, 3, 4"]);
    place.run("train bars --fold 1 --epochs 1 --out runs").exited(1).explains(&["only a table with a column 'fold'"]);
    place.run("train bars.csv --box-margin=-1 --out runs").exited(1).explains(&["the margin of boxes is -1"]);
    place.file("wrong.csv", b"path,label\nbars/lying/00.pgm,lying\nbars/lying/01.pgm,\n");
    place.run("train wrong.csv --out runs").exited(1).explains(&["wrong.csv: line 3: the label is empty"]);
}

#[test]
fn boxes_of_annotations_are_trained_on() {
    let place = Place::new();
    for i in 0..12 {
        let (lying, name) = if i % 2 == 0 { (true, "lying") } else { (false, "standing") };
        place.file(&format!("voc/JPEGImages/{i}.pgm"), &bar(lying, i));
        let box_of = "<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>14</xmax><ymax>14</ymax></bndbox>";
        let xml = format!("<annotation><object><name>{name}</name>{box_of}</object></annotation>");
        place.file(&format!("voc/Annotations/{i}.xml"), xml.as_bytes());
    }
    let said = place.run("train voc --epochs 1 --out runs --json").succeeded();
    said.explains(&["10 training, 2 validation images of 2 classes, typically 12×12 grey"]);
    let said = place.run("train voc --epochs 1 --out runs --box-margin 0.25 --json").succeeded();
    said.explains(&["typically 16×16 grey"]);
    fs::remove_file(place.path().join("voc/JPEGImages/3.pgm")).unwrap();
    let said = place.run("train voc --epochs 1 --out runs").succeeded();
    said.explains(&["1 image files are left out", "voc/Annotations/3.xml has no picture of its name in JPEGImages"]);
}
