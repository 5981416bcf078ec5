//! Several looks at each image: the score of the mean probabilities, whatever the batch.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use striate_data::{Limits, LoaderOptions, Views};
use striate_engine::{Parameters, Scheme};
use striate_graph::Graph;
use striate_kernels::Cpu;
use striate_train::{Evaluator, Reading};
use support::{config, digits};

/// The mean over an image's looks of their probabilities, one look at a time.
fn mean(graph: &Arc<Graph>, parameters: &Parameters, index: usize, views: Views) -> Vec<f64> {
    let preprocessing = config("lenet5", 1).preprocessing;
    let picture = digits().val.samples[index].read(&Limits::default()).unwrap();
    let looks = preprocessing.views(&picture, views);
    let mut evaluator = Evaluator::new(graph.clone(), Arc::new(Cpu::new(1).unwrap()), 1).unwrap();
    let mut sum = vec![0.0; 10];
    let mut input = vec![0.0; preprocessing.len()];
    for look in &looks {
        preprocessing.normalise(look, &mut input);
        let logits = evaluator.logits(parameters, &input, 1).unwrap();
        let raised: Vec<f64> = logits.iter().map(|&z| f64::from(z).exp()).collect();
        let all: f64 = raised.iter().sum();
        sum.iter_mut().zip(&raised).for_each(|(sum, p)| *sum += p / all / looks.len() as f64);
    }
    sum
}

#[test]
fn looks_are_averaged_as_probabilities_at_any_batch() {
    let config = config("lenet5", 1);
    let graph = Arc::new(config.graph(10).unwrap());
    let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 5);
    let val = &digits().val;
    for (five, mirrored) in [(false, false), (false, true), (true, false), (true, true)] {
        let views = Views { five, mirrored };
        let options = LoaderOptions { views, ..LoaderOptions::default() };
        let mut all = Vec::new();
        for batch in [1, 7, 32] {
            let mut evaluator = Evaluator::new(graph.clone(), Arc::new(Cpu::new(2).unwrap()), batch).unwrap();
            let mut heard = Vec::new();
            let hear = |batch: &striate_data::Batch, logits: &[f32]| {
                assert_eq!(logits.len(), batch.len() * views.count() * 10);
                for looks in logits.chunks_exact(views.count() * 10) {
                    heard.push(Reading::PLAIN.answer(looks, 10).probabilities);
                }
            };
            let (p, go_on) = (&config.preprocessing, |_| true);
            let (e, predictions) = evaluator.examine(&parameters, val, p, &options, go_on, hear).unwrap();
            assert_eq!((e.score.images, predictions.images.len(), heard.len()), (val.len(), val.len(), val.len()));
            for prediction in &predictions.images {
                let (class, probability) = prediction.top[0];
                let said = heard[prediction.index][class as usize];
                assert!((f64::from(probability) - said).abs() < 1e-6, "{probability} {said}");
            }
            all.push(predictions);
        }
        for (a, b) in all[0].images.iter().zip(&all[2].images) {
            assert!((a.loss - b.loss).abs() < 1e-5, "the batch changes rounding only");
        }
        for index in [0, 5, val.len() - 1] {
            let meant = mean(&graph, &parameters, index, views);
            for &(class, probability) in &all[1].images[index].top {
                assert!((f64::from(probability) - meant[class as usize]).abs() < 1e-5, "{views:?}");
            }
        }
    }
}

#[test]
fn an_answer_does_not_depend_on_what_else_is_in_its_batch() {
    let cpu = Arc::new(Cpu::new(2).unwrap());
    for model in ["lenet5", "resnet20"] {
        let config = config(model, 1);
        let graph = Arc::new(config.graph(10).unwrap());
        let parameters = Parameters::init(&graph, Scheme::for_graph(&graph), 5);
        let each = config.preprocessing.len();
        let mut images = vec![0.0; 16 * each];
        for (sample, image) in digits().val.samples.iter().zip(images.chunks_exact_mut(each)) {
            config.preprocessing.apply(&sample.read(&Limits::default()).unwrap(), image);
        }
        let mut evaluator = Evaluator::new(graph, cpu.clone(), 16).unwrap();
        let whole = evaluator.logits(&parameters, &images, 16).unwrap().to_vec();
        for (from, to) in [(0, 1), (15, 16), (3, 10), (1, 16), (6, 8)] {
            let some = evaluator.logits(&parameters, &images[from * each..to * each], to - from).unwrap();
            assert!(some == &whole[from * 10..to * 10], "{model}: images {from} to {to}");
        }
        let many = evaluator.logits(&parameters, &images.repeat(3)[..40 * each], 40).unwrap();
        assert!(many[160..320] == whole && many[320..] == whole[..80], "{model}: more than go through at once");
    }
}
