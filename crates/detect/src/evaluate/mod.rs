//! How good detections are: average precision as VOC and as COCO define it, and what the errors cost.
//!
//! Everywhere here `truths[i]` are the objects of picture `i`, and a detection's `image` is such an `i`. Detections of equal
//! scores count in the order in which they are given: pictures in order, and within a picture as given, which is what the
//! references' stable sorting does.

mod by_class;
pub mod coco;
pub mod errors;
pub mod voc;

use crate::detection::{Detection, Object};
use crate::error::DetectError;

/// Checks that every detection is of a picture and a class that there is, with a finite score and box.
///
/// # Errors
/// The first detection that is not so.
pub fn check(truths: &[Vec<Object>], classes: usize, detections: &[Detection]) -> Result<(), DetectError> {
    let wrong = |option, value, expected| Err(DetectError::Option { option, value, expected });
    for Detection { image, class, bounds, score } in detections {
        if *image >= truths.len() {
            return wrong("a detection's picture", image.to_string(), "one of those that are judged");
        }
        if *class >= classes {
            return wrong("a detection's class", class.to_string(), "one of the data set's");
        }
        if !score.is_finite() {
            return wrong("a detection's score", score.to_string(), "a finite number");
        }
        if !bounds.is_finite() || bounds.width < 0.0 || bounds.height < 0.0 {
            return wrong("a detection's box", bounds.to_string(), "of finite numbers, with no negative size");
        }
    }
    if truths.iter().flatten().any(|object| object.class >= classes) {
        return wrong("an object's class", "another".to_owned(), "one of the data set's");
    }
    Ok(())
}

/// The mean of what is defined; `None` where nothing is.
pub(crate) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}
