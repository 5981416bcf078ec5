//! Checks on real data, where `STRIATE_DATA` names a folder with MNIST's files in `mnist` and CIFAR's in `cifar10-exact`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use striate_data::{DataSet, Fit, Limits, OpenOptions, Preprocessing, Silent, mean_std};

fn open(name: &str) -> Option<DataSet> {
    let Some(folder) = std::env::var_os("STRIATE_DATA").map(PathBuf::from).filter(|folder| folder.is_dir()) else {
        println!("skipped: STRIATE_DATA names no folder");
        return None;
    };
    let path = folder.join(name);
    Some(DataSet::open(path.to_str().unwrap(), &OpenOptions::default(), &Silent).unwrap())
}

#[test]
fn mnist() {
    let Some(set) = open("mnist") else { return };
    let test = set.test.as_ref().unwrap();
    assert_eq!((set.train.len(), set.val.len(), test.len()), (50_000, 10_000, 10_000));
    let labels = |split: &striate_data::Split| split.samples.iter().take(10).map(|s| s.label).collect::<Vec<_>>();
    assert_eq!(labels(test), [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let mut train = set.train.counts_per_class(10);
    train.iter_mut().zip(set.val.counts_per_class(10)).for_each(|(a, b)| *a += b);
    assert_eq!(train, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let preprocessing = Preprocessing::new(28, 28, 1, Fit::Pad);
    let (mean, std) = mean_std(&set.all(), &preprocessing, usize::MAX, &Limits::default(), 2).unwrap();
    assert!((mean[0] - 0.1309).abs() < 5e-4 && (std[0] - 0.3084).abs() < 5e-4, "{mean:?} {std:?}");
}

#[test]
fn cifar_10() {
    let Some(set) = open("cifar10-exact") else { return };
    assert_eq!((set.train.len() + set.val.len(), set.test.as_ref().unwrap().len()), (4000, 1000));
    assert_eq!(set.classes[9], "truck");
    assert_eq!((set.typical.width, set.typical.channels), (32, 3));
}
