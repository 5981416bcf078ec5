//! Files in and out. Striate's own model file is a safetensors file that describes itself: the tensors, and as metadata the
//! network and all that is needed to predict with it. Weights of others are read whatever their form, matched to a network of
//! the zoo, or come as ONNX graphs; networks go out as ONNX, safetensors and PyTorch's `state_dict`s.

mod atomic;
mod error;
mod fold;
mod foreign;
mod header;
mod matching;
mod model_file;
mod model_writer;
mod onnx;
mod pipeline_file;
mod state_file;
mod torch_writer;

pub use atomic::{create_beside, write_atomic};
pub use error::WeightsError;
pub use fold::fold_batch_norm;
pub use foreign::{ForeignTensor, ForeignWeights, Format};
pub use matching::{Imported, ImportedPreprocessing, Leftover, Match, MatchReport, Wish, match_zoo};
pub use model_file::{ModelFile, Tensor};
pub use model_writer::{TensorRef, write_model};
pub use onnx::{OnnxModel, OnnxOptions, is_onnx, onnx_bytes, parse_onnx, write_onnx};
pub use pipeline_file::PipelineFile;
pub use state_file::StateFile;
pub use torch_writer::write_state_dict;
