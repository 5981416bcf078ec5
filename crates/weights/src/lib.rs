//! Files in and out. Striate's own model file is a safetensors file that describes itself: the tensors, and as metadata the
//! network and all that is needed to predict with it.

mod atomic;
mod error;
mod header;
mod model_file;
mod model_writer;
mod state_file;

pub use atomic::{create_beside, write_atomic};
pub use error::WeightsError;
pub use model_file::{ModelFile, Tensor};
pub use model_writer::{TensorRef, write_model};
pub use state_file::StateFile;
