//! Which groupings a search makes: every colour space with every size of segments and every notion of likeness.

use super::colour::ColourSpace;
use super::similarity::Similarity;
use crate::error::DetectError;
use serde::{Deserialize, Serialize};

/// The paper's three selections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// HSV, k = 100, all measures together: one grouping.
    Single,
    /// HSV and Lab; k = 50 and 100; all measures, and all but colour: 8 groupings. R-CNN's.
    Fast,
    /// HSV, Lab, rgI, H and I; k = 50, 100, 150 and 300; all, all but colour, fill alone, size alone: 80 groupings.
    Quality,
}

impl Mode {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("single", Self::Single), ("fast", Self::Fast), ("quality", Self::Quality)];
}

/// The groupings of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategies {
    /// Colour spaces to segment in and to compare by.
    pub spaces: Vec<ColourSpace>,
    /// The k of each segmentation: larger makes larger segments.
    pub sizes: Vec<u32>,
    /// What likeness is made of.
    pub similarities: Vec<Similarity>,
}

impl Strategies {
    /// Those of a mode.
    pub fn of(mode: Mode) -> Self {
        use ColourSpace::{Hsv, Hue, Intensity, Lab, Rgi};
        let (all, no_colour) = (Similarity::ALL, Similarity { colour: false, ..Similarity::ALL });
        let (fill, size) =
            (Similarity { fill: true, ..Similarity::NONE }, Similarity { size: true, ..Similarity::NONE });
        let (spaces, sizes, similarities): (&[_], &[_], &[_]) = match mode {
            Mode::Single => (&[Hsv], &[100], &[all]),
            Mode::Fast => (&[Hsv, Lab], &[50, 100], &[all, no_colour]),
            Mode::Quality => (&[Hsv, Lab, Rgi, Hue, Intensity], &[50, 100, 150, 300], &[all, no_colour, fill, size]),
        };
        Self { spaces: spaces.to_vec(), sizes: sizes.to_vec(), similarities: similarities.to_vec() }
    }

    /// How many groupings there are.
    pub fn count(&self) -> usize {
        self.spaces.len() * self.sizes.len() * self.similarities.len()
    }

    pub(super) fn check(&self) -> Result<(), DetectError> {
        let wrong = |option, value, expected| Err(DetectError::Option { option, value, expected });
        if self.count() == 0 {
            return wrong("the number of groupings", "0".to_owned(), "1 or more");
        }
        if let Some(k) = self.sizes.iter().find(|k| !(1..=1_000_000).contains(*k)) {
            return wrong("k", k.to_string(), "from 1 to 1000000");
        }
        if self.similarities.contains(&Similarity::NONE) {
            return wrong("a similarity", "of no measure".to_owned(), "made of C, T, S or F");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_make_as_many_groupings_as_the_paper_says() {
        assert_eq!(Mode::ALL.map(|(_, mode)| Strategies::of(mode).count()), [1, 8, 80]);
    }
}
