//! Transfer learning: what is frozen keeps its bits and what is tuned changes; gradients of a tuned part are those of the
//! whole network; runs that stop, freeze and unfreeze go on to the bit; features that are kept are what they would be.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use striate_data::{Augment, Subject};
use striate_engine::{Parameters, Precision, Scheme};
use striate_graph::{Graph, Shape};
use striate_kernels::{Cpu, uniform};
use striate_train::transfer::{Backbone, FrozenNorm, Origin, Start, Transfer, Tune, cut};
use striate_train::{Config, Model, Rule, Stepper, Wishes};
use striate_zoo::{Options, build};
use support::{bits, digits, metrics, resume, run};

fn transfer(tune: &str) -> Transfer {
    Transfer {
        from: PathBuf::new(),
        sha256: String::new(),
        tune: tune.parse::<Tune>().unwrap(),
        new_head: false,
        batch_norm: FrozenNorm::Frozen,
        backbone_rate: 0.1,
        layer_decay: 1.0,
        head_epochs: 0,
        unfreeze_every: 0,
        kept_features: 0,
    }
}

/// A network's random weights as a model file that tells `classes` apart in pictures of this shape.
fn model_file(folder: &Path, model: &str, (input, classes): (Shape, usize)) -> PathBuf {
    let options = Options { input: Some(input), classes: Some(classes), ..Options::default() };
    let graph = Arc::new(build(model, &options).unwrap());
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 7);
    let preprocessing =
        striate_data::Preprocessing::new(input.w as u32, input.h as u32, input.c as u8, striate_data::Fit::Pad);
    let card = striate_train::Card {
        classes: (0..classes).map(|c| format!("class {c}")).collect(),
        preprocessing,
        trained: None,
        calibration: None,
        licence: Some("CC0".into()),
        striate: "test".into(),
    };
    let path = folder.join(format!("{model}.safetensors"));
    Model { graph, parameters, card }.write(&path).unwrap();
    path
}

fn config(from: &Path, how: Transfer, epochs: u32, augment: &str) -> Config {
    let wishes = Wishes {
        origin: Some(Origin::read(from, how).unwrap()),
        epochs: Some(epochs),
        batch: Some(16),
        augment: Some(augment.into()),
        seed: 3,
        ..Wishes::default()
    };
    Config::choose(digits(), &wishes).unwrap()
}

/// Names whose bits differ between two model files, among those with equal shapes.
fn changed(a: &Path, b: &Path) -> Vec<String> {
    let (a, b) = (bits(a), bits(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).filter(|(x, y)| x.1 != y.1).map(|(x, _)| x.0.clone()).collect()
}

#[test]
fn frozen_weights_keep_their_bits_and_tuned_ones_change() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 1), 7));
    let of = |how: Transfer| {
        let config = config(&from, how, 1, "shift=2");
        let run = run(&config, digits(), 2, 2, None);
        run.outcome.as_ref().unwrap();
        let model = Model::read(&run.dir.last()).unwrap();
        let tuned = model.card.trained.clone().unwrap().tuned.unwrap();
        assert_eq!((tuned.from.as_str(), model.card.licence.as_deref()), ("resnet20.safetensors", Some("CC0")));
        assert_eq!(model.graph.output().shape, Shape::vector(10));
        (changed(&from, &run.dir.last()), tuned.parameters)
    };
    assert_eq!(of(transfer("head")), (vec!["linear.weight".to_owned(), "linear.bias".to_owned()], 650));
    // The last block: two convolutions with their normalisations.
    let (names, _) = of(transfer("last:2"));
    assert!(names.iter().all(|n| n.starts_with("linear.") || n.starts_with("layer3.2.")), "{names:?}");
    assert_eq!(names.len(), 2 + 2 + 2 * 4, "{names:?}");
    let (names, parameters) = of(transfer("all"));
    let all = bits(&from).len();
    assert_eq!((names.len(), parameters), (all, 269_722 - 2 * 9 * 16), "one input channel instead of three");
    // With --bn train the frozen part gathers statistics, and nothing else of it changes.
    let (names, _) = of(Transfer { batch_norm: FrozenNorm::Train, ..transfer("head") });
    assert_eq!(names.len(), 2 + 2 * 19, "{names:?}");
    assert!(names.iter().all(|n| n.starts_with("linear.") || n.contains("running_")), "{names:?}");
}

/// A network, images and labels.
fn problem(model: &str, input: Shape, n: usize) -> (Arc<Graph>, Parameters, Vec<f32>, Vec<u32>) {
    let options = Options { input: Some(input), classes: Some(5), ..Options::default() };
    let graph = Arc::new(build(model, &options).unwrap());
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 11);
    let images = (0..n * input.len()).map(|i| 2.0 * uniform(5, i as u64) - 1.0).collect();
    (graph, parameters, images, (0..n as u32).map(|i| i % 5).collect())
}

