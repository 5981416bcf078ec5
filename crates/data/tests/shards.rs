//! Tar shards: archives that Python's tarfile wrote, labels of every kind, parts by name, and wrong ones with their messages.
//! Fixtures are made by `fixtures/make_sources.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use striate_data::{DataSet, Limits, OpenOptions, Silent, Source, SourceKind, Split};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(name)
}

fn picture(i: u8) -> Vec<u8> {
    [b"P5 2 1 255\n", &[i, 255 - i][..]].concat()
}

/// A plain file in an archive: its header (POSIX ustar) and its bytes, filled up.
fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend_from_slice(bytes);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(name, bytes)| entry(name, bytes));
    entries.chain([0; 1024]).collect()
}

/// Pictures `from..to` with their number modulo 2 as class.
fn shard(from: u8, to: u8) -> Vec<u8> {
    let one =
        |i: u8| [entry(&format!("{i:03}.pgm"), &picture(i)), entry(&format!("{i:03}.cls"), &[b'0' + i % 2])].concat();
    (from..to).flat_map(one).chain([0; 1024]).collect()
}

fn open(path: &Path) -> Result<DataSet, String> {
    let options = OpenOptions { max_unreadable_share: 0.5, ..OpenOptions::default() };
    DataSet::open(path.to_str().unwrap(), &options, &Silent).map_err(|error| error.to_string())
}

fn levels(split: &Split) -> Vec<u8> {
    split.samples.iter().map(|s| s.read(&Limits::default()).unwrap().pixels[0]).collect()
}

#[test]
fn archives_of_every_writer_are_read() {
    for (name, prefix) in [("ustar.tar", "a/".repeat(60)), ("gnu.tar", "a/".repeat(200)), ("pax.tar", "ä/".repeat(150))]
    {
        let set = open(&fixture(name)).unwrap();
        assert_eq!(
            (set.kind, set.classes.as_slice()),
            (SourceKind::TarShards, &["0", "1", "2"].map(str::to_owned)[..])
        );
        let all = set.all();
        let mut found = levels(&all);
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 3], "{name}");
        for (sample, level) in all.samples.iter().zip(levels(&all)) {
            assert_eq!(sample.label, u32::from(level) % 3);
            let Source::Tar(entry) = &sample.source else { panic!("{:?}", sample.source) };
            assert_eq!(*entry.path, format!("{prefix}{level}.pgm"));
        }
    }
}

#[test]
fn parts_are_told_by_name_and_patterns_name_several_shards() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(root.path().join(name), bytes).unwrap();
    write("pets-train-000.tar", shard(0, 10));
    write("pets-train-001.tar", shard(10, 20));
    write("pets-val-000.tar", shard(20, 26));
    write("pets-test-000.tar", shard(30, 34));
    write("more.tar", shard(40, 44));
    let set = open(root.path()).unwrap();
    assert_eq!(levels(&set.train), (0..20).collect::<Vec<u8>>());
    assert_eq!((levels(&set.val), set.val_drawn), ((20..26).collect(), false));
    assert_eq!(levels(set.test.as_ref().unwrap()), [30, 31, 32, 33]);
    assert!(
        set.warnings[0].ends_with("more.tar was passed over: it is neither train, val nor test"),
        "{:?}",
        set.warnings
    );

    for pattern in ["pets-train-*.tar", "pets-train-{000..001}.tar", "pets-train-00?.tar"] {
        let set = open(&root.path().join(pattern)).unwrap();
        assert_eq!((set.train.len() + set.val.len(), set.val_drawn, set.test.is_none()), (20, true, true), "{pattern}");
    }
    let one = open(&root.path().join("pets-val-000.tar")).unwrap();
    assert_eq!((one.train.len() + one.val.len(), one.val_drawn), (6, true), "one part alone is trained on");
    assert!(open(&root.path().join("pets-trian-*.tar")).unwrap_err().contains("there is no such file"));

    let parts = tempfile::tempdir().unwrap();
    for (part, from) in [("train", 0), ("validation", 50)] {
        fs::create_dir(parts.path().join(part)).unwrap();
        fs::write(parts.path().join(part).join("000.tar"), shard(from, from + 8)).unwrap();
    }
    let set = open(parts.path()).unwrap();
    assert_eq!((levels(&set.train), levels(&set.val)), ((0..8).collect(), (50..58).collect()));
}

#[test]
fn class_folders_come_before_an_archive_beside_them() {
    let root = tempfile::tempdir().unwrap();
    for (class, i) in [("a", 0), ("a", 1), ("b", 2), ("b", 3)] {
        fs::create_dir_all(root.path().join(class)).unwrap();
        fs::write(root.path().join(class).join(format!("{i}.pgm")), picture(i)).unwrap();
    }
    fs::write(root.path().join("all.tar"), shard(0, 4)).unwrap();
    assert_eq!(open(root.path()).unwrap().kind, SourceKind::ClassFolders);
}

