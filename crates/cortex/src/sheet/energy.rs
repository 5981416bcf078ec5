//! The energy of quadrature pairs of Gabors of several orientations at every pixel of a picture: a sheet of complex cells.

use crate::CortexError;
use crate::cells::Gabor;
use crate::plate::{Image, hue};
use striate_data::Picture;
use striate_kernels::{Algorithm, ConvGeometry, Convolution, Cpu, Destination, Epilogue};

/// Filters of one spatial frequency at equally spaced orientations. Lengths are in pixels here.
#[derive(Clone, Debug)]
pub struct EnergyBank {
    orientations: usize,
    reach: usize,
    /// (2 · orientations, 1, rows, columns): even and odd by turns.
    weights: Vec<f32>,
}

/// What a bank finds in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Orientations: the i-th is 180° · i / orientations.
    pub orientations: usize,
    /// Even and odd answers, pixel by pixel, by turns over the orientations.
    pub answers: Vec<f32>,
}

/// Orientations at most.
const MOST: usize = 64;

impl EnergyBank {
    /// Pairs of `orientations` whose stripes repeat every `wavelength` pixels.
    ///
    /// # Errors
    /// Fewer than 2 or more than 64 orientations; a wavelength below 2 pixels or above 256.
    pub fn new(orientations: usize, wavelength: f64) -> Result<Self, CortexError> {
        if !(2..=MOST).contains(&orientations) {
            return Err(CortexError::value("the number of orientations", orientations, format!("from 2 to {MOST}")));
        }
        if !(2.0..=256.0).contains(&wavelength) {
            return Err(CortexError::value("the wavelength in pixels", wavelength, "from 2 to 256"));
        }
        let (across, along) = (0.45 * wavelength, 0.6 * wavelength);
        let reach = (2.6 * along).ceil() as usize;
        let gabor = |i: usize, phase: f64| Gabor {
            orientation: 180.0 * i as f64 / orientations as f64,
            frequency: 1.0 / wavelength,
            phase,
            across,
            along,
            middle: [0.0; 2],
        };
        let pairs = (0..orientations).flat_map(|i| [0.0, 90.0].map(|phase| gabor(i, phase)));
        Ok(Self { orientations, reach, weights: pairs.flat_map(|g| kernel(&g, reach)).collect() })
    }

    /// The energies in a picture; beyond its edge the nearest pixel goes on.
    pub fn look(&self, cpu: &Cpu, picture: &Picture) -> Energy {
        let grey = picture.to_grey();
        let (w, h) = (grey.width as usize, grey.height as usize);
        let size = 2 * self.reach + 1;
        // Padded by hand: zeros beyond the edge would be edges themselves.
        let (pw, ph) = (w + 2 * self.reach, h + 2 * self.reach);
        let near = |i: usize, n: usize| i.saturating_sub(self.reach).min(n - 1);
        let padded: Vec<f32> =
            (0..pw * ph).map(|i| f32::from(grey.pixels[near(i / pw, h) * w + near(i % pw, w)]) / 127.5 - 1.0).collect();
        let channels = 2 * self.orientations;
        let geometry = ConvGeometry {
            n: 1,
            h: ph,
            w: pw,
            c_in: 1,
            out_h: h,
            out_w: w,
            c_out: channels,
            kernel: [size; 2],
            stride: [1; 2],
            pad: [0; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let plan = Convolution::predict(cpu.isa(), &geometry, Some(Algorithm::Direct));
        let mut prepared = vec![0.0; plan.prepared_len()];
        plan.prepare(cpu, &self.weights, None, &mut prepared);
        let mut scratch = vec![0.0; plan.scratch(cpu.threads())];
        let mut answers = vec![0.0; w * h * channels];
        let mut to = Destination::assign(&mut answers, channels);
        plan.run(cpu, &padded, &prepared, &Epilogue::default(), &mut to, &mut scratch);
        Energy { width: w, height: h, orientations: self.orientations, answers }
    }
}

/// A Gabor's weights on whole pixels, without an answer to even light, such that its best grating is answered with 1.
fn kernel(gabor: &Gabor, reach: usize) -> Vec<f32> {
    let n = 2 * reach as isize + 1;
    let at = |i: isize| ((i % n - reach as isize) as f64, (reach as isize - i / n) as f64);
    let bell = Gabor { frequency: 0.0, phase: 0.0, ..*gabor };
    let raw: Vec<f64> = (0..n * n).map(at).map(|(x, y)| gabor.at(x, y)).collect();
    let bells: Vec<f64> = (0..n * n).map(at).map(|(x, y)| bell.at(x, y)).collect();
    let even = raw.iter().sum::<f64>() / bells.iter().sum::<f64>();
    let scale = std::f64::consts::PI * gabor.across * gabor.along;
    raw.iter().zip(bells).map(|(v, b)| ((v - even * b) / scale) as f32).collect()
}

impl Energy {
    /// Even² + odd² of every orientation at pixel `i`.
    pub fn at(&self, i: usize) -> impl Iterator<Item = f32> {
        let channels = 2 * self.orientations;
        self.answers[i * channels..(i + 1) * channels].chunks_exact(2).map(|p| p[0] * p[0] + p[1] * p[1])
    }

    /// The energy at pixel `i` for any orientation in degrees, between those that were measured.
    pub fn towards(&self, i: usize, orientation: f64) -> f32 {
        let place = (orientation / 180.0).rem_euclid(1.0) * self.orientations as f64;
        let (low, share) = (place as usize % self.orientations, place.fract() as f32);
        let all: Vec<f32> = self.at(i).collect();
        all[low] * (1.0 - share) + all[(low + 1) % self.orientations] * share
    }

    /// The orientation at pixel `i` in degrees, 0 to 180, by the sum of the energies as vectors of twice the angle; and how
    /// strong it is: that vector's length.
    pub fn orientation(&self, i: usize) -> (f64, f64) {
        let (mut x, mut y) = (0.0, 0.0);
        for (k, e) in self.at(i).enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * k as f64 / self.orientations as f64).sin_cos();
            x += f64::from(e) * cos;
            y += f64::from(e) * sin;
        }
        ((y.atan2(x).to_degrees() / 2.0).rem_euclid(180.0), x.hypot(y))
    }

