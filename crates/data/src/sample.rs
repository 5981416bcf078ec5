//! One labelled image of a data set: a file, or a place in memory.

use crate::decode::{self, DecodeError, Limits};
use crate::picture::Picture;
use std::path::PathBuf;
use std::sync::Arc;

/// Images of one size, held in memory.
#[derive(Debug, PartialEq, Eq)]
pub struct MemoryImages {
    /// Where they come from, for messages: "digits", "train-images-idx3-ubyte.gz".
    pub name: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 for grey, 3 for red-green-blue.
    pub channels: u8,
    /// All images one after the other, each as in [`Picture::pixels`].
    pub pixels: Vec<u8>,
}

impl MemoryImages {
    /// Each image's pixels.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact((self.width as usize * self.height as usize * usize::from(self.channels)).max(1))
    }

    /// The image with this index, or `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<Picture> {
        let size = self.width as usize * self.height as usize * usize::from(self.channels);
        let pixels = self.pixels.get(index.checked_mul(size)?..index.checked_add(1)?.checked_mul(size)?)?;
        Some(Picture { width: self.width, height: self.height, channels: self.channels, pixels: pixels.to_vec() })
    }
}

/// Where an image's pixels are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In an image file.
    File(PathBuf),
    /// In memory, at an index.
    Memory(Arc<MemoryImages>, usize),
}

/// One labelled image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where its pixels are.
    pub source: Source,
    /// Its class, an index into the data set's classes.
    pub label: u32,
    /// What it belongs together with, if anything: images of one group stay on one side of a split.
    pub group: Option<Arc<str>>,
}

impl Sample {
    /// An image without a group.
    pub fn new(source: Source, label: u32) -> Self {
        Self { source, label, group: None }
    }

    /// A name for messages: the file's path, or `digits[17]`.
    pub fn name(&self) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Memory(images, index) => format!("{}[{index}]", images.name),
        }
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// See [`DecodeError`]; the message reads on from [`Sample::name`].
    pub fn read(&self, limits: &Limits) -> Result<Picture, DecodeError> {
        match &self.source {
            Source::File(path) => decode::read(path, limits),
            Source::Memory(images, index) => images.get(*index).ok_or(DecodeError::Empty),
        }
    }
}
