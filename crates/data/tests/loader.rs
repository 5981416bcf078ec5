//! The loader: order, determinism, failures in mid-run, early drops, recycling.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use striate_data::{
    Augment, Batch, DataSet, Fit, Limits, Loader, LoaderOptions, Mixed, OpenOptions, Preprocessing, Sample, Silent,
    Source, Split, StageTimes, Subject, Way, mean_std,
};

fn digits() -> Arc<Split> {
    DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap().train
}

fn grey(side: u32) -> Preprocessing {
    Preprocessing::new(side, side, 1, Fit::Stretch)
}

fn load(split: &Arc<Split>, options: LoaderOptions) -> Vec<Batch> {
    Loader::new(Arc::clone(split), grey(8), options).collect()
}

#[test]
fn batches_are_the_same_at_any_number_of_workers() {
    let split = digits();
    let with = |workers, ahead| {
        let augment = Some(Augment::new(2, true));
        load(
            &split,
            LoaderOptions {
                batch: 50,
                shuffle: true,
                seed: 3,
                epoch: 2,
                augment,
                workers,
                ahead,
                ..LoaderOptions::default()
            },
        )
    };
    let one = with(1, 1);
    assert_eq!(one.len(), 1438usize.div_ceil(50));
    for (workers, ahead) in [(2, 1), (2, 4), (5, 2), (0, 0)] {
        assert!(with(workers, ahead) == one, "{workers} workers, {ahead} ahead");
    }
}

#[test]
fn windows_and_mixing_depend_on_seed_epoch_and_batch_only() {
    let split = digits();
    let augment = Augment::parse("rrc=0.3,jitter,blur,erase,mixup=0.5,cutmix", Subject::Photograph, 8).unwrap();
    let with = |workers, epoch, first_batch| {
        let (augment, seed) = (Some(augment.clone()), 3);
        let options = LoaderOptions {
            batch: 50,
            shuffle: true,
            seed,
            epoch,
            augment,
            workers,
            first_batch,
            ..Default::default()
        };
        load(&split, options)
    };
    let one = with(1, 1, 0);
    assert!(with(4, 1, 0) == one, "workers");
    assert!(with(2, 1, 20) == one[20..], "an epoch that is resumed");
    assert!(with(2, 2, 0) != one, "the next epoch");
    let ways = |way| one.iter().filter(|b| b.mixed.as_ref().unwrap().way == way).count();
    assert!(ways(Way::Mixup) > 5 && ways(Way::Cutmix) > 5 && ways(Way::Mixup) + ways(Way::Cutmix) == one.len());
    for batch in &one {
        let Mixed { share, partners, .. } = batch.mixed.as_ref().unwrap();
        let n = batch.len();
        assert!((0..n).all(|i| partners[i] == batch.labels[(i + n - 1) % n]), "each with the one before it");
        assert_eq!(batch.heavier(), if *share < 0.5 { partners } else { &batch.labels });
    }
    let plain = load(&split, LoaderOptions { batch: 50, ..LoaderOptions::default() });
    assert!(plain.iter().all(|b| b.mixed.is_none() && b.heavier() == b.labels));
}

#[test]
fn balanced_epochs_draw_classes_alike_and_change_repeated_images() {
    // 100 zeros, 10 ones and 3 twos.
    let all = digits();
    let of = |label: u32, n: usize| all.samples.iter().filter(move |s| s.label == label).take(n).cloned();
    let split = Arc::new(Split { samples: of(0, 100).chain(of(1, 10)).chain(of(2, 3)).collect() });
    let with = |workers, epoch| {
        let augment = Some(Augment::parse("erase=1", Subject::Drawing, 8).unwrap());
        let options = LoaderOptions {
            batch: 9,
            shuffle: true,
            balanced: true,
            seed: 5,
            epoch,
            augment,
            workers,
            ..Default::default()
        };
        load(&split, options)
    };
    let one = with(1, 1);
    assert!(with(3, 1) == one && with(1, 2) != one, "any number of workers, and another order in each epoch");
    let mut drawn = vec![Vec::new(); split.len()];
    for batch in &one {
        for (i, &index) in batch.indices.iter().enumerate() {
            assert_eq!(batch.labels[i], split.samples[index].label);
            drawn[index].push(&batch.images[i * 64..][..64]);
        }
    }
    let times = |range: std::ops::Range<usize>| drawn[range].iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(times(0..113).iter().sum::<usize>(), 113, "an epoch is as long as ever");
    assert!(times(0..100).iter().all(|n| *n <= 1) && times(0..100).iter().sum::<usize>() == 37);
    assert!(times(100..110).iter().all(|n| (3..=4).contains(n)), "whole rounds: {:?}", times(100..110));
    assert!(times(110..113).iter().all(|n| (12..=13).contains(n)), "{:?}", times(110..113));
    // Of two dozen noisy rectangles hardly two are alike.
    assert!(drawn[110].windows(2).all(|pair| pair[0] != pair[1]), "each time another change");
}

#[test]
fn an_epoch_holds_every_image_once_in_its_own_order() {
    let split = digits();
    let order = |shuffle, epoch| -> Vec<usize> {
        let options = LoaderOptions { batch: 33, shuffle, epoch, ..LoaderOptions::default() };
        load(&split, options).into_iter().flat_map(|batch| batch.indices).collect()
    };
    assert_eq!(order(false, 0), (0..split.len()).collect::<Vec<_>>());
    let shuffled = order(true, 0);
    assert_ne!(shuffled, order(true, 1));
    let mut sorted = shuffled;
    sorted.sort_unstable();
    assert_eq!(sorted, order(false, 5));
}

