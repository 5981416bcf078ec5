//! Where seeing begins: the cells that Hubel and Wiesel found, experiments on them, and the Neocognitron that they inspired.
//!
//! * [`stimulus`]: what is shown, in degrees of visual field.
//! * [`cells`]: retinal, simple, complex, direction-selective and end-stopped cells, and their spikes.
//! * [`experiment`]: the electrode's session: sweeps, tuning curves, reverse correlation.
//! * [`sheet`]: what a sheet of such cells finds in pictures and films.
//! * [`plate`]: figures of all of it.
//! * [`neocognitron`]: Fukushima's networks of 1980 and 2003.

pub mod cells;
mod error;
pub mod experiment;
pub mod neocognitron;
pub mod plate;
pub mod sheet;
pub mod stimulus;

pub use error::CortexError;
