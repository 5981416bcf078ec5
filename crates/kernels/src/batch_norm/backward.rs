//! Gradients of normalisation, the residual and the activation behind it: one pass for the sums, one for what follows
//! from them.

use super::{batch_norm_scratch, check};
use crate::activate::Gate;
use crate::gradient_slot::SharedSlot;
use crate::rows::{Column, Columns, GROUP, piece, sum, walk};
use crate::simd::{Kernel, Simd};
use crate::sums::{RowChunks, add_exactly, total};
use crate::{Activation, Cpu, GradientSlot};
use std::ops::Range;

/// Lines of c floats that do not belong to a chunk: both totals, then the constants of [`Gradient`].
pub(super) const LINES: usize = 5;

/// Rows that [`crate::normalise_activate`] took, and the gradient by what it gave: all of them ([`Normalised::backward`]), or
/// parts, whose gradients are computed in two passes over all parts ([`Normalised::sums`], then [`Normalised::pass_on`]),
/// which is the same but for rounding.
///
/// With dy' = dy where the activation let the value through (told from y, or computed again where y is empty, which reads less
/// and asks that there was no residual) and `x̂ = (x − mean) · inv_std`: dbeta = Σ dy', dgamma = Σ dy' · x̂,
/// `dx = gamma · inv_std · (dy' − (dbeta + x̂ · dgamma) / rows)`, and the residual's gradient is dy'.
///
/// `x`, `y` unless empty, `dy`, `dx` and `dresidual (rows, c)`, the others (c), `scratch` of at least [`batch_norm_scratch`]
/// floats.
#[derive(Clone, Copy, Debug)]
pub struct Normalised<'a> {
    /// What was normalised.
    pub x: &'a [f32],
    /// What the activation gave, or empty.
    pub y: &'a [f32],
    /// The gradient by y.
    pub dy: &'a [f32],
    /// Channels.
    pub c: usize,
    /// Of all rows.
    pub mean: &'a [f32],
    /// 1 / √(σ² + ε) of all rows.
    pub inv_std: &'a [f32],
    /// The scale.
    pub gamma: &'a [f32],
    /// The shift.
    pub beta: &'a [f32],
    /// Behind the normalisation and the residual.
    pub activation: Activation,
}

impl Normalised<'_> {
    /// Assigns dgamma and dbeta, and writes what is wanted of dx and the residual's gradient.
    ///
    /// # Panics
    /// If a length contradicts the shape.
    pub fn backward(
        &self,
        cpu: &Cpu,
        dx: Option<GradientSlot<'_>>,
        dresidual: Option<GradientSlot<'_>>,
        dgamma: &mut [f32],
        dbeta: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (sums, products) = self.inputs().backward(cpu, false, dx, dresidual, scratch);
        dbeta.copy_from_slice(sums);
        dgamma.copy_from_slice(products);
    }

    /// Assigns, or with `adds` adds, these rows' share of the gradients by gamma and beta.
    ///
    /// # Panics
    /// If a length contradicts the shape.
    pub fn sums(&self, cpu: &Cpu, adds: bool, dgamma: &mut [f32], dbeta: &mut [f32], scratch: &mut [f32]) {
        let (sums, products) = self.inputs().backward(cpu, false, None, None, scratch);
        for (to, from) in [(dbeta, sums), (dgamma, products)] {
            if !adds {
                to.fill(0.0);
            }
            add(to, from);
        }
    }

    /// Writes the gradients by these rows of x and of the residual, given those by gamma and beta of all `rows`.
    ///
    /// # Panics
    /// If a length contradicts the shape.
    pub fn pass_on(
        &self,
        cpu: &Cpu,
        rows: usize,
        dgamma: &[f32],
        dbeta: &[f32],
        dx: Option<GradientSlot<'_>>,
        dresidual: Option<GradientSlot<'_>>,
        scratch: &mut [f32],
    ) {
        let (inputs, c) = (self.inputs(), self.c);
        check(self.x, c, &[self.mean, self.inv_std, self.gamma, dgamma, dbeta]);
        assert_eq!(self.x.len(), self.dy.len(), "dy has the shape of x");
        let constants = &mut scratch[..batch_norm_scratch(self.x.len(), c)][..3 * c];
        inputs.finish(cpu, 1.0 / rows.max(1) as f32, [dbeta, dgamma], constants, dx, dresidual);
    }

    fn inputs(&self) -> Inputs<'_> {
        let Self { x, y, dy, c, mean, inv_std, gamma, beta, activation } = *self;
        assert_eq!(beta.len(), c, "a beta for each of {c} channels");
        let gate = if y.is_empty() {
            Opened::Again { inv_std, gamma, beta, activation }
        } else {
            Opened::Told(Gate::new(y, activation, x.len()))
        };
        Inputs { x, dy, gate, c, mean, inv_std, gamma }
    }
}

