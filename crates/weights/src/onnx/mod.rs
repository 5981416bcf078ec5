//! ONNX files: graphs of operators in protocol buffers. What convolutional classifiers are made of is read into networks, from
//! opset 7 on, and every network is written.

mod beside;
mod export;
mod import;
mod proto;
mod wire;

use crate::{ForeignTensor, ForeignWeights, Format};
use beside::Beside;
pub use export::{OnnxOptions, onnx_bytes, write_onnx};
pub use import::{OnnxModel, parse_onnx};
use proto::{Data, Model};
use std::path::Path;
use std::rc::Rc;

/// Whether these bytes begin as ONNX files do: with the version of their form, a small number, behind its field's tag. A
/// safetensors file whose header has so many bytes is told from it.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, ..]) && !crate::foreign::is_safetensors(bytes)
}

/// The initialisers of a file's graph. `folder`: where the file lies.
pub(crate) fn initialisers(bytes: &[u8], folder: Option<&Path>) -> Result<ForeignWeights, String> {
    let model = Model::read(bytes, &Beside::new(folder));
    let model = model.map_err(|why| format!("is an ONNX file that cannot be read: {why}"))?;
    let weights = model.graph.initialisers.into_iter().filter_map(|(name, array)| match array.data {
        Data::Floats(values) => Some(ForeignTensor { name, shape: array.shape, values: Rc::unwrap_or_clone(values) }),
        _ => None,
    });
    let notes = vec!["only its weights are taken; the graph itself can be imported too".to_owned()];
    Ok(ForeignWeights { format: Format::Onnx, tensors: weights.collect(), notes, extra: None })
}
