//! AVX-512: vectors of sixteen floats in 32 registers; partial vectors through mask registers; with AVX512-BF16 or without.
//!
//! Every `Safety` line below rests on the same fact: a value of [`Avx512`] exists only where [`Avx512::new`] was allowed.

use super::{Kernel, Simd};
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_loadu_si256,
    _mm256_mask_storeu_epi16, _mm256_maskz_loadu_epi16, _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_ps,
    _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi16,
    _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_cvttps_epi32, _mm512_div_ps,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_epi32, _mm512_mask_blend_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_or_si512,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_slli_epi32,
    _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};
use std::mem::transmute;

/// Proof that the machine has AVX-512 F, BW, DQ and VL, and BF16 where it says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512<const BF16: bool = false>(());

impl<const BF16: bool> Avx512<BF16> {
    /// The proof.
    ///
    /// # Safety
    /// The machine has AVX-512 F, BW, DQ and VL, and BF16 where it says so.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn compiled<K: Kernel>(simd: Avx512<false>, kernel: K) -> K::Output {
    kernel.run(simd)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
fn compiled_with_bf16<K: Kernel>(simd: Avx512<true>, kernel: K) -> K::Output {
    kernel.run(simd)
}

/// What has a function compiled for it.
pub(crate) trait Compiled {
    fn compiled<K: Kernel>(self, kernel: K) -> K::Output;
}

impl Compiled for Avx512<false> {
    #[inline(always)]
    fn compiled<K: Kernel>(self, kernel: K) -> K::Output {
        // Safety: `self` proves the features.
        unsafe { compiled(self, kernel) }
    }
}

impl Compiled for Avx512<true> {
    #[inline(always)]
    fn compiled<K: Kernel>(self, kernel: K) -> K::Output {
        // Safety: `self` proves the features.
        unsafe { compiled_with_bf16(self, kernel) }
    }
}

/// The first `len` of sixteen lanes.
#[inline(always)]
fn mask(len: usize) -> u16 {
    debug_assert!(len <= 16, "a vector has 16 lanes, not {len}");
    ((1_u32 << len) - 1) as u16
}

impl<const BF16: bool> Simd for Avx512<BF16>
where
    Self: Compiled,
{
    type Vector = __m512;
    type Mask = u16;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    const DOTS: bool = BF16;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        self.compiled(kernel)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn greater(self, a: __m512, b: __m512) -> u16 {
        // Safety: `self` proves the features.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    fn equal(self, a: __m512, b: __m512) -> u16 {
        // Safety: `self` proves the features.
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    fn beats(self, a: __m512, b: __m512) -> u16 {
        // Safety: `self` proves the features.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) }
    }
    #[inline(always)]
    fn two_to(self, v: __m512) -> __m512 {
        // Safety: `self` proves the features. The exponent's bits begin at the 24th, and 127 of them stand for 0.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvttps_epi32(v), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    fn dot(self, a: __m512, b: __m512, sum: __m512) -> __m512 {
        if !BF16 {
            return self.widened_dot(a, b, sum);
        }
        // Safety: `self` proves the features; all are 512 bits.
        unsafe { _mm512_dpbf16_ps(sum, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b)) }
    }
    #[inline(always)]
    fn select(self, mask: u16, a: __m512, b: __m512) -> __m512 {
        // Safety: `self` proves the features.
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }
    #[inline(always)]
    fn read_u16(self, from: &[u16]) -> __m512 {
        // Safety: `self` proves the features; the mask leaves out what the slice does not have.
        unsafe {
            let words = _mm256_maskz_loadu_epi16(mask(from.len().min(16)), from.as_ptr().cast());
            _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words))
        }
    }
    #[inline(always)]
    fn write_u16(self, v: __m512, to: &mut [u16]) {
        // Safety: `self` proves the features; the mask leaves out what the slice does not have.
        unsafe {
            let words = _mm512_cvtepi32_epi16(_mm512_cvttps_epi32(v));
            _mm256_mask_storeu_epi16(to.as_mut_ptr().cast(), mask(to.len().min(16)), words);
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // Safety: `self` proves the features, the caller the floats.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m512, to: *mut f32) {
        // Safety: `self` proves the features, the caller the floats.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, len: usize) -> __m512 {
        // Safety: as for load; lanes the mask leaves out are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask(len), from) }
    }
    #[inline(always)]
    unsafe fn store_first(self, v: __m512, to: *mut f32, len: usize) {
        // Safety: as for store; lanes the mask leaves out are not touched.
        unsafe { _mm512_mask_storeu_ps(to, mask(len), v) }
    }

    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u16) -> __m512 {
        // Safety: `self` proves the features, the caller the words.
        unsafe {
            let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m512, to: *mut u16) {
        if BF16 {
            // Safety: `self` proves the features, the caller the words; both are 256 bits.
            return unsafe {
                let words = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
                _mm256_storeu_si256(to.cast(), words);
            };
        }
        // Safety: `self` proves the features, the caller the words. Half a unit is added less one bit where the last bit
        // kept is even; a NaN keeps its upper bits and gets the quiet one.
        unsafe {
            let bits = _mm512_castps_si512(v);
            let kept = _mm512_srli_epi32::<16>(bits);
            let odd = _mm512_and_si512(kept, _mm512_set1_epi32(1));
            let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
            let rounded = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, half));
            let quiet = _mm512_or_si512(kept, _mm512_set1_epi32(0x40));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            let words = _mm512_mask_blend_epi32(nan, rounded, quiet);
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(words));
        }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, pitch: usize, rows: usize, columns: usize, to: *mut f32) {
        // Safety: `self` proves the features; rows and columns that are left out are not touched, and `to` has room.
        unsafe {
            let mut v = [_mm512_setzero_ps(); 16];
            for r in 0..16 {
                if r < rows {
                    v[r] = self.load_first(from.add(r * pitch), columns);
                }
            }
            // Squares of four within quarters of vectors, for each four rows: v[4 i + j] holds columns 4 q + j of rows
            // 4 i .. 4 i + 4 in its quarters q.
            for i in (0..16).step_by(4) {
                let (a, b) = (_mm512_unpacklo_ps(v[i], v[i + 1]), _mm512_unpackhi_ps(v[i], v[i + 1]));
                let (c, d) = (_mm512_unpacklo_ps(v[i + 2], v[i + 3]), _mm512_unpackhi_ps(v[i + 2], v[i + 3]));
                v[i] = _mm512_shuffle_ps::<0b01_00_01_00>(a, c);
                v[i + 1] = _mm512_shuffle_ps::<0b11_10_11_10>(a, c);
                v[i + 2] = _mm512_shuffle_ps::<0b01_00_01_00>(b, d);
                v[i + 3] = _mm512_shuffle_ps::<0b11_10_11_10>(b, d);
            }
            // Then the quarters themselves.
            for j in 0..4 {
                let (a, b) = (
                    _mm512_shuffle_f32x4::<0b01_00_01_00>(v[j], v[j + 4]),
                    _mm512_shuffle_f32x4::<0b11_10_11_10>(v[j], v[j + 4]),
                );
                let (c, d) = (
                    _mm512_shuffle_f32x4::<0b01_00_01_00>(v[j + 8], v[j + 12]),
                    _mm512_shuffle_f32x4::<0b11_10_11_10>(v[j + 8], v[j + 12]),
                );
                let turned = [
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(a, c),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(a, c),
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(b, d),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(b, d),
                ];
                for q in 0..4 {
                    self.store(turned[q], to.add((4 * q + j) * 16));
                }
            }
        }
    }
}