/// Gradients of normalisation by the statistics of this very batch: adds to dx (where wanted), dgamma and dbeta.
///
/// As [`Normalised::backward`] without an activation and a residual.
///
/// # Panics
/// If a length contradicts the shape.
pub fn batch_norm_backward(
    cpu: &Cpu,
    x: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    dx: Option<&mut [f32]>,
    dgamma: &mut [f32],
    dbeta: &mut [f32],
    scratch: &mut [f32],
) {
    let inputs =
        Inputs { x, dy, gate: Opened::Told(Gate::new(&[], Activation::None, x.len())), c, mean, inv_std, gamma };
    let (sums, products) = inputs.backward(cpu, false, dx.map(GradientSlot::add), None, scratch);
    add(dbeta, sums);
    add(dgamma, products);
}

/// As [`batch_norm_backward`], but by fixed statistics: adds `dy · gamma · inv_std` to dx.
///
/// # Panics
/// If a length contradicts the shape.
pub fn batch_norm_backward_frozen(
    cpu: &Cpu,
    x: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    dx: Option<&mut [f32]>,
    dgamma: &mut [f32],
    dbeta: &mut [f32],
    scratch: &mut [f32],
) {
    let inputs =
        Inputs { x, dy, gate: Opened::Told(Gate::new(&[], Activation::None, x.len())), c, mean, inv_std, gamma };
    let (sums, products) = inputs.backward(cpu, true, dx.map(GradientSlot::add), None, scratch);
    add(dbeta, sums);
    add(dgamma, products);
}

fn add(to: &mut [f32], from: &[f32]) {
    assert_eq!(to.len(), from.len(), "a gradient for each channel");
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// What lets a gradient through.
#[derive(Clone, Copy)]
enum Opened<'a> {
    /// The activation's output.
    Told(Gate<'a>),
    /// What went into the activation, computed from x exactly as [`crate::normalise_activate`] does.
    Again { inv_std: &'a [f32], gamma: &'a [f32], beta: &'a [f32], activation: Activation },
}

impl Opened<'_> {
    /// That of some elements.
    fn part(self, elements: Range<usize>) -> Self {
        match self {
            Self::Told(gate) => Self::Told(gate.part(elements)),
            Self::Again { .. } => self,
        }
    }

    /// `dy` where it is let through, else zero; `off` is x less the mean.
    #[inline(always)]
    fn pass<S: Simd, const R: usize>(
        self,
        s: S,
        mut dy: [S::Vector; R],
        off: &[S::Vector; R],
        at: Column<R>,
    ) -> [S::Vector; R] {
        match self {
            Self::Told(gate) => gate.pass(s, dy, at),
            Self::Again { activation: Activation::None, .. } => dy,
            Self::Again { inv_std, gamma, beta, activation } => {
                let scale = s.mul(at.constant(s, inv_std), at.constant(s, gamma));
                let (beta, zero, top) = (at.constant(s, beta), s.splat(0.0), s.splat(activation.bounds().1));
                for r in 0..R {
                    let value = s.fma(off[r], scale, beta);
                    let positive = s.select(s.greater(value, zero), dy[r], zero);
                    dy[r] = s.select(s.greater(top, value), positive, zero);
                }
                dy
            }
        }
    }
}

/// What a backward pass reads.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    gate: Opened<'a>,
    c: usize,
    mean: &'a [f32],
    inv_std: &'a [f32],
    gamma: &'a [f32],
}

