//! An electrode in a cell: what it answers to a stimulus over time.

use crate::CortexError;
use crate::cells::{Cell, Filters};
use crate::error::positive;
use crate::stimulus::{Field, Stimulus};
use std::f64::consts::TAU;

/// A cell with its filters on a field.
#[derive(Clone, Debug)]
pub struct Electrode {
    cell: Cell,
    field: Field,
    filters: Filters,
    dt: f64,
    /// The course of time of each channel.
    kernels: Vec<Vec<f64>>,
}

/// A cell's rates over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Seconds between frames.
    pub dt: f64,
    /// Spikes per second, frame by frame.
    pub rates: Vec<f64>,
}

/// The most frames of one recording.
const MOST_FRAMES: f64 = 1e5;

impl Electrode {
    /// Puts an electrode into a cell that looks at `field`, with frames of `dt` seconds.
    ///
    /// # Errors
    /// The receptive field does not fit the field's pixels, or `dt` is not above 0.
    pub fn new(cell: &Cell, field: &Field, dt: f64) -> Result<Self, CortexError> {
        positive("the length of a frame", dt)?;
        let filters = cell.filters(field)?;
        let kernels = filters.channels.iter().map(|(_, temporal)| temporal.kernel(dt)).collect();
        Ok(Self { cell: cell.clone(), field: *field, filters, dt, kernels })
    }

    /// The cell.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// The field that the cell looks at.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// The cell's filters.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    /// The receptive field on the field's pixels.
    pub fn receptive_field(&self) -> Vec<f64> {
        self.cell.receptive_field(&self.filters)
    }

    /// What the spatial filters say to one frame.
    fn look(&self, frame: &[f64]) -> Vec<f64> {
        self.filters.spatial.iter().map(|w| w.iter().zip(frame).map(|(w, v)| w * v).sum()).collect()
    }

    /// The rate that a frame is answered with that stays for good: each course of time at rest.
    pub fn settled(&self, frame: &[f64]) -> f64 {
        let seen = self.look(frame);
        let at_rest = self.filters.channels.iter().zip(&self.kernels);
        let channels: Vec<f64> = at_rest.map(|((i, _), kernel)| seen[*i] * kernel.iter().sum::<f64>()).collect();
        self.cell.rate(&channels)
    }

    /// Frames that the cell remembers.
    pub fn memory(&self) -> usize {
        self.kernels.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The rates while a stimulus is shown from time 0 for `seconds`; it was there before, too.
    ///
    /// # Errors
    /// The stimulus cannot be shown on the field, or not for so long.
    pub fn record(&self, stimulus: &Stimulus, seconds: f64) -> Result<Recording, CortexError> {
        stimulus.check(&self.field)?;
        positive("the length of a recording", seconds)?;
        if seconds / self.dt > MOST_FRAMES {
            let expected = format!("at most {} seconds of such frames", MOST_FRAMES * self.dt);
            return Err(CortexError::value("the length of a recording", seconds, expected));
        }
        let (before, frames) = (self.memory(), (seconds / self.dt).round().max(1.0) as usize);
        let time = |i: usize| (i as f64 - before as f64) * self.dt;
        let seen: Vec<Vec<f64>> =
            (0..before + frames).map(|i| self.look(&stimulus.render(&self.field, time(i)))).collect();
        Ok(Recording { dt: self.dt, rates: (before..seen.len()).map(|i| self.answer(&seen[..=i])).collect() })
    }

    /// The rate after a sequence of what the spatial filters said, the newest last.
    pub(crate) fn answer(&self, seen: &[Vec<f64>]) -> f64 {
        let channel = |((i, _), kernel): (&(usize, _), &Vec<f64>)| -> f64 {
            kernel.iter().zip(seen.iter().rev()).map(|(h, frame)| h * frame[*i]).sum()
        };
        let channels: Vec<f64> = self.filters.channels.iter().zip(&self.kernels).map(channel).collect();
        self.cell.rate(&channels)
    }
}

/// The rates of a cell while a stimulus is shown; see [`Electrode::record`].
///
/// # Errors
/// As [`Electrode::new`] and [`Electrode::record`].
pub fn record(
    cell: &Cell,
    field: &Field,
    stimulus: &Stimulus,
    seconds: f64,
    dt: f64,
) -> Result<Recording, CortexError> {
    Electrode::new(cell, field, dt)?.record(stimulus, seconds)
}

impl Recording {
    /// F0: the mean rate.
    pub fn mean(&self) -> f64 {
        self.rates.iter().sum::<f64>() / self.rates.len() as f64
    }

