//! Linear layers that predict with weights kept as bf16. Few images are multiplied in the time that the weights take from
//! memory, and these are half as long. Inputs, sums and outputs are f32.

use super::pack::Panels;
use super::tile::most_pixels;
use super::{Activation, ConvGeometry};
use crate::bf16::narrowed;
use crate::cpu::{Pieces, SharedMut};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, Isa};

/// A planned linear layer with bf16 weights.
#[derive(Clone, Copy, Debug)]
pub struct HalfLinear {
    n: usize,
    inputs: usize,
    outputs: usize,
    panels: Panels,
}

impl HalfLinear {
    /// Where the geometry is a linear layer's: one pixel, one group.
    pub fn new(isa: Isa, g: &ConvGeometry) -> Option<Self> {
        g.is_linear().then(|| Self { n: g.n, inputs: g.c_in, outputs: g.c_out, panels: Panels::narrow(isa, g.c_out) })
    }

    /// The same plan for another number of images.
    #[must_use]
    pub fn batch(self, n: usize) -> Self {
        Self { n, ..self }
    }

    /// Halves of prepared weights.
    pub fn prepared_len(&self) -> usize {
        self.inputs * self.panels.width()
    }

    /// Rounds weights `(outputs, inputs)`, each output's times its `scale`, to bf16, in the order in which they are read.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn prepare(&self, cpu: &Cpu, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [u16]) {
        /// Inputs whose weights are turned together: a cache line of each output's.
        const BLOCK: usize = 16;
        assert_eq!(weight.len(), self.inputs * self.outputs, "weights (outputs, inputs)");
        assert_eq!(prepared.len(), self.prepared_len(), "room for prepared weights");
        assert!(scale.is_none_or(|s| s.len() == self.outputs), "a scale for each of {} outputs", self.outputs);
        let (lanes, inputs, outputs) = (self.panels.lanes, self.inputs, self.outputs);
        let to = Pieces::new(prepared, 1);
        cpu.run(self.panels.count, |panel| {
            let vectors = self.panels.vectors(panel);
            let (first, width) = (vectors.start * lanes, vectors.len() * lanes);
            // Safety: panels are disjoint.
            let to = unsafe { to.range(first * inputs..(first + width) * inputs) };
            for (block, lines) in to.chunks_mut(BLOCK * width).enumerate() {
                let count = lines.len() / width;
                for j in 0..width {
                    let o = first + j;
                    let row = if o < outputs { &weight[o * inputs + block * BLOCK..][..count] } else { &[] };
                    let scale = scale.filter(|_| o < outputs).map_or(1.0, |s| s[o]);
                    for i in 0..count {
                        lines[i * width + j] = row.get(i).map_or(0, |w| narrowed(w * scale));
                    }
                }
            }
        });
    }

    /// Assigns `y = activation(x · weights + bias)`: x `(n, inputs)`, y `(n, outputs)`.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn run(
        &self,
        cpu: &Cpu,
        x: &[f32],
        weights: &[u16],
        bias: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) {
        assert_eq!(x.len(), self.n * self.inputs, "inputs of {} images", self.n);
        assert_eq!(y.len(), self.n * self.outputs, "outputs of {} images", self.n);
        assert_eq!(weights.len(), self.prepared_len(), "prepared weights");
        assert!(bias.is_none_or(|b| b.len() == self.outputs), "a bias for each of {} outputs", self.outputs);
        let job = Job { plan: self, x, weights, bias, activation, y: SharedMut::new(y) };
        cpu.run(self.panels.count, |panel| self.panels.isa.dispatch(Panel { job: &job, panel }));
    }
}

struct Job<'a> {
    plan: &'a HalfLinear,
    x: &'a [f32],
    weights: &'a [u16],
    bias: Option<&'a [f32]>,
    activation: Activation,
    y: SharedMut,
}

/// The outputs of one panel, of all images.
struct Panel<'a> {
    job: &'a Job<'a>,
    panel: usize,
}

impl Kernel for Panel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        macro_rules! sizes {
            ($vectors:expr, $images:expr, $first:expr; $($v:literal: $($p:literal)+;)+) => {
                match ($vectors, $images) {
                    $($(($v, $p) => s.call(Tile::<$p, $v> { job: self.job, panel: self.panel, first: $first }),)+)+
                    _ => unreachable!("no tile of {} images by {} vectors", $images, $vectors),
                }
            };
        }
        let (n, vectors) = (self.job.plan.n, self.job.plan.panels.vectors(self.panel).len());
        let tiles = n.div_ceil(most_pixels(S::REGISTERS, vectors));
        for tile in 0..tiles {
            let (from, to) = (tile * n / tiles, (tile + 1) * n / tiles);
            sizes! { vectors, to - from, from; 1: 1 2 3 4 5 6 7 8 9 10 11 12; 2: 1 2 3 4 5 6 7 8 9 10 11 12; }
        }
    }
}

