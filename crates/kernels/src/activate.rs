//! The gradient of an activation that clamps, told from its output, and of the bias before it.

use crate::cpu::Pieces;
use crate::rows::{Column, Columns, sum, walk};
use crate::simd::{Kernel, Simd};
use crate::sums::{RowChunks, Wide, add_exactly, column_sums_scratch, total};
use crate::{Activation, Cpu};
use std::ops::Range;

/// What lets a gradient through or not: the output y of an activation, which nobody reads where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    y: &'a [f32],
    activation: Activation,
}

impl<'a> Gate<'a> {
    /// The gate of an activation whose output is `y`, of `len` elements.
    ///
    /// # Panics
    /// If y has another length, unless there is no activation.
    pub(crate) fn new(y: &'a [f32], activation: Activation, len: usize) -> Self {
        assert!(activation == Activation::None || y.len() == len, "y has {} elements, not {len}", y.len());
        Self { y, activation }
    }

    /// The gate of some elements.
    pub(crate) fn part(self, elements: Range<usize>) -> Self {
        let y = if self.activation == Activation::None { &[] } else { &self.y[elements] };
        Self { y, ..self }
    }

    /// `dy` where it is let through, else zero.
    #[inline(always)]
    pub(crate) fn pass<S: Simd, const R: usize>(self, s: S, mut dy: [S::Vector; R], at: Column<R>) -> [S::Vector; R] {
        let top = match self.activation {
            Activation::None => return dy,
            // Not above zero, so that nothing else is shut out.
            Activation::Relu => s.splat(-1.0),
            Activation::Relu6 => s.splat(6.0),
        };
        let zero = s.splat(0.0);
        let y = at.read(s, self.y);
        for r in 0..R {
            let positive = s.select(s.greater(y[r], zero), dy[r], zero);
            dy[r] = s.select(s.equal(y[r], top), zero, positive);
        }
        dy
    }
}

/// Puts dy' in place of dy: dy where the activation let the value through, else zero; and assigns to `dbias`, or with `adds`
/// adds to it, the sum of each column of dy'.
///
/// A value is let through where the activation's output y is above zero and, of ReLU6, below six. `y` and `dy (rows, c)`,
/// `dbias (c)`, `scratch` of at least [`crate::column_sums_scratch`] floats. Without an activation, y is not read and may
/// be empty.
///
/// # Panics
/// If a length contradicts the shape.
pub fn activate_backward(
    cpu: &Cpu,
    y: &[f32],
    dy: &mut [f32],
    c: usize,
    activation: Activation,
    dbias: Option<&mut [f32]>,
    adds: bool,
    scratch: &mut [f32],
) {
    assert!(c > 0 && dy.len().is_multiple_of(c), "whole rows of {c} channels, not {} elements", dy.len());
    assert!(dbias.as_ref().is_none_or(|d| d.len() == c), "a gradient for each of {c} biases");
    if activation == Activation::None && dbias.is_none() {
        return;
    }
    let (len, gate) = (dy.len(), Gate::new(y, activation, dy.len()));
    let chunks = RowChunks::new(len / c, c);
    let (totals, partial) = scratch[..column_sums_scratch(len, c)].split_at_mut(c);
    let dy = Pieces::new(dy, 1);
    let counts = dbias.is_some();
    cpu.chunks(partial, 2 * c, |i, sums| {
        let elements = chunks.elements(i);
        // Safety: chunks are disjoint.
        let dy = unsafe { dy.range(elements.clone()) };
        let (high, low) = sums.split_at_mut(c);
        cpu.isa().dispatch(Activate { gate: gate.part(elements), dy, counts, high, low });
    });
    if let Some(dbias) = dbias {
        total(cpu, partial, totals);
        for (to, total) in dbias.iter_mut().zip(totals) {
            *to = if adds { *to + *total } else { *total };
        }
    }
}

struct Activate<'a> {
    gate: Gate<'a>,
    dy: &'a mut [f32],
    /// Whether sums are wanted.
    counts: bool,
    high: &'a mut [f32],
    low: &'a mut [f32],
}

/// Rows taken together: fewer than where nothing is written.
const GROUP: usize = 4;

impl Kernel for Activate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.high.fill(0.0);
        self.low.fill(0.0);
        let c = self.high.len();
        if let Some(mut wide) = Wide::new(c) {
            let row = wide.rows * c;
            let whole = self.dy.len() / row * row;
            let (dy, rest) = self.dy.split_at_mut(whole);
            let (high, low) = (&mut wide.high[..row], &mut wide.low[..row]);
            let mut part = Activate { gate: self.gate.part(0..whole), dy, counts: self.counts, high, low };
            walk::<_, GROUP>(s, whole / row, row, &mut part);
            wide.fold(self.high, self.low);
            self = Activate { gate: self.gate.part(whole..whole + rest.len()), dy: rest, ..self };
        }
        walk::<_, GROUP>(s, self.dy.len() / c, c, &mut self);
    }
}

impl Columns for Activate<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let dy = self.gate.pass(s, at.read(s, self.dy), at);
        if self.gate.activation != Activation::None {
            at.write(s, dy, self.dy, false);
        }
        if self.counts {
            add_exactly(s, sum(s, dy), self.high, self.low, at);
        }
    }
}