    /// Orientation as hue (red lying, then counter-clockwise through yellow, green and blue) and strength as brightness.
    pub fn orientation_image(&self) -> Image {
        let all: Vec<(f64, f64)> = (0..self.width * self.height).map(|i| self.orientation(i)).collect();
        let most = strong(all.iter().map(|o| o.1));
        Image::of(self.width, &all, |(angle, strength)| hue(angle / 180.0, (strength / most).sqrt()))
    }

    /// The energy of all orientations as brightness.
    pub fn energy_image(&self) -> Image {
        let all: Vec<f64> = (0..self.width * self.height).map(|i| f64::from(self.at(i).sum::<f32>())).collect();
        let most = strong(all.iter().copied());
        Image::of(self.width, &all, |e| [(255.0 * (e / most).sqrt().min(1.0)).round() as u8; 3])
    }
}

/// What all but the strongest hundredth stay below.
pub(super) fn strong(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len().saturating_sub(1 + all.len() / 100)).copied().unwrap_or(0.0).max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes of an orientation with a wavelength of 8 pixels.
    fn stripes(orientation: f64, phase: f64) -> Picture {
        let gabor = Gabor { orientation, frequency: 0.125, phase, across: 1e9, along: 1e9, middle: [0.0; 2] };
        let level = |i: u32| (127.5 + 120.0 * gabor.at(f64::from(i % 48), -f64::from(i / 48))).round() as u8;
        Picture { width: 48, height: 48, channels: 1, pixels: (0..48 * 48).map(level).collect() }
    }

    #[test]
    fn stripes_have_their_orientation_at_any_phase() {
        let cpu = Cpu::new(2).unwrap();
        let bank = EnergyBank::new(8, 8.0).unwrap();
        let middle = 24 * 48 + 24;
        for orientation in [0.0, 10.0, 45.0, 90.0, 130.0, 171.0] {
            let (a, b) = (bank.look(&cpu, &stripes(orientation, 0.0)), bank.look(&cpu, &stripes(orientation, 70.0)));
            let (angle, strength) = a.orientation(middle);
            let off = (angle - orientation + 90.0).rem_euclid(180.0) - 90.0;
            assert!(off.abs() < 2.0, "{orientation}: {angle}");
            assert!((b.orientation(middle).1 / strength - 1.0).abs() < 0.03, "the same energy at another phase");
        }
        let energy = bank.look(&cpu, &stripes(45.0, 0.0));
        let best = f64::from(energy.towards(middle, 45.0)).sqrt();
        assert!((best - 120.0 / 127.5).abs() < 0.03, "the best grating is answered with its contrast: {best}");
        let flat = bank.look(&cpu, &Picture::filled(40, 30, &[200]));
        assert!(flat.answers.iter().all(|v| v.abs() < 1e-3), "even light, also at the edge");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(
            EnergyBank::new(1, 8.0).is_err()
                && EnergyBank::new(8, 1.0).is_err()
                && EnergyBank::new(8, f64::NAN).is_err()
        );
    }
}
