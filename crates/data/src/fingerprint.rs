//! What data a result was reached on, as a hash: SHA-256 over paths, sizes and classes, or over pixels and labels.
//!
//! A folder's hash covers every image file found (its part, path within the folder, size in bytes, class) in sorted
//! order; it depends neither on where the folder lies nor on the seed, nor on how thoroughly files were checked.

use crate::data_set::Part;
use crate::memory::Labelled;
use sha2::{Digest, Sha256};

pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// One image file; `path` is relative to the data set's folder, with `/` between names.
    pub(crate) fn add_file(&mut self, part: Part, path: &str, bytes: u64, class: &str) {
        self.text(part.name());
        self.text(path);
        self.0.update(bytes.to_le_bytes());
        self.text(class);
    }

    /// Images held in memory with their labels.
    pub(crate) fn add_part(&mut self, part: Part, labelled: &Labelled, classes: &[String]) {
        let images = &labelled.images;
        self.text(part.name());
        for class in classes {
            self.text(class);
        }
        for number in [images.width, images.height, u32::from(images.channels)].iter().chain(&labelled.labels) {
            self.0.update(number.to_le_bytes());
        }
        self.0.update(&images.pixels);
    }

    /// The hash in hexadecimal.
    pub(crate) fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }

    /// A text behind its length, so that two texts cannot run together.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}
