//! The convolution: tiles are transformed, multiplied with the weights of a panel of output channels in every frequency, and
//! transformed back while those products are still in cache. Pieces are blocks of tiles; where there are few of those, or
//! the weights are large, tiles are transformed first, and pieces are blocks of tiles × panels.

use super::tiles::{Map, Place, Rows};
use super::transforms::{Input, Output, Transform, columns};
use super::{Destination, Epilogue, Winograd};
use crate::Cpu;
use crate::conv::moments::{Block, block_len};
use crate::conv::product::Product;
use crate::cpu::SharedMut;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// What all pieces share.
struct Job<'a> {
    w: &'a Winograd,
    x: Map<'a>,
    prepared: &'a [f32],
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    bounds: (f32, f32),
    /// Starts at the first channel written.
    out: SharedMut,
    pitch: usize,
    adds: bool,
    moments: Option<SharedMut>,
}

/// See [`Winograd::run`]; tiles of M × M outputs and T × T inputs.
pub(super) fn run<const M: usize, const T: usize>(
    w: &Winograd,
    cpu: &Cpu,
    x: &[f32],
    prepared: &[f32],
    epilogue: &Epilogue<'_>,
    to: Destination<'_>,
    scratch: &mut [f32],
) where
    Input: Transform<T, T>,
    Output: Transform<T, M>,
{
    check(w, cpu, x, prepared, epilogue, &to, scratch);
    if to.values.is_empty() {
        return;
    }
    let (zeros, scratch) = scratch.split_at_mut(w.zeros_len());
    let inputs = w.inputs_len() * if w.private { cpu.threads() } else { 1 };
    let (inputs, products) = scratch.split_at_mut(inputs);
    let (inputs, products) = (SharedMut::new(inputs), SharedMut::new(products));
    zeros.fill(0.0);
    let job = Job {
        w,
        x: Map { values: x, h: w.g.h, w: w.g.w, c: w.g.c_in, zeros },
        prepared,
        bias: epilogue.bias,
        residual: epilogue.residual,
        bounds: epilogue.activation.bounds(),
        out: SharedMut::new(&mut to.values[to.channel..]),
        pitch: to.pitch,
        adds: to.adds,
        moments: to.moments.map(SharedMut::new),
    };
    let (chunks, blocks, panels) = (w.chunks(), w.blocks(), w.panels());
    let seat_of = |seat: usize| products.get().wrapping_add(seat * w.products_len());
    cpu.install(|| {
        for index in 0..chunks {
            let chunk = cut(0..w.tiles().count(), index, chunks);
            let block = |i| (cut(chunk.clone(), i, blocks), index * blocks + i);
            if w.private {
                cpu.run_with_seat(blocks, |seat, piece| {
                    let (tiles, moments) = block(piece);
                    let inputs = inputs.get().wrapping_add(seat * w.inputs_len());
                    w.isa.dispatch(In::<T> { job: &job, tiles: tiles.clone(), to: inputs });
                    let products = seat_of(seat);
                    w.isa.dispatch(Out::<M, T> { job: &job, tiles, inputs, products, panels: 0..panels, moments });
                });
            } else {
                /// Tiles that are transformed by one piece.
                const FEW: usize = 2;
                let rows = w.rows();
                cpu.run(chunk.len().div_ceil(FEW), |piece| {
                    let to = inputs.get().wrapping_add(piece * FEW * rows.tile);
                    let start = chunk.start + piece * FEW;
                    w.isa.dispatch(In::<T> { job: &job, tiles: start..(start + FEW).min(chunk.end), to });
                });
                cpu.run_with_seat(blocks * panels, |seat, piece| {
                    let ((tiles, moments), panel) = (block(piece % blocks), piece / blocks);
                    let inputs = inputs.get().wrapping_add((tiles.start - chunk.start) * rows.tile);
                    let (products, panels) = (seat_of(seat), panel..panel + 1);
                    w.isa.dispatch(Out::<M, T> { job: &job, tiles, inputs, products, panels, moments });
                });
            }
        }
    });
}

/// Part `index` of `parts` that differ by one at most.
pub(super) fn cut(range: Range<usize>, index: usize, parts: usize) -> Range<usize> {
    range.start + index * range.len() / parts..range.start + (index + 1) * range.len() / parts
}

