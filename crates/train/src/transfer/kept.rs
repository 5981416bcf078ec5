//! Features that are computed once and kept: where the frozen part stays as it is and images are not changed by lot, an epoch
//! gives the same features as the one before.

use super::Backbone;
use crate::TrainError;
use std::sync::Arc;
use striate_data::{Batch, LeftOut, Loader, LoaderOptions, Preprocessing, Split};

/// The features of a part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// One image's behind another's; zeros for those that could not be read.
    features: Vec<f32>,
    /// Values of one image's.
    len: usize,
    labels: Vec<u32>,
    /// Whether an image could be read.
    read: Vec<bool>,
}

impl Kept {
    /// Bytes of the features of so many images.
    pub fn bytes(images: usize, len: usize) -> usize {
        images.saturating_mul(len).saturating_mul(4)
    }

    /// Computes the features of a part, and says which images could not be read. `hear` is told how many images are done;
    /// where it returns false the work ends, and nothing is returned.
    ///
    /// # Errors
    /// If the images are not the network's.
    pub fn compute(
        backbone: &mut Backbone,
        split: &Arc<Split>,
        preprocessing: &Preprocessing,
        options: &LoaderOptions,
        mut hear: impl FnMut(usize) -> bool,
    ) -> Result<Option<(Kept, Vec<LeftOut>)>, TrainError> {
        let len = backbone.graph().output().shape.len();
        let mut kept = Kept {
            features: vec![0.0; split.len() * len],
            len,
            labels: split.samples.iter().map(|s| s.label).collect(),
            read: vec![false; split.len()],
        };
        let options = LoaderOptions { shuffle: false, augment: None, ..options.clone() };
        let (mut loader, mut failed, mut done) =
            (Loader::new(split.clone(), preprocessing.clone(), options), vec![], 0);
        while let Some(mut batch) = loader.next() {
            failed.append(&mut batch.failed);
            done += batch.len();
            let features = backbone.features(&batch.images, batch.len(), false)?;
            for (&index, features) in batch.indices.iter().zip(features.chunks_exact(len)) {
                kept.features[index * len..(index + 1) * len].copy_from_slice(features);
                kept.read[index] = true;
            }
            loader.recycle(batch);
            if !hear(done) {
                return Ok(None);
            }
        }
        Ok(Some((kept, failed)))
    }

    /// The features of the image at a place; `None` if it could not be read.
    pub fn of(&self, index: usize) -> Option<&[f32]> {
        self.read.get(index)?.then(|| &self.features[index * self.len..(index + 1) * self.len])
    }

    /// An image's class.
    pub fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    /// How many images there are, those included that could not be read.
    pub fn images(&self) -> usize {
        self.labels.len()
    }
}

/// An epoch's batches of kept features, in the order in which the loader would bring the images.
pub struct KeptBatches {
    kept: Arc<Kept>,
    order: Vec<usize>,
    batch: usize,
    next: usize,
    batches: usize,
    spare: Option<Batch>,
}

impl KeptBatches {
    /// Batches as the options have them; these change no images.
    pub fn new(kept: Arc<Kept>, split: &Split, options: &LoaderOptions) -> KeptBatches {
        let order = options.order(split);
        let (next, batches) = (options.first_batch, options.batches(order.len()));
        KeptBatches { kept, order, batch: options.batch.max(1), next, batches, spare: None }
    }
}

impl Iterator for KeptBatches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next >= self.batches {
            return None;
        }
        let mut batch = self.spare.take().unwrap_or_default();
        batch.images.clear();
        batch.labels.clear();
        batch.indices.clear();
        batch.number = self.next;
        let from = self.next * self.batch;
        for draw in &self.order[from..(from + self.batch).min(self.order.len())] {
            let index = draw % self.kept.images();
            if let Some(features) = self.kept.of(index) {
                batch.images.extend_from_slice(features);
                batch.labels.push(self.kept.label(index));
                batch.indices.push(index);
            }
        }
        self.next += 1;
        Some(batch)
    }
}

/// Where an epoch's batches come from.
pub enum Feed {
    /// Decoded pictures.
    Pictures(Loader),
    /// Features that were kept.
    Kept(KeptBatches),
}

impl Feed {
    /// Batches of a part: of kept features, if there are any.
    pub fn new(
        kept: Option<&Arc<Kept>>,
        split: &Arc<Split>,
        preprocessing: &Preprocessing,
        options: LoaderOptions,
    ) -> Feed {
        match kept {
            Some(kept) => Feed::Kept(KeptBatches::new(kept.clone(), split, &options)),
            None => Feed::Pictures(Loader::new(split.clone(), preprocessing.clone(), options)),
        }
    }

    /// Whether its batches are features already.
    pub fn is_kept(&self) -> bool {
        matches!(self, Feed::Kept(_))
    }

    /// Takes a used batch back, so that the next one is made in its memory.
    pub fn recycle(&mut self, batch: Batch) {
        match self {
            Feed::Pictures(loader) => loader.recycle(batch),
            Feed::Kept(kept) => kept.spare = Some(batch),
        }
    }
}

impl Iterator for Feed {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        match self {
            Feed::Pictures(loader) => loader.next(),
            Feed::Kept(kept) => kept.next(),
        }
    }
}
