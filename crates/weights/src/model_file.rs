//! Striate's model file: safetensors with one metadata entry, `striate`, a JSON object of the file's `version`, the `network`
//! (as [`Graph::to_json`] writes it) and `details` that the trainer fills (classes, preprocessing, result, …). Tensors have the
//! names and shapes that the network's parameters have; values are f32, little-endian. The same model gives the same bytes.

use crate::header::{Header, Problem, floats};
use crate::{TensorRef, WeightsError, write_model};
use safetensors::Dtype;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use striate_graph::Graph;

pub(crate) const KEY: &str = "striate";
pub(crate) const VERSION: u64 = 1;

/// A tensor as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The shape, PyTorch's.
    pub shape: Vec<usize>,
    /// The values, the last side innermost.
    pub values: Vec<f32>,
}

/// A network with its values and whatever else belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The network.
    pub graph: Graph,
    /// A tensor for each of the network's parameters, by full name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Classes, preprocessing, how it was trained, with what result.
    pub details: Map<String, Value>,
}

impl ModelFile {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), WeightsError> {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, t)| TensorRef { name, shape: &t.shape, values: &t.values });
        write_model(path, &self.graph, &self.details, tensors)
    }

    /// Reads a file and checks that every parameter of its network is there, with its shape, and nothing else.
    ///
    /// # Errors
    /// What is wrong, with the file's name.
    pub fn read(path: &Path) -> Result<ModelFile, WeightsError> {
        let unread = |source| WeightsError::Read { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unread)?;
        let size = file.metadata().map_err(unread)?.len();
        ModelFile::parse(file, size).map_err(|problem| match problem {
            Problem::Read(source) => unread(source),
            Problem::Content(why) => WeightsError::Content { path: path.to_path_buf(), why },
        })
    }

    /// Reads a file of `size` bytes.
    fn parse(mut file: impl Read, size: u64) -> Result<ModelFile, Problem> {
        let header = Header::read(&mut file, size)?;
        let json = header.metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or(
            "is a safetensors file without a network: it has no `striate` entry in its metadata, which `striate train` writes",
        )?;
        let mut document: Map<String, Value> =
            serde_json::from_str(json).map_err(|e| format!("its `striate` entry is not JSON: {e}"))?;
        let version = document.get("version").and_then(Value::as_u64).ok_or("its `striate` entry has no version")?;
        if version > VERSION {
            return Err(format!("has version {version}; this program reads up to version {VERSION}: update it").into());
        }
        let network = document.get("network").ok_or_else(|| match document.get("pipeline") {
            Some(_) => "holds a classical pipeline, not a network, which this takes",
            None => "its `striate` entry has no network",
        })?;
        let graph = Graph::from_json(&network.to_string()).map_err(|e| e.to_string())?;
        let details = match document.remove("details") {
            Some(Value::Object(details)) => details,
            None => Map::new(),
            Some(_) => return Err("the details in its `striate` entry are not an object".into()),
        };
        let tensors = tensors(file, &header, &graph)?;
        Ok(ModelFile { graph, tensors, details })
    }
}

