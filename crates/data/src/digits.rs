//! The built-in set: 1,797 real handwritten digits of 8×8 pixels.
//!
//! From "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998,
//! doi:10.24432/C50P49), CC BY 4.0, its test part in the order and form that scikit-learn ships.

use crate::data_set::{DataSet, SourceKind};
use crate::error::DataError;
use crate::memory::{Contents, Labelled};
use crate::open::OpenOptions;
use crate::sample::MemoryImages;
use flate2::read::GzDecoder;

/// The name it is opened by.
pub(crate) const NAME: &str = "digits";

/// 64 levels from 0 to 16 and the digit on every line.
const CSV: &[u8] = include_bytes!("../assets/digits.csv.gz");

pub(crate) fn open(options: &OpenOptions) -> Result<DataSet, DataError> {
    Contents {
        name: NAME.to_owned(),
        source: NAME.to_owned(),
        kind: SourceKind::Digits,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        train: parse(CSV)?,
        test: None,
        ignored_files: 0,
        warnings: Vec::new(),
    }
    .into_data_set(options)
}

fn parse(gzipped: &[u8]) -> Result<Labelled, DataError> {
    let bad = |problem: String| DataError::Format { file: "the built-in digits.csv.gz".to_owned(), problem };
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(GzDecoder::new(gzipped));
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for row in rows.deserialize() {
        let row: Vec<u8> = row.map_err(|error| bad(error.to_string()))?;
        let [levels @ .., digit] = row.as_slice() else { return Err(bad("an empty line".to_owned())) };
        if levels.len() != 64 || *digit > 9 || levels.iter().any(|&level| level > 16) {
            return Err(bad(format!("line {} is not 64 levels and a digit", labels.len() + 1)));
        }
        pixels.extend(levels.iter().map(|&level| ((u32::from(level) * 255 + 8) / 16) as u8));
        labels.push(u32::from(*digit));
    }
    Ok(Labelled { images: MemoryImages { name: NAME.to_owned(), width: 8, height: 8, channels: 1, pixels }, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_are_there() {
        let digits = parse(CSV).unwrap();
        assert_eq!(digits.labels.len(), 1797);
        assert_eq!(digits.labels[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
        // scikit-learn's load_digits().images[0][0], ×255/16.
        assert_eq!(digits.images.pixels[..8], [0, 0, 80, 207, 143, 16, 0, 0]);
        assert_eq!(digits.images.pixels.iter().max(), Some(&255));
    }

    #[test]
    fn a_fifth_is_held_for_validation() {
        let set = open(&OpenOptions::default()).unwrap();
        assert_eq!((set.train.len(), set.val.len()), (1438, 359));
        assert!(set.test.is_none());
        assert_eq!(set.val.samples[0].name().split('[').next(), Some("digits"));
    }
}
