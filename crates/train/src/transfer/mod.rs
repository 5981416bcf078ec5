//! Transfer learning: a network that was trained on one task is the beginning of another (Yosinski et al. 2014,
//! arXiv:1411.1792). Three ways, by one choice ([`Tune`]): as a feature extractor, whose head alone is trained; with its last
//! layers trained too; or all of it. What is not tuned is frozen: it runs as an inference plan, forward only, and keeps no
//! activations.

mod backbone;
mod channels;
mod kept;
mod stages;
mod start;
mod tune;
mod units;

pub use backbone::Backbone;
pub use kept::{Feed, Kept, KeptBatches};
pub use stages::{Stage, stages};
pub use start::{Start, head};
pub use tune::{FrozenNorm, Origin, Transfer, Tune, Tuned};
pub use units::{Unit, cut, depth, units};
