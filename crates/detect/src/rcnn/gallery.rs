//! The pictures of a part, in the network's channels: all kept once they were read if that is no more than a gigabyte, else read
//! each time that they are needed.

use super::windows::Windows;
use crate::error::DetectError;
use crate::sets::Part;
use std::sync::{Arc, OnceLock};
use striate_data::{Limits, Picture, read};

/// Bytes of pictures that are kept.
const MOST: u64 = 1 << 30;

pub(super) struct Gallery<'a> {
    part: &'a Part,
    windows: &'a Windows,
    limits: Limits,
    /// One a picture, or none.
    kept: Vec<OnceLock<Arc<Picture>>>,
}

impl<'a> Gallery<'a> {
    pub(super) fn new(part: &'a Part, windows: &'a Windows, limits: Limits) -> Self {
        let bytes: u64 = part.pictures.iter().map(|p| 3 * u64::from(p.width) * u64::from(p.height)).sum();
        let kept = if bytes <= MOST { part.pictures.len() } else { 0 };
        Self { part, windows, limits, kept: (0..kept).map(|_| OnceLock::new()).collect() }
    }

    /// A picture by its place in the part.
    pub(super) fn picture(&self, image: usize) -> Result<Arc<Picture>, DetectError> {
        if let Some(picture) = self.kept.get(image).and_then(OnceLock::get) {
            return Ok(picture.clone());
        }
        let path = &self.part.pictures[image].path;
        let picture = read(path, &self.limits).map_err(|e| DetectError::format(path, e.to_string()))?;
        let picture = Arc::new(self.windows.prepare(&picture));
        Ok(match self.kept.get(image) {
            // Another thread may have been faster.
            Some(slot) => slot.get_or_init(|| picture).clone(),
            None => picture,
        })
    }
}
