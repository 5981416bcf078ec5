//! Which images a network should not be believed about: those whose score lies below a threshold, under which few of the
//! images lie that it recognised (Hendrycks and Gimpel 2017, arXiv:1610.02136; Liu et al. 2020, arXiv:2010.03759).

use serde::{Deserialize, Serialize};

/// What tells known images from unknown ones; the higher, the more known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// The probability of the likeliest class, at the temperature.
    #[default]
    MaxProbability,
    /// T · ln Σ exp(z / T): Liu et al.'s energy with its sign turned.
    Energy,
}

impl KnownBy {
    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            KnownBy::MaxProbability => "max-probability",
            KnownBy::Energy => "energy",
        }
    }
}

/// When an image is answered with "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unknown {
    /// What is looked at.
    pub score: KnownBy,
    /// Images with less are unknown.
    pub threshold: f64,
    /// The share of the recognised held-out images that have this much or more.
    pub kept: f64,
}

impl Unknown {
    /// The threshold above which the share `keep` of these scores lies, those of recognised images: as many as make that
    /// share at least. It stands half-way to the next lower score, so that rounding decides nothing; `None` without scores.
    pub fn keeping(score: KnownBy, mut scores: Vec<f64>, keep: f64) -> Option<Unknown> {
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let n = scores.len();
        let wanted = ((keep * n as f64).ceil() as usize).clamp(1, n.max(1));
        let last = *scores.get(wanted - 1)?;
        let below = scores[wanted..].iter().copied().find(|&score| score < last);
        let threshold = below.map_or(last, |below| below + (last - below) / 2.0);
        let kept = scores.iter().filter(|&&score| score >= threshold).count() as f64 / n as f64;
        Some(Unknown { score, threshold, kept })
    }

    /// Whether an image with this score is unknown; one whose score is no number is.
    pub fn is_unknown(threshold: f64, score: f64) -> bool {
        score.is_nan() || score < threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_was_asked_for_is_kept() {
        let scores: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 40)).collect();
        let at = |keep| Unknown::keeping(KnownBy::MaxProbability, scores.clone(), keep).unwrap();
        // 38 of 40: 0 and 1 lie below.
        assert_eq!(at(0.95), Unknown { score: KnownBy::MaxProbability, threshold: 1.5, kept: 0.95 });
        assert_eq!((at(0.94).threshold, at(0.94).kept), (1.5, 0.95), "never fewer than asked for");
        assert_eq!((at(1.0).threshold, at(1.0).kept), (0.0, 1.0));
        assert_eq!((at(1e-9).threshold, at(1e-9).kept), (38.5, 1.0 / 40.0), "one at least");
        // Equal scores stay together.
        let ties = Unknown::keeping(KnownBy::Energy, vec![3.0, 1.0, 1.0, 1.0, 0.0], 0.4).unwrap();
        assert_eq!((ties.threshold, ties.kept), (0.5, 0.8));
        assert_eq!(Unknown::keeping(KnownBy::Energy, Vec::new(), 0.95), None);
        assert!(Unknown::is_unknown(0.5, f64::NAN) && Unknown::is_unknown(0.5, 0.4) && !Unknown::is_unknown(0.5, 0.5));
    }
}
