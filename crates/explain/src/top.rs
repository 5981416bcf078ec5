//! The strongest activations of every channel of some layers over a data set, in one pass (Zeiler and Fergus 2013,
//! arXiv:1311.2901, figure 2: the top nine, one an image). Memory does not grow with the images.

use crate::project::Field;
use crate::subject::Predictor;
use crate::{ExplainError, Subject};
use serde::Serialize;
use striate_graph::NodeId;

/// One strong activation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Strong {
    /// The image, as it was numbered.
    pub image: usize,
    /// The unit's row and column.
    pub cell: [usize; 2],
    /// The activation.
    pub value: f32,
}

/// What is known of some layers after the images so far.
pub struct Top<'a> {
    subject: &'a Subject,
    predictor: Predictor<'a>,
    layers: Vec<NodeId>,
    keep: usize,
    /// For each layer, for each channel, the strongest first.
    found: Vec<Vec<Vec<Strong>>>,
    /// For each layer, images in which each channel was above zero anywhere.
    active: Vec<Vec<usize>>,
    images: usize,
    peaks: Vec<f32>,
    cells: Vec<u32>,
}

impl<'a> Top<'a> {
    /// Plans for batches of up to `batch` images, keeping `keep` activations of each channel.
    ///
    /// # Errors
    /// If nothing is to be kept, the batch is 0, or the memory cannot be had.
    pub fn new(subject: &'a Subject, layers: &[NodeId], keep: usize, batch: usize) -> Result<Top<'a>, ExplainError> {
        if keep == 0 {
            return Err(ExplainError::Setting("keep one activation of each channel or more, not 0".into()));
        }
        let channels = |id: &NodeId| subject.graph.node(*id).shape.c;
        Ok(Top {
            subject,
            predictor: Predictor::new(subject, batch, layers)?,
            layers: layers.to_vec(),
            keep,
            found: layers.iter().map(|id| vec![Vec::new(); channels(id)]).collect(),
            active: layers.iter().map(|id| vec![0; channels(id)]).collect(),
            images: 0,
            peaks: Vec::new(),
            cells: Vec::new(),
        })
    }

    /// Takes images with their numbers in.
    ///
    /// # Errors
    /// If they are no inputs of this network.
    pub fn add(&mut self, images: &[f32], numbers: &[usize]) -> Result<(), ExplainError> {
        let Top { subject, predictor, layers, keep, found, active, peaks, cells, .. } = self;
        predictor.run(images, &mut |first, n, _, maps| {
            for (at, map) in maps.iter().enumerate() {
                let shape = subject.graph.node(layers[at]).shape;
                peaks.resize(n * shape.c, 0.0);
                cells.resize(n * shape.c, 0);
                subject.cpu.chunks2(peaks, shape.c, cells, shape.c, |image, peaks, cells| {
                    peak(&map[image * shape.len()..(image + 1) * shape.len()], peaks, cells);
                });
                for (i, (&value, &cell)) in peaks.iter().zip(cells.iter()).enumerate() {
                    let (image, channel) = (numbers[first + i / shape.c], i % shape.c);
                    let cell = [cell as usize / shape.w, cell as usize % shape.w];
                    active[at][channel] += usize::from(value > 0.0);
                    insert(&mut found[at][channel], *keep, Strong { image, cell, value });
                }
            }
        })?;
        self.images += numbers.len();
        Ok(())
    }

    /// The strongest activations of a channel of the layer that is the `layer`-th of those asked for, in order.
    pub fn of(&self, layer: usize, channel: usize) -> &[Strong] {
        &self.found[layer][channel]
    }

    /// The share of images in which each channel of a layer was above zero anywhere.
    pub fn active(&self, layer: usize) -> Vec<f64> {
        self.active[layer].iter().map(|n| *n as f64 / self.images.max(1) as f64).collect()
    }

    /// The channels of a layer whose strongest activations are largest, in order.
    pub fn strongest_channels(&self, layer: usize, count: usize) -> Vec<usize> {
        let peak = |channel: usize| self.found[layer][channel].first().map_or(f32::NEG_INFINITY, |s| s.value);
        let mut channels: Vec<usize> = (0..self.found[layer].len()).collect();
        channels.sort_by(|&a, &b| peak(b).total_cmp(&peak(a)).then(a.cmp(&b)));
        channels.truncate(count);
        channels
    }

    /// What the unit of an activation sees of its image's input.
    pub fn field(&self, layer: usize, strong: &Strong) -> Field {
        Field::of(self.subject, self.layers[layer], strong.cell)
    }

    /// Images so far.
    pub fn images(&self) -> usize {
        self.images
    }
}

/// Each channel's largest value and its cell; the first of equal ones. Branch-free, so that it is vectorised.
fn peak(map: &[f32], peaks: &mut [f32], cells: &mut [u32]) {
    peaks.fill(f32::NEG_INFINITY);
    cells.fill(0);
    for (cell, values) in map.chunks_exact(peaks.len()).enumerate() {
        let all = peaks.iter_mut().zip(cells.iter_mut()).zip(values);
        for ((peak, at), value) in all {
            let larger = *value > *peak;
            *at = if larger { cell as u32 } else { *at };
            *peak = if larger { *value } else { *peak };
        }
    }
}

/// Puts an activation among the strongest; of equal ones the earlier stays first.
fn insert(strongest: &mut Vec<Strong>, keep: usize, new: Strong) {
    if strongest.len() == keep && strongest.last().is_some_and(|last| new.value <= last.value) {
        return;
    }
    let at = strongest.partition_point(|s| s.value >= new.value);
    strongest.insert(at, new);
    strongest.truncate(keep);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::kinked;
    use crate::project::strongest;
    use striate_kernels::uniform;

    #[test]
    fn it_is_what_sorting_all_gives() {
        let subject = kinked();
        let len = subject.preprocessing.len();
        let images: Vec<f32> = (0..23 * len).map(|i| 4.0 * uniform(3, i as u64) - 2.0).collect();
        let layers: Vec<NodeId> = ["pool1", "relu2"].map(|name| subject.graph.find(name).unwrap()).into();
        let mut top = Top::new(&subject, &layers, 9, 4).unwrap();
        // In two parts, numbered backward.
        let numbers: Vec<usize> = (0..23).map(|i| 100 - i).collect();
        top.add(&images[..10 * len], &numbers[..10]).unwrap();
        top.add(&images[10 * len..], &numbers[10..]).unwrap();
        let mut alone = Predictor::new(&subject, 1, &layers).unwrap();
        for (at, layer) in layers.iter().enumerate() {
            let shape = subject.graph.node(*layer).shape;
            for channel in 0..shape.c {
                let mut all = Vec::new();
                alone
                    .run(&images, &mut |first, _, _, maps| {
                        let (cell, value) = strongest(maps[at], shape, channel);
                        all.push(Strong { image: numbers[first], cell, value });
                    })
                    .unwrap();
                let active = all.iter().filter(|s| s.value > 0.0).count() as f64 / 23.0;
                all.sort_by(|a, b| b.value.total_cmp(&a.value));
                let found = top.of(at, channel);
                assert_eq!(found.len(), 9);
                for (found, expected) in found.iter().zip(&all) {
                    assert!((found.value - expected.value).abs() < 1e-5, "{found:?} {expected:?}");
                }
                assert!((top.active(at)[channel] - active).abs() < 1e-9);
            }
        }
        assert_eq!((top.images(), top.strongest_channels(1, 3).len()), (23, 3));
    }

    #[test]
    fn the_first_of_equal_ones_stays() {
        let mut all = Vec::new();
        for (image, value) in [(0, 1.0), (1, 2.0), (2, 1.0), (3, 2.0), (4, 0.5)] {
            insert(&mut all, 3, Strong { image, cell: [0, 0], value });
        }
        assert_eq!(all.iter().map(|s| s.image).collect::<Vec<_>>(), [1, 3, 0]);
    }
}
