//! Safetensors files of f32 tensors, written straight from where the values are, so that nothing is in memory twice; and
//! [`StateFile`], such a file with a description and a checksum.

use crate::header::{Header, Problem, floats};
use crate::model_file::Tensor;
use crate::{WeightsError, write_atomic};
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a> {
    /// No two of a file have the same.
    pub name: &'a str,
    /// The shape, PyTorch's.
    pub shape: &'a [usize],
    /// The values, the last side innermost.
    pub values: &'a [f32],
}

/// Hands out the values as little-endian bytes, piece by piece.
fn in_pieces(values: &[f32], mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    /// Floats of a piece: it stays in the cache between being made and being taken.
    const PIECE: usize = 1 << 14;
    let mut bytes = Vec::with_capacity(4 * PIECE.min(values.len()));
    for piece in values.chunks(PIECE) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|v| v.to_le_bytes()));
        take(&bytes)?;
    }
    Ok(())
}

/// Writes a whole file: header with one metadata entry, then the tensors by name.
pub(crate) fn write(w: &mut dyn Write, key: &str, document: &Value, tensors: &[TensorRef<'_>]) -> io::Result<()> {
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|t| t.name);
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({key: document.to_string()}))]);
    let mut start = 0;
    for t in &order {
        if t.shape.iter().product::<usize>() != t.values.len() {
            let why = format!("tensor `{}` of shape {:?} has {} values", t.name, t.shape, t.values.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let end = start + 4 * t.values.len();
        let info = json!({"dtype": "F32", "shape": t.shape, "data_offsets": [start, end]});
        if header.insert(t.name.to_owned(), info).is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("two tensors `{}`", t.name)));
        }
        start = end;
    }
    let mut header = serde_json::to_vec(&header).map_err(io::Error::other)?;
    // Tensors begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    w.write_all(&(header.len() as u64).to_le_bytes())?;
    w.write_all(&header)?;
    order.iter().try_for_each(|t| in_pieces(t.values, |bytes| w.write_all(bytes)))
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
            let _ = in_pieces(t.values, |bytes| {
                sum.update(bytes);
                Ok(())
            });
        }
        let document = json!({"description": description, "sha256": hex(&sum.finalize())});
        write_atomic(path, |w| write(w, KEY, &document, tensors))
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

    #[test]
    fn what_cannot_be_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let t = TensorRef { name: "a", shape: &[3], values: &[1.0; 2] };
        let e = StateFile::write(&path, &Value::Null, &[t]).unwrap_err().to_string();
        assert!(e.contains("tensor `a` of shape [3] has 2 values"), "{e}");
        let t = TensorRef { name: "a", shape: &[2], values: &[1.0; 2] };
        let e = StateFile::write(&path, &Value::Null, &[t, t]).unwrap_err().to_string();
        assert!(e.contains("two tensors `a`") && !path.exists(), "{e}");
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
