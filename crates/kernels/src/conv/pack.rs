//! Packed weights: for each group and panel of output channels, `[tap row][tap column][input channel][panel width]`,
//! so that the register tile reads them in order. Lanes beyond the last channel are zero.

use super::pass::Pass;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::{Cpu, Isa};
use std::ops::Range;

/// Floats from one weight to the next along each index of OIHW weights, as a pass sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightStrides {
    pub(super) group: usize,
    /// From one channel the pass writes to the next.
    pub(super) output: usize,
    /// From one channel the pass reads to the next.
    pub(super) input: usize,
    /// From one kernel row to the next.
    pub(super) row: usize,
}

/// How the output channels of a group are cut into panels of whole vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels {
    pub(super) isa: Isa,
    pub(super) lanes: usize,
    /// Vectors of one group.
    pub(super) vectors: usize,
    /// Panels of one group.
    pub(super) count: usize,
}

/// Lanes and registers of an instruction set.
struct Width;

impl Kernel for Width {
    type Output = (usize, usize);
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (usize, usize) {
        (S::LANES, S::REGISTERS)
    }
}

impl Panels {
    /// Panels for `channels` outputs summed over `depth` terms: four vectors wide where a panel leaves room in a
    /// second-level cache for activations, since that needs the fewest loads a product, else at most two.
    pub(super) fn choose(isa: Isa, channels: usize, depth: usize) -> Self {
        /// Floats of such a panel.
        const CACHED: usize = 64 << 10;
        Self::of(isa, channels, |lanes, registers| match registers {
            32.. if depth * 4 * lanes <= CACHED => 4,
            16.. => 2,
            _ => 1,
        })
    }

    /// Panels of at most two vectors.
    pub(super) fn narrow(isa: Isa, channels: usize) -> Self {
        Self::of(isa, channels, |_, registers| if registers < 16 { 1 } else { 2 })
    }

    /// Eight channels or fewer would waste half of a sixteen-lane vector, so they use the eight lanes of AVX2.
    fn of(isa: Isa, channels: usize, widest: impl Fn(usize, usize) -> usize) -> Self {
        let isa = if isa == Isa::Avx512 && channels <= 8 { Isa::Avx2 } else { isa };
        let (lanes, registers) = isa.dispatch(Width);
        let vectors = channels.div_ceil(lanes);
        Self { isa, lanes, vectors, count: vectors.div_ceil(widest(lanes, registers)) }
    }

    /// The vectors of panel `i`; panels differ by one at most.
    pub(super) fn vectors(&self, i: usize) -> Range<usize> {
        i * self.vectors / self.count..(i + 1) * self.vectors / self.count
    }

    /// Floats across all vectors of a group.
    pub(super) fn width(&self) -> usize {
        self.vectors * self.lanes
    }

    /// Multiplies packed weights by their output channel's `scale` (groups × channels).
    pub(super) fn scale(&self, scale: &[f32], groups: usize, channels: usize, depth: usize, packed: &mut [f32]) {
        for group in 0..groups {
            for panel in 0..self.count {
                let vectors = self.vectors(panel);
                let first = vectors.start * self.lanes;
                let width = vectors.len() * self.lanes;
                let scale = &scale[group * channels + first..(group + 1) * channels];
                let start = (group * self.width() + first) * depth;
                for line in packed[start..start + depth * width].chunks_exact_mut(width) {
                    line.iter_mut().zip(scale).for_each(|(w, scale)| *w *= scale);
                }
            }
        }
    }

    /// Spreads `bias` (groups × channels, or zeros) to whole vectors a group.
    pub(super) fn pad(&self, bias: Option<&[f32]>, groups: usize, channels: usize, out: &mut [f32]) {
        out.fill(0.0);
        for (group, out) in out.chunks_exact_mut(self.width()).take(groups).enumerate() {
            if let Some(bias) = bias {
                out[..channels].copy_from_slice(&bias[group * channels..][..channels]);
            }
        }
    }
}

