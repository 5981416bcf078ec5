//! Motion in a film, pixel by pixel: the energies of filters oriented in space and time, one direction against the other
//! (Adelson and Bergen 1985), of several orientations.

use super::energy::strong;
use super::{Energy, EnergyBank};
use crate::CortexError;
use crate::cells::Temporal;
use crate::error::positive;
use crate::plate::{Image, hue};
use striate_data::Picture;
use striate_kernels::Cpu;

/// Motion in a film: for every pixel the sum over orientations and frames of the opponent energies, as a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// (to the right, upwards).
    pub vectors: Vec<[f64; 2]>,
}

/// The motion in frames of one size, `rate` a second; `k` is the filters' rate, which prefer about k/2π cycles per second.
///
/// # Errors
/// Fewer than two frames, or frames of different sizes.
pub fn motion_energy(
    cpu: &Cpu,
    bank: &EnergyBank,
    frames: &[Picture],
    rate: f64,
    k: f64,
) -> Result<Motion, CortexError> {
    positive("the film's rate", rate)?;
    positive("the filters' rate", k)?;
    let Some(first) = frames.first().filter(|_| frames.len() > 1) else {
        return Err(CortexError::value("the number of frames", frames.len(), "2 or more"));
    };
    if let Some(other) = frames.iter().find(|f| (f.width, f.height) != (first.width, first.height)) {
        let found = format!("{}×{}", other.width, other.height);
        return Err(CortexError::value("a frame's size", found, format!("{}×{}", first.width, first.height)));
    }
    let kernels = [3, 5].map(|n| Temporal::Biphasic { n, k }.kernel(1.0 / rate));
    let memory = kernels.iter().map(Vec::len).max().unwrap_or(1);
    let (width, height) = (first.width as usize, first.height as usize);
    let mut vectors = vec![[0.0; 2]; width * height];
    let mut seen: Vec<Energy> = Vec::new();
    for (t, frame) in frames.iter().enumerate() {
        seen.push(bank.look(cpu, frame));
        if seen.len() > memory {
            seen.remove(0);
        }
        // Before there are frames enough to tell, everything that appears would seem to move.
        if t > 0 {
            cpu.chunks(&mut vectors, width, |y, row| {
                for (x, vector) in row.iter_mut().enumerate() {
                    add(vector, &seen, &kernels, y * width + x, t + 1 == seen.len());
                }
            });
        }
    }
    Ok(Motion { width, height, vectors })
}

/// Adds the opponent energies at one pixel. While the film is younger than the filters' memory, its first frame counts as having
/// been there before.
fn add(vector: &mut [f64; 2], seen: &[Energy], kernels: &[Vec<f64>; 2], pixel: usize, young: bool) {
    let channels = 2 * seen[0].orientations;
    for i in 0..seen[0].orientations {
        let mut course = [[0.0; 2]; 2];
        for (sums, kernel) in course.iter_mut().zip(kernels) {
            for (lag, h) in kernel.iter().enumerate() {
                let from = match seen.len().checked_sub(lag + 1) {
                    Some(from) => &seen[from],
                    None if young => &seen[0],
                    None => break,
                };
                for (sum, part) in sums.iter_mut().zip(&from.answers[pixel * channels + 2 * i..]) {
                    *sum += h * f64::from(*part);
                }
            }
        }
        let [[even_fast, odd_fast], [even_slow, odd_slow]] = course;
        // As in `cells::Direction`: |·|² of one direction less that of the other, of the sum and difference of four filters.
        let opponent = 4.0 * (even_fast * odd_slow - even_slow * odd_fast);
        let (sin, cos) = (180.0 * i as f64 / seen[0].orientations as f64 + 90.0).to_radians().sin_cos();
        vector[0] += opponent * cos;
        vector[1] += opponent * sin;
    }
}

impl Motion {
    /// Direction as hue (red to the right, then counter-clockwise) and strength as brightness.
    pub fn image(&self) -> Image {
        let most = strong(self.vectors.iter().map(|v| v[0].hypot(v[1])));
        Image::of(self.width, &self.vectors, |[x, y]: [f64; 2]| {
            hue(y.atan2(x) / std::f64::consts::TAU, (x.hypot(y) / most).sqrt())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bright disc that moves.
    fn film(step: [f64; 2]) -> Vec<Picture> {
        let frame = |t: f64| {
            let level = |i: u32| {
                let (x, y) = (f64::from(i % 48) - 24.0 - step[0] * t, 24.0 - f64::from(i / 48) - step[1] * t);
                (60.0 + 150.0 * (6.0 - x.hypot(y)).clamp(0.0, 1.0)) as u8
            };
            Picture { width: 48, height: 48, channels: 1, pixels: (0..48 * 48).map(level).collect() }
        };
        (-6..=6).map(|t| frame(f64::from(t))).collect()
    }

    #[test]
    fn the_sum_of_motion_points_the_way_things_go() {
        let cpu = Cpu::new(2).unwrap();
        let bank = EnergyBank::new(4, 10.0).unwrap();
        for step in [[1.0, 0.0], [0.0, 1.0], [-0.7, -0.7]] {
            let motion = motion_energy(&cpu, &bank, &film(step), 25.0, 40.0).unwrap();
            let sum = motion.vectors.iter().fold([0.0; 2], |s, v| [s[0] + v[0], s[1] + v[1]]);
            let cosine = (sum[0] * step[0] + sum[1] * step[1]) / (sum[0].hypot(sum[1]) * step[0].hypot(step[1]));
            assert!(cosine > 0.95, "{step:?}: {sum:?}");
        }
        let still = motion_energy(&cpu, &bank, &film([0.0; 2]), 25.0, 40.0).unwrap();
        let moving = motion_energy(&cpu, &bank, &film([1.0, 0.0]), 25.0, 40.0).unwrap();
        let total = |m: &Motion| m.vectors.iter().map(|v| v[0].hypot(v[1])).sum::<f64>();
        assert!(total(&still) < 1e-3 * total(&moving), "what rests does not move");
        assert!(motion_energy(&cpu, &bank, &film([1.0, 0.0])[..1], 25.0, 40.0).is_err());
    }
}