/// The relative distance of two gradients, and how many there are.
fn distance(whole: &striate_engine::Tensors, part: &striate_engine::Tensors) -> (f64, usize) {
    let (mut square, mut norm) = (0.0, 0.0);
    let mut count = 0;
    for (name, _, values) in part.iter().filter(|(.., v)| !v.is_empty()) {
        for (a, b) in whole.get(name).unwrap().iter().zip(values) {
            square += f64::from(a - b).powi(2);
            norm += f64::from(*a).powi(2);
        }
        count += 1;
    }
    ((square / norm).sqrt(), count)
}

#[test]
fn gradients_of_the_tuned_part_are_those_of_the_whole() {
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let rule = Rule::named("sgd").unwrap();
    // Without normalisation both compute the same; with it the frozen part must take the batch's statistics as the whole does.
    let cases = [
        ("lenet5", Shape::new(32, 32, 1), "from:f6", FrozenNorm::Frozen, 4),
        ("resnet20", Shape::new(16, 16, 3), "last:3", FrozenNorm::Train, 2 + 2 * 6),
    ];
    for (model, input, tune, norm, tensors) in cases {
        let (graph, mut values, images, labels) = problem(model, input, 6);
        let mut whole = Stepper::new(graph.clone(), cpu.clone(), values.clone(), rule, 6).unwrap();
        whole.keep_gradients();
        let (loss, _) = whole.sweep(&images, &labels[..], 0).unwrap();
        let cut = cut(&graph, &tune.parse().unwrap()).unwrap();
        let planned = (6, Precision::F32, norm);
        let mut backbone = Backbone::new(&graph, cut, &mut values, cpu.clone(), planned).unwrap();
        let tuned = Arc::new(graph.behind(cut).unwrap());
        let values = values.take_part(&tuned).unwrap();
        let mut part = Stepper::new(tuned, cpu.clone(), values, rule, 6).unwrap();
        part.keep_gradients();
        let features = backbone.features(&images, 6, true).unwrap();
        let (part_loss, _) = part.sweep(features, &labels[..], 0).unwrap();
        assert!((loss - part_loss).abs() < 1e-5 * loss, "{model}: {loss} {part_loss}");
        let (distance, count) = distance(whole.gradients().unwrap(), part.gradients().unwrap());
        assert_eq!(count, tensors, "{model}");
        assert!(distance < 1e-5, "{model}: {distance}");
    }
}

#[test]
fn stopped_transfers_go_on_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 1), 10));
    let steps = digits().train.len().div_ceil(16) as u64;
    let gradual = Transfer { head_epochs: 1, unfreeze_every: 1, layer_decay: 0.5, ..transfer("last:3") };
    let normed = Transfer { batch_norm: FrozenNorm::Train, ..transfer("last:2") };
    let kept = Transfer { kept_features: 1 << 30, ..transfer("head") };
    for (how, augment) in [(gradual, "shift=2"), (normed, "none"), (kept, "none")] {
        let config = Config { ema: Some(0.9), ..config(&from, how, 3, augment) };
        let whole = run(&config, digits(), 1, 1, None);
        whole.outcome.as_ref().unwrap();
        for stop in [steps, steps + 3] {
            let r = resume(run(&config, digits(), 2, 2, Some(stop)), &config, (3, 1), None);
            r.outcome.as_ref().unwrap();
            assert_eq!(metrics(&r.rows).last(), metrics(&whole.rows).last(), "{:?} {stop}", config.transfer);
            let last = |r: &support::Run| fs::read(r.dir.last()).unwrap();
            assert!(last(&r) == last(&whole), "{:?} stopped after {stop}", config.transfer);
        }
    }
}

#[test]
fn more_is_tuned_from_stage_to_stage() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 1), 10));
    let gradual = Transfer { unfreeze_every: 1, ..transfer("last:3") };
    let config = config(&from, gradual, 3, "none");
    let run = run(&config, digits(), 2, 2, None);
    run.outcome.as_ref().unwrap();
    let told: Vec<&String> = run.told.iter().filter(|t| t.contains("are tuned")).collect();
    assert_eq!(told.len(), 2, "{:?}", run.told);
    assert!(told[0].contains("from epoch 2 on, `layer3.2.conv1`"), "{told:?}");
    assert!(told[1].contains("from epoch 3 on, `layer3.1.conv1`"), "{told:?}");
    let names = changed(&from, &run.dir.last());
    assert!(names.iter().any(|n| n.starts_with("layer3.1.")), "{names:?}");
    assert!(!names.iter().any(|n| n.starts_with("layer3.0.")), "{names:?}");
}

