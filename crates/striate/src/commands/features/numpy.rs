//! Features as NumPy's files: `.npy`, one array (NEP 1), and `.npz`, several in a ZIP archive that stores them as they are.

use super::Table;
use flate2::Crc;
use std::io::{self, Write};
use striate_explain::npy_header;

/// An array: its type as NumPy writes it, its shape, its bytes.
struct Array {
    kind: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn floats(values: &[f32], shape: Vec<usize>) -> Array {
        Array { kind: "<f4".into(), shape, bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
    }

    fn longs(values: impl ExactSizeIterator<Item = i64>) -> Array {
        let shape = vec![values.len()];
        Array { kind: "<i8".into(), shape, bytes: values.flat_map(i64::to_le_bytes).collect() }
    }

    /// Texts of as many characters each as the longest has.
    fn texts<'t>(values: impl ExactSizeIterator<Item = &'t str> + Clone) -> Array {
        let most = values.clone().map(|v| v.chars().count()).max().unwrap_or(0).max(1);
        let (mut bytes, shape) = (Vec::new(), vec![values.len()]);
        for value in values {
            let end = bytes.len() + 4 * most;
            bytes.extend(value.chars().flat_map(|c| u32::from(c).to_le_bytes()));
            bytes.resize(end, 0);
        }
        Array { kind: format!("<U{most}"), shape, bytes }
    }

    fn header(&self) -> Vec<u8> {
        npy_header(&self.kind, &self.shape)
    }
}

/// The features alone.
pub(super) fn npy(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let array = Array::floats(&table.values, vec![table.rows(), table.len]);
    out.write_all(&array.header())?;
    out.write_all(&array.bytes)
}

/// Arrays `features`, `labels`, `files`, `parts` and `classes`.
pub(super) fn npz(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let arrays = [
        ("features", Array::floats(&table.values, vec![table.rows(), table.len])),
        ("labels", Array::longs(table.labels.iter().map(|l| i64::from(*l)))),
        ("files", Array::texts(table.files.iter().map(String::as_str))),
        ("parts", Array::texts(table.parts.iter().copied())),
        ("classes", Array::texts(table.classes.iter().map(String::as_str))),
    ];
    let (mut at, mut directory) = (0u32, Vec::new());
    for (name, array) in &arrays {
        let (header, name) = (array.header(), format!("{name}.npy"));
        let size = u32::try_from(header.len() + array.bytes.len()).ok().filter(|size| at.checked_add(*size).is_some());
        let Some(size) = size.filter(|size| at + size < u32::MAX - (1 << 20)) else {
            return Err(io::Error::other("more than 4 GB do not go into an .npz file: write .npy or .parquet"));
        };
        let mut crc = Crc::new();
        crc.update(&header);
        crc.update(&array.bytes);
        // Version 2.0, stored, at noon of 1 January 1980: the same features give the same bytes.
        let mut facts = Vec::new();
        for half in [20u16, 0, 0, 12 << 11, 0x21] {
            facts.extend(half.to_le_bytes());
        }
        for word in [crc.sum(), size, size] {
            facts.extend(word.to_le_bytes());
        }
        facts.extend((name.len() as u16).to_le_bytes());
        facts.extend([0; 2]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&facts);
        // No comment, the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
        for piece in [&b"PK\x03\x04"[..], &facts, name.as_bytes(), &header, &array.bytes] {
            out.write_all(piece)?;
        }
        at += 4 + (facts.len() + name.len()) as u32 + size;
    }
    out.write_all(&directory)?;
    out.write_all(b"PK\x05\x06\0\0\0\0")?;
    for count in [arrays.len() as u16; 2] {
        out.write_all(&count.to_le_bytes())?;
    }
    out.write_all(&(directory.len() as u32).to_le_bytes())?;
    out.write_all(&at.to_le_bytes())?;
    out.write_all(&[0; 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_padded_to_the_longest() {
        let texts = Array::texts(["ab", "ü"].into_iter());
        assert_eq!((texts.kind.as_str(), texts.shape.as_slice(), texts.bytes.len()), ("<U2", &[2][..], 16));
        assert_eq!(texts.bytes[8..12], 0xfc_u32.to_le_bytes());
    }
}
