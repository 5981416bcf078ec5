//! The common ground of a comparison: the same pictures at the same size for every method, in memory; the same training images
//! for each size of a learning curve, a smaller one being part of every larger one; the same test images.

use crate::commands::data_args::list;
use crate::pipeline_model::{Images, read_all};
use crate::progress::remark;
use anyhow::Result;
use std::sync::Arc;
use striate_classic::Size;
use striate_data::{DataSet, Limits, MemoryImages, Picture, Sample, Source, Split, Typical};
use striate_kernels::hash;

/// What all methods learn from and are tested on.
pub struct Ground {
    /// The data set that it was read from.
    pub data: DataSet,
    /// The pictures' size.
    pub size: Size,
    /// Training images, class by class in the order in which they are taken.
    train: Vec<Vec<Sample>>,
    /// Test images.
    pub test: Arc<Split>,
    /// Where the test images are from: test or validation.
    pub part: &'static str,
    /// Images that could not be read.
    pub unreadable: usize,
}

/// How many images are read.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// The most training images of a class.
    pub per_class: usize,
    /// The most test images.
    pub tested: usize,
}

/// A size of the learning curves.
pub struct Subset {
    /// Images of each class, where it has so many.
    pub per_class: usize,
    /// The images, class by class.
    pub split: Arc<Split>,
    /// Their classes.
    pub labels: Vec<u32>,
}

/// The places of a part's images in an order drawn by lot.
fn drawn(split: &Split, seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..split.len()).collect();
    places.sort_by_key(|&i| (hash(seed, i as u64), i));
    places
}

/// Pictures of one size in memory, as samples.
fn in_memory(name: &str, size: Size, images: Images) -> Vec<Sample> {
    let (width, height, channels) = (size.width as u32, size.height as u32, size.channels as u8);
    let pixels = images.pictures.iter().map(|p| p.pixels.as_slice()).collect::<Vec<&[u8]>>().concat();
    let images_in_memory = Arc::new(MemoryImages { name: name.to_owned(), width, height, channels, pixels });
    let sample = |(i, label)| Sample::new(Source::Memory(images_in_memory.clone(), i), label);
    images.labels.into_iter().enumerate().map(sample).collect()
}

impl Ground {
    /// Reads what a comparison takes. What is held out is tested on: the test part where there is one (validation images are
    /// trained on then), else the validation part.
    pub fn read(
        data: DataSet,
        size: Size,
        extent: Extent,
        seed: u64,
        limits: Limits,
        workers: usize,
    ) -> Result<Ground> {
        let (mut train, held_out, part) = match &data.test {
            Some(test) => {
                let both = data.train.samples.iter().chain(&data.val.samples).cloned().collect();
                (Split { samples: both }, test.clone(), "test")
            }
            None => (Split::clone(&data.train), data.val.clone(), "validation"),
        };
        if held_out.is_empty() {
            anyhow::bail!("{} holds no images out: leave --val-share away, or make it larger", data.name);
        }
        let mut counts = vec![0_usize; data.classes.len()];
        let mut chosen = drawn(&train, seed);
        chosen.retain(|&i| {
            let count = &mut counts[train.samples[i].label as usize];
            *count += 1;
            *count <= extent.per_class
        });
        train = Split { samples: chosen.iter().map(|&i| train.samples[i].clone()).collect() };
        let tested = drawn(&held_out, seed).into_iter().take(extent.tested);
        let test = Split { samples: tested.map(|i| held_out.samples[i].clone()).collect() };
        let train = read_all(&train, size, "reading training images", limits, workers)?;
        let test = read_all(&test, size, "reading test images", limits, workers)?;
        let failed: Vec<_> = train.failed.iter().chain(&test.failed).cloned().collect();
        if !failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are left out:", failed.len()));
            list(&failed);
        }
        let mut by_class = vec![Vec::new(); data.classes.len()];
        for sample in in_memory("training image ", size, train) {
            by_class[sample.label as usize].push(sample);
        }
        let test = Arc::new(Split { samples: in_memory("test image ", size, test) });
        Ok(Ground { data, size, train: by_class, test, part, unreadable: failed.len() })
    }

    /// Sizes of the learning curves, in images of each class: 10, 30, 100, … and all.
    pub fn sizes(&self) -> Vec<usize> {
        let all = self.train.iter().map(Vec::len).max().unwrap_or(0);
        let steps = (1..).flat_map(|decade| [10_usize.pow(decade), 3 * 10_usize.pow(decade)]);
        // A step of less than a third tells nothing new.
        steps.take_while(|&n| 4 * n <= 3 * all).chain([all]).collect()
    }

    /// The training images of a size.
    pub fn subset(&self, per_class: usize) -> Subset {
        let samples: Vec<Sample> = self.train.iter().flat_map(|class| class.iter().take(per_class)).cloned().collect();
        let labels = samples.iter().map(|s| s.label).collect();
        Subset { per_class, split: Arc::new(Split { samples }), labels }
    }

    /// The fewest training images of a class.
    pub fn fewest(&self) -> usize {
        self.train.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// A data set of these training images alone, as the recipe for networks wants it.
    pub fn data_of(&self, subset: &Subset) -> DataSet {
        let typical = Typical {
            width: self.size.width as u32,
            height: self.size.height as u32,
            channels: self.size.channels as u8,
        };
        let none = Arc::new(Split::default());
        DataSet { train: subset.split.clone(), val: none, val_drawn: false, test: None, typical, ..self.data.clone() }
    }

    /// The first test images, each changed.
    pub fn changed(&self, count: usize, change: impl Fn(&Picture, usize) -> Picture) -> Result<Arc<Split>> {
        let samples = &self.test.samples[..count.min(self.test.len())];
        let mut images = Images::default();
        for (i, sample) in samples.iter().enumerate() {
            images.pictures.push(change(&sample.read(&Limits::default())?, i));
            images.labels.push(sample.label);
        }
        Ok(Arc::new(Split { samples: in_memory("changed image ", self.size, images) }))
    }
}
