//! Pooling over disjoint 2×2 windows of few channels that all lie inside x (LeNet's have 6), with the results of the general
//! kernels. Nothing is left to find out for a window, and pieces hold many rows: with few channels that is most of the work.

use super::PoolGeometry;
use crate::rows::{Column, Columns, across};
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Elements of a piece, about.
const PIECE: usize = 8192;

/// Most channels for which this is faster: of more, the general kernels ask for what comes next in time.
const CHANNELS: usize = 32;

/// Whether windows are of this kind.
pub(super) fn apply(g: &PoolGeometry) -> bool {
    let inside = 2 * g.out_h <= g.h && 2 * g.out_w <= g.w;
    (g.kernel, g.stride, g.pad) == ([2; 2], [2; 2], [0; 2]) && inside && (1..=CHANNELS).contains(&g.c)
}

/// Rows of a piece, of so many elements each.
fn rows(line: usize) -> usize {
    (PIECE / line.max(1)).max(1)
}

/// Assigns y = the mean of each window.
pub(super) fn mean(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32]) {
    let line = g.out_w * g.c;
    cpu.chunks(y, (rows(line) * line).max(1), |i, y| {
        cpu.isa().dispatch(Rows { g, row: i * rows(line), x, y, switches: &mut [], reduce: Mean });
    });
}

/// Assigns y = the maximum of each window, and the winners' cells.
pub(super) fn maximum(cpu: &Cpu, g: &PoolGeometry, x: &[f32], y: &mut [f32], switches: Option<&mut [u16]>) {
    let line = g.out_w * g.c;
    let piece = (rows(line) * line).max(1);
    let Some(switches) = switches else {
        cpu.chunks(y, piece, |i, y| {
            cpu.isa().dispatch(Rows { g, row: i * rows(line), x, y, switches: &mut [], reduce: Maximum::<false> });
        });
        return;
    };
    cpu.chunks2(y, piece, switches, piece, |i, y, switches| {
        cpu.isa().dispatch(Rows { g, row: i * rows(line), x, y, switches, reduce: Maximum::<true> });
    });
}

/// Assigns to dx, or adds to it, the gradient of [`mean`].
pub(super) fn mean_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], dx: GradientSlot<'_>) {
    gradient(cpu, g, dy, &[], dx, Share);
}

/// Assigns to dx, or adds to it, each dy at its window's winner.
pub(super) fn maximum_backward(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], switches: &[u16], dx: GradientSlot<'_>) {
    gradient(cpu, g, dy, switches, dx, Winner);
}

fn gradient(cpu: &Cpu, g: &PoolGeometry, dy: &[f32], switches: &[u16], dx: GradientSlot<'_>, spread: impl Spread) {
    let GradientSlot { values: dx, adds } = dx;
    let line = g.w * g.c;
    cpu.chunks(dx, (rows(line) * line).max(1), |i, dx| {
        cpu.isa().dispatch(GradientRows { g, row: i * rows(line), dy, switches, dx, adds, spread });
    });
}

/// What becomes of the four cells of a window.
trait Reduce: Copy + Sync + Send {
    /// Assigns the column of y, and of switches if they are wanted.
    fn reduce<S: Simd>(self, s: S, cells: [S::Vector; 4], at: Column<1>, y: &mut [f32], switches: &mut [u16]);
}

#[derive(Clone, Copy)]
struct Mean;

impl Reduce for Mean {
    #[inline(always)]
    fn reduce<S: Simd>(self, s: S, [a, b, c, d]: [S::Vector; 4], at: Column<1>, y: &mut [f32], _: &mut [u16]) {
        let sum = s.add(s.add(s.add(a, b), c), d);
        at.set_constant(s, s.mul(sum, s.splat(0.25)), y);
    }
}

#[derive(Clone, Copy)]
struct Maximum<const SWITCHES: bool>;

impl<const SWITCHES: bool> Reduce for Maximum<SWITCHES> {
    #[inline(always)]
    fn reduce<S: Simd>(self, s: S, cells: [S::Vector; 4], at: Column<1>, y: &mut [f32], switches: &mut [u16]) {
        let (mut best, mut winner) = (cells[0], s.splat(0.0));
        for cell in 1..4 {
            let wins = s.beats(cells[cell], best);
            best = s.select(wins, cells[cell], best);
            winner = s.select(wins, s.splat(cell as f32), winner);
        }
        at.set_constant(s, best, y);
        if SWITCHES {
            at.set_integer(s, winner, switches);
        }
    }
}

/// Rows of y.
struct Rows<'a, R> {
    g: &'a PoolGeometry,
    /// The first, over all images.
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    switches: &'a mut [u16],
    reduce: R,
}

