//! Opening folders of images: layouts, what is left out and why, and the messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use striate_data::{Check, DataError, DataSet, OpenOptions, Silent, SourceKind};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A folder with these files, each a copy of a fixture: `(path, fixture)`; a path that ends in `/` is an empty folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, from) in files {
        let path = root.path().join(path);
        if from.is_empty() {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(fixture(from), path).unwrap();
        }
    }
    root
}

fn open(root: &Path) -> Result<DataSet, DataError> {
    let options = OpenOptions { max_unreadable_share: 0.5, ..OpenOptions::default() };
    DataSet::open(root.to_str().unwrap(), &options, &Silent)
}

fn message(root: &Path) -> String {
    open(root).unwrap_err().to_string().replace(root.to_str().unwrap(), "ROOT")
}

fn names(split: &striate_data::Split, root: &Path) -> Vec<String> {
    let short = |name: String| name.strip_prefix(root.to_str().unwrap()).unwrap()[1..].to_owned();
    split.samples.iter().map(|sample| short(sample.name())).collect()
}

#[test]
fn parts_are_taken_as_they_are() {
    for val in ["val", "valid", "Validation"] {
        let val_cat = format!("{val}/cat/3.png");
        let val_dog = format!("{val}/dog/4.png");
        let root = folder(&[
            ("train/dog/deep/er/2.PNG", "rgb.png"),
            ("train/cat/1.jpeg", "photo.jpg"),
            (&val_cat, "grey.png"),
            (&val_dog, "grey.png"),
            ("test/dog/5.gif", "palette.gif"),
        ]);
        let set = open(root.path()).unwrap();
        assert_eq!(set.kind, SourceKind::SplitFolders);
        assert_eq!(set.classes, ["cat", "dog"]);
        assert_eq!(names(&set.train, root.path()), ["train/cat/1.jpeg", "train/dog/deep/er/2.PNG"]);
        assert_eq!(names(&set.val, root.path()), [val_cat, val_dog]);
        let test = set.test.clone().unwrap();
        assert_eq!(names(&test, root.path()), ["test/dog/5.gif"]);
        assert_eq!(set.warnings, ["no test images of 'cat'"]);
        assert_eq!((set.typical.width, set.typical.height, set.typical.channels), (14, 10, 3));
        assert_eq!(set.all().len(), 5);
    }
}

fn ten_each() -> TempDir {
    let root = folder(&[("a/", ""), ("b/", "")]);
    for i in 0..20 {
        let path = root.path().join(format!("{}/{i:02}.pgm", if i % 2 == 0 { "a" } else { "b" }));
        fs::write(path, format!("P2 2 1 255 {i} 255")).unwrap();
    }
    root
}

#[test]
fn class_folders_are_split_by_seed() {
    let root = ten_each();
    let with = |seed, val_share, workers| {
        let options = OpenOptions { seed, val_share, workers, ..OpenOptions::default() };
        DataSet::open(root.path().to_str().unwrap(), &options, &Silent).unwrap()
    };
    let set = with(0, None, 2);
    assert_eq!(set.kind, SourceKind::ClassFolders);
    assert_eq!((set.train.counts_per_class(2), set.val.counts_per_class(2)), (vec![8, 8], vec![2, 2]));
    assert_eq!(set.typical.channels, 1);
    assert_eq!(names(&set.val, root.path()), names(&with(0, None, 1).val, root.path()));
    assert_ne!(names(&set.val, root.path()), names(&with(1, None, 1).val, root.path()));
    assert_eq!(with(0, Some(0.5), 1).val.len(), 10);
    assert_eq!(set.fingerprint, with(5, Some(0.5), 1).fingerprint, "the draw is not part of the data");
}

#[test]
fn a_fingerprint_is_of_content_and_not_of_place_or_check() {
    let (here, there) = (ten_each(), ten_each());
    let print = |root: &TempDir, check| {
        let options = OpenOptions { check, ..OpenOptions::default() };
        DataSet::open(root.path().to_str().unwrap(), &options, &Silent).unwrap().fingerprint
    };
    let before = print(&here, Check::Full);
    assert_eq!(before.len(), 64);
    assert_eq!(before, print(&there, Check::Headers));
    fs::rename(there.path().join("a/00.pgm"), there.path().join("b/00.pgm")).unwrap();
    assert_ne!(before, print(&there, Check::Full));
}

