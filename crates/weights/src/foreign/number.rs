//! What a file's tensors are made of, and their values as f32.

/// A type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    Bool,
}

impl Number {
    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Number::I8 | Number::U8 | Number::Bool => 1,
            Number::F16 | Number::Bf16 | Number::I16 | Number::U16 => 2,
            Number::F32 | Number::I32 | Number::U32 => 4,
            Number::F64 | Number::I64 | Number::U64 => 8,
        }
    }

    /// Whether weights are kept in it; whole numbers count steps and the like.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Number::F16 | Number::Bf16 | Number::F32 | Number::F64)
    }

    /// The values, a value's first byte being the lowest.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
        }
        match self {
            Number::F16 => each(bytes, |b| half_to_float(u16::from_le_bytes(b))),
            Number::Bf16 => each(bytes, |[a, b]| f32::from_le_bytes([0, 0, a, b])),
            Number::F32 => each(bytes, f32::from_le_bytes),
            Number::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Number::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Number::U8 | Number::Bool => each(bytes, |[b]| f32::from(b)),
            Number::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Number::U16 => each(bytes, |b| f32::from(u16::from_le_bytes(b))),
            Number::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
            Number::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32),
            Number::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
            Number::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
        }
    }

    /// The values of bytes whose first is the highest.
    pub(crate) fn big_endian(self, bytes: &[u8]) -> Vec<f32> {
        let turned: Vec<u8> = bytes.chunks_exact(self.size()).flat_map(|b| b.iter().rev().copied()).collect();
        self.values(&turned)
    }
}

/// IEEE 754's 16-bit format: 1 bit of sign, 5 of exponent, 10 of fraction.
fn half_to_float(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1024.0 + fraction) * 2f32.powi(e - 25),
    }
}

/// The values of a shape, if they can be counted.
pub(crate) fn count(shape: &[usize]) -> Result<usize, String> {
    const MOST: usize = 1 << 40;
    let n = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side)).filter(|n| *n <= MOST);
    n.ok_or_else(|| format!("the shape {shape:?} has more values than can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_ieees() {
        // From the format's definition: one, the smallest, the largest below one, the largest, −2.
        let cases = [
            (0x3c00, 1.0),
            (0x0001, 2f32.powi(-24)),
            (0x3bff, 1.0 - 2f32.powi(-11)),
            (0x7bff, 65504.0),
            (0xc000, -2.0),
            (0x0400, 2f32.powi(-14)),
        ];
        for (bits, value) in cases {
            assert_eq!(half_to_float(bits), value, "{bits:x}");
        }
        assert!(half_to_float(0x7c00) == f32::INFINITY && half_to_float(0xfc00) == f32::NEG_INFINITY);
        assert!(half_to_float(0x7e00).is_nan());
    }

    #[test]
    fn every_number_is_read() {
        assert_eq!(Number::Bf16.values(&[0x80, 0x3f, 0x00, 0xc0]), [1.0, -2.0]);
        assert_eq!(Number::F64.values(&0.75f64.to_le_bytes()), [0.75]);
        assert_eq!(Number::F32.big_endian(&1.5f32.to_be_bytes()), [1.5]);
        assert_eq!(Number::I8.values(&[0xff]), [-1.0]);
        assert_eq!(Number::I64.values(&(-7i64).to_le_bytes()), [-7.0]);
        assert!(count(&[1 << 30, 1 << 30]).is_err());
    }
}
