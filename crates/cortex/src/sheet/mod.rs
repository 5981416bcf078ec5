//! A sheet of cortex that looks at a picture or a film: which orientations it finds and how strongly, what its columns answer,
//! and which way things move.

mod columns;
mod energy;
mod motion;

pub use columns::Columns;
pub use energy::{Energy, EnergyBank};
pub use motion::{Motion, motion_energy};
