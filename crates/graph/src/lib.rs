//! What a convolutional network is: a graph of named layers with shapes, parameters and costs, kept as JSON.
//!
//! A network is data. It is built by a short function, and everything else (the engine, summaries, drawings,
//! explanations, exports) asks the graph:
//!
//! ```
//! use striate_graph::{Builder, Shape, layers::{Conv, Flatten, Linear, MaxPool, Relu}};
//!
//! let mut g = Builder::new("tiny");
//! let mut x = g.input(Shape::new(8, 8, 1));
//! x = g.add("conv1", Conv::new(4, 3).pad(1), x);
//! x = g.add("relu1", Relu, x);
//! x = g.add("pool1", MaxPool::new(2), x);
//! x = g.add("flatten", Flatten, x);
//! x = g.add("fc", Linear::new(10), x);
//! let graph = g.finish(x)?;
//!
//! assert_eq!(graph.output().shape, Shape::vector(10));
//! assert_eq!(graph.parameter_count(), (4 * 9 + 4) + (4 * 4 * 4 * 10 + 10));
//! # Ok::<(), striate_graph::GraphError>(())
//! ```
//!
//! Activations are NHWC; weights have the shapes and order of PyTorch's checkpoints (convolutions `O×I×H×W`).

mod builder;
mod cost;
mod dot;
mod drawing;
mod error;
mod graph;
mod json;
mod layer;
pub mod layers;
mod parameter;
mod part;
mod receptive_field;
mod rewrite;
mod shape;
mod size_formula;
mod window;

pub use builder::{Builder, Inputs};
pub use cost::Totals;
pub use error::{GraphError, Misfit};
pub use graph::{Auxiliary, Graph, Node, NodeId};
pub use layer::{Backward, Forward, Layer, Needs, Saved, Setting};
pub use layers::AnyLayer;
pub use parameter::{Init, ParamSpec};
pub use receptive_field::{Reach, ReceptiveField, Span};
pub use rewrite::Change;
pub use shape::Shape;
pub use window::{Padding, Window};
