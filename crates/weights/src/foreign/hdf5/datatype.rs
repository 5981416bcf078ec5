//! What a data set's or an attribute's values are.

use super::super::cursor::Cursor;
use super::super::number::Number;

/// A type of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    /// Numbers; the flag: whether the first byte is the lowest.
    Number(Number, bool),
    /// Texts of so many bytes, padded.
    Text(usize),
    /// Texts that lie in a heap.
    HeapText,
    /// Something else.
    Other,
}

impl Datatype {
    /// Reads a datatype message.
    pub(super) fn read(message: &[u8]) -> Result<Datatype, String> {
        let mut c = Cursor::new(message);
        let class = c.u8()? & 15;
        let bits = c.uint(3)?;
        let size = c.u32()? as usize;
        let little_endian = bits & 1 == 0;
        Ok(match class {
            0 => {
                let signed = bits & 8 != 0;
                let number = match (size, signed) {
                    (1, true) => Number::I8,
                    (1, false) => Number::U8,
                    (2, true) => Number::I16,
                    (2, false) => Number::U16,
                    (4, true) => Number::I32,
                    (4, false) => Number::U32,
                    (8, true) => Number::I64,
                    (8, false) => Number::U64,
                    _ => return Ok(Datatype::Other),
                };
                Datatype::Number(number, little_endian)
            }
            1 => {
                c.skip(4)?;
                let (_, exponent_bits, _, fraction_bits) = (c.u8()?, c.u8()?, c.u8()?, c.u8()?);
                let number = match (size, exponent_bits, fraction_bits) {
                    (2, 5, 10) => Number::F16,
                    (2, 8, 7) => Number::Bf16,
                    (4, 8, 23) => Number::F32,
                    (8, 11, 52) => Number::F64,
                    _ => return Ok(Datatype::Other),
                };
                Datatype::Number(number, little_endian)
            }
            3 => Datatype::Text(size),
            9 if bits & 15 == 1 && size == 16 => Datatype::HeapText,
            _ => Datatype::Other,
        })
    }
}
