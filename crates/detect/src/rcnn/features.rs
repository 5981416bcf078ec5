//! Features of all regions, a file a picture, so that machines and regressors can be trained again and again.

use super::extract::Extractor;
use super::gallery::Gallery;
use super::regions::Regions;
use super::stages::{Stage, digest};
use crate::error::DetectError;
use serde_json::json;
use std::path::{Path, PathBuf};
use striate_weights::TensorRef;

/// The features of a part's pictures on disk.
pub(super) struct Features {
    folder: PathBuf,
    key: String,
    /// The IoU from which a region's pooled activations are kept too.
    overlap: f64,
}

/// Those of one picture.
#[derive(Debug, Default, PartialEq)]
pub(super) struct OfPicture {
    /// Values of a region.
    pub(super) columns: usize,
    /// (regions, columns).
    pub(super) features: Vec<f32>,
    /// The regions whose pooled activations are kept.
    pub(super) near: Vec<usize>,
    /// (those, columns of their own).
    pub(super) pooled: Vec<f32>,
}

impl OfPicture {
    /// A region's features.
    pub(super) fn row(&self, region: usize) -> &[f32] {
        &self.features[region * self.columns..(region + 1) * self.columns]
    }
}

impl Features {
    pub(super) fn new(folder: &Path, key: String, overlap: f64) -> Self {
        let folder = folder.join(format!("features-{:016x}", digest(&key)));
        Self { folder, key, overlap }
    }

    fn stage(&self, image: usize) -> Stage {
        Stage::new(&self.folder, &format!("{image:06}"), format!("{} picture {image}", self.key))
    }

    /// Whether a picture's are there.
    pub(super) fn has(&self, image: usize) -> bool {
        self.stage(image).is_done()
    }

    /// Reads a picture's regions with the network, and writes what it says.
    pub(super) fn extract(
        &self,
        image: usize,
        regions: &Regions,
        gallery: &Gallery<'_>,
        extractor: &mut Extractor<'_>,
    ) -> Result<(), DetectError> {
        let mut found = OfPicture { columns: extractor.lengths().0, ..OfPicture::default() };
        if !regions.boxes.is_empty() {
            let picture = gallery.picture(image)?;
            extractor.read(&picture, &regions.boxes, |reading| {
                found.features.extend_from_slice(reading.features);
                if regions.class(reading.region, self.overlap).is_some() {
                    found.near.push(reading.region);
                    found.pooled.extend_from_slice(reading.pooled);
                }
            })?;
        }
        let (rows, near) = (regions.boxes.len(), found.near.len());
        let pooled = extractor.lengths().1;
        let details = json!({ "near": found.near });
        self.stage(image).write(
            &details,
            &[
                TensorRef { name: "features", shape: &[rows, found.columns], values: &found.features },
                TensorRef { name: "pooled", shape: &[near, pooled], values: &found.pooled },
            ],
        )
    }

    /// A picture's.
    pub(super) fn of(&self, image: usize) -> Result<OfPicture, DetectError> {
        let stage = self.stage(image);
        let mut file = stage.read()?.ok_or_else(|| stage.wrong("was there and is gone"))?;
        let near: Option<Vec<usize>> = file.description["details"]["near"]
            .as_array()
            .and_then(|near| near.iter().map(|n| n.as_u64().map(|n| n as usize)).collect());
        let (features, pooled) = (file.tensors.remove("features"), file.tensors.remove("pooled"));
        match (features, pooled, near) {
            (Some(features), Some(pooled), Some(near)) => {
                let columns = features.shape.get(1).copied().unwrap_or(0);
                Ok(OfPicture { columns, features: features.values, near, pooled: pooled.values })
            }
            _ => Err(stage.wrong("holds no features")),
        }
    }
}
