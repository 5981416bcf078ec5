//! PyTorch `state_dict`s, as `torch.save` writes them: a zip archive of stored entries, each beginning at a multiple of 64
//! bytes, with a pickle of protocol 2 that names the tensors and a file for each one's values. The same tensors give the same
//! bytes.

use crate::model_writer::write_floats;
use crate::{TensorRef, WeightsError, write_atomic};
use flate2::Crc;
use std::io::{self, Write};
use std::path::Path;

/// Writes a `state_dict` of these tensors in their order, whole or not at all; `torch.load(path, weights_only=True)` reads it.
///
/// # Errors
/// If it cannot be written, or a tensor has not as many values as its shape says.
pub fn write_state_dict<'a>(path: &Path, tensors: impl IntoIterator<Item = TensorRef<'a>>) -> Result<(), WeightsError> {
    let tensors: Vec<TensorRef<'_>> = tensors.into_iter().collect();
    for t in &tensors {
        let (values, shape) = (t.values.len(), t.shape);
        if shape.iter().product::<usize>() != values || u32::try_from(values).is_err() {
            let why = format!("tensor `{}` has {values} values for a shape of {shape:?}", t.name);
            return Err(WeightsError::Content { path: path.to_path_buf(), why });
        }
    }
    write_atomic(path, |out| put(out, &tensors))
}

/// What the entries lie in.
const FOLDER: &str = "archive";

fn put(out: &mut dyn Write, tensors: &[TensorRef<'_>]) -> io::Result<()> {
    let mut archive = Archive { out, at: 0, directory: Vec::new(), entries: 0 };
    archive.add("data.pkl", &pickle(tensors))?;
    archive.add("byteorder", b"little")?;
    for (key, tensor) in tensors.iter().enumerate() {
        archive.add_floats(&format!("data/{key}"), tensor.values)?;
    }
    archive.add("version", b"3\n")?;
    archive.finish()
}

/// The pickle of an ordered dictionary of tensors, each a view of all of its storage.
fn pickle(tensors: &[TensorRef<'_>]) -> Vec<u8> {
    const DICT: &[u8] = b"ccollections\nOrderedDict\n)R";
    let mut p = b"\x80\x02".to_vec();
    p.extend(DICT);
    p.push(b'(');
    for (key, tensor) in tensors.iter().enumerate() {
        text(&mut p, tensor.name);
        p.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut p, "storage");
        p.extend(b"ctorch\nFloatStorage\n");
        text(&mut p, &key.to_string());
        text(&mut p, "cpu");
        int(&mut p, tensor.values.len());
        p.extend(b"tQ");
        int(&mut p, 0);
        let strides = (1..=tensor.shape.len()).map(|i| tensor.shape[i..].iter().product());
        for sides in [tensor.shape.to_vec(), strides.collect()] {
            p.push(b'(');
            for n in sides {
                int(&mut p, n);
            }
            p.push(b't');
        }
        // No gradient is asked for, and nothing listens.
        p.push(0x89);
        p.extend(DICT);
        p.extend(b"tR");
    }
    p.extend(b"u.");
    p
}

fn text(p: &mut Vec<u8>, text: &str) {
    p.push(b'X');
    p.extend((text.len() as u32).to_le_bytes());
    p.extend(text.as_bytes());
}

/// A number of up to 31 bits, or as eight bytes.
fn int(p: &mut Vec<u8>, n: usize) {
    if let Ok(n) = i32::try_from(n) {
        p.push(b'J');
        p.extend(n.to_le_bytes());
    } else {
        p.extend([0x8a, 8]);
        p.extend((n as i64).to_le_bytes());
    }
}

/// A zip archive being written.
struct Archive<'a> {
    out: &'a mut dyn Write,
    at: u64,
    directory: Vec<u8>,
    entries: u64,
}

