//! IDX and CIFAR files: good ones, gzipped ones, and wrong ones with their messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;
use striate_data::{DataSet, Limits, OpenOptions, Silent, SourceKind};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// `count` images of 2×3 whose pixels are all their index, and labels that cycle through three classes.
fn idx(count: u32) -> (Vec<u8>, Vec<u8>) {
    let mut images = numbers(&[0x0803, count, 3, 2]);
    images.extend((0..count).flat_map(|i| [i as u8; 6]));
    let mut labels = numbers(&[0x0801, count]);
    labels.extend((0..count).map(|i| (i % 3) as u8 + 4));
    (images, labels)
}

fn open(path: &Path) -> Result<DataSet, String> {
    DataSet::open(path.to_str().unwrap(), &OpenOptions::default(), &Silent).map_err(|error| error.to_string())
}

#[test]
fn idx_files_are_read_gzipped_or_not() {
    let root = tempfile::tempdir().unwrap();
    let ((images, labels), (test_images, test_labels)) = (idx(60), idx(6));
    fs::write(root.path().join("train-images.idx3-ubyte"), &images).unwrap();
    fs::write(root.path().join("train-labels-idx1-ubyte.gz"), gzip(&labels)).unwrap();
    fs::write(root.path().join("t10k-images-idx3-ubyte.gz"), gzip(&test_images)).unwrap();
    // Gzip is told by the content.
    fs::write(root.path().join("t10k-labels-idx1-ubyte"), gzip(&test_labels)).unwrap();
    let set = open(root.path()).unwrap();
    assert_eq!(set.kind, SourceKind::Idx);
    assert_eq!(set.classes, ["4", "5", "6"]);
    assert_eq!((set.train.len(), set.val.len()), (50, 10));
    assert_eq!(set.val.counts_per_class(3).iter().max(), Some(&4));
    let test = set.test.unwrap();
    assert_eq!(test.samples.iter().map(|s| s.label).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    let picture = test.samples[5].read(&Limits::default()).unwrap();
    assert_eq!((picture.width, picture.height, picture.pixels), (2, 3, vec![5; 6]));
    assert_eq!(test.samples[5].name(), "t10k-images-idx3-ubyte.gz[5]");

    let alone = open(&root.path().join("train-images.idx3-ubyte"));
    assert!(alone.unwrap_err().contains("train-labels.idx1-ubyte: reading failed"), "its labels have another name");
    fs::write(root.path().join("train-labels.idx1-ubyte"), &labels).unwrap();
    assert_eq!(open(&root.path().join("train-images.idx3-ubyte")).unwrap().train.len(), 48);
    assert!(open(root.path()).unwrap_err().ends_with("are there; keep one of them"));
}

#[test]
fn wrong_idx_files_are_explained() {
    let (images, labels) = idx(60);
    let huge = numbers(&[0x0803, u32::MAX, u32::MAX, u32::MAX]);
    let short = [numbers(&[0x0803, 60_000, 28, 28]), vec![0; 12]].concat();
    let cases: Vec<(Vec<u8>, Vec<u8>, &str)> = vec![
        (short.clone(), labels.clone(), "header declares 60000 images of 28×28 (47040000 bytes) but the file holds 12"),
        (gzip(&short), labels.clone(), "header declares 60000 images of 28×28 (47040000 bytes) but the file holds 12"),
        ([images.clone(), vec![1]].concat(), labels.clone(), "(360 bytes) but the file holds 361"),
        (gzip(&[images.clone(), vec![1]].concat()), labels.clone(), "(360 bytes) but the file holds more"),
        (huge.clone(), labels.clone(), "more than the 4 GiB that are read at most"),
        (gzip(&huge), labels.clone(), "more than the 4 GiB that are read at most"),
        (labels.clone(), labels.clone(), "begins with 0x00000801, but an IDX file of images begins with 0x00000803"),
        (images[..9].to_vec(), labels.clone(), "ends within its header of 16 bytes, after 9"),
        (numbers(&[0x0803, 0, 28, 28]), labels.clone(), "declares 0 images of 28×28: there is nothing in it"),
        (images.clone(), idx(59).1, "holds 60 images, but train-labels-idx1-ubyte holds 59 labels"),
        (gzip(&images)[..100].to_vec(), labels, "reading failed"),
    ];
    for (images, labels, expected) in cases {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("train-images-idx3-ubyte"), images).unwrap();
        fs::write(root.path().join("train-labels-idx1-ubyte"), labels).unwrap();
        let message = open(root.path()).unwrap_err();
        assert!(message.contains(expected) && message.contains("train-images-idx3-ubyte"), "{message}");
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("train-images-idx3-ubyte"), idx(3).0).unwrap();
    assert!(open(root.path()).unwrap_err().contains("train-labels-idx1-ubyte is missing"));
}

fn record(label: u8, level: u8) -> Vec<u8> {
    [vec![label], vec![level; 1024], vec![level + 1; 1024], vec![level + 2; 1024]].concat()
}

#[test]
fn cifar_planes_become_pixels() {
    let root = tempfile::tempdir().unwrap();
    let batch = |from: u8| -> Vec<u8> { (0..20).flat_map(|i| record(i % 2, from + i)).collect() };
    fs::write(root.path().join("data_batch_1.bin"), batch(0)).unwrap();
    fs::write(root.path().join("data_batch_2.bin.gz"), gzip(&batch(100))).unwrap();
    fs::write(root.path().join("test_batch.bin"), record(1, 7)).unwrap();
    fs::write(root.path().join("batches.meta.txt"), "ham\neggs\n\n").unwrap();
    fs::write(root.path().join("readme.html"), "").unwrap();
    let set = open(root.path()).unwrap();
    assert_eq!(set.kind, SourceKind::CifarBinary);
    assert_eq!((set.classes.clone(), set.ignored_files), (vec!["ham".to_owned(), "eggs".to_owned()], 1));
    assert_eq!(set.train.len() + set.val.len(), 40);
    let test = set.test.unwrap();
    let picture = test.samples[0].read(&Limits::default()).unwrap();
    assert_eq!((picture.width, picture.channels, &picture.pixels[..6]), (32, 3, &[7, 8, 9, 7, 8, 9][..]));

    fs::write(root.path().join("test_batch.bin"), [record(1, 7), record(2, 7)].concat()).unwrap();
    assert_eq!(
        open(root.path()).unwrap_err(),
        "test_batch.bin: record 1 has label 2, but there are 2 classes (0 to 1)"
    );
    fs::write(root.path().join("test_batch.bin"), &record(1, 7)[1..]).unwrap();
    assert!(
        open(root.path()).unwrap_err().starts_with("test_batch.bin: holds 3072 bytes, but CIFAR-10 records are 3073")
    );
    fs::remove_file(root.path().join("test_batch.bin")).unwrap();
    assert!(open(root.path()).unwrap().test.is_none());
    assert_eq!(open(&root.path().join("data_batch_2.bin.gz")).unwrap().train.len(), 16);
}
