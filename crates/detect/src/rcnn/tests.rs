//! A whole R-CNN, trained on scenes of squares and discs made on the spot.

use super::*;
use crate::bounding_box::BoundingBox;
use crate::sets::{AnnotatedPicture, BoxSet, Format, Part};
use crate::{Detection, Object};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use striate_data::{Fit, Limits, Picture, Preprocessing};
use striate_graph::layers::{Conv, Flatten, Linear as Dense, MaxPool, Relu};
use striate_graph::{Builder, Graph, Shape};
use striate_kernels::{Cpu, hash};

/// Remembers what is said; ends training after so many pieces of work.
struct Listener {
    said: Mutex<Vec<String>>,
    left: Mutex<u64>,
}

impl Listener {
    fn new(left: u64) -> Self {
        Self { said: Mutex::default(), left: Mutex::new(left) }
    }

    fn heard(&self, words: &str) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.contains(words))
    }
}

impl Progress for Listener {
    fn start(&self, _: &str, _: u64) {}

    fn advance(&self, n: u64) {
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(n);
    }

    fn finish(&self) {}
}

impl Watch for Listener {
    fn say(&self, line: &str) {
        self.said.lock().unwrap().push(line.to_owned());
    }

    fn stops(&self) -> bool {
        *self.left.lock().unwrap() == 0
    }
}

const SIDE: u32 = 96;

/// A grey scene with a red square and a blue disc somewhere in their halves.
fn scene(seed: u64) -> (Picture, Vec<Object>) {
    let lot = |i: u64, most: u64| (hash(seed, i) % most) as u32;
    let (size, radius) = (22 + lot(0, 10), 11 + lot(1, 5));
    let (x, y) = (2 + lot(2, 12), 4 + lot(3, 50));
    let (cx, cy) = (64 + lot(4, 12), 24 + lot(5, 44));
    let mut picture = Picture::filled(SIDE, SIDE, &[0, 0, 0]);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let shade = 110 + lot(u64::from(row * SIDE + column) + 9, 30) as u8;
            let far = column.abs_diff(cx).pow(2) + row.abs_diff(cy).pow(2);
            let colour = if (x..x + size).contains(&column) && (y..y + size).contains(&row) {
                [shade + 80, 30, 20]
            } else if far < radius * radius {
                [20, 30, shade + 80]
            } else {
                [shade; 3]
            };
            let at = ((row * SIDE + column) * 3) as usize;
            picture.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }
    let corner = |v: u32| f64::from(v);
    let square = BoundingBox::new(corner(x), corner(y), corner(size), corner(size));
    let disc = BoundingBox::new(
        corner(cx - radius + 1),
        corner(cy - radius + 1),
        corner(2 * radius - 1),
        corner(2 * radius - 1),
    );
    (picture, vec![Object::new(0, square), Object::new(1, disc)])
}

/// A set of scenes in a folder; its third class has no objects.
fn set(folder: &Path, seeds: std::ops::Range<u64>) -> BoxSet {
    let one = |seed: u64| {
        let (picture, objects) = scene(seed);
        let path: PathBuf = folder.join(format!("{seed}.png"));
        std::fs::write(&path, picture.to_png()).unwrap();
        let (id, number) = (seed.to_string(), seed as i64);
        AnnotatedPicture { id, number, path, width: SIDE, height: SIDE, objects }
    };
    let part = Part { name: "train".to_owned(), pictures: seeds.map(one).collect() };
    BoxSet {
        format: Format::Voc,
        path: folder.to_owned(),
        classes: ["square", "disc", "star"].map(str::to_owned).to_vec(),
        class_numbers: vec![1, 2, 3],
        parts: vec![part],
        faults: Vec::new(),
        notes: Vec::new(),
    }
}

fn network() -> Graph {
    let mut g = Builder::new("small");
    let x = g.input(Shape::new(16, 16, 3));
    let x = g.add("conv1", Conv::new(8, 3).pad(1), x);
    let x = g.add("relu1", Relu, x);
    let x = g.add("pool1", MaxPool::new(4), x);
    let x = g.add("flatten", Flatten, x);
    let x = g.add("fc6", Dense::new(16), x);
    let x = g.add("relu6", Relu, x);
    let x = g.add("fc7", Dense::new(4), x);
    g.finish(x).unwrap()
}

fn options() -> TrainOptions {
    let tune = FineTune { steps: 60, positives: 16, negatives: 16, learning_rate: 0.05, ..FineTune::from_scratch() };
    let mut regions = RegionOptions::for_side(16);
    regions.propose.width = None;
    regions.propose.least_side = 10;
    let regression = Regression { lambda: 10.0, ..Regression::default() };
    let mining = Mining { c: 0.1, ..Mining::default() };
    TrainOptions { regression: Some(regression), mining, batch: 16, ..TrainOptions::new(regions, Some(tune)) }
}

