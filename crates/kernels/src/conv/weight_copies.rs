//! The end of the weight gradient: copies summed by chunks of pixels are added in order and turned to OIHW.

use super::backward_weight::Shape;
use super::pack::Panels;
use crate::Cpu;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Terms turned together: few enough for their sums to stay in a first-level cache.
const BLOCK: usize = 128;

/// Assigns to `dw` (outputs, inputs, taps), or adds to it, the sum of `copies` (chunks, groups, panels, depth, panel width).
pub(super) fn add_copies(cpu: &Cpu, shape: &Shape, panels: &Panels, copies: &[f32], adds: bool, dw: &mut [f32]) {
    assert_eq!(dw.len(), shape.groups * shape.outputs * shape.depth(), "elements of dw");
    let dw = SharedMut::new(dw);
    let inputs = (BLOCK / (shape.rows.taps * shape.cols.taps)).max(1);
    let blocks = shape.inputs.div_ceil(inputs);
    cpu.run(shape.groups * panels.count * blocks, |piece| {
        let (block, piece) = (piece % blocks, piece / blocks);
        let inputs = block * inputs..((block + 1) * inputs).min(shape.inputs);
        let (panel, group) = (panels.vectors(piece % panels.count), piece / panels.count);
        for vector in panel.clone() {
            let (panel, inputs) = (panel.clone(), inputs.clone());
            panels.isa.dispatch(Turn { shape, panels, copies, adds, dw, group, panel, vector, inputs });
        }
    });
}

/// The weights between one vector of outputs and some inputs.
struct Turn<'a> {
    shape: &'a Shape,
    panels: &'a Panels,
    copies: &'a [f32],
    adds: bool,
    dw: SharedMut,
    group: usize,
    /// Vectors of the panel, and the one among them.
    panel: Range<usize>,
    vector: usize,
    inputs: Range<usize>,
}

impl Kernel for Turn<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { shape, panels, group, panel, vector, inputs, .. } = self;
        let (depth, taps) = (shape.depth(), shape.rows.taps * shape.cols.taps);
        let width = panel.len() * S::LANES;
        let start = (group * panels.width() + panel.start * S::LANES) * depth + (vector - panel.start) * S::LANES;
        let first = vector * S::LANES;
        let channels = S::LANES.min(shape.outputs - first);
        let terms = inputs.start * taps..inputs.end * taps;
        // A kernel of more than BLOCK taps has one input and several rounds.
        for from in terms.clone().step_by(BLOCK) {
            let len = BLOCK.min(terms.end - from);
            let mut sums = [[0.0; 16]; BLOCK];
            for (term, sums) in (from..).zip(&mut sums[..len]) {
                let at = start + (term % taps * shape.inputs + term / taps) * width;
                let mut sum = s.splat(0.0);
                for copy in self.copies.chunks_exact(shape.copy_len()) {
                    sum = s.add(sum, s.read(&copy[at..at + S::LANES]));
                }
                s.write(sum, sums);
            }
            for channel in 0..channels {
                let at = (group * shape.outputs + first + channel) * depth + from;
                // Safety: these terms of this output belong to this piece alone, and lie below the length checked.
                let dw = unsafe { std::slice::from_raw_parts_mut(self.dw.get().add(at), len) };
                for (dw, sums) in dw.iter_mut().zip(&sums) {
                    *dw = if self.adds { *dw } else { 0.0 } + sums[channel];
                }
            }
        }
    }
}
