//! NumPy's archives: a zip of `.npy` files, each a Python literal of type, order and shape, then the values (NumPy
//! Enhancement Proposal 1).

use super::cursor::Cursor;
use super::number::{Number, count};
use super::zip::Archive;
use super::{ForeignTensor, ForeignWeights, Format, Values, listed, tensors};

/// Reads an archive.
pub(super) fn read(archive: &Archive<'_>) -> Result<ForeignWeights, String> {
    let (mut weights, mut whole) = (Vec::new(), Vec::new());
    for entry in &archive.entries {
        let Some(name) = entry.name.strip_suffix(".npy") else { continue };
        let bytes = archive.read(entry)?;
        let told = |why: String| format!("its array `{name}` cannot be read: {why}");
        match array(&bytes).map_err(told)? {
            Some((shape, values)) => weights.push(ForeignTensor { name: name.into(), shape, values }),
            None => whole.push(name),
        }
    }
    let mut notes = Vec::new();
    if !whole.is_empty() {
        notes.push(format!("{} of whole numbers are no weights: {}", tensors(whole.len()), listed(&whole)));
    }
    Ok(ForeignWeights { format: Format::Npz, tensors: weights, notes, extra: None })
}

/// Shape and values of one file, or `None` where they are no floats.
fn array(bytes: &[u8]) -> Result<Option<Values>, String> {
    let mut c = Cursor::new(bytes);
    c.expect(b"\x93NUMPY")?;
    let (major, _) = (c.u8()?, c.u8()?);
    let length = if major == 1 { usize::from(c.u16()?) } else { c.u32()? as usize };
    let header = String::from_utf8_lossy(c.take(length)?).into_owned();
    let header = Header::parse(&header).ok_or_else(|| format!("its header is `{}`", header.trim()))?;
    let (number, little_endian) = header.number.ok_or("its type is none of numbers")?;
    let values = count(&header.shape)?;
    let data = c.take(values.checked_mul(number.size()).ok_or("it is too large")?)?;
    if !number.is_float() {
        return Ok(None);
    }
    let values = if little_endian { number.values(data) } else { number.big_endian(data) };
    let values = if header.fortran { turned(&header.shape, &values) } else { values };
    Ok(Some((header.shape, values)))
}

/// What stands before the values.
struct Header {
    /// `None` for strings, objects, records. The flag: whether a value's first byte is the lowest.
    number: Option<(Number, bool)>,
    /// Whether the first side is innermost.
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Header> {
        let after = |key: &str| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        let descr = after("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let fortran = after("fortran_order")?.starts_with("True");
        let (inside, _) = after("shape")?.strip_prefix('(')?.split_once(')')?;
        let sides = inside.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape = sides.map(|s| s.parse().ok()).collect::<Option<Vec<usize>>>()?;
        Some(Header { number: descr.and_then(|(d, _)| number(d)), fortran, shape })
    }
}

fn number(descr: &str) -> Option<(Number, bool)> {
    let little_endian = !descr.starts_with('>');
    let number = match descr.trim_start_matches(['<', '>', '|', '=']) {
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        "i1" => Number::I8,
        "u1" => Number::U8,
        "i2" => Number::I16,
        "u2" => Number::U16,
        "i4" => Number::I32,
        "u4" => Number::U32,
        "i8" => Number::I64,
        "u8" => Number::U64,
        "b1" => Number::Bool,
        _ => return None,
    };
    Some((number, little_endian))
}

/// Values with the first side innermost, as values with the last side innermost.
fn turned(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for side in shape {
        strides.push(stride);
        stride *= side;
    }
    let mut index = vec![0; shape.len()];
    let next = |_| {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        for (i, side) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *side {
                break;
            }
            *i = 0;
        }
        values[at]
    };
    (0..values.len()).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, values: &[u8]) -> Vec<u8> {
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
    }

    #[test]
    fn arrays_are_read_in_either_order() {
        let values: Vec<u8> = [1f32, 2., 3., 4., 5., 6.].iter().flat_map(|v| v.to_le_bytes()).collect();
        let c = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &values);
        assert_eq!(array(&c), Ok(Some((vec![2, 3], vec![1., 2., 3., 4., 5., 6.]))));
        let f = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", &values);
        assert_eq!(array(&f), Ok(Some((vec![2, 3], vec![1., 3., 5., 2., 4., 6.]))));
        let scalar = npy("{'descr': '>f8', 'fortran_order': False, 'shape': (), }\n", &2.5f64.to_be_bytes());
        assert_eq!(array(&scalar), Ok(Some((vec![], vec![2.5]))));
        let whole = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", b"abc");
        assert_eq!(array(&whole), Ok(None));
    }

    #[test]
    fn broken_arrays_are_refused() {
        let short = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999, 9999), }\n", b"abcd");
        assert!(array(&short).unwrap_err().contains("it ends after 4"));
        let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"");
        assert!(array(&objects).unwrap_err().contains("none of numbers"));
        assert!(array(&npy("{}", b"")).unwrap_err().contains("its header is `{}`"));
        assert!(array(b"\x93NUM").is_err());
    }
}
