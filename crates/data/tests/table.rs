//! Tables of paths and labels: what is understood of them, folds and groups, and wrong ones with their messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::Path;
use striate_data::{Check, DataSet, OpenOptions, Silent, SourceKind, Split};
use tempfile::TempDir;

/// A folder with the pictures `p/0.pgm` to `p/19.pgm`, each of 2×1 pixels of its own.
fn pictures() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("p")).unwrap();
    for i in 0..20u8 {
        fs::write(root.path().join(format!("p/{i}.pgm")), [b"P5 2 1 255\n", &[i, 255 - i][..]].concat()).unwrap();
    }
    root
}

fn open_with(path: &Path, options: &OpenOptions) -> Result<DataSet, String> {
    DataSet::open(path.to_str().unwrap(), options, &Silent).map_err(|error| error.to_string())
}

fn open(root: &TempDir, name: &str, text: impl AsRef<[u8]>) -> Result<DataSet, String> {
    fs::write(root.path().join(name), text).unwrap();
    let set = open_with(&root.path().join(name), &OpenOptions::default());
    set.map_err(|message| message.replace(root.path().to_str().unwrap(), "ROOT"))
}

/// `header`, and a line for each picture.
fn table(header: &str, line: impl Fn(usize) -> String) -> String {
    (0..20).fold(header.to_owned() + "\n", |text, i| text + &line(i) + "\n")
}

