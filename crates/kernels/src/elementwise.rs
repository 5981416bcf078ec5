//! Elementwise maps. The closure is compiled into the loop for each instruction set, so a simple one is vectorised.

use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

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

/// Assigns `f(a[i], b[i])`, or adds it: the gradient of an activation, from its output (or input) and dy.
///
/// # Panics
/// If the lengths differ.
pub fn map2(cpu: &Cpu, a: &[f32], b: &[f32], to: GradientSlot<'_>, f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    let GradientSlot { values: to, adds } = to;
    assert!(a.len() == to.len() && b.len() == to.len(), "a, b and where it goes have one shape");
    cpu.chunks(to, PIECE, |i, to| {
        let range = i * PIECE..i * PIECE + to.len();
        cpu.isa().dispatch(Map2 { a: &a[range.clone()], b: &b[range], to, adds, f: &f });
    });
}

struct Map2<'a, F> {
    a: &'a [f32],
    b: &'a [f32],
    to: &'a mut [f32],
    adds: bool,
    f: &'a F,
}

impl<F: Fn(f32, f32) -> f32> Kernel for Map2<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let all = self.to.iter_mut().zip(self.a).zip(self.b);
        if self.adds {
            all.for_each(|((to, &a), &b)| *to += (self.f)(a, b));
        } else {
            all.for_each(|((to, &a), &b)| *to = (self.f)(a, b));
        }
    }
}

/// Assigns `dy[i]`, or adds it.
///
/// # Panics
/// If the lengths differ.
pub fn pass_on(cpu: &Cpu, dy: &[f32], dx: GradientSlot<'_>) {
    map2(cpu, dy, dy, dx, |dy, _| dy);
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
                let gate = |a: f32, b: f32| if a > 0.0 { b } else { 0.0 };
                let mut dx = start.clone();
                map2(&cpu, &a, &b, GradientSlot::add(&mut dx), gate);
                pass_on(&cpu, &b, GradientSlot::add(&mut dx));
                let expected = |i: usize| start[i] + gate(a[i], b[i]) + b[i];
                assert_same_bits("add", &dx, &(0..len).map(expected).collect::<Vec<_>>());
                dx.fill(f32::NAN);
                map2(&cpu, &a, &b, GradientSlot::assign(&mut dx), gate);
                assert_same_bits("assign", &dx, &(0..len).map(|i| gate(a[i], b[i])).collect::<Vec<_>>());
                dx.fill(f32::NAN);
                pass_on(&cpu, &b, GradientSlot::assign(&mut dx));
                assert_same_bits("pass on", &dx, &b);
            }
        }
    }
}
