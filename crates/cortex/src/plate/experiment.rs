//! The plate of a session with one cell: its receptive field, the best stimulus, tuning curves, spikes, and what reverse
//! correlation found.

use super::axes::{Axes, number};
use super::svg::Anchor;
use super::{Image, Svg, diverging, grey};
use crate::CortexError;
use crate::experiment::{Axis, Electrode, Reverse, Sweep, Tuning, correlation, histogram, within};
use crate::stimulus::Field;

/// A panel's size; three stand side by side.
const PANEL: (f64, f64) = (350.0, 270.0);
const MARGIN: f64 = 20.0;
const HEAD: f64 = 46.0;
const BLUE: &str = "#0072B2";
const ORANGE: &str = "#D55E00";
/// Parts that the histogram of spikes has.
const BINS: usize = 50;

/// Where panels go, one after the other.
struct Sheet {
    svg: Svg,
    next: usize,
}

impl Sheet {
    fn place(&mut self) -> (f64, f64) {
        let i = self.next;
        self.next += 1;
        (MARGIN + (i % 3) as f64 * (PANEL.0 + MARGIN), HEAD + (i / 3) as f64 * (PANEL.1 + MARGIN))
    }

    /// A square picture of values over the field.
    fn picture(&mut self, field: &Field, title: &str, values: &[f64], signed: bool) -> Result<(), CortexError> {
        let (x, y) = self.place();
        let most = values.iter().fold(1e-12_f64, |m, v| m.max(v.abs()));
        let colour = |v: f64| if signed { diverging(v / most) } else { grey(v) };
        let side = PANEL.1 - 58.0;
        self.svg.text(x + 52.0, y + 16.0, 14.0, Anchor::Start, title);
        self.svg.image(&Image::of(field.pixels(), values, colour), (x + 52.0, y + 26.0), (side, side))?;
        let degrees = format!("{}° of visual field", number(field.degrees()));
        self.svg.text(x + 52.0 + side / 2.0, y + side + 42.0, 12.0, Anchor::Middle, &degrees);
        Ok(())
    }

    fn axes(&mut self, x: (f64, f64), y: (f64, f64), log_x: bool) -> Axes {
        Axes { at: self.place(), size: PANEL, x, y, log_x }
    }
}

/// Draws a session: the sweeps with their plans, and reverse correlation, with the electrode and field it was made with.
///
/// # Errors
/// Pictures that cannot be encoded.
pub fn experiment_plate(
    electrode: &Electrode,
    sweeps: &[(Sweep, Tuning)],
    reverse: Option<(&Electrode, &Reverse)>,
) -> Result<String, CortexError> {
    let found = reverse.map_or(0, |(_, r)| if r.covariance.is_some() { 4 } else { 2 });
    let panels = if sweeps.is_empty() { 1 } else { 3 } + sweeps.len() + found;
    let height = HEAD + panels.div_ceil(3) as f64 * (PANEL.1 + MARGIN);
    let svg = Svg::new(3.0 * (PANEL.0 + MARGIN) + MARGIN, height);
    let mut sheet = Sheet { svg, next: 0 };
    let name = electrode.cell().name();
    sheet.svg.text(MARGIN, 28.0, 19.0, Anchor::Start, &format!("A session with a cell of the kind “{name}”"));
    let field = electrode.field();
    sheet.picture(field, "Receptive field (red on, blue off)", &electrode.receptive_field(), true)?;
    if let Some((plan, tuning)) = sweeps.first() {
        let frame = plan.stimulus(electrode, tuning.best).render(field, plan.seconds / 2.0);
        let title = format!("Best stimulus: {} {}", plan.axis.name(), number(tuning.best));
        sheet.picture(field, &title, &frame, false)?;
        spikes(&mut sheet, plan, tuning);
    }
    for (plan, tuning) in sweeps {
        curve(&mut sheet, plan, tuning);
    }
    if let Some((electrode, reverse)) = reverse {
        recovered(&mut sheet, electrode, reverse)?;
    }
    Ok(sheet.svg.finish())
}

/// The raster of the best value's trials above their histogram.
fn spikes(sheet: &mut Sheet, plan: &Sweep, tuning: &Tuning) {
    let Some(point) = tuning.points.iter().find(|p| p.value == tuning.best) else { return };
    let rates = histogram(&point.raster, plan.seconds, BINS);
    let most = rates.iter().chain(&point.recording.rates).fold(1.0_f64, |m, r| m.max(*r));
    // The raster takes the upper 40 %.
    let axes = sheet.axes((0.0, plan.seconds), (0.0, most / 0.58), false);
    axes.draw(&mut sheet.svg, "Spikes at the best stimulus", "seconds", "spikes per second");
    let trials = point.raster.len() as f64;
    for (t, spikes) in point.raster.iter().enumerate() {
        let y = most / 0.58 * (1.0 - 0.38 * (t as f64 + 0.5) / trials);
        for time in spikes {
            let (x, y) = axes.place(*time, y);
            let half = (38.0 / trials).clamp(0.8, 4.0);
            sheet.svg.line((x, y - half), (x, y + half), "#222", 0.9);
        }
    }
    let width = plan.seconds / BINS as f64;
    let steps: Vec<(f64, f64)> =
        rates.iter().enumerate().flat_map(|(i, r)| [(i as f64 * width, *r), ((i + 1) as f64 * width, *r)]).collect();
    axes.path(&mut sheet.svg, &steps, BLUE, 1.2, "");
    let rate = |(i, r): (usize, &f64)| ((i as f64 + 0.5) * point.recording.dt, *r);
    axes.path(
        &mut sheet.svg,
        &point.recording.rates.iter().enumerate().map(rate).collect::<Vec<_>>(),
        ORANGE,
        1.5,
        "5 3",
    );
}

