//! The data doctor: silent on a clean set, and every planted fault named.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod planting;

use planting::{Planted, clean_set, plant};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use striate_data::{DataError, Fault, Finding, Limits, Report, Severity, Silent, examine};
use tempfile::TempDir;

fn report(root: &Path) -> Report {
    examine(root.to_str().unwrap(), &Limits::default(), 2, &Silent).unwrap()
}

fn clean() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    clean_set(&root.path().join("set"));
    root
}

fn finding(report: &Report, fault: Fault) -> Option<&Finding> {
    report.findings.iter().find(|finding| finding.fault == fault)
}

/// Whether a finding is about this path, or speaks of this class.
fn names(finding: &Finding, at: &str) -> bool {
    finding.cases.iter().any(|case| {
        let about = case.places.is_empty() && case.detail.contains(&format!("'{at}"));
        about || case.places.iter().any(|place| place.path == at)
    })
}

#[test]
fn a_clean_set_has_no_faults() {
    let root = clean();
    let report = report(&root.path().join("set"));
    assert_eq!(report.findings, [], "nothing is wrong");
    assert_eq!((report.figures.images, report.figures.readable), (252, 252));
    assert_eq!(report.figures.formats, [("JPEG", 126), ("PNG", 126)]);
    assert_eq!((report.figures.widths, report.figures.heights), ([60, 62, 64], [48, 48, 48]));
    assert_eq!((report.name.as_str(), report.parts.as_slice()), ("set", ["train", "val", "test"].as_slice()));
    let classes: Vec<_> = report.classes.iter().map(|class| (class.name.as_str(), class.images.as_slice())).collect();
    assert_eq!(classes, [("apples", &[60, 12, 12][..]), ("boats", &[60, 12, 12]), ("clouds", &[60, 12, 12])]);
    assert_eq!(report.cleaning(&[]), "path,action,fault,detail\n");
}

#[test]
fn every_planted_fault_is_named() {
    let root = clean();
    let set = root.path().join("set");
    let planted = plant(&set);
    let report = report(&set);
    let kinds: BTreeSet<&str> = planted.iter().map(|planted| planted.fault.code()).collect();
    assert!(kinds.len() >= 40, "{kinds:?}");
    let missed: Vec<String> = planted
        .iter()
        .filter(|Planted { fault, at }| !finding(&report, *fault).is_some_and(|finding| names(finding, at)))
        .map(|Planted { fault, at }| format!("{} at {at}: {:?}", fault.code(), finding(&report, *fault)))
        .collect();
    assert!(missed.is_empty(), "missed: {missed:#?}");
    // And nothing is accused that was not planted, but for what is small and grey beside its fault, what was enlarged and
    // so is not sharp, and a folder whose name ends in a space.
    let expected = |fault: Fault, path: &str| {
        let mine = planted.iter().any(|planted| planted.fault == fault && planted.at == path);
        let fixture = path.contains("planted_cmyk") && [Fault::Tiny, Fault::Grey].contains(&fault);
        let enlarged = path.contains("planted_huge") && fault == Fault::Blurred;
        mine || fixture || enlarged || fault == Fault::OddName && path.ends_with(' ')
    };
    let mut accused = Vec::new();
    for finding in &report.findings {
        for place in finding.cases.iter().flat_map(|case| &case.places) {
            if !expected(finding.fault, &place.path) {
                accused.push(format!("{} of {}", place.path, finding.fault.code()));
            }
        }
    }
    assert!(accused.is_empty(), "wrongly accused: {accused:#?}");
}

#[test]
fn what_a_cleaning_leaves_is_free_of_what_it_excludes() {
    let root = clean();
    let set = root.path().join("set");
    plant(&set);
    let before = report(&set);
    let text = before.cleaning(&[Fault::NearLeak]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), ["path", "action", "fault", "detail"].as_slice());
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let excluded: BTreeSet<&str> = rows.iter().filter(|row| row[1] == "exclude").map(|row| row[0].as_str()).collect();
    assert_eq!(excluded.len(), before.left_out_by_cleaning(&[Fault::NearLeak]));
    assert!(rows.iter().any(|row| row[1] == "keep" && row[2] == "blank"));
    // All of a picture with two labels, one of two copies, the training image of a leak.
    let of = |fault: &str| rows.iter().filter(|row| row[2] == fault).map(|row| row[1].as_str()).collect::<Vec<_>>();
    assert_eq!(of("label-conflict"), ["exclude", "exclude"]);
    assert_eq!(of("duplicate").iter().filter(|action| **action == "exclude").count(), 1);
    for fault in ["leak", "near-leak"] {
        let gone: Vec<_> = rows.iter().filter(|row| row[2] == fault && row[1] == "exclude").collect();
        assert!(gone.len() == 1 && gone[0][0].starts_with("train/"), "{fault}: {gone:?}");
    }
    for path in excluded {
        fs::remove_file(set.join(path)).unwrap();
    }
    let after = report(&set);
    let left = |finding: &&Finding| finding.fault.is_excluded() || finding.fault == Fault::NearLeak;
    assert_eq!(after.findings.iter().filter(left).collect::<Vec<_>>(), Vec::<&Finding>::new());
    assert!(finding(&after, Fault::Blank).is_some(), "what is kept is still there");
}

