//! From `f32` to bf16 and back, over the pool. Narrowing rounds to the nearest and to the even of two; it keeps signs,
//! zeros, infinities and denormals; a NaN becomes a quiet NaN. What is too large becomes infinite. Widening is exact.

use crate::Cpu;
use crate::simd::{Kernel, Simd};

/// Elements of a piece.
const PIECE: usize = 1 << 15;

/// The bf16 nearest to a float.
#[inline(always)]
pub(crate) fn narrowed(v: f32) -> u16 {
    let bits = v.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if v.is_nan() { (bits >> 16) as u16 | 0x40 } else { rounded }
}

/// The float that a bf16 is.
#[inline(always)]
pub(crate) fn widened(word: u16) -> f32 {
    f32::from_bits(u32::from(word) << 16)
}

/// Assigns to `to` the bf16 nearest to `from`.
///
/// # Panics
/// If the lengths differ.
pub fn narrow(cpu: &Cpu, from: &[f32], to: &mut [u16]) {
    assert_eq!(from.len(), to.len(), "a bf16 for each float");
    cpu.chunks(to, PIECE, |i, to| cpu.isa().dispatch(Narrow { from: &from[i * PIECE..][..to.len()], to }));
}

/// Assigns to `to` the floats that `from` is.
///
/// # Panics
/// If the lengths differ.
pub fn widen(cpu: &Cpu, from: &[u16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "a float for each bf16");
    cpu.chunks(to, PIECE, |i, to| cpu.isa().dispatch(Widen { from: &from[i * PIECE..][..to.len()], to }));
}

struct Narrow<'a> {
    from: &'a [f32],
    to: &'a mut [u16],
}

impl Kernel for Narrow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, to } = self;
        let len = from.len().min(to.len());
        let whole = len / S::LANES * S::LANES;
        for i in (0..whole).step_by(S::LANES) {
            // Safety: a whole vector of both slices.
            unsafe { s.store_bf16(s.load(from.as_ptr().add(i)), to.as_mut_ptr().add(i)) };
        }
        // Safety: the rest of both slices, less than a vector.
        unsafe { s.store_bf16_lanes::<false>(s.read(&from[whole..len]), to.as_mut_ptr().add(whole), len - whole) };
    }
}

struct Widen<'a> {
    from: &'a [u16],
    to: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, to } = self;
        let len = from.len().min(to.len());
        let whole = len / S::LANES * S::LANES;
        for i in (0..whole).step_by(S::LANES) {
            // Safety: a whole vector of both slices.
            unsafe { s.store(s.load_bf16(from.as_ptr().add(i)), to.as_mut_ptr().add(i)) };
        }
        // Safety: the rest of both slices, less than a vector.
        let rest = unsafe { s.load_bf16_lanes::<false>(from.as_ptr().add(whole), len - whole) };
        s.write(rest, &mut to[whole..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, hash};

    /// The nearest bf16 by its definition: of the two next to `v`, towards zero and away from it, the nearer one, and the even
    /// one of two as near. Beyond the largest lies 2¹²⁸, which is infinity.
    fn nearest(v: f32) -> u16 {
        let bits = v.to_bits();
        let towards = (bits >> 16) as u16;
        if v.is_nan() {
            return towards | 0x40;
        }
        if v.is_infinite() {
            return towards;
        }
        let value = |word: u16| match f64::from(f32::from_bits(u32::from(word & 0x7fff) << 16)) {
            f64::INFINITY => 2.0_f64.powi(128),
            value => value,
        };
        let away = towards + 1;
        let (below, above) = (f64::from(v.abs()) - value(towards), value(away) - f64::from(v.abs()));
        if below < above || (below == above && towards.is_multiple_of(2)) { towards } else { away }
    }

    #[test]
    fn every_bf16_widens_to_its_value_and_narrows_to_itself() {
        let from: Vec<u16> = (0..=u16::MAX).collect();
        for isa in Isa::available() {
            for threads in [1, 2] {
                let cpu = Cpu::with_isa(threads, isa).unwrap();
                let (mut wide, mut back) = (vec![7.0; from.len()], vec![7; from.len()]);
                widen(&cpu, &from, &mut wide);
                narrow(&cpu, &wide, &mut back);
                for (i, (wide, back)) in wide.iter().zip(back).enumerate() {
                    assert_eq!(wide.to_bits(), (i as u32) << 16, "{isa:?}: {i:#x}");
                    let quiet = if wide.is_nan() { 0x40 } else { 0 };
                    assert_eq!(back, i as u16 | quiet, "{isa:?}: {wide} and back");
                }
            }
        }
    }

    /// Every bf16 with the lower bits of a float at, before and behind the middle between it and the next, and at random.
    #[test]
    fn floats_narrow_to_the_nearest_and_ties_to_even() {
        let lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        let of = |i: u32| {
            let random = (hash(1, u64::from(i)) & 0xffff) as u32;
            lower.into_iter().chain([random]).map(move |lower| f32::from_bits(i << 16 | lower))
        };
        let from: Vec<f32> = (0..1 << 16).flat_map(of).collect();
        for isa in Isa::available() {
            let (cpu, mut to) = (Cpu::with_isa(2, isa).unwrap(), vec![7; from.len()]);
            narrow(&cpu, &from, &mut to);
            for (&v, to) in from.iter().zip(to) {
                assert_eq!(to, nearest(v), "{isa:?}: {v:e} ({:#x})", v.to_bits());
            }
        }
    }

    #[test]
    fn every_length_and_start_is_written_and_nothing_else() {
        let floats: Vec<f32> = (0..80).map(|i| i as f32 * 0.37 - 9.0).collect();
        let words: Vec<u16> = floats.iter().map(|&v| nearest(v)).collect();
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(1, isa).unwrap();
            for (start, len) in (0..5).flat_map(|start| (0..70).map(move |len| (start, len))) {
                let (mut narrow_to, mut wide_to) = (vec![7; len + 2], vec![7.5; len + 2]);
                narrow(&cpu, &floats[start..start + len], &mut narrow_to[1..=len]);
                widen(&cpu, &words[start..start + len], &mut wide_to[1..=len]);
                assert_eq!((narrow_to[0], narrow_to[len + 1], wide_to[0], wide_to[len + 1]), (7, 7, 7.5, 7.5));
                assert_eq!(narrow_to[1..=len], words[start..start + len], "{isa:?}, {len} from {start}");
                let expected: Vec<f32> = words[start..start + len].iter().map(|&w| widened(w)).collect();
                assert_eq!(wide_to[1..=len], expected, "{isa:?}, {len} from {start}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a bf16 for each float")]
    fn unequal_lengths_panic() {
        narrow(&Cpu::new(1).unwrap(), &[0.0; 3], &mut [0; 4]);
    }
}
