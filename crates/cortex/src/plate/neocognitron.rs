//! Plates of a Neocognitron: what its layers answer to a picture, what its planes have learnt, how tolerant it is.

use super::axes::Axes;
use super::svg::Anchor;
use super::{Image, Rgb, Svg};
use crate::CortexError;
use crate::neocognitron::{Maps, Neocognitron, Response};

const MARGIN: f64 = 16.0;
const WIDTH: f64 = 1100.0;
/// The most planes of a layer that are drawn.
const MOST: usize = 60;
const COLOURS: [&str; 6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00"];
const DASHES: [&str; 4] = ["", "8 4", "2 3", "8 3 2 3"];

/// 0 white to 1 black.
fn ink(value: f32) -> Rgb {
    [(255.0 * (1.0 - value.clamp(0.0, 1.0))).round() as u8; 3]
}

fn plane(maps: &Maps, k: usize, most: f32) -> Image {
    Image::of(maps.side, &maps.plane(k), |v: f32| ink(v / most))
}

/// Every layer's answers to one picture, plane by plane; the strongest answer of a layer is black.
///
/// # Errors
/// A picture that cannot be encoded.
pub fn layers_plate(response: &Response, classes: &[String], title: &str) -> Result<String, CortexError> {
    let rows: Vec<(f64, usize, usize)> = response.layers[..response.layers.len() - 1]
        .iter()
        .map(|(_, maps)| {
            let size = (maps.side as f64 * 1.2).clamp(22.0, 84.0);
            let in_row = ((WIDTH - 110.0) / (size + 4.0)) as usize;
            (size, in_row, maps.planes.min(MOST).div_ceil(in_row))
        })
        .collect();
    let height: f64 = rows.iter().map(|(size, _, n)| (size + 4.0) * *n as f64 + 26.0).sum();
    let mut svg = Svg::new(WIDTH, height + 170.0);
    svg.text(MARGIN, 28.0, 19.0, Anchor::Start, title);
    let mut y = 50.0;
    for ((name, maps), (size, in_row, n)) in response.layers.iter().zip(&rows) {
        let most = maps.values.iter().copied().fold(1e-9_f32, f32::max);
        svg.text(MARGIN, y + 12.0, 13.0, Anchor::Start, name);
        svg.text(MARGIN, y + 27.0, 10.5, Anchor::Start, &format!("{}×{}×{}", maps.side, maps.side, maps.planes));
        // The planes that answer most strongly, in their order, where not all can be drawn.
        let mut shown: Vec<usize> = (0..maps.planes).collect();
        if shown.len() > MOST {
            let strength = |k: usize| maps.plane(k).into_iter().fold(0.0_f32, f32::max);
            let mut by: Vec<(f32, usize)> = shown.iter().map(|k| (strength(*k), *k)).collect();
            by.sort_by(|a, b| b.0.total_cmp(&a.0));
            shown = by[..MOST].iter().map(|(_, k)| *k).collect();
            shown.sort_unstable();
            svg.text(MARGIN, y + 40.0, 10.5, Anchor::Start, &format!("strongest {MOST}"));
        }
        for (i, k) in shown.into_iter().enumerate() {
            let at = (MARGIN + 94.0 + (i % in_row) as f64 * (size + 4.0), y + (i / in_row) as f64 * (size + 4.0));
            svg.image(&plane(maps, k, most), at, (*size, *size))?;
        }
        y += (size + 4.0) * *n as f64 + 26.0;
    }
    svg.text(MARGIN, y + 12.0, 13.0, Anchor::Start, "UC4");
    let most = response.scores.iter().copied().fold(1e-9_f32, f32::max);
    let step = ((WIDTH - 130.0) / response.scores.len().max(1) as f64).min(80.0);
    for (i, (score, class)) in response.scores.iter().zip(classes).enumerate() {
        let (x, bar) = (MARGIN + 94.0 + i as f64 * step, 60.0 * f64::from(score / most));
        let won = response.class == Some(i as u32);
        let colour = if won { "#D55E00" } else { "#999" };
        svg.rectangle((x, y + 64.0 - bar), (step * 0.6, bar.max(0.5)), colour, "none");
        svg.text(x + step * 0.3, y + 80.0, 13.0, Anchor::Middle, class);
        svg.text(x + step * 0.3, y + 96.0, 10.5, Anchor::Middle, &format!("{score:.3}"));
    }
    Ok(svg.finish())
}

/// What the S-planes of one stage (0 to 3) have learnt: for each plane the picture, of those given, and the place in it that it
/// answers most strongly, as the input layer sees it.
///
/// # Errors
/// A picture that cannot be encoded.
pub fn features_plate(
    network: &Neocognitron,
    stage: usize,
    features: &[Option<Image>],
    title: &str,
) -> Result<String, CortexError> {
    let size = 64.0;
    let in_row = ((WIDTH - 2.0 * MARGIN) / (size + 6.0)) as usize;
    let height = 60.0 + features.len().div_ceil(in_row) as f64 * (size + 22.0);
    let mut svg = Svg::new(WIDTH, height);
    svg.text(MARGIN, 28.0, 19.0, Anchor::Start, title);
    for (i, image) in features.iter().enumerate() {
        let at = (MARGIN + (i % in_row) as f64 * (size + 6.0), 46.0 + (i / in_row) as f64 * (size + 22.0));
        match image {
            Some(image) => svg.image(image, at, (size, size))?,
            None => svg.rectangle(at, (size, size), "none", "#ccc"),
        }
        let label = match network.labels.get(i).and_then(|l| network.classes.get(*l as usize)) {
            Some(class) if stage == 3 => format!("{} ({class})", i + 1),
            _ => (i + 1).to_string(),
        };
        svg.text(at.0 + size / 2.0, at.1 + size + 13.0, 11.0, Anchor::Middle, &label);
    }
    Ok(svg.finish())
}

/// Accuracy over distortions, a panel each: its title, what its x counts, and lines of (name, points).
pub fn tolerance_plate(title: &str, panels: &[Panel]) -> String {
    let (w, h) = (360.0, 300.0);
    let mut svg = Svg::new(panels.len().max(1) as f64 * (w + 10.0) + 20.0, h + 110.0);
    svg.text(MARGIN, 28.0, 19.0, Anchor::Start, title);
    let names = panels.first().map(|p| p.lines.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>()).unwrap_or_default();
    for (i, panel) in panels.iter().enumerate() {
        let xs = || panel.lines.iter().flat_map(|(_, points)| points.iter().map(|p| p.0));
        let range = (xs().fold(f64::MAX, f64::min), xs().fold(f64::MIN, f64::max));
        let at = (MARGIN + i as f64 * (w + 10.0), 44.0);
        let axes = Axes { at, size: (w, h), x: range, y: (0.0, 100.0), log_x: false };
        axes.draw(&mut svg, &panel.title, &panel.x, "accuracy, %");
        for (j, (_, points)) in panel.lines.iter().enumerate() {
            axes.path(&mut svg, points, COLOURS[j % 6], 2.0, DASHES[j % 4]);
            axes.dots(&mut svg, points, COLOURS[j % 6]);
        }
    }
    let mut x = MARGIN + 52.0;
    for (j, name) in names.iter().enumerate() {
        svg.path(&[(x, h + 72.0), (x + 34.0, h + 72.0)], COLOURS[j % 6], 2.0, DASHES[j % 4]);
        svg.text(x + 42.0, h + 76.0, 13.0, Anchor::Start, name);
        x += 70.0 + 7.5 * name.chars().count() as f64;
    }
    svg.finish()
}

/// One panel of [`tolerance_plate`].
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Above the axes.
    pub title: String,
    /// What x counts, with its unit.
    pub x: String,
    /// Names and points (x, per cent) of the lines.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}
