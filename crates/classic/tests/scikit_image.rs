//! Features against scikit-image's and NumPy's on small pictures: `fixtures/make_references.py` says how they were made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use striate_classic::{
    Circle, ColourHistogram, DenseSift, Extract, Feature, Gabor, Glcm, Hog, Lbp, Patterns, Size, VisualWords,
};
use striate_data::Picture;
use striate_kernels::Cpu;

#[derive(Deserialize)]
struct Stored {
    width: u32,
    height: u32,
    channels: u8,
    pixels: Vec<u8>,
}

#[derive(Deserialize)]
struct Case<S> {
    #[serde(default)]
    picture: usize,
    settings: S,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Codes {
    picture: usize,
    patterns: Patterns,
    points: usize,
    radius: f64,
    codes: Vec<u32>,
}

#[derive(Deserialize)]
struct Descriptors {
    picture: usize,
    step: usize,
    cell: usize,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct References {
    pictures: Vec<Stored>,
    hog: Vec<Case<Hog>>,
    lbp: Vec<Codes>,
    glcm: Vec<Case<Glcm>>,
    gabor: Vec<Case<Gabor>>,
    colour: Vec<Case<ColourHistogram>>,
    sift: Vec<Descriptors>,
}

fn references() -> (References, Vec<Picture>) {
    let mut references: References = serde_json::from_str(include_str!("fixtures/features.json")).unwrap();
    let pictures = references.pictures.drain(..).map(|p| Picture {
        width: p.width,
        height: p.height,
        channels: p.channels,
        pixels: p.pixels,
    });
    let pictures = pictures.collect();
    (references, pictures)
}

/// Largest difference from the reference, which must be within 1e-5 of the larger of 1 and the value.
fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}: values");
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(f) - e).abs() <= 1e-5 * e.abs().max(1.0), "{what}, value {i}: {f} is not {e}");
    }
}

fn check<F: Feature + std::fmt::Debug>(cases: &[Case<F>], pictures: &[Picture]) {
    let cpu = Cpu::new(1).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let extractor = case.settings.learn(&cpu, &pictures.to_vec(), 0).unwrap();
        let picture = &pictures[case.picture];
        let mut values = vec![0.0; extractor.len(Size::of(picture).unwrap()).unwrap()];
        extractor.extract(&cpu, picture, &mut values);
        assert_close(&format!("{:?} of picture {}", case.settings, case.picture), &values, &case.values);
    }
}

#[test]
fn hog_glcm_and_gabor_energies_are_scikit_images() {
    let (references, pictures) = references();
    check(&references.hog, &pictures);
    check(&references.glcm, &pictures);
    check(&references.gabor, &pictures);
}

#[test]
fn colour_histograms_are_those_of_scikit_images_colours() {
    let (references, pictures) = references();
    check(&references.colour, &pictures);
}

#[test]
fn local_binary_patterns_are_scikit_images_code_by_code() {
    let (references, pictures) = references();
    assert!(!references.lbp.is_empty());
    for case in &references.lbp {
        let lbp = Lbp { patterns: case.patterns, ..Lbp::default() };
        let circle = Circle { points: case.points, radius: case.radius };
        let codes = lbp.codes(&pictures[case.picture], circle);
        let what = format!("{:?}, {circle:?} of picture {}", case.patterns, case.picture);
        assert_eq!(codes.len(), case.codes.len(), "{what}");
        let differ = codes.iter().zip(&case.codes).filter(|(a, b)| a != b).count();
        assert_eq!(differ, 0, "{what}: {differ} of {} codes differ", codes.len());
    }
}

#[test]
fn dense_sift_is_its_definition_pixel_by_pixel() {
    let (references, pictures) = references();
    for case in &references.sift {
        let sift = DenseSift { step: case.step, cell: case.cell };
        let found = sift.describe(&pictures[case.picture]).unwrap();
        assert_close(&format!("{sift:?}"), found.values(), &case.values);
    }
    let error = DenseSift { step: 4, cell: 9 }.describe(&pictures[1]).unwrap_err().to_string();
    assert!(error.contains("needs 36×36 or more"), "{error}");
    assert!(VisualWords::default().sift.describe(&pictures[0]).unwrap().rows() > 1, "colour is taken as grey");
}
