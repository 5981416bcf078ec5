//! How a network runs. A [`Session`] plans a graph once for a batch size and a purpose (predicting, training, looking
//! inside): joins layers that can be computed together, chooses the convolutions' algorithms, lays all buffers out in one
//! arena by their lifetimes, and then runs forward and backward without deciding or allocating anything.
//!
//! ```
//! use std::sync::Arc;
//! use striate_engine::{Parameters, Request, Scheme, Session};
//! use striate_graph::{Builder, Shape, layers::{Conv, GlobalAvgPool, Relu}};
//! use striate_kernels::Cpu;
//!
//! let mut g = Builder::new("tiny");
//! let x = g.input(Shape::new(8, 8, 3));
//! let c = g.add("conv", Conv::new(4, 3), x);
//! let r = g.add("relu", Relu, c);
//! let y = g.add("pool", GlobalAvgPool, r);
//! let graph = Arc::new(g.finish(y)?);
//!
//! let parameters = Parameters::init(&graph, Scheme::He, 1);
//! let request = Request { taps: vec![r], ..Request::predict(2) };
//! let mut session = Session::new(graph, Arc::new(Cpu::new(2)?), &request)?;
//! let answer = session.forward(&parameters, &[0.5; 2 * 8 * 8 * 3], 2, 0)?;
//! assert_eq!(answer.len(), 2 * 4);
//! assert_eq!(session.activation(r)?.len(), 2 * 6 * 6 * 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arena;
mod bands;
mod error;
mod explain;
mod forward;
mod gradients;
mod half;
mod parameters;
mod passes;
mod plan;
mod program;
mod replay;
mod request;
mod rule;
mod session;
mod stages;
mod sweep;
mod tiles;

pub use bands::{Band, Bands};
pub use error::EngineError;
pub use explain::{Choice, StepPlan};
pub use gradients::Handed;
pub use parameters::{Parameters, Scheme, Tensors};
pub use request::{Memory, Precision, Request};
pub use rule::Rule;
pub use session::{NodeTime, Session};
