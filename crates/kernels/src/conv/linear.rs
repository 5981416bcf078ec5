//! A linear layer on few images, its weights read in place: packing them would move more memory than the products do.
//! Forward sums along the inputs, the data gradient along the outputs, the weight gradient along the images.

use crate::Cpu;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

use super::{ConvGeometry, Destination, Epilogue};

/// A matrix product of a few rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear {
    pub(super) n: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// Images of a tile.
const IMAGES: usize = 6;

/// The ranges of at most `most` that `0..len` is cut into, differing by one at most.
fn balanced(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = len.div_ceil(most);
    (0..count).map(move |i| i * len / count..(i + 1) * len / count)
}

impl Linear {
    /// Whether this is a linear layer on so few images that moving its weights, or their gradient, is what takes time.
    pub(super) fn applies(g: &ConvGeometry) -> bool {
        const FEW: usize = 32;
        g.is_linear() && g.n <= FEW
    }

    /// Writes (n, outputs) = x (n, inputs) · weightᵀ (outputs, inputs).
    pub(super) fn forward(
        &self,
        cpu: &Cpu,
        x: &[f32],
        weight: &[f32],
        epilogue: &Epilogue<'_>,
        to: &mut Destination<'_>,
    ) {
        /// Weights of a piece: enough to be worth its start.
        const PIECE: usize = 1 << 16;
        let rows = (PIECE / self.inputs.max(1)).clamp(4, 64).next_multiple_of(4);
        let last = (self.n - 1) * to.pitch + to.channel + self.outputs;
        assert!(
            x.len() == self.n * self.inputs && weight.len() == self.outputs * self.inputs && last <= to.values.len()
        );
        let job = Forward { linear: *self, x, weight, epilogue: *epilogue, adds: to.adds, pitch: to.pitch };
        let out = SharedMut::new(&mut to.values[to.channel..]);
        cpu.run(self.outputs.div_ceil(rows), |piece| {
            let outputs = piece * rows..((piece + 1) * rows).min(self.outputs);
            cpu.isa().dispatch(ForwardPiece { job: &job, outputs, out });
        });
    }

    /// Assigns or adds to `dx (n, inputs)` = dy (n, outputs) · weight.
    pub(super) fn data_gradient(&self, cpu: &Cpu, dy: &[f32], weight: &[f32], adds: bool, dx: &mut [f32]) {
        /// Inputs of a piece: a page of each row of weights.
        const PIECE: usize = 1024;
        assert!(
            dy.len() == self.n * self.outputs
                && weight.len() == self.outputs * self.inputs
                && dx.len() == self.n * self.inputs
        );
        let dx = SharedMut::new(dx);
        cpu.run(self.inputs.div_ceil(PIECE), |piece| {
            let inputs = piece * PIECE..((piece + 1) * PIECE).min(self.inputs);
            cpu.isa().dispatch(DataPiece { linear: self, dy, weight, adds, dx, inputs });
        });
    }

    /// Assigns or adds to `dw (rows, inputs)`, the rows of dyᵀ · x from `first` on. Each value is summed along the images,
    /// whatever rows are computed with its own.
    pub(super) fn weight_gradient(&self, cpu: &Cpu, x: &[f32], dy: &[f32], adds: bool, first: usize, dw: &mut [f32]) {
        assert!(dy.len() == self.n * self.outputs && x.len() == self.n * self.inputs);
        let rows = (65536 / self.inputs.max(1)).clamp(4, 64).next_multiple_of(4);
        cpu.chunks(dw, (rows * self.inputs).max(1), |piece, dw| {
            let first = first + piece * rows;
            cpu.isa().dispatch(WeightPiece { linear: self, x, dy, adds, first, dw });
        });
    }
}

struct Forward<'a> {
    linear: Linear,
    x: &'a [f32],
    weight: &'a [f32],
    epilogue: Epilogue<'a>,
    adds: bool,
    pitch: usize,
}

/// Some outputs of all images.
struct ForwardPiece<'a> {
    job: &'a Forward<'a>,
    outputs: Range<usize>,
    out: SharedMut,
}

