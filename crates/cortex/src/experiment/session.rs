//! Sweeps: one property of a stimulus takes value after value, each is shown in several trials, and spikes are counted.

use super::electrode::{Electrode, Recording};
use super::measures::{direction_index, end_stopping, half_width, selectivity};
use super::{Fit, fit_frequency, fit_orientation};
use crate::CortexError;
use crate::cells::{Cell, spikes};
use crate::stimulus::{Bar, Grating, Stimulus};
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// The orientation, 0° to 180°; gratings drift in one direction.
    Orientation,
    /// The direction of motion, 0° to 360°.
    Direction,
    /// Cycles per degree of a grating.
    Frequency,
    /// Cycles per second of a grating.
    Temporal,
    /// The phase of a grating at rest, in degrees.
    Phase,
    /// Where a bar at rest is, across its orientation, in degrees of visual field.
    Position,
    /// A bar's length.
    Length,
    /// A bar's width.
    Width,
    /// A moving bar's degrees per second.
    Speed,
    /// The contrast.
    Contrast,
    /// The radius of the window that a grating is seen through.
    Size,
}

impl Axis {
    /// Every axis.
    pub const ALL: [Self; 11] = [
        Self::Orientation,
        Self::Direction,
        Self::Frequency,
        Self::Temporal,
        Self::Phase,
        Self::Position,
        Self::Length,
        Self::Width,
        Self::Speed,
        Self::Contrast,
        Self::Size,
    ];

    /// The name it is chosen by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orientation => "orientation",
            Self::Direction => "direction",
            Self::Frequency => "frequency",
            Self::Temporal => "temporal",
            Self::Phase => "phase",
            Self::Position => "position",
            Self::Length => "length",
            Self::Width => "width",
            Self::Speed => "speed",
            Self::Contrast => "contrast",
            Self::Size => "size",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Orientation | Self::Direction | Self::Phase => "degrees",
            Self::Frequency => "cycles per degree",
            Self::Temporal => "cycles per second",
            Self::Position | Self::Length | Self::Width | Self::Size => "degrees of visual field",
            Self::Speed => "degrees per second",
            Self::Contrast => "contrast",
        }
    }

    /// Values that show a cell's tuning well.
    pub fn values(self, electrode: &Electrode) -> Vec<f64> {
        let spread = |n: usize, low: f64, high: f64| -> Vec<f64> {
            (0..n).map(|i| low + (high - low) * i as f64 / (n as f64 - 1.0)).collect()
        };
        let (own, frequency) = electrode.cell().preferred();
        // Around the circle in equal steps, the best value among them.
        let around = |n: u32, step: f64, best: f64| -> Vec<f64> {
            (0..n).map(|i| best.rem_euclid(step) + step * f64::from(i)).collect()
        };
        let (field, nyquist) = (electrode.field().degrees(), electrode.field().nyquist());
        match self {
            Self::Orientation => around(18, 10.0, own.unwrap_or(0.0)),
            Self::Direction => around(24, 15.0, own.unwrap_or(0.0) + 90.0),
            Self::Phase => (0..16).map(|i| 22.5 * f64::from(i)).collect(),
            Self::Frequency => {
                let octaves = spread(13, -2.0, 2.0).into_iter().map(|o| frequency * o.exp2());
                octaves.filter(|f| *f <= nyquist).collect()
            }
            Self::Temporal => spread(9, -1.0, 5.0).into_iter().map(f64::exp2).collect(),
            Self::Position => spread(25, -1.5 / frequency, 1.5 / frequency),
            Self::Length => spread(17, 0.05 * field, 0.95 * field),
            Self::Width => spread(17, 0.05 / frequency, 2.0 / frequency),
            Self::Speed => spread(9, -2.0, 4.0).into_iter().map(f64::exp2).collect(),
            Self::Contrast => spread(9, -3.0, 0.0).into_iter().map(|o| (2.0 * o).exp2()).collect(),
            Self::Size => spread(15, 0.05 * field, 0.5 * field),
        }
    }
}

