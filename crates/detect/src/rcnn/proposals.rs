//! The proposals of a part's pictures, made once.

use super::Watch;
use super::stages::Stage;
use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use crate::propose::{ProposeOptions, propose};
use crate::sets::Part;
use serde_json::json;
use striate_data::{Limits, read};
use striate_kernels::Cpu;
use striate_weights::{StateFile, TensorRef};

/// Proposes boxes for each picture, and writes them. They are rounded to 32 bits, as they are kept.
pub(super) fn make(
    stage: &Stage,
    part: &Part,
    options: &ProposeOptions,
    limits: Limits,
    cpu: &Cpu,
    watch: &dyn Watch,
) -> Result<Vec<Vec<BoundingBox>>, DetectError> {
    let (mut counts, mut values) = (Vec::new(), Vec::new());
    watch.start("proposing", part.pictures.len() as u64);
    for annotated in &part.pictures {
        if watch.stops() {
            watch.finish();
            return Err(DetectError::Stopped);
        }
        let picture =
            read(&annotated.path, &limits).map_err(|e| DetectError::format(&annotated.path, e.to_string()))?;
        let found = propose(&picture, options, cpu)?;
        counts.push(found.len());
        values.extend(found.iter().flat_map(|p| {
            let BoundingBox { x, y, width, height } = p.bounds;
            [x as f32, y as f32, width as f32, height as f32]
        }));
        watch.advance(1);
    }
    watch.finish();
    let shape = [values.len() / 4, 4];
    stage.write(&json!(counts), &[TensorRef { name: "boxes", shape: &shape, values: &values }])?;
    Ok(apart(&counts, &values))
}

/// Takes them from what was written.
pub(super) fn restore(
    stage: &Stage,
    mut file: StateFile,
    pictures: usize,
) -> Result<Vec<Vec<BoundingBox>>, DetectError> {
    let counts = file.description["details"].as_array();
    let counts: Option<Vec<usize>> =
        counts.and_then(|counts| counts.iter().map(|n| n.as_u64().map(|n| n as usize)).collect());
    match (counts, file.tensors.remove("boxes")) {
        (Some(counts), Some(boxes))
            if counts.len() == pictures && 4 * counts.iter().sum::<usize>() == boxes.values.len() =>
        {
            Ok(apart(&counts, &boxes.values))
        }
        _ => Err(stage.wrong("holds no proposals of these pictures")),
    }
}

fn apart(counts: &[usize], values: &[f32]) -> Vec<Vec<BoundingBox>> {
    let mut boxes = values.chunks_exact(4).map(|b| {
        let [x, y, width, height] = [b[0], b[1], b[2], b[3]].map(f64::from);
        BoundingBox::new(x, y, width, height)
    });
    counts.iter().map(|&n| boxes.by_ref().take(n).collect()).collect()
}
