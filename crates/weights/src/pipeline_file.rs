//! The model file of a classical pipeline: as a network's (`model_file.rs`), but with a `pipeline` instead of a `network` in its
//! `striate` entry. The pipeline is any JSON; lists of many floats in it stand in tensors, by their place in it, and are
//! `{"tensor": name}` there. Beside `rows` and `columns` they have that shape.

use crate::header::{Header, Problem, floats};
use crate::model_file::{KEY, VERSION};
use crate::model_writer::write_tensors;
use crate::{TensorRef, WeightsError};
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The most that the JSON may take: quoted and with the tensors' places it must stay below what readers allow a header.
const LONGEST: usize = 40_000_000;

/// Shorter lists stay in the JSON.
const SHORT: usize = 16;

/// A pipeline with whatever else belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineFile {
    /// The pipeline. Floats are those of `f32`.
    pub pipeline: Value,
    /// Classes, how it was trained, with what result.
    pub details: Map<String, Value>,
}

/// A tensor that was taken out of the JSON.
struct Lifted {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl PipelineFile {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(mut self, path: &Path) -> Result<(), WeightsError> {
        let mut lifted = Vec::new();
        lift(&mut self.pipeline, "pipeline", &mut lifted);
        let document = json!({"version": VERSION, "pipeline": self.pipeline, "details": self.details});
        let length = document.to_string().len();
        if length > LONGEST {
            let why = format!(
                "the pipeline takes {length} bytes of JSON beside its tensors, and a file's header may have {LONGEST}: use fewer \
                 or shallower trees"
            );
            return Err(WeightsError::Content { path: path.to_path_buf(), why });
        }
        let tensors = lifted.iter().map(|t| TensorRef { name: &t.name, shape: &t.shape, values: &t.values });
        write_tensors(path, KEY, &document, tensors.collect())
    }

    /// Reads a file; `None` where it is a network's.
    ///
    /// # Errors
    /// What is wrong, with the file's name.
    pub fn read(path: &Path) -> Result<Option<Self>, WeightsError> {
        let unread = |source| WeightsError::Read { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unread)?;
        let size = file.metadata().map_err(unread)?.len();
        Self::parse(BufReader::with_capacity(1 << 20, file), size).map_err(|problem| match problem {
            Problem::Read(source) => unread(source),
            Problem::Content(why) => WeightsError::Content { path: path.to_path_buf(), why },
        })
    }

