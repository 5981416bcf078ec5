//! The data gradient to a few channels: the taps of a kernel row, times the channels of x, are computed as if they were
//! channels of their own, so that vectors are full, and each row of these is then folded: run q is added to the row of dx
//! from pixel q · stride − pad on.

use super::pack::Panels;
use super::pass::Pass;
use super::{Activation, ConvGeometry, Destination, Epilogue};
use crate::cpu::{Pieces, SharedMut};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, Isa};

/// Floats of unfolded rows that wait in a cache.
const CACHED: usize = 1 << 18;

/// Rows folded by a piece.
const ROWS: usize = 8;

/// A planned data gradient of this kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    g: ConvGeometry,
    isa: Isa,
    /// The convolution over columns of kernels whose data gradient is the unfolded rows `(n, h, out_w, run)`.
    columns: ConvGeometry,
}

impl Fold {
    /// `None` where x has too many channels to gain, taps do not lie side by side, or windows leave rows of x out.
    pub(super) fn new(isa: Isa, g: &ConvGeometry) -> Option<Self> {
        /// Channels that fill the shortest vectors.
        const ENOUGH: usize = 8;
        let run = Panels::narrow(isa, g.kernel[1] * g.c_in).width();
        let gains = g.c_in > 0 && run < g.kernel[1] * Panels::narrow(isa, g.c_in).width();
        let columns = ConvGeometry {
            w: g.out_w,
            c_in: run,
            kernel: [g.kernel[0], 1],
            stride: [g.stride[0], 1],
            pad: [g.pad[0], 0],
            ..*g
        };
        let plain = g.groups == 1 && g.dilation[1] == 1 && g.c_in < ENOUGH && gains;
        let rows = || Pass::backward_data(&columns).map(|pass| pass.rows.points).sum::<usize>();
        (plain && rows() == g.h).then_some(Self { g: *g, isa, columns })
    }

    /// The same plan for another number of images.
    pub(super) fn batch(self, n: usize) -> Self {
        Self { g: ConvGeometry { n, ..self.g }, ..self }
    }

    /// Multiply-adds, counting whole vectors.
    pub(super) fn multiply_adds(&self) -> usize {
        self.columns(self.g.n).multiply_adds()
    }

    /// Of so many images.
    fn columns(&self, n: usize) -> ConvGeometry {
        ConvGeometry { n, ..self.columns }
    }

    /// Images unfolded together.
    fn together(&self) -> usize {
        (CACHED / self.unfolded(1).max(1)).clamp(1, self.g.n.max(1))
    }

    fn unfolded(&self, n: usize) -> usize {
        n * self.g.h * self.row_len()
    }

    fn row_len(&self) -> usize {
        self.columns.w * self.columns.c_in
    }

    fn packed_len(&self) -> usize {
        Pass::backward_data(&self.columns).map(|pass| pass.packed_len()).sum()
    }

    /// Floats of prepared weights.
    pub(super) fn prepared_len(&self) -> usize {
        self.packed_len() + self.columns.weight_len()
    }

    /// Prepares weights `(c_out, c_in, kernel)`.
    pub(super) fn prepare(&self, cpu: &Cpu, weight: &[f32], prepared: &mut [f32]) {
        let (mut packed, columns) = prepared.split_at_mut(self.packed_len());
        let [height, width] = self.g.kernel;
        columns.fill(0.0);
        let outputs = columns.chunks_exact_mut(self.columns.c_in * height);
        for (columns, weight) in outputs.zip(weight.chunks_exact(self.g.c_in * height * width)) {
            for (i, &weight) in weight.iter().enumerate() {
                let (channel, y, x) = (i / width / height, i / width % height, i % width);
                columns[(x * self.g.c_in + channel) * height + y] = weight;
            }
        }
        for pass in Pass::backward_data(&self.columns) {
            let to;
            (to, packed) = packed.split_at_mut(pass.packed_len());
            pass.pack(cpu, columns, None, to);
        }
    }

    /// Floats of a row in which runs are added up, from `pad` pixels before the first of dx on.
    fn line_len(&self) -> usize {
        let (g, run) = (&self.g, self.columns.c_in);
        let runs = g.out_w.saturating_sub(1) * g.stride[1] * g.c_in + run;
        runs.max((g.pad[1] + g.w) * g.c_in).next_multiple_of(16)
    }

    /// Floats of scratch that [`Fold::run`] needs with `threads` threads.
    pub(super) fn scratch(&self, threads: usize) -> usize {
        let most = self.columns(self.together());
        let pass = Pass::backward_data(&most).map(|pass| pass.scratch()).max().unwrap_or(0);
        self.unfolded(self.together()) + threads * self.line_len() + pass
    }