impl Archive<'_> {
    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut crc = Crc::new();
        crc.update(bytes);
        self.begin(name, crc.sum(), bytes.len() as u64)?;
        self.out.write_all(bytes)
    }

    fn add_floats(&mut self, name: &str, values: &[f32]) -> io::Result<()> {
        // Values are gone through twice: the checksum stands before them.
        let mut crc = Checksum(Crc::new());
        write_floats(&mut crc, values)?;
        self.begin(name, crc.0.sum(), 4 * values.len() as u64)?;
        write_floats(self.out, values)
    }

    /// An entry's header, and its place in the directory. Extra fields fill up to a multiple of 64 bytes.
    fn begin(&mut self, name: &str, crc: u32, size: u64) -> io::Result<()> {
        const HEADER: u64 = 30;
        let name = format!("{FOLDER}/{name}");
        let zip64 = size >= u64::from(u32::MAX);
        let sizes: Vec<u8> =
            if zip64 { [&[1, 0, 16, 0][..], &size.to_le_bytes(), &size.to_le_bytes()].concat() } else { Vec::new() };
        let start = self.at + HEADER + name.len() as u64 + sizes.len() as u64 + 4;
        let padding = start.next_multiple_of(64) - start;
        // PyTorch's own name for the field: "FB".
        let extra = [&sizes[..], b"FB", &(padding as u16).to_le_bytes(), &vec![b'Z'; padding as usize]].concat();
        let short = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let packed = if zip64 { short(u64::MAX) } else { short(size) };
        let lengths = |extra: &[u8]| [(name.len() as u16).to_le_bytes(), (extra.len() as u16).to_le_bytes()].concat();
        // Version 4.5, no flags, stored; the time is the beginning of the format's, 1980.
        let version: &[u8] = &[45, 0];
        let stored: &[u8] = &[0, 0, 0, 0, 0, 0, 0x21, 0];
        let crc = crc.to_le_bytes();
        let header =
            [&b"PK\x03\x04"[..], version, stored, &crc, &packed, &packed, &lengths(&extra), name.as_bytes(), &extra]
                .concat();
        let far = self.at >= u64::from(u32::MAX);
        let mut fields = sizes;
        if far {
            let offset = self.at.to_le_bytes();
            if zip64 {
                fields[2] = 24;
                fields.extend(offset);
            } else {
                fields = [&[1, 0, 8, 0][..], &offset].concat();
            }
        }
        let middle: &[u8] = &[0; 10];
        let parts = [
            &b"PK\x01\x02"[..],
            version,
            version,
            stored,
            &crc,
            &packed,
            &packed,
            &lengths(&fields),
            middle,
            &short(self.at),
            name.as_bytes(),
            &fields,
        ];
        for part in parts {
            self.directory.extend(part);
        }
        self.entries += 1;
        self.at += header.len() as u64 + size;
        self.out.write_all(&header)
    }

    /// The directory and its end, of the 64-bit form too, which readers take where numbers do not fit.
    fn finish(self) -> io::Result<()> {
        let (size, start, n) = (self.directory.len() as u64, self.at, self.entries);
        self.out.write_all(&self.directory)?;
        let wide = [44u64, n, n, size, start].map(u64::to_le_bytes);
        let end64 = [&b"PK\x06\x06"[..], &wide[0], &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        self.out.write_all(&end64)?;
        self.out.write_all(&wide[1..].concat())?;
        self.out.write_all(b"PK\x06\x07\0\0\0\0")?;
        self.out.write_all(&(start + size).to_le_bytes())?;
        self.out.write_all(&[1, 0, 0, 0])?;
        let count = u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes();
        let short = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.out.write_all(&[count, count].concat())?;
        self.out.write_all(&[short(size), short(start)].concat())?;
        self.out.write_all(&[0, 0])
    }
}

/// What is written, as a checksum.
struct Checksum(Crc);

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ForeignWeights, Format};

    fn written() -> Vec<u8> {
        let values: Vec<f32> = (0..600).map(|i| i as f32 / 7.0).collect();
        let tensors = [
            TensorRef { name: "conv.weight", shape: &[2, 3, 10, 10], values: &values },
            TensorRef { name: "conv.bias", shape: &[2], values: &values[..2] },
            TensorRef { name: "scalar", shape: &[], values: &values[3..4] },
        ];
        let mut out = Vec::new();
        put(&mut out, &tensors).unwrap();
        out
    }

    #[test]
    fn a_state_dict_comes_back() {
        let read = ForeignWeights::parse(&written()).unwrap();
        assert_eq!(read.format, Format::TorchZip);
        let shapes: Vec<_> = read.tensors.iter().map(|t| (t.name.as_str(), t.shape.clone())).collect();
        let expected = [("conv.weight", vec![2, 3, 10, 10]), ("conv.bias", vec![2]), ("scalar", vec![])];
        assert_eq!(shapes, expected);
        assert_eq!(read.tensors[0].values[599], 599.0 / 7.0);
        assert_eq!(read.tensors[2].values, [3.0 / 7.0]);
    }

    #[test]
    fn values_begin_at_multiples_of_64_bytes() {
        let bytes = written();
        let first = 1f32 / 7.0;
        let at = bytes.windows(8).position(|w| w[..4] == [0; 4] && w[4..] == first.to_le_bytes());
        assert_eq!(at.map(|at| at % 64), Some(0));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.pth");
        let e = write_state_dict(&path, [TensorRef { name: "w", shape: &[3], values: &[0.0; 2] }]).unwrap_err();
        assert!(e.to_string().contains("`w` has 2 values"), "{e}");
        assert!(!path.exists());
    }
}
