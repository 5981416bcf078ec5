//! Detections as COCO's results: a JSON list of `{"image_id", "category_id", "bbox": [x, y, width, height], "score"}`.
//!
//! Numbers are those of the data set (see `AnnotatedPicture::number` and `BoxSet::class_numbers`). Reading also takes a
//! picture's name for `image_id` and a class's name for `category_id`, which VOC and YOLO have instead of numbers.

use super::{BoxSet, Part};
use crate::bounding_box::BoundingBox;
use crate::detection::Detection;
use crate::error::DetectError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;

#[derive(Deserialize)]
struct Entry {
    image_id: Value,
    category_id: Value,
    bbox: [f64; 4],
    score: f64,
}

/// Reads the detections of a part's pictures.
///
/// # Errors
/// If the file is not such a list, or an entry is of a picture or a class that there is not, has no finite score, or a box
/// of a negative size; the message has the entry's place.
pub fn read_results(path: &Path, set: &BoxSet, part: &Part) -> Result<Vec<Detection>, DetectError> {
    let stream = std::fs::File::open(path).map_err(DetectError::io(path, "reading"))?;
    let entries: Vec<Entry> = serde_json::from_reader(BufReader::with_capacity(1 << 16, stream)).map_err(|e| {
        let expected = "a list of {\"image_id\", \"category_id\", \"bbox\": [x, y, width, height], \"score\"}";
        DetectError::format(path, format!("is not {expected}: {e}"))
    })?;
    let images = part.pictures.iter().enumerate();
    let numbers: HashMap<i64, usize> = images.clone().map(|(i, picture)| (picture.number, i)).collect();
    let names: HashMap<&str, usize> = images.map(|(i, picture)| (picture.id.as_str(), i)).collect();
    let mut detections = Vec::with_capacity(entries.len());
    for (place, Entry { image_id, category_id, bbox: [x, y, w, h], score }) in entries.into_iter().enumerate() {
        let wrong = |what: &str| DetectError::format(path, format!("entry {place} (from 0) {what}"));
        let image = match &image_id {
            Value::String(name) => names.get(name.as_str()),
            other => other.as_i64().and_then(|number| numbers.get(&number)),
        };
        let Some(&image) = image else {
            return Err(wrong(&format!("is of image {image_id}, which part {} does not have", part.name)));
        };
        let class = match &category_id {
            Value::String(name) => set.classes.iter().position(|class| class == name),
            other => other.as_i64().and_then(|number| set.class_numbers.iter().position(|n| *n == number)),
        };
        let Some(class) = class else {
            let known: Vec<String> =
                set.class_numbers.iter().zip(&set.classes).take(20).map(|(n, name)| format!("{n} {name}")).collect();
            return Err(wrong(&format!("is of class {category_id}; there are {}", known.join(", "))));
        };
        let bounds = BoundingBox::new(x, y, w, h);
        if !score.is_finite() || !bounds.is_finite() || w < 0.0 || h < 0.0 {
            return Err(wrong(&format!("has the box {bounds} and the score {score}, which cannot be meant")));
        }
        detections.push(Detection { image, class, bounds, score });
    }
    Ok(detections)
}

/// Writes the detections of a part's pictures; in the order given.
///
/// # Errors
/// If the file cannot be written.
pub fn write_results(path: &Path, set: &BoxSet, part: &Part, detections: &[Detection]) -> Result<(), DetectError> {
    let entry = |d: &Detection| {
        let BoundingBox { x, y, width, height } = d.bounds;
        let (image, class) = (part.pictures[d.image].number, set.class_numbers[d.class]);
        json!({ "image_id": image, "category_id": class, "bbox": [x, y, width, height], "score": d.score })
    };
    let all: Vec<Value> = detections.iter().map(entry).collect();
    super::write::write_whole(path, Value::Array(all).to_string().as_bytes())
}
