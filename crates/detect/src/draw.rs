//! Boxes with names and scores drawn on pictures.

use crate::bounding_box::BoundingBox;
use striate_data::{LETTER, Picture, text_width};

/// A box to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Where.
    pub bounds: BoundingBox,
    /// What is written at it; may be empty.
    pub text: String,
    /// Its colour, red, green and blue.
    pub colour: [u8; 3],
}

impl Label {
    /// A detection: the class's name with the score in per cent, in the class's colour.
    pub fn detection(bounds: BoundingBox, class: usize, name: &str, score: f64) -> Self {
        Self { bounds, text: format!("{name} {:.0}%", 100.0 * score), colour: colour_of_class(class) }
    }
}

/// A colour for a class: hues a golden angle apart, so that neighbours differ.
pub fn colour_of_class(class: usize) -> [u8; 3] {
    let sixths = (class as f64 * 0.618_033_988_75 + 0.02).fract() * 6.0;
    let channel = |from_peak: f64| {
        let distance = (sixths - from_peak).abs().min(6.0 - (sixths - from_peak).abs());
        (40.0 + 200.0 * (2.0 - distance).clamp(0.0, 1.0)) as u8
    };
    [channel(0.0), channel(2.0), channel(4.0)]
}

/// The picture in colour with boxes on it, later ones over earlier ones. Lines and letters grow with the picture.
pub fn draw_boxes(picture: &Picture, labels: &[Label]) -> Picture {
    let mut out = picture.to_colour();
    let side = picture.width.max(picture.height);
    let (line, scale) = ((side / 300).clamp(1, 8), (side / 700 + 1).min(6));
    for label in labels {
        outline(&mut out, &label.bounds, line, label.colour);
    }
    for label in labels.iter().filter(|l| !l.text.is_empty()) {
        let (width, height) = (text_width(&label.text, scale).saturating_add(2 * scale), (LETTER + 1) * scale);
        // Above the box where there is room, else just inside; never beyond the right edge if it can be helped.
        let x = place(label.bounds.x).min(i64::from(out.width) - i64::from(width)).max(0);
        let above = place(label.bounds.y) - i64::from(height);
        let y = if above >= 0 { above } else { place(label.bounds.y).clamp(0, i64::from(out.height)) };
        fill(&mut out, [x, y, x + i64::from(width), y + i64::from(height)], label.colour);
        let [r, g, b] = label.colour.map(u32::from);
        let ink = if 299 * r + 587 * g + 114 * b > 128_000 { [0; 3] } else { [255; 3] };
        out.write(&label.text, x as u32 + scale, y as u32 + scale, scale, &ink);
    }
    out
}

/// A whole pixel; far beyond any picture where the number is wild.
fn place(v: f64) -> i64 {
    v.round().clamp(-1e9, 1e9) as i64
}

/// The four sides of a box, drawn inwards.
fn outline(out: &mut Picture, bounds: &BoundingBox, line: u32, colour: [u8; 3]) {
    let line = i64::from(line);
    let [left, top, right, bottom] = [bounds.x, bounds.y, bounds.right(), bounds.bottom()].map(place);
    fill(out, [left, top, right, (top + line).min(bottom)], colour);
    fill(out, [left, (bottom - line).max(top), right, bottom], colour);
    fill(out, [left, top, (left + line).min(right), bottom], colour);
    fill(out, [(right - line).max(left), top, right, bottom], colour);
}

/// Fills the part of `[left, top, right, bottom]` that lies in the picture.
fn fill(out: &mut Picture, [left, top, right, bottom]: [i64; 4], colour: [u8; 3]) {
    let (width, height) = (i64::from(out.width), i64::from(out.height));
    let columns = left.clamp(0, width)..right.clamp(0, width);
    if columns.start >= columns.end {
        return;
    }
    let stride = out.stride();
    for y in top.clamp(0, height)..bottom.clamp(0, height) {
        let row = &mut out.pixels[y as usize * stride..][columns.start as usize * 3..columns.end as usize * 3];
        row.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&colour));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn label(bounds: BoundingBox, text: &str) -> Label {
        Label { bounds, text: text.to_owned(), colour: [255, 0, 0] }
    }

    #[test]
    fn outlines_lie_on_the_boxes_edges() {
        let black = Picture::filled(30, 20, &[0]);
        let drawn = draw_boxes(&black, &[label(BoundingBox::new(5.0, 4.0, 10.0, 8.0), "")]);
        let red = |x, y| drawn.pixel(x, y) == [255, 0, 0];
        assert!(red(5, 4) && red(14, 4) && red(5, 11) && red(14, 11) && red(9, 4) && red(5, 8));
        assert!(!red(15, 4) && !red(5, 12) && !red(4, 4) && !red(9, 8));
        let count = drawn.pixels.chunks_exact(3).filter(|p| p[0] == 255).count();
        assert_eq!(count, 2 * 10 + 2 * 6);
    }

    #[test]
    fn text_stands_above_or_within_and_anything_passes() {
        let black = Picture::filled(100, 60, &[0, 0, 0]);
        let drawn = draw_boxes(&black, &[label(BoundingBox::new(10.0, 30.0, 50.0, 20.0), "cell")]);
        let part = |from: usize, to: usize, colour: [u8; 3]| {
            drawn.pixels[from * 300..to * 300].chunks_exact(3).filter(|p| *p == colour).count()
        };
        assert!(part(21, 30, [255, 0, 0]) > 100 && part(21, 30, [255; 3]) > 20);
        assert_eq!(part(0, 21, [255, 0, 0]), 0);
        let wild = [
            BoundingBox::new(-1e300, -5.0, 1e300, 3.0),
            BoundingBox::new(90.0, 0.0, 500.0, 500.0),
            BoundingBox::new(f64::NAN, 0.0, 1.0, -3.0),
        ];
        let all: Vec<Label> =
            wild.iter().map(|b| label(*b, "größer ≥ 漢字 and much too long for the picture")).collect();
        assert_eq!(draw_boxes(&black, &all).pixels.len(), black.pixels.len());
        draw_boxes(&Picture::filled(1, 1, &[0]), &all);
    }

    #[test]
    fn classes_have_their_own_colours() {
        let colours: HashSet<[u8; 3]> = (0..20).map(colour_of_class).collect();
        assert_eq!(colours.len(), 20);
    }
}
