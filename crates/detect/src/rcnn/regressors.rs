//! Four regressors a class, which move a proposal to the object that it overlaps by 0.6 or more (appendix C of the paper).

use super::Watch;
use super::features::Features;
use super::linear_svm::Linear;
use super::options::Regression;
use super::regions::Regions;
use super::ridge::ridge;
use crate::box_regression::{Targets, regression_targets};
use crate::error::DetectError;
use crate::sums::dot;
use striate_kernels::Cpu;

/// The mean length of scaled activations, which λ is meant for.
const LENGTH: f64 = 20.0;

/// The examples of a class.
#[derive(Default)]
struct Examples {
    columns: usize,
    rows: Vec<f32>,
    targets: Vec<Targets>,
}

impl Examples {
    /// Adds a picture's proposals; objects' own boxes have nothing to teach.
    fn add(
        &mut self,
        image: usize,
        class: usize,
        regions: &Regions,
        features: &Features,
        least: f64,
    ) -> Result<(), DetectError> {
        let found = features.of(image)?;
        self.columns = if found.near.is_empty() { self.columns } else { found.pooled.len() / found.near.len() };
        for (i, &region) in found.near.iter().enumerate().filter(|(_, region)| **region >= regions.objects.len()) {
            if regions.class(region, least) == Some(class)
                && let Some(object) = regions.best[region].object
            {
                let truth = &regions.objects[object].bounds;
                self.rows.extend_from_slice(&found.pooled[i * self.columns..(i + 1) * self.columns]);
                self.targets.push(regression_targets(&regions.boxes[region], truth));
            }
        }
        Ok(())
    }
}

/// Trains the regressors, for activations as they are; `None` for classes without examples.
pub(super) fn regressors(
    classes: usize,
    regions: &[Regions],
    features: &Features,
    options: &Regression,
    cpu: &Cpu,
    watch: &dyn Watch,
) -> Result<Vec<Option<[Linear; 4]>>, DetectError> {
    let mut all = Vec::with_capacity(classes);
    watch.start("fitting regressors", classes as u64);
    for class in 0..classes {
        if watch.stops() {
            watch.finish();
            return Err(DetectError::Stopped);
        }
        let mut examples = Examples::default();
        for (image, regions) in regions.iter().enumerate() {
            if regions.objects.iter().any(|o| o.class == class) {
                examples.add(image, class, regions, features, options.overlap)?;
            }
        }
        all.push((!examples.targets.is_empty()).then(|| fitted(examples, options.lambda, cpu)));
        watch.advance(1);
    }
    watch.finish();
    Ok(all)
}

fn fitted(mut examples: Examples, lambda: f64, cpu: &Cpu) -> [Linear; 4] {
    let Examples { columns, ref mut rows, ref targets } = examples;
    let length = rows.chunks_exact(columns.max(1)).map(|row| dot(row, row).sqrt()).sum::<f64>() / targets.len() as f64;
    let scale = if length > 0.0 { (LENGTH / length) as f32 } else { 1.0 };
    for v in rows.iter_mut() {
        *v *= scale;
    }
    ridge(cpu, rows, columns, targets, lambda)
        .map(|Linear { weight, bias }| Linear { weight: weight.iter().map(|w| w * scale).collect(), bias })
}
