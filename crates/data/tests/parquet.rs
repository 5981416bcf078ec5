//! Parquet files that pyarrow wrote: every kind of packing and encoding that is read, what is refused, parts and folders.
//! Fixtures are made by `fixtures/make_sources.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use striate_data::{DataSet, Limits, OpenOptions, Sample, Silent, Source, SourceKind, Split};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(format!("{name}.parquet"))
}

fn open(path: &Path) -> Result<DataSet, String> {
    DataSet::open(path.to_str().unwrap(), &OpenOptions::default(), &Silent).map_err(|error| error.to_string())
}

fn row(sample: &Sample) -> u64 {
    let Source::Parquet(_, row) = &sample.source else { panic!("{:?}", sample.source) };
    *row
}

/// Each row's picture and label are those of the script that wrote the file.
fn check(split: &Split, name: &str) {
    for sample in &split.samples {
        let (i, picture) = (row(sample), sample.read(&Limits::default()).unwrap());
        assert_eq!((picture.width, picture.height, picture.channels), (2, 1, 1), "{name}");
        assert_eq!(picture.pixels, [i as u8, 255 - i as u8], "{name}");
        assert_eq!(u64::from(sample.label), i % 3, "{name}");
    }
}

#[test]
fn every_packing_gives_the_rows_that_were_written() {
    for name in ["snappy", "plain", "gzip_v2", "zstd_v2", "words"] {
        let set = open(&fixture(name)).unwrap_or_else(|message| panic!("{name}: {message}"));
        assert_eq!((set.kind, set.val_drawn, set.all().len()), (SourceKind::Parquet, true, 40), "{name}");
        assert_eq!(set.classes, ["ant", "bee", "cat"], "{name}");
        assert!(set.warnings.is_empty() && set.left_out.is_empty(), "{name}: {:?}", set.warnings);
        check(&set.all(), name);
    }
    let set = open(&fixture("words")).unwrap();
    for sample in &set.all().samples {
        assert_eq!(sample.group.as_deref().unwrap(), (row(sample) / 2).to_string());
    }
    for a in &set.train.samples {
        assert!(set.val.samples.iter().all(|b| a.group != b.group), "groups stay whole");
    }
    let name = set.train.samples[0].name();
    assert!(name.ends_with(&format!("words.parquet[{}]", row(&set.train.samples[0]))), "{name}");
}

#[test]
fn rows_without_label_or_picture_are_left_out() {
    let set = open(&fixture("gaps")).unwrap();
    assert_eq!(set.classes, ["ant", "bee", "cat"]);
    let mut rows: Vec<u64> = set.all().samples.iter().map(row).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..40).filter(|i| ![5, 6, 7].contains(i)).collect::<Vec<_>>());
    check(&set.all(), "gaps");
    assert_eq!(
        set.warnings,
        ["the label is 'fine_label'; 'coarse_label' is not used", "2 rows without a label left out"]
    );
    assert!(set.left_out[0].to_string().ends_with("gaps.parquet[7] cannot be read: the row holds no picture"));
    let flags = open(&fixture("flags")).unwrap();
    assert_eq!(flags.classes, ["false", "true"]);
    assert!(flags.all().samples.iter().all(|s| u64::from(s.label) == 1 - row(s) % 2));
}

#[test]
fn parts_are_told_by_name_in_hugging_faces_layout() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fs::create_dir(&data).unwrap();
    for (name, from) in [
        ("train-00000-of-00002", "snappy"),
        ("train-00001-of-00002", "plain"),
        ("validation-00000-of-00001", "gzip_v2"),
        ("test-00000-of-00001", "zstd_v2"),
    ] {
        fs::copy(fixture(from), data.join(format!("{name}.parquet"))).unwrap();
    }
    fs::write(root.path().join("README.md"), "about").unwrap();
    for path in [root.path(), &data] {
        let set = open(path).unwrap();
        let test = set.test.as_ref().unwrap();
        assert_eq!((set.train.len(), set.val.len(), test.len(), set.val_drawn), (80, 40, 40, false));
        for part in [&set.train, &set.val, test] {
            check(part, "parts");
        }
    }
    fs::copy(fixture("words"), data.join("train-00002-of-00002.parquet")).unwrap();
    let message = open(root.path()).unwrap_err();
    assert!(message.contains("names the classes none, but the files before name 'ant', 'bee', 'cat'"), "{message}");
    fs::create_dir(root.path().join("other")).unwrap();
    fs::copy(fixture("words"), root.path().join("other/train.parquet")).unwrap();
    let message = open(root.path()).unwrap_err();
    assert!(message.ends_with("there are .parquet files in data, other; give one of these folders"), "{message}");
}

#[test]
fn what_is_not_read_is_named() {
    let message = |name: &str| open(&fixture(name)).unwrap_err();
    assert!(
        message("lz4").contains("lz4.parquet: pages are packed by LZ4; write the file with Snappy"),
        "{}",
        message("lz4")
    );
    assert!(message("delta").contains("values are encoded as DELTA_LENGTH_BYTE_ARRAY, which is not read"));
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.parquet");
    let whole = fs::read(fixture("snappy")).unwrap();
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        open(&path).unwrap_err()
    };
    assert!(message(&whole[..whole.len() - 1]).ends_with("does not end as a Parquet file does; it is cut short"));
    assert!(message(b"PAR1").ends_with("it is cut short"));
    let mut long = whole.clone();
    let end = long.len() - 8;
    long[end..end + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(message(&long).contains("declares a footer of 4294967295 bytes, but"));
    long[end..end + 4].copy_from_slice(&3u32.to_le_bytes());
    assert!(message(&long).ends_with("has a damaged footer"));
    // The columns are called otherwise: "label" is in the schema, in each chunk's path and in the notes.
    let text = String::from_utf8_lossy(&whole);
    assert!(text.contains("label"));
    let renamed: Vec<u8> = whole.clone();
    let renamed = replace(&renamed, b"label", b"lobel");
    let renamed = replace(&renamed, b"ClassLabel", b"ClassLobel");
    let said = message(&renamed);
    assert!(
        said.contains("has no column of labels (label, class or category), only 'image.bytes', 'image.path'"),
        "{said}"
    );
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.parquet");
    let whole = fs::read(fixture("zstd_v2")).unwrap();
    for length in 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(open(&path).is_err(), "{length} of {} bytes were accepted", whole.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Whatever is changed, there is a data set or a message, and rows are read or refused.
    #[test]
    fn damage_never_panics(
        which in 0usize..8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let names = ["snappy", "plain", "gzip_v2", "zstd_v2", "words", "gaps", "flags", "delta"];
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.parquet");
        let mut bytes = fs::read(fixture(names[which])).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len() - 4);
            bytes[at] = value;
        }
        fs::write(&path, bytes).unwrap();
        let options = OpenOptions { max_unreadable_share: 1.0, max_pixels: 1 << 20, ..OpenOptions::default() };
        if let Ok(set) = DataSet::open(path.to_str().unwrap(), &options, &Silent) {
            for sample in &set.all().samples {
                let _ = sample.read(&Limits { max_pixels: 1 << 20 });
            }
        }
    }
}
