//! Protocol buffers on the wire (protobuf.dev/programming-guides/encoding): numbered fields, each a number of variable length,
//! a fixed one, or bytes, which may be a message again.

use crate::foreign::Cursor;

/// A field's content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// The fields of a message with their numbers, in order.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), String>> {
    let mut c = Cursor::new(bytes);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || c.left() == 0 {
            return None;
        }
        let field = field(&mut c);
        broken = field.is_err();
        Some(field)
    })
}

fn field<'a>(c: &mut Cursor<'a>) -> Result<(u64, Field<'a>), String> {
    let tag = varint(c)?;
    let content = match tag & 7 {
        0 => Field::Varint(varint(c)?),
        1 => Field::Fixed64(c.u64()?.to_le_bytes()),
        2 => {
            let len = usize::try_from(varint(c)?).map_err(|e| e.to_string())?;
            Field::Bytes(c.take(len)?)
        }
        5 => Field::Fixed32(c.u32()?.to_le_bytes()),
        other => return Err(format!("a field has wire type {other}")),
    };
    if tag >> 3 == 0 {
        return Err("a field has number 0".into());
    }
    Ok((tag >> 3, content))
}

fn varint(c: &mut Cursor<'_>) -> Result<u64, String> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let byte = c.u8()?;
        n |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(n);
        }
    }
    Err("a number has more than 64 bits".into())
}

impl<'a> Field<'a> {
    pub(super) fn int(self) -> Result<i64, String> {
        match self {
            Field::Varint(n) => Ok(n as i64),
            other => Err(format!("a number was expected, not {}", other.kind())),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            other => Err(format!("bytes were expected, not {}", other.kind())),
        }
    }

    pub(super) fn text(self) -> Result<String, String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| "a text is not UTF-8".into())
    }

    pub(super) fn float(self) -> Result<f32, String> {
        match self {
            Field::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            other => Err(format!("a float was expected, not {}", other.kind())),
        }
    }

    /// Adds the numbers of a repeated field, which may stand together or one by one.
    pub(super) fn ints(self, all: &mut Vec<i64>) -> Result<(), String> {
        match self {
            Field::Bytes(bytes) => {
                let mut c = Cursor::new(bytes);
                while c.left() > 0 {
                    all.push(varint(&mut c)? as i64);
                }
                Ok(())
            }
            one => one.int().map(|n| all.push(n)),
        }
    }

    /// Adds the floats of a repeated field.
    pub(super) fn floats(self, all: &mut Vec<f32>) -> Result<(), String> {
        match self {
            Field::Bytes(bytes) if bytes.len() % 4 == 0 => {
                all.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
                Ok(())
            }
            Field::Bytes(bytes) => Err(format!("{} bytes are no floats", bytes.len())),
            one => one.float().map(|n| all.push(n)),
        }
    }

    /// Adds the doubles of a repeated field.
    pub(super) fn doubles(self, all: &mut Vec<f32>) -> Result<(), String> {
        match self {
            Field::Bytes(bytes) if bytes.len() % 8 == 0 => {
                all.extend(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32));
                Ok(())
            }
            Field::Fixed64(bytes) => {
                all.push(f64::from_le_bytes(bytes) as f32);
                Ok(())
            }
            other => Err(format!("doubles were expected, not {}", other.kind())),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Field::Varint(_) => "a number",
            Field::Fixed64(_) => "eight bytes",
            Field::Bytes(_) => "bytes",
            Field::Fixed32(_) => "four bytes",
        }
    }
}

/// A message being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut n: u64) {
        while n >= 128 {
            self.0.push(n as u8 | 128);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// A whole number.
    pub(super) fn int(mut self, number: u64, value: i64) -> Self {
        self.varint(number << 3);
        self.varint(value as u64);
        self
    }

    /// A float.
    pub(super) fn float(mut self, number: u64, value: f32) -> Self {
        self.varint(number << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes, text or a message.
    pub(super) fn bytes(mut self, number: u64, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self = self.begin(number, bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// The beginning of so many bytes, which the caller writes behind.
    pub(super) fn begin(mut self, number: u64, len: u64) -> Self {
        self.varint(number << 3 | 2);
        self.varint(len);
        self
    }

    /// Whole numbers together.
    pub(super) fn ints(self, number: u64, values: impl IntoIterator<Item = i64>) -> Self {
        let mut packed = Message::default();
        values.into_iter().for_each(|v| packed.varint(v as u64));
        self.bytes(number, packed.0)
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_documentation() {
        // Its examples: field 1 is 150; field 2 is the text "testing".
        assert_eq!(Message::default().int(1, 150).0, [0x08, 0x96, 0x01]);
        let text = Message::default().bytes(2, "testing").0;
        assert_eq!(text, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let message = Message::default().int(1, -2).float(2, 0.5).ints(3, [3, 270, 86942]);
        let read: Vec<_> = fields(&message.0).collect::<Result<_, _>>().unwrap();
        assert_eq!(read[0].1.int(), Ok(-2));
        assert_eq!(read[1], (2, Field::Fixed32(0.5f32.to_le_bytes())));
        let mut ints = Vec::new();
        read[2].1.ints(&mut ints).unwrap();
        assert_eq!((read[2].0, ints), (3, vec![3, 270, 86942]));
    }

    #[test]
    fn broken_messages_are_refused() {
        for bytes in [&[0x08][..], &[0x0a, 5, 1], &[0x0b], &[0x00, 1], &[0x80; 20]] {
            assert!(fields(bytes).any(|f| f.is_err()), "{bytes:?}");
        }
    }
}