fn check(
    w: &Winograd,
    cpu: &Cpu,
    x: &[f32],
    prepared: &[f32],
    epilogue: &Epilogue<'_>,
    to: &Destination<'_>,
    scratch: &[f32],
) {
    let (g, pixels) = (&w.g, w.g.n * w.g.out_h * w.g.out_w);
    assert_eq!(x.len(), g.x_len(), "elements of x (n, h, w, c_in) for {g:?}");
    assert_eq!(prepared.len(), w.prepared_len(), "prepared weights for {w:?}");
    assert!(epilogue.bias.is_none_or(|b| b.len() == g.c_out), "a bias for each of {} output channels", g.c_out);
    assert!(epilogue.residual.is_none_or(|r| r.len() == g.y_len()), "a residual of the output's shape for {g:?}");
    assert_eq!(to.values.len(), pixels * to.pitch, "pixels of {} channels for {g:?}", to.pitch);
    assert!(to.channel + g.c_out <= to.pitch, "channels from {} in a map of {} for {g:?}", to.channel, to.pitch);
    let bounded = epilogue.activation != crate::Activation::None;
    assert!(!(to.adds && bounded), "a convolution that adds has no activation");
    if let Some(moments) = &to.moments {
        assert!(!to.adds && !bounded && epilogue.residual.is_none(), "moments are of sums and bias alone");
        assert_eq!(moments.len(), w.moment_blocks() * block_len(g.c_out), "blocks of moments for {w:?}");
    }
    let needed = w.scratch(cpu.threads());
    assert!(scratch.len() >= needed, "scratch of {} floats, {needed} needed for {w:?}", scratch.len());
}

/// Transforms tiles to rows from `to` on.
struct In<'a, const T: usize> {
    job: &'a Job<'a>,
    tiles: Range<usize>,
    to: *mut f32,
}

impl<const T: usize> Kernel for In<'_, T>
where
    Input: Transform<T, T>,
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Job { w, x, .. } = self.job;
        let (tiles, rows) = (w.tiles(), w.rows());
        for (i, tile) in self.tiles.enumerate() {
            let to = self.to.wrapping_add(i * rows.tile);
            // Safety: `Winograd::inputs_len` has room for as many tiles, rows are padded to whole vectors, and no other
            // piece has this tile or, if private, this seat.
            unsafe { x.transform::<Input, S, T, T>(s, tiles.place(tile), w.g.pad, to, rows.frequency) };
        }
    }
}

/// Products and their transform to the output, of some tiles and panels.
struct Out<'a, const M: usize, const T: usize> {
    job: &'a Job<'a>,
    tiles: Range<usize>,
    /// Rows of the tiles.
    inputs: *mut f32,
    /// (tiles, frequencies, panel) of this seat.
    products: *mut f32,
    panels: Range<usize>,
    /// Index of the block of moments.
    moments: usize,
}

impl<const M: usize, const T: usize> Kernel for Out<'_, M, T>
where
    Output: Transform<T, M>,
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let w = self.job.w;
        let Rows { tile, frequency } = w.rows();
        let depth = w.g.c_in;
        for panel in self.panels.clone() {
            let (first, vectors) = w.panel(panel);
            let width = vectors * S::LANES;
            // Also the bounds of what the products read.
            let weights = &self.job.prepared[first * S::LANES * T * T * depth..][..T * T * depth * width];
            for f in 0..T * T {
                let product = Product {
                    depth,
                    a: self.inputs.wrapping_add(f * frequency),
                    a_pitch: tile,
                    b: weights[f * depth * width..].as_ptr(),
                    b_pitch: width,
                    out: self.products.wrapping_add(f * width),
                    out_pitch: T * T * width,
                    adds: false,
                };
                // Safety: rows of the tiles were written, a panel's weights were cut above, and the products of a block
                // fit into the seat's.
                unsafe { product.run::<S, false>(s, self.tiles.len(), vectors) };
            }
            self.output(s, first, vectors);
        }
    }
}

