//! Steps of batches that do not fit into memory at once: made of micro-batches, as equal in size as can be, whose gradients
//! are added up, each weighted by its share of the images, so that the step is that of the large batch (Ott et al. 2018,
//! arXiv:1806.00187, section 3). But for rounding, and for batch normalisation: it normalises by the mean and variance of a
//! micro-batch, and takes those of each into its running ones.

use crate::{Stepper, TrainError};
use std::ops::Range;
use striate_engine::{Handed, Parameters, Tensors};
use striate_kernels::{Cpu, GradientSlot, Targets, hash, map2};

/// A network in training whose steps take as many images as they are given, some at a time.
#[derive(Debug)]
pub struct MicroBatches {
    stepper: Stepper,
    /// Images of a micro-batch, at most.
    most: usize,
    /// The step's gradient, where a step takes several micro-batches.
    sum: Option<Tensors>,
    logits: Vec<f32>,
}

/// The micro-batches of `images`, `most` at a time: as few as can be, alike in size by one image.
fn pieces(images: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces = images.div_ceil(most);
    (0..pieces).map(move |i| i * images / pieces..(i + 1) * images / pieces)
}

impl MicroBatches {
    /// Takes steps of up to `batch` images, `most` at a time, which the stepper was planned for.
    ///
    /// # Errors
    /// If `most` is 0.
    pub fn new(stepper: Stepper, batch: usize, most: usize) -> Result<MicroBatches, TrainError> {
        if most == 0 {
            return Err(TrainError::Setting("a micro-batch needs at least one image".into()));
        }
        let several = batch > most;
        let classes = stepper.graph().output().shape.len();
        let sum = several.then(|| stepper.parameters().zeros_like(true));
        Ok(MicroBatches { stepper, most, sum, logits: vec![0.0; if several { batch * classes } else { 0 }] })
    }

    /// From now on scales each step's gradients down to this norm, all together, where theirs is larger
    /// ([`clip`](crate::clip)).
    pub fn clip_gradients(&mut self, norm: f64) {
        self.stepper.clip_gradients(norm, self.sum.is_some());
    }

    /// The network and its last sweep.
    pub fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// The same, to be changed.
    pub fn stepper_mut(&mut self) -> &mut Stepper {
        &mut self.stepper
    }

    /// The parameters as they now are.
    pub fn parameters(&self) -> &Parameters {
        self.stepper.parameters()
    }

    /// The gradient that the last step followed; `None` where it took one micro-batch, and the stepper keeps none.
    pub fn gradients(&self) -> Option<&Tensors> {
        self.sum.as_ref().or_else(|| self.stepper.gradients())
    }

    /// Makes one step, as [`Stepper::step`] does: the mean loss, and the logits from before the step. If the loss is not
    /// finite, the weights stay; running statistics may have taken in the micro-batches before.
    ///
    /// # Errors
    /// If the images are not the network's, or more than the steps were planned for.
    pub fn step<'t>(
        &mut self,
        images: &[f32],
        targets: impl Into<Targets<'t>>,
        lr: f64,
        seed: u64,
    ) -> Result<(f64, &[f32]), TrainError> {
        let targets = targets.into();
        let Some(sum) = &mut self.sum else {
            return self.stepper.step(images, targets, lr, seed);
        };
        let (n, len) = (targets.rows(), self.stepper.graph().input().shape.len());
        let classes = self.stepper.graph().output().shape.len();
        if n == 0 || images.len() != n * len || n * classes > self.logits.len() {
            let (values, most) = (images.len(), self.logits.len() / classes);
            let why = format!("a step of 1 to {most} images of {len} values was given {n} labels and {values} values");
            return Err(TrainError::Setting(why));
        }
        let mut mean = 0.0;
        for (i, piece) in pieces(n, self.most).enumerate() {
            let share = piece.len() as f64 / n as f64;
            let seed = if i == 0 { seed } else { hash(seed, i as u64) };
            let (from, to) = (piece.start * len, piece.end * len);
            let mut take = |cpu: &Cpu, handed: Handed<'_>| gather(cpu, sum, &handed, share as f32, i > 0);
            let (loss, logits) =
                self.stepper.sweep_into(&images[from..to], targets.part(piece.clone()), seed, &mut take)?;
            self.logits[piece.start * classes..piece.end * classes].copy_from_slice(logits);
            mean += share * loss;
            if !mean.is_finite() {
                return Ok((mean, &self.logits[..n * classes]));
            }
            self.stepper.gather_statistics();
        }
        self.stepper.follow(sum, lr);
        Ok((mean, &self.logits[..n * classes]))
    }
}

/// Assigns a micro-batch's share of some values' gradient, or adds it.
fn gather(cpu: &Cpu, sum: &mut Tensors, handed: &Handed<'_>, share: f32, adds: bool) {
    let Handed { node, index, first, gradient, .. } = *handed;
    let values = &mut sum.of_mut(node)[index][first..first + gradient.len()];
    map2(cpu, gradient, gradient, GradientSlot { values, adds }, |g, _| share * g);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_are_alike_and_cover_the_batch() {
        for images in 1..40 {
            for most in 1..12 {
                let all: Vec<_> = pieces(images, most).collect();
                assert_eq!(all.len(), images.div_ceil(most));
                assert_eq!((all[0].start, all[all.len() - 1].end), (0, images));
                assert!(all.windows(2).all(|w| w[0].end == w[1].start));
                let (least, largest) = (all.iter().map(Range::len).min(), all.iter().map(Range::len).max());
                assert!(largest.unwrap() <= most && largest.unwrap() - least.unwrap() <= 1, "{images} by {most}");
            }
        }
    }
}