impl<R: Reduce> Kernel for Rows<'_, R> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let PoolGeometry { h, w, c, out_h, out_w, .. } = *self.g;
        for (i, y) in self.y.chunks_exact_mut(out_w * c).enumerate() {
            let row = self.row + i;
            let x = &self.x[(row / out_h * h + 2 * (row % out_h)) * w * c..][..2 * w * c];
            for ox in 0..out_w {
                let y = &mut y[ox * c..];
                let switches =
                    if self.switches.is_empty() { &mut [] } else { &mut self.switches[(i * out_w + ox) * c..][..c] };
                let pixels = [0, 1, w, w + 1].map(|cell| 2 * ox + cell);
                across::<S, 1>(s, 0, c, &mut Window { x, pixels, y, switches, reduce: self.reduce });
            }
        }
    }
}

/// One window.
struct Window<'a, R> {
    x: &'a [f32],
    /// Of x.
    pixels: [usize; 4],
    /// From its pixel to the end of the row.
    y: &'a mut [f32],
    switches: &'a mut [u16],
    reduce: R,
}

impl<R: Reduce> Columns for Window<'_, R> {
    #[inline(always)]
    fn take<S: Simd, const N: usize>(&mut self, s: S, at: Column<N>) {
        let [a, b, c, d] = self.pixels;
        let cells =
            [at.of(a).one(s, self.x), at.of(b).one(s, self.x), at.of(c).one(s, self.x), at.of(d).one(s, self.x)];
        self.reduce.reduce(s, cells, at.of(0), self.y, self.switches);
    }
}

/// What the two cells of a window in a row of dx get of its dy.
trait Spread: Copy + Sync + Send {
    /// Of a column of dy; `cell` is the left one's number, and the pixel of dy and switches is `at`'s.
    fn spread<S: Simd>(self, s: S, dy: S::Vector, cell: f32, switches: &[u16], at: Column<1>) -> [S::Vector; 2];
}

#[derive(Clone, Copy)]
struct Share;

impl Spread for Share {
    #[inline(always)]
    fn spread<S: Simd>(self, s: S, dy: S::Vector, _: f32, _: &[u16], _: Column<1>) -> [S::Vector; 2] {
        [s.mul(dy, s.splat(0.25)); 2]
    }
}

#[derive(Clone, Copy)]
struct Winner;

impl Spread for Winner {
    #[inline(always)]
    fn spread<S: Simd>(self, s: S, dy: S::Vector, cell: f32, switches: &[u16], at: Column<1>) -> [S::Vector; 2] {
        let (winner, zero) = (at.integers(s, switches), s.splat(0.0));
        let left = s.select(s.equal(winner, s.splat(cell)), dy, zero);
        [left, s.select(s.equal(winner, s.splat(cell + 1.0)), dy, zero)]
    }
}

/// Rows of dx.
struct GradientRows<'a, P> {
    g: &'a PoolGeometry,
    /// The first, over all images.
    row: usize,
    dy: &'a [f32],
    switches: &'a [u16],
    dx: &'a mut [f32],
    adds: bool,
    spread: P,
}

impl<P: Spread> Kernel for GradientRows<'_, P> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let PoolGeometry { h, w, c, out_h, out_w, .. } = *self.g;
        let Self { dy, switches, adds, spread, .. } = self;
        for (row, dx) in (self.row..).zip(self.dx.chunks_exact_mut(w * c)) {
            let (oy, cell) = (row % h / 2, (row % h % 2 * 2) as f32);
            let windows = if oy < out_h { out_w } else { 0 };
            for ox in 0..windows {
                let from = (row / h * out_h + oy) * out_w + ox;
                let dx = &mut dx[2 * ox * c..];
                across::<S, 1>(s, 0, c, &mut Pair { from, dy, switches, c, cell, dx, adds, spread });
            }
            if !adds {
                // What no window covers.
                dx[2 * windows * c..].fill(0.0);
            }
        }
    }
}

/// Two cells of a window in one row.
struct Pair<'a, P> {
    /// The pixel of dy and switches.
    from: usize,
    dy: &'a [f32],
    switches: &'a [u16],
    c: usize,
    cell: f32,
    /// From the left one to the end of the row.
    dx: &'a mut [f32],
    adds: bool,
    spread: P,
}

impl<P: Spread> Columns for Pair<'_, P> {
    #[inline(always)]
    fn take<S: Simd, const N: usize>(&mut self, s: S, at: Column<N>) {
        let from = at.of(self.from);
        let gradients = self.spread.spread(s, from.one(s, self.dy), self.cell, self.switches, from);
        for (cell, gradient) in gradients.into_iter().enumerate() {
            let dx = &mut self.dx[cell * self.c..];
            let sum = if self.adds { s.add(at.constant(s, dx), gradient) } else { gradient };
            at.set_constant(s, sum, dx);
        }
    }
}