impl Kernel for ForwardPiece<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut at = self.outputs.start;
        while at < self.outputs.end {
            let four = self.outputs.end - at >= 4;
            // Tiles of 6 × 4 sums for 32 registers, 3 × 4 for 16.
            let most = if S::REGISTERS < 32 { IMAGES / 2 } else { IMAGES };
            for images in balanced(self.job.linear.n, most) {
                macro_rules! sizes {
                    ($($n:literal)+) => {
                        match images.len() {
                            $($n if four => s.call(Dot::<$n, 4> { piece: &self, image: images.start, output: at }),
                            $n => s.call(Dot::<$n, 1> { piece: &self, image: images.start, output: at }),)+
                            _ => unreachable!("tiles of at most {IMAGES} images"),
                        }
                    };
                }
                sizes!(1 2 3 4 5 6);
            }
            at += if four { 4 } else { 1 };
        }
    }
}

/// N images by O outputs, summed in vectors along the inputs.
struct Dot<'a, const N: usize, const O: usize> {
    piece: &'a ForwardPiece<'a>,
    image: usize,
    output: usize,
}

impl<const N: usize, const O: usize> Kernel for Dot<'_, N, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Forward { linear, x, weight, epilogue, adds, pitch } = self.piece.job;
        let inputs = linear.inputs;
        let x = x[self.image * inputs..][..N * inputs].as_ptr();
        let w = weight[self.output * inputs..][..O * inputs].as_ptr();
        let mut sums = [[s.splat(0.0); O]; N];
        let whole = inputs / S::LANES * S::LANES;
        let mut i = 0;
        while i < whole {
            let mut weights = [s.splat(0.0); O];
            for o in 0..O {
                // Safety: a vector of row o of the O rows taken above.
                weights[o] = unsafe { s.load(w.add(o * inputs + i)) };
            }
            for n in 0..N {
                // Safety: a vector of row n of the N rows taken above.
                let value = unsafe { s.load(x.add(n * inputs + i)) };
                for o in 0..O {
                    sums[n][o] = s.fma(value, weights[o], sums[n][o]);
                }
            }
            i += S::LANES;
        }
        if whole < inputs {
            let len = inputs - whole;
            for n in 0..N {
                // Safety: the last `len` values of row n.
                let value = unsafe { s.load_first(x.add(n * inputs + whole), len) };
                for o in 0..O {
                    // Safety: the last `len` values of row o.
                    let weight = unsafe { s.load_first(w.add(o * inputs + whole), len) };
                    sums[n][o] = s.fma(value, weight, sums[n][o]);
                }
            }
        }
        let (low, high) = epilogue.activation.bounds();
        for n in 0..N {
            for o in 0..O {
                let mut lanes = [0.0_f32; 16];
                s.write(sums[n][o], &mut lanes[..S::LANES]);
                let (image, output) = (self.image + n, self.output + o);
                let mut sum = total(&lanes) + epilogue.bias.map_or(0.0, |b| b[output]);
                if let Some(residual) = epilogue.residual {
                    sum += residual[image * linear.outputs + output];
                }
                // Safety: this image's output, checked in `Linear::forward`, which no other piece has.
                let to = unsafe { &mut *self.piece.out.get().add(image * pitch + output) };
                if *adds {
                    sum += *to;
                }
                *to = if sum < low {
                    low
                } else if sum > high {
                    high
                } else {
                    sum
                };
            }
        }
    }
}

/// The sum of sixteen lanes, by halves.
#[inline(always)]
fn total(lanes: &[f32; 16]) -> f32 {
    let mut sums = *lanes;
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}

/// Some inputs of all images.
struct DataPiece<'a> {
    linear: &'a Linear,
    dy: &'a [f32],
    weight: &'a [f32],
    adds: bool,
    dx: SharedMut,
    inputs: Range<usize>,
}

impl Kernel for DataPiece<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        /// Rows of weights taken together: their pages stay in the translation buffer.
        const ROWS: usize = 128;
        let vectors = if S::REGISTERS < 32 { 2 } else { 4 };
        for first in (0..self.linear.outputs).step_by(ROWS) {
            let outputs = first..(first + ROWS).min(self.linear.outputs);
            let adds = self.adds || first > 0;
            for input in self.inputs.clone().step_by(vectors * S::LANES) {
                let lanes = (self.inputs.end - input).min(vectors * S::LANES);
                for images in balanced(self.linear.n, IMAGES) {
                    let (image, outputs) = (images.start, outputs.clone());
                    macro_rules! sizes {
                        ($($n:literal)+) => {
                            match images.len() {
                                $($n if vectors == 4 => s.call(Outer::<$n, 4> { piece: &self, outputs, image, input, lanes, adds }),
                                $n => s.call(Outer::<$n, 2> { piece: &self, outputs, image, input, lanes, adds }),)+
                                _ => unreachable!("tiles of at most {IMAGES} images"),
                            }
                        };
                    }
                    sizes!(1 2 3 4 5 6);
                }
            }
        }
    }
}

