//! The beginning of a safetensors file: eight bytes of length, then JSON that says what lies where behind it. Tensors are
//! then read straight to where they stay, so that a file is never in memory twice.

use safetensors::tensor::Metadata;
use std::io::{self, Read};
use striate_kernels::zeros_to_fill;

/// The longest header that is read, as in the reference implementation.
const MOST: u64 = 100_000_000;

/// Why a file could not be read: the system, or what it holds.
#[derive(Debug)]
pub(crate) enum Problem {
    Read(io::Error),
    Content(String),
}

impl From<String> for Problem {
    fn from(why: String) -> Problem {
        Problem::Content(why)
    }
}

impl From<&str> for Problem {
    fn from(why: &str) -> Problem {
        Problem::Content(why.into())
    }
}

/// What a file says of its tensors. They fill the rest of the file without a gap.
pub(crate) struct Header {
    pub(crate) metadata: Metadata,
    /// The tensors' names and bytes, in the order in which they follow.
    pub(crate) order: Vec<(String, usize)>,
}

impl Header {
    /// Reads it from the beginning of a file of `size` bytes.
    pub(crate) fn read(file: &mut impl Read, size: u64) -> Result<Header, Problem> {
        let wrong = |why: String| -> Problem {
            format!("is not a safetensors file ({why}); a model file is what `striate train` writes").into()
        };
        let mut length = [0; 8];
        if size < 8 {
            return Err(wrong(format!("it has {size} bytes")));
        }
        file.read_exact(&mut length).map_err(Problem::Read)?;
        let length = u64::from_le_bytes(length);
        if length > MOST.min(size - 8) {
            return Err(wrong(format!("its header would have {length} of its {size} bytes")));
        }
        let mut json = vec![0; length as usize];
        file.read_exact(&mut json).map_err(Problem::Read)?;
        // Reading checks that the tensors follow one another and are as long as their shapes say.
        let metadata: Metadata = serde_json::from_slice(&json).map_err(|e| wrong(e.to_string()))?;
        let (declared, held) = (metadata.data_len() as u64, size - 8 - length);
        if declared != held {
            return Err(wrong(format!("its tensors would have {declared} bytes, and {held} are there")));
        }
        let names = metadata.offset_keys().into_iter();
        let bytes = |name: &str| metadata.info(name).map_or(0, |i| i.data_offsets.1 - i.data_offsets.0);
        let order = names.map(|name| (bytes(&name), name)).map(|(bytes, name)| (name, bytes)).collect();
        Ok(Header { metadata, order })
    }
}

/// Reads a tensor of so many bytes, which the file is known to have.
pub(crate) fn floats(file: &mut impl Read, bytes: usize) -> Result<Vec<f32>, Problem> {
    /// Small enough to stay in the cache between being read and being converted.
    const PIECE: usize = 1 << 16;
    let mut values = zeros_to_fill(bytes / 4);
    let mut room = vec![0; PIECE.min(bytes)];
    for values in values.chunks_mut(PIECE / 4) {
        let piece = &mut room[..4 * values.len()];
        file.read_exact(piece).map_err(Problem::Read)?;
        for (value, bytes) in values.iter_mut().zip(piece.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    Ok(values)
}
