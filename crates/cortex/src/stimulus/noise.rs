//! White noise for reverse correlation: every pixel of every frame is an independent normal number.

use super::Field;
use striate_kernels::normal;

/// Frame `i` of a seed's noise; `contrast` is its deviation. What falls beyond black and white is not cut off.
pub fn noise_frame(field: &Field, seed: u64, i: u64, contrast: f64) -> Vec<f64> {
    let pixels = (field.pixels() * field.pixels()) as u64;
    (0..pixels).map(|p| contrast * f64::from(normal(seed, i * pixels + p))).collect()
}
