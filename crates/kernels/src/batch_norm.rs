//! Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) over rows × c. Variances are biased, as the forward pass
//! uses them; `inv_std` is 1 / √(variance + ε), computed by the caller, who owns ε. Sums run in f64.

use crate::Cpu;
use crate::simd::{Kernel, Simd};
use crate::sums::{BLOCK, RowChunks};

/// Floats of scratch that [`channel_statistics`], [`batch_norm_backward`] and [`batch_norm_backward_frozen`] need for
/// `len` elements, rows × c.
pub fn batch_norm_scratch(len: usize, c: usize) -> usize {
    2 * c * (RowChunks::new(len / c.max(1), c).count() + 1)
}

/// Assigns the mean and biased variance of each column.
///
/// Each chunk of rows gives its own mean and variance from f64 sums of differences from the first row; these are combined
/// after Chan, Golub and `LeVeque` (1983), so that neither a large mean nor a large number of rows costs accuracy.
///
/// `x (rows, c)`, `mean` and `var (c)`, `scratch` of at least [`batch_norm_scratch`] floats.
///
/// # Panics
/// If a length contradicts the shape, or there are no rows.
pub fn channel_statistics(cpu: &Cpu, x: &[f32], c: usize, mean: &mut [f32], var: &mut [f32], scratch: &mut [f32]) {
    let rows = check(x, c, &[mean, var]);
    assert!(rows > 0, "statistics of no rows");
    let chunks = RowChunks::new(rows, c);
    let partial = &mut scratch[..chunks.count() * 2 * c];
    cpu.chunks(partial, 2 * c, |i, out| {
        let (mean, var) = out.split_at_mut(c);
        cpu.isa().dispatch(Moments { x: &x[chunks.elements(i)], origin: &x[..c], mean, var });
    });
    for (column, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
        let parts = || {
            let both = partial.chunks_exact(2 * c).enumerate();
            both.map(|(i, p)| (chunks.rows(i).len() as f64, f64::from(p[column]), f64::from(p[c + column])))
        };
        let total_mean = parts().map(|(n, mean, _)| n * mean).sum::<f64>() / rows as f64;
        let squares: f64 = parts().map(|(n, mean, var)| n * (var + (mean - total_mean).powi(2))).sum();
        *mean = (f64::from(x[column]) + total_mean) as f32;
        *var = (squares / rows as f64) as f32;
    }
}

/// Mean, less `origin`, and variance of each column of a chunk.
struct Moments<'a> {
    x: &'a [f32],
    origin: &'a [f32],
    mean: &'a mut [f32],
    var: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.mean.len();
        let rows = (self.x.len() / c) as f64;
        for (block, (mean, var)) in self.mean.chunks_mut(BLOCK).zip(self.var.chunks_mut(BLOCK)).enumerate() {
            let mut sums = [[0.0_f64; BLOCK]; 2];
            let mut origin = [0.0_f32; BLOCK];
            origin[..mean.len()].copy_from_slice(&self.origin[block * BLOCK..][..mean.len()]);
            for row in self.x.chunks_exact(c) {
                let row = &row[block * BLOCK..][..mean.len()];
                if let Ok(row) = <&[f32; BLOCK]>::try_from(row) {
                    add_squares(&mut sums, row, &origin);
                } else {
                    add_squares(&mut sums, row, &origin);
                }
            }
            for i in 0..mean.len() {
                let m = sums[0][i] / rows;
                mean[i] = m as f32;
                var[i] = (sums[1][i] / rows - m * m).max(0.0) as f32;
            }
        }
    }
}

#[inline(always)]
fn add_squares(sums: &mut [[f64; BLOCK]; 2], row: &[f32], origin: &[f32; BLOCK]) {
    let [plain, squared] = sums;
    for (i, &x) in row.iter().enumerate().take(BLOCK) {
        let x = f64::from(x) - f64::from(origin[i]);
        plain[i] += x;
        squared[i] += x * x;
    }
}

/// Assigns `y = (x − mean) · inv_std · gamma + beta`.
///
/// `x` and `y (rows, c)`, the others (c).
///
/// # Panics
/// If a length contradicts the shape.
pub fn normalise(
    cpu: &Cpu,
    x: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    beta: &[f32],
    y: &mut [f32],
) {
    check(x, c, &[mean, inv_std, gamma, beta]);
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    let piece = piece(c);
    cpu.chunks(y, piece, |i, y| {
        cpu.isa().dispatch(Normalise { x: &x[i * piece..][..y.len()], mean, inv_std, gamma, beta, y });
    });
}

struct Normalise<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Normalise<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.mean.len();
        for (x, y) in self.x.chunks_exact(c).zip(self.y.chunks_exact_mut(c)) {
            for i in 0..c {
                y[i] = (x[i] - self.mean[i]) * (self.inv_std[i] * self.gamma[i]) + self.beta[i];
            }
        }
    }
}

/// Gradients of normalisation by the statistics of this very batch: adds to dx (where wanted), dgamma and dbeta.
///
/// With `x̂ = (x − mean) · inv_std`: dbeta = Σ dy, dgamma = Σ dy · x̂ and
/// `dx = gamma · inv_std · (dy − (dbeta + x̂ · dgamma) / rows)`.
/// `x`, `dy` and `dx (rows, c)`, the others (c), `scratch` of at least [`batch_norm_scratch`] floats.
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
    let rows = check(x, c, &[mean, inv_std, gamma, dgamma, dbeta]);
    assert_eq!(x.len(), dy.len(), "dy has the shape of x");
    let (sum, product) = gradient_sums(cpu, x, dy, c, mean, inv_std, scratch);
    if let Some(dx) = dx {
        assert_eq!(x.len(), dx.len(), "dx has the shape of x");
        let (piece, scale) = (piece(c), 1.0 / rows.max(1) as f32);
        let (sum, product) = (&*sum, &*product);
        cpu.chunks(dx, piece, |i, dx| {
            let range = i * piece..i * piece + dx.len();
            let (x, dy) = (&x[range.clone()], &dy[range]);
            cpu.isa().dispatch(Gradient { x, dy, mean, inv_std, gamma, sum, product, scale, dx });
        });
    }
    add(dbeta, sum);
    add(dgamma, product);
}