impl<const M: usize, const T: usize> Out<'_, M, T>
where
    Output: Transform<T, M>,
{
    /// Transforms the products of a panel, `vectors` from `first` on, to the output.
    #[inline(always)]
    fn output<S: Simd>(&self, s: S, first: usize, vectors: usize) {
        let Job { w, moments, .. } = self.job;
        let tiles = w.tiles();
        // Safety: the length was checked.
        let moments = moments.map(|m| unsafe { Block::new(m.get(), self.moments, w.g.c_out) });
        if let Some(moments) = moments {
            moments.set_count(tiles.pixels(self.tiles.clone()));
        }
        let mut before = 0;
        for (i, tile) in self.tiles.clone().enumerate() {
            let at = tiles.place(tile);
            for v in 0..vectors {
                let from = self.products.wrapping_add((i * T * T * vectors + v) * S::LANES);
                let channel = (first + v) * S::LANES;
                let lanes = w.g.c_out - channel;
                if lanes >= S::LANES {
                    self.store::<S, true>(s, at, from, vectors * S::LANES, channel, S::LANES);
                    if let Some(moments) = moments {
                        self.take::<S, true>(s, moments, at, before, channel, S::LANES);
                    }
                } else {
                    self.store::<S, false>(s, at, from, vectors * S::LANES, channel, lanes);
                    if let Some(moments) = moments {
                        self.take::<S, false>(s, moments, at, before, channel, lanes);
                    }
                }
            }
            before += at.rows * at.cols;
        }
    }

    /// Transforms and stores the pixels of a tile at `lanes` channels; its products are `step` apart.
    #[inline(always)]
    fn store<S: Simd, const FULL: bool>(
        &self,
        s: S,
        at: Place,
        from: *const f32,
        step: usize,
        channel: usize,
        lanes: usize,
    ) {
        let Job { w, bias, residual, bounds, out, pitch, adds, .. } = self.job;
        let (low, high) = (s.splat(bounds.0), s.splat(bounds.1));
        let bias = match bias {
            Some(bias) => s.read(&bias[channel..]),
            None => s.splat(0.0),
        };
        // Safety: whole vectors of products were written for every frequency.
        let t = unsafe { columns::<Output, S, T, M, true>(s, |r, c| from.wrapping_add((r * T + c) * step), S::LANES) };
        for r in 0..M {
            let line = Output::line(s, t[r]);
            for c in 0..M {
                if r < at.rows && c < at.cols {
                    let pixel = (at.image * w.g.out_h + at.y + r) * w.g.out_w + at.x + c;
                    let to = out.get().wrapping_add(pixel * pitch + channel);
                    // Where the tile to the right is stored.
                    s.prefetch(to.wrapping_add(M * pitch));
                    let mut v = s.add(line[c], bias);
                    // Safety: these channels exist in this pixel, and no other piece writes them.
                    unsafe {
                        if let Some(residual) = residual {
                            let residual = residual.as_ptr().wrapping_add(pixel * w.g.c_out + channel);
                            v = s.add(v, s.load_lanes::<FULL>(residual, lanes));
                        }
                        if *adds {
                            v = s.add(v, s.load_lanes::<FULL>(to, lanes));
                        }
                        // NaN passes through as the second operand.
                        v = s.min(high, s.max(low, v));
                        s.store_lanes::<FULL>(v, to, lanes);
                    }
                }
            }
        }
    }

    /// Takes the moments of a tile's pixels, as they were stored.
    #[inline(always)]
    fn take<S: Simd, const FULL: bool>(
        &self,
        s: S,
        moments: Block,
        at: Place,
        before: usize,
        channel: usize,
        lanes: usize,
    ) {
        let Job { w, out, pitch, .. } = self.job;
        let first = (at.image * w.g.out_h + at.y) * w.g.out_w + at.x;
        let first = out.get().wrapping_add(first * pitch + channel).cast_const();
        let line = w.g.out_w * pitch;
        // Safety: this piece stored these channels of these pixels, and only it has them in this block.
        unsafe {
            if at.rows == M && at.cols == M {
                let pixel = |i: usize| first.wrapping_add(i / M * line + i % M * pitch);
                moments.take::<S, FULL>(s, pixel, M * M, before, channel, lanes);
            } else {
                let pixel = |i: usize| first.wrapping_add(i / at.cols * line + i % at.cols * pitch);
                moments.take::<S, FULL>(s, pixel, at.rows * at.cols, before, channel, lanes);
            }
        }
    }
}
