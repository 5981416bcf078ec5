//! The cells on the way from the eye to the striate cortex, as the field models them.
//!
//! Every cell is a set of linear filters, separable in space and time, and a rule without memory that makes a rate of spikes
//! of what they say: so an electrode records from all of them alike ([`crate::experiment::record`]). Strengths are such that
//! the best stimulus of contrast 1 drives a linear filter to 1. Rates are in spikes per second.

mod complex;
mod difference;
mod direction;
mod end_stopped;
mod gabor;
mod hubel_wiesel;
mod lgn;
mod normalisation;
mod simple;
mod spikes;
mod temporal;

pub use complex::Complex;
pub use difference::DifferenceOfGaussians;
pub use direction::Direction;
pub use end_stopped::EndStopped;
pub use gabor::Gabor;
pub use hubel_wiesel::HubelWiesel;
pub use lgn::Lgn;
pub use normalisation::Normalisation;
pub use simple::Simple;
pub use spikes::{count, spikes};
pub use temporal::Temporal;

use crate::CortexError;
use crate::stimulus::Field;

/// Rates in spikes per second above which no cell answers.
pub const MOST_SPIKES: f64 = 1000.0;

/// A cell of the visual pathway.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A ganglion cell or one of the lateral geniculate nucleus.
    Lgn(Lgn),
    /// A simple cell with a Gabor's receptive field.
    Simple(Simple),
    /// A simple cell made of rows of LGN cells.
    HubelWiesel(HubelWiesel),
    /// A complex cell.
    Complex(Complex),
    /// A complex cell that answers to one direction.
    Direction(Direction),
    /// A hypercomplex cell.
    EndStopped(EndStopped),
}

/// A cell's linear filters: weights for each pixel of a field, and which of them are read through which course of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// In space: pixels² each.
    pub spatial: Vec<Vec<f64>>,
    /// The number of the spatial filter and the course of time of each channel.
    pub channels: Vec<(usize, Temporal)>,
}

impl Filters {
    /// Filters that share one course of time.
    fn all(spatial: Vec<Vec<f64>>, temporal: Temporal) -> Self {
        let channels = (0..spatial.len()).map(|i| (i, temporal)).collect();
        Self { spatial, channels }
    }
}

impl Cell {
    /// The names by which cells are chosen.
    pub const NAMES: [&str; 6] = ["lgn", "simple", "hubel-wiesel", "complex", "direction", "end-stopped"];

    /// A typical cell by its name: preferred orientation 45°, 2 cycles per degree, receptive field in the middle.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "lgn" => Some(Self::Lgn(Lgn::default())),
            "simple" => Some(Self::Simple(Simple::default())),
            "hubel-wiesel" => Some(Self::HubelWiesel(HubelWiesel::default())),
            "complex" => Some(Self::Complex(Complex::default())),
            "direction" => Some(Self::Direction(Direction::default())),
            "end-stopped" => Some(Self::EndStopped(EndStopped::default())),
            _ => None,
        }
    }

    /// The kind's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lgn(_) => "lgn",
            Self::Simple(_) => "simple",
            Self::HubelWiesel(_) => "hubel-wiesel",
            Self::Complex(_) => "complex",
            Self::Direction(_) => "direction",
            Self::EndStopped(_) => "end-stopped",
        }
    }

    /// The Gabor that decides what the cell prefers; none for cells without an orientation.
    pub fn gabor(&self) -> Option<Gabor> {
        match self {
            Self::Lgn(_) | Self::HubelWiesel(_) => None,
            Self::Simple(cell) => Some(cell.gabor),
            Self::Complex(cell) => Some(cell.gabor),
            Self::Direction(cell) => Some(cell.gabor),
            Self::EndStopped(cell) => Some(cell.gabor),
        }
    }

    /// The orientation and the spatial frequency that the cell prefers, where it has an orientation.
    pub fn preferred(&self) -> (Option<f64>, f64) {
        match self {
            Self::Lgn(cell) => (None, cell.field.best_frequency()),
            Self::HubelWiesel(cell) => (Some(cell.orientation), cell.frequency()),
            _ => self.gabor().map_or((None, 1.0), |g| (Some(g.orientation), g.frequency)),
        }
    }

    /// Its filters on a field.
    ///
    /// # Errors
    /// The field is too coarse or too small for the receptive field.
    pub fn filters(&self, field: &Field) -> Result<Filters, CortexError> {
        if let Some(gabor) = self.gabor() {
            gabor.check(field)?;
        }
        Ok(match self {
            Self::Lgn(cell) => cell.filters(field),
            Self::Simple(cell) => cell.filters(field),
            Self::HubelWiesel(cell) => cell.filters(field),
            Self::Complex(cell) => cell.filters(field),
            Self::Direction(cell) => cell.filters(field),
            Self::EndStopped(cell) => cell.filters(field),
        })
    }

    /// The receptive field as one picture: what light at each place adds, first or (for cells with several filters) in the
    /// first of them.
    pub fn receptive_field(&self, filters: &Filters) -> Vec<f64> {
        let signed = |sign: &dyn Fn(usize) -> f64| {
            let mut sum = vec![0.0; filters.spatial[0].len()];
            for (i, weights) in filters.spatial.iter().enumerate() {
                sum.iter_mut().zip(weights).for_each(|(s, w)| *s += sign(i) * w);
            }
            sum
        };
        match self {
            Self::Lgn(cell) => signed(&|_| if cell.off { -1.0 } else { 1.0 }),
            Self::HubelWiesel(cell) => signed(&|i| cell.sign(i)),
            _ => filters.spatial[0].clone(),
        }
    }

    /// The rate that follows from what its channels say.
    pub fn rate(&self, channels: &[f64]) -> f64 {
        let rate = match self {
            Self::Lgn(cell) => cell.rate(channels),
            Self::Simple(cell) => cell.rate(channels),
            Self::HubelWiesel(cell) => cell.rate(channels),
            Self::Complex(cell) => cell.rate(channels),
            Self::Direction(cell) => cell.rate(channels),
            Self::EndStopped(cell) => cell.rate(channels),
        };
        rate.clamp(0.0, MOST_SPIKES)
    }
}