#[test]
fn labels_come_from_cls_json_or_txt() {
    let root = tempfile::tempdir().unwrap();
    let p = picture(9);
    let bytes = archive(&[
        ("README", b"about"),
        ("a.pgm", &p),
        ("a.txt", b"a long caption"),
        ("a.json", br#"{"label": "dog", "group": "g1"}"#),
        ("b.json", br#"{"width": 2}"#),
        ("b.pgm", &p),
        ("b.txt", b"cat"),
        ("c.cls", b"dog\n"),
        ("c.json", b"{ damaged"),
        ("c.PGM", &p),
        ("d.pgm", &p),
        ("e.pgm", &p),
        ("e.json", b"{ damaged"),
        ("f.left.pgm", &p),
        ("g.pgm", &p),
        ("g.pbm", &p),
        ("g.cls", b"dog"),
        ("h.cls", b"dog"),
        ("i.pgm", b"P5 2 1 255\n"),
        ("i.cls", b"cat"),
        ("j.pgm", &p),
        ("j.cls", b""),
        ("k.pgm", &p),
        ("k.cls", b"cat"),
        ("l.pgm", &p),
        ("l.cls", b"dog"),
    ]);
    fs::write(root.path().join("x.tar"), &bytes).unwrap();
    let set = open(&root.path().join("x.tar")).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    let kept: Vec<String> = set.all().samples.iter().map(|s| s.name().rsplit('[').next().unwrap().to_owned()).collect();
    let mut sorted = kept.clone();
    sorted.sort();
    assert_eq!(sorted, ["a.pgm]", "b.pgm]", "c.PGM]", "k.pgm]", "l.pgm]"]);
    let of = |name: &str| set.all().samples.iter().find(|s| s.name().contains(name)).unwrap().clone();
    assert_eq!((of("a.pgm").label, of("a.pgm").group.as_deref()), (1, Some("g1")));
    assert_eq!((of("b.pgm").label, of("c.PGM").label), (0, 1));
    let left_out: Vec<String> =
        set.left_out.iter().map(|l| l.to_string().replace(root.path().to_str().unwrap(), "")).collect();
    for (out, expected) in left_out.iter().zip([
        "/x.tar[d.pgm] has no label: no .cls, .json with a label, or .txt stands beside it",
        "/x.tar[e.pgm] has damaged JSON beside it",
        "/x.tar[g.pgm] is not alone: 'g.pbm' is of the same sample",
        "/x.tar[j.pgm] has an empty label",
        "/x.tar[i.pgm] is a PNM file that is cut short",
    ]) {
        assert!(out.starts_with(expected), "{left_out:?}\nfor {expected}");
    }
    assert_eq!(left_out.len(), 5, "{left_out:?}");
    assert_eq!(set.warnings[0], "3 files of the shards belong to no picture and are passed over");

    fs::write(root.path().join("classes.txt"), "cat\ndog\n\nbird\n").unwrap();
    fs::write(root.path().join("n.tar"), shard(0, 10)).unwrap();
    let set = open(&root.path().join("n.tar")).unwrap();
    assert_eq!(set.classes, ["cat", "dog"], "in the order of the file, without those that have no pictures");
    assert_eq!(set.warnings, ["there are no training images of 'bird', so they are left out"]);
    fs::write(root.path().join("classes.txt"), "cat\ncat\n").unwrap();
    assert!(open(&root.path().join("n.tar")).unwrap_err().ends_with("the class 'cat' is there twice"));
}

#[test]
fn wrong_archives_are_explained() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.tar");
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        open(&path).unwrap_err()
    };
    let whole = shard(0, 4);
    let cut = message(&whole[..2 * 1024 + 512 + 5]);
    assert!(
        cut.ends_with("at byte 2560: '001.pgm' has 13 bytes, but only 5 are there; the archive is cut short"),
        "{cut}"
    );
    let mut damaged = whole.clone();
    damaged[2 * 1024 + 3] ^= 1;
    assert!(message(&damaged).ends_with("at byte 2048: there is no header where one must be; the archive is damaged"));
    let mut huge = entry("a.pgm", b"");
    huge[124..136].copy_from_slice(b"\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    huge[148..156].fill(b' ');
    let sum: u32 = huge[..512].iter().map(|&byte| u32::from(byte)).sum();
    huge[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    assert!(
        message(&huge).contains("'a.pgm' has 9223372036854775807 bytes, but only 0 are there"),
        "{}",
        message(&huge)
    );
    let unlabelled = archive(&[("train/a/1.pgm", &picture(1)), ("train/b/2.pgm", &picture(2))]);
    assert!(message(&unlabelled).contains("no picture has a label: there must be a .cls"));

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &whole).unwrap();
    assert!(message(&encoder.finish().unwrap()).contains("x.tar: is a gzipped archive"));
    fs::remove_file(&path).unwrap();
    fs::write(root.path().join("x.tar.gz"), b"").unwrap();
    assert!(open(root.path()).unwrap_err().contains("run gunzip on it once"));

    fs::write(&path, &whole[..whole.len() - 1024]).unwrap();
    assert!(open(&path).unwrap().warnings[0].contains("has no end mark"));
    // A shard that has changed after it was opened.
    let set = open(&path).unwrap();
    fs::write(&path, &whole[..1024]).unwrap();
    let failed = set.all().samples.iter().filter_map(|s| s.read(&Limits::default()).err()).collect::<Vec<_>>();
    assert_eq!(failed.len(), 3);
    assert!(failed[0].to_string().contains("the archive has become shorter"), "{}", failed[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever is cut off or changed, there is a data set or a message.
    #[test]
    fn damage_never_panics(
        which in 0usize..3,
        changes in prop::collection::vec((0usize..9000, any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut bytes = fs::read(fixture(["ustar.tar", "gnu.tar", "pax.tar"][which])).unwrap();
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        let path = root.path().join("x.tar");
        fs::write(&path, bytes).unwrap();
        let _ = open(&path);
    }
}
