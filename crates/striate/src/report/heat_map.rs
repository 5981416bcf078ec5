//! A confusion matrix as a heat map: rows are true classes, columns predictions. A cell's colour is its share of its row,
//! blue on the diagonal, orange beside it, so that mistakes show however rare they are: the colour's strength goes with the
//! square root. Colours and letters follow the page's.

use crate::figures::{percent, shortened};
use crate::page::escape;
use striate_train::Confusion;

/// Classes that are drawn; of more, those with the most mistakes are.
const DRAWN: usize = 100;
/// Classes up to which cells hold their numbers.
const NUMBERED: usize = 20;
/// Characters of a name.
const NAME: usize = 22;

/// A heat map, and the classes that are on it, by their numbers.
pub struct HeatMap {
    /// Inline SVG.
    pub svg: String,
    /// How many classes are left out.
    pub left_out: usize,
}

/// Draws the matrix.
pub fn heat_map(confusion: &Confusion, names: &[String]) -> HeatMap {
    let shown = chosen(confusion);
    let n = shown.len();
    let cell = match n {
        0..=4 => 72.0,
        5..=10 => 46.0,
        11..=20 => 34.0,
        21..=40 => 20.0,
        _ => 9.5,
    };
    let letters = f64::clamp(cell * 0.72, 8.0, 13.0);
    let label = |c: usize| shortened(&names[c], NAME);
    let longest = shown.iter().map(|&c| label(c).chars().count()).max().unwrap_or(0);
    let margin = (longest as f64 * letters * 0.6).max(8.0) + 12.0;
    // Names above the columns lean by 60°, so the last reaches to the right; above narrow columns they stand.
    let lean: f64 = if n <= NUMBERED { 60.0 } else { 90.0 };
    let (sine, cosine) = lean.to_radians().sin_cos();
    let (left, top) = (margin + 24.0, margin * sine + 34.0);
    let (width, height) = (left + n as f64 * cell + margin * cosine + 8.0, top + n as f64 * cell + 8.0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" role=\"img\" aria-label=\"confusion matrix\" \
         style=\"max-width:100%;height:auto\" font-size=\"{letters:.1}\" fill=\"currentColor\">\n"
    );
    let middle = n as f64 * cell / 2.0;
    let (x, y) = (left + middle, top + middle);
    svg += &format!("<text x=\"{x:.1}\" y=\"14\" text-anchor=\"middle\" font-size=\"13\">predicted class</text>\n");
    svg += &format!(
        "<text transform=\"translate(14 {y:.1}) rotate(-90)\" text-anchor=\"middle\" font-size=\"13\">true class</text>\n"
    );
    for (i, &class) in shown.iter().enumerate() {
        let centre = (i as f64 + 0.5) * cell;
        let (name, x, y) = (escape(&label(class)), left + centre, top + centre);
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\n<text transform=\"translate({:.1} {:.1}) \
             rotate(-{lean})\">{name}</text>\n",
            left - 6.0,
            y + letters * 0.35,
            x + letters * 0.3,
            top - 6.0,
        );
    }
    for (i, &truth) in shown.iter().enumerate() {
        let row = confusion.row(truth);
        let all: u64 = row.iter().sum();
        for (j, &prediction) in shown.iter().enumerate().filter(|&(_, &p)| row[p] > 0) {
            let (x, y) = (left + j as f64 * cell, top + i as f64 * cell);
            let share = row[prediction] as f64 / all as f64;
            let strength = 0.08 + 0.92 * share.sqrt();
            let colour = if truth == prediction { "blue" } else { "orange" };
            let title = format!(
                "{} taken for {}: {} of {all} ({})",
                names[truth],
                names[prediction],
                row[prediction],
                percent(share)
            );
            svg += &format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{cell}\" height=\"{cell}\" fill=\"var(--{colour})\" \
                 fill-opacity=\"{strength:.3}\"><title>{}</title></rect>\n",
                escape(&title)
            );
            if n <= NUMBERED {
                let fill = if strength > 0.55 { " fill=\"#fff\"" } else { "" };
                let (x, y) = (x + cell / 2.0, y + cell / 2.0 + letters * 0.35);
                svg += &format!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" pointer-events=\"none\"{fill}>{}</text>\n",
                    row[prediction]
                );
            }
        }
    }
    svg += &grid(left, top, cell, n);
    svg += "</svg>";
    HeatMap { svg, left_out: names.len() - n }
}

/// Thin lines between the cells, a frame around them.
fn grid(left: f64, top: f64, cell: f64, n: usize) -> String {
    let side = n as f64 * cell;
    let pair = |i: usize| {
        let at = i as f64 * cell;
        format!("M{left:.1} {:.1}h{side:.1}M{:.1} {top:.1}v{side:.1}", top + at, left + at)
    };
    let lines = (1..n).map(pair).collect::<Vec<_>>().concat();
    format!(
        "<path d=\"{lines}\" stroke=\"var(--line)\" stroke-width=\"0.5\" fill=\"none\"/>\n<rect x=\"{left:.1}\" \
         y=\"{top:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"none\" stroke=\"var(--soft)\"/>\n"
    )
}

/// The classes to draw, in their order.
fn chosen(confusion: &Confusion) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..confusion.classes()).collect();
    if classes.len() > DRAWN {
        let scores = confusion.scores();
        let mistakes = |c: usize| scores[c].support + scores[c].predicted - 2 * scores[c].right;
        classes.sort_by_key(|&c| std::cmp::Reverse(mistakes(c)));
        classes.truncate(DRAWN);
        classes.sort_unstable();
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class <{i}>")).collect()
    }

    #[test]
    fn every_cell_with_images_is_drawn_once() {
        let mut c = Confusion::new(3);
        for (truth, prediction, n) in [(0, 0, 7), (0, 2, 1), (1, 1, 4)] {
            (0..n).for_each(|_| c.add(truth, prediction));
        }
        let svg = heat_map(&c, &names(3)).svg;
        assert_eq!(svg.matches("fill-opacity").count(), 3);
        assert_eq!((svg.matches("var(--blue)").count(), svg.matches("var(--orange)").count()), (2, 1));
        assert!(svg.contains("class &lt;0&gt; taken for class &lt;2&gt;: 1 of 8 (12.50 %)"), "{svg}");
        assert!(svg.contains(">7</text>") && !svg.contains("class <"));
    }

    #[test]
    fn many_classes_are_drawn_small_and_too_many_in_part() {
        let mut c = Confusion::new(100);
        (0..100).for_each(|i| c.add(i, (i + 1) % 100));
        let map = heat_map(&c, &names(100));
        assert_eq!((map.left_out, map.svg.matches("fill-opacity").count()), (0, 100));
        let mut c = Confusion::new(150);
        (0..150).for_each(|i| c.add(i, if i % 2 == 0 { i } else { (i + 2) % 150 }));
        let map = heat_map(&c, &names(150));
        assert_eq!(map.left_out, 50);
        assert!(map.svg.contains("class &lt;149&gt;"), "classes with mistakes come first");
    }

    #[test]
    fn nothing_counted_is_drawn_empty() {
        let map = heat_map(&Confusion::new(2), &names(2));
        assert!(map.svg.ends_with("</svg>") && !map.svg.contains("fill-opacity") && !map.svg.contains("NaN"));
    }
}
