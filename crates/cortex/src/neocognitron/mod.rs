//! The Neocognitron (K. Fukushima): S-cells that learn features and C-cells that forgive their places, stage upon stage.
//!
//! * [`Neocognitron`]: the network of 2003 for handwritten digits.
//! * [`SelfOrganised`]: the network of 1980, which learns without a teacher.
//!
//! Both are made of [`SLayer`]s and [`CLayer`]s, whose files hold the equations in the papers' letters. Answers have the same
//! bits at any number of threads.

mod c_layer;
mod competition;
mod connections;
mod contrast;
mod distortion;
mod features;
mod interpolation;
mod learning;
mod linear_classifier;
mod maps;
mod model_file;
mod network;
mod retina;
mod s_layer;
mod self_organised;
mod window;

pub use c_layer::{CLayer, Saturation, pooling};
pub use competition::{Competition, Seed, learn};
pub(crate) use connections::Connections;
pub use contrast::Contrast;
pub use distortion::Distortion;
pub use learning::Progress;
pub use linear_classifier::LinearClassifier;
pub use maps::Maps;
pub use network::{EDGES, INPUT, Neocognitron, Response, Settings};
pub use retina::Retina;
pub use s_layer::{Inhibition, Plane, SLayer};
pub use self_organised::{SelfOrganised, YEAR_1980, Year1980};
pub use window::Window;
