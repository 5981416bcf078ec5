//! The values of a page: which rows have one, and where it lies in the page's bytes.

use super::footer::{Column, Type};
use super::page::{Kind, Page, damaged};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Marks a row without a value.
const NONE: u32 = u32::MAX;

/// Values one after the other.
#[derive(Debug, Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    ranges: Vec<Range<u32>>,
}

impl Values {
    /// Memory taken, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 8 * self.ranges.len()
    }
}

/// The rows of a page of data.
#[derive(Debug)]
pub(super) struct Rows {
    values: Arc<Values>,
    /// For each row the place of its value.
    places: Vec<u32>,
    /// Whether the values are the page's own, and not its dictionary's.
    own: bool,
}

impl Rows {
    /// The value of a row of the page, if it has one.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let range = self.values.ranges.get(*self.places.get(row)? as usize)?;
        self.values.bytes.get(range.start as usize..range.end as usize)
    }

    /// Memory taken, in bytes, that of a dictionary not counted.
    pub(super) fn size(&self) -> usize {
        4 * self.places.len() + if self.own { self.values.size() } else { 0 }
    }
}

/// The values of an unpacked dictionary page.
pub(super) fn dictionary(bytes: Vec<u8>, page: &Page, column: &Column) -> io::Result<Values> {
    match page.encoding {
        0 | 2 => plain(bytes, 0, page.values as usize, column.kind),
        other => Err(unsupported(other)),
    }
}

/// The rows of an unpacked data page.
pub(super) fn rows(bytes: Vec<u8>, page: &Page, column: &Column, dictionary: Option<&Arc<Values>>) -> io::Result<Rows> {
    let count = page.values as usize;
    let mut at = 0;
    let mut take = |length: usize| -> io::Result<Range<usize>> {
        let end = at + length;
        let taken = at..end;
        at = end;
        if end <= bytes.len() { Ok(taken) } else { Err(damaged("a page ends within its levels")) }
    };
    let levels = match page.kind {
        Kind::DataV2(repetition, definition, _) => {
            take(repetition as usize)?;
            take(definition as usize)?
        }
        _ if column.defined > 0 => {
            let prefix = take(4)?;
            let length = prefix.fold(0usize, |length, i| length >> 8 | usize::from(bytes[i]) << 24);
            take(length)?
        }
        _ => 0..0,
    };
    let places = if column.defined == 0 {
        (0..count as u32).collect()
    } else {
        let mut present = 0;
        let width = u32::BITS - column.defined.leading_zeros();
        let levels = hybrid(&bytes[levels], width, count)?;
        let place = |level: u32| {
            if level == column.defined {
                present += 1;
                present - 1
            } else {
                NONE
            }
        };
        levels.into_iter().map(place).collect::<Vec<u32>>()
    };
    let present = places.iter().filter(|&&place| place != NONE).count();
    match (page.encoding, dictionary) {
        (0, _) => Ok(Rows { values: Arc::new(plain(bytes, at, present, column.kind)?), places, own: true }),
        (2 | 8, Some(dictionary)) => {
            let indices = match bytes.get(at) {
                Some(&width) if width <= 32 => hybrid(&bytes[at + 1..], u32::from(width), present)?,
                None if present == 0 => Vec::new(),
                _ => return Err(damaged("a page has wrong references to its dictionary")),
            };
            if indices.iter().any(|&index| index as usize >= dictionary.ranges.len()) {
                return Err(damaged("a page refers to more than its dictionary holds"));
            }
            let of_row = |place: u32| if place == NONE { NONE } else { indices[place as usize] };
            let places = places.into_iter().map(of_row).collect();
            Ok(Rows { values: Arc::clone(dictionary), places, own: false })
        }
        (2 | 8, None) => Err(damaged("a page refers to a dictionary that is not there")),
        (other, _) => Err(unsupported(other)),
    }
}

fn unsupported(encoding: i64) -> io::Error {
    let name = match encoding {
        3 => "RLE".to_owned(),
        5 => "DELTA_BINARY_PACKED".to_owned(),
        6 => "DELTA_LENGTH_BYTE_ARRAY".to_owned(),
        7 => "DELTA_BYTE_ARRAY".to_owned(),
        9 => "BYTE_STREAM_SPLIT".to_owned(),
        other => format!("number {other}"),
    };
    damaged(&format!(
        "values are encoded as {name}, which is not read; write the file with plain or dictionary encoding"
    ))
}

