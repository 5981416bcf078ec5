//! Sums over the cells of a window, computed by the convolution kernels with weights prepared once.

use super::{Maps, Window};
use striate_kernels::{Algorithm, ConvGeometry, Convolution, Cpu, Destination, Epilogue};

/// Connections from every plane (or from the same plane only) to every plane of the next layer, ready to be summed over.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    plan: Convolution,
    geometry: ConvGeometry,
    prepared: Vec<f32>,
}

impl Connections {
    /// From all planes to all: `weights` are (`planes_out`, `planes_in`, taps).
    pub fn full(cpu: &Cpu, window: &Window, planes_in: usize, planes_out: usize, weights: &[f32]) -> Self {
        Self::new(cpu, window.geometry(planes_in, planes_out, 1), weights, Algorithm::Direct)
    }

    /// From each plane to the same one, all by the same pattern of taps.
    pub fn within(cpu: &Cpu, window: &Window, planes: usize, pattern: &[f32]) -> Self {
        // A single plane is an ordinary convolution.
        let algorithm = if planes == 1 { Algorithm::Direct } else { Algorithm::Depthwise };
        Self::new(cpu, window.geometry(planes, planes, planes), &pattern.repeat(planes), algorithm)
    }

    fn new(cpu: &Cpu, geometry: ConvGeometry, weights: &[f32], algorithm: Algorithm) -> Self {
        let plan = Convolution::predict(cpu.isa(), &geometry, Some(algorithm));
        let mut prepared = vec![0.0; plan.prepared_len()];
        plan.prepare(cpu, weights, None, &mut prepared);
        Self { plan, geometry, prepared }
    }

    /// The sums, which may be negative.
    pub fn sum(&self, cpu: &Cpu, maps: &Maps) -> Maps {
        let mut out = Maps::silent(self.geometry.out_h, self.geometry.c_out);
        let mut scratch = vec![0.0; self.plan.scratch(cpu.threads())];
        let mut to = Destination::assign(&mut out.values, self.geometry.c_out);
        self.plan.run(cpu, &maps.values, &self.prepared, &Epilogue::default(), &mut to, &mut scratch);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum by its definition.
    fn plain(window: &Window, maps: &Maps, weight: impl Fn(usize, usize, usize) -> f32, planes_out: usize) -> Maps {
        let mut out = Maps::silent(window.to, planes_out);
        for y in 0..window.to {
            for x in 0..window.to {
                for k in 0..planes_out {
                    let mut sum = 0.0_f64;
                    window.each(y, x, |tap, cell| {
                        for from in 0..maps.planes {
                            sum += f64::from(weight(k, from, tap)) * f64::from(maps.values[cell * maps.planes + from]);
                        }
                    });
                    out.values[(y * window.to + x) * planes_out + k] = sum as f32;
                }
            }
        }
        out
    }

    fn noise(seed: u64, n: usize) -> Vec<f32> {
        (0..n).map(|i| striate_kernels::uniform(seed, i as u64)).collect()
    }

    #[test]
    fn sums_are_those_of_the_definition() {
        let cpu = Cpu::new(2).unwrap();
        let window = Window { from: 11, to: 7, stride: 2, reach: 2 };
        for (planes_in, planes_out) in [(1, 1), (3, 5), (16, 17)] {
            let maps = Maps { side: 11, planes: planes_in, values: noise(1, 121 * planes_in) };
            let weights = noise(2, planes_out * planes_in * window.taps());
            let found = Connections::full(&cpu, &window, planes_in, planes_out, &weights).sum(&cpu, &maps);
            let at = |k, from, tap| weights[(k * planes_in + from) * window.taps() + tap];
            let expected = plain(&window, &maps, at, planes_out);
            for (f, e) in found.values.iter().zip(&expected.values) {
                assert!((f - e).abs() < 1e-5 * e.abs().max(1.0), "{f} {e}");
            }
            let pattern = noise(3, window.taps());
            let found = Connections::within(&cpu, &window, planes_in, &pattern).sum(&cpu, &maps);
            let same = |k, from, tap: usize| if k == from { pattern[tap] } else { 0.0 };
            let expected = plain(&window, &maps, same, planes_in);
            for (f, e) in found.values.iter().zip(&expected.values) {
                assert!((f - e).abs() < 1e-5 * e.abs().max(1.0), "{f} {e}");
            }
        }
    }
}