/// `P` images × `V` vectors of outputs.
struct Tile<'a, const P: usize, const V: usize> {
    job: &'a Job<'a>,
    panel: usize,
    /// The first image.
    first: usize,
}

impl<const P: usize, const V: usize> Kernel for Tile<'_, P, V> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Job { plan, x, weights, bias, activation, y } = self.job;
        let HalfLinear { inputs, outputs, panels, .. } = **plan;
        let start = panels.vectors(self.panel).start * S::LANES;
        let width = V * S::LANES;
        let w = weights[start * inputs..][..width * inputs].as_ptr();
        let x = x[self.first * inputs..][..P * inputs].as_ptr();
        let mut sums = [[s.splat(0.0); V]; P];
        for i in 0..inputs {
            let mut line = [s.splat(0.0); V];
            for v in 0..V {
                // Safety: within the `inputs` lines of `width` halves of this panel.
                line[v] = unsafe { s.load_bf16(w.add(i * width + v * S::LANES)) };
            }
            for p in 0..P {
                // Safety: within the P rows of `inputs`.
                let value = s.splat(unsafe { *x.add(p * inputs + i) });
                for v in 0..V {
                    sums[p][v] = s.fma(value, line[v], sums[p][v]);
                }
            }
        }
        let (low, high) = activation.bounds();
        for p in 0..P {
            for v in 0..V {
                let channel = start + v * S::LANES;
                let lanes = outputs.saturating_sub(channel).min(S::LANES);
                let to = y.get().wrapping_add((self.first + p) * outputs + channel);
                // Safety: these outputs of this image exist, the bias has as many, and no other panel writes them.
                unsafe {
                    let bias = bias.map_or(s.splat(0.0), |b| s.load_first(b.as_ptr().wrapping_add(channel), lanes));
                    let sum = s.min(s.splat(high), s.max(s.splat(low), s.add(bias, sums[p][v])));
                    s.store_first(sum, to, lanes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::widened;
    use crate::reference::{assert_same_bits, random};

    #[test]
    fn products_are_those_of_rounded_weights() {
        for (n, inputs, outputs) in [(1, 1, 1), (1, 70, 33), (5, 7, 100), (13, 65, 16), (30, 3, 257)] {
            let g = ConvGeometry {
                n,
                h: 1,
                w: 1,
                c_in: inputs,
                out_h: 1,
                out_w: 1,
                c_out: outputs,
                kernel: [1, 1],
                stride: [1, 1],
                pad: [0, 0],
                dilation: [1, 1],
                groups: 1,
            };
            let (x, weight) = (random(1, n * inputs), random(2, inputs * outputs));
            let (bias, scale) = (random(3, outputs), random(4, outputs));
            for isa in Isa::available() {
                let run = |threads, activation| {
                    let cpu = Cpu::with_isa(threads, isa).unwrap();
                    let plan = HalfLinear::new(isa, &g).unwrap();
                    let mut prepared = vec![7; plan.prepared_len()];
                    plan.prepare(&cpu, &weight, Some(&scale), &mut prepared);
                    let mut y = vec![f32::NAN; n * outputs];
                    plan.run(&cpu, &x, &prepared, Some(&bias), activation, &mut y);
                    y
                };
                for activation in [Activation::None, Activation::Relu] {
                    let y = run(1, activation);
                    assert_same_bits("3 threads", &y, &run(3, activation));
                    for (at, &found) in y.iter().enumerate() {
                        let (image, o) = (at / outputs, at % outputs);
                        let term = |i: usize| {
                            let rounded = widened(narrowed(weight[o * inputs + i] * scale[o]));
                            f64::from(x[image * inputs + i]) * f64::from(rounded)
                        };
                        let sum = (0..inputs).map(term).sum::<f64>() + f64::from(bias[o]);
                        let magnitudes = (0..inputs).map(|i| term(i).abs()).sum::<f64>() + f64::from(bias[o]).abs();
                        let expected = if activation == Activation::Relu { sum.max(0.0) } else { sum };
                        // A term is rounded with every sum that it is part of.
                        let bound = (inputs + 1) as f64 * f64::from(f32::EPSILON) * magnitudes;
                        assert!((f64::from(found) - expected).abs() <= bound, "{found} {expected} at {at} on {isa:?}");
                    }
                }
            }
        }
    }
}
