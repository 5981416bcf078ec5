//! A Neocognitron's file: safetensors with one metadata entry, `striate-neocognitron`, a JSON object of the file's `version`, the
//! `settings`, the `classes` and the class of each plane of the last layer (`labels`). Tensors are `s1.a` (planes, planes that
//! are read, rows, columns) and `s1.b` (planes), and so on to `s4`; values are f32. Read whole; sizes are compared with the
//! network's own before anything is made of them.

use super::network::Neocognitron;
use super::s_layer::Plane;
use crate::CortexError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use striate_kernels::Cpu;

const KEY: &str = "striate-neocognitron";
const VERSION: u32 = 1;
/// The most planes of a layer that a file may have.
const MOST_PLANES: usize = 100_000;

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    settings: super::Settings,
    classes: Vec<String>,
    labels: Vec<u32>,
    /// How it was trained, and with what result.
    #[serde(default)]
    details: serde_json::Map<String, serde_json::Value>,
}

fn content(why: impl Into<String>) -> CortexError {
    CortexError::Content(why.into())
}

impl Neocognitron {
    /// The file's bytes; `details` say how it was trained and with what result.
    ///
    /// # Errors
    /// None that is known; what the format's library may say.
    pub fn to_bytes(&self, details: &serde_json::Map<String, serde_json::Value>) -> Result<Vec<u8>, CortexError> {
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (i, layer) in self.s.iter().enumerate() {
            let (planes, size) = (layer.planes.len(), layer.window.size());
            let a = layer.planes.iter().flat_map(|p| &p.a).flat_map(|v| v.to_le_bytes()).collect();
            let b = layer.planes.iter().flat_map(|p| p.b.to_le_bytes()).collect();
            tensors.push((format!("s{}.a", i + 1), vec![planes, layer.sources, size, size], a));
            tensors.push((format!("s{}.b", i + 1), vec![planes], b));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|e| content(e.to_string()))?;
        let head = Head {
            version: VERSION,
            settings: self.settings,
            classes: self.classes.clone(),
            labels: self.labels.clone(),
            details: details.clone(),
        };
        let head = serde_json::to_string(&head).map_err(|e| content(e.to_string()))?;
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), head)]))).map_err(|e| content(e.to_string()))
    }

    /// The network in a file's bytes, and the details beside it.
    ///
    /// # Errors
    /// What is wrong with them; reads on from the file's name.
    pub fn from_bytes(
        cpu: &Cpu,
        bytes: &[u8],
    ) -> Result<(Self, serde_json::Map<String, serde_json::Value>), CortexError> {
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|e| content(format!("is no safetensors file: {e}")))?;
        let head = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| {
            content(format!("has no `{KEY}` entry in its metadata, which `striate cortex neocognitron train` writes"))
        })?;
        let head: Head =
            serde_json::from_str(head).map_err(|e| content(format!("its `{KEY}` entry cannot be read: {e}")))?;
        if head.version > VERSION {
            let found = head.version;
            return Err(content(format!("has version {found}; this program reads up to version {VERSION}: update it")));
        }
        if let Some(label) = head.labels.iter().find(|l| **l as usize >= head.classes.len()) {
            return Err(content(format!("has a plane of class {label}, but only {} classes", head.classes.len())));
        }
        head.settings.check()?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| content(format!("is damaged: {e}")))?;
        let mut network = Neocognitron::new(cpu, head.settings, head.classes);
        network.labels = head.labels;
        for stage in 0..4 {
            let (sources, size) = (network.s[stage].sources, network.s[stage].window.size());
            let (b_shape, b) = floats(&tensors, &format!("s{}.b", stage + 1))?;
            let planes = b.len();
            if b_shape.len() != 1 || planes == 0 || planes > MOST_PLANES {
                return Err(content(format!(
                    "s{}.b has shape {b_shape:?}, expected 1 to {MOST_PLANES} planes",
                    stage + 1
                )));
            }
            let (shape, a) = floats(&tensors, &format!("s{}.a", stage + 1))?;
            let expected = [planes, sources, size, size];
            if shape != expected {
                return Err(content(format!("s{}.a has shape {shape:?}, expected {expected:?}", stage + 1)));
            }
            if stage == 3 && network.labels.len() != planes {
                return Err(content(format!("has {planes} planes in s4 and {} labels", network.labels.len())));
            }
            let each = a.chunks_exact(sources * size * size).zip(b);
            network.s[stage].planes = each.map(|(a, b)| Plane { a: a.to_vec(), b }).collect();
            network.connect(cpu, stage);
        }
        Ok((network, head.details))
    }
}

/// A tensor's shape and its values, which must be finite.
fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<usize>, Vec<f32>), CortexError> {
    let view = tensors.tensor(name).map_err(|_| content(format!("lacks the tensor {name}")))?;
    if view.dtype() != Dtype::F32 {
        return Err(content(format!("tensor {name} is {:?}, expected F32", view.dtype())));
    }
    let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    if values.iter().any(|v| !v.is_finite()) {
        return Err(content(format!("tensor {name} has a value that is no number")));
    }
    Ok((view.shape().to_vec(), values))
}
