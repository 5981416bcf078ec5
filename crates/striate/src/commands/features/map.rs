//! A map of images: each a thumbnail where its features put it, framed in its class's colour, as an SVG that stands alone.

use super::Table;
use crate::page::escape;
use striate_data::{Limits, Picture, data_uri};

/// Of the drawing, in pixels; the legend stands beside.
const SIDE: f64 = 1000.0;
const MARGIN: f64 = 30.0;
const LEGEND: f64 = 200.0;
/// Classes that the legend names.
const NAMED: usize = 40;

/// Colours that colour-blind people tell apart (Okabe and Ito 2008); more classes go round the circle of hues.
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442"];

fn colour(class: usize, classes: usize) -> String {
    if classes <= COLOURS.len() {
        return COLOURS[class % COLOURS.len()].into();
    }
    // The golden angle keeps neighbours apart.
    format!("hsl({:.0},{}%,{}%)", (class as f64 * 137.508) % 360.0, 75, if class.is_multiple_of(2) { 42 } else { 58 })
}

/// Draws the rows of these indices at these places.
pub(super) fn draw(title: &str, table: &Table, shown: &[usize], places: &[[f64; 2]], limits: Limits) -> String {
    let thumb = (SIDE / (shown.len() as f64).sqrt() * 0.7).clamp(14.0, 64.0);
    let ends = |k: usize| {
        let all = places.iter().map(|p| p[k]);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (across, down) = (ends(0), ends(1));
    let at = |(low, high): (f64, f64), v: f64| {
        let span = (high - low).max(1e-12);
        MARGIN + (v - low) / span * (SIDE - 2.0 * MARGIN - thumb)
    };
    let classes = table.classes.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{SIDE}\" viewBox=\"0 0 {w} {SIDE}\" \
         font-family=\"DejaVu Sans,sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text \
         x=\"{MARGIN}\" y=\"20\" font-size=\"15\">{}</text>\n",
        escape(title),
        w = SIDE + LEGEND
    );
    for (&row, place) in shown.iter().zip(places) {
        let (x, y) = (at(across, place[0]), at(down, place[1]));
        let class = table.labels[row] as usize;
        let (colour, name) = (colour(class, classes), escape(table.class(row)));
        let tip = format!("<title>{name}: {}</title>", escape(&table.files[row]));
        let picture = table.samples.get(row).and_then(|sample| sample.read(&limits).ok());
        let image = picture.and_then(|picture| thumbnail(&picture, thumb));
        svg += &match image {
            Some((jpeg, w, h)) => format!(
                "<g>{tip}<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" \
                 href=\"{}\"/><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"2\"/></g>\n",
                data_uri("image/jpeg", &jpeg)
            ),
            None => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\">{tip}</circle>\n"),
        };
    }
    for (class, name) in table.classes.iter().enumerate().take(NAMED) {
        let y = MARGIN + 22.0 * class as f64 + 14.0;
        let (name, colour) = (escape(&crate::figures::shortened(name, 22)), colour(class, classes));
        svg += &format!(
            "<rect x=\"{SIDE}\" y=\"{:.0}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"{y:.0}\">{name}</text>\n",
            y - 11.0,
            SIDE + 18.0
        );
    }
    if classes > NAMED {
        let y = MARGIN + 22.0 * NAMED as f64 + 14.0;
        svg += &format!("<text x=\"{SIDE}\" y=\"{y:.0}\">and {} more</text>\n", classes - NAMED);
    }
    svg + "</svg>\n"
}

/// A picture as a JPEG file twice as fine as it is shown, and its width and height there.
fn thumbnail(picture: &Picture, side: f64) -> Option<(Vec<u8>, f64, f64)> {
    let small = picture.shrunk(2 * side as u32);
    let scale = side / f64::from(small.width.max(small.height));
    let size = (f64::from(small.width) * scale, f64::from(small.height) * scale);
    Some((small.to_jpeg(80)?, size.0, size.1))
}
