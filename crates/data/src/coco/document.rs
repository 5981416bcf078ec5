//! What is needed of a file of COCO's annotations; outlines and the like are passed over while reading.

use crate::bytes;
use crate::error::DataError;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;

/// A file of annotations.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) images: Vec<Image>,
    pub(super) annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

/// A picture.
#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) id: i64,
    pub(super) file_name: String,
    #[serde(default)]
    pub(super) width: Option<u32>,
    #[serde(default)]
    pub(super) height: Option<u32>,
}

/// A box.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub(super) id: Option<i64>,
    pub(super) image_id: i64,
    pub(super) category_id: i64,
    #[serde(default)]
    pub(super) bbox: Option<[f64; 4]>,
    /// 0 or 1, as a number.
    #[serde(default)]
    pub(super) iscrowd: u8,
}

#[derive(Debug, Deserialize)]
struct Category {
    id: i64,
    name: String,
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let stream = BufReader::with_capacity(1 << 16, bytes::open(path)?.stream);
        serde_json::from_reader(stream)
            .map_err(|error| wrong(path, &format!("is not as COCO's annotations are: {error}")))
    }

    /// The classes in the order of their ids.
    pub(super) fn class_names(&self, path: &Path) -> Result<Vec<String>, DataError> {
        let mut categories: Vec<&Category> = self.categories.iter().collect();
        categories.sort_by_key(|category| category.id);
        let names: Vec<String> = categories.iter().map(|category| category.name.clone()).collect();
        match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            Some((_, name)) => Err(wrong(path, &format!("has two categories called '{name}'"))),
            None => Ok(names),
        }
    }

    /// Each category's name.
    pub(super) fn categories_by_id(&self, path: &Path) -> Result<HashMap<i64, String>, DataError> {
        let mut names = HashMap::new();
        for Category { id, name } in &self.categories {
            if names.insert(*id, name.clone()).is_some() {
                return Err(wrong(path, &format!("has two categories with the id {id}")));
            }
        }
        Ok(names)
    }
}

fn wrong(path: &Path, problem: &str) -> DataError {
    DataError::Format { file: path.display().to_string(), problem: problem.to_owned() }
}