    /// Reads a file of `size` bytes.
    fn parse(mut file: impl Read, size: u64) -> Result<Option<Self>, Problem> {
        let header = Header::read(&mut file, size)?;
        // What has no such entry is for the reader of networks to refuse.
        let Some(json) = header.metadata.metadata().as_ref().and_then(|m| m.get(KEY)) else { return Ok(None) };
        let mut document: Map<String, Value> =
            serde_json::from_str(json).map_err(|e| format!("its `striate` entry is not JSON: {e}"))?;
        let Some(mut pipeline) = document.remove("pipeline") else { return Ok(None) };
        let version = document.get("version").and_then(Value::as_u64).ok_or("its `striate` entry has no version")?;
        if version > VERSION {
            return Err(format!("has version {version}; this program reads up to version {VERSION}: update it").into());
        }
        let details = match document.remove("details") {
            Some(Value::Object(details)) => details,
            None => Map::new(),
            Some(_) => return Err("the details in its `striate` entry are not an object".into()),
        };
        let mut tensors = BTreeMap::new();
        for (name, bytes) in &header.order {
            if header.metadata.info(name).is_none_or(|info| info.dtype != Dtype::F32) {
                return Err(format!("its tensor `{name}` is not F32").into());
            }
            tensors.insert(name.clone(), floats(&mut file, *bytes)?);
        }
        put_back(&mut pipeline, &mut tensors)?;
        match tensors.into_keys().next() {
            Some(name) => Err(format!("holds a tensor `{name}` that its pipeline does not have").into()),
            None => Ok(Some(Self { pipeline, details })),
        }
    }
}

/// The values of a list of floats that `f32` holds exactly.
fn values_of(list: &[Value]) -> Option<Vec<f32>> {
    let value = |v: &Value| match v {
        Value::Number(n) if n.is_f64() => n.as_f64().filter(|v| f64::from(*v as f32) == *v).map(|v| v as f32),
        _ => None,
    };
    if list.len() < SHORT { None } else { list.iter().map(value).collect() }
}

/// Takes lists of floats out.
fn lift(value: &mut Value, place: &str, lifted: &mut Vec<Lifted>) {
    match value {
        Value::Array(list) => {
            if let Some(values) = values_of(list) {
                lifted.push(Lifted { name: place.to_owned(), shape: vec![values.len()], values });
                *value = json!({"tensor": place});
                return;
            }
            for (i, inner) in list.iter_mut().enumerate() {
                lift(inner, &format!("{place}.{i}"), lifted);
            }
        }
        Value::Object(members) => {
            let side = |name: &str| members.get(name).and_then(Value::as_u64).map(|n| n as usize);
            let sides = side("rows").zip(side("columns"));
            for (name, inner) in members.iter_mut() {
                let before = lifted.len();
                lift(inner, &format!("{place}.{name}"), lifted);
                if let (Some((rows, columns)), [one]) = (sides, &mut lifted[before..])
                    && rows.checked_mul(columns) == Some(one.values.len())
                {
                    one.shape = vec![rows, columns];
                }
            }
        }
        _ => {}
    }
}

/// Puts them back.
fn put_back(value: &mut Value, tensors: &mut BTreeMap<String, Vec<f32>>) -> Result<(), Problem> {
    let name = match value {
        Value::Object(members) if members.len() == 1 => members.get("tensor").and_then(Value::as_str),
        _ => None,
    };
    if let Some(name) = name {
        let values = tensors.remove(name).ok_or_else(|| format!("lacks the tensor `{name}` of its pipeline"))?;
        let numbers = values.iter().map(|&v| serde_json::Number::from_f64(f64::from(v)).map(Value::Number));
        let numbers: Option<Vec<Value>> = numbers.collect();
        *value = Value::Array(numbers.ok_or_else(|| format!("has a value in `{name}` that is no finite number"))?);
        return Ok(());
    }
    match value {
        Value::Array(list) => list.iter_mut().try_for_each(|inner| put_back(inner, tensors)),
        Value::Object(members) => members.values_mut().try_for_each(|inner| put_back(inner, tensors)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::SafeTensors;
    use std::fs;

    fn pipeline() -> PipelineFile {
        let third = |i: u32| f64::from(i as f32 / 3.0);
        let long: Vec<f64> = (0..40).map(third).collect();
        let pipeline = json!({
            "recipe": {"features": ["hog"], "angles": [0.1, 0.2]},
            "weight": {"rows": 4, "columns": 10, "values": long.clone()},
            "parts": [long.clone(), vec![0.1; 20], (0..30).collect::<Vec<u32>>()],
        });
        PipelineFile { pipeline, details: Map::from_iter([("classes".into(), json!(["cat", "dog"]))]) }
    }

    fn bytes(file: PipelineFile) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.safetensors");
        file.write(&path).unwrap();
        fs::read(path).unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<Option<PipelineFile>, String> {
        PipelineFile::parse(bytes, bytes.len() as u64).map_err(|problem| match problem {
            Problem::Read(e) => panic!("{e} in memory"),
            Problem::Content(why) => why,
        })
    }

    #[test]
    fn a_pipeline_comes_back_and_others_can_read_its_arrays() {
        let written = bytes(pipeline());
        assert_eq!(parse(&written).unwrap().unwrap(), pipeline());
        let theirs = SafeTensors::deserialize(&written).unwrap();
        // What f32 does not hold exactly, and whole numbers, stay in the JSON.
        let mut names = theirs.names();
        names.sort_unstable();
        assert_eq!(names, ["pipeline.parts.0", "pipeline.weight.values"]);
        assert_eq!(theirs.tensor("pipeline.weight.values").unwrap().shape(), [4, 10]);
        assert_eq!(theirs.tensor("pipeline.parts.0").unwrap().data()[4..8], (1.0_f32 / 3.0).to_le_bytes());
    }

    #[test]
    fn networks_are_told_apart_and_gaps_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n.safetensors");
        write_tensors(&path, KEY, &json!({"version": VERSION, "network": {}}), Vec::new()).unwrap();
        assert_eq!(PipelineFile::read(&path).unwrap(), None);
        let document = json!({"version": VERSION, "pipeline": {"a": {"tensor": "x"}}});
        write_tensors(&path, KEY, &document, Vec::new()).unwrap();
        let e = PipelineFile::read(&path).unwrap_err().to_string();
        assert!(e.ends_with("lacks the tensor `x` of its pipeline"), "{e}");
        let nan = [TensorRef { name: "x", shape: &[1], values: &[f32::NAN] }];
        write_tensors(&path, KEY, &document, nan.to_vec()).unwrap();
        let e = PipelineFile::read(&path).unwrap_err().to_string();
        assert!(e.ends_with("has a value in `x` that is no finite number"), "{e}");
        write_tensors(&path, KEY, &json!({"version": VERSION, "pipeline": 1}), nan.to_vec()).unwrap();
        let e = PipelineFile::read(&path).unwrap_err().to_string();
        assert!(e.ends_with("holds a tensor `x` that its pipeline does not have"), "{e}");
    }

    proptest! {
        /// A damaged file is refused or reads as some pipeline; it never panics or allocates by what it declares.
        #[test]
        fn damaged_files_are_refused(at in 0usize..1200, value: u8, cut in 0usize..2000) {
            let mut b = bytes(pipeline());
            let at = at % b.len();
            b[at] = value;
            b.truncate(b.len().saturating_sub(cut % 7 * 40));
            let _ = parse(&b);
        }
    }
}
