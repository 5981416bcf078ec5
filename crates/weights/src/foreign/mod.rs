//! Weights that others have written: PyTorch's files, safetensors, Keras's HDF5 and archives, NumPy's archives, ONNX. A file's
//! form is told from its contents. Whatever it is, what comes out is a list of named tensors of f32, and remarks on how they
//! were found.

mod cursor;
mod hdf5;
mod keras;
mod npz;
mod number;
mod pickle;
mod safetensors;
mod torch;
mod zip;

pub(crate) use cursor::Cursor;
pub(crate) use number::{Number, count};
pub(crate) use safetensors::looks_like as is_safetensors;

use crate::WeightsError;
use std::path::Path;
use zip::Archive;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A zip archive of `torch.save`.
    TorchZip,
    /// A file of `torch.save` before version 1.6.
    TorchLegacy,
    /// Safetensors.
    Safetensors,
    /// HDF5 of Keras.
    KerasHdf5,
    /// A `.keras` archive.
    KerasArchive,
    /// A `NumPy` archive.
    Npz,
    /// The initialisers of an ONNX graph.
    Onnx,
}

impl Format {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::TorchZip => "PyTorch (zip)",
            Format::TorchLegacy => "PyTorch (before 1.6)",
            Format::Safetensors => "safetensors",
            Format::KerasHdf5 => "Keras (HDF5)",
            Format::KerasArchive => "Keras (archive)",
            Format::Npz => "NumPy (npz)",
            Format::Onnx => "ONNX",
        }
    }

    /// Whether kernels lie as Keras has them: height, width, in, out.
    pub fn is_keras(self) -> bool {
        matches!(self, Format::KerasHdf5 | Format::KerasArchive)
    }

    /// Whether tensors follow each other as the network's layers do; elsewhere they are sorted by name.
    pub fn in_order(self) -> bool {
        matches!(self, Format::TorchZip | Format::TorchLegacy | Format::Onnx)
    }
}

/// A shape, and the values, the last side innermost.
type Values = (Vec<usize>, Vec<f32>);

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignTensor {
    /// The file's name for it; of Keras's `layer/weight` without what stands around that.
    pub name: String,
    /// The shape, as in the file.
    pub shape: Vec<usize>,
    /// The values, the last side innermost.
    pub values: Vec<f32>,
}

/// Everything a file holds that may be weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignWeights {
    /// What the file is.
    pub format: Format,
    /// The tensors, in the file's order.
    pub tensors: Vec<ForeignTensor>,
    /// What is to be known about how they were found.
    pub notes: Vec<String>,
    /// Text that belongs to them: a safetensors file's metadata, a Keras file's model.
    pub extra: Option<serde_json::Value>,
}

impl ForeignWeights {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is of no known form, or is broken; with its name.
    pub fn read(path: &Path) -> Result<ForeignWeights, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read { path: path.to_path_buf(), source })?;
        ForeignWeights::parse_in(&bytes, path.parent())
            .map_err(|why| WeightsError::Content { path: path.to_path_buf(), why })
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<ForeignWeights, String> {
        ForeignWeights::parse_in(bytes, None)
    }

    /// Reads the bytes of a file in a folder, beside which values may lie.
    fn parse_in(bytes: &[u8], folder: Option<&Path>) -> Result<ForeignWeights, String> {
        let told = |what: &'static str| move |why: String| format!("is {what} that cannot be read: {why}");
        if bytes.starts_with(b"PK\x03\x04") {
            let archive = Archive::open(bytes).map_err(told("a zip archive"))?;
            return of_archive(&archive);
        }
        if hdf5::looks_like(bytes) {
            return keras::read(bytes).map_err(told("an HDF5 file"));
        }
        // Before pickles and ONNX: the length of a header may begin as those do.
        if safetensors::looks_like(bytes) {
            return safetensors::read(bytes).map_err(told("a safetensors file"));
        }
        if torch::looks_pickled(bytes) {
            return torch::read_legacy(bytes);
        }
        if crate::onnx::is_onnx(bytes) {
            return crate::onnx::initialisers(bytes, folder);
        }
        let why = match bytes {
            [] => "is empty",
            [b'<', ..] => "is a web page or XML, not weights: was the link to a page about them?",
            _ if bytes.starts_with(b"version https://git-lfs") => {
                "only points to weights that Git LFS keeps elsewhere: fetch them with `git lfs pull`"
            }
            _ if bytes.starts_with(b"\x93NUMPY") => "is one array of NumPy, without names: save all with `numpy.savez`",
            _ => {
                "is none of what can be read: PyTorch's files, safetensors, Keras's HDF5 and archives, NumPy's npz, ONNX"
            }
        };
        Err(why.into())
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&ForeignTensor> {
        self.tensors.iter().find(|t| t.name == name)
    }
}

/// Tells zip archives apart by what is in them.
#[allow(clippy::case_sensitive_file_extension_comparisons)] // NumPy writes it so.
fn of_archive(archive: &Archive<'_>) -> Result<ForeignWeights, String> {
    if archive.find("data.pkl").is_some() {
        return torch::read_zip(archive);
    }
    if let Some(weights) = archive.find("model.weights.h5") {
        return keras::read_archive(archive, weights);
    }
    if archive.entries.iter().any(|e| e.name.ends_with(".npy")) {
        return npz::read(archive);
    }
    let names: Vec<&str> = archive.entries.iter().map(|e| e.name.as_str()).collect();
    Err(format!("is a zip archive, but not of PyTorch, Keras or NumPy; it holds {}", listed(&names)))
}

/// The first few of many names.
pub(crate) fn listed(names: &[&str]) -> String {
    const MOST: usize = 4;
    let first = names.iter().take(MOST).map(|n| format!("`{}`", shortened(n))).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "nothing".into(),
        n if n > MOST => format!("{first} and {} more", n - MOST),
        _ => first,
    }
}

/// A name from a file, which may be of any length.
fn shortened(name: &str) -> String {
    const MOST: usize = 80;
    if name.chars().count() <= MOST { name.into() } else { name.chars().take(MOST).chain(['…']).collect() }
}

/// `1 tensor`, `2 tensors`.
pub(crate) fn tensors(n: usize) -> String {
    if n == 1 { "1 tensor".into() } else { format!("{n} tensors") }
}