#[test]
fn values_and_labels_belong_together() {
    let split = digits();
    for batch in load(&split, LoaderOptions { shuffle: true, ..LoaderOptions::default() }) {
        assert_eq!(batch.images.len(), batch.len() * 64);
        for (i, &index) in batch.indices.iter().enumerate() {
            let sample = &split.samples[index];
            assert_eq!(batch.labels[i], sample.label);
            let mut expected = [0.0; 64];
            grey(8).apply(&sample.read(&Limits::default()).unwrap(), &mut expected);
            assert_eq!(batch.images[i * 64..(i + 1) * 64], expected);
        }
    }
}

#[test]
fn an_epoch_can_be_resumed_and_its_rest_dropped() {
    let split = digits();
    let with = |first_batch, drop_last| {
        load(&split, LoaderOptions { batch: 100, shuffle: true, first_batch, drop_last, ..LoaderOptions::default() })
    };
    let whole = with(0, false);
    assert_eq!(whole.iter().map(Batch::len).collect::<Vec<_>>(), [[100; 14].as_slice(), &[38]].concat());
    assert!(with(5, false) == whole[5..]);
    assert!(with(0, true) == whole[..14]);
    assert!(with(99, false).is_empty());
}

#[test]
fn a_file_that_fails_is_left_out_and_named() {
    let root = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/grey.png");
    let samples = (0..40u32).map(|label| {
        let path = root.path().join(format!("{label}.png"));
        fs::copy(&fixture, &path).unwrap();
        Sample::new(Source::File(path), label)
    });
    let split = Arc::new(Split { samples: samples.collect() });
    fs::write(root.path().join("7.png"), "gone bad").unwrap();
    fs::remove_file(root.path().join("30.png")).unwrap();
    for workers in [1, 3] {
        let batches = load(&split, LoaderOptions { batch: 20, workers, ..LoaderOptions::default() });
        let labels: Vec<u32> = batches.iter().flat_map(|batch| batch.labels.clone()).collect();
        assert_eq!(labels, (0..40).filter(|l| ![7, 30].contains(l)).collect::<Vec<_>>());
        assert_eq!(batches[0].images.len(), 19 * 64);
        assert!(batches[0].failed[0].to_string().contains("7.png is not an image"), "{:?}", batches[0].failed);
        assert!(batches[1].failed[0].to_string().contains("30.png cannot be read"), "{:?}", batches[1].failed);
    }
    let (mean, _) = mean_std(&split, &grey(8), 2000, &Limits::default(), 2).unwrap();
    assert!(mean[0] > 0.2 && mean[0] < 0.8);
    for sample in &split.samples {
        let _ = fs::remove_file(sample.name());
    }
    let batches = load(&split, LoaderOptions { batch: 20, ..LoaderOptions::default() });
    assert!(batches.iter().all(Batch::is_empty) && batches[1].failed.len() == 20);
    let error = mean_std(&split, &grey(8), 2000, &Limits::default(), 2).unwrap_err().to_string();
    assert!(error.starts_with("none of 40 images could be read; the first: "), "{error}");
}

#[test]
fn dropping_early_ends_the_threads() {
    let split = digits();
    for taken in [0, 1, 3] {
        for workers in [1, 4] {
            let options = LoaderOptions { batch: 7, workers, ahead: 5, ..LoaderOptions::default() };
            let mut loader = Loader::new(Arc::clone(&split), grey(64), options);
            assert_eq!(loader.by_ref().take(taken).count(), taken);
            drop(loader);
        }
    }
    assert_eq!(Arc::strong_count(&split), 1, "no thread still holds the split");
    assert_eq!(load(&Arc::new(Split::default()), LoaderOptions::default()).len(), 0);
}

#[test]
fn recycled_memory_changes_nothing() {
    let split = digits();
    let options = LoaderOptions { batch: 64, shuffle: true, ..LoaderOptions::default() };
    let expected = load(&split, options.clone());
    let mut loader = Loader::new(split, grey(8), options);
    for expected in expected {
        let batch = loader.next().unwrap();
        assert!(batch == expected);
        loader.recycle(batch);
    }
    assert!(loader.next().is_none());
}

#[test]
fn mean_and_deviation_are_those_of_the_pixels() {
    let split = digits();
    let (mean, std) = mean_std(&split, &grey(8), usize::MAX, &Limits::default(), 2).unwrap();
    let mut values = Vec::new();
    for sample in &split.samples {
        values.extend(sample.read(&Limits::default()).unwrap().pixels.iter().map(|&v| f64::from(v) / 255.0));
    }
    let expected = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - expected).powi(2)).sum::<f64>() / values.len() as f64;
    assert!((f64::from(mean[0]) - expected).abs() < 1e-6 && (f64::from(std[0]) - variance.sqrt()).abs() < 1e-6);
    let on_three = mean_std(&split, &grey(8), 2000, &Limits::default(), 3).unwrap();
    assert_eq!((mean, std), on_three);
}

#[test]
fn stages_are_timed_where_that_is_wanted() {
    let split = digits();
    let with = |timed| {
        let augment = Some(Augment::new(2, true));
        load(&split, LoaderOptions { batch: 50, augment, workers: 2, timed, ..LoaderOptions::default() })
    };
    let (timed, plain) = (with(true), with(false));
    for (mut timed, plain) in timed.into_iter().zip(plain) {
        assert_eq!(timed.times.images, timed.len());
        assert!(timed.times.per_image().iter().all(|(_, us)| *us > 0.0), "{:?}", timed.times);
        timed.times = StageTimes::default();
        assert!(timed == plain, "nothing else differs, and nothing is timed unless wanted");
    }
}
