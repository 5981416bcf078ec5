//! A drawing in SVG, put together piece by piece.

use super::{Image, encode};
use crate::CortexError;
use std::fmt::Write;

/// A drawing; places are pixels from its upper left corner.
#[derive(Clone, Debug)]
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// At the place.
    Start,
    /// Around the place.
    Middle,
    /// Before the place.
    End,
}

impl Svg {
    /// An empty white drawing.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// A text in a size, begun at its baseline.
    pub fn text(&mut self, x: f64, y: f64, size: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.push(&format!(r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}">{text}</text>"#));
    }

    /// A text that runs upwards, around the place.
    pub fn upright(&mut self, x: f64, y: f64, size: f64, text: &str) {
        let (text, turn) = (escaped(text), format!("rotate(-90 {x:.1} {y:.1})"));
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="middle" transform="{turn}">{text}</text>"#
        ));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(&format!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="{width}"/>"#
        ));
    }

    /// A line through points; those that are not finite are left out.
    pub fn path(&mut self, points: &[(f64, f64)], colour: &str, width: f64, dashes: &str) {
        let whole = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let text = whole.fold(String::new(), |mut text, (x, y)| {
            let _ = write!(text, "{x:.1},{y:.1} ");
            text
        });
        let dashes = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        let text = text.trim_end();
        self.push(&format!(
            r#"<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>"#
        ));
    }

    /// A filled disc.
    pub fn dot(&mut self, x: f64, y: f64, radius: f64, colour: &str) {
        self.push(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{colour}"/>"#));
    }

    /// A rectangle, filled or (`none`) not, with an outline or (`none`) without.
    pub fn rectangle(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: &str) {
        let ((x, y), (w, h)) = (at, size);
        self.push(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" fill="{fill}" stroke="{stroke}"/>"#
        ));
    }

    /// An image, stretched to a size, with its pixels as they are, framed.
    ///
    /// # Errors
    /// The image has no pixels.
    pub fn image(&mut self, image: &Image, at: (f64, f64), size: (f64, f64)) -> Result<(), CortexError> {
        let ((x, y), (w, h)) = (at, size);
        // Enlarged here: not every program that draws SVG leaves pixels as they are.
        let times = ((w / image.width.max(1) as f64).ceil() as usize).clamp(1, 16);
        let data = base64(&encode(&image.enlarged(times))?);
        self.push(&format!(
            r#"<image x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" preserveAspectRatio="none" href="data:image/png;base64,{data}"/>"#
        ));
        self.rectangle(at, size, "none", "#999");
        Ok(())
    }

    /// The whole document.
    pub fn finish(self) -> String {
        let (w, h) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif\" fill=\"#222\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"white\"/>\n{}</svg>\n",
            self.body
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// RFC 4648's.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= three.len() { letter as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standards() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn texts_are_escaped_and_no_place_is_nan() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(1.0, 1.0, 9.0, Anchor::Start, "a < b & c");
        svg.path(&[(0.0, 0.0), (f64::NAN, 1.0), (2.0, 2.0)], "#000", 1.0, "2 2");
        let text = svg.finish();
        assert!(
            text.contains("a &lt; b &amp; c") && !text.contains("NaN") && text.contains(r#"points="0.0,0.0 2.0,2.0""#)
        );
    }
}
