//! Raw arrays as NumPy's `.npy`, version 1.0: a magic word, a header of Python's syntax padded to 64 bytes, little-endian f32
//! (numpy/lib/format.py).

/// Values with their shape, rows first.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// As many values as the lengths' product.
    pub values: Vec<f32>,
}

impl Array {
    /// An array.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "as many values as {shape:?} says");
        Array { shape: shape.to_vec(), values }
    }

    /// The file's bytes.
    pub fn to_npy(&self) -> Vec<u8> {
        let mut bytes = npy_header("<f4", &self.shape);
        bytes.extend(self.values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }
}

/// What stands before the values of an array of this type, as NumPy writes types (`<f4`), rows first.
pub fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sides: Vec<String> = shape.iter().map(|side| format!("{side},")).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", sides.join(" "));
    // Magic word, version and length take ten bytes, the line end one.
    let unpadded = 10 + text.len() + 1;
    text += &" ".repeat(unpadded.next_multiple_of(64) - unpadded);
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpys() {
        // numpy.save of numpy.zeros((2, 3), "f4") begins so.
        let bytes = Array::new(&[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, -5.5]).to_npy();
        assert!(bytes.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr'"));
        let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + len) % 64, 0);
        let header = std::str::from_utf8(&bytes[10..10 + len]).unwrap();
        assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,), }"), "{header}");
        assert!(header.ends_with('\n'));
        assert_eq!(bytes.len(), 10 + len + 24);
        assert_eq!(&bytes[bytes.len() - 4..], (-5.5f32).to_le_bytes());
        // One axis is a tuple of one, as Python writes it.
        let vector = Array::new(&[1], vec![0.0]).to_npy();
        assert!(String::from_utf8_lossy(&vector).contains("'shape': (1,), }"));
    }
}
