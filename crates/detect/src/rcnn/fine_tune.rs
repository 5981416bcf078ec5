//! Fine-tuning: the network learns what its regions are of, from steps of 32 regions of objects and 96 of background, which
//! are drawn evenly from all pictures, each mirrored in half of the cases.

use super::Watch;
use super::gallery::Gallery;
use super::network::Backbone;
use super::options::FineTune;
use super::regions::Regions;
use super::windows::{Window, Windows};
use crate::error::DetectError;
use crate::propose::in_parallel;
use std::sync::Arc;
use striate_data::Picture;
use striate_engine::Parameters;
use striate_kernels::{Cpu, hash};
use striate_train::{Rule, Schedule, Stepper, TrainError};

/// A region that the network learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Example {
    image: usize,
    region: usize,
    /// 0 is background.
    label: u32,
}

/// All of them, of both kinds.
struct Examples {
    positives: Vec<Example>,
    negatives: Vec<Example>,
}

impl Examples {
    fn gather(regions: &[Regions], overlap: f64) -> Self {
        let (mut positives, mut negatives) = (Vec::new(), Vec::new());
        for (image, regions) in regions.iter().enumerate() {
            for region in 0..regions.boxes.len() {
                if let Some(class) = regions.class(region, overlap) {
                    positives.push(Example { image, region, label: class as u32 + 1 });
                } else if regions.is_background(region, overlap) {
                    negatives.push(Example { image, region, label: 0 });
                }
            }
        }
        Self { positives, negatives }
    }

    /// The regions of a step, with whether they are mirrored: drawn with replacement.
    fn draw(&self, options: &FineTune, seed: u64) -> Vec<(Example, bool)> {
        let draw = |i: usize| {
            let from = if i < options.positives { &self.positives } else { &self.negatives };
            let lot = hash(seed, i as u64);
            (from[(lot >> 1) as usize % from.len()], lot & 1 == 1)
        };
        (0..options.batch()).map(draw).collect()
    }
}

/// Keeps these draws apart from others of the same seed.
const DRAWS: u64 = 0x6674;
/// Steps between two lines about how it goes.
const EVERY: u32 = 100;

/// Fine-tunes the network; returns its parameters.
pub(super) fn fine_tune(
    backbone: Backbone,
    options: &FineTune,
    regions: &[Regions],
    (gallery, windows): (&Gallery<'_>, &Windows),
    cpu: &Arc<Cpu>,
    seed: u64,
    watch: &dyn Watch,
) -> Result<Parameters, DetectError> {
    let examples = Examples::gather(regions, options.overlap);
    let network = |why: String| DetectError::Network { network: backbone.graph.name().to_owned(), why };
    if examples.positives.is_empty() || examples.negatives.is_empty() {
        let (p, n) = (examples.positives.len(), examples.negatives.len());
        return Err(network(format!("cannot be fine-tuned on {p} regions of objects and {n} of background")));
    }
    watch.say(&format!(
        "fine-tuning on {} regions of objects and {} of background",
        examples.positives.len(),
        examples.negatives.len()
    ));
    let rule = Rule::Sgd { momentum: options.momentum, nesterov: false, weight_decay: options.weight_decay };
    let Backbone { graph, parameters, .. } = backbone;
    let mut stepper = Stepper::new(graph.clone(), cpu.clone(), parameters, rule, options.batch())?;
    let steps = u64::from(options.steps);
    let schedule =
        Schedule { base: options.learning_rate, curve: options.curve, warmup: 0, steps, extensions: Vec::new() };
    let mut images = vec![0.0; options.batch() * windows.len()];
    let (mut sum, mut right) = (0.0, 0);
    watch.start("fine-tuning", steps);
    for step in 0..options.steps {
        if watch.stops() {
            watch.finish();
            return Err(DetectError::Stopped);
        }
        let chosen = examples.draw(options, hash(seed ^ DRAWS, u64::from(step)));
        let pictures: Vec<Arc<Picture>> = in_parallel(cpu, chosen.len(), |i| gallery.picture(chosen[i].0.image))
            .into_iter()
            .collect::<Result<_, _>>()?;
        let cuts = chosen.iter().zip(&pictures).map(|((example, mirrored), picture)| Window {
            picture: picture.as_ref(),
            bounds: regions[example.image].boxes[example.region],
            mirrored: *mirrored,
        });
        let cuts: Vec<Window<'_>> = cuts.collect();
        windows.cut(&cuts, cpu, &mut images)?;
        let labels: Vec<u32> = chosen.iter().map(|(example, _)| example.label).collect();
        let lr = schedule.at(u64::from(step));
        let (loss, logits) = stepper.step(&images, &labels, lr, hash(seed, u64::from(step)))?;
        right += count_right(logits, &labels);
        if !loss.is_finite() {
            let place = stepper.first_not_finite(&images, &labels, hash(seed, u64::from(step)));
            let step = u64::from(step) + 1;
            return Err(TrainError::Diverged { loss, epoch: 1, step, lr, place }.into());
        }
        sum += loss;
        if (step + 1) % EVERY == 0 || step + 1 == options.steps {
            let n = f64::from((step % EVERY) + 1);
            let share = 100.0 * right as f64 / (n * options.batch() as f64);
            watch.say(&format!("step {:>5}: loss {:.4}, {share:.1} % right, rate {lr:.1e}", step + 1, sum / n));
            (sum, right) = (0.0, 0);
        }
        watch.advance(1);
    }
    watch.finish();
    Ok(stepper.into_parameters())
}

fn count_right(logits: &[f32], labels: &[u32]) -> usize {
    let rows = logits.chunks_exact(logits.len() / labels.len());
    let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
    rows.zip(labels).filter(|(row, label)| best(row) == **label as usize).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounding_box::BoundingBox;
    use crate::detection::Object;

    #[test]
    fn steps_are_drawn_evenly_and_alike() {
        let square = |x: f64| BoundingBox::new(x, 0.0, 10.0, 10.0);
        let picture = |class: usize| Regions::new(&[Object::new(class, square(0.0))], &[square(2.0), square(30.0)]);
        let examples = Examples::gather(&[picture(0), picture(4)], 0.5);
        let labels: Vec<u32> = examples.positives.iter().map(|e| e.label).collect();
        assert_eq!((labels, examples.negatives.len()), (vec![1, 1, 5, 5], 2));
        let options = FineTune { positives: 400, negatives: 200, ..FineTune::paper() };
        let drawn = examples.draw(&options, 3);
        assert_eq!(drawn, examples.draw(&options, 3));
        assert!(drawn[..400].iter().all(|(e, _)| e.label > 0) && drawn[400..].iter().all(|(e, _)| e.label == 0));
        let count = |wanted: &Example| drawn.iter().filter(|(e, _)| e == wanted).count();
        assert!(examples.positives.iter().chain(&examples.negatives).all(|e| (70..130).contains(&count(e))));
        assert!((250..350).contains(&drawn.iter().filter(|(_, mirrored)| *mirrored).count()));
    }
}
