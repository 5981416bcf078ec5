//! Splitting folders of images: manifests and holding them against what is there, groups, copies, cleaning.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use striate_data::{
    Check, DataError, DataSet, GroupPattern, Limits, OpenOptions, Part, Silent, SplitFault, SplitInto, SplitOptions,
    Splitting, split, verify, write_manifest,
};
use tempfile::TempDir;

/// A grey picture of two pixels; different numbers are different pictures.
fn picture(number: usize) -> Vec<u8> {
    format!("P2 2 1 65535 {} {}", number % 65_536, number / 65_536).into_bytes()
}

/// A folder of pictures: paths with the pictures' numbers.
fn folder(files: impl IntoIterator<Item = (String, usize)>) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, number) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, picture(number)).unwrap();
    }
    root
}

/// `n` different pictures of each class.
fn classes(n: usize, names: &[&str]) -> TempDir {
    let names = names.iter().enumerate();
    folder(names.flat_map(|(c, name)| (0..n).map(move |i| (format!("{name}/{i:03}.pgm"), 1000 * c + i))))
}

fn open(root: &Path) -> DataSet {
    open_with(root, &OpenOptions::default()).unwrap()
}

fn open_with(root: &Path, options: &OpenOptions) -> Result<DataSet, DataError> {
    DataSet::open(root.to_str().unwrap(), options, &Silent)
}

fn options(into: SplitInto) -> SplitOptions {
    SplitOptions { into, pattern: None, copies: true, near: None, pool: false, seed: 4, workers: 2 }
}

const PARTS: SplitInto = SplitInto::Parts { val: 0.2, test: 0.1 };

fn split_with(root: &Path, options: &SplitOptions) -> Result<Splitting, DataError> {
    split(&open(root), root, options, &Silent)
}

/// Each image's place by its path within the folder.
fn places(split: &Splitting, root: &Path) -> BTreeMap<String, String> {
    let short = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    split.images.iter().map(|image| (short(&image.file), split.places[image.place].name.clone())).collect()
}

fn save(split: &Splitting, to: &Path) -> String {
    let mut said = String::new();
    write_manifest::<DataError>(split, to, |text| {
        text.clone_into(&mut said);
        fs::write(to, text).unwrap();
        Ok(())
    })
    .unwrap();
    said
}

