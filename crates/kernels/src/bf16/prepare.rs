//! Weights as right operands: for each panel of 32 output channels, kernel row and step of 32 terms two tiles of 16 channels,
//! in which two terms of each channel lie side by side. A kernel row's terms are its columns' input channels; what is
//! beyond the last term or channel is zero.

use super::convolution::PANEL;
use super::product::{STEP, TILE};
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Channels of a tile.
const HALF: usize = PANEL / 2;

/// Assigns `prepared`; `turned` says that weights are those of the convolution whose data gradient `g` is.
pub(super) fn run(
    cpu: &Cpu,
    g: &ConvGeometry,
    turned: bool,
    weight: &[f32],
    scale: Option<&[f32]>,
    prepared: &mut [u16],
) {
    /// Input channels of a piece, and words that are zeroed together.
    const BLOCK: usize = 32;
    const PIECE: usize = 1 << 15;
    if !g.c_out.is_multiple_of(PANEL) || !(g.kernel[1] * g.c_in).is_multiple_of(STEP) {
        cpu.chunks(prepared, PIECE, |_, words| words.fill(0));
    }
    let prepared = SharedMut::new(prepared);
    let blocks = g.c_in.div_ceil(BLOCK);
    cpu.run(g.c_out.div_ceil(PANEL) * blocks, |piece| {
        let (panel, block) = (piece / blocks, piece % blocks);
        let inputs = block * BLOCK..((block + 1) * BLOCK).min(g.c_in);
        cpu.isa().dispatch(Pack { g, turned, weight, scale, prepared, panel, inputs });
    });
}

/// The weights between some input channels and a panel of output channels.
struct Pack<'a> {
    g: &'a ConvGeometry,
    turned: bool,
    weight: &'a [f32],
    scale: Option<&'a [f32]>,
    prepared: SharedMut<u16>,
    panel: usize,
    inputs: Range<usize>,
}

impl Kernel for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (g, taps) = (self.g, self.g.kernel[0] * self.g.kernel[1]);
        for place in (0..PANEL).step_by(S::LANES) {
            let first = self.panel * PANEL + place;
            if first >= g.c_out {
                break;
            }
            if self.turned {
                // An input channel's weights lie far from the next one's.
                for input in self.inputs.clone() {
                    self.pack(s, place, input, taps);
                }
            } else {
                self.pack(s, place, self.inputs.start, self.inputs.len() * taps);
            }
        }
    }
}

impl Pack<'_> {
    /// Packs `len` weights of each of a vector of output channels, which is at `place` in the panel, from input channel
    /// `input` on.
    #[inline(always)]
    fn pack<S: Simd>(&self, s: S, place: usize, input: usize, len: usize) {
        let (g, taps) = (self.g, self.g.kernel[0] * self.g.kernel[1]);
        // Floats from one output channel to the next, and from one input channel to the next.
        let (pitch, step) = if self.turned { (taps, g.c_out * taps) } else { (g.c_in * taps, taps) };
        let first = self.panel * PANEL + place;
        let outputs = S::LANES.min(g.c_out - first);
        let from = &self.weight[first * pitch + input * step..][..(outputs - 1) * pitch + len];
        let scale = self.scale.map(|scale| s.read(&scale[first..]));
        let mut square = [0.0; 256];
        for column in (0..len).step_by(S::LANES) {
            let columns = S::LANES.min(len - column);
            if pitch == 1 {
                s.write(s.read(from), &mut square[..S::LANES]);
            } else {
                // Safety: `from` holds the last column of the last output channel, and `square` any vector's square.
                unsafe { s.turn(from[column..].as_ptr(), pitch, outputs, columns, square.as_mut_ptr()) };
            }
            for (i, weights) in square.chunks_exact(S::LANES).take(columns).enumerate() {
                let (input, tap) = (input + (column + i) / taps, (column + i) % taps);
                let tap = if self.turned { taps - 1 - tap } else { tap };
                let mut weights = s.read(weights);
                if let Some(scale) = scale {
                    weights = s.mul(weights, scale);
                }
                let mut words = [0_u16; HALF];
                let at = self.at(place, tap, input);
                // Safety: an array has room for any vector; these terms of these channels exist in the panel, and no other
                // piece has them.
                unsafe {
                    s.store_bf16(weights, words.as_mut_ptr());
                    for lane in 0..S::LANES {
                        *self.prepared.get().wrapping_add(at + 2 * lane) = words[lane];
                    }
                }
            }
        }
    }

    /// Where a weight of the panel's channel `place` goes; the next channel's is two words further, within a tile.
    #[inline(always)]
    fn at(&self, place: usize, tap: usize, input: usize) -> usize {
        let g = self.g;
        let steps = (g.kernel[1] * g.c_in).div_ceil(STEP);
        let (ky, term) = (tap / g.kernel[1], tap % g.kernel[1] * g.c_in + input);
        let step = (self.panel * g.kernel[0] + ky) * steps + term / STEP;
        let tile = (step * 2 + place / HALF) * TILE;
        tile + term % STEP / 2 * 2 * HALF + place % HALF * 2 + term % 2
    }
}