/// N images by V vectors of inputs, summed along some outputs.
struct Outer<'a, const N: usize, const V: usize> {
    piece: &'a DataPiece<'a>,
    outputs: Range<usize>,
    image: usize,
    input: usize,
    /// Inputs of the tile, at most V vectors.
    lanes: usize,
    adds: bool,
}

impl<const N: usize, const V: usize> Kernel for Outer<'_, N, V> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let DataPiece { linear, dy, weight, dx, .. } = self.piece;
        let mut sums = [[s.splat(0.0); V]; N];
        let dy = dy[self.image * linear.outputs..][..N * linear.outputs].as_ptr();
        let width = |v: usize| self.lanes.saturating_sub(v * S::LANES).min(S::LANES);
        let full = self.lanes == V * S::LANES;
        for output in self.outputs.clone() {
            let row = &weight[output * linear.inputs + self.input..][..self.lanes];
            let mut weights = [s.splat(0.0); V];
            for v in 0..V {
                let at = row.as_ptr().wrapping_add(v * S::LANES);
                // Safety: the row has `lanes` inputs from here on, of which these are the v-th vector.
                weights[v] = unsafe { if full { s.load(at) } else { s.load_first(at, width(v)) } };
            }
            for n in 0..N {
                // Safety: an output of row n of the N rows taken above.
                let value = s.splat(unsafe { *dy.add(n * linear.outputs + output) });
                for v in 0..V {
                    sums[n][v] = s.fma(value, weights[v], sums[n][v]);
                }
            }
        }
        for n in 0..N {
            let to = dx.get().wrapping_add((self.image + n) * linear.inputs + self.input);
            for v in 0..V {
                let to = to.wrapping_add(v * S::LANES);
                // Safety: the tile's inputs of this image, which no other piece has.
                unsafe {
                    let sum = if self.adds { s.add(s.load_first(to, width(v)), sums[n][v]) } else { sums[n][v] };
                    s.store_first(sum, to, width(v));
                }
            }
        }
    }
}

/// Some rows of the weights' gradient.
struct WeightPiece<'a> {
    linear: &'a Linear,
    x: &'a [f32],
    dy: &'a [f32],
    adds: bool,
    /// The first output.
    first: usize,
    dw: &'a mut [f32],
}

impl Kernel for WeightPiece<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Linear { n, inputs, outputs } = *self.linear;
        for (i, rows) in self.dw.chunks_mut(4 * inputs).enumerate() {
            let output = self.first + 4 * i;
            let count = rows.len() / inputs;
            for input in (0..inputs).step_by(2 * S::LANES) {
                let width = |v: usize| (inputs - input).saturating_sub(v * S::LANES).min(S::LANES);
                let mut sums = [[s.splat(0.0); 2]; 4];
                for image in 0..n {
                    let x = self.x[image * inputs + input..(image + 1) * inputs].as_ptr();
                    let mut values = [s.splat(0.0); 2];
                    for v in 0..2 {
                        let at = x.wrapping_add(v * S::LANES);
                        // Safety: the rest of the image's inputs, of which these are the v-th vector.
                        values[v] =
                            unsafe { if width(v) == S::LANES { s.load(at) } else { s.load_first(at, width(v)) } };
                    }
                    for o in 0..4 {
                        let dy = if o < count { self.dy[image * outputs + output + o] } else { 0.0 };
                        for v in 0..2 {
                            sums[o][v] = s.fma(s.splat(dy), values[v], sums[o][v]);
                        }
                    }
                }
                for o in 0..4 {
                    if o < count {
                        let row = &mut rows[o * inputs + input..(o + 1) * inputs];
                        for v in 0..2 {
                            let to = &mut row[(v * S::LANES).min(width(0))..];
                            let to = &mut to[..width(v)];
                            let sum = if self.adds { s.add(s.read(to), sums[o][v]) } else { sums[o][v] };
                            s.write(sum, to);
                        }
                    }
                }
            }
        }
    }
}
