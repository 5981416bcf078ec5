//! AVX2 with FMA: vectors of eight floats in 16 registers; partial vectors through a mask vector.
//!
//! Every `Safety` line below rests on the same fact: a value of [`Avx2`] exists only where [`Avx2::new`] was allowed.

use super::{Kernel, Simd};
use std::arch::x86_64::{
    __m256, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_loadu_si128, _mm_packus_epi32, _mm_storeu_si128,
    _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_blendv_epi8, _mm256_blendv_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32,
    _mm256_cvttps_epi32, _mm256_div_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_or_ps,
    _mm256_or_si256, _mm256_permute2f128_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_ps,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

/// Proof that the machine has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof.
    ///
    /// # Safety
    /// The machine has AVX2 and FMA.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

#[target_feature(enable = "avx2,fma")]
fn compiled<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
    kernel.run(simd)
}

/// Eight set words and eight clear ones: a window that starts at `8 - len` masks the first `len` lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The first `len` of eight lanes.
///
/// # Safety
/// `len <= 8`, on a machine with AVX2.
#[inline(always)]
unsafe fn mask(len: usize) -> __m256i {
    debug_assert!(len <= 8, "a vector has 8 lanes, not {len}");
    // Safety: eight words from 8 - len on lie in the table.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - len).cast()) }
}

impl Simd for Avx2 {
    type Vector = __m256;
    /// All bits of a lane, or none.
    type Mask = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        // Safety: `self` proves the features.
        unsafe { compiled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn greater(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    fn equal(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    fn beats(self, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b), _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) }
    }
    #[inline(always)]
    fn two_to(self, v: __m256) -> __m256 {
        // Safety: `self` proves the features. The exponent's bits begin at the 24th, and 127 of them stand for 0.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvttps_epi32(v), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        // Safety: `self` proves the features.
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }
    #[inline(always)]
    fn read_u16(self, from: &[u16]) -> __m256 {
        let mut words = [0; 8];
        let from = if let Ok(from) = <&[u16; 8]>::try_from(from) {
            from
        } else {
            words.iter_mut().zip(from).for_each(|(word, from)| *word = *from);
            &words
        };
        // Safety: `self` proves the features; the array holds eight words.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn write_u16(self, v: __m256, to: &mut [u16]) {
        let mut words = [0_u16; 8];
        // Safety: `self` proves the features; the array has room for eight words.
        unsafe {
            let v = _mm256_cvttps_epi32(v);
            let packed = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            _mm_storeu_si128(words.as_mut_ptr().cast(), packed);
        }
        if let Ok(to) = <&mut [u16; 8]>::try_from(&mut *to) {
            *to = words;
        } else {
            to.iter_mut().zip(words).for_each(|(to, word)| *to = word);
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // Safety: `self` proves the features, the caller the floats.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, v: __m256, to: *mut f32) {
        // Safety: `self` proves the features, the caller the floats.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, len: usize) -> __m256 {
        // Safety: as for load; lanes the mask leaves out are not touched.
        unsafe { _mm256_maskload_ps(from, mask(len)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, v: __m256, to: *mut f32, len: usize) {
        // Safety: as for store; lanes the mask leaves out are not touched.
        unsafe { _mm256_maskstore_ps(to, mask(len), v) }
    }

    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u16) -> __m256 {
        // Safety: `self` proves the features, the caller the words.
        unsafe {
            let words = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m256, to: *mut u16) {
        // Safety: `self` proves the features, the caller the words. Half a unit is added less one bit where the last bit
        // kept is even; a NaN keeps its upper bits and gets the quiet one.
        unsafe {
            let bits = _mm256_castps_si256(v);
            let kept = _mm256_srli_epi32::<16>(bits);
            let odd = _mm256_and_si256(kept, _mm256_set1_epi32(1));
            let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));
            let quiet = _mm256_or_si256(kept, _mm256_set1_epi32(0x40));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(v, v));
            let words = _mm256_blendv_epi8(rounded, quiet, nan);
            let packed = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), packed);
        }
    }

    #[inline(always)]
    unsafe fn turn(self, from: *const f32, pitch: usize, rows: usize, columns: usize, to: *mut f32) {
        // Safety: `self` proves the features; rows and columns that are left out are not touched, and `to` has room.
        unsafe {
            let mut v = [_mm256_setzero_ps(); 8];
            for r in 0..8 {
                if r < rows {
                    v[r] = self.load_first(from.add(r * pitch), columns);
                }
            }
            // Squares of four within halves of vectors, for each four rows.
            for i in [0, 4] {
                let (a, b) = (_mm256_unpacklo_ps(v[i], v[i + 1]), _mm256_unpackhi_ps(v[i], v[i + 1]));
                let (c, d) = (_mm256_unpacklo_ps(v[i + 2], v[i + 3]), _mm256_unpackhi_ps(v[i + 2], v[i + 3]));
                v[i] = _mm256_shuffle_ps::<0b01_00_01_00>(a, c);
                v[i + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, c);
                v[i + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(b, d);
                v[i + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(b, d);
            }
            // Then the halves themselves.
            for j in 0..4 {
                self.store(_mm256_permute2f128_ps::<0x20>(v[j], v[j + 4]), to.add(j * 8));
                self.store(_mm256_permute2f128_ps::<0x31>(v[j], v[j + 4]), to.add((j + 4) * 8));
            }
        }
    }
}
