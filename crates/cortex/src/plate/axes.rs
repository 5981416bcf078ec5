//! A pair of axes on a plate.

use super::Svg;
use super::svg::Anchor;

/// Where axes lie and what they show.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    /// The upper left corner of the panel, of its title.
    pub at: (f64, f64),
    /// The panel's size, with its labels.
    pub size: (f64, f64),
    /// Values at the left and the right end.
    pub x: (f64, f64),
    /// Values at the lower and the upper end.
    pub y: (f64, f64),
    /// Whether x is drawn by its logarithm.
    pub log_x: bool,
}

const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;

impl Axes {
    /// The drawing area: left, top, right, bottom.
    fn area(&self) -> (f64, f64, f64, f64) {
        let ((x, y), (w, h)) = (self.at, self.size);
        (x + LEFT, y + TOP, x + w - RIGHT, y + h - BOTTOM)
    }

    /// The place of a value.
    pub fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (left, top, right, bottom) = self.area();
        let along = |v: f64| if self.log_x { v.max(1e-12).ln() } else { v };
        let share = (along(x) - along(self.x.0)) / (along(self.x.1) - along(self.x.0));
        (left + share * (right - left), bottom - (y - self.y.0) / (self.y.1 - self.y.0) * (bottom - top))
    }

    /// Draws the frame, ticks, labels and the title.
    pub fn draw(&self, svg: &mut Svg, title: &str, x_label: &str, y_label: &str) {
        let (left, top, right, bottom) = self.area();
        svg.text(self.at.0 + LEFT, self.at.1 + 16.0, 14.0, Anchor::Start, title);
        svg.line((left, bottom), (right, bottom), "#222", 1.0);
        svg.line((left, top), (left, bottom), "#222", 1.0);
        let x_ticks = if self.log_x { powers(self.x.0, self.x.1) } else { ticks(self.x.0, self.x.1) };
        for v in x_ticks {
            let (x, _) = self.place(v, self.y.0);
            svg.line((x, bottom), (x, bottom + 4.0), "#222", 1.0);
            svg.text(x, bottom + 16.0, 11.0, Anchor::Middle, &number(v));
        }
        for v in ticks(self.y.0, self.y.1) {
            let (_, y) = self.place(self.x.0, v);
            svg.line((left - 4.0, y), (left, y), "#222", 1.0);
            svg.text(left - 7.0, y + 4.0, 11.0, Anchor::End, &number(v));
        }
        svg.text(f64::midpoint(left, right), bottom + 34.0, 12.0, Anchor::Middle, x_label);
        svg.upright(self.at.0 + 12.0, f64::midpoint(top, bottom), 12.0, y_label);
    }

    /// A line through values.
    pub fn path(&self, svg: &mut Svg, points: &[(f64, f64)], colour: &str, width: f64, dashes: &str) {
        let placed: Vec<(f64, f64)> = points.iter().map(|(x, y)| self.place(*x, *y)).collect();
        svg.path(&placed, colour, width, dashes);
    }

    /// A dot at each value.
    pub fn dots(&self, svg: &mut Svg, points: &[(f64, f64)], colour: &str) {
        for (x, y) in points.iter().map(|(x, y)| self.place(*x, *y)).filter(|(x, y)| x.is_finite() && y.is_finite()) {
            svg.dot(x, y, 3.0, colour);
        }
    }
}

/// Round numbers from `low` to `high`, four to nine of them; circles are cut into parts of 45°.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return Vec::new();
    }
    let size = 10.0_f64.powf((span / 8.0).log10().floor());
    let round = || [1.0, 2.0, 5.0, 10.0].map(|c| c * size).into_iter().find(|s| span / s <= 8.0);
    let step = if span == 180.0 || span == 360.0 { 45.0 } else { round().unwrap_or(span) };
    let first = (low / step - 1e-9).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|v| *v <= high + 1e-9 * span).take(20).collect()
}

/// Powers of two.
fn powers(low: f64, high: f64) -> Vec<f64> {
    let first = (low.max(1e-9).log2() - 1e-6).ceil() as i32;
    (first..first + 20).map(|e| f64::from(e).exp2()).take_while(|v| *v <= high * 1.000_001).collect()
}

/// A number without needless zeros.
pub(super) fn number(v: f64) -> String {
    let text = if v.abs() >= 100.0 { format!("{v:.0}") } else { format!("{v:.3}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 3.0 * 0.2, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 360.0), [0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0, 360.0]);
        assert_eq!(ticks(3.0, 3.0), [0.0; 0]);
        assert_eq!(powers(0.5, 8.0), [0.5, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!([number(-0.5), number(0.0), number(120.0)], ["−0.5", "0", "120"]);
    }
}
