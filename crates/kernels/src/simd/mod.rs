//! One vocabulary of vector operations for every instruction set. A value of a [`Simd`] type is a proof that the machine
//! has the instruction set, so its arithmetic is safe to call; only memory access through pointers is not.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use {avx2::Avx2, avx512::Avx512};

/// A computation written once over [`Simd`] and compiled for each instruction set.
///
/// Mark `run`, and every generic function it calls, `#[inline(always)]`: only what is inlined into the wrapper of an
/// instruction set is compiled for it. Plain loops inside are vectorised for that set too.
pub trait Kernel {
    /// What the computation returns.
    type Output;
    /// Computes with the instruction set `simd`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Vectors of `LANES` floats of one instruction set.
pub trait Simd: Copy + Send + Sync + 'static {
    /// A vector of [`Self::LANES`] floats.
    type Vector: Copy;
    /// A truth for each lane of a vector.
    type Mask: Copy;
    /// Floats in a vector.
    const LANES: usize;
    /// Vectors that fit into registers at once.
    const REGISTERS: usize;
    /// Whether [`Simd::dot`] is an instruction.
    const DOTS: bool = false;

    /// Runs `kernel` inside a function compiled for this instruction set.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;

    /// All lanes `value`.
    fn splat(self, value: f32) -> Self::Vector;
    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a / b`.
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once where the instruction set can, else twice.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger of `a` and `b`; `b` where either is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller of `a` and `b`; `b` where either is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Whether `a > b`; not where either is NaN.
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// Whether `a == b`; not where either is NaN.
    fn equal(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// Whether `a > b` or `a` is NaN: what wins against the maximum so far.
    fn beats(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// 2ᵛ for whole numbers from -126 to 127; anything for others.
    fn two_to(self, v: Self::Vector) -> Self::Vector;
    /// `sum` and, one after the other, the products of the pairs of bf16 that the bits of lanes of `a` and `b` are, the
    /// later of a pair first: rounded as by [`Simd::fma`], denormals being zeros.
    #[inline(always)]
    fn dot(self, a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        self.widened_dot(a, b, sum)
    }

    /// [`Simd::dot`] of widened pairs.
    #[inline(always)]
    fn widened_dot(self, a: Self::Vector, b: Self::Vector, sum: Self::Vector) -> Self::Vector {
        let mut halves = [[[0.0_f32; 16]; 2]; 2];
        for (v, [later, first]) in [a, b].into_iter().zip(&mut halves) {
            self.write(v, &mut later[..Self::LANES]);
            for i in 0..Self::LANES {
                let bits = later[i].to_bits();
                later[i] = f32::from_bits(bits & 0xffff_0000);
                first[i] = f32::from_bits(bits << 16);
            }
        }
        let [[a, a_first], [b, b_first]] = halves.map(|halves| halves.map(|half| self.read(&half)));
        self.fma(a_first, b_first, self.fma(a, b, sum))
    }
    /// `a` where the mask is set, else `b`.
    fn select(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The first lanes from `from`, as many as it has and fit, as floats; the others are zero.
    fn read_u16(self, from: &[u16]) -> Self::Vector;
    /// Writes the first lanes, whole numbers below 2¹⁶, to `to`, as many as it has room for.
    fn write_u16(self, v: Self::Vector, to: &mut [u16]);

    /// Loads `LANES` floats, at any alignment.
    ///
    /// # Safety
    /// `LANES` floats at `from` can be read.
    unsafe fn load(self, from: *const f32) -> Self::Vector;
    /// Stores `LANES` floats, at any alignment.
    ///
    /// # Safety
    /// `LANES` floats at `to` can be written.
    unsafe fn store(self, v: Self::Vector, to: *mut f32);
    /// Loads the first `len` lanes, `len <= LANES`; the others are zero.
    ///
    /// # Safety
    /// `len` floats at `from` can be read, and `len <= LANES`.
    unsafe fn load_first(self, from: *const f32, len: usize) -> Self::Vector;
    /// Stores the first `len` lanes, `len <= LANES`.
    ///
    /// # Safety
    /// `len` floats at `to` can be written, and `len <= LANES`.
    unsafe fn store_first(self, v: Self::Vector, to: *mut f32, len: usize);
    /// Loads `LANES` bf16, at any alignment, as floats.
    ///
    /// # Safety
    /// `LANES` words at `from` can be read.
    unsafe fn load_bf16(self, from: *const u16) -> Self::Vector;
    /// Stores `LANES` floats rounded to bf16, to the even of two that are as near, at any alignment. NaN stays NaN, and
    /// becomes quiet.
    ///
    /// # Safety
    /// `LANES` words at `to` can be written.
    unsafe fn store_bf16(self, v: Self::Vector, to: *mut u16);

    /// Loads the first `lanes` lanes from bf16, or a whole vector where `FULL`; the others are zero.
    ///
    /// # Safety
    /// The first `lanes` words at `from` can be read, `LANES` where `FULL`, and `lanes` is then at least `LANES`.
    #[inline(always)]
    unsafe fn load_bf16_lanes<const FULL: bool>(self, from: *const u16, lanes: usize) -> Self::Vector {
        debug_assert!(!FULL || lanes >= Self::LANES, "{lanes} lanes");
        let mut words = [0_u16; 16];
        // Safety: as the caller vouches; the array holds a vector of any instruction set.
        unsafe {
            if FULL {
                self.load_bf16(from)
            } else {
                std::ptr::copy_nonoverlapping(from, words.as_mut_ptr(), lanes.min(Self::LANES));
                self.load_bf16(words.as_ptr())
            }
        }
    }

    /// Stores the first `lanes` lanes as bf16, or a whole vector where `FULL`.
    ///
    /// # Safety
    /// The first `lanes` words at `to` can be written, `LANES` where `FULL`, and `lanes` is then at least `LANES`.
    #[inline(always)]
    unsafe fn store_bf16_lanes<const FULL: bool>(self, v: Self::Vector, to: *mut u16, lanes: usize) {
        debug_assert!(!FULL || lanes >= Self::LANES, "{lanes} lanes");
        let mut words = [0_u16; 16];
        // Safety: as the caller vouches; the array holds a vector of any instruction set.
        unsafe {
            if FULL {
                self.store_bf16(v, to);
            } else {
                self.store_bf16(v, words.as_mut_ptr());
                std::ptr::copy_nonoverlapping(words.as_ptr(), to, lanes.min(Self::LANES));
            }
        }
    }

    /// Loads the first `lanes` lanes, or a whole vector where `FULL`.
    ///
    /// # Safety
    /// As for [`Simd::load_first`]; where `FULL` as for [`Simd::load`], and `lanes` is at least `LANES`.
    #[inline(always)]
    unsafe fn load_lanes<const FULL: bool>(self, from: *const f32, lanes: usize) -> Self::Vector {
        debug_assert!(!FULL || lanes >= Self::LANES, "{lanes} lanes");
        // Safety: as the caller vouches.
        unsafe { if FULL { self.load(from) } else { self.load_first(from, lanes) } }
    }

    /// Stores the first `lanes` lanes, or a whole vector where `FULL`.
    ///
    /// # Safety
    /// As for [`Simd::store_first`]; where `FULL` as for [`Simd::store`], and `lanes` is at least `LANES`.
    #[inline(always)]
    unsafe fn store_lanes<const FULL: bool>(self, v: Self::Vector, to: *mut f32, lanes: usize) {
        debug_assert!(!FULL || lanes >= Self::LANES, "{lanes} lanes");
        // Safety: as the caller vouches.
        unsafe { if FULL { self.store(v, to) } else { self.store_first(v, to, lanes) } }
    }

    /// Writes `LANES` rows of `LANES` floats to `to`: column `c` of `rows` rows of `columns` floats, `pitch` apart from
    /// `from` on, becomes row `c`; everything else is zero.
    ///
    /// # Safety
    /// `rows` and `columns` are at most `LANES`, `columns` floats of each row can be read, and `LANES * LANES` floats at
    /// `to`, apart from those, can be written.
    #[inline(always)]
    unsafe fn turn(self, from: *const f32, pitch: usize, rows: usize, columns: usize, to: *mut f32) {
        for c in 0..Self::LANES {
            for r in 0..Self::LANES {
                // Safety: as the caller vouches.
                unsafe {
                    *to.add(c * Self::LANES + r) = if r < rows && c < columns { *from.add(r * pitch + c) } else { 0.0 }
                };
            }
        }
    }

    /// Asks for the cache line at `from`, which need not be readable, to be fetched.
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        #[cfg(target_arch = "x86_64")]
        // Safety: a prefetch of any address is harmless, and every x86-64 has it.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = from;
    }

    /// The first lanes from `from`, as many as it has and fit; the others are zero.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::Vector {
        if from.len() >= Self::LANES {
            // Safety: the slice holds LANES floats.
            unsafe { self.load(from.as_ptr()) }
        } else {
            // Safety: the slice holds `len` floats, fewer than LANES.
            unsafe { self.load_first(from.as_ptr(), from.len()) }
        }
    }

    /// Writes the first lanes to `to`, as many as it has room for.
    #[inline(always)]
    fn write(self, v: Self::Vector, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            // Safety: the slice has room for LANES floats.
            unsafe { self.store(v, to.as_mut_ptr()) }
        } else {
            // Safety: the slice has room for `len` floats, fewer than LANES.
            unsafe { self.store_first(v, to.as_mut_ptr(), to.len()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    /// Applies every operation to lanes of `a` and `b`, through full and partial loads and stores.
    struct Everything<'a> {
        a: &'a [f32],
        b: &'a [f32],
    }

    impl Kernel for Everything<'_> {
        type Output = Vec<Vec<f32>>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Self::Output {
            let (a, b) = (s.read(self.a), s.read(self.b));
            let c = s.splat(0.5);
            let chosen = [s.greater(a, b), s.equal(a, b), s.beats(a, b)].map(|mask| s.select(mask, a, c));
            let [greater, equal, beats] = chosen;
            let results = [
                s.add(a, b),
                s.sub(a, b),
                s.mul(a, b),
                s.div(a, b),
                s.fma(a, b, c),
                s.max(a, b),
                s.min(a, b),
                greater,
                equal,
                beats,
            ];
            let len = self.a.len().min(S::LANES);
            let mut out = Vec::new();
            for v in results {
                let mut row = vec![7.0; len + 1];
                s.write(v, &mut row[..len]);
                out.push(row);
            }
            out
        }
    }

    #[test]
    fn every_operation_matches_scalars_at_every_length() {
        // Multiples of 1/4 whose products are exact, so that fused and unfused multiply-add agree.
        let a: Vec<f32> = (0..24).map(|i| i as f32 * 0.25 - 2.0).collect();
        let b: Vec<f32> = (0..24).map(|i| 1.5 - ((i * 7) % 11) as f32 * 0.25).collect();
        let scalar: [fn(f32, f32) -> f32; 10] = [
            |a, b| a + b,
            |a, b| a - b,
            |a, b| a * b,
            |a, b| a / b,
            |a, b| a * b + 0.5,
            f32::max,
            f32::min,
            |a, b| if a > b { a } else { 0.5 },
            |a, b| if a == b { a } else { 0.5 },
            |a, b| if a > b { a } else { 0.5 },
        ];
        assert!(a.iter().zip(&b).any(|(a, b)| a == b), "some lanes are equal");
        for isa in Isa::available() {
            for start in 0..3 {
                for len in 0..=20 {
                    let (a, b) = (&a[start..start + len], &b[start..start + len]);
                    for (row, f) in isa.dispatch(Everything { a, b }).iter().zip(scalar) {
                        let (guard, row) = row.split_last().unwrap();
                        assert_eq!(*guard, 7.0, "{} wrote past {len}", isa.name());
                        let expected: Vec<f32> = a.iter().zip(b).map(|(&a, &b)| f(a, b)).take(row.len()).collect();
                        assert_eq!(row, expected, "{} at {len}", isa.name());
                    }
                }
            }
        }
    }

    /// Turns `rows` rows of `columns` floats of `from`, `pitch` apart.
    struct Turn<'a> {
        from: &'a [f32],
        pitch: usize,
        rows: usize,
        columns: usize,
    }

    impl Kernel for Turn<'_> {
        type Output = (usize, Vec<f32>);
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Self::Output {
            let Self { from, pitch, rows, columns } = self;
            let from = &from[..(rows * pitch).saturating_sub(pitch - columns)];
            let mut to = vec![7.0; S::LANES * S::LANES + 1];
            // Safety: cut to the last column of the last row; `to` has room.
            unsafe { s.turn(from.as_ptr(), pitch, rows, columns, to.as_mut_ptr()) };
            s.prefetch(from.as_ptr());
            (S::LANES, to)
        }
    }

    #[test]
    fn turning_exchanges_rows_and_columns_of_every_size() {
        let from: Vec<f32> = (1..400).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let lanes = isa.dispatch(Turn { from: &from, pitch: 1, rows: 0, columns: 0 }).0;
            for (rows, columns) in (0..=lanes).flat_map(|r| (0..=lanes).map(move |c| (r, c))) {
                let pitch = columns + 3;
                let (_, to) = isa.dispatch(Turn { from: &from, pitch, rows, columns });
                let (guard, to) = to.split_last().unwrap();
                assert_eq!(*guard, 7.0, "{} wrote past {rows} × {columns}", isa.name());
                for (i, found) in to.iter().enumerate() {
                    let (r, c) = (i % lanes, i / lanes);
                    let expected = if r < rows && c < columns { from[r * pitch + c] } else { 0.0 };
                    assert_eq!(*found, expected, "{}, {rows} × {columns}, row {r}, column {c}", isa.name());
                }
            }
        }
    }

    #[test]
    fn maximum_of_nan_is_the_second_operand() {
        let (nan, one) = ([f32::NAN; 16], [1.0; 16]);
        for isa in Isa::available() {
            let rows = isa.dispatch(Everything { a: &nan, b: &one });
            assert_eq!((rows[5][0], rows[6][0]), (1.0, 1.0));
            let rows = isa.dispatch(Everything { a: &one, b: &nan });
            assert!(rows[5][0].is_nan() && rows[6][0].is_nan());
        }
    }

    #[test]
    fn nan_is_neither_greater_nor_equal_but_beats() {
        let (nan, one) = ([f32::NAN; 16], [1.0; 16]);
        for isa in Isa::available() {
            for (a, b, beats) in [(&nan, &one, true), (&one, &nan, false), (&nan, &nan, true)] {
                let rows = isa.dispatch(Everything { a, b });
                assert_eq!((rows[7][0], rows[8][0]), (0.5, 0.5), "{}", isa.name());
                assert_eq!(rows[9][0].is_nan(), beats, "{}", isa.name());
            }
        }
    }

    /// Two to the power of each lane.
    struct Powers<'a>(&'a mut [f32]);

    impl Kernel for Powers<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            self.0.chunks_mut(S::LANES).for_each(|v| s.write(s.two_to(s.read(v)), v));
        }
    }

    #[test]
    fn powers_of_two_are_exact_wherever_floats_are_normal() {
        for isa in Isa::available() {
            let mut v: Vec<f32> = (-126..=127).map(|n| n as f32).collect();
            isa.dispatch(Powers(&mut v));
            let expected: Vec<f32> = (-126..=127).map(|n| 2.0_f64.powi(n) as f32).collect();
            assert_eq!(v, expected, "{}", isa.name());
        }
    }

    /// Reads small integers, and writes them back after adding one.
    struct Small<'a> {
        from: &'a [u16],
        to: &'a mut [u16],
    }

    impl Kernel for Small<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            s.write_u16(s.add(s.read_u16(self.from), s.splat(1.0)), self.to);
        }
    }

    #[test]
    fn small_integers_pass_through_floats_at_every_length() {
        let from: Vec<u16> = (0..24).map(|i| [0, 1, 255, 256, 32_767, 32_768, 65_534][i % 7]).collect();
        for isa in Isa::available() {
            for start in 0..7 {
                for len in 0..=16.min(from.len() - start) {
                    let mut to = [9; 17];
                    isa.dispatch(Small { from: &from[start..start + len], to: &mut to[..len] });
                    let lanes = len.min(if isa == Isa::Avx512 { 16 } else { 8 });
                    for (i, &to) in to.iter().enumerate() {
                        let expected = if i < lanes { from[start + i] + 1 } else { 9 };
                        assert_eq!(to, expected, "{}: lane {i} of {len} from {start}", isa.name());
                    }
                }
            }
        }
    }
}
