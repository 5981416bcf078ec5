//! An animation of what is shown and what the cell answers: the screen above, the trace of its rate and its spikes below.

use super::{Image, grey};
use crate::CortexError;
use crate::cells::spikes;
use crate::experiment::{Electrode, Recording};
use crate::stimulus::Stimulus;

/// Pixels along the screen's side, about.
const SCREEN: usize = 288;
/// Pixels of the trace's height, of which the raster takes the upper ones.
const TRACE: usize = 96;
const RASTER: usize = 18;
const MARGIN: usize = 8;

/// The frames of a recording of a stimulus; every `every`-th of the recording's.
///
/// # Errors
/// There is nothing to show.
pub fn session_film(
    electrode: &Electrode,
    stimulus: &Stimulus,
    recording: &Recording,
    seed: u64,
    every: usize,
) -> Result<Vec<Image>, CortexError> {
    let field = electrode.field();
    let times = SCREEN.div_ceil(field.pixels()).max(1);
    let side = times * field.pixels();
    let frames = recording.rates.len();
    if frames == 0 || every == 0 {
        return Err(CortexError::value("the number of frames", frames, "1 or more"));
    }
    let spikes = spikes(&recording.rates, recording.dt, seed, 0);
    let most = recording.peak().max(1.0);
    let column = |i: f64| MARGIN + (i / frames as f64 * (side - 1) as f64) as usize;
    let row = |rate: f64| side + 2 * MARGIN + TRACE - 1 - (rate / most * (TRACE - RASTER - 1) as f64) as usize;
    let mut sheet = Image::filled(side + 2 * MARGIN, side + 3 * MARGIN + TRACE, [255; 3]);
    let mut images = Vec::new();
    for i in 0..frames {
        let rate = recording.rates[i];
        let before = if i == 0 { rate } else { recording.rates[i - 1] };
        let (low, high) = (row(rate.min(before)), row(rate.max(before)));
        for y in high..=low {
            sheet.set(column(i as f64), y, [0, 114, 178]);
        }
        let (start, end) = (i as f64 * recording.dt, (i + 1) as f64 * recording.dt);
        for time in spikes.iter().filter(|t| (start..end).contains(*t)) {
            for y in 0..RASTER - 6 {
                sheet.set(column(time / recording.dt), side + 2 * MARGIN + y, [0; 3]);
            }
        }
        if i % every == 0 {
            let screen = Image::of(field.pixels(), &stimulus.render(field, start), grey).enlarged(times);
            let mut image = sheet.clone();
            image.paste(&screen, MARGIN, MARGIN);
            images.push(image);
        }
    }
    Ok(images)
}
