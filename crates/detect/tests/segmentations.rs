//! Segments against scikit-image's `felzenszwalb`, on pictures that `fixtures/make_segmentations.py` cut out and segmented;
//! on others too where `STRIATE_SEGMENTATIONS` names a folder of such.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use striate_data::{Limits, read};
use striate_detect::propose::felzenszwalb;

/// A picture's name, k, sigma and the fewest pixels, from the name of its labels' file.
fn settings(file: &Path) -> Option<(PathBuf, f64, f64, usize)> {
    let (name, rest) = file.file_name()?.to_str()?.strip_suffix(".png")?.split_once(".k")?;
    let (k, rest) = rest.split_once("_sigma")?;
    let (sigma, least) = rest.split_once("_least")?;
    Some((file.with_file_name(format!("{name}.png")), k.parse().ok()?, sigma.parse().ok()?, least.parse().ok()?))
}

/// Compares all of a folder; returns how many comparisons and how many pixels differ, of how many.
fn compare(folder: &Path) -> (usize, usize, usize) {
    let (mut files, mut differ, mut pixels) = (0, 0, 0);
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    for file in all {
        let Some((picture, k, sigma, least)) = settings(&file) else { continue };
        let cut = felzenszwalb(&read(&picture, &Limits::default()).unwrap(), k, sigma, least).unwrap();
        let labels = read(&file, &Limits::default()).unwrap();
        let expected = labels.pixels.chunks_exact(3).map(|p| u32::from(p[0]) + 256 * u32::from(p[1]));
        assert_eq!(labels.pixels.len(), 3 * cut.labels.len());
        let wrong = cut.labels.iter().zip(expected.clone()).filter(|(a, b)| **a != *b).count();
        let count = expected.max().unwrap() as usize + 1;
        println!("{}: {} segments for {count}, {wrong} pixels differ", file.display(), cut.count);
        (files, differ, pixels) = (files + 1, differ + wrong, pixels + cut.labels.len());
    }
    (files, differ, pixels)
}

#[test]
fn segments_are_those_of_scikit_image() {
    let (files, differ, _) = compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    assert_eq!((files, differ), (9, 0));
}

#[test]
fn segments_of_whole_photographs_are_those_of_scikit_image() {
    let Some(folder) = std::env::var_os("STRIATE_SEGMENTATIONS") else { return };
    let (files, differ, pixels) = compare(Path::new(&folder));
    assert!(files > 0 && differ == 0, "{files} segmentations, {differ} of {pixels} pixels differ");
}