fn trained(
    set: &BoxSet,
    options: &TrainOptions,
    folder: &Path,
    threads: usize,
    watch: &Listener,
) -> Result<Trained, crate::DetectError> {
    let preprocessing = Preprocessing::new(16, 16, 3, Fit::Stretch).normalised_by(vec![0.45; 3], vec![0.25; 3]);
    let backbone = Backbone::fresh(&network(), preprocessing, 3, 1)?;
    let cpu = Arc::new(Cpu::new(threads).unwrap());
    let part = &set.parts[0];
    train(Job { set, part, backbone, options, limits: Limits::default(), folder, cpu: &cpu, watch })
}

fn find(detector: &Rcnn, picture: &Picture, least: f64) -> Vec<Detection> {
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let options = FindOptions { thresholds: vec![least; 3], suppression: Suppression::Hard(0.3), most: 100 };
    Finder::new(detector, &cpu, 32).unwrap().find(picture, &options).unwrap().0
}

#[test]
fn squares_and_discs_are_found_where_they_are() {
    let place = tempfile::tempdir().unwrap();
    let set = set(place.path(), 0..12);
    let folder = place.path().join("run");
    let listener = Listener::new(u64::MAX);
    let mut detectors = Vec::new();
    for (classifier, shared) in [(Classifier::Svm, false), (Classifier::Softmax, false), (Classifier::Svm, true)] {
        let mut options = TrainOptions { classifier, ..options() };
        options.regions.shared = shared;
        detectors.push(trained(&set, &options, &folder, 2, &listener).unwrap());
    }
    assert!(listener.heard("star has no examples") && listener.heard("fine-tuning: taken from"));
    let steps: Vec<_> = detectors[1].steps.iter().map(|(name, seconds)| (*name, seconds.is_some())).collect();
    assert_eq!(
        steps,
        [("proposals", false), ("fine-tuning", false), ("features", false), ("regressors", true)],
        "what both need is not made twice"
    );
    for Trained { detector, .. } in &detectors {
        let mut right = 0;
        for seed in 100..108 {
            let (picture, objects) = scene(seed);
            let found = find(detector, &picture, detector.usual_threshold());
            assert!(found.windows(2).all(|d| d[0].score >= d[1].score) && found.iter().all(|d| d.class < 2));
            let there = |o: &&Object| found.iter().any(|d| d.class == o.class && d.bounds.iou(&o.bounds) >= 0.5);
            right += objects.iter().filter(there).count();
        }
        assert!(right >= 13, "{right} of 16 by {:?}, shared: {}", detector.classifier(), detector.regions.shared);
    }
}

#[test]
fn a_stopped_run_goes_on_and_ends_the_same_at_any_number_of_threads() {
    let place = tempfile::tempdir().unwrap();
    let (set, options) = (set(place.path(), 0..4), options());
    let whole = trained(&set, &options, &place.path().join("whole"), 1, &Listener::new(u64::MAX)).unwrap();
    let folder = place.path().join("parts");
    // Proposals are there after 4 pieces, the network after 60 more, features after 4 more.
    for pieces in [2, 6, 62] {
        let error = trained(&set, &options, &folder, 2, &Listener::new(pieces)).err().map(|e| e.to_string());
        assert!(error.is_some_and(|e| e.contains("goes on from there")), "{pieces}");
    }
    let parts = trained(&set, &options, &folder, 3, &Listener::new(u64::MAX)).unwrap();
    assert!(parts.steps.contains(&("fine-tuning", None)) && parts.steps.contains(&("proposals", None)));
    assert_eq!(
        (&parts.detector.judge, &parts.detector.regressors),
        (&whole.detector.judge, &whole.detector.regressors)
    );
    let file = place.path().join("detector.safetensors");
    parts.detector.write(&file).unwrap();
    let read = Rcnn::read(&file).unwrap();
    assert_eq!(
        (&read.judge, &read.regressors, &read.classes),
        (&whole.detector.judge, &whole.detector.regressors, &set.classes)
    );
    let picture = scene(200).0;
    assert_eq!(find(&read, &picture, -1.5), find(&whole.detector, &picture, -1.5));
}

#[test]
fn odd_pictures_pass_and_what_cannot_be_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let set = set(place.path(), 0..3);
    let detector = trained(&set, &options(), &place.path().join("run"), 2, &Listener::new(u64::MAX)).unwrap().detector;
    assert!(find(&detector, &Picture::filled(8, 8, &[9]), -1e9).is_empty(), "no proposal has 10 pixels on a side");
    find(&detector, &Picture::filled(1, 1, &[9, 9, 9]), -1e9);
    let refused = |options: TrainOptions| {
        trained(&set, &options, &place.path().join("run"), 1, &Listener::new(u64::MAX)).err().unwrap().to_string()
    };
    assert!(refused(TrainOptions { batch: 0, ..options() }).contains("regions at once"));
    assert!(refused(TrainOptions { features: Some("fc9".to_owned()), ..options() }).contains("fc9"));
    let mut wide = options();
    wide.regions.context = 8;
    assert!(refused(wide).contains("context is 8"));
    let file = place.path().join("other.safetensors");
    std::fs::write(&file, b"no detector").unwrap();
    assert!(Rcnn::read(&file).unwrap_err().to_string().contains("other.safetensors: is no detector"));
}