#[test]
fn unusable_files_are_named_with_reasons() {
    let root = folder(&[
        ("cat/1.png", "rgb.png"),
        ("cat/2.png", "rgb.png"),
        ("cat/one.png", "one_pixel.png"),
        ("dog/1.jpg", "photo.jpg"),
        ("dog/2.jpg", "photo.jpg"),
        ("dog/bomb.png", "bomb.png"),
        ("empty/", ""),
        ("stray.png", "rgb.png"),
    ]);
    let at = |path: &str| root.path().join(path);
    fs::write(at("cat/text.jpg"), "no image at all").unwrap();
    fs::write(at("cat/notes.txt"), "passed over").unwrap();
    fs::write(at("cat/.hidden.png"), "passed over").unwrap();
    fs::write(at("cat/phone.HEIC"), "passed over").unwrap();
    fs::write(at("dog/0.JPG"), "").unwrap();
    let photo = fs::read(fixture("photo.jpg")).unwrap();
    fs::write(at("dog/cut.jpg"), &photo[..photo.len() - 40]).unwrap();
    let set = open(root.path()).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.train.len() + set.val.len(), 5);
    assert_eq!(set.ignored_files, 4);
    let left_out: Vec<String> =
        set.left_out.iter().map(|one| one.to_string().replace(root.path().to_str().unwrap(), "")).collect();
    assert!(left_out[0].starts_with("/cat/text.jpg is not an image"), "{left_out:?}");
    assert_eq!(left_out[1], "/dog/0.JPG is empty (0 bytes)");
    assert!(left_out[2].starts_with("/dog/bomb.png declares 20000×20000"), "{left_out:?}");
    assert!(left_out[3].starts_with("/dog/cut.jpg is a JPEG file that is cut short"), "{left_out:?}");
    assert_eq!(left_out.len(), 4);
    let warnings = set.warnings.join("\n").replace(root.path().to_str().unwrap(), "ROOT");
    assert_eq!(
        warnings,
        "1 image directly in ROOT passed over: in no class folder\n\
         1 .heic file passed over: convert them to JPEG or PNG\n\
         ROOT/empty has no images; there is nothing to learn from, so class 'empty' is left out\n\
         2 images are exact copies of others; copies were kept together, in training or in validation\n\
         no validation images of 'dog'"
    );

    let options = OpenOptions { max_unreadable_share: 0.05, ..OpenOptions::default() };
    let error = DataSet::open(root.path().to_str().unwrap(), &options, &Silent).unwrap_err();
    assert!(matches!(&error, DataError::TooManyUnreadable { left_out, files: 9, .. } if left_out.len() == 4));
    assert!(error.to_string().starts_with("4 of 9 image files (44.4 %) cannot be used, more than the tolerated 5.0 %"));
    assert!(error.to_string().contains("dog/0.JPG is empty (0 bytes)"), "{error}");

    let options = OpenOptions { check: Check::Headers, max_unreadable_share: 0.5, ..OpenOptions::default() };
    let quick = DataSet::open(root.path().to_str().unwrap(), &options, &Silent).unwrap();
    assert_eq!(quick.left_out.len(), 3, "a header does not show that the file is cut short");
    assert_eq!(quick.fingerprint, set.fingerprint);
}

#[test]
fn messages_say_what_to_do() {
    let root = folder(&[("train/cat/1.png", "rgb.png"), ("train/dog/1.png", "rgb.png"), ("val/dgo/1.png", "rgb.png")]);
    assert_eq!(
        message(root.path()),
        "ROOT/val/dgo: class 'dgo' is not among the training classes; did you mean dog?; \
         add training images of it or remove this folder"
    );
    let root = folder(&[("cat/1.png", "rgb.png")]);
    assert_eq!(
        message(root.path()),
        "ROOT: only one class, 'cat', has images, and telling classes apart needs two or more"
    );
    let root = folder(&[("pets/cat/1.png", "rgb.png"), ("pets/dog/1.png", "rgb.png")]);
    assert!(message(root.path()).ends_with("; did you mean ROOT/pets?"), "{}", message(root.path()));
    let root = folder(&[("train/1.png", "rgb.png"), ("test/2.png", "rgb.png")]);
    assert_eq!(
        message(root.path()),
        "ROOT: train holds no class folders; sort its images into one folder for each class"
    );
    let root = folder(&[("val/a/1.png", "rgb.png"), ("test/a/2.png", "rgb.png")]);
    assert_eq!(
        message(root.path()),
        "ROOT: there is test and val but no train; to use one part alone, give its folder"
    );
    let root = folder(&[("train/a/1.png", "rgb.png"), ("val/a/1.png", "rgb.png"), ("valid/a/2.png", "rgb.png")]);
    assert_eq!(message(root.path()), "ROOT: val and valid are both there; keep one of them");
    let root = folder(&[("a/", ""), ("b/", "")]);
    let text = message(root.path());
    assert!(
        text.starts_with("ROOT: no images found; it has 2 folders, and 0 files passed over\nUnderstood are:"),
        "{text}"
    );
    let beside = folder(&[("flowers/", "")]);
    let text = message(&beside.path().join("flower"));
    assert!(text.ends_with("there is no such file or folder; did you mean flowers?"), "{text}");
}

#[test]
fn a_class_may_be_called_train() {
    let root = folder(&[("train/1.png", "rgb.png"), ("car/2.png", "rgb.png"), ("plane/3.png", "rgb.png")]);
    assert_eq!(open(root.path()).unwrap().classes, ["car", "plane", "train"]);
}

#[test]
fn options_are_checked() {
    for (val_share, max_unreadable_share) in [(Some(1.0), 0.0), (Some(f64::NAN), 0.0), (None, 1.5)] {
        let options = OpenOptions { val_share, max_unreadable_share, ..OpenOptions::default() };
        let error = DataSet::open("digits", &options, &Silent).unwrap_err();
        assert!(matches!(error, DataError::Option { .. }), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let root = folder(&[("cat/1.png", "rgb.png"), ("dog/1.png", "rgb.png")]);
    let elsewhere = folder(&[("x/9.png", "rgb.png")]);
    symlink(root.path(), root.path().join("dog/up")).unwrap();
    symlink(root.path().join("dog"), root.path().join("dog/self")).unwrap();
    symlink(elsewhere.path().join("x"), root.path().join("cat/more")).unwrap();
    symlink("nowhere.png", root.path().join("cat/broken.png")).unwrap();
    let set = open(root.path()).unwrap();
    assert_eq!(names(&set.all(), root.path()).len(), 3);
    assert_eq!(set.left_out.len(), 1);
    assert!(set.left_out[0].to_string().contains("broken.png cannot be read"), "{}", set.left_out[0]);
    assert_eq!(set.warnings.iter().filter(|w| w.contains("links to a folder it lies in")).count(), 2);
}
