//! Apache Thrift's compact protocol, written: the structures of Parquet's footers and page headers, field by field in the
//! order of their numbers.

/// The protocol's numbers for kinds of values.
const INT: u8 = 5;
const LONG: u8 = 6;
const TEXT: u8 = 8;
const LIST: u8 = 9;
const STRUCTURE: u8 = 12;

/// A structure that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Structure {
    bytes: Vec<u8>,
    last: i16,
}

impl Structure {
    pub(super) fn new() -> Structure {
        Structure::default()
    }

    /// A 32-bit integer.
    pub(super) fn int(mut self, number: i16, value: i32) -> Structure {
        self.head(number, INT);
        zigzag(&mut self.bytes, value.into());
        self
    }

    /// A 64-bit integer.
    pub(super) fn long(mut self, number: i16, value: u64) -> Structure {
        self.head(number, LONG);
        zigzag(&mut self.bytes, value as i64);
        self
    }

    pub(super) fn text(mut self, number: i16, text: &str) -> Structure {
        self.head(number, TEXT);
        put_text(&mut self.bytes, text);
        self
    }

    pub(super) fn structure(mut self, number: i16, inner: Structure) -> Structure {
        self.head(number, STRUCTURE);
        self.bytes.extend(inner.end());
        self
    }

    pub(super) fn ints(mut self, number: i16, values: &[i32]) -> Structure {
        self.list(number, INT, values.len());
        for &value in values {
            zigzag(&mut self.bytes, value.into());
        }
        self
    }

    pub(super) fn texts(mut self, number: i16, texts: &[&str]) -> Structure {
        self.list(number, TEXT, texts.len());
        for text in texts {
            put_text(&mut self.bytes, text);
        }
        self
    }

    pub(super) fn structures(mut self, number: i16, inner: Vec<Structure>) -> Structure {
        self.list(number, STRUCTURE, inner.len());
        for inner in inner {
            self.bytes.extend(inner.end());
        }
        self
    }

    /// The bytes, with the mark of the end.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    /// A field's head: the step from the last number and the kind in a byte, or the number behind it where the step is long.
    fn head(&mut self, number: i16, kind: u8) {
        let step = number - self.last;
        if (1..=15).contains(&step) {
            self.bytes.push(((step as u8) << 4) | kind);
        } else {
            self.bytes.push(kind);
            zigzag(&mut self.bytes, number.into());
        }
        self.last = number;
    }

    fn list(&mut self, number: i16, kind: u8, length: usize) {
        self.head(number, LIST);
        if length < 15 {
            self.bytes.push(((length as u8) << 4) | kind);
        } else {
            self.bytes.push((15 << 4) | kind);
            varint(&mut self.bytes, length as u64);
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    varint(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

/// Seven bits a byte, the lowest first.
pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// 0, 1, 2, 3, … for 0, −1, 1, −2, …
fn zigzag(bytes: &mut Vec<u8>, value: i64) {
    varint(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

#[cfg(test)]
mod tests {
    use super::super::thrift::Value;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let many: Vec<i32> = (-20..20).map(|i| i * 1_000_000).collect();
        let inner = Structure::new().int(1, i32::MIN);
        let bytes = Structure::new()
            .int(1, 150)
            .text(2, "ab")
            .long(20, 1 << 60)
            .ints(21, &many)
            .texts(22, &["é", ""])
            .structure(300, inner.clone())
            .structures(301, vec![inner; 17])
            .end();
        // The protocol's own example of a number: 150 is 0xAC 0x02 by zigzag; long 20 needs its number spelt out.
        assert_eq!(bytes[..9], [0x15, 0xAC, 0x02, 0x18, 2, b'a', b'b', 0x06, 40]);
        let (value, length) = Value::read(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!((value.int(1), value.text(2), value.int(20)), (Some(150), Some("ab"), Some(1 << 60)));
        assert_eq!(value.list(21).iter().zip(&many).filter(|(a, b)| **a == Value::Int(i64::from(**b))).count(), 40);
        assert_eq!(value.list(22), [Value::Bytes("é".as_bytes()), Value::Bytes(b"")]);
        assert_eq!(value.field(300).and_then(|inner| inner.int(1)), Some(i64::from(i32::MIN)));
        assert_eq!(value.list(301).len(), 17);
    }
}