fn curve(sheet: &mut Sheet, plan: &Sweep, tuning: &Tuning) {
    let values: Vec<f64> = tuning.points.iter().map(|p| p.value).collect();
    let (low, high) =
        (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
    let range = match plan.axis {
        Axis::Orientation => (0.0, 180.0),
        Axis::Direction | Axis::Phase => (0.0, 360.0),
        Axis::Length | Axis::Width | Axis::Size => (0.0, high),
        _ => (low, high.max(low + 1e-9)),
    };
    let log = matches!(plan.axis, Axis::Frequency | Axis::Temporal | Axis::Speed | Axis::Contrast) && low > 0.0;
    let answers = tuning.answers();
    let spikes = tuning.points.iter().map(|p| p.spikes + p.error);
    let most = answers.iter().copied().chain(spikes.filter(|_| !tuning.modulated)).fold(1.0_f64, f64::max);
    let fitted: Vec<(f64, f64)> = tuning.fit.as_ref().map_or_else(Vec::new, |fit| {
        let at = |i: i32| {
            let share = f64::from(i) / 200.0;
            let x = if log { range.0 * (range.1 / range.0).powf(share) } else { range.0 + share * (range.1 - range.0) };
            (x, fit.curve.at(x))
        };
        (0..=200).map(at).collect()
    });
    let most = fitted.iter().map(|p| p.1).filter(|y| y.is_finite()).fold(most, f64::max);
    let axes = sheet.axes(range, (0.0, 1.05 * most), log);
    let what = if tuning.modulated { "F1, spikes per second" } else { "spikes per second" };
    let (name, unit) = (plan.axis.name(), plan.axis.unit());
    let x = if name == unit { name.to_owned() } else { format!("{name}, {unit}") };
    axes.draw(&mut sheet.svg, &words(tuning), &x, what);
    let points: Vec<(f64, f64)> = values.iter().copied().zip(answers).collect();
    if tuning.fit.is_some() {
        axes.path(&mut sheet.svg, &fitted, ORANGE, 2.0, "");
    } else {
        axes.path(&mut sheet.svg, &points, BLUE, 1.5, "");
    }
    if !tuning.modulated {
        for p in &tuning.points {
            let (low, high) = (axes.place(p.value, p.spikes - p.error), axes.place(p.value, p.spikes + p.error));
            sheet.svg.line(low, high, "#777", 1.0);
        }
    }
    axes.dots(&mut sheet.svg, &points, BLUE);
}

/// What a tuning is told by, in a few words.
fn words(tuning: &Tuning) -> String {
    let mut words = Vec::new();
    match (&tuning.fit, tuning.half_width) {
        (Some(fit), _) if tuning.axis == Axis::Frequency => {
            words.push(format!("bandwidth {:.2} octaves", 2.0 * fit.half_width));
        }
        (Some(fit), _) => words.push(format!("half-width {:.1}°, r² {:.3}", fit.half_width, fit.r2)),
        (None, Some(width)) => words.push(format!("half-width {width:.1}°")),
        (None, None) if matches!(tuning.axis, Axis::Orientation | Axis::Direction) => {
            words.push(format!("no preferred {}", tuning.axis.name()));
        }
        (None, None) => {}
    }
    if let Some(index) = tuning.direction_index {
        words.push(format!("direction index {index:.2}"));
    }
    if let Some(index) = tuning.end_stopping {
        words.push(format!("end-stopping {index:.2}"));
    }
    if let Some(ratio) = tuning.f1_f0
        && tuning.direction_index.is_none()
    {
        words.push(format!("F1/F0 {ratio:.2}"));
    }
    if words.is_empty() { format!("best {} {}", tuning.axis.name(), number(tuning.best)) } else { words.join(", ") }
}

/// The spike-triggered average; of the covariance its eigenvalues and its first two axes.
fn recovered(sheet: &mut Sheet, electrode: &Electrode, reverse: &Reverse) -> Result<(), CortexError> {
    let (field, truth, whole) = (electrode.field(), &electrode.filters().spatial, electrode.receptive_field());
    let likeness = correlation(&reverse.average, &whole);
    sheet.picture(field, &format!("STA: correlation {likeness:.3} with the field"), &reverse.average, true)?;
    let Some(eigen) = &reverse.covariance else {
        return sheet.picture(field, "The true field at the noise's pixels", &whole, true);
    };
    let n = eigen.values.len();
    let (low, high) = (eigen.values[n - 1].min(0.0), eigen.values[0].max(1e-9));
    let room = 0.05 * (high - low);
    let axes = sheet.axes((0.0, n as f64), (low - room, high + room), false);
    axes.draw(&mut sheet.svg, "STC: eigenvalues", "number", "variance beyond the noise's");
    let points: Vec<(f64, f64)> = eigen.values.iter().enumerate().map(|(i, v)| (i as f64 + 1.0, *v)).collect();
    axes.dots(&mut sheet.svg, &points, BLUE);
    for (i, axis) in eigen.vectors.iter().take(2).enumerate() {
        let share = within(axis, &orthonormal(&truth[..truth.len().min(2)]));
        sheet.picture(field, &format!("STC axis {}: {share:.3} within the true pair", i + 1), axis, true)?;
    }
    Ok(())
}

/// Gram and Schmidt.
fn orthonormal(fields: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for field in fields {
        let mut rest = field.clone();
        for axis in &axes {
            let dot: f64 = rest.iter().zip(axis).map(|(a, b)| a * b).sum();
            rest.iter_mut().zip(axis).for_each(|(a, b)| *a -= dot * b);
        }
        let size = rest.iter().map(|v| v * v).sum::<f64>().sqrt();
        if size > 0.0 {
            axes.push(rest.into_iter().map(|v| v / size).collect());
        }
    }
    axes
}