#[test]
fn kept_features_train_as_those_of_each_epoch_do() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 1), 3));
    let rows = |kept| {
        let how = Transfer { kept_features: kept, ..transfer("last:2") };
        let config = config(&from, how, 2, "none");
        let run = run(&config, digits(), 2, 2, None);
        run.outcome.as_ref().unwrap();
        let told = run.told.iter().any(|t| t.contains("features of"));
        assert_eq!(told, kept > 1000, "{:?}", run.told);
        metrics(&run.rows)
    };
    let (kept, each) = (rows(1 << 30), rows(0));
    assert_eq!(kept, each);
    assert_eq!(rows(100), each, "too little room: nothing is kept");
}

#[test]
fn colours_are_summed_up_for_grey_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 3), 4));
    let config = config(&from, transfer("head"), 1, "none");
    assert_eq!(config.input(), Shape::new(16, 16, 1));
    let transfer = config.transfer.as_ref().unwrap();
    let start = Start::read(&config, transfer, 10).unwrap();
    assert!(start.notes.iter().any(|n| n.contains("3 colours are summed up")), "{:?}", start.notes);
    assert!(start.notes.iter().any(|n| n.contains("`linear` is new, for 10 classes (before: 4)")), "{:?}", start.notes);
    let model = Model::read(&from).unwrap();
    let (old, new) = (model.parameters.get("conv1.weight").unwrap(), start.parameters.get("conv1.weight").unwrap());
    for (filter, summed) in old.chunks(27).zip(new.chunks(9)) {
        for i in 0..9 {
            assert_eq!(filter[i] + filter[9 + i] + filter[18 + i], summed[i]);
        }
    }
    assert!(start.parameters.get("linear.weight").unwrap().iter().all(|w| *w == 0.0));
    assert_eq!(start.parameters.get("layer2.1.conv1.weight"), model.parameters.get("layer2.1.conv1.weight"));
}

#[test]
fn the_first_loss_of_a_new_head_is_that_of_guessing() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "resnet20", (Shape::new(16, 16, 1), 3));
    let config = Config { learning_rate: 1e-12, ..config(&from, transfer("all"), 1, "none") };
    let run = run(&config, digits(), 2, 2, None);
    let loss = run.rows[0].0.train_loss;
    assert!((loss - 10.0_f64.ln()).abs() < 1e-6, "{loss}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "lenet5", (Shape::new(32, 32, 1), 3));
    let refused = |how: Transfer, size: Option<u32>| {
        let origin = Some(Origin::read(&from, how).unwrap());
        Config::choose(digits(), &Wishes { origin, image_size: size, ..Wishes::default() }).unwrap_err().to_string()
    };
    let e = refused(transfer("last:9"), None);
    assert!(e.contains("`lenet5` has 5 layers and blocks"), "{e}");
    let e = refused(transfer("from:f7"), None);
    assert!(e.contains("no node `f7`"), "{e}");
    let e = refused(Transfer { head_epochs: 2, ..transfer("head") }, None);
    assert!(e.contains("--tune head tunes nothing but the head"), "{e}");
    let e = refused(Transfer { backbone_rate: 0.0, ..transfer("all") }, None);
    assert!(e.contains("--backbone-lr must be more than 0"), "{e}");
    let e = refused(transfer("head"), Some(64));
    assert!(e.contains("takes 32×32 pixels: at 64×64 its `c5.weight` would be"), "{e}");
    // Another file in the place of the one that the run was begun with.
    let config = config(&from, transfer("head"), 1, "none");
    model_file(folder.path(), "lenet5", (Shape::new(32, 32, 1), 4));
    let run = run(&config, digits(), 1, 1, None);
    let e = run.outcome.unwrap_err().to_string();
    assert!(e.contains("is not the file that the run was begun with"), "{e}");
    let odd = model_file(folder.path(), "lenet5_1998", (Shape::new(32, 32, 1), 3));
    let origin = Some(Origin::read(&odd, transfer("head")).unwrap());
    let e = Config::choose(digits(), &Wishes { origin, ..Wishes::default() }).unwrap_err().to_string();
    assert!(e.contains("`output`, is a rbf"), "{e}");
}

#[test]
fn what_a_run_transfers_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let from = model_file(folder.path(), "lenet5", (Shape::new(32, 32, 1), 3));
    let c = config(&from, Transfer { unfreeze_every: 2, ..transfer("last:2") }, 1, "shift=2");
    let written = toml::to_string(&c).unwrap();
    assert!(written.contains("[transfer]") && written.contains("tune = \"last:2\""), "{written}");
    assert_eq!(toml::from_str::<Config>(&written).unwrap(), c);
    assert_eq!(c.augment, Augment::parse("shift=2", Subject::Drawing, 32).unwrap());
}
