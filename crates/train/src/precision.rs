//! Whether a network computes in f32 or in bf16: as asked, or by what the machine is fast at and the accuracy allows.

use crate::Score;
use serde::{Deserialize, Serialize};
use striate_engine::Precision;

/// How activations and their gradients are to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionWish {
    /// As 32-bit numbers.
    #[default]
    F32,
    /// As bfloat16.
    Bf16,
    /// As bfloat16 where the machine is fast at it and the accuracy on held-out images does not suffer, else as 32-bit
    /// numbers.
    Auto,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What is computed in.
    pub precision: Precision,
    /// The reason, to be read after "f32: " or "bf16: ".
    pub why: String,
}

/// Images of which one may be told wrong in bf16 that is told right in f32.
const OF: usize = 500;

/// Decides for [`PrecisionWish::Auto`]. `fast` says whether this machine computes faster in bf16; `held_out` are the scores
/// of the same weights on the same held-out images in f32 and in bf16, if there are any. The accuracy suffers if more than one
/// image in 500, and more than one, is lost.
pub fn choose_precision(fast: bool, held_out: Option<[Score; 2]>) -> Decision {
    let decide = |precision, why: String| Decision { precision, why };
    if !fast {
        return decide(Precision::F32, "this machine is not faster in bf16".into());
    }
    let Some([full, half]) = held_out else {
        return decide(Precision::F32, "there are no held-out images to check bf16 on".into());
    };
    let right = |s: Score| (s.accuracy * s.images as f64).round() as usize;
    let (full_right, half_right, images) = (right(full), right(half), full.images);
    let found = format!("{half_right} of {images} held-out images are right in bf16, {full_right} in f32");
    let suffers = full_right > half_right + (images / OF).max(1) || !half.loss.is_finite();
    decide(if suffers { Precision::F32 } else { Precision::Bf16 }, found)
}

impl PrecisionWish {
    /// What a run without a score yet is planned with: with [`PrecisionWish::Auto`] bf16, to be checked, if the machine is
    /// `fast` at it and images are held out (`checked`).
    pub fn first(self, fast: bool, checked: bool) -> Decision {
        let asked = |precision| Decision { precision, why: "as asked".into() };
        match self {
            PrecisionWish::F32 => asked(Precision::F32),
            PrecisionWish::Bf16 => asked(Precision::Bf16),
            PrecisionWish::Auto if fast && checked => {
                Decision { precision: Precision::Bf16, why: "this machine is faster in it".into() }
            }
            PrecisionWish::Auto => choose_precision(fast, None),
        }
    }
}

/// A precision's name, as on the command line.
pub fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(right: usize, images: usize) -> Score {
        Score { accuracy: right as f64 / images as f64, images, ..Score::default() }
    }

    #[test]
    fn bf16_is_taken_where_it_is_fast_and_costs_no_accuracy() {
        let chosen = |fast, scores| choose_precision(fast, scores).precision;
        let scores = |full, half, images| Some([score(full, images), score(half, images)]);
        assert_eq!(chosen(false, scores(90, 100, 100)), Precision::F32, "not faster");
        assert_eq!(chosen(true, None), Precision::F32, "unchecked");
        assert_eq!(chosen(true, scores(90, 90, 100)), Precision::Bf16);
        assert_eq!(chosen(true, scores(90, 89, 100)), Precision::Bf16, "one image");
        assert_eq!(chosen(true, scores(90, 88, 100)), Precision::F32, "two in a hundred");
        assert_eq!(chosen(true, scores(9000, 8980, 10_000)), Precision::Bf16, "twenty in ten thousand");
        assert_eq!(chosen(true, scores(9000, 8979, 10_000)), Precision::F32);
        let broken = Some([score(1, 10), Score { loss: f64::NAN, ..score(1, 10) }]);
        assert_eq!(chosen(true, broken), Precision::F32);
        let why = choose_precision(true, scores(90, 88, 100)).why;
        assert_eq!(why, "88 of 100 held-out images are right in bf16, 90 in f32");
    }

    #[test]
    fn a_run_begins_in_what_it_can_check() {
        let first = |wish: PrecisionWish, fast, checked| wish.first(fast, checked).precision;
        assert_eq!(first(PrecisionWish::Bf16, false, false), Precision::Bf16, "as asked");
        assert_eq!(first(PrecisionWish::F32, true, true), Precision::F32);
        assert_eq!(first(PrecisionWish::Auto, true, true), Precision::Bf16);
        assert_eq!(first(PrecisionWish::Auto, true, false), Precision::F32);
        assert_eq!(first(PrecisionWish::Auto, false, true), Precision::F32);
    }
}
