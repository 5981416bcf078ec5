//! Filters of a network's first layer beside the Gabors fitted to them.

use super::svg::Anchor;
use super::{Image, Svg, diverging};
use crate::CortexError;
use crate::experiment::GaborFit;

/// A filter, and its Gabor up to its strength, each of side² values.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterPicture {
    /// Weights along a side.
    pub side: usize,
    /// The filter.
    pub weights: Vec<f64>,
    /// The Gabor.
    pub gabor: Option<Vec<f64>>,
}

const SIZE: f64 = 56.0;
const IN_ROW: usize = 8;

/// Each filter (left) with its Gabor (right) and r² below.
///
/// # Errors
/// A picture that cannot be encoded.
pub fn filters_plate(title: &str, filters: &[(FilterPicture, Option<GaborFit>)]) -> Result<String, CortexError> {
    let cell = (2.0 * SIZE + 18.0, SIZE + 26.0);
    let height = 52.0 + filters.len().div_ceil(IN_ROW) as f64 * cell.1 + 10.0;
    let mut svg = Svg::new(IN_ROW as f64 * cell.0 + 24.0, height);
    svg.text(16.0, 28.0, 18.0, Anchor::Start, title);
    for (i, (filter, fit)) in filters.iter().enumerate() {
        let at = (16.0 + (i % IN_ROW) as f64 * cell.0, 48.0 + (i / IN_ROW) as f64 * cell.1);
        svg.image(&picture(filter.side, &filter.weights), at, (SIZE, SIZE))?;
        match &filter.gabor {
            Some(gabor) => svg.image(&picture(filter.side, gabor), (at.0 + SIZE + 3.0, at.1), (SIZE, SIZE))?,
            None => svg.rectangle((at.0 + SIZE + 3.0, at.1), (SIZE, SIZE), "none", "#ccc"),
        }
        let words = fit.map_or_else(|| "no Gabor".to_owned(), |f| format!("r² {:.2}, {:.0}°", f.r2, f.orientation));
        svg.text(at.0 + SIZE, at.1 + SIZE + 14.0, 11.0, Anchor::Middle, &words);
    }
    Ok(svg.finish())
}

fn picture(side: usize, values: &[f64]) -> Image {
    let most = values.iter().fold(1e-12_f64, |m, v| m.max(v.abs()));
    Image::of(side, values, |v: f64| diverging(v / most))
}
