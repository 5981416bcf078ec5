//! Every feature, transform and classifier of the lists, by the same checks: lengths, finite values, the same bits at any
//! number of threads, a form that can be stored, and wrong use refused with a sentence.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Debug;
use striate_classic::{
    Apply, ClassicError, Classifier, Extract, Extractor, FeatureKind, Fitted, Labelled, Matrix, MethodKind, Pipeline,
    Recipe, Size, TransformKind,
};
use striate_data::Picture;
use striate_kernels::{Cpu, normal, uniform};

fn cpus() -> [Cpu; 2] {
    [1, 3].map(|threads| Cpu::new(threads).unwrap())
}

/// A picture of waves and noise; its class decides the waves' direction.
fn picture(size: Size, class: u32, number: u64) -> Picture {
    let Size { width, height, channels } = size;
    let value = |i: usize| {
        let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
        let along = if class == 0 { x } else { y } as f32;
        let wave = (along * 0.9 + c as f32 + number as f32).sin();
        (128.0 + 60.0 * wave + 60.0 * (uniform(number, i as u64) - 0.5)) as u8
    };
    let pixels = (0..width * height * channels).map(value).collect();
    Picture { width: width as u32, height: height as u32, channels: channels as u8, pixels }
}

fn pictures(size: Size, count: u64) -> (Vec<Picture>, Vec<u32>) {
    (0..count).map(|i| (picture(size, i as u32 % 2, i), i as u32 % 2)).unzip()
}

/// Settings small enough for a test.
fn small(kind: FeatureKind) -> FeatureKind {
    match kind {
        FeatureKind::VisualWords(words) => {
            FeatureKind::VisualWords(striate_classic::VisualWords { words: 12, sample: 300, ..words })
        }
        FeatureKind::PatchDictionary(patches) => {
            FeatureKind::PatchDictionary(striate_classic::PatchDictionary { words: 10, sample: 300, ..patches })
        }
        other => other,
    }
}

fn stored<T: serde::Serialize + for<'a> serde::Deserialize<'a> + PartialEq + Debug>(value: &T) -> Value {
    let json = serde_json::to_value(value).unwrap();
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "what is stored comes back");
    json
}

