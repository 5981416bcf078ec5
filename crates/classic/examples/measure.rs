//! How long features and classifiers take, and how well they tell digits apart.
//!
//! `measure mnist FOLDER [TRAIN]`: HOG with a linear SVM on TRAIN images (all, if not given), and the Gaussian SVM on the first
//! 10,000 raw ones, both on the 10,000 test images. `measure linear [ROWS COLUMNS]`: the linear classifiers on clouds.

#![allow(clippy::unwrap_used, reason = "an example fails by panicking")]

use std::time::Instant;
use striate_classic::{FeatureKind, Labelled, LinearSvm, Matrix, MethodKind, Pictures, Pipeline, RbfSvm, Recipe, Size};
use striate_data::{DataSet, OpenOptions, Picture, Silent, Source, Split};
use striate_kernels::{Cpu, normal};

fn accuracy(told: &[u32], truth: &[u32]) -> f64 {
    100.0 * told.iter().zip(truth).filter(|(a, b)| a == b).count() as f64 / truth.len() as f64
}

/// Samples in the order of the source.
fn in_order(parts: &[&Split]) -> (Vec<Picture>, Vec<u32>) {
    let mut all = Vec::new();
    for part in parts {
        for (i, sample) in part.samples.iter().enumerate() {
            let Source::Memory(_, index) = &sample.source else { panic!("held in memory") };
            all.push((*index, part.picture(i).unwrap().into_owned(), sample.label));
        }
    }
    all.sort_by_key(|(index, _, _)| *index);
    all.into_iter().map(|(_, picture, label)| (picture, label)).unzip()
}

fn mnist(cpu: &Cpu, folder: &str, most: usize) {
    let set = DataSet::open(folder, &OpenOptions::default(), &Silent).unwrap();
    let (mut train, mut labels) = in_order(&[&set.train, &set.val]);
    let (test, truth) = in_order(&[set.test.as_ref().unwrap()]);
    train.truncate(most);
    labels.truncate(most);
    let size = Size { width: 28, height: 28, channels: 1 };
    let mut recipe = Recipe::parse("hog+svm", size).unwrap();
    recipe.method = MethodKind::LinearSvm(LinearSvm { folds: 0, ..LinearSvm::default() });
    let begun = Instant::now();
    let pipeline = Pipeline::fit(cpu, recipe, size, &train, &labels, 10, 1).unwrap();
    let fitted = begun.elapsed();
    let told = pipeline.predict(cpu, &test).unwrap();
    let columns = pipeline.classifier().inputs();
    println!(
        "{} on {} images ({columns} features): {:.2} %, fitted in {:.1} s, {} told in {:.1} s",
        pipeline.recipe(),
        train.len(),
        accuracy(&told, &truth),
        fitted.as_secs_f64(),
        test.len(),
        begun.elapsed().saturating_sub(fitted).as_secs_f64()
    );
    let raw = |pictures: &[Picture]| {
        let values = pictures.iter().flat_map(|p| p.pixels.iter().map(|&v| f32::from(v) / 255.0)).collect();
        Matrix::new(pictures.len(), 784, values).unwrap()
    };
    let first = train.len().min(10_000);
    let (train, test) = (raw(&train[..first]), raw(&test));
    for folds in [0, 3] {
        let begun = Instant::now();
        let data = Labelled::new(&train, &labels[..first], 10).unwrap();
        let model = MethodKind::RbfSvm(RbfSvm { folds, ..RbfSvm::default() }).fit(cpu, &data, 1).unwrap();
        let fitted = begun.elapsed();
        let told = model.predict(cpu, &test).unwrap();
        println!(
            "rbf_svm on {first} raw images, {folds} folds: {:.2} %, fitted in {:.1} s, 10,000 told in {:.1} s",
            accuracy(&told, &truth),
            fitted.as_secs_f64(),
            begun.elapsed().saturating_sub(fitted).as_secs_f64()
        );
    }
}

fn linear(cpu: &Cpu, rows: usize, columns: usize) {
    const CLASSES: usize = 10;
    let mut values = vec![0.0; rows * columns];
    // Ten clouds a few deviations apart, every column a little about each class.
    cpu.chunks(&mut values, columns, |i, row| {
        for (c, v) in row.iter_mut().enumerate() {
            let middle = 0.1 * normal(1, (i % CLASSES * columns + c) as u64);
            *v = middle + normal(2, (i * columns + c) as u64);
        }
    });
    let matrix = Matrix::new(rows, columns, values).unwrap();
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % CLASSES as u32).collect();
    let data = Labelled::new(&matrix, &labels, CLASSES).unwrap();
    for kind in MethodKind::all() {
        let kind = match kind {
            MethodKind::LinearSvm(svm) => MethodKind::LinearSvm(LinearSvm { folds: 0, ..svm }),
            MethodKind::SoftmaxRegression(_) | MethodKind::NaiveBayes(_) | MethodKind::LinearDiscriminant(_) => kind,
            _ => continue,
        };
        let begun = Instant::now();
        let model = kind.fit(cpu, &data, 1).unwrap();
        let fitted = begun.elapsed();
        let told = model.predict(cpu, &matrix).unwrap();
        println!(
            "{} on {rows} × {columns}: fitted in {:.1} s, told in {:.1} s, {:.2} % of the training rows",
            kind.name(),
            fitted.as_secs_f64(),
            begun.elapsed().saturating_sub(fitted).as_secs_f64(),
            accuracy(&told, &labels)
        );
    }
}

/// Pictures a second of each feature.
fn features(cpu: &Cpu, side: usize) {
    let pixels = |n: usize| (0..side * side).map(|i| ((i * (n + 3) * 7) % 251) as u8).collect();
    let pictures: Vec<Picture> =
        (0..64).map(|n| Picture { width: side as u32, height: side as u32, channels: 1, pixels: pixels(n) }).collect();
    let size = Size { width: side, height: side, channels: 1 };
    for kind in FeatureKind::all() {
        let kind = kind.suited(size);
        let extractor = kind.learn(cpu, &pictures, 1).unwrap();
        let mut values = vec![0.0; striate_classic::Extract::len(&extractor, size).unwrap()];
        let begun = Instant::now();
        for picture in &pictures {
            striate_classic::Extract::extract(&extractor, cpu, picture, &mut values);
        }
        let each = begun.elapsed().as_secs_f64() / 64.0 * 1e3;
        println!("{} of {side}×{side}: {} values in {each:.3} ms", kind.name(), values.len());
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, other: usize| arguments.get(i).map_or(other, |v| v.parse().unwrap());
    let cpu = Cpu::new(0).unwrap();
    match arguments.first().map(String::as_str) {
        Some("mnist") => mnist(&cpu, &arguments[1], number(2, usize::MAX)),
        Some("linear") => linear(&cpu, number(1, 50_000), number(2, 2000)),
        Some("features") => features(&cpu, number(1, 28)),
        _ => println!("measure mnist FOLDER [TRAIN] | linear [ROWS COLUMNS] | features [SIDE]"),
    }
}
