//! Writing a model file from tensors where they lie: one after another through a small buffer, so that writing takes no
//! memory of the model's size. The bytes are those that the safetensors library writes: tensors by name, the header padded
//! to eight bytes with spaces.

use crate::model_file::{KEY, VERSION};
use crate::{WeightsError, write_atomic};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use striate_graph::Graph;

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a> {
    /// The full name.
    pub name: &'a str,
    /// The shape, PyTorch's.
    pub shape: &'a [usize],
    /// The values, the last side innermost.
    pub values: &'a [f32],
}

/// Writes a model file of a network, the details that belong to it, and its tensors; whole or not at all.
///
/// # Errors
/// If it cannot be written, or a tensor has not as many values as its shape says.
pub fn write_model<'a>(
    path: &Path,
    graph: &Graph,
    details: &Map<String, Value>,
    tensors: impl IntoIterator<Item = TensorRef<'a>>,
) -> Result<(), WeightsError> {
    let content = |why: String| WeightsError::Content { path: path.to_path_buf(), why };
    let network: Value = serde_json::from_str(&graph.to_json()).map_err(|e| content(e.to_string()))?;
    let document = serde_json::json!({"version": VERSION, "network": network, "details": details});
    write_tensors(path, KEY, &document, tensors.into_iter().collect())
}

/// Writes tensors with one entry of metadata; whole or not at all.
pub(crate) fn write_tensors(
    path: &Path,
    key: &str,
    document: &Value,
    mut tensors: Vec<TensorRef<'_>>,
) -> Result<(), WeightsError> {
    let content = |why: String| WeightsError::Content { path: path.to_path_buf(), why };
    tensors.sort_by_key(|t| t.name);
    let mut end = 0;
    let info = |t: &TensorRef<'_>| {
        let start = end;
        end += 4 * t.values.len();
        (t.name.to_owned(), TensorInfo { dtype: Dtype::F32, shape: t.shape.to_vec(), data_offsets: (start, end) })
    };
    let infos: Vec<_> = tensors.iter().map(info).collect();
    let entry = HashMap::from([(key.to_owned(), document.to_string())]);
    let metadata = Metadata::new(Some(entry), infos).map_err(|e| content(e.to_string()))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| content(e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomic(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors.iter().try_for_each(|t| write_floats(out, t.values))
    })
}

pub(crate) fn write_floats(out: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    const FLOATS: usize = 4096;
    let mut bytes = [0; 4 * FLOATS];
    for values in values.chunks(FLOATS) {
        for (bytes, value) in bytes.chunks_exact_mut(4).zip(values) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        out.write_all(&bytes[..4 * values.len()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use striate_graph::layers::Linear;
    use striate_graph::{Builder, Shape};

    #[test]
    fn the_bytes_are_the_librarys() {
        let mut g = Builder::new("wide");
        let x = g.input(Shape::vector(90));
        let x = g.add("fc", Linear::new(70), x);
        let graph = g.finish(x).unwrap();
        let values: Vec<f32> = (0..70 * 90).map(|i| i as f32 / 7.0).collect();
        let (weight, bias) = ([70, 90], [70]);
        let tensors = [
            TensorRef { name: "fc.weight", shape: &weight, values: &values },
            TensorRef { name: "fc.bias", shape: &bias, values: &values[..70] },
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let details = Map::from_iter([("classes".into(), serde_json::json!(["a"]))]);
        write_model(&path, &graph, &details, tensors).unwrap();
        let written = std::fs::read(path).unwrap();

        let network: Value = serde_json::from_str(&graph.to_json()).unwrap();
        let document = serde_json::json!({"version": VERSION, "network": network, "details": details});
        let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        let (w, b) = (bytes(&values), bytes(&values[..70]));
        let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
        let views = [("fc.weight", view(&weight, &w)), ("fc.bias", view(&bias, &b))];
        let entry = HashMap::from([(KEY.to_owned(), document.to_string())]);
        assert!(safetensors::serialize(views, Some(entry)).unwrap() == written);
    }

    #[test]
    fn a_tensor_that_is_not_its_shape_is_refused() {
        let mut g = Builder::new("n");
        let x = g.input(Shape::vector(1));
        let graph = g.finish(x).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let short = [TensorRef { name: "w", shape: &[3], values: &[0.0; 2] }];
        assert!(write_model(&path, &graph, &Map::new(), short).is_err());
        assert!(!path.exists());
    }
}
