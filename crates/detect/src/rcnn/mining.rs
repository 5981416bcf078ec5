//! A support vector machine for each class, trained with hard negatives, as in the authors' `rcnn_train.m`.
//!
//! Positive are the objects' own boxes, negative the regions that overlap every object of the class by less than 0.3. A class
//! starts with all negatives of the first picture; of each picture after it those are added that score above −1.0001, and those
//! known so far that score below −1.2 are forgotten when the machine is trained again. Features are scaled so that their length
//! is 20 on average: C, λ and the bounds are meant for such.

use super::Watch;
use super::features::{Features, OfPicture};
use super::linear_svm::{Linear, LinearSvm};
use super::options::Mining;
use super::regions::Regions;
use crate::error::DetectError;
use crate::sums::dot;
use std::collections::HashSet;
use striate_kernels::{Cpu, hash};

/// The mean length of scaled features.
const LENGTH: f64 = 20.0;

/// What features are multiplied by, and each class's objects' features, scaled.
pub(super) struct Positives {
    /// The factor.
    pub(super) scale: f32,
    rows: Vec<Vec<f32>>,
}

impl Positives {
    /// Gathers them from all pictures.
    pub(super) fn gather(
        classes: usize,
        regions: &[Regions],
        features: &Features,
        watch: &dyn Watch,
    ) -> Result<Self, DetectError> {
        let mut rows: Vec<Vec<f32>> = vec![Vec::new(); classes];
        let (mut length, mut count) = (0.0, 0_u32);
        watch.start("reading features of objects", regions.len() as u64);
        for (image, regions) in regions.iter().enumerate() {
            let found = features.of(image)?;
            for region in 0..regions.boxes.len() {
                let row = found.row(region);
                length += dot(row, row).sqrt();
                count += 1;
            }
            for (i, object) in regions.objects.iter().enumerate() {
                rows[object.class].extend_from_slice(found.row(i));
            }
            watch.advance(1);
        }
        watch.finish();
        let mean = length / f64::from(count.max(1));
        // Features that are all zero stay so.
        let scale = if mean > 0.0 { (LENGTH / mean) as f32 } else { 1.0 };
        rows.iter_mut().flatten().for_each(|v| *v *= scale);
        Ok(Self { scale, rows })
    }
}

/// What one class has learnt from so far.
struct Class {
    positives: Vec<f32>,
    negatives: Vec<f32>,
    /// The negatives' pictures and regions.
    keys: Vec<(usize, usize)>,
    known: HashSet<(usize, usize)>,
    added: usize,
    machine: Option<Linear>,
}

impl Class {
    /// Adds a picture's negatives: all, or the hard ones.
    fn add(
        &mut self,
        image: usize,
        class: usize,
        regions: &Regions,
        found: &OfPicture,
        (scale, options): (f32, &Mining),
    ) {
        for region in 0..regions.boxes.len() {
            let row = found.row(region);
            let hard = |machine: &Linear| {
                f64::from(scale) * dot(&machine.weight, row) + f64::from(machine.bias) > options.hard
            };
            if self.machine.as_ref().is_none_or(hard)
                && regions.is_negative(region, class, options.overlap)
                && self.known.insert((image, region))
            {
                self.keys.push((image, region));
                self.negatives.extend(row.iter().map(|v| v * scale));
                self.added += 1;
            }
        }
    }

    /// Trains the machine anew, and forgets what it finds easy.
    fn train(&mut self, columns: usize, options: &Mining, seed: u64) {
        let rows = [self.positives.as_slice(), &self.negatives].concat();
        let (p, n) = (self.positives.len() / columns, self.keys.len());
        let positive: Vec<bool> = (0..p + n).map(|i| i < p).collect();
        let Mining { c, positive_weight, bias, .. } = *options;
        let svm = LinearSvm { c, positive_weight, bias, tolerance: 1e-3, rounds: 2000 };
        let machine = svm.fit(&rows, columns, &positive, seed);
        let stays: Vec<bool> = self.negatives.chunks_exact(columns).map(|x| machine.of(x) >= options.easy).collect();
        let mut kept = Vec::new();
        for (row, _) in self.negatives.chunks_exact(columns).zip(&stays).filter(|(_, stays)| **stays) {
            kept.extend_from_slice(row);
        }
        self.negatives = kept;
        let mut stays = stays.into_iter();
        let known = &mut self.known;
        self.keys.retain(|key| {
            let stay = stays.next().unwrap_or(false);
            if !stay {
                known.remove(key);
            }
            stay
        });
        self.added = 0;
        self.machine = Some(machine);
    }
}

/// Trains the machines, for features as they are (their scale is in the weights); `None` for classes without objects.
pub(super) fn machines(
    positives: Positives,
    regions: &[Regions],
    features: &Features,
    options: &Mining,
    (cpu, seed): (&Cpu, u64),
    watch: &dyn Watch,
) -> Result<Vec<Option<Linear>>, DetectError> {
    let Positives { scale, rows } = positives;
    let class = |positives: Vec<f32>| {
        let (negatives, keys, known) = (Vec::new(), Vec::new(), HashSet::new());
        Class { positives, negatives, keys, known, added: 0, machine: None }
    };
    let mut classes: Vec<Class> = rows.into_iter().map(class).collect();
    let rounds = options.epochs.max(1) as usize * regions.len();
    watch.start("mining hard negatives", rounds as u64);
    for round in 0..rounds {
        if watch.stops() {
            watch.finish();
            return Err(DetectError::Stopped);
        }
        let image = round % regions.len();
        let found = features.of(image)?;
        let last = round + 1 == rounds;
        cpu.chunks(&mut classes, 1, |c, class| {
            let class = &mut class[0];
            if class.positives.is_empty() || found.columns == 0 {
                return;
            }
            class.add(image, c, &regions[image], &found, (scale, options));
            if !class.keys.is_empty() && (class.machine.is_none() || class.added > options.retrain || last) {
                class.train(found.columns, options, hash(seed, c as u64));
            }
        });
        watch.advance(1);
    }
    watch.finish();
    let scaled = |class: Class| {
        class.machine.map(|Linear { weight, bias }| Linear { weight: weight.iter().map(|w| w * scale).collect(), bias })
    };
    Ok(classes.into_iter().map(scaled).collect())
}