/// The tensors that the network asks for, in the file's order. What the network declares is compared with what the file holds
/// before anything is allocated by it.
fn tensors(mut file: impl Read, header: &Header, graph: &Graph) -> Result<BTreeMap<String, Tensor>, Problem> {
    let mut asked = BTreeMap::new();
    for (name, spec) in graph.params() {
        let info = header
            .metadata
            .info(&name)
            .ok_or_else(|| format!("lacks the tensor `{name}` of network `{}`", graph.name()))?;
        if info.shape != spec.shape || info.dtype != Dtype::F32 {
            let (found, kind) = (&info.shape, info.dtype);
            return Err(
                format!("tensor `{name}` is {kind:?} {found:?}, but the network takes F32 {:?}", spec.shape).into()
            );
        }
        asked.insert(name, spec.shape.clone());
    }
    let mut tensors = BTreeMap::new();
    for (name, len) in &header.order {
        let shape = asked
            .remove(name)
            .ok_or_else(|| format!("holds a tensor `{name}` that network `{}` does not have", graph.name()))?;
        tensors.insert(name.clone(), Tensor { shape, values: floats(&mut file, *len)? });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::tensor::TensorView;
    use std::fs;
    use striate_graph::layers::{Linear, Rbf};
    use striate_graph::{Builder, Shape};

    fn model() -> ModelFile {
        let mut g = Builder::new("small");
        let x = g.input(Shape::vector(3));
        let x = g.add("fc", Linear::new(2), x);
        // Its codes are not trained and travel all the same.
        let x = g.add("rbf", Rbf::new(2), x);
        let graph = g.finish(x).unwrap();
        let tensor = |shape: &[usize]| Tensor {
            shape: shape.to_vec(),
            values: (0..shape.iter().product()).map(|i| i as f32 / 3.0).collect(),
        };
        let shapes = [("fc.weight", [2, 3].as_slice()), ("fc.bias", &[2]), ("rbf.weight", &[2, 2])];
        let tensors = shapes.into_iter().map(|(name, shape)| (name.to_owned(), tensor(shape))).collect();
        let details = Map::from_iter([("classes".into(), serde_json::json!(["cat", "hot dog"]))]);
        ModelFile { graph, tensors, details }
    }

    fn parse(bytes: &[u8]) -> Result<ModelFile, String> {
        ModelFile::parse(bytes, bytes.len() as u64).map_err(|problem| match problem {
            Problem::Read(e) => panic!("{e} in memory"),
            Problem::Content(why) => why,
        })
    }

    fn bytes(model: &ModelFile) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        model.write(&path).unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn a_model_comes_back_the_same_and_writes_the_same_bytes() {
        let model = model();
        let written = bytes(&model);
        let read = parse(&written).unwrap();
        assert_eq!(read, model);
        assert_eq!(bytes(&read), written);
    }

    #[test]
    fn what_does_not_match_the_network_is_named() {
        let refused = |change: fn(&mut ModelFile)| {
            let mut m = model();
            change(&mut m);
            parse(&bytes(&m)).unwrap_err()
        };
        let e = refused(|m| drop(m.tensors.remove("fc.bias")));
        assert!(e.contains("lacks the tensor `fc.bias`"), "{e}");
        let e = refused(|m| m.tensors.get_mut("fc.weight").unwrap().shape = vec![3, 2]);
        assert!(e.contains("`fc.weight` is F32 [3, 2], but the network takes F32 [2, 3]"), "{e}");
        let e = refused(|m| drop(m.tensors.insert("extra".into(), Tensor { shape: vec![1], values: vec![0.0] })));
        assert!(e.contains("`extra`"), "{e}");
    }

    #[test]
    fn other_files_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cat.jpg");
        fs::write(&path, b"\xff\xd8 not a model").unwrap();
        let e = ModelFile::read(&path).unwrap_err().to_string();
        assert!(e.contains("cat.jpg: is not a safetensors file"), "{e}");
        let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        let bare = safetensors::serialize([("w", view)], None).unwrap();
        assert!(parse(&bare).unwrap_err().contains("without a network"));
    }

    #[test]
    fn lengths_that_do_not_fit_are_told() {
        let whole = bytes(&model());
        let refused = |bytes: &[u8], reason: &str| {
            let e = parse(bytes).unwrap_err();
            assert!(e.starts_with("is not a safetensors file (") && e.contains(reason), "{e}");
        };
        refused(&whole[..5], "it has 5 bytes");
        refused(&whole[..whole.len() - 3], &format!("would have {} bytes, and {} are there", 4 * 12, 4 * 12 - 3));
        refused(&[&whole[..], &[0; 4]].concat(), &format!("and {} are there", 4 * 13));
        let mut long = whole.clone();
        long[6] = 1;
        refused(&long, "its header would have");
        let mut other = whole;
        other[8] = b'[';
        refused(&other, "is not a safetensors file");
    }

    proptest! {
        /// A damaged file is refused or reads as some model; it never panics or allocates by what it declares.
        #[test]
        fn damaged_files_are_refused(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let mut b = bytes(&model());
            let at = at % b.len();
            b[at] = value;
            b.truncate(b.len().saturating_sub(cut % 7 * 40));
            let _ = parse(&b);
        }
    }
}