/// Packs the weights of a pass into `packed` (groups · depth · panel widths).
pub(super) fn pack(
    cpu: &Cpu,
    pass: &Pass,
    strides: &WeightStrides,
    panels: &Panels,
    weight: &[f32],
    packed: &mut [f32],
) {
    let taps = pass.rows.taps * pass.cols.taps;
    // Input channels of a piece: few enough for what a piece writes to stay in a first-level cache.
    let block = (4096 / (taps * panels.width().div_ceil(panels.count))).max(1);
    let blocks = pass.in_channels.div_ceil(block);
    let group_len = pass.depth() * panels.width();
    assert!(packed.len() >= pass.groups * group_len, "room for packed weights");
    let packed = SharedMut::new(packed);
    cpu.run(pass.groups * panels.count * blocks, |piece| {
        let (at, panel, group) = (piece % blocks, piece / blocks % panels.count, piece / blocks / panels.count);
        let vectors = panels.vectors(panel);
        let first = vectors.start * panels.lanes;
        let to = Panel {
            start: packed.get().wrapping_add(group * group_len + first * pass.depth()),
            width: vectors.len() * panels.lanes,
            channels: (vectors.len() * panels.lanes).min(pass.out_channels - first),
            inputs: pass.in_channels,
        };
        let source = &weight[group * strides.group + first * strides.output..];
        to.fill(pass, strides, source, at * block..((at + 1) * block).min(pass.in_channels));
    });
}

/// Floats of the widest panel: four vectors of sixteen.
const WIDEST: usize = 64;

/// One packed panel, of which each piece fills the lines of some input channels.
struct Panel {
    start: *mut f32,
    width: usize,
    /// Lanes in use.
    channels: usize,
    inputs: usize,
}

impl Panel {
    /// Fills the lines of `inputs` under all taps; `source` starts at the panel's first output channel.
    fn fill(&self, pass: &Pass, strides: &WeightStrides, source: &[f32], inputs: Range<usize>) {
        if pass.is_forward() {
            self.turn(pass.rows.taps * pass.cols.taps, strides.output, source, inputs);
        } else {
            self.gather(pass, strides, source, inputs);
        }
    }

    /// The data gradient's case: the outputs of a tap and input lie one kernel apart.
    fn gather(&self, pass: &Pass, strides: &WeightStrides, source: &[f32], inputs: Range<usize>) {
        for input in inputs {
            for y in 0..pass.rows.taps {
                for x in 0..pass.cols.taps {
                    let position = pass.rows.kernel_position(y) * strides.row + pass.cols.kernel_position(x);
                    let source = &source[input * strides.input + position..];
                    let (used, rest) = self.line(y * pass.cols.taps + x, input).split_at_mut(self.channels);
                    if strides.output == 1 {
                        used.copy_from_slice(&source[..self.channels]);
                    } else {
                        for (to, from) in used.iter_mut().zip(source.iter().step_by(strides.output)) {
                            *to = *from;
                        }
                    }
                    rest.fill(0.0);
                }
            }
        }
    }

    /// The forward case: the taps and inputs of an output lie side by side, and outputs far apart. Goes by squares whose
    /// lines are fetched together, since one after the other would wait for memory each time.
    fn turn(&self, taps: usize, pitch: usize, source: &[f32], inputs: Range<usize>) {
        const SIDE: usize = 16;
        let mut square = [[0.0_f32; SIDE]; WIDEST];
        let end = inputs.end * taps;
        for from in (inputs.start * taps..end).step_by(SIDE) {
            let len = SIDE.min(end - from);
            for (channel, row) in square[..self.channels].iter_mut().enumerate() {
                let source = &source[channel * pitch + from..];
                match source.first_chunk::<SIDE>() {
                    Some(source) => *row = *source,
                    None => row[..len].copy_from_slice(&source[..len]),
                }
            }
            for i in 0..len {
                let term = from + i;
                for (to, row) in self.line(term % taps, term / taps).iter_mut().zip(&square) {
                    *to = row[i];
                }
            }
        }
    }

    /// The lanes of one tap and input channel.
    #[allow(clippy::mut_from_ref)] // Pieces fill the lines of different inputs.
    fn line(&self, tap: usize, input: usize) -> &mut [f32] {
        // Safety: lines of a panel do not overlap, no other piece has this input, and `pack` checked the room.
        unsafe { std::slice::from_raw_parts_mut(self.start.add((tap * self.inputs + input) * self.width), self.width) }
    }
}