#[test]
fn results_do_not_depend_on_workers() {
    let root = clean();
    let set = root.path().join("set");
    plant(&set);
    let with = |workers| examine(set.to_str().unwrap(), &Limits::default(), workers, &Silent).unwrap();
    let (one, four) = (with(1), with(4));
    assert_eq!(one.findings, four.findings);
    assert_eq!(one.figures, four.figures);
}

#[test]
fn folders_that_training_refuses_are_examined_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let set = root.path().join("set");
    clean_set(&set);
    fs::rename(set.join("train"), set.join("valid")).unwrap();
    let wrong = report(&set);
    let layout = finding(&wrong, Fault::Layout).unwrap();
    assert!(layout.cases[0].detail.ends_with("val and valid are both there; keep one of them"), "{layout:?}");
    assert!(names(finding(&wrong, Fault::UnknownClass).unwrap(), "apples"));
    assert_eq!(finding(&wrong, Fault::OneClass).unwrap().cases[0].detail, "no class has training images");
    assert_eq!(wrong.figures.readable, 252);
    assert!(wrong.count(Severity::Error) > 0);

    fs::remove_dir_all(set.join("valid/boats")).unwrap();
    fs::remove_dir_all(set.join("valid/clouds")).unwrap();
    let single = report(&set.join("valid"));
    assert_eq!(finding(&single, Fault::OneClass).unwrap().cases[0].detail, "only 'apples' has training images");
    assert_eq!(single.parts, [""]);

    let empty = tempfile::tempdir().unwrap();
    let error = examine(empty.path().to_str().unwrap(), &Limits::default(), 1, &Silent).unwrap_err();
    assert!(matches!(error, DataError::NoImages { .. }), "{error}");
    let error = examine(set.join("trian").to_str().unwrap(), &Limits::default(), 1, &Silent).unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
}

#[test]
fn images_in_memory_are_examined_too() {
    let digits = examine("digits", &Limits::default(), 2, &Silent).unwrap();
    assert_eq!((digits.figures.images, digits.figures.readable, digits.figures.grey), (1797, 1797, 1797));
    assert_eq!(digits.findings, [], "digits are alike, and none is a copy");
    // Three images of IDX, the first two the same, with different labels.
    let root = tempfile::tempdir().unwrap();
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    let pixels: Vec<u8> = (0..64).chain(0..64).chain((0..64).rev()).map(|v: u8| v * 3).collect();
    fs::write(root.path().join("train-images-idx3-ubyte"), [numbers(&[0x0803, 3, 8, 8]), pixels].concat()).unwrap();
    fs::write(root.path().join("train-labels-idx1-ubyte"), [numbers(&[0x0801, 3]), vec![4, 9, 9]].concat()).unwrap();
    let idx = report(root.path());
    let conflict = finding(&idx, Fault::LabelConflict).unwrap();
    let places: Vec<_> =
        conflict.cases[0].places.iter().map(|place| (place.path.as_str(), place.class.as_deref())).collect();
    assert_eq!(places, [("train-images-idx3-ubyte[0]", Some("4")), ("train-images-idx3-ubyte[1]", Some("9"))]);
}

#[test]
fn thumbnails_are_small_jpegs_of_what_can_be_shown() {
    let root = clean();
    let set = root.path().join("set");
    fs::write(set.join("train/apples/00.jpg"), b"").unwrap();
    let report = report(&set);
    let thumbnails = report.thumbnails(&[0, 1, 9_999], 32, 2, &Silent);
    assert!(thumbnails[0].is_none(), "an empty file");
    assert!(thumbnails[2].is_none(), "no image at all");
    let shown = thumbnails[1].as_ref().unwrap();
    let picture = striate_data::decode(&shown.jpeg, &Limits::default()).unwrap();
    assert_eq!((picture.width, picture.height), (shown.width, shown.height));
    assert_eq!((shown.width, shown.height), (32, 25), "61×48 within 32×32");
}