/// `count` values from `at` on, as they are: numbers little-endian, bits from the lowest, arrays behind their lengths.
fn plain(mut bytes: Vec<u8>, mut at: usize, count: usize, kind: Type) -> io::Result<Values> {
    let short = || damaged("a page ends within its values");
    let mut ranges = Vec::new();
    let fixed = match kind {
        Type::Int32 | Type::Float => 4,
        Type::Int64 | Type::Double => 8,
        Type::Boolean => {
            let bits = bytes.get(at..at + count.div_ceil(8)).ok_or_else(short)?;
            bytes = (0..count).map(|i| bits[i / 8] >> (i % 8) & 1).collect();
            at = 0;
            1
        }
        Type::ByteArray => {
            for _ in 0..count {
                let length = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
                let from = at + 4;
                at = from + u32::from_le_bytes(*length) as usize;
                if at > bytes.len() {
                    return Err(short());
                }
                ranges.push(from as u32..at as u32);
            }
            return Ok(Values { bytes, ranges });
        }
        Type::Other => return Err(damaged("values are of a kind that is not read")),
    };
    if count.checked_mul(fixed).and_then(|length| length.checked_add(at)).is_none_or(|end| end > bytes.len()) {
        return Err(short());
    }
    ranges.extend((0..count).map(|i| (at + i * fixed) as u32..(at + (i + 1) * fixed) as u32));
    Ok(Values { bytes, ranges })
}

/// `count` numbers of `width` bits: runs of one number, and groups of eight packed from the lowest bit on.
fn hybrid(bytes: &[u8], width: u32, count: usize) -> io::Result<Vec<u32>> {
    let short = || damaged("a page ends within its levels or references");
    let size = width.div_ceil(8) as usize;
    let mut numbers = Vec::new();
    let mut rest = bytes;
    while numbers.len() < count {
        let missing = count - numbers.len();
        let mut head = 0u64;
        for shift in (0..).step_by(7) {
            let (&byte, behind) = rest.split_first().filter(|_| shift < 64).ok_or_else(short)?;
            head |= u64::from(byte & 0x7F) << shift;
            rest = behind;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if head & 1 == 0 {
            let (value, behind) = rest.split_at_checked(size).ok_or_else(short)?;
            let value = value.iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
            let length = usize::try_from(head >> 1).unwrap_or(usize::MAX).min(missing);
            if length == 0 {
                return Err(damaged("a page has an empty run"));
            }
            numbers.extend(std::iter::repeat_n(value, length));
            rest = behind;
        } else {
            let length = usize::try_from((head >> 1).saturating_mul(8)).unwrap_or(usize::MAX).min(missing);
            // A last group may lack the bytes of the numbers that nobody asks for.
            let needed = (length as u64 * u64::from(width)).div_ceil(8) as usize;
            if needed > rest.len() || length == 0 {
                return Err(short());
            }
            let number = |i: usize| {
                let first = i as u64 * u64::from(width);
                let bit = |b: u64| u32::from(rest[(b / 8) as usize] >> (b % 8) & 1);
                (0..u64::from(width)).fold(0, |number, b| number | bit(first + b) << b)
            };
            numbers.extend((0..length).map(number));
            let whole = (head >> 1).saturating_mul(u64::from(width));
            rest = &rest[usize::try_from(whole).unwrap_or(usize::MAX).min(rest.len())..];
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_groups() {
        // The format's own example: 0 to 7 in three bits each.
        assert_eq!(hybrid(&[3, 0x88, 0xC6, 0xFA], 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(hybrid(&[10, 4, 3, 0x88, 0xC6, 0xFA], 3, 7).unwrap(), [4, 4, 4, 4, 4, 0, 1]);
        assert_eq!(hybrid(&[4, 0x01, 0x02], 12, 2).unwrap(), [0x201, 0x201]);
        assert_eq!(hybrid(&[200, 1], 0, 100).unwrap(), [0; 100]);
        assert!(hybrid(&[3, 0x88], 3, 8).is_err() && hybrid(&[0, 0], 1, 1).is_err() && hybrid(&[], 1, 1).is_err());
        assert!(hybrid(&[0x80; 20], 1, 1).is_err());
    }
}
