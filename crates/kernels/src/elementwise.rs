//! Elementwise maps. The closure is compiled into the loop for each instruction set, so a simple one is vectorised.

use crate::Cpu;
use crate::simd::{Kernel, Simd};

/// Elements of a piece.
const PIECE: usize = 16384;

/// Assigns `y[i] = f(x[i])`.
///
/// # Panics
/// If the lengths differ.
pub fn map(cpu: &Cpu, x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync + Send) {
    assert_eq!(x.len(), y.len(), "y has the shape of x");
    cpu.chunks(y, PIECE, |i, y| cpu.isa().dispatch(Map { x: &x[i * PIECE..][..y.len()], y, f: &f }));
}

struct Map<'a, F> {
    x: &'a [f32],
    y: &'a mut [f32],
    f: &'a F,
}

impl<F: Fn(f32) -> f32> Kernel for Map<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = (self.f)(x);
        }
    }
}

/// Adds `f(a[i], b[i])` to `dx[i]`: the gradient of an activation, from its output (or input) and dy.
///
/// # Panics
/// If the lengths differ.
pub fn add_map2(cpu: &Cpu, a: &[f32], b: &[f32], dx: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    assert!(a.len() == dx.len() && b.len() == dx.len(), "a, b and dx have one shape");
    cpu.chunks(dx, PIECE, |i, dx| {
        let range = i * PIECE..i * PIECE + dx.len();
        cpu.isa().dispatch(AddMap2 { a: &a[range.clone()], b: &b[range], dx, f: &f });
    });
}

struct AddMap2<'a, F> {
    a: &'a [f32],
    b: &'a [f32],
    dx: &'a mut [f32],
    f: &'a F,
}

impl<F: Fn(f32, f32) -> f32> Kernel for AddMap2<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for ((dx, &a), &b) in self.dx.iter_mut().zip(self.a).zip(self.b) {
            *dx += (self.f)(a, b);
        }
    }
}

/// Adds `dy[i]` to `dx[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn add_assign(cpu: &Cpu, dx: &mut [f32], dy: &[f32]) {
    add_map2(cpu, dy, dy, dx, |dy, _| dy);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::reference::{assert_same_bits, random};

    #[test]
    fn every_element_is_mapped_on_every_instruction_set() {
        for len in [0, 1, 17, PIECE, 2 * PIECE + 5] {
            let (a, b, start) = (random(1, len), random(2, len), random(3, len));
            for isa in Isa::available() {
                let cpu = Cpu::with_isa(2, isa).unwrap();
                let mut y = vec![f32::NAN; len];
                map(&cpu, &a, &mut y, |x| x.max(0.0) * 2.0);
                assert_same_bits("map", &y, &a.iter().map(|x| x.max(0.0) * 2.0).collect::<Vec<_>>());
                let mut dx = start.clone();
                add_map2(&cpu, &a, &b, &mut dx, |a, b| if a > 0.0 { b } else { 0.0 });
                add_assign(&cpu, &mut dx, &b);
                let expected = |i: usize| start[i] + if a[i] > 0.0 { b[i] } else { 0.0 } + b[i];
                assert_same_bits("add", &dx, &(0..len).map(expected).collect::<Vec<_>>());
            }
        }
    }
}
