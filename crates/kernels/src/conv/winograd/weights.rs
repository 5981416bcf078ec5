//! The transform of weights to `[panel of output channels][frequency][input channel][panel width]`, which the products read
//! in order. Lanes beyond the last channel are zero.

use super::Winograd;
use super::transforms::{Transform, Weight, columns, lines};
use crate::Cpu;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

const TAPS: usize = 9;

/// Assigns `prepared`; `turned` says that weights are those of the convolution whose data gradient this is.
pub(super) fn prepare(
    w: &Winograd,
    cpu: &Cpu,
    weight: &[f32],
    scale: Option<&[f32]>,
    turned: bool,
    prepared: &mut [f32],
) {
    /// Input channels of a piece.
    const BLOCK: usize = 32;
    assert_eq!(weight.len(), w.g.weight_len(), "weights (c_out, c_in, 3, 3) for {:?}", w.g);
    assert_eq!(prepared.len(), w.prepared_len(), "prepared weights for {w:?}");
    let prepared = SharedMut::new(prepared);
    let blocks = w.g.c_in.div_ceil(BLOCK);
    cpu.run(w.vectors() * blocks, |piece| {
        let (vector, block) = (piece / blocks, piece % blocks);
        let inputs = block * BLOCK..((block + 1) * BLOCK).min(w.g.c_in);
        let job = Job { w, weight, scale, turned, prepared, vector, inputs };
        match w.size {
            2 => w.isa.dispatch(Sized::<4>(job)),
            _ => w.isa.dispatch(Sized::<6>(job)),
        }
    });
}

/// The weights between some input channels and one vector of output channels.
struct Job<'a> {
    w: &'a Winograd,
    weight: &'a [f32],
    scale: Option<&'a [f32]>,
    turned: bool,
    prepared: SharedMut,
    vector: usize,
    inputs: Range<usize>,
}

struct Sized<'a, const T: usize>(Job<'a>);

impl<const T: usize> Kernel for Sized<'_, T>
where
    Weight: Transform<3, T>,
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Job { w, weight, scale, turned, prepared, vector, inputs } = self.0;
        let (panel, first) = (vector / w.widest, vector * S::LANES);
        let (first_of_panel, vectors) = w.panel(panel);
        let width = vectors * S::LANES;
        let to = (first_of_panel * T * T * w.g.c_in + vector - first_of_panel) * S::LANES;
        let outputs = S::LANES.min(w.g.c_out - first);
        let scale = scale.map(|scale| s.read(&scale[first..]));
        // Floats from one output channel to the next, and from one input channel to the next.
        let (pitch, step) = if turned { (TAPS, w.g.c_out * TAPS) } else { (w.g.c_in * TAPS, TAPS) };
        // Nine taps, in one square of sixteen lanes or two of eight.
        let mut taps = [[0.0; 16]; 16];
        let taps = taps.as_flattened_mut();
        for input in inputs {
            let from = &weight[first * pitch + input * step..][..(outputs - 1) * pitch + TAPS];
            for column in (0..TAPS).step_by(S::LANES) {
                let to = taps[column * S::LANES..][..S::LANES * S::LANES].as_mut_ptr();
                // Safety: `from` holds the last tap of the last output channel, and `to` a square.
                unsafe { s.turn(from[column..].as_ptr(), pitch, outputs, S::LANES.min(TAPS - column), to) };
            }
            if let Some(scale) = scale {
                for tap in taps.chunks_exact_mut(S::LANES).take(TAPS) {
                    s.write(s.mul(s.read(tap), scale), tap);
                }
            }
            let at = |r: usize, c: usize| {
                let tap = r * 3 + c;
                taps[if turned { TAPS - 1 - tap } else { tap } * S::LANES..].as_ptr()
            };
            // Safety: nine vectors of taps were written.
            let t = unsafe { columns::<Weight, S, 3, T, true>(s, at, S::LANES) };
            let to = prepared.get().wrapping_add(to + input * width);
            // Safety: this vector of this input channel, in every frequency of its panel, which no other piece writes.
            unsafe { lines::<Weight, S, 3, T>(s, t, to, w.g.c_in * width) };
        }
    }
}
