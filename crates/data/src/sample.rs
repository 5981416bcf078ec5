//! One labelled image of a data set, and where its pixels are: in a file or a part of one, in memory, in a box.

use crate::decode::{self, DecodeError, Limits};
use crate::parquet::Images;
use crate::picture::Picture;
use crate::region::Cut;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
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

/// An image file inside a tar archive, read from its place there.
#[derive(Clone, Debug)]
pub struct TarEntry {
    /// The archive.
    pub archive: Arc<Path>,
    /// The path inside the archive.
    pub path: Box<str>,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

impl TarEntry {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.archive)?;
        // An archive that has changed since it was listed may have become shorter.
        if self.offset.checked_add(self.length).is_none_or(|end| file.metadata().map_or(true, |m| end > m.len())) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive has become shorter"));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(self.length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Where an image's pixels are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// In an image file.
    File(PathBuf),
    /// In memory, at an index.
    Memory(Arc<MemoryImages>, usize),
    /// In an image file inside a tar archive.
    Tar(TarEntry),
    /// In an image file that stands in a row of a Parquet file.
    Parquet(Arc<Images>, u64),
    /// In a box of a picture.
    Cut(Cut),
}

impl Source {
    /// A name for messages: the file's path, or `digits[17]`.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory(images, index) => format!("{}[{index}]", images.name),
            Self::Tar(entry) => format!("{}[{}]", entry.archive.display(), entry.path),
            Self::Parquet(images, row) => format!("{}[{row}]", images.path().display()),
            Self::Cut(cut) => cut.name(),
        }
    }

    /// The bytes of the image file (for a box, of the file that it is cut from), or `None` for pixels in memory.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn encoded(&self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::File(path) => std::fs::read(path).map(Some),
            Self::Memory(..) => Ok(None),
            Self::Tar(entry) => entry.bytes().map(Some),
            Self::Parquet(images, row) => images.bytes(*row).map(Some),
            Self::Cut(cut) => cut.picture.source.encoded(),
        }
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// See [`DecodeError`]; the message reads on from [`Source::name`].
    pub fn read(&self, limits: &Limits) -> Result<Picture, DecodeError> {
        match self {
            Self::Memory(images, index) => images.get(*index).ok_or(DecodeError::Empty),
            Self::Cut(cut) => cut.cut(&cut.picture.source.read(limits)?),
            _ => decode::decode(&self.encoded()?.unwrap_or_default(), limits),
        }
    }
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
        self.source.name()
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// See [`DecodeError`]; the message reads on from [`Sample::name`].
    pub fn read(&self, limits: &Limits) -> Result<Picture, DecodeError> {
        self.source.read(limits)
    }
}
