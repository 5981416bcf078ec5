//! Striate as a library: every room under one name.
//!
//! ```
//! let graph = striate::zoo::build("lenet5", &striate::zoo::Options::default())?;
//! println!("{} has {} parameters", graph.name(), graph.parameter_count());
//! # Ok::<(), striate::zoo::ZooError>(())
//! ```

pub use striate_classic as classic;
pub use striate_cortex as cortex;
pub use striate_data as data;
pub use striate_detect as detect;
pub use striate_engine as engine;
pub use striate_explain as explain;
pub use striate_graph as graph;
pub use striate_kernels as kernels;
pub use striate_train as train;
pub use striate_weights as weights;
pub use striate_zoo as zoo;
