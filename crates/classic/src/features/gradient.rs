//! Central differences of 8-bit samples, not halved, in f64.

use striate_data::Picture;

/// (rows, columns) differences of one channel at (y, x); zero along the edges, as Dalal and Triggs' reference has it.
pub(super) fn difference(picture: &Picture, channel: usize, y: usize, x: usize) -> [f64; 2] {
    let (w, h, c) = (picture.width as usize, picture.height as usize, usize::from(picture.channels));
    let at = |y: usize, x: usize| f64::from(picture.pixels[(y * w + x) * c + channel]);
    let inside = |at: usize, length: usize| at > 0 && at + 1 < length;
    [
        if inside(y, h) { at(y + 1, x) - at(y - 1, x) } else { 0.0 },
        if inside(x, w) { at(y, x + 1) - at(y, x - 1) } else { 0.0 },
    ]
}