/// How a sweep is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// What is swept.
    pub axis: Axis,
    /// Its values.
    pub values: Vec<f64>,
    /// Trials of each.
    pub trials: usize,
    /// Seconds of each.
    pub seconds: f64,
    /// The highest contrast.
    pub contrast: f64,
    /// Cycles per second of drifting gratings.
    pub temporal: f64,
    /// Whether a light bar sweeps over the field instead of a drifting grating, where either can serve.
    pub bar: bool,
    /// The orientation of what is not swept over orientations; none: the cell's own.
    pub orientation: Option<f64>,
    /// Decides the spikes.
    pub seed: u64,
}

impl Sweep {
    /// A sweep over the usual values, ten trials of a second each.
    pub fn new(axis: Axis, electrode: &Electrode) -> Self {
        let bar = matches!(axis, Axis::Position | Axis::Length | Axis::Width | Axis::Speed);
        Self {
            axis,
            values: axis.values(electrode),
            trials: 10,
            seconds: 1.0,
            contrast: 0.8,
            temporal: 4.0,
            bar,
            orientation: None,
            seed: 0,
        }
    }

    /// The stimulus with this value.
    pub fn stimulus(&self, electrode: &Electrode, value: f64) -> Stimulus {
        let (own, frequency) = electrode.cell().preferred();
        let orientation = match self.axis {
            Axis::Orientation => value,
            Axis::Direction => value - 90.0,
            _ => self.orientation.or(own).unwrap_or(90.0),
        };
        let of = |axis: Axis, usual: f64| if self.axis == axis { value } else { usual };
        let contrast = of(Axis::Contrast, self.contrast);
        let field = electrode.field().degrees();
        if self.bar {
            let moves = matches!(self.axis, Axis::Orientation | Axis::Direction | Axis::Speed | Axis::Contrast);
            let speed = if moves { of(Axis::Speed, field / self.seconds) } else { 0.0 };
            let (across, half) = (crate::stimulus::towards(orientation + 90.0), speed * self.seconds / 2.0);
            let from = of(Axis::Position, 0.0) - half;
            // Long stripes silence an end-stopped cell.
            let long = self.axis == Axis::Width && !matches!(electrode.cell(), Cell::EndStopped(_));
            let bar = Bar {
                orientation,
                length: of(Axis::Length, if long { field } else { 2.0 / frequency }),
                width: of(Axis::Width, 0.5 / frequency),
                contrast,
                middle: across.map(|a| a * from),
                speed,
            };
            return Stimulus::Bar(bar);
        }
        let still = self.axis == Axis::Phase;
        Stimulus::Grating(Grating {
            orientation,
            frequency: of(Axis::Frequency, frequency),
            temporal: if still { 0.0 } else { of(Axis::Temporal, self.temporal) },
            phase: of(Axis::Phase, 0.0),
            contrast,
            window: (self.axis == Axis::Size).then_some(value),
            ..Grating::default()
        })
    }
}

/// The answers to one value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// The mean rate, F0.
    pub f0: f64,
    /// The rate's amplitude at the grating's temporal frequency, F1; 0 where nothing drifts.
    pub f1: f64,
    /// The highest rate.
    pub peak: f64,
    /// Spikes per second, the mean over trials.
    pub spikes: f64,
    /// The standard error of that.
    pub error: f64,
    /// The rate over time.
    #[serde(skip)]
    pub recording: Recording,
    /// Times of spikes, trial by trial.
    #[serde(skip)]
    pub raster: Vec<Vec<f64>>,
}

/// A cell's tuning along one axis, and the numbers that it is told by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuning {
    /// What was swept.
    pub axis: Axis,
    /// The answers, value by value.
    pub points: Vec<Point>,
    /// Whether `f1` is what the cell is judged by: it modulates more than it rises.
    pub modulated: bool,
    /// The value that is answered most strongly.
    pub best: f64,
    /// F1/F0 at the best value, spontaneous activity taken off; of drifting gratings only. Above 1: simple; below: complex.
    pub f1_f0: Option<f64>,
    /// A fitted curve, for orientation, direction and spatial frequency.
    pub fit: Option<Fit>,
    /// Half the width at half the height of the measured answers; orientation and direction.
    pub half_width: Option<f64>,
    /// 1 − opposite/preferred; direction only.
    pub direction_index: Option<f64>,
    /// 1 less the circular variance; orientation and direction.
    pub selectivity: Option<f64>,
    /// 1 − longest/best; length and size only.
    pub end_stopping: Option<f64>,
}