/// Every copy of `json` with one array shortened, one array emptied, or one number replaced by a huge one.
fn damaged(json: &Value) -> Vec<Value> {
    fn paths(json: &Value, at: &str, found: &mut Vec<String>) {
        match json {
            Value::Object(fields) => {
                for (name, value) in fields {
                    paths(value, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => {
                found.push(at.to_owned());
                // The first of many is as good as any.
                items.iter().take(1).for_each(|item| paths(item, &format!("{at}/0"), found));
            }
            Value::Number(_) => found.push(at.to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(json, "", &mut found);
    let mut copies = Vec::new();
    for path in found {
        let mut change = |change: &dyn Fn(&mut Value)| {
            let mut copy = json.clone();
            change(copy.pointer_mut(&path).unwrap());
            copies.push(copy);
        };
        change(&|value| match value {
            Value::Array(items) => drop(items.pop()),
            number => *number = Value::from(4_000_000_000_u64),
        });
        change(&|value| match value {
            Value::Array(items) => items.clear(),
            number => *number = Value::from(0),
        });
    }
    copies
}

#[test]
fn names_are_unique_and_complete() {
    let names = [FeatureKind::NAMES, TransformKind::NAMES, MethodKind::NAMES].concat();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(FeatureKind::all().iter().map(FeatureKind::name).eq(FeatureKind::NAMES.iter().copied()));
    assert!(TransformKind::all().iter().map(TransformKind::name).eq(TransformKind::NAMES.iter().copied()));
    assert!(MethodKind::all().iter().map(MethodKind::name).eq(MethodKind::NAMES.iter().copied()));
    assert!(names.len() >= 8 + 4 + 9);
}

#[test]
fn features_have_their_lengths_and_the_same_bits_at_any_thread_count() {
    for (width, height, channels) in [(8, 8, 1), (28, 28, 1), (33, 21, 3), (64, 40, 3)] {
        let size = Size { width, height, channels };
        let (pictures, _) = pictures(size, 12);
        for kind in FeatureKind::all() {
            let kind = small(kind.suited(size));
            let what = format!("{} of {size:?}", kind.name());
            let mut first: Option<(Extractor, Vec<f32>)> = None;
            for cpu in &cpus() {
                let extractor = kind.learn(cpu, &pictures, 5).unwrap_or_else(|e| panic!("{what}: {e}"));
                let length = extractor.len(size).unwrap();
                assert!(length > 0, "{what}");
                let mut values = vec![f32::NAN; length];
                extractor.extract(cpu, &pictures[3], &mut values);
                assert!(values.iter().all(|v| v.is_finite()), "{what}: {values:?}");
                assert!(values.iter().any(|&v| v != values[0]), "{what}: all are {}", values[0]);
                let (extractor_before, before) = first.get_or_insert_with(|| (extractor.clone(), values.clone()));
                assert_eq!((&*extractor_before, &*before), (&extractor, &values), "{what}");
                extractor.check().unwrap();
            }
            let (extractor, values) = first.unwrap();
            let json = stored(&extractor);
            let cpu = &cpus()[0];
            for copy in damaged(&json) {
                let Ok(copy) = serde_json::from_value::<Extractor>(copy) else { continue };
                let Ok(length) = copy.check().and_then(|()| copy.len(size)) else { continue };
                // What passes is another feature, not a trap.
                if length < 1 << 22 {
                    copy.extract(cpu, &pictures[3], &mut vec![0.0; length]);
                }
            }
            assert_eq!(values.len(), extractor.len(size).unwrap());
        }
    }
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let cpu = Cpu::new(1).unwrap();
    let size = Size { width: 64, height: 64, channels: 3 };
    let (pictures, _) = pictures(size, 4);
    for kind in FeatureKind::all().into_iter().map(small) {
        let extractor = kind.learn(&cpu, &pictures, 0).unwrap();
        let tiny = Size { width: 1, height: 2, channels: 3 };
        match extractor.len(tiny) {
            Ok(_) => assert!(matches!(kind, FeatureKind::Raw(_) | FeatureKind::ColourHistogram(_)), "{}", kind.name()),
            Err(error) => {
                assert!(matches!(error, ClassicError::TooSmall { .. }), "{error:?}");
                let sentence = error.to_string();
                assert!(sentence.contains(kind.name()) && sentence.contains("1×2"), "{sentence}");
            }
        }
    }
    let kind = small(FeatureKind::all().pop().unwrap());
    let extractor = kind.learn(&cpu, &pictures, 0).unwrap();
    let error = extractor.len(Size { channels: 1, ..size }).unwrap_err().to_string();
    let expected = "the picture has 1 channels, but pictures of 3 were fitted on; convert it to colour first";
    assert_eq!(error, expected);
}

/// Three clouds in six columns, one of them constant.
fn clouds(rows: u64, seed: u64) -> (Matrix, Vec<u32>) {
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 3).collect();
    let values = (0..rows).flat_map(|i| {
        (0..6).map(move |c| if c == 5 { 4.0 } else { normal(seed, i * 6 + c) + if i % 3 == c { 4.0 } else { 0.0 } })
    });
    (Matrix::new(rows as usize, 6, values.collect()).unwrap(), labels)
}

#[test]
fn transforms_are_the_same_at_any_thread_count_and_refuse_what_is_not_finite() {
    let (rows, _) = clouds(120, 1);
    let mut broken = rows.clone();
    broken.values_mut()[8] = f32::INFINITY;
    for kind in TransformKind::all() {
        let mut first: Option<(Fitted, Matrix)> = None;
        for cpu in &cpus() {
            let fitted = kind.fit(cpu, &rows, 1).unwrap();
            let found = fitted.apply(cpu, rows.clone()).unwrap();
            assert_eq!((found.rows(), found.columns()), (120, fitted.outputs()), "{}", kind.name());
            found.check_finite().unwrap();
            let before = first.get_or_insert_with(|| (fitted.clone(), found.clone()));
            assert_eq!(*before, (fitted.clone(), found), "{}", kind.name());
            fitted.check().unwrap();
            let narrow = Matrix::new(1, 2, vec![0.0; 2]).unwrap();
            let error = fitted.apply(cpu, narrow).unwrap_err().to_string();
            assert!(error.contains(kind.name()) && error.contains("6 features an image, found 2"), "{error}");
            let expected = ClassicError::NotFinite { row: 1, column: 2, value: f32::INFINITY };
            assert_eq!(fitted.apply(cpu, broken.clone()).unwrap_err(), expected);
            assert_eq!(kind.fit(cpu, &broken, 1).unwrap_err(), expected);
            assert_eq!(kind.fit(cpu, &Matrix::new(0, 6, vec![]).unwrap(), 1).unwrap_err(), ClassicError::NoImages);
        }
        let cpu = &cpus()[0];
        for copy in damaged(&stored(&first.unwrap().0)) {
            let Ok(copy) = serde_json::from_value::<Fitted>(copy) else { continue };
            if copy.check().is_ok() && copy.inputs() == 6 {
                copy.apply(cpu, rows.clone()).unwrap();
            }
        }
    }
}

#[test]
fn classifiers_learn_and_are_the_same_at_any_thread_count() {
    let (rows, labels) = clouds(240, 1);
    let (fresh, truth) = clouds(150, 2);
    let data = Labelled::new(&rows, &labels, 3).unwrap();
    for kind in MethodKind::all() {
        let mut first: Option<(Classifier, Matrix, Matrix)> = None;
        for cpu in &cpus() {
            let model = kind.fit(cpu, &data, 7).unwrap();
            model.check().unwrap();
            assert_eq!((model.inputs(), model.classes(), model.name()), (6, 3, kind.name()));
            let scores = model.scores(cpu, &fresh).unwrap();
            let probabilities = model.probabilities(cpu, &fresh).unwrap().unwrap();
            for (i, row) in probabilities.iter().enumerate() {
                let sum: f32 = row.iter().sum();
                assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{} row {i}: {row:?}", kind.name());
                assert!((sum - 1.0).abs() < 1e-4, "{} row {i}: {row:?}", kind.name());
            }
            let told = model.predict(cpu, &fresh).unwrap();
            let right = told.iter().zip(&truth).filter(|(a, b)| a == b).count();
            // Clouds are 4√2 deviations apart: Bayes' rule errs in 0.5 %.
            assert!(right >= 138, "{}: {right} of 150", kind.name());
            let now = (model, scores, probabilities);
            assert_eq!(*first.get_or_insert_with(|| now.clone()), now, "{}", kind.name());
        }
    }
}

#[test]
fn stored_classifiers_come_back_and_damaged_ones_are_harmless() {
    let (rows, labels) = clouds(60, 1);
    let data = Labelled::new(&rows, &labels, 3).unwrap();
    let cpu = Cpu::new(1).unwrap();
    for kind in MethodKind::all() {
        let model = kind.fit(&cpu, &data, 7).unwrap();
        let mut refused = 0;
        let copies = damaged(&stored(&model));
        for copy in &copies {
            let fine = serde_json::from_value::<Classifier>(copy.clone()).ok().filter(|m| m.check().is_ok());
            match fine {
                Some(copy) if copy.inputs() == 6 => drop(copy.probabilities(&cpu, &rows).unwrap()),
                _ => refused += 1,
            }
        }
        assert!(refused > 0, "{}: all of {} damaged copies pass", kind.name(), copies.len());
    }
}

#[test]
fn classifiers_tell_two_classes_and_refuse_wrong_use() {
    let (rows, labels) = clouds(90, 1);
    let two: Vec<u32> = labels.iter().map(|&l| l.min(1)).collect();
    let cpu = Cpu::new(2).unwrap();
    for kind in MethodKind::all() {
        let model = kind.fit(&cpu, &Labelled::new(&rows, &two, 2).unwrap(), 7).unwrap();
        let told = model.predict(&cpu, &rows).unwrap();
        let right = told.iter().zip(&two).filter(|(a, b)| a == b).count();
        assert!(right >= 84, "{}: {right} of 90 training rows", kind.name());
        let error = model.predict(&cpu, &Matrix::new(1, 5, vec![0.0; 5]).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} was fitted on 6 features an image, found 5", kind.name())), "{error}");
        let nan = Matrix::new(1, 6, vec![f32::NAN; 6]).unwrap();
        assert!(matches!(model.probabilities(&cpu, &nan), Err(ClassicError::NotFinite { row: 0, column: 0, .. })));
        assert!(model.predict(&cpu, &Matrix::new(0, 6, Vec::new()).unwrap()).unwrap().is_empty());
    }
    assert!(matches!(Labelled::new(&rows, &[1; 90], 2), Err(ClassicError::OneClass { class: 1, images: 90 })));
    // A class with fewer rows than there are folds to learn probabilities by.
    let mut rare = vec![0; 90];
    rare[0] = 1;
    for name in ["linear_svm", "rbf_svm"] {
        let kind = MethodKind::all().into_iter().find(|k| k.name() == name).unwrap();
        let error = kind.fit(&cpu, &Labelled::new(&rows, &rare, 2).unwrap(), 7).unwrap_err().to_string();
        assert_eq!(error, "3 folds: class 1 needs 3 images or more, found 1");
    }
}

#[test]
fn rows_that_are_all_alike_break_nothing() {
    let rows = Matrix::new(30, 4, vec![0.5; 120]).unwrap();
    let labels: Vec<u32> = (0..30).map(|i| i % 3).collect();
    let data = Labelled::new(&rows, &labels, 3).unwrap();
    let cpu = Cpu::new(1).unwrap();
    for kind in MethodKind::all() {
        let model = kind.fit(&cpu, &data, 1).unwrap();
        model.check().unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
        let probabilities = model.probabilities(&cpu, &rows).unwrap().unwrap();
        assert!(probabilities.values().iter().all(|p| p.is_finite()), "{}", kind.name());
    }
}

#[test]
fn a_pipeline_learns_from_pictures_of_any_size_and_refuses_other_channels() {
    let size = Size { width: 24, height: 24, channels: 3 };
    let (mut training, labels) = pictures(size, 40);
    training[7] = picture(Size { width: 31, height: 26, channels: 3 }, 1, 7);
    let (fresh, truth) = pictures(size, 20);
    let mut first: Option<(Pipeline, Matrix)> = None;
    for cpu in &cpus() {
        let recipe = Recipe::parse("hog+glcm+standardise+pca+logistic", size).unwrap();
        let pipeline = Pipeline::fit(cpu, recipe, size, &training, &labels, 2, 1).unwrap();
        assert_eq!(pipeline.predict(cpu, &fresh).unwrap(), truth);
        let probabilities = pipeline.probabilities(cpu, &fresh).unwrap().unwrap();
        let now = (pipeline, probabilities);
        assert_eq!(*first.get_or_insert_with(|| now.clone()), now);
    }
    let (pipeline, _) = first.unwrap();
    let json = stored(&pipeline);
    for copy in damaged(&json) {
        if let Ok(copy) = serde_json::from_value::<Pipeline>(copy)
            && copy.size() == size
        {
            drop(copy.predict(&cpus()[0], &fresh));
        }
    }
    let cpu = &cpus()[0];
    let grey = vec![picture(Size { channels: 1, ..size }, 0, 1)];
    let error = pipeline.predict(cpu, &grey).unwrap_err().to_string();
    assert!(error.starts_with("the picture has 1 channels, but pictures of 3 were fitted on"), "{error}");
    let broken = vec![Picture { width: 9, height: 9, channels: 3, pixels: vec![0; 10] }];
    let error = pipeline.predict(cpu, &broken).unwrap_err().to_string();
    assert_eq!(error, "a picture of 9×9 with 3 channels cannot hold 10 samples");
    let recipe = Recipe::parse("raw+knn", size).unwrap();
    let one = Pipeline::fit(cpu, recipe.clone(), size, &training, &[0; 40], 2, 1).unwrap_err();
    assert_eq!(one, ClassicError::OneClass { class: 0, images: 40 });
    let none: Vec<Picture> = Vec::new();
    assert_eq!(Pipeline::fit(cpu, recipe, size, &none, &[], 2, 1).unwrap_err(), ClassicError::NoImages);
}
