//! `striate doctor`: text, JSON, page, cleaning manifest and exit codes, on a set with a few faults.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, bar, fixture, number, write_bars};

/// A picture of 8×8 grey squares drawn from its number (`SplitMix64`): no other is like it, mirrored or not.
fn pattern(number: u64) -> Vec<u8> {
    let level = |square: u64| {
        let z = (number * 64 + square).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (20 + (z ^ (z >> 31)) % 200) as u8
    };
    let pixels = (0..1024).map(|i| level(i / 128 * 8 + i % 32 / 4));
    b"P5\n32 32\n255\n".iter().copied().chain(pixels).collect()
}

/// Two classes in two parts; with one cut file, one picture of two labels, and one named as another format.
fn sick(place: &Place) {
    let mut next = 0;
    for (part, each) in [("train", 12), ("val", 3)] {
        for class in ["cat", "dog"] {
            for i in 0..each {
                next += 1;
                place.file(&format!("set/{part}/{class}/{i:02}.pgm"), &pattern(next));
            }
        }
    }
    let jpeg = fs::read(fixture("speckled.jpg")).unwrap();
    place.file("set/train/cat/cut.jpg", &jpeg[..jpeg.len() * 2 / 3]);
    place.file("set/train/dog/00.pgm", &pattern(1));
    place.file("set/train/dog/<named>.png", &pattern(99));
}

#[test]
fn findings_are_told_worst_first() {
    let place = Place::new();
    sick(&place);
    let said = place.run("doctor set").succeeded();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("set: 32 images of 2 classes, PNM, 32×32, 3"), "{}", said.stdout);
    assert!(lines[0].ends_with(" kB"), "{}", said.stdout);
    assert_eq!(lines[1], "  parts: train 26, val 6");
    assert_eq!(lines[2], "  classes: cat 16, dog 16");
    assert!(lines[3].starts_with("2 errors, 1 warning and 1 notice, in "), "{}", lines[3]);
    let heads: Vec<&str> = lines.iter().copied().filter(|line| line.ends_with(')') && !line.starts_with(' ')).collect();
    assert_eq!(
        heads,
        [
            "error    1: images that are cut short (truncated)",
            "error    1: pictures that lie in several classes (label-conflict)",
            "warning  1: images named as another format (wrong-extension)",
            "notice   1: names that other systems do not take (odd-name)",
        ]
    );
    assert!(said.stdout.contains("    train/cat/00.pgm = train/dog/00.pgm\n"), "{}", said.stdout);
    said.explains(&[
        "striate doctor set --html doctor.html",
        "to leave out 3 images: striate doctor set --clean clean.csv",
    ]);
    assert!(!place.path().join("doctor.html").exists());
}

#[test]
fn errors_decide_the_exit_code_only_if_asked() {
    let place = Place::new();
    sick(&place);
    place.run("doctor set --strict").exited(1).explains(&["error: 2 errors were found in set"]);
    place.run("doctor set --strict --json").exited(1);
    fs::remove_file(place.path().join("set/train/cat/cut.jpg")).unwrap();
    fs::remove_file(place.path().join("set/train/dog/00.pgm")).unwrap();
    place.run("doctor set --strict").succeeded();
    place.run("doctor nothing").exited(1).explains(&["nothing: there is no such file or folder"]);
    place.run("doctor set --clean c.csv --exclude blan").exited(2).explains(&["there is no such fault", "blank"]);
    place.run("doctor set --exclude blank").exited(2).explains(&["--clean"]);
}

#[test]
fn json_has_every_case() {
    let place = Place::new();
    sick(&place);
    let found = place.run("doctor set --json").succeeded().json();
    assert_eq!((number(&found, "images"), number(&found, "readable")), (32.0, 31.0));
    assert_eq!((number(&found, "errors"), number(&found, "warnings"), number(&found, "notices")), (2.0, 1.0, 1.0));
    assert_eq!(found["classes"][0], serde_json::json!({"class": "cat", "images": {"train": 13, "val": 3}}));
    let findings = found["findings"].as_array().unwrap();
    let conflict = findings.iter().find(|finding| finding["fault"] == "label-conflict").unwrap();
    assert_eq!(
        conflict["cases"][0]["places"],
        serde_json::json!([
            {"path": "train/cat/00.pgm", "part": "train", "class": "cat", "exclude": true},
            {"path": "train/dog/00.pgm", "part": "train", "class": "dog", "exclude": true},
        ])
    );
}

#[test]
fn the_page_stands_alone_and_names_cannot_become_markup() {
    let place = Place::new();
    sick(&place);
    place.run("doctor set --html out.html").succeeded().explains(&["pictures of the findings: out.html"]);
    let page = fs::read_to_string(place.path().join("out.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for outside in ["http://", "https://", "<script", "src=\"/", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    // The pair, and the one with the wrong name, once for each of its two findings; the cut one cannot be shown.
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,/9j/").count(), 3, "{page}");
    assert_eq!(page.matches("cannot be shown").count(), 1);
    assert!(page.contains("train/dog/&lt;named&gt;.png") && !page.contains("<named>"));
    for code in ["truncated", "label-conflict", "wrong-extension", "odd-name"] {
        assert!(page.contains(&format!("id=\"{code}\"")) && page.contains(&format!("href=\"#{code}\"")), "{code}");
    }
}

#[test]
fn the_cleaning_manifest_says_what_to_leave_out() {
    let place = Place::new();
    sick(&place);
    place
        .run("doctor set --clean clean.csv")
        .succeeded()
        .explains(&["clean.csv leaves out 3 images: striate train set --clean clean.csv"]);
    let text = fs::read_to_string(place.path().join("clean.csv")).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows[0], "path,action,fault,detail");
    assert!(rows[1].starts_with("train/cat/cut.jpg,exclude,truncated,"), "{text}");
    assert_eq!(rows[2..4], ["train/cat/00.pgm,exclude,label-conflict,", "train/dog/00.pgm,exclude,label-conflict,"]);
    assert_eq!(rows[4], "train/dog/<named>.png,keep,wrong-extension,is a PNM file");
    place.run("doctor set --clean clean.csv --exclude wrong-extension").succeeded().explains(&["leaves out 4 images"]);
    let before: Vec<_> = walk(&place.path().join("set"));
    place.run("doctor set --clean - --json").succeeded();
    assert_eq!(walk(&place.path().join("set")), before, "nothing is moved or deleted");
}

fn walk(folder: &std::path::Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![(path.clone(), path.metadata().unwrap().len())] })
        .collect();
    all.sort();
    all
}

#[test]
fn a_healthy_set_is_told_to_be_so() {
    let place = Place::new();
    let said = place.run("doctor digits --strict").succeeded();
    assert!(said.stdout.starts_with("digits: 1,797 images of 10 classes"), "{}", said.stdout);
    // Pictures of sixteen pixels that differ in shades only: near copies are found, errors are not.
    write_bars(&place, "bars", 12);
    place.file("bars/lying/again.pgm", &bar(true, 3));
    let said = place.run("doctor bars").succeeded();
    assert!(said.stdout.contains("warning  1: copies of a picture within a class (duplicate)"), "{}", said.stdout);
}
