//! The end of the weight gradient on tiles: copies summed by chunks are added in order and brought to OIHW.

use super::weight_gradient::PANEL;
use crate::Cpu;
use crate::conv::ConvGeometry;
use crate::simd::{Kernel, Simd};

/// Assigns to `dw (c_out, c_in, kernel)`, or adds to it, the sum of `copies` (chunks, kernel rows, panels of outputs, panels of a
/// kernel row's inputs, 32 outputs, 32 inputs); `panels` are those of outputs and of inputs.
pub(super) fn add_copies(cpu: &Cpu, g: &ConvGeometry, panels: [usize; 2], copies: &[f32], adds: bool, dw: &mut [f32]) {
    /// Weights of a piece.
    const PIECE: usize = 1 << 14;
    let weights = g.weight_len() / g.c_out;
    let outputs = (PIECE / weights).max(1);
    cpu.chunks(dw, outputs * weights, |piece, dw| {
        cpu.isa().dispatch(Sum { g, panels, copies, adds, first: piece * outputs, dw });
    });
}

/// The weights of some outputs.
struct Sum<'a> {
    g: &'a ConvGeometry,
    panels: [usize; 2],
    copies: &'a [f32],
    adds: bool,
    first: usize,
    dw: &'a mut [f32],
}

impl Kernel for Sum<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { g, panels: [wide, deep], copies, adds, first, dw } = self;
        let [rows, columns] = g.kernel;
        let weights = rows * columns * g.c_in;
        let copy_len = rows * wide * deep * PANEL * PANEL;
        for (output, dw) in (first..).zip(dw.chunks_exact_mut(weights)) {
            for (ky, panel) in (0..rows).flat_map(|ky| (0..deep).map(move |panel| (ky, panel))) {
                let panels = (ky * wide + output / PANEL) * deep + panel;
                let at = (panels * PANEL + output % PANEL) * PANEL;
                let mut sums = [0.0; PANEL];
                for v in (0..PANEL).step_by(S::LANES) {
                    let mut sum = s.splat(0.0);
                    for copy in copies.chunks_exact(copy_len) {
                        sum = s.add(sum, s.read(&copy[at + v..][..S::LANES]));
                    }
                    s.write(sum, &mut sums[v..v + S::LANES]);
                }
                // A kernel row's inputs are its columns' channels.
                let term = panel * PANEL;
                let (mut kx, mut input) = (term / g.c_in, term % g.c_in);
                for sum in sums.into_iter().take(columns * g.c_in - term) {
                    let dw = &mut dw[(input * rows + ky) * columns + kx];
                    *dw = if adds { *dw + sum } else { sum };
                    input += 1;
                    if input == g.c_in {
                        (kx, input) = (kx + 1, 0);
                    }
                }
            }
        }
    }
}
