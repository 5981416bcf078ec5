//! Line plots as SVG: the only file that knows the plotting library. Lines differ in colour (Okabe and Ito 2008, told apart
//! by colour-blind people too), in dashes and in markers, and a line of one number looks alike in every panel.
//!
//! A logarithmic axis is drawn as a linear one over decimal logarithms, since the library's own ends at 10⁻¹⁰.

use kuva::backend::svg::SvgBackend;
use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::line::{LinePlot, LineStyle};
use kuva::plot::scatter::{MarkerShape, ScatterPlot};
use kuva::render::figure::Figure;
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use std::sync::Arc;

/// One set of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Above the axes.
    pub title: String,
    /// What the horizontal axis counts, with its unit.
    pub x: String,
    /// What the vertical axis measures, with its unit.
    pub y: String,
    /// Whether the vertical axis is logarithmic: values of 0 and less are left out then.
    pub log: bool,
    /// The points of each line, those that are not finite left out; a line's number decides its looks.
    pub lines: Vec<Vec<(f64, f64)>>,
}

const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"];
const DASHES: [&str; 5] = ["", "9 4", "2 3", "9 3 2 3", "14 4"];
const MARKERS: [MarkerShape; 6] = [
    MarkerShape::Circle,
    MarkerShape::Square,
    MarkerShape::Triangle,
    MarkerShape::Diamond,
    MarkerShape::TriangleDown,
    MarkerShape::Cross,
];
/// Points of a line that are marked, at most. Of more every third, fifth, … is: an even number could miss every other point
/// of a line that goes up and down.
const MARKS: usize = 60;
/// Of one panel, in pixels.
const SIZE: (f64, f64) = (560.0, 380.0);
/// Up to here a horizontal axis, which counts, has a tick at each number.
const FEW: f64 = 12.0;
/// Ticks on a logarithmic axis, about.
const TICKS: f64 = 8.0;

/// Panels in two columns (one, of a single panel) with one legend, as an SVG document, under a title if there is one. `names`
/// are the lines'.
pub fn figure(title: &str, names: &[String], panels: &[Panel]) -> String {
    let columns = panels.len().clamp(1, 2);
    let rows = panels.len().div_ceil(columns);
    let entries = names.iter().enumerate().map(|(i, name)| LegendEntry {
        label: name.clone(),
        color: COLOURS[i % COLOURS.len()].into(),
        shape: LegendShape::Marker(MARKERS[i % MARKERS.len()]),
        dasharray: None,
    });
    let plain = Figure::new(rows, columns);
    let figure = if title.is_empty() { plain } else { plain.with_title(title).with_title_size(18) };
    let scene = figure
        .with_plots(panels.iter().map(plots).collect())
        .with_layouts(panels.iter().map(layout).collect())
        .with_cell_size(SIZE.0, SIZE.1)
        .with_shared_legend_entries(entries.collect())
        .with_shared_legend_bottom()
        .render();
    SvgBackend::new().with_pretty(true).render_scene(&scene)
}

fn style(line: usize) -> LineStyle {
    match DASHES[line % DASHES.len()] {
        "" => LineStyle::Solid,
        dashes => LineStyle::Custom(dashes.into()),
    }
}

impl Panel {
    /// The points of each line that can be drawn, as they are drawn.
    fn drawn(&self) -> Vec<Vec<(f64, f64)>> {
        let place = |&(x, y): &(f64, f64)| (x, if self.log { y.log10() } else { y });
        let whole = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        self.lines.iter().map(|line| line.iter().map(place).filter(whole).collect()).collect()
    }
}

fn plots(panel: &Panel) -> Vec<Plot> {
    let mut all = Vec::new();
    for (i, points) in panel.drawn().into_iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let marked = points.iter().copied().step_by(points.len().div_ceil(MARKS) | 1);
        let marks = ScatterPlot::new().with_data(marked).with_color(colour).with_size(3.5);
        all.push(Plot::from(marks.with_marker(MARKERS[i % MARKERS.len()])));
        let line = LinePlot::new().with_data(points).with_color(colour).with_stroke_width(2.0);
        all.push(Plot::from(line.with_line_style(style(i))));
    }
    all
}

fn layout(panel: &Panel) -> Layout {
    let mut layout = Layout::auto_from_plots(&plots(panel))
        .with_title(panel.title.clone())
        .with_x_label(panel.x.clone())
        .with_y_label(panel.y.clone())
        .with_title_size(15)
        .with_label_size(13)
        .with_tick_size(11);
    let xs = || panel.lines.iter().flatten().map(|(x, _)| *x);
    if xs().fold(0.0, f64::max) - xs().fold(0.0, f64::min) <= FEW {
        layout = layout.with_x_tick_step(1.0);
    }
    if !panel.log {
        return layout;
    }
    let ys = || panel.drawn().into_iter().flatten().map(|(_, y)| y);
    let (low, high) = (ys().fold(f64::INFINITY, f64::min).floor(), ys().fold(f64::NEG_INFINITY, f64::max).ceil());
    let (low, high) = if low.is_finite() { (low, high.max(low + 1.0)) } else { (-1.0, 0.0) };
    let step = ((high - low) / TICKS).ceil();
    let (low, high) = (step * (low / step).floor(), step * (high / step).ceil());
    layout
        .with_y_axis_min(low)
        .with_y_axis_max(high)
        .with_y_tick_step(step)
        .with_y_tick_format(TickFormat::Custom(Arc::new(|y| power_of_ten(y.round() as i32))))
}

/// −5 as `10⁻⁵`.
fn power_of_ten(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(log: bool, lines: Vec<Vec<(f64, f64)>>) -> Panel {
        let word = |s: &str| s.to_owned();
        Panel { title: word("the <title>"), x: word("the x"), y: word("the y"), log, lines }
    }

    #[test]
    fn a_figure_names_its_axes_and_lines() {
        let lines = vec![vec![(1.0, 1e-30), (2.0, 1.0)], vec![(1.0, 1e-3), (2.0, f64::NAN), (3.0, 0.0)]];
        let svg =
            figure("all", &["one".into(), "two & more".into()], &[panel(true, lines.clone()), panel(false, lines)]);
        for text in ["the &lt;title&gt;", "the x", "the y", ">one<", "two &amp; more", "10⁻³²", "10⁰", "<svg"] {
            assert!(svg.contains(text), "no {text}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a place that is no number");
    }

    #[test]
    fn nothing_to_draw_is_drawn_as_nothing() {
        let svg =
            figure("none", &["one".into()], &[panel(true, vec![vec![(0.0, f64::NAN)]]), panel(false, vec![vec![]])]);
        assert!(svg.contains("the x") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
