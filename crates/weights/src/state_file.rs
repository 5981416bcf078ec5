//! Safetensors files with a description and a checksum: what a program needs to go on where it was.

use crate::header::{Header, Problem, floats};
use crate::model_file::Tensor;
use crate::model_writer::write_tensors;
use crate::{TensorRef, WeightsError};
use safetensors::Dtype;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Hands out the values as little-endian bytes, piece by piece.
fn in_pieces(values: &[f32], mut take: impl FnMut(&[u8])) {
    /// Floats of a piece: it stays in the cache between being made and being taken.
    const PIECE: usize = 1 << 14;
    let mut bytes = Vec::with_capacity(4 * PIECE.min(values.len()));
    for piece in values.chunks(PIECE) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|v| v.to_le_bytes()));
        take(&bytes);
    }
}

/// Tensors with a description, and a checksum over the tensors: what something needs to go on where it was.
#[derive(Clone, Debug, PartialEq)]
pub struct StateFile {
    /// Whatever the writer says of them.
    pub description: Value,
    /// By name.
    pub tensors: BTreeMap<String, Tensor>,
}

const KEY: &str = "striate-state";

impl StateFile {
    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(path: &Path, description: &Value, tensors: &[TensorRef<'_>]) -> Result<(), WeightsError> {
        let mut order: Vec<_> = tensors.iter().collect();
        order.sort_by_key(|t| t.name);
        let mut sum = Sha256::new();
        for t in order {
            in_pieces(t.values, |bytes| sum.update(bytes));
        }
        let document = json!({"description": description, "sha256": hex(&sum.finalize())});
        write_tensors(path, KEY, &document, tensors.to_vec())
    }

    /// Reads a file and compares its tensors with the checksum.
    ///
    /// # Errors
    /// What is wrong, with the file's name.
    pub fn read(path: &Path) -> Result<StateFile, WeightsError> {
        let unread = |source| WeightsError::Read { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unread)?;
        let size = file.metadata().map_err(unread)?.len();
        StateFile::parse(BufReader::with_capacity(1 << 20, file), size).map_err(|problem| match problem {
            Problem::Read(source) => unread(source),
            Problem::Content(why) => WeightsError::Content { path: path.to_path_buf(), why },
        })
    }

    fn parse(mut file: impl Read, size: u64) -> Result<StateFile, Problem> {
        let header = Header::read(&mut file, size)?;
        let entry = header.metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let json = entry.ok_or("is no checkpoint of a run: it has no `striate-state` entry in its metadata")?;
        let mut document: Value =
            serde_json::from_str(json).map_err(|e| format!("its `striate-state` entry is not JSON: {e}"))?;
        let expected = document["sha256"].as_str().ok_or("its `striate-state` entry has no checksum")?.to_owned();
        let (mut tensors, mut file) = (BTreeMap::new(), Summed { file, sum: Sha256::new() });
        for (name, bytes) in &header.order {
            let Some(info) = header.metadata.info(name).filter(|info| info.dtype == Dtype::F32) else {
                return Err(format!("its tensor `{name}` is not F32").into());
            };
            tensors.insert(name.clone(), Tensor { shape: info.shape.clone(), values: floats(&mut file, *bytes)? });
        }
        let found = hex(&file.sum.finalize());
        if found != expected {
            return Err(format!("is damaged: its tensors have the checksum {found}, not {expected}").into());
        }
        Ok(StateFile { description: document["description"].take(), tensors })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, b| text + &format!("{b:02x}"))
}

/// Sums up what is read.
struct Summed<R> {
    file: R,
    sum: Sha256,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(room)?;
        self.sum.update(&room[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::SafeTensors;
    use std::fs;

    fn bytes() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let values: Vec<f32> = (0..40_000).map(|i| i as f32 / 3.0).collect();
        let tensors = [
            TensorRef { name: "b", shape: &[200, 200], values: &values },
            TensorRef { name: "a", shape: &[2], values: &[f32::MIN_POSITIVE / 2.0, -0.0] },
            TensorRef { name: "none", shape: &[0], values: &[] },
        ];
        StateFile::write(&path, &json!({"step": 7, "loss": 0.1}), &tensors).unwrap();
        fs::read(path).unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<StateFile, String> {
        StateFile::parse(bytes, bytes.len() as u64).map_err(|problem| match problem {
            Problem::Read(e) => panic!("{e} in memory"),
            Problem::Content(why) => why,
        })
    }

    #[test]
    fn a_state_comes_back_and_others_can_read_it() {
        let bytes = bytes();
        let state = parse(&bytes).unwrap();
        assert_eq!(state.description, json!({"step": 7, "loss": 0.1}));
        assert_eq!(state.tensors["a"].values[1].to_bits(), (-0.0_f32).to_bits());
        assert_eq!(state.tensors["b"].values[30_001], 30_001.0 / 3.0);
        let theirs = SafeTensors::deserialize(&bytes).unwrap();
        let b = theirs.tensor("b").unwrap();
        assert_eq!((b.shape(), b.dtype()), ([200, 200].as_slice(), Dtype::F32));
        assert_eq!(b.data()[4 * 5..4 * 6], (5.0_f32 / 3.0).to_le_bytes());
    }

    #[test]
    fn one_wrong_bit_is_found() {
        let mut bytes = bytes();
        let at = bytes.len() - 1000;
        bytes[at] ^= 4;
        assert!(parse(&bytes).unwrap_err().starts_with("is damaged"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused(at in 0usize..400, value: u8, cut in 0usize..2000) {
            let mut b = bytes();
            b[at] = value;
            b.truncate(b.len().saturating_sub(cut % 7 * 40));
            // Refused, or read as some state where the description changed; never a panic.
            let _ = parse(&b);
        }
    }
}
