//! What a model's calibration says, in words.

use crate::figures::{percent, thousands};
use striate_train::{Calibrated, KnownBy};

/// A calibration as a clause or two.
pub fn in_words(c: &Calibrated) -> String {
    let (t, n) = (c.temperature, thousands(c.images as u64));
    let mut text = format!(
        "calibrated on {n} held-out images: temperature {t:.3}, calibration error {} instead of {}",
        percent(c.ece_after),
        percent(c.ece_before)
    );
    if let Some(unknown) = c.unknown {
        let (kept, threshold) = (percent(unknown.kept), unknown.threshold);
        let below = match unknown.score {
            KnownBy::MaxProbability => format!("a probability of {}", percent(threshold)),
            KnownBy::Energy => format!("an energy of {threshold:.3}"),
        };
        text += &format!("; unknown below {below}, which keeps {kept} of the recognised images");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_train::Unknown;

    #[test]
    fn the_words_follow_the_figures() {
        let unknown = Unknown { score: KnownBy::MaxProbability, threshold: 0.5, kept: 0.95 };
        let c = Calibrated { temperature: 1.5, unknown: None, images: 1200, ece_before: 0.1, ece_after: 0.02 };
        let bare =
            "calibrated on 1,200 held-out images: temperature 1.500, calibration error 2.00 % instead of 10.00 %";
        assert_eq!(in_words(&c), bare);
        let by = |score| in_words(&Calibrated { unknown: Some(Unknown { score, ..unknown }), ..c.clone() });
        let kept = "which keeps 95.00 % of the recognised images";
        assert_eq!(by(KnownBy::MaxProbability), format!("{bare}; unknown below a probability of 50.00 %, {kept}"));
        assert_eq!(by(KnownBy::Energy), format!("{bare}; unknown below an energy of 0.500, {kept}"));
    }
}