#[test]
fn parts_keep_the_classes_shares_and_the_table_says_all() {
    let root = classes(40, &["cat", "dog, big"]);
    let split = split_with(root.path(), &options(PARTS)).unwrap();
    let names: Vec<&str> = split.places.iter().map(|place| place.name.as_str()).collect();
    assert_eq!(names, ["train", "val", "test"]);
    assert_eq!(split.counts(), [[28, 28], [8, 8], [4, 4]]);
    assert_eq!((split.groups(), split.warnings.len()), (vec![56, 16, 8], 0));
    assert!(split.off().iter().all(|off| off.unwrap().0 < 1e-12));

    let text = save(&split, &root.path().join("split.csv"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("path,label,split,group,fold,sha256", 81));
    let part = split.places[split.images[0].place].part.name();
    // What sha256sum says of "P2 2 1 65535 0 0".
    let hash = "6d3239cffef78dac872d7d911278ed2bdd56cc39b05e02b0fd5de1fa583d1ebd";
    assert_eq!(lines[1], format!("cat/000.pgm,cat,{part},,,{hash}"));
    assert!(lines[41].starts_with("\"dog, big/000.pgm\",\"dog, big\","), "{}", lines[41]);
    assert_eq!(save(&split_with(root.path(), &options(PARTS)).unwrap(), &root.path().join("split.csv")), text);
}

#[test]
fn folds_are_drawn_from_what_is_not_for_testing() {
    let root = classes(25, &["a", "b", "c"]);
    let split = split_with(root.path(), &options(SplitInto::Folds { folds: 4, test: 0.2 })).unwrap();
    assert_eq!(split.counts(), [[5; 3]; 5]);
    let fold_1 = &split.places[0];
    assert_eq!((fold_1.name.as_str(), fold_1.fold, fold_1.part), ("fold 1", Some(1), Part::Val));
    assert_eq!((split.places[1].part, split.places[4].part, split.places[4].fold), (Part::Train, Part::Test, None));
    let text = save(&split, &root.path().join("folds.csv"));
    for (split, fold, rows) in [("val", "1", 15), ("train", "2", 15), ("train", "4", 15), ("test", "", 15)] {
        let found = text.lines().filter(|line| line.contains(&format!(",{split},,{fold},"))).count();
        assert_eq!(found, rows, "{split} {fold}");
    }
}

#[test]
fn subjects_and_copies_stay_together_through_one_another() {
    // Ten patients with six images each; one image of patient 3 is the same as one of patient 7, under another label.
    let files = (0..60).map(|i| {
        let (patient, class) = (i % 10, if i / 10 % 2 == 0 { "ill" } else { "well" });
        (format!("{class}/p{patient}_{i:02}.pgm"), if i == 47 { 13 } else { i })
    });
    let root = folder(files);
    let pattern = Some(GroupPattern::new(r"(p\d+)_").unwrap());
    let with = |into, seed| SplitOptions { pattern: pattern.clone(), seed, ..options(into) };
    for seed in 0..10 {
        for into in [PARTS, SplitInto::Folds { folds: 5, test: 0.0 }] {
            let split = split_with(root.path(), &with(into, seed)).unwrap();
            let mut of_patient = BTreeMap::new();
            for (path, place) in places(&split, root.path()) {
                let patient = path.split(['/', '_']).nth(1).unwrap().to_owned();
                assert_eq!(of_patient.entry(patient).or_insert_with(|| place.clone()), &place, "{path}, seed {seed}");
            }
            assert_eq!(of_patient["p3"], of_patient["p7"], "seed {seed}");
            assert_eq!(split.images.iter().map(|image| image.group).collect::<BTreeSet<_>>().len(), 9);
            let both = split.images.iter().filter(|image| image.group_name == "p3").count();
            assert_eq!(both, 12, "the joined group has one name");
        }
    }
    let apart = SplitOptions { copies: false, ..with(PARTS, 0) };
    let split = split_with(root.path(), &apart).unwrap();
    assert_eq!(split.images.iter().map(|image| image.group).collect::<BTreeSet<_>>().len(), 10);
}

#[test]
fn pictures_that_look_almost_alike_stay_together() {
    // Of each class twelve scenes, each also a shade brighter, in a file of its own.
    let root = tempfile::tempdir().unwrap();
    for (class, picture) in (0..2).flat_map(|class| (0..12).map(move |picture| (class, picture))) {
        for shade in 0..2 {
            let grey = |x: usize, y: usize| {
                let wave =
                    |k: usize| ((x * (1 + picture % 4 + k) + y * (1 + picture / 4) + 40 * class) as f64 / 9.0).sin();
                (118.0 + 50.0 * wave(0) + 40.0 * wave(picture + 3)) as usize + 3 * shade
            };
            let pixels = (0..64 * 64).map(|i| grey(i % 64, i / 64) as u8);
            let bytes: Vec<u8> = b"P5\n64 64\n255\n".iter().copied().chain(pixels).collect();
            let folder = root.path().join(["a", "b"][class]);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{picture:02}-{shade}.pgm")), bytes).unwrap();
        }
    }
    let near = SplitOptions { near: Some(Limits::default()), ..options(PARTS) };
    let split = split_with(root.path(), &near).unwrap();
    for pair in split.images.chunks(2) {
        assert_eq!((pair[0].group, pair[0].place), (pair[1].group, pair[1].place), "{:?}", pair[0].file);
    }
    let groups = |options: &SplitOptions| {
        let split = split_with(root.path(), options).unwrap();
        split.images.iter().map(|image| image.group).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(groups(&options(PARTS)), 48, "no two files are the same");
    assert!((2..=24).contains(&groups(&near)), "each scene with its brighter copy");
}

#[test]
fn a_pattern_says_what_it_misses() {
    let root = folder((0..20).map(|i| (format!("{}/s{}-{i}.pgm", ["a", "b"][i % 2], i / 4), i)));
    let with = |pattern| SplitOptions { pattern: Some(GroupPattern::new(pattern).unwrap()), ..options(PARTS) };
    let split = split_with(root.path(), &with(r"(s[1-4])-")).unwrap();
    let warning = split.warnings.iter().find(|warning| warning.contains("pattern")).unwrap();
    assert!(
        warning.starts_with("the pattern matches 16 of 20 paths; the other images count as unrelated: 'a/s0-0.pgm'")
    );
    let error = split_with(root.path(), &with("(x)")).unwrap_err().to_string();
    assert_eq!(error, "the pattern '(x)' matches none of the 20 paths, such as 'a/s0-0.pgm', 'a/s0-2.pgm' and 18 more");
}

#[test]
fn a_test_part_stays_and_what_would_leak_is_left_out() {
    let mut files: Vec<(String, usize)> =
        (0..40).map(|i| (format!("train/{}/{i:02}.pgm", ["a", "b"][i % 2]), i)).collect();
    files.extend((0..10).map(|i| (format!("test/{}/{i}.pgm", ["a", "b"][i % 2]), 100 + i)));
    // Two test images stand among the training images too.
    files.extend([("train/a/x.pgm".to_owned(), 100), ("train/b/y.pgm".to_owned(), 103)]);
    let root = folder(files);
    let data = open(root.path());
    let leak = "2 test images are exact copies of training images";
    assert!(data.warnings.iter().any(|warning| warning.starts_with(leak)), "{:?}", data.warnings);

    let into = SplitInto::Parts { val: 0.25, test: 0.0 };
    let split = split_with(root.path(), &options(into)).unwrap();
    assert_eq!(split.counts(), [[15, 15], [5, 5], [5, 5]]);
    assert_eq!(split.places[2].share, None);
    assert!(
        split.warnings[0].starts_with("2 images are in a group with images of the test part"),
        "{:?}",
        split.warnings
    );
    assert!(split.warnings[0].contains("train/a/x.pgm") && split.warnings[0].contains("train/b/y.pgm"));
    assert!(places(&split, root.path()).iter().all(|(path, place)| path.starts_with("test") == (place == "test")));

    let error = split_with(root.path(), &options(PARTS)).unwrap_err().to_string();
    assert!(error.starts_with("the share for testing is 0.1, but must be left out"), "{error}");
    let pooled = split_with(root.path(), &SplitOptions { pool: true, ..options(PARTS) }).unwrap();
    assert_eq!((pooled.images.len(), pooled.counts()[2].iter().sum::<usize>()), (52, 5));
}

#[test]
fn classes_that_cannot_be_divided_are_named() {
    let mut files: Vec<(String, usize)> = (0..40).map(|i| (format!("a/p{i}_.pgm"), i)).collect();
    files.extend((0..6).map(|i| (format!("rare/q{}_{i}.pgm", i % 2), 100 + i)));
    files.extend((0..20).map(|i| (format!("lumpy/r{}_{i}.pgm", i.max(10) % 11), 200 + i)));
    let root = folder(files);
    let pattern = Some(GroupPattern::new("([pqr][0-9]+)_").unwrap());
    let split = split_with(root.path(), &SplitOptions { pattern, ..options(SplitInto::Folds { folds: 4, test: 0.0 }) })
        .unwrap();
    let told = split.warnings.join("\n");
    assert!(
        told.contains(
            "1 class comes in fewer groups than there are folds (4), so some folds have no image of it: 'rare'"
        ),
        "{told}"
    );
    assert!(told.contains("of class 'lumpy' instead of 25.0 %: its groups do not divide better"), "{told}");
}

#[test]
fn wrong_shares_are_refused() {
    let root = classes(4, &["a", "b"]);
    for (into, said) in [
        (SplitInto::Parts { val: 1.0, test: 0.0 }, "the share for validation is 1, but must be 0 or more and below 1"),
        (SplitInto::Parts { val: 0.1, test: f64::NAN }, "the share for testing is NaN"),
        (
            SplitInto::Parts { val: 0.5, test: 0.5 },
            "the share for validation and testing together is 1, but must be below 1",
        ),
        (SplitInto::Folds { folds: 1, test: 0.0 }, "the number of folds is 1, but must be 2 to 1000"),
    ] {
        let error = split_with(root.path(), &options(into)).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
    let digits = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
    let error = split(&digits, Path::new(""), &options(PARTS), &Silent).unwrap_err().to_string();
    assert!(error.contains("a split names image files, and digits[0] is not in a file of its own"), "{error}");
}

#[test]
fn a_table_is_held_against_what_is_there() {
    let root = classes(10, &["a", "b"]);
    let table = root.path().join("split.csv");
    let split = split_with(root.path(), &options(PARTS)).unwrap();
    save(&split, &table);
    let verified = verify(&table, None, 2, &Silent).unwrap();
    assert_eq!((verified.rows, verified.without_hash, verified.faults.as_slice()), (20, 0, [].as_slice()));

    let at = |path: &str| root.path().join(path);
    fs::rename(at("a/001.pgm"), at("b/renamed.pgm")).unwrap();
    fs::remove_file(at("a/002.pgm")).unwrap();
    fs::write(at("a/003.pgm"), picture(77)).unwrap();
    fs::write(at("b/new.pgm"), picture(78)).unwrap();
    let faults = verify(&table, None, 1, &Silent).unwrap().faults;
    assert_eq!(
        faults,
        [
            SplitFault::Moved { path: "a/001.pgm".into(), to: at("b/renamed.pgm") },
            SplitFault::Missing { path: "a/002.pgm".into() },
            SplitFault::Changed { path: "a/003.pgm".into() },
        ]
    );
    // Found again in another folder too, if that is named.
    let elsewhere = folder([("deep/er/2.pgm".to_owned(), 2)]);
    let faults = verify(&table, Some(elsewhere.path()), 1, &Silent).unwrap().faults;
    assert!(
        faults.contains(&SplitFault::Moved { path: "a/002.pgm".into(), to: elsewhere.path().join("deep/er/2.pgm") })
    );
    assert!(faults.contains(&SplitFault::Missing { path: "a/001.pgm".into() }));
}

#[test]
fn a_table_that_tears_groups_or_is_none_is_told() {
    let root = classes(3, &["a", "b"]);
    let table = root.path().join("t.csv");
    let hash = |path: &str| {
        let data = open(root.path());
        let split = split(&data, root.path(), &options(PARTS), &Silent).unwrap();
        let text = save(&split, &root.path().join("whole.csv"));
        text.lines().find(|line| line.starts_with(path)).unwrap().rsplit(',').next().unwrap().to_owned()
    };
    let (a0, b1) = (hash("a/000"), hash("b/001"));
    let rows = format!(
        "path,label,split,group,fold,sha256\na/000.pgm,a,train,p1,,{a0}\nb/001.pgm,b,val,p1,,{}\n\
         a/000.pgm,a,test,,,{a0}\na/002.pgm,a,train,,,\n",
        b1.to_uppercase()
    );
    fs::write(&table, rows).unwrap();
    let verified = verify(&table, None, 1, &Silent).unwrap();
    assert_eq!((verified.rows, verified.without_hash), (4, 1));
    let told: Vec<String> = verified.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a/000.pgm is named twice, in lines 2 and 4".to_owned(),
            "group 'p1' is torn: it is in train (line 2) and in val (line 3)".to_owned(),
            format!("the picture with SHA-256 {}… is torn: it is in train (line 2) and in test (line 4)", &a0[..16]),
        ]
    );
    for (text, said) in [
        ("path,label\na.pgm,a\n", "a column 'sha256' is expected"),
        ("path,sha256\na.pgm,12\n", "t.csv, line 2: '12' is no SHA-256, which has 64 hexadecimal digits"),
        ("path,sha256\n,\n", "line 2: the path is empty"),
    ] {
        fs::write(&table, text).unwrap();
        let error = verify(&table, None, 1, &Silent).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn copies_stay_on_one_side_when_a_validation_part_is_drawn() {
    // Each picture of class a is there three times, once of them as b.
    let files = (0..90).map(|i| (format!("{}/{i:02}.pgm", if i % 3 == 0 { "b" } else { "a" }), i / 3));
    let root = folder(files.chain((0..60).map(|i| (format!("b/more{i}.pgm"), 500 + i))));
    for check in [Check::Full, Check::Headers] {
        for seed in 0..5 {
            let set = open_with(root.path(), &OpenOptions { seed, check, ..OpenOptions::default() }).unwrap();
            assert_eq!(
                set.warnings,
                ["60 images are exact copies of others; copies were kept together, in training or in validation"]
            );
            let content = |split: &striate_data::Split| -> BTreeSet<Vec<u8>> {
                split.samples.iter().map(|sample| fs::read(sample.name()).unwrap()).collect()
            };
            assert!(content(&set.train).is_disjoint(&content(&set.val)), "seed {seed}");
            assert_eq!(set.val.len(), 30, "seed {seed}");
        }
    }
}

#[test]
fn what_a_cleaning_manifest_excludes_is_left_out() {
    let root = classes(10, &["a", "b"]);
    fs::write(root.path().join("a/broken.pgm"), "P2 9 9").unwrap();
    let clean = root.path().join("clean.csv");
    fs::write(
        &clean,
        "path,action,fault,detail\na/broken.pgm,exclude,truncated,\nb/003.pgm,exclude,,\na/1.pgm,exclude,,\n",
    )
    .unwrap();
    let with =
        |seed| OpenOptions { clean: Some(clean.clone()), seed, max_unreadable_share: 0.0, ..OpenOptions::default() };
    let set = open_with(root.path(), &with(0)).unwrap();
    assert!(set.left_out.is_empty());
    assert_eq!((set.train.len() + set.val.len(), set.all().counts_per_class(2)), (19, vec![10, 9]));
    let told = set.warnings.join("\n").replace(clean.to_str().unwrap(), "CLEAN");
    assert_eq!(
        told,
        "2 images are left out, as CLEAN says\n\
         CLEAN excludes 3 files, of which 1 is not among the images: 'a/1.pgm'"
    );
    let whole = open_with(root.path(), &OpenOptions { max_unreadable_share: 1.0, ..OpenOptions::default() }).unwrap();
    assert_ne!(set.fingerprint, whole.fingerprint, "cleaned data is other data");
    assert_eq!(set.fingerprint, open_with(root.path(), &with(7)).unwrap().fingerprint);
    let error = DataSet::open("digits", &with(0), &Silent).unwrap_err().to_string();
    assert!(error.contains("must be left out here: it names image files"), "{error}");
}

#[test]
fn a_fold_is_only_for_data_that_has_some() {
    let root = classes(3, &["a", "b"]);
    let error = open_with(root.path(), &OpenOptions { fold: Some(2), ..OpenOptions::default() }).unwrap_err();
    assert!(
        error.to_string().starts_with("the fold for validation is 2, but must be left out: only a table"),
        "{error}"
    );
}
