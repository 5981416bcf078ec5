//! A reliability diagram (Guo et al. 2017, arXiv:1706.04599): how often the network was right against how sure it was, the
//! share of images in each bin below. A network that can be taken at its word has its bars end on the diagonal.

use crate::figures::percent;
use crate::page::escape;
use striate_train::Calibration;

/// Pixels of the plot's sides, of the strip below, and around both.
const SIDE: f64 = 340.0;
const STRIP: f64 = 80.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 14.0;
const GAP: f64 = 26.0;

/// Draws the diagram as inline SVG; colours and letters follow the page's.
pub fn diagram(c: &Calibration) -> String {
    let (width, height) = (LEFT + SIDE + 28.0, TOP + SIDE + GAP + STRIP + 44.0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" aria-label=\"reliability diagram\" \
         style=\"max-width:100%;height:auto\" font-size=\"12\" fill=\"currentColor\">\n"
    );
    let floor = TOP + SIDE;
    let strip = floor + GAP + STRIP;
    let all: u64 = c.bins.iter().map(|b| b.images).sum();
    let most = c.bins.iter().map(|b| b.images).max().unwrap_or(0).max(1) as f64;
    for bin in &c.bins {
        let Some(accuracy) = bin.accuracy() else { continue };
        let (x, w) = (LEFT + bin.low * SIDE + 1.0, (bin.high - bin.low) * SIDE - 2.0);
        let share = bin.images as f64 / all as f64;
        let title = escape(&format!(
            "{} images said with {} to {}: on average {}, right {}",
            bin.images,
            percent(bin.low),
            percent(bin.high),
            percent(bin.confidence),
            percent(accuracy)
        ));
        let (h, gap) = (accuracy * SIDE, (bin.confidence - accuracy) * SIDE);
        svg += &format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"var(--blue)\"><title>{title}</title></rect>\n",
            floor - h
        );
        // From where it is to where it would have to be.
        svg += &format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{:.1}\" fill=\"var(--orange)\" fill-opacity=\"0.35\" \
             stroke=\"var(--orange)\"><title>{title}</title></rect>\n",
            floor - h - gap.max(0.0),
            gap.abs()
        );
        let h = bin.images as f64 / most * STRIP;
        svg += &format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"var(--soft)\"><title>{} of the \
             images</title></rect>\n",
            strip - h,
            percent(share)
        );
    }
    svg += &format!(
        "<path d=\"M{LEFT} {floor}L{} {TOP}\" stroke=\"currentColor\" stroke-dasharray=\"5 4\" fill=\"none\"/>\n\
         <path d=\"M{LEFT} {TOP}V{floor}H{} M{LEFT} {}V{strip}H{}\" stroke=\"var(--soft)\" fill=\"none\"/>\n",
        LEFT + SIDE,
        LEFT + SIDE,
        floor + GAP,
        LEFT + SIDE
    );
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let (x, y, words) = (LEFT + share * SIDE, floor - share * SIDE + 4.0, format!("{:.0} %", share * 100.0));
        svg += &format!("<text x=\"{:.0}\" y=\"{y:.1}\" text-anchor=\"end\">{words}</text>\n", LEFT - 6.0);
        svg += &format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{words}</text>\n", strip + 16.0);
    }
    let (middle, half) = (LEFT + SIDE / 2.0, TOP + SIDE / 2.0);
    svg += &format!(
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">probability of the predicted class</text>\n\
         <text transform=\"translate(13 {half}) rotate(-90)\" text-anchor=\"middle\">images recognised</text>\n\
         <text transform=\"translate(13 {}) rotate(-90)\" text-anchor=\"middle\">images</text>\n</svg>",
        strip + 36.0,
        strip - STRIP / 2.0
    );
    svg
}

/// What the diagram says, in a sentence.
pub fn words(c: &Calibration) -> String {
    let gap = c.confidence - c.accuracy;
    let what = match gap {
        g if g.abs() < 0.02 => "on the whole the network is as sure as it is right",
        g if g > 0.0 => "on the whole the network is surer than it is right",
        _ => "on the whole the network is right more often than it is sure",
    };
    format!(
        "Expected calibration error {} ({} bins of equal width), Brier score {:.4}. The predicted class got {} on average, and \
         {} of the images were recognised: {what}.",
        percent(c.ece),
        c.bins.len(),
        c.brier,
        percent(c.confidence),
        percent(c.accuracy)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_train::Bin;

    fn example() -> Calibration {
        let bin = |i: u64, images, right, confidence| Bin {
            low: i as f64 / 2.0,
            high: (i + 1) as f64 / 2.0,
            images,
            right,
            confidence,
        };
        let bins = vec![bin(0, 0, 0, 0.0), bin(1, 10, 6, 0.9)];
        Calibration { bins, ece: 0.3, mce: 0.3, brier: 0.5, confidence: 0.9, accuracy: 0.6 }
    }

    #[test]
    fn bars_end_where_the_accuracy_is() {
        let svg = diagram(&example());
        assert_eq!(svg.matches("var(--blue)").count(), 1, "empty bins have no bar");
        assert!(svg.contains(&format!("height=\"{:.1}\" fill=\"var(--blue)\"", 0.6 * SIDE)), "{svg}");
        let from = TOP + SIDE - 0.9 * SIDE;
        assert!(
            svg.contains(&format!("y=\"{from:.1}\"")) && svg.contains("10 images said with 50.00 % to 100.00 %"),
            "{svg}"
        );
    }

    #[test]
    fn the_words_follow_the_figures() {
        assert!(words(&example()).contains("surer than it is right"));
        assert!(words(&Calibration { confidence: 0.61, ..example() }).contains("as sure as it is right"));
        assert!(words(&Calibration { confidence: 0.3, ..example() }).contains("right more often than it is sure"));
    }
}
