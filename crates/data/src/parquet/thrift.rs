//! Apache Thrift's compact protocol, as Parquet's footers and page headers are written in: read into a tree of values.
//!
//! Every value takes at least a byte, so what is allocated is bounded by what is there; declared lengths are not trusted.

/// Structures inside structures, at most; Parquet has about six.
const DEEPEST: usize = 32;

/// A value; integers of all widths are one kind.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Double,
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Struct(Vec<(i16, Value<'a>)>),
    Map,
}

/// Why bytes are no such value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There may be more to come.
    EndsEarly,
    /// The bytes can be no such value.
    Damaged,
}

impl<'a> Value<'a> {
    /// The structure that `bytes` begin with, and its length.
    pub(super) fn read(bytes: &'a [u8]) -> Result<(Self, usize), Wrong> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.structure(0)?;
        Ok((value, reader.at))
    }

    /// The field of a structure with this number.
    pub(super) fn field(&self, number: i16) -> Option<&Self> {
        match self {
            Self::Struct(fields) => fields.iter().find(|(id, _)| *id == number).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The integer in a field.
    pub(super) fn int(&self, number: i16) -> Option<i64> {
        match self.field(number) {
            Some(Self::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// The text in a field.
    pub(super) fn text(&self, number: i16) -> Option<&'a str> {
        match self.field(number) {
            Some(Self::Bytes(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The elements of the list in a field; none if there is no list.
    pub(super) fn list(&self, number: i16) -> &[Self] {
        match self.field(number) {
            Some(Self::List(elements)) => elements,
            _ => &[],
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Wrong> {
        let byte = *self.bytes.get(self.at).ok_or(Wrong::EndsEarly)?;
        self.at += 1;
        Ok(byte)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], Wrong> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length)).ok_or(Wrong::Damaged)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Wrong::EndsEarly)?;
        self.at = end;
        Ok(bytes)
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64, Wrong> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Wrong::Damaged)
    }

    /// 0, −1, 1, −2, … for 0, 1, 2, 3, …
    fn zigzag(&mut self) -> Result<i64, Wrong> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn structure(&mut self, depth: usize) -> Result<Value<'a>, Wrong> {
        let mut fields = Vec::new();
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0F;
            if kind == 0 {
                return Ok(Value::Struct(fields));
            }
            id = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| Wrong::Damaged)?,
                step => id.checked_add(i16::from(step)).ok_or(Wrong::Damaged)?,
            };
            let value = match kind {
                1 | 2 => Value::Bool(kind == 1),
                _ => self.value(kind, depth)?,
            };
            fields.push((id, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<Value<'a>, Wrong> {
        if depth >= DEEPEST {
            return Err(Wrong::Damaged);
        }
        Ok(match kind {
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Int(i64::from(self.byte()? as i8)),
            4..=6 => Value::Int(self.zigzag()?),
            7 => self.bytes(8).map(|_| Value::Double)?,
            8 => {
                let length = self.varint()?;
                Value::Bytes(self.bytes(length)?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let length = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                let mut elements = Vec::new();
                for _ in 0..length {
                    elements.push(self.value(head & 0x0F, depth + 1)?);
                }
                Value::List(elements)
            }
            11 => {
                let length = self.varint()?;
                let kinds = if length == 0 { 0 } else { self.byte()? };
                for _ in 0..length {
                    self.value(kinds >> 4, depth + 1)?;
                    self.value(kinds & 0x0F, depth + 1)?;
                }
                Value::Map
            }
            12 => self.structure(depth + 1)?,
            _ => return Err(Wrong::Damaged),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_every_kind() {
        // 1: i32 150; 2: "ab"; 3: list of i64 −1, 1; 5: true; 20 (long form): structure with 1: i8 −2.
        let bytes = [0x15, 0xAC, 0x02, 0x18, 2, b'a', b'b', 0x19, 0x26, 1, 2, 0x21, 0x0C, 40, 0x13, 0xFE, 0, 0];
        let (value, length) = Value::read(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!((value.int(1), value.text(2)), (Some(150), Some("ab")));
        assert_eq!(value.list(3), [Value::Int(-1), Value::Int(1)]);
        assert_eq!(value.field(5), Some(&Value::Bool(true)));
        assert_eq!(value.field(20).and_then(|inner| inner.int(1)), Some(-2));
        for end in 0..bytes.len() {
            assert_eq!(Value::read(&bytes[..end]), Err(Wrong::EndsEarly));
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(Value::read(&[0x1C; 10_000]), Err(Wrong::Damaged));
        assert_eq!(Value::read(&[[0x19].as_slice(), &[0x19; 10_000]].concat()), Err(Wrong::Damaged));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Value::read(&bytes);
        }
    }
}
