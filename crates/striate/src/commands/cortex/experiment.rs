//! `striate cortex experiment`: the electrode's session with one cell.

use crate::commands::{Machine, print_json, print_line, print_table};
use crate::figures::decimal;
use crate::progress::{Bar, remark};
use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_cortex::CortexError;
use striate_cortex::cells::Cell;
use striate_cortex::experiment::{
    Axis, Electrode, Reverse, ReverseOptions, Sweep, Tuning, correlation, reverse_correlation, sweep, within,
};
use striate_cortex::plate::{animation, experiment_plate, session_film};
use striate_cortex::stimulus::Field;
use striate_kernels::Cpu;
use striate_train::new_folder;
use striate_weights::write_atomic;

/// Put an electrode into a cell of the visual pathway and measure what it answers
#[derive(clap::Args)]
#[command(after_help = "\
Cells: lgn (centre and surround), simple (Gabor), hubel-wiesel (a simple cell made of rows of LGN cells), complex (energy), \
direction (motion energy), end-stopped. They prefer 45° and 2 cycles per degree unless it is said otherwise.
Angles are those of bars and stripes, counter-clockwise from the horizontal; what moves does so 90° further.

Examples:
  striate cortex experiment simple
  striate cortex experiment complex --sweep orientation --sweep phase --reverse 30000
  striate cortex experiment end-stopped --sweep length
  striate cortex experiment direction --sweep direction --bar --film

The folder runs/cortex/<cell> holds plate.svg, tuning.csv, spikes.csv and summary.json, with --film also film.png (an animated \
PNG). With --json the last line on stdout is summary.json's object: {\"cell\", \"sweeps\": [{\"axis\", \"best\", \"half_width\", \
\"direction_index\", \"f1_f0\", \"fit\", \"points\", …}], \"reverse\", \"folder\"}.")]
pub struct Args {
    /// The cell
    #[arg(value_parser = PossibleValuesParser::new(Cell::NAMES))]
    cell: String,
    /// What is swept; may be given several times [default: what shows the cell best]
    #[arg(long, value_name = "AXIS", value_parser = axis())]
    sweep: Vec<Axis>,
    /// The preferred orientation, in degrees
    #[arg(long, value_name = "DEG", default_value_t = 45.0, allow_negative_numbers = true)]
    orientation: f64,
    /// The preferred spatial frequency, in cycles per degree; receptive fields keep their shape
    #[arg(long, value_name = "CPD", default_value_t = 2.0)]
    frequency: f64,
    /// The receptive field's phase, in degrees; simple cells only
    #[arg(long, value_name = "DEG", default_value_t = 0.0, allow_negative_numbers = true)]
    phase: f64,
    /// Degrees of visual field along the screen's side
    #[arg(long, value_name = "DEG", default_value_t = 4.0)]
    degrees: f64,
    /// Pixels along the screen's side
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=1024))]
    pixels: u32,
    /// Trials of each stimulus
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trials: u32,
    /// Seconds of each trial
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    seconds: f64,
    /// The stimuli's highest contrast
    #[arg(long, value_name = "C", default_value_t = 0.8, allow_negative_numbers = true)]
    contrast: f64,
    /// Cycles per second of drifting gratings
    #[arg(long, value_name = "HZ", default_value_t = 4.0, allow_negative_numbers = true)]
    temporal: f64,
    /// Sweep a light bar over the field (a dark one with a contrast below 0) instead of drifting gratings
    #[arg(long)]
    bar: bool,
    /// Show so many frames of white noise, and recover the receptive field from the spikes; 0: none
    #[arg(long, value_name = "FRAMES", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    reverse: u32,
    /// Also an animation of the best stimulus with the cell's answer
    #[arg(long)]
    film: bool,
    /// The seed of spikes and noise
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where the session's folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/cortex")]
    out: PathBuf,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

fn axis() -> impl TypedValueParser<Value = Axis> {
    PossibleValuesParser::new(Axis::ALL.map(Axis::name))
        .map(|name| Axis::ALL.into_iter().find(|a| a.name() == name).unwrap_or(Axis::Orientation))
}

/// Seconds of a frame: 200 a second.
const FRAME: f64 = 0.005;
/// Pixels along the side of noise.
const NOISE: usize = 16;
/// Frames of a session between those of its animation.
const EVERY: usize = 8;

