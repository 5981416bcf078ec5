//! Each channel's mean and deviation over a part's images as the network will see them.

use crate::decode::Limits;
use crate::error::{DataError, LeftOut};
use crate::preprocess::Preprocessing;
use crate::split::Split;
use crate::workers;
use std::path::PathBuf;

/// Below this a deviation is that of constant images, and dividing by it would only magnify noise.
const LEAST_STD: f32 = 1.0 / 255.0;

/// Sums over pixels, exact and therefore independent of the order of adding.
type Sums = Vec<(u64, u64)>;

/// The mean and standard deviation of each channel over up to `most` images of `split`, evenly spaced in it, fitted as
/// `preprocessing` says (whose own mean and deviation do not matter). In units of the full range, 0 to 1.
///
/// The same on every run and at any number of `workers`. Unreadable images are passed over.
///
/// # Errors
/// [`DataError::NoneReadable`] if not one image could be read.
pub fn mean_std(
    split: &Split,
    preprocessing: &Preprocessing,
    most: usize,
    limits: &Limits,
    workers: usize,
) -> Result<(Vec<f32>, Vec<f32>), DataError> {
    let count = split.len().min(most.max(1));
    let channels = usize::from(preprocessing.channels);
    let each = workers::map_in_order(count, workers, |i| -> Result<Sums, LeftOut> {
        let sample = &split.samples[i * split.len() / count];
        let read = sample.read(limits);
        let picture = read.map_err(|error| LeftOut { path: sample.name().into(), reason: error.to_string() })?;
        Ok(sums(&preprocessing.fit(&picture).pixels, channels))
    });
    let mut total: Sums = vec![(0, 0); channels];
    let mut pixels = 0u64;
    let mut first_failure = None;
    for sums in each {
        match sums {
            Ok(sums) => {
                pixels += u64::from(preprocessing.width) * u64::from(preprocessing.height);
                for (total, sum) in total.iter_mut().zip(sums) {
                    *total = (total.0 + sum.0, total.1 + sum.1);
                }
            }
            Err(failure) => first_failure = first_failure.or(Some(failure)),
        }
    }
    if pixels == 0 {
        let nothing = || LeftOut { path: PathBuf::new(), reason: "there are no images".to_owned() };
        return Err(DataError::NoneReadable { tried: count, first: first_failure.unwrap_or_else(nothing) });
    }
    Ok(total.into_iter().map(|(sum, squares)| moments(sum, squares, pixels)).unzip())
}

fn sums(pixels: &[u8], channels: usize) -> Sums {
    let mut sums = vec![(0, 0); channels];
    for pixel in pixels.chunks_exact(channels) {
        for (sum, &v) in sums.iter_mut().zip(pixel) {
            *sum = (sum.0 + u64::from(v), sum.1 + u64::from(v) * u64::from(v));
        }
    }
    sums
}

fn moments(sum: u64, squares: u64, pixels: u64) -> (f32, f32) {
    let mean = sum as f64 / pixels as f64;
    let variance = (squares as f64 / pixels as f64 - mean * mean).max(0.0);
    let std = (variance.sqrt() / 255.0) as f32;
    ((mean / 255.0) as f32, if std < LEAST_STD { 1.0 } else { std })
}