    /// From dy `(n, out_h, out_w, c_out)` to dx.
    pub(super) fn run(
        &self,
        cpu: &Cpu,
        dy: &[f32],
        prepared: &[f32],
        epilogue: &Epilogue<'_>,
        to: &mut Destination<'_>,
        scratch: &mut [f32],
    ) {
        let g = &self.g;
        let together = self.together();
        let (unfolded, scratch) = scratch.split_at_mut(self.unfolded(together));
        let (lines, scratch) = scratch.split_at_mut(cpu.threads() * self.line_len());
        let lines = Pieces::new(lines, self.line_len());
        for image in (0..g.n).step_by(together) {
            let n = together.min(g.n - image);
            let columns = self.columns(n);
            let (dy_len, unfolded) = (columns.y_len() / n, &mut unfolded[..self.unfolded(n)]);
            let mut packed = prepared;
            for pass in Pass::backward_data(&columns) {
                let weights;
                (weights, packed) = packed.split_at(pass.packed_len());
                let dy = &dy[image * dy_len..][..n * dy_len];
                let mut to = Destination::assign(unfolded, columns.c_in);
                pass.run(cpu, dy, weights, &Epilogue::default(), &mut to, scratch);
            }
            let job = Job { fold: self, unfolded, first: image * g.h, epilogue, pitch: to.pitch, adds: to.adds };
            let (rows, values) = (n * g.h, SharedMut::new(&mut to.values[to.channel..]));
            let isa = Panels::narrow(self.isa, columns.c_in).isa;
            cpu.run_with_seat(rows.div_ceil(ROWS), |seat, piece| {
                // Safety: no two pieces have the same seat at once.
                let line = unsafe { lines.get(seat) };
                for index in piece * ROWS..((piece + 1) * ROWS).min(rows) {
                    isa.dispatch(Row { job: &job, index, line, values });
                }
            });
        }
    }
}

/// What all rows share.
struct Job<'a> {
    fold: &'a Fold,
    unfolded: &'a [f32],
    /// The first row, over all images.
    first: usize,
    epilogue: &'a Epilogue<'a>,
    pitch: usize,
    adds: bool,
}

impl Job<'_> {
    /// Whether rows of dx are whole and take sums as they are.
    fn is_plain(&self) -> bool {
        let Epilogue { bias, residual, activation } = self.epilogue;
        self.pitch == self.fold.g.c_in && bias.is_none() && residual.is_none() && *activation == Activation::None
    }
}

struct Row<'a> {
    job: &'a Job<'a>,
    index: usize,
    line: &'a mut [f32],
    /// Of dx, from the first channel that is written on.
    values: SharedMut,
}

impl Kernel for Row<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { job, index, line, values } = self;
        let Fold { g, columns, .. } = job.fold;
        let (step, run) = (g.stride[1] * g.c_in, columns.c_in);
        let unfolded = &job.unfolded[index * job.fold.row_len()..][..job.fold.row_len()];
        line.fill(0.0);
        // Runs that touch each other lie in different rounds: a load that overlaps a store just made waits for it.
        let rounds = run.div_ceil(step);
        assert!(columns.w.saturating_sub(1) * step + run <= line.len(), "every run lies in the line");
        for round in 0..rounds {
            for v in 0..run / S::LANES {
                let mut q = round;
                while q < columns.w {
                    let line = line.as_mut_ptr().wrapping_add(q * step + v * S::LANES);
                    let from = unfolded.as_ptr().wrapping_add(q * run + v * S::LANES);
                    // Safety: run q lies in the line, as asserted, and in the row, which holds `columns.w` of them.
                    unsafe { s.store(s.add(s.load(line), s.load(from)), line) };
                    q += rounds;
                }
            }
        }
        let line = &line[g.pad[1] * g.c_in..][..g.w * g.c_in];
        let first = (job.first + index) * g.w;
        if job.is_plain() {
            // Safety: the row exists, `Convolution` having checked the destination, and belongs to one piece.
            let to = unsafe { std::slice::from_raw_parts_mut(values.get().add(first * g.c_in), line.len()) };
            for (to, line) in to.chunks_mut(S::LANES).zip(line.chunks(S::LANES)) {
                let sum = s.read(line);
                s.write(if job.adds { s.add(s.read(to), sum) } else { sum }, to);
            }
            return;
        }
        let (low, high) = job.epilogue.activation.bounds();
        for (pixel, line) in (first..).zip(line.chunks_exact(g.c_in)) {
            // Safety: these channels exist, as above.
            let to = unsafe { std::slice::from_raw_parts_mut(values.get().add(pixel * job.pitch), g.c_in) };
            for (channel, (to, &sum)) in to.iter_mut().zip(line).enumerate() {
                let bias = job.epilogue.bias.map_or(0.0, |bias| bias[channel]);
                let residual = job.epilogue.residual.map_or(0.0, |residual| residual[pixel * g.c_in + channel]);
                let sum = if job.adds { *to } else { residual } + (sum + bias);
                // NaN stays.
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