    /// The highest rate.
    pub fn peak(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    /// The amplitude at `frequency` cycles per second, F1 for the stimulus's own; exact over whole cycles.
    pub fn amplitude(&self, frequency: f64) -> f64 {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (i, rate) in self.rates.iter().enumerate() {
            let (sin, cos) = (TAU * frequency * i as f64 * self.dt).sin_cos();
            real += rate * cos;
            imaginary += rate * sin;
        }
        2.0 * real.hypot(imaginary) / self.rates.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Complex, Direction, EndStopped, Gabor, HubelWiesel, Lgn, Simple};
    use crate::stimulus::{Bar, Grating};
    use std::f64::consts::PI;

    fn field() -> Field {
        Field::new(4.0, 48).unwrap()
    }

    fn grating(orientation: f64, temporal: f64) -> Stimulus {
        Stimulus::Grating(Grating { orientation, frequency: 2.0, temporal, ..Grating::default() })
    }

    /// Two cycles of 4 per second.
    fn drifting(cell: &Cell, orientation: f64) -> Recording {
        record(cell, &field(), &grating(orientation, 4.0), 0.5, 0.005).unwrap()
    }

    fn ratio(recording: &Recording) -> f64 {
        recording.amplitude(4.0) / recording.mean()
    }

    #[test]
    fn rectified_sines_have_their_ratio_of_f1_to_f0() {
        // Half-wave rectification: (1/2)/(1/π). Half-squaring: (4/3π)/(1/4).
        let linear = drifting(&Cell::Simple(Simple::linear(Gabor::default())), 45.0);
        assert!((ratio(&linear) - PI / 2.0).abs() < 0.01, "{}", ratio(&linear));
        let squaring = Simple { normalisation: None, ..Simple::default() };
        let squared = drifting(&Cell::Simple(squaring), 45.0);
        assert!((ratio(&squared) - 16.0 / (3.0 * PI)).abs() < 0.01, "{}", ratio(&squared));
        let normalised = drifting(&Cell::Simple(Simple::default()), 45.0);
        assert!(ratio(&normalised) > 1.5, "normalisation leaves the modulation: {}", ratio(&normalised));
    }

    #[test]
    fn energy_does_not_depend_on_phase() {
        let cell = Cell::Complex(Complex { spontaneous: 0.0, ..Complex::default() });
        let recording = drifting(&cell, 45.0);
        assert!(ratio(&recording) < 0.01, "{}", ratio(&recording));
        let electrode = Electrode::new(&cell, &field(), 0.01).unwrap();
        let at = |phase: f64| {
            let grating = Grating { orientation: 45.0, frequency: 2.0, phase, ..Grating::default() };
            electrode.settled(&Stimulus::Grating(grating).render(&field(), 0.0))
        };
        let rates: Vec<f64> = (0..12).map(|i| at(30.0 * f64::from(i))).collect();
        let (low, high) = (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
        assert!(high - low < 0.002 * high, "{low} {high}");
        // A simple cell answers to half of all phases.
        let simple = Electrode::new(&Cell::Simple(Simple::default()), &field(), 0.01).unwrap();
        let opposite = Grating { orientation: 45.0, frequency: 2.0, phase: 180.0, ..Grating::default() };
        assert_eq!(simple.settled(&Stimulus::Grating(opposite).render(&field(), 0.0)), 0.0);
    }

    #[test]
    fn a_linear_cell_has_the_gabors_tuning() {
        let gabor = Gabor::default();
        let cell = Cell::Simple(Simple::linear(gabor));
        let best = drifting(&cell, 45.0).peak();
        for turn in [10.0, 20.0, 40.0] {
            let share = drifting(&cell, 45.0 + turn).peak() / best;
            let expected = gabor.response(45.0 + turn, 2.0) / gabor.response(45.0, 2.0);
            assert!((share - expected).abs() < 0.01, "{turn}: {share} {expected}");
        }
    }

    #[test]
    fn motion_energy_is_that_of_the_transfer_functions() {
        let direction = Direction { spontaneous: 0.0, ..Direction::default() };
        let cell = Cell::Direction(direction);
        let [preferred, other] = direction.transfer(4.0);
        let (there, back) = (drifting(&cell, 45.0), drifting(&cell, 225.0));
        assert!((back.mean() / there.mean() - other / preferred).abs() < 0.02, "{} {}", back.mean(), there.mean());
        assert!(1.0 - other / preferred > 0.7, "the direction index");
        assert!(ratio(&there) < 0.02, "constant in time: {}", ratio(&there));
        let strongest = direction.transfer(direction.best_frequency())[0];
        // Pixels average the grating: by sinc along both axes, and energy is its square.
        let along = PI * 2.0 * 45.0_f64.to_radians().cos() * field().pixel();
        let expected = 100.0 * preferred / strongest * (along.sin() / along).powi(4);
        assert!((there.mean() - expected).abs() < 0.5, "{} {expected}", there.mean());
    }

    #[test]
    fn lgn_cells_do_not_care_for_orientation_and_rows_of_them_do() {
        let lgn = Cell::Lgn(Lgn::default());
        let (a, b) = (drifting(&lgn, 10.0).amplitude(4.0), drifting(&lgn, 80.0).amplitude(4.0));
        assert!((a / b - 1.0).abs() < 0.01, "{a} {b}");
        let rows = Cell::HubelWiesel(HubelWiesel::default());
        let (best, across) = (drifting(&rows, 45.0), drifting(&rows, 135.0));
        assert!(best.mean() > 10.0 && across.mean() < 0.01 * best.mean(), "{} {}", best.mean(), across.mean());
        assert!(ratio(&best) > 1.0, "a simple cell: {}", ratio(&best));
    }

    #[test]
    fn end_stopped_cells_prefer_short_bars() {
        let cell = Cell::EndStopped(EndStopped::default());
        let electrode = Electrode::new(&cell, &field(), 0.01).unwrap();
        let at = |length: f64| {
            let bar = Bar { orientation: 45.0, length, width: 0.25, contrast: 1.0, middle: [0.0; 2], speed: 0.0 };
            electrode.settled(&Stimulus::Bar(bar).render(&field(), 0.0))
        };
        let (short, best, long) = (at(0.1), at(1.0), at(3.5));
        assert!(best > 1.5 * short && long < 0.2 * best, "{short} {best} {long}");
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let cell = Cell::Simple(Simple::default());
        let fine = Stimulus::Grating(Grating { frequency: 100.0, ..Grating::default() });
        assert!(record(&cell, &field(), &fine, 1.0, 0.01).is_err());
        assert!(record(&cell, &Field::new(4.0, 8).unwrap(), &grating(0.0, 1.0), 1.0, 0.01).is_err());
        assert!(record(&cell, &field(), &grating(0.0, 1.0), 1.0, 0.0).is_err());
        assert!(record(&cell, &field(), &grating(0.0, 1.0), 1e9, 0.01).is_err());
    }
}
