//! How alike two neighbouring regions are: a sum of any of four measures between 0 and 1 (Uijlings et al. 2013, §3.2).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which measures are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // A set of four.
pub struct Similarity {
    /// C: what the histograms of colours have in common.
    pub colour: bool,
    /// T: what the histograms of texture have in common.
    pub texture: bool,
    /// S: small regions join early.
    pub size: bool,
    /// F: regions that fit into each other join early.
    pub fill: bool,
}

impl Similarity {
    /// C + T + S + F.
    pub const ALL: Self = Self { colour: true, texture: true, size: true, fill: true };
    /// None, to start from.
    pub const NONE: Self = Self { colour: false, texture: false, size: false, fill: false };
}

impl FromStr for Similarity {
    type Err = String;

    /// Reads letters such as `CTSF` or `F`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut found = Self::NONE;
        for letter in text.chars() {
            let measure = match letter.to_ascii_uppercase() {
                'C' => &mut found.colour,
                'T' => &mut found.texture,
                'S' => &mut found.size,
                'F' => &mut found.fill,
                _ => return Err(format!("'{letter}' is none of C (colour), T (texture), S (size), F (fill)")),
            };
            *measure = true;
        }
        if found == Self::NONE { Err("expected letters of C, T, S and F".to_owned()) } else { Ok(found) }
    }
}

impl fmt::Display for Similarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(self.colour, "C"), (self.texture, "T"), (self.size, "S"), (self.fill, "F")];
        letters.iter().filter(|(on, _)| *on).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_written() {
        for text in ["CTSF", "TSF", "F", "S"] {
            assert_eq!(text.parse::<Similarity>().unwrap().to_string(), text);
        }
        assert_eq!("fc".parse::<Similarity>().unwrap().to_string(), "CF");
        assert!("CX".parse::<Similarity>().unwrap_err().contains("'X'"));
        assert!("".parse::<Similarity>().is_err());
    }
}