impl Args {
    /// Measures, writes and prints.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let cell = self.cell();
        let field = Field::new(self.degrees, self.pixels as usize)?;
        let electrode = Electrode::new(&cell, &field, FRAME)?;
        let (axes, mut sweeps, bar) = (self.axes(), Vec::new(), Bar::new());
        bar.begin("session", axes.len() as u64 + 1);
        for axis in axes {
            let plan = self.plan(axis, &electrode);
            let tuning = sweep(&cpu, &electrode, &plan)?;
            sweeps.push((plan, tuning));
            bar.at(sweeps.len() as u64, || format!("{} swept", axis.name()));
        }
        let noise = self.noise(&cpu, &cell)?;
        bar.end();
        let folder = new_folder(&self.out, cell.name())?;
        remark(&format!("session {}", folder.display()));
        let reverse = noise.as_ref().map(|(electrode, reverse)| summary_of(electrode, reverse));
        let summary = json!({
            "cell": cell.name(),
            "sweeps": sweeps.iter().map(|(_, t)| t).collect::<Vec<_>>(),
            "reverse": reverse,
            "folder": folder,
        });
        self.write(&folder, &electrode, &sweeps, noise.as_ref(), &summary)?;
        if self.json {
            print_json(&summary)?;
        } else {
            print(&sweeps, reverse.as_ref())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The cell with the preferences that were asked for.
    fn cell(&self) -> Cell {
        let mut cell = Cell::named(&self.cell).unwrap_or(Cell::Simple(striate_cortex::cells::Simple::default()));
        let scale = 2.0 / self.frequency;
        match &mut cell {
            Cell::Lgn(c) => {
                c.field.centre *= scale;
                c.field.surround *= scale;
            }
            Cell::HubelWiesel(c) => {
                c.orientation = self.orientation;
                c.spacing *= scale;
                c.between *= scale;
                c.lgn.centre *= scale;
                c.lgn.surround *= scale;
            }
            Cell::Simple(c) => c.gabor.phase = self.phase,
            Cell::EndStopped(c) => c.ends *= scale,
            Cell::Complex(c) => c.spacing *= scale,
            Cell::Direction(_) => {}
        }
        if let Some(gabor) = gabor(&mut cell) {
            gabor.orientation = self.orientation;
            gabor.frequency = self.frequency;
            gabor.across *= scale;
            gabor.along *= scale;
        }
        cell
    }

    fn axes(&self) -> Vec<Axis> {
        if !self.sweep.is_empty() {
            return self.sweep.clone();
        }
        match self.cell.as_str() {
            "lgn" => vec![Axis::Orientation, Axis::Frequency, Axis::Size],
            "complex" => vec![Axis::Orientation, Axis::Frequency, Axis::Phase, Axis::Contrast],
            "direction" => vec![Axis::Direction, Axis::Frequency, Axis::Temporal],
            "end-stopped" => vec![Axis::Length, Axis::Orientation, Axis::Width],
            _ => vec![Axis::Orientation, Axis::Frequency, Axis::Phase, Axis::Position],
        }
    }

    fn plan(&self, axis: Axis, electrode: &Electrode) -> Sweep {
        let usual = Sweep::new(axis, electrode);
        let grating = matches!(axis, Axis::Frequency | Axis::Temporal | Axis::Phase | Axis::Size);
        Sweep {
            trials: self.trials as usize,
            seconds: self.seconds,
            contrast: self.contrast,
            temporal: self.temporal,
            // Long stripes silence an end-stopped cell.
            bar: usual.bar || ((self.bar || self.cell == "end-stopped") && !grating),
            seed: self.seed,
            ..usual
        }
    }

    /// Reverse correlation on a screen of fewer pixels around the receptive field.
    fn noise(&self, cpu: &Cpu, cell: &Cell) -> Result<Option<(Electrode, Reverse)>> {
        // A cell that does not answer to what rests is not driven by frames that rest.
        if self.reverse == 0 || matches!(cell, Cell::Direction(_)) {
            return Ok(None);
        }
        let (_, frequency) = cell.preferred();
        let field = Field::new((3.2 / frequency).min(self.degrees), NOISE)?;
        let electrode = Electrode::new(cell, &field, FRAME)?;
        let covariance = matches!(cell, Cell::Complex(_) | Cell::EndStopped(_));
        // Rows of LGN cells must answer together before it fires.
        let contrast = if matches!(cell, Cell::HubelWiesel(_)) { 0.8 } else { ReverseOptions::default().contrast };
        let (frames, seed) = (self.reverse as usize, self.seed);
        let options = ReverseOptions { frames, contrast, seed, covariance, ..ReverseOptions::default() };
        let found = reverse_correlation(cpu, &electrode, &options)?;
        if found.is_none() {
            remark(&format!(
                "note: {frames} frames of noise made no spikes, so no receptive field is recovered from them"
            ));
        }
        Ok(found.map(|found| (electrode, found)))
    }

    fn write(
        &self,
        folder: &Path,
        electrode: &Electrode,
        sweeps: &[(Sweep, Tuning)],
        noise: Option<&(Electrode, Reverse)>,
        summary: &Value,
    ) -> Result<()> {
        let write = |name: &str, bytes: &[u8]| write_atomic(&folder.join(name), |out| out.write_all(bytes));
        write("plate.svg", experiment_plate(electrode, sweeps, noise.map(|(e, r)| (e, r)))?.as_bytes())?;
        write("tuning.csv", tuning_table(sweeps).as_bytes())?;
        write("spikes.csv", spikes_table(sweeps).as_bytes())?;
        write("summary.json", serde_json::to_string_pretty(summary)?.as_bytes())?;
        if self.film {
            write("film.png", &self.film(electrode, sweeps)?)?;
        }
        Ok(())
    }

    /// The first sweep's best stimulus and the cell's answer to it, at 25 frames a second.
    fn film(&self, electrode: &Electrode, sweeps: &[(Sweep, Tuning)]) -> Result<Vec<u8>, CortexError> {
        let Some((plan, tuning)) = sweeps.first() else { return animation(&[], 4) };
        let stimulus = plan.stimulus(electrode, tuning.best);
        let recording = electrode.record(&stimulus, plan.seconds)?;
        animation(&session_film(electrode, &stimulus, &recording, self.seed, EVERY)?, 4)
    }
}

fn gabor(cell: &mut Cell) -> Option<&mut striate_cortex::cells::Gabor> {
    match cell {
        Cell::Lgn(_) | Cell::HubelWiesel(_) => None,
        Cell::Simple(c) => Some(&mut c.gabor),
        Cell::Complex(c) => Some(&mut c.gabor),
        Cell::Direction(c) => Some(&mut c.gabor),
        Cell::EndStopped(c) => Some(&mut c.gabor),
    }
}

fn summary_of(electrode: &Electrode, reverse: &Reverse) -> Value {
    let truth = &electrode.filters().spatial;
    let axes = reverse.covariance.as_ref().map(|eigen| {
        let two = &eigen.vectors[..eigen.vectors.len().min(2)];
        json!({
            "eigenvalues": eigen.values.iter().take(8).collect::<Vec<_>>(),
            "true_fields_within_two_axes": truth.iter().take(2).map(|t| within(t, two)).collect::<Vec<_>>(),
        })
    });
    json!({ "spikes": reverse.spikes, "correlation": correlation(&reverse.average, &electrode.receptive_field()), "covariance": axes })
}

fn tuning_table(sweeps: &[(Sweep, Tuning)]) -> String {
    let mut text = "axis,unit,value,f0,f1,peak,spikes_per_second,standard_error\n".to_owned();
    for (plan, tuning) in sweeps {
        for p in &tuning.points {
            let (axis, unit) = (plan.axis.name(), plan.axis.unit());
            let _ = writeln!(text, "{axis},{unit},{},{},{},{},{},{}", p.value, p.f0, p.f1, p.peak, p.spikes, p.error);
        }
    }
    text
}

fn spikes_table(sweeps: &[(Sweep, Tuning)]) -> String {
    let mut text = "axis,value,trial,seconds\n".to_owned();
    for (plan, tuning) in sweeps {
        for p in &tuning.points {
            for (trial, times) in p.raster.iter().enumerate() {
                for time in times {
                    let _ = writeln!(text, "{},{},{},{time:.5}", plan.axis.name(), p.value, trial + 1);
                }
            }
        }
    }
    text
}

fn print(sweeps: &[(Sweep, Tuning)], reverse: Option<&Value>) -> Result<()> {
    let number = |x: Option<f64>| x.map_or_else(String::new, decimal);
    let row = |(plan, t): &(Sweep, Tuning)| {
        let half = t.fit.as_ref().map(|f| f.half_width).or(t.half_width);
        let r2 = t.fit.as_ref().map(|f| f.r2);
        let answers = t.answers();
        let best = answers.iter().copied().fold(0.0, f64::max);
        let mut row = vec![plan.axis.name().to_owned(), decimal(t.best), decimal(best)];
        row.extend([half, r2, t.f1_f0, t.direction_index, t.selectivity, t.end_stopping].map(number));
        row
    };
    let header =
        ["sweep", "best", "answer", "half-width", "r²", "F1/F0", "direction index", "selectivity", "end-stopping"];
    print_table(&header, &sweeps.iter().map(row).collect::<Vec<_>>())?;
    if let Some(reverse) = reverse {
        let likeness = reverse["correlation"].as_f64().unwrap_or(0.0);
        print_line(&format!("reverse correlation: {} spikes, STA like the field by {likeness:.3}", reverse["spikes"]))?;
        if let Some(shares) = reverse["covariance"]["true_fields_within_two_axes"].as_array() {
            let shares: Vec<String> = shares.iter().filter_map(Value::as_f64).map(|s| format!("{s:.3}")).collect();
            print_line(&format!("STC: the true pair lies within its first two axes by {}", shares.join(" and ")))?;
        }
    }
    Ok(())
}
