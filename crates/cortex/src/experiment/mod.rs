//! The electrode's session: a cell is chosen, stimuli are swept, and what it answers is measured as the literature does.

mod eigen;
mod electrode;
mod fit;
mod gabor_fit;
mod histogram;
mod least_squares;
mod measures;
mod reverse;
mod session;

pub use eigen::{Eigen, symmetric_eigen};
pub use electrode::{Electrode, Recording, record};
pub use fit::{Fit, TuningCurve, fit_frequency, fit_orientation};
pub use gabor_fit::{GaborFit, fit_gabor};
pub use histogram::histogram;
pub use measures::{direction_index, end_stopping, half_width, selectivity};
pub use reverse::{Reverse, ReverseOptions, correlation, reverse_correlation, within};
pub use session::{Axis, Point, Sweep, Tuning, sweep};