/// Gradients of normalisation by fixed statistics, y being affine in x: adds to dx (where wanted)
/// `dy · gamma · inv_std`, to dgamma Σ dy · x̂ and to dbeta Σ dy.
///
/// Shapes as in [`batch_norm_backward`].
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
    check(x, c, &[mean, inv_std, gamma, dgamma, dbeta]);
    assert_eq!(x.len(), dy.len(), "dy has the shape of x");
    let (sum, product) = gradient_sums(cpu, x, dy, c, mean, inv_std, scratch);
    add(dbeta, sum);
    add(dgamma, product);
    if let Some(dx) = dx {
        assert_eq!(x.len(), dx.len(), "dx has the shape of x");
        // Zero sums leave dy · gamma · inv_std.
        sum.fill(0.0);
        product.fill(0.0);
        let (sum, product, piece) = (&*sum, &*product, piece(c));
        cpu.chunks(dx, piece, |i, dx| {
            let range = i * piece..i * piece + dx.len();
            let (x, dy) = (&x[range.clone()], &dy[range]);
            cpu.isa().dispatch(Gradient { x, dy, mean, inv_std, gamma, sum, product, scale: 0.0, dx });
        });
    }
}

/// `dx += gamma · inv_std · (dy − (sum + x̂ · product) · scale)`.
struct Gradient<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
    gamma: &'a [f32],
    sum: &'a [f32],
    product: &'a [f32],
    scale: f32,
    dx: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.mean.len();
        let rows = self.x.chunks_exact(c).zip(self.dy.chunks_exact(c)).zip(self.dx.chunks_exact_mut(c));
        for ((x, dy), dx) in rows {
            for i in 0..c {
                let normal = (x[i] - self.mean[i]) * self.inv_std[i];
                let batch = (self.sum[i] + normal * self.product[i]) * self.scale;
                dx[i] += self.gamma[i] * self.inv_std[i] * (dy[i] - batch);
            }
        }
    }
}

/// Σ dy and Σ dy·x̂ of each column, at the start of `scratch`.
fn gradient_sums<'a>(
    cpu: &Cpu,
    x: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    scratch: &'a mut [f32],
) -> (&'a mut [f32], &'a mut [f32]) {
    let chunks = RowChunks::new(x.len() / c.max(1), c);
    let (totals, partial) = scratch[..2 * c * (chunks.count() + 1)].split_at_mut(2 * c);
    cpu.chunks(partial, (2 * c).max(1), |i, out| {
        let (sum, product) = out.split_at_mut(c);
        let (x, dy) = (&x[chunks.elements(i)], &dy[chunks.elements(i)]);
        cpu.isa().dispatch(GradientSums { x, dy, mean, inv_std, sum, product });
    });
    for (i, total) in totals.iter_mut().enumerate() {
        *total = partial[i..].iter().step_by(2 * c).map(|&p| f64::from(p)).sum::<f64>() as f32;
    }
    totals.split_at_mut(c)
}

struct GradientSums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
    sum: &'a mut [f32],
    product: &'a mut [f32],
}

impl Kernel for GradientSums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let c = self.mean.len();
        for start in (0..c).step_by(BLOCK) {
            let len = BLOCK.min(c - start);
            let (mut sum, mut product) = ([0.0_f64; BLOCK], [0.0_f64; BLOCK]);
            let mut mean = [0.0_f32; BLOCK];
            mean[..len].copy_from_slice(&self.mean[start..start + len]);
            for (x, dy) in self.x.chunks_exact(c).zip(self.dy.chunks_exact(c)) {
                let (x, dy) = (&x[start..start + len], &dy[start..start + len]);
                if let (Ok(x), Ok(dy)) = (<&[f32; BLOCK]>::try_from(x), <&[f32; BLOCK]>::try_from(dy)) {
                    add_products(&mut sum, &mut product, x, dy, &mean);
                } else {
                    add_products(&mut sum, &mut product, x, dy, &mean);
                }
            }
            for i in 0..len {
                self.sum[start + i] = sum[i] as f32;
                self.product[start + i] = (product[i] * f64::from(self.inv_std[start + i])) as f32;
            }
        }
    }
}

#[inline(always)]
fn add_products(sum: &mut [f64; BLOCK], product: &mut [f64; BLOCK], x: &[f32], dy: &[f32], mean: &[f32; BLOCK]) {
    for (i, (&x, &dy)) in x.iter().zip(dy).enumerate().take(BLOCK) {
        sum[i] += f64::from(dy);
        product[i] += f64::from(dy) * f64::from(x - mean[i]);
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Elements of a piece of an elementwise pass: whole rows, about 16 384 elements.
fn piece(c: usize) -> usize {
    (16384 / c.max(1)).max(1) * c.max(1)
}

/// Checks lengths; returns the number of rows.
fn check(x: &[f32], c: usize, columns: &[&[f32]]) -> usize {
    assert!(c > 0 && x.len().is_multiple_of(c), "whole rows of {c} channels, not {} elements", x.len());
    assert!(columns.iter().all(|v| v.len() == c), "a value for each of {c} channels");
    x.len() / c
}

#[cfg(test)]
mod tests;