impl Tuning {
    /// What the cell is judged by at each value: F1 where it modulates, else F0.
    pub fn answers(&self) -> Vec<f64> {
        self.points.iter().map(|p| if self.modulated { p.f1 } else { p.f0 }).collect()
    }
}

/// Makes a sweep. The same at any number of threads.
///
/// # Errors
/// A stimulus that cannot be shown, no values, or no trials.
pub fn sweep(cpu: &Cpu, electrode: &Electrode, plan: &Sweep) -> Result<Tuning, CortexError> {
    if plan.values.is_empty() || plan.trials == 0 {
        let found = format!("{} values in {} trials", plan.values.len(), plan.trials);
        return Err(CortexError::value("the sweep", found, "one or more values in one or more trials"));
    }
    let mut found: Vec<Option<Result<Point, CortexError>>> = plan.values.iter().map(|_| None).collect();
    cpu.chunks(&mut found, 1, |i, to| to[0] = Some(point(electrode, plan, i)));
    let points = found.into_iter().flatten().collect::<Result<Vec<_>, _>>()?;
    Ok(judge(electrode, plan, points))
}

fn point(electrode: &Electrode, plan: &Sweep, index: usize) -> Result<Point, CortexError> {
    let value = plan.values[index];
    let stimulus = plan.stimulus(electrode, value);
    let recording = electrode.record(&stimulus, plan.seconds)?;
    let drift = match stimulus {
        Stimulus::Grating(grating) => grating.temporal.abs(),
        _ => 0.0,
    };
    let trial = |t: usize| spikes(&recording.rates, recording.dt, plan.seed, (index * plan.trials + t) as u64);
    let raster: Vec<Vec<f64>> = (0..plan.trials).map(trial).collect();
    let counts: Vec<f64> = raster.iter().map(|r| r.len() as f64 / plan.seconds).collect();
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / n;
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Ok(Point {
        value,
        f0: recording.mean(),
        f1: if drift > 0.0 { recording.amplitude(drift) } else { 0.0 },
        peak: recording.peak(),
        spikes: mean,
        error: (variance / n).sqrt(),
        recording,
        raster,
    })
}

fn judge(electrode: &Electrode, plan: &Sweep, points: Vec<Point>) -> Tuning {
    let grey = vec![0.0; electrode.field().pixels().pow(2)];
    let spontaneous = electrode.settled(&grey);
    let strongest = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).fold(f64::MIN, f64::max);
    let (f0, f1) = (strongest(&|p| p.f0 - spontaneous), strongest(&|p| p.f1));
    let modulated = f1 > f0;
    let answers: Vec<f64> = points.iter().map(|p| if modulated { p.f1 } else { p.f0 }).collect();
    let best = (0..answers.len()).fold(0, |best, i| if answers[i] > answers[best] { i } else { best });
    let drifts = points.iter().any(|p| p.f1 > 0.0);
    let driven = points[best].f0 - spontaneous;
    // What answers alike to all orientations prefers none.
    let weakest = answers.iter().copied().fold(f64::MAX, f64::min);
    let turns = matches!(plan.axis, Axis::Orientation | Axis::Direction);
    let tuned = !turns || answers[best] - weakest > 0.01 * answers[best];
    let period = if plan.axis == Axis::Direction { 360.0 } else { 180.0 };
    let grown = matches!(plan.axis, Axis::Length | Axis::Size);
    let xs = &plan.values;
    Tuning {
        axis: plan.axis,
        best: points[best].value,
        f1_f0: (drifts && driven > 0.0).then(|| points[best].f1 / driven),
        fit: match plan.axis {
            Axis::Orientation | Axis::Direction if tuned => fit_orientation(xs, &answers, period),
            Axis::Frequency => fit_frequency(xs, &answers),
            _ => None,
        },
        half_width: (turns && tuned).then(|| half_width(&answers, period)).flatten(),
        direction_index: (plan.axis == Axis::Direction).then(|| direction_index(&answers)),
        selectivity: turns.then(|| selectivity(&answers, period)),
        end_stopping: grown.then(|| end_stopping(&answers)),
        modulated,
        points,
    }
}