impl Inputs<'_> {
    /// The gradients of beta and gamma, at the start of `scratch`.
    fn backward<'s>(
        self,
        cpu: &Cpu,
        frozen: bool,
        dx: Option<GradientSlot<'_>>,
        dresidual: Option<GradientSlot<'_>>,
        scratch: &'s mut [f32],
    ) -> (&'s [f32], &'s [f32]) {
        let Self { x, dy, c, mean, inv_std, gamma, .. } = self;
        let rows = check(x, c, &[mean, inv_std, gamma]);
        assert_eq!(x.len(), dy.len(), "dy has the shape of x");
        let (totals, rest) = scratch[..batch_norm_scratch(x.len(), c)].split_at_mut(2 * c);
        let (constants, partial) = rest.split_at_mut(3 * c);
        let chunks = RowChunks::new(rows, c);
        let partial = &mut partial[..chunks.count() * 4 * c];
        cpu.chunks(partial, 4 * c, |i, sums| {
            let (high, low) = sums.split_at_mut(2 * c);
            let range = chunks.elements(i);
            let (x, dy, gate) = (&x[range.clone()], &dy[range.clone()], self.gate.part(range));
            cpu.isa().dispatch(Sums { x, dy, gate, mean, high, low });
        });
        total(cpu, partial, totals);
        let (sums, products) = totals.split_at_mut(c);
        for (product, inv_std) in products.iter_mut().zip(inv_std) {
            *product *= inv_std;
        }
        let share = if frozen { 0.0 } else { 1.0 / rows.max(1) as f32 };
        self.finish(cpu, share, [sums, products], constants, dx, dresidual);
        (sums, products)
    }

    /// Writes what is wanted of the gradients that are as large as x, given those by beta and gamma. `share` is one row's of
    /// all rows that were normalised together.
    fn finish(
        self,
        cpu: &Cpu,
        share: f32,
        [sums, products]: [&[f32]; 2],
        constants: &mut [f32],
        dx: Option<GradientSlot<'_>>,
        dresidual: Option<GradientSlot<'_>>,
    ) {
        if dx.is_none() && dresidual.is_none() {
            return;
        }
        let Self { c, inv_std, gamma, .. } = self;
        let (scale, rest) = constants.split_at_mut(c);
        let (shift, slope) = rest.split_at_mut(c);
        for i in 0..c {
            scale[i] = gamma[i] * inv_std[i];
            shift[i] = scale[i] * share * sums[i];
            slope[i] = scale[i] * share * products[i] * inv_std[i];
        }
        self.pass_on(cpu, [scale, shift, slope], dx, dresidual);
    }

    /// Writes the gradients that are as large as x.
    fn pass_on(
        self,
        cpu: &Cpu,
        [scale, shift, slope]: [&[f32]; 3],
        dx: Option<GradientSlot<'_>>,
        dresidual: Option<GradientSlot<'_>>,
    ) {
        let Self { x, dy, mean, c, .. } = self;
        let [dx, dresidual] = [dx, dresidual].map(|slot| {
            assert!(slot.as_ref().is_none_or(|s| s.values.len() == x.len()), "a gradient has the shape of x");
            slot.map(SharedSlot::new)
        });
        let (piece, count) = (piece(c), x.len().div_ceil(piece(c)));
        cpu.run(count, |i| {
            // From the end, which the sums read last, so that it may still be in a cache.
            let start = (count - 1 - i) * piece;
            let range = start..(start + piece).min(x.len());
            // Safety: ranges of different pieces are disjoint.
            let [dx, dresidual] = [&dx, &dresidual].map(|to| to.as_ref().map(|to| unsafe { to.part(range.clone()) }));
            let (x, dy, gate) = (&x[range.clone()], &dy[range.clone()], self.gate.part(range));
            cpu.isa().dispatch(Gradient { x, dy, gate, mean, scale, shift, slope, dx, dresidual });
        });
    }
}

/// Sums of dy' and of dy' · (x − mean).
struct Sums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    gate: Opened<'a>,
    mean: &'a [f32],
    /// Of dy', then of the products.
    high: &'a mut [f32],
    low: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.high.fill(0.0);
        self.low.fill(0.0);
        let c = self.mean.len();
        walk::<_, GROUP>(s, self.x.len() / c, c, &mut self);
    }
}

impl Columns for Sums<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let c = self.mean.len();
        let mean = at.constant(s, self.mean);
        let mut products = at.read(s, self.x);
        for r in 0..R {
            products[r] = s.sub(products[r], mean);
        }
        let dy = self.gate.pass(s, at.read(s, self.dy), &products, at);
        for r in 0..R {
            products[r] = s.mul(products[r], dy[r]);
        }
        add_exactly(s, sum(s, dy), self.high, self.low, at);
        add_exactly(s, sum(s, products), &mut self.high[c..], &mut self.low[c..], at);
    }
}

/// `dx = scale · dy' − (shift + (x − mean) · slope)`, and dy' itself.
struct Gradient<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    gate: Opened<'a>,
    mean: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    slope: &'a [f32],
    dx: Option<GradientSlot<'a>>,
    dresidual: Option<GradientSlot<'a>>,
}

impl Kernel for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let c = self.mean.len();
        walk::<_, 1>(s, self.x.len() / c, c, &mut self);
    }
}

impl Columns for Gradient<'_> {
    #[inline(always)]
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>) {
        let of = |constants: &[f32]| at.constant(s, constants);
        let [mean, scale, shift, slope] = [of(self.mean), of(self.scale), of(self.shift), of(self.slope)];
        let mut v = at.read(s, self.x);
        for r in 0..R {
            v[r] = s.sub(v[r], mean);
        }
        let dy = self.gate.pass(s, at.read(s, self.dy), &v, at);
        if let Some(to) = &mut self.dresidual {
            at.write(s, dy, to.values, to.adds);
        }
        let Some(to) = &mut self.dx else { return };
        for r in 0..R {
            let batch = s.fma(v[r], slope, shift);
            v[r] = s.sub(s.mul(dy[r], scale), batch);
        }
        at.write(s, v, to.values, to.adds);
    }
}
