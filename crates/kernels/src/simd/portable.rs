//! Vectors as arrays of eight floats, which the compiler turns into whatever its target has. Multiply-add rounds twice.

use super::{Kernel, Simd};
use crate::bf16::{narrowed, widened};

/// Proof of nothing: every machine has arrays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    let mut out = [0.0; 8];
    for i in 0..8 {
        out[i] = f(a[i], b[i]);
    }
    out
}

#[inline(always)]
fn compare(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> bool) -> [bool; 8] {
    let mut out = [false; 8];
    for i in 0..8 {
        out[i] = f(a[i], b[i]);
    }
    out
}

impl Simd for Portable {
    type Vector = [f32; 8];
    type Mask = [bool; 8];
    const LANES: usize = 8;
    /// Sixteen registers of four lanes, as on x86-64 without AVX.
    const REGISTERS: usize = 8;

    #[inline]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn greater(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        compare(a, b, |a, b| a > b)
    }
    #[inline(always)]
    fn equal(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        compare(a, b, |a, b| a == b)
    }
    #[inline(always)]
    fn beats(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        compare(a, b, |a, b| a > b || a.is_nan())
    }
    #[inline(always)]
    fn two_to(self, v: [f32; 8]) -> [f32; 8] {
        // Added to 3 · 2²², v + 127 becomes the low bits, from where it is moved to the exponent's.
        v.map(|v| f32::from_bits((v + 12_583_039.0).to_bits() << 23))
    }
    #[inline(always)]
    fn select(self, mask: [bool; 8], a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        let mut out = b;
        for i in 0..8 {
            out[i] = if mask[i] { a[i] } else { b[i] };
        }
        out
    }
    #[inline(always)]
    fn read_u16(self, from: &[u16]) -> [f32; 8] {
        let mut v = [0.0; 8];
        for (lane, &from) in v.iter_mut().zip(from) {
            *lane = f32::from(from);
        }
        v
    }
    #[inline(always)]
    fn write_u16(self, v: [f32; 8], to: &mut [u16]) {
        for (to, lane) in to.iter_mut().zip(v) {
            *to = lane as u16;
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // Safety: the caller vouches for eight floats; read_unaligned needs no alignment.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, v: [f32; 8], to: *mut f32) {
        // Safety: the caller vouches for eight floats; write_unaligned needs no alignment.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, len: usize) -> [f32; 8] {
        let mut v = [0.0; 8];
        for (i, lane) in v.iter_mut().enumerate().take(len) {
            // Safety: i < len, and the caller vouches for len floats.
            *lane = unsafe { *from.add(i) };
        }
        v
    }
    #[inline(always)]
    unsafe fn store_first(self, v: [f32; 8], to: *mut f32, len: usize) {
        for (i, lane) in v.iter().enumerate().take(len) {
            // Safety: i < len, and the caller vouches for len floats.
            unsafe { *to.add(i) = *lane };
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u16) -> [f32; 8] {
        // Safety: the caller vouches for eight words; read_unaligned needs no alignment.
        unsafe { from.cast::<[u16; 8]>().read_unaligned() }.map(widened)
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: [f32; 8], to: *mut u16) {
        // Safety: the caller vouches for eight words; write_unaligned needs no alignment.
        unsafe { to.cast::<[u16; 8]>().write_unaligned(v.map(narrowed)) }
    }
}