fn names(split: &Split) -> Vec<String> {
    let name = |s: &striate_data::Sample| s.name().rsplit('/').next().unwrap().trim_end_matches(".pgm").to_owned();
    split.samples.iter().map(name).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_form_of_table_gives_the_same_data_set() {
    let root = pictures();
    let part = |i: usize| ["train", "valid", "TEST"][i % 5 / 2];
    let class = |i: usize| ["cat, small", "dog"][i % 2];
    let comma = table("path,label,split", |i| format!("p/{i}.pgm,\"{}\",{}", class(i), part(i)));
    let tab = table("Split\tFile\tClass", |i| format!("{}\tp/{i}.pgm\t{}", part(i), class(i)));
    let semicolon = table("image; category; split", |i| format!("p/{i}.pgm; {}; {}", class(i), part(i)));
    let json =
        |i: usize| format!("{{\"label\": \"{}\", \"split\": \"{}\", \"file_name\": \"p/{i}.pgm\"}}", class(i), part(i));
    let forms: [(&str, Vec<u8>); 7] = [
        ("comma.csv", comma.clone().into()),
        ("mark.csv", [b"\xEF\xBB\xBF", comma.as_bytes()].concat()),
        ("windows.csv", comma.replace('\n', "\r\n").into()),
        ("tab.txt", tab.into()),
        ("semicolon.csv", semicolon.into()),
        ("comma.csv.gz", gzip(&comma)),
        ("lines.jsonl", table("", json).into()),
    ];
    let mut fingerprints = Vec::new();
    for (name, text) in forms {
        let set = open(&root, name, text).unwrap_or_else(|message| panic!("{name}: {message}"));
        assert_eq!((set.kind, set.val_drawn, set.warnings.len()), (SourceKind::Table, false, 0), "{name}");
        assert_eq!(set.classes, ["cat, small", "dog"], "{name}");
        assert_eq!(names(&set.train), ["0", "1", "5", "6", "10", "11", "15", "16"], "{name}");
        assert_eq!(names(&set.val), ["2", "3", "7", "8", "12", "13", "17", "18"], "{name}");
        assert_eq!(names(set.test.as_ref().unwrap()), ["4", "9", "14", "19"], "{name}");
        assert_eq!(set.train.samples.iter().map(|s| s.label).collect::<Vec<_>>(), [0, 1, 1, 0, 0, 1, 1, 0], "{name}");
        assert_eq!((set.typical.width, set.typical.height, set.typical.channels), (2, 1, 1));
        fingerprints.push(set.fingerprint);
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1, "the same pictures with the same labels");
}

#[test]
fn labels_that_are_numbers_are_sorted_by_value() {
    let root = pictures();
    let set = open(&root, "t.csv", table("path,label", |i| format!("p/{i}.pgm,{}", [10, 9, 100][i % 3]))).unwrap();
    assert_eq!(set.classes, ["9", "10", "100"]);
    let json = |i: usize| format!("{{\"path\": \"p/{i}.pgm\", \"label\": {}, \"id\": {i}}}", [10, 9, 100][i % 3]);
    let set = open(&root, "t.jsonl", table("", json)).unwrap();
    assert_eq!(set.classes, ["9", "10", "100"]);
    assert_eq!(set.warnings, ["not used of the table: 'id'"]);
    assert!(set.val_drawn && set.val.len() == 4);
}

#[test]
fn groups_stay_on_one_side() {
    let root = pictures();
    let text = table("path,label,group", |i| format!("p/{i}.pgm,{},patient{}", i % 2, i / 4));
    let set = open(&root, "t.csv", text).unwrap();
    let groups = |split: &Split| -> Vec<String> {
        let mut groups: Vec<String> = split.samples.iter().map(|s| s.group.as_ref().unwrap().to_string()).collect();
        groups.dedup();
        groups
    };
    assert_eq!((groups(&set.train).len(), groups(&set.val).len()), (4, 1));
    assert_eq!((set.train.len(), set.val.counts_per_class(2)), (16, vec![2, 2]));
}

#[test]
fn a_fold_is_held_for_validation() {
    let root = pictures();
    let path = root.path().join("t.csv");
    let part = |i: usize| if i < 4 { "test," } else { "train," };
    let fold = |i: usize| if i < 4 { String::new() } else { (i % 4).to_string() };
    fs::write(&path, table("path,label,split,fold", |i| format!("p/{i}.pgm,{},{}{}", i / 2 % 2, part(i), fold(i))))
        .unwrap();
    let with = |fold| open_with(&path, &OpenOptions { fold, ..OpenOptions::default() });
    let set = with(Some(3)).unwrap();
    assert_eq!(names(&set.val), ["7", "11", "15", "19"]);
    assert_eq!((set.train.len(), names(set.test.as_ref().unwrap()).len(), set.val_drawn), (12, 4, false));
    assert_ne!(set.fingerprint, with(Some(2)).unwrap().fingerprint, "other pictures are trained on");
    let set = with(None).unwrap();
    assert!(set.val_drawn && set.warnings[0].starts_with("the folds 0, 1, 2, 3 are not used"), "{:?}", set.warnings);
    let message = with(Some(4)).unwrap_err();
    assert!(
        message.ends_with("fold 4 is to be held for validation, but the table has the folds 0, 1, 2, 3"),
        "{message}"
    );
    let options = OpenOptions { fold: Some(0), ..OpenOptions::default() };
    let message = DataSet::open("digits", &options, &Silent).unwrap_err().to_string();
    assert!(message.contains("only a table with a column 'fold' has folds"), "{message}");
}

#[test]
fn files_that_have_changed_or_are_missing_are_left_out() {
    let root = pictures();
    // SHA-256 of "P5 2 1 255\n\x03\xFC", by sha256sum.
    let hash = |i: usize| if i == 3 || i == 4 { HASH_OF_3 } else { "" };
    let text = table("path,label,sha256", |i| format!("p/{i}.pgm,{},{}", i % 2, hash(i)));
    let text = text + &format!("gone.pgm,0,\n{}/p/0.pgm,0,\n", root.path().display());
    let set = open(&root, "t.csv", &text).unwrap();
    let left_out: Vec<String> = set.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(
        left_out[0].ends_with("4.pgm is not the picture that the table means: its SHA-256 is another"),
        "{left_out:?}"
    );
    assert!(left_out[1].contains("gone.pgm cannot be read: No such file"), "{left_out:?}");
    assert_eq!(set.warnings, ["repeated in the table and left out: 1 row"]);
    let options = OpenOptions { check: Check::Headers, ..OpenOptions::default() };
    let quick = open_with(&root.path().join("t.csv"), &options).unwrap();
    assert_eq!((quick.left_out.len(), quick.fingerprint), (1, set.fingerprint), "headers alone do not tell");
}

const HASH_OF_3: &str = "1f075e70c008cc7de0deec9e1f954f2c4693e93e46071dd9fa0140ac1ae63f3d";

#[test]
fn wrong_tables_are_explained_with_the_line() {
    let root = pictures();
    let good = table("path,label,split,fold", |i| format!("p/{i}.pgm,{},train,0", i % 2));
    let row = |text: &str| good.clone() + text + "\n";
    let cases: Vec<(String, &str)> = vec![
        ("p/0.pgm,0\np/1.pgm,1\n".into(), "line 1: there is no column called path, image, file"),
        ("path,lable\np/0.pgm,0\n".into(), "only 'path', 'lable'; did you mean label?"),
        (row("p/1.pgm,7,train"), "line 22: it has 3 fields, but the header has 4 columns"),
        (row("x.pgm,,train,0"), "line 22: the label is empty"),
        (row(",1,train,0"), "line 22: the path is empty"),
        (row("x.pgm,1,later,0"), "line 22: the split is 'later', but must be train, val or test"),
        (row("x.pgm,1,train,first"), "line 22: the fold is 'first', but must be a number"),
        (row("p/3.pgm,0,train,0"), "line 22: ROOT/p/3.pgm is '0' here, but '1' in line 5"),
        (row("p/3.pgm,1,val,0"), "line 22: ROOT/p/3.pgm is 'val' here, but 'train' in line 5"),
        (row(&format!("\"{}", "x,\n".repeat(1 << 20))), "a row is longer than 1 MiB; is a quote not closed?"),
        (
            "path,label,sha256\np/0.pgm,0,abc\n".into(),
            "line 2: the SHA-256 is 'abc', but must be 64 hexadecimal digits",
        ),
        (good.replace(",train", ",test"), "there are no training images"),
        ("path,label\n".into(), "no images found in it"),
        ("[{\"path\": \"p/0.pgm\"}]".into(), "one JSON list: write its entries as JSON lines"),
        ("{\"path\": \"p/0.pgm\", \"label\": 1}\n{\"path\": 3".into(), "line 2: it is not one JSON object"),
        (
            "{\"path\": \"p/0.pgm\", \"label\": [1]}\n".into(),
            "line 1: 'label' is a list, but must be a text or a number",
        ),
        ("{\"path\": \"p/0.pgm\"}\n".into(), "line 1: there is no key called label, class, category, only 'path'"),
        (format!("{{\"path\": \"{}\"}}", "x".repeat(1 << 20)), "line 1: it is longer than 1 MiB"),
        ("<annotation/>".into(), "it is XML"),
        (String::new(), "the file is empty"),
    ];
    for (text, expected) in cases {
        let message = open(&root, "t.csv", &text).unwrap_err();
        assert!(message.contains(expected) && message.contains("ROOT/t.csv"), "{message}\nfor {expected}");
    }
    let message = open(&root, "t.csv", [good.as_bytes(), b"\xFF.pgm,1,train,0\n"].concat()).unwrap_err();
    assert!(message.contains("line 22: it is not UTF-8"), "{message}");
    let message = open(&root, "t.csv", b"\xFF\xFEp\0a\0").unwrap_err();
    assert!(message.contains("text in UTF-16: save it as UTF-8"), "{message}");
    let message = open(&root, "t.csv", [1, 2, 0, 3]).unwrap_err();
    assert!(message.contains("whose content is none that is known"), "{message}");
    let message = open_with(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(message.contains("only one class, 'p'") && message.ends_with("t.csv?"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Any change to a table gives a data set or a message.
    #[test]
    fn damage_never_panics(
        json in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let line = |i: usize| if json {
            format!("{{\"path\": \"{i}.pgm\", \"label\": {}, \"fold\": 1}}", i % 2)
        } else {
            format!("{i}.pgm,\"{}\",1", i % 2)
        };
        let mut bytes = table(if json { "" } else { "path,label,fold" }, line).into_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        prop_assert!(open(&root, "t", &bytes).is_err(), "there are no pictures");
    }
}
